"""Tables of many interfaces.

All pairs of the same elements share one set of stable phases, so that a table is a loop over small linear programmes
in one kernel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.analysis.reactions.corrections import remarks_on
from mlip_sse.analysis.reactions.hull import ConvexHull
from mlip_sse.analysis.reactions.interfaces import normalisation_of
from mlip_sse.analysis.reactions.phases import formula_of, read_formula
from mlip_sse.analysis.reactions.simplex import SOLVED, bends
from mlip_sse.analysis.reactions.uncertainty import NO_INTERVAL
from mlip_sse.analysis.results import Quality, Verdict
from mlip_sse.errors import InputError, RunError
from mlip_sse.provenance import Provenance

__all__ = ["ScreeningTable", "screen"]

_NO_REACTION_EV_ATOM = 1e-6


@dataclass(frozen=True)
class ScreeningTable:
    """Reaction energies of each of some phases with each of others.

    Parameters
    ----------
    rows, columns
        Formulas.
    reaction_energies, mutual_reaction_energies : (n_rows, n_columns) eV/atom
        ≤ 0, at the mixture that reacts most; 0 where a phase meets itself or nothing happens.
    mixing_fractions : (n_rows, n_columns)
        Share of the row's phase in all atoms there; NaN where nothing reacts.
    without_entry
        Formulas whose decomposition stands for them.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    reaction_energies: NDArray[np.float64]
    mutual_reaction_energies: NDArray[np.float64]
    mixing_fractions: NDArray[np.float64]
    open_to: Mapping[str, float]
    normalisation: str
    corrections: str
    without_entry: tuple[str, ...]
    verdict: Verdict
    provenance: Provenance

    def to_dict(self) -> dict[str, Any]:
        """Return one item for each pair."""
        table = [
            {
                "first": row,
                "second": column,
                "reaction_energy_ev_atom": float(self.reaction_energies[i, j]),
                "mutual_reaction_energy_ev_atom": float(self.mutual_reaction_energies[i, j]),
                "mixing_fraction": float(self.mixing_fractions[i, j]),
            }
            for i, row in enumerate(self.rows)
            for j, column in enumerate(self.columns)
        ]
        plain: dict[str, Any] = {"table": table, "normalisation": self.normalisation, "corrections": self.corrections}
        plain |= {"chemical_potentials_ev": dict(self.open_to), "interval": NO_INTERVAL}
        return plain | {"quality": self.verdict.quality, "reasons": self.verdict.reasons, "provenance": self.provenance}

    def to_csv(self) -> str:
        """Return the total energies in meV/atom as a table with names."""
        lines = [",".join(["meV/atom", *self.columns])]
        for row, energies in zip(self.rows, self.reaction_energies, strict=True):
            lines.append(",".join([row, *(f"{1e3 * energy:.2f}" for energy in energies)]))
        return "\n".join(lines) + "\n"


def screen(
    hull: ConvexHull,
    rows: Sequence[str],
    columns: Sequence[str],
    reservoirs: Mapping[str, float] | None = None,
) -> ScreeningTable:
    """Return the reaction energies of each row's phase with each column's.

    Parameters
    ----------
    hull
        Hull of all competing phases.
    rows, columns
        Formulas, for instance of electrolytes and of electrodes.
    reservoirs
        Δμ of open elements in eV, as of `react`.

    Raises
    ------
    InputError
        When a composition is outside the entries' space.
    """
    open_to = dict(reservoirs or {})
    sides = [_sides(hull, formulas, open_to) for formulas in (rows, columns)]
    shape = (len(rows), len(columns))
    total, mutual, mixing = np.zeros(shape), np.zeros(shape), np.full(shape, np.nan)
    groups: dict[frozenset[str], list[tuple[int, int]]] = {}
    for i, one in enumerate(sides[0]):
        for j, two in enumerate(sides[1]):
            if one.formula != two.formula:
                groups.setdefault(frozenset(one.amounts) | frozenset(two.amounts), []).append((i, j))
    for elements, pairs in groups.items():
        system = hull.system(elements, open_to)
        used = [sorted({pair[k] for pair in pairs}) for k in (0, 1)]
        places = [{index: n for n, index in enumerate(each)} for each in used]
        vectors = [np.array([system.vector(sides[k][n].amounts) for n in used[k]]) for k in (0, 1)]
        own = [np.array([sides[k][n].own for n in used[k]]) for k in (0, 1)]
        where = np.array([[places[0][i], places[1][j]] for i, j in pairs])
        at = (system.columns, system.costs, system.start)
        status, found = _strongest(*at, vectors[0], vectors[1], own[0], own[1], where)
        if status != SOLVED:
            raise RunError("the convex hull was not found: the energies are degenerate beyond rounding")
        for (i, j), (energy, own_part, t) in zip(pairs, found, strict=True):
            total[i, j] = energy if energy < -_NO_REACTION_EV_ATOM else 0.0
            mutual[i, j] = own_part if own_part < -_NO_REACTION_EV_ATOM else 0.0
            if total[i, j] < 0:
                first, second = (t * sides[0][i].atoms_per_conserved, (1 - t) * sides[1][j].atoms_per_conserved)
                mixing[i, j] = first / (first + second)
    missing = tuple(sorted({side.formula for each in sides for side in each if not side.has_entry}))
    return ScreeningTable(
        tuple(side.formula for side in sides[0]),
        tuple(side.formula for side in sides[1]),
        total,
        mutual,
        mixing,
        open_to,
        normalisation_of(open_to),
        str(hull.phase_set.scheme),
        missing,
        _verdict(hull, missing),
        hull.provenance,
    )


@dataclass(frozen=True)
class _Side:
    formula: str
    amounts: Mapping[str, float]
    own: float
    atoms_per_conserved: float
    has_entry: bool


def _sides(hull: ConvexHull, formulas: Sequence[str], open_to: Mapping[str, float]) -> list[_Side]:
    if not formulas:
        raise InputError("found an empty side of the table, expected formulas")
    sides = []
    for text in formulas:
        amounts = read_formula(text)
        n_atoms = sum(amounts.values())
        conserved = n_atoms - sum(amounts.get(element, 0.0) for element in open_to)
        phase = hull.phase_set.lowest(amounts)
        own = hull.system(amounts).equilibrium(amounts).energy if phase is None else hull.formation_energy(phase)
        shift = sum(potential * amounts.get(element, 0.0) for element, potential in open_to.items())
        hull.system(amounts, open_to).vector(amounts)  # names a side that is nothing but the reservoir's element
        grand = (own * n_atoms - shift) / conserved
        sides.append(_Side(formula_of(amounts), amounts, grand, n_atoms / conserved, phase is not None))
    return sides


@njit(cache=True)
def _strongest(
    columns: NDArray[np.float64],
    costs: NDArray[np.float64],
    start: NDArray[np.int64],
    firsts: NDArray[np.float64],
    seconds: NDArray[np.float64],
    first_own: NDArray[np.float64],
    second_own: NDArray[np.float64],
    pairs: NDArray[np.int64],
) -> tuple[int, NDArray[np.float64]]:
    """Return for each pair the lowest total and mutual energy and the fraction of the first, (n_pairs, 3)."""
    found = np.zeros((len(pairs), 3))
    status = SOLVED
    for p in range(len(pairs)):
        i, j = pairs[p, 0], pairs[p, 1]
        failed, fractions, energies, _, _ = bends(columns, costs, start, firsts[i], seconds[j])
        status = max(status, failed)
        at_second, at_first = energies[0], energies[-1]
        for k in range(len(fractions)):
            t = fractions[k]
            total = energies[k] - t * first_own[i] - (1.0 - t) * second_own[j]
            mutual = energies[k] - t * at_first - (1.0 - t) * at_second
            if total < found[p, 0]:
                found[p, 0], found[p, 2] = total, t
            found[p, 1] = min(found[p, 1], mutual)
    return status, found


def _verdict(hull: ConvexHull, missing: tuple[str, ...]) -> Verdict:
    verdict = Verdict(Quality.WEAK, (NO_INTERVAL,))
    if missing:
        verdict = verdict.weaken(f"no entry is {', '.join(missing)}: what they decompose to stands for them")
    for remark in remarks_on(hull.phase_set.scheme, hull.phase_set.elements):
        verdict = verdict.weaken(remark)
    return verdict
