"""Barriers of vacancy hops in antiperovskites from few features and from twenty, with whole cations left out.

``python benchmarks/barrier_features.py`` reads ``benchmarks/antiperovskite_barriers.csv``, which is the table that
``mlip-sse simulate antiperovskite_barriers`` writes (another table with ``--table``), and prints the mean absolute
error in eV of

- few features: length of the hop, bottleneck at the saddle, rise of the Ewald energy there, polarizability of the
  counter-ions;
- twenty: these, the other numbers of the table, radii, electronegativities and polarizabilities of the ions on A and B;
- few known before any band: length of the hop, radius of the ion, polarizability of the counter-ions;
- the median of the other compounds.

Each compound alone is left out, and then all of one cation (Li, Na, K). The model is ridge regression with the penalty
that errs least on inner folds; or that or the median, whichever errs less there. Intervals resample compounds; the null
deals barriers to other compounds and refits one ridge regression.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from benchmarks.tables import aligned
from mlip_sse.properties.regression import PropertyRegressor
from mlip_sse.properties.selection import SelectedRegressor
from mlip_sse.structures.ionic_properties import ion_polarizability, oxidation_states, shannon_radius

__all__ = ["main"]

Floats = npt.NDArray[np.float64]

FEW = ("hop_distance_a", "bottleneck_clearance_a", "site_energy_rise_ev", "counterion_polarizability_a3")
BEFORE = ("hop_distance_a", "radius_mobile_a", "counterion_polarizability_a3")
TABLE = (
    *FEW, "radius_mobile_a", "volume_a3_atom", "bottleneck_distance_a", "bottleneck_polarizability_a3",
    "site_energy_start_ev", "coordination_saddle",
)  # fmt: skip
IONS = (
    "radius_a", "radius_b", "electronegativity_x", "electronegativity_a", "electronegativity_b", "polarizability_a",
    "polarizability_b", "tolerance_factor", "mass_x", "mass_ab",
)  # fmt: skip
TWENTY = (*TABLE, *IONS)
_PENALTIES = (1.0, 3.0, 10.0, 30.0)


def ions_of(structure: str) -> dict[str, Any]:
    """Return the features of the ions of ``antiperovskite:X3AB``: A in the octahedron of X, B in the cage."""
    from ase.data import atomic_masses, atomic_numbers
    from pymatgen.core import Element
    from pymatgen.core.composition import Composition

    formula = structure.partition(":")[2]
    x, a, b = (each.symbol for each in Composition(formula))
    charges = oxidation_states(formula)
    radius: dict[str, Any] = {each: shannon_radius(each, charges[each]) for each in (x, a, b)}
    mass = {each: float(atomic_masses[atomic_numbers[each]]) for each in (x, a, b)}
    return {
        "radius_a": radius[a],
        "radius_b": radius[b],
        "tolerance_factor": (radius[x] + radius[b]) / (np.sqrt(2) * (radius[x] + radius[a])),
        "electronegativity_x": float(Element(x).X),
        "electronegativity_a": float(Element(a).X),
        "electronegativity_b": float(Element(b).X),
        "polarizability_a": ion_polarizability(a, charges[a]),
        "polarizability_b": ion_polarizability(b, charges[b]),
        "mass_x": mass[x],
        "mass_ab": mass[a] + mass[b],
    }


def read(path: Path, qualities: Sequence[str]) -> tuple[list[dict[str, Any]], Floats, list[str], list[str]]:
    """Return features by name, barriers in eV, compounds and cations of the rows of some quality."""
    with open(path, newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["quality"] in qualities and row["barrier_forward_ev"]]
    features = [{**{name: float(row[name]) for name in TABLE}, **ions_of(row["structure"])} for row in rows]
    barriers = np.array([float(row["barrier_forward_ev"]) for row in rows])
    return features, barriers, [row["compound"] for row in rows], [row["mobile"] for row in rows]


def ridges() -> SelectedRegressor:
    """Return ridge regressions of four penalties, of which inner folds choose."""
    return SelectedRegressor(tuple(PropertyRegressor("linear", {"penalty": each}) for each in _PENALTIES))


def ridges_or_median() -> SelectedRegressor:
    """Return the same with the median beside them."""
    return SelectedRegressor((*ridges().candidates, PropertyRegressor("constant", {})))


def one_ridge() -> PropertyRegressor:
    """Return one ridge regression without intervals, which the null refits."""
    return PropertyRegressor("linear", {"penalty": _PENALTIES[-1]}, calibrates=False)


def left_out(
    fit: Callable[[], Any], x: Floats, barriers: Floats, compounds: Sequence[str], parts: Sequence[str]
) -> tuple[Floats, Floats]:
    """Return the answers, (n_rows,), each from a fit without its part, and whether their intervals hold."""
    values, holds = np.empty(len(barriers)), np.zeros(len(barriers))
    names = np.array(parts)
    for part in sorted(set(parts)):
        asked = names == part
        groups = [compound for compound, is_asked in zip(compounds, asked, strict=True) if not is_asked]
        found = fit().fit(x[~asked], barriers[~asked], groups=groups).predict(x[asked])
        values[asked] = found.value
        holds[asked] = (found.low <= barriers[asked]) & (barriers[asked] <= found.high)
    return values, holds


def judged(
    features: Sequence[dict[str, float]],
    barriers: Floats,
    compounds: Sequence[str],
    cations: Sequence[str],
    n_nulls: int,
) -> list[list[str]]:
    """Return a line for each split, model and set of features."""
    lines = []
    splits = (("each compound", compounds), ("each cation", cations))
    for (title, parts), (kind, model) in product(splits, (("ridge or median", ridges_or_median), ("ridge", ridges))):
        others = np.array([np.median(barriers[np.array(parts) != part]) for part in parts])
        errors: dict[str, Floats] = {"median": np.abs(others - barriers)}
        for name, chosen in (("few", FEW), ("twenty", TWENTY), ("known before", BEFORE)):
            x = np.array([[row[each] for each in chosen] for row in features])
            values, holds = left_out(model, x, barriers, compounds, parts)
            errors[name] = np.abs(values - barriers)
            rng = np.random.default_rng(1)
            dealt = [rng.permutation(barriers) for _ in range(n_nulls)]
            nulls = [np.abs(left_out(one_ridge, x, y, compounds, parts)[0] - y).mean() for y in dealt]
            rank = (1 + sum(null <= errors[name].mean() for null in nulls)) / (1 + n_nulls)
            lines.append([
                f"{title}, {kind}", f"{name} ({len(chosen)})", str(len(barriers)), _mean(errors[name]).lstrip("+"),
                "" if name == "few" else _mean(errors[name] - errors["few"]),
                _mean(errors[name] - errors["median"]), f"{np.mean(nulls):.3f} (p {rank:.2f})",
                f"{100 * holds.mean():.0f} %",
            ])  # fmt: skip
    return lines


def _mean(values: Floats) -> str:
    """Return the mean with its 95 % interval over compounds."""
    rng = np.random.default_rng(0)
    draws = values[rng.integers(len(values), size=(2000, len(values)))].mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{values.mean():+.3f} ({low:+.3f} to {high:+.3f})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the table, judge the sets of features, print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=Path(__file__).parent / "antiperovskite_barriers.csv")
    parser.add_argument("--nulls", type=int, default=19)
    chosen = parser.parse_args(arguments)
    head = [
        "left out", "features", "rows", "MAE (eV), 95 %", "more than few", "more than the median", "null", "90 % holds",
    ]  # fmt: skip
    for title, qualities in (("pass", ("pass",)), ("pass and weak", ("pass", "weak"))):
        print(f"\n{title}:")
        print("\n".join(aligned([head, *judged(*read(chosen.table, qualities), chosen.nulls)])))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
