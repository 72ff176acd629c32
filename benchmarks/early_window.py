"""Long-time diffusivity from the first tenth of a run: descriptors of the window against extrapolating its MSD.

``python benchmarks/early_window.py`` makes 84 runs with a known diffusivity (`early_window_runs`) and reads the table
of molecular dynamics beside it (``--md FILE``, made by `early_window_md`). Five readers see the first tenth of each:

- slope: least squares on the mean squared displacement from a tenth to half of the window;
- GLS: what this program's own analysis of transport gives on the window, and the slope where it refuses;
- descriptors: a ridge regression of log₁₀ D on them, the extrapolated D among them;
- correction: a ridge regression of log₁₀ (D/D of GLS) on ratios without units; "no correction" is a candidate too;
- combined: GLS and descriptors weighed by their errors (`mlip_sse.properties.models.anchored`). That of GLS is known
  for each window, up to a factor; that of descriptors, and how both go together, from groups inside.

Models of molecular dynamics alone see contacts, clusters and softness too, which kinetic Monte Carlo has not;
``--md-only`` prints them alone. Whole groups are left out (a kind of lattice, a material), and what the regressions
choose is chosen by groups inside. Errors are |log₁₀ D − log₁₀ D_true|; gains over an extrapolation have a 95 % interval
from resampling the groups, and the null trains on targets that were dealt to other runs.
"""

import argparse
import csv
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from benchmarks.early_window_runs import CASES, N_FRAMES, SPACING_FS, trajectory, true_diffusivity
from benchmarks.tables import aligned
from mlip_sse.properties.features.window_extrapolation import plain_slope
from mlip_sse.properties.features.window_softness import SOFTNESS_NAMES
from mlip_sse.properties.features.windows import (
    CORRECTION_NAMES,
    DISPLACEMENT_NAMES,
    JUMP_NAMES,
    SURROUNDINGS_NAMES,
    window_features,
)
from mlip_sse.properties.learner import Training
from mlip_sse.properties.models.anchored import Anchored

__all__ = ["main"]

Floats = npt.NDArray[np.float64]

_LOGGED = (
    "early_diffusivity_cm2_s", "early_msd_a2", "early_slope_diffusivity_cm2_s", "cage_variance_a2", "jump_rate_per_ps",
    "jump_diffusivity_cm2_s", "p_hop_mean_a2", "p_hop_upper_decile_a2", "n_jumps",
)  # fmt: skip
_PENALTIES = (0.1, 1.0, 10.0, 100.0)
_READERS = ("slope", "GLS", "descriptors", "correction", "combined")
_CLUSTERS = ("mobile_in_pairs_fraction", "mobile_in_larger_fraction", "free_anion_fraction", "percolating_fraction")
_AROUND = {
    "contacts and clusters": (*SURROUNDINGS_NAMES, *_CLUSTERS),
    "softness": SOFTNESS_NAMES,
    "both": (*SURROUNDINGS_NAMES, *_CLUSTERS, *SOFTNESS_NAMES),
}


@dataclass(frozen=True, eq=False)
class Rows:
    """Windows with their truth: group and set of each, log₁₀ of D, of the slope and of GLS, and feature tables.

    `noise` is the standard error of GLS in decades, nan where it refused; `around` what kinetic Monte Carlo has not.
    """

    groups: npt.NDArray[np.str_]
    sets: npt.NDArray[np.str_]
    y: Floats
    slope: Floats
    gls: Floats
    noise: Floats
    plain: Floats
    ratios: Floats
    around: Floats

    def part(self, chosen: npt.NDArray[np.bool_]) -> "Rows":
        """Return some rows."""
        return Rows(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def made_rows() -> list[tuple[str, str, Mapping[str, float], float, float]]:
    """Return set, group, descriptors, D and slope of the runs that are made here."""
    found = []
    for name, cases in CASES.items():
        for case in cases():
            whole = trajectory(case)
            window = whole.window(0, N_FRAMES // 10)
            coordinates = np.concatenate(list(window.ion_blocks(window.indices("Li"), dtype=np.float64)))
            values = window_features(whole, (N_FRAMES / 10 - 1) * SPACING_FS / 1000.0)
            slope = plain_slope(coordinates, SPACING_FS / 1000.0).value
            found.append((name, case.group, values, true_diffusivity(case), slope))
    return found


def read_rows(path: Path) -> list[tuple[str, str, Mapping[str, float], float, float]]:
    """Return the same of a table of molecular dynamics."""
    found = []
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            values = {k: float(v) if v else np.nan for k, v in row.items() if k not in ("system", "potential")}
            slope = values["early_diffusivity_cm2_s"] * 10 ** values["log10_slope_over_early"]
            found.append(("MD", row["system"], values, values["long_diffusivity_cm2_s"], slope))
    return found


def rows_of(found: Sequence[tuple[str, str, Mapping[str, float], float, float]]) -> Rows:
    """Return arrays; descriptors that span decades as their log₁₀."""
    names = list(dict.fromkeys((*DISPLACEMENT_NAMES, *JUMP_NAMES)))
    plain = np.array([[values[name] for name in names] for _, _, values, _, _ in found])
    for column, name in enumerate(names):
        if name in _LOGGED:
            plain[:, column] = np.log10(np.maximum(plain[:, column], 1e-9 if name.endswith("cm2_s") else 1e-5))
    ratios = np.array([[values[name] for name in CORRECTION_NAMES] for _, _, values, _, _ in found])
    around = np.array([[values.get(name, np.nan) for name in _AROUND["both"]] for _, _, values, _, _ in found])
    noise = plain[:, names.index("early_relative_error")] / np.log(10.0)
    gls = np.array([values["early_diffusivity_cm2_s"] for _, _, values, _, _ in found])
    sets, groups, _, truth, slope = zip(*found, strict=True)
    numbers = (np.log10(np.array(x)) for x in (truth, slope, gls))
    return Rows(np.array(groups), np.array(sets), *numbers, noise, plain, ratios, around)


def ridge(features: Floats, target: Floats, asked: Floats, penalty: float) -> Floats:
    """Return the answers of a ridge regression on standardised features, medians where a feature is missing."""
    middle = np.nanmedian(features, axis=0)
    x, z = (np.where(np.isfinite(part), part, middle) for part in (features, asked))
    mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-12
    x, z = (x - mean) / spread, np.clip((z - mean) / spread, -4.0, 4.0)
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (target - target.mean()))
    return np.asarray(z @ weights + target.mean())


def learnt(train: Rows, target: Floats, asked: Rows, reader: str) -> Floats:
    """Return log₁₀ D of the rows asked, by a ridge whose penalty is chosen on the groups of the training rows."""
    if reader == "combined":
        return combined(train, target, asked)
    corrects = reader == "correction"
    base, x = (train.gls, train.ratios) if corrects else (np.zeros(len(target)), train.plain)
    inside = {penalty: np.empty(len(target)) for penalty in _PENALTIES}
    for group in np.unique(train.groups):
        out = train.groups == group
        for penalty, off in inside.items():
            off[out] = ridge(x[~out], (target - base)[~out], x[out], penalty) + base[out] - target[out]
    best = min(inside, key=lambda penalty: float(np.abs(inside[penalty]).mean()))
    if corrects and np.abs(base - target).mean() <= np.abs(inside[best]).mean():
        return asked.gls
    answer = ridge(x, target - base, asked.ratios if corrects else asked.plain, best)
    return answer + asked.gls if corrects else answer


def combined(train: Rows, target: Floats, asked: Rows) -> Floats:
    """Return log₁₀ D of the rows asked, by the learner of the recipe ``early_window``."""
    signs = np.zeros(len(target), dtype=np.int8)
    groups = np.unique(train.groups, return_inverse=True)[1]
    fitted = Anchored().fit(Training(anchored(train), target, signs, groups, None, 0))
    return fitted.predict(anchored(asked), None)[0]


def anchored(rows: Rows) -> Floats:
    """Return the extrapolation, its error, and the other descriptors, (n_rows, n_columns)."""
    return np.column_stack([rows.gls, rows.noise, rows.plain[:, 2:]])


def left_out(rows: Rows, reader: str, train_on: npt.NDArray[np.bool_], shuffled: np.random.Generator | None) -> Floats:
    """Return log₁₀ D of every row by a model of the other groups among ``train_on``, targets dealt anew for a null."""
    answer = np.empty(len(rows.y))
    for group in np.unique(rows.groups):
        mine = rows.groups == group
        train = rows.part(train_on & ~mine)
        base = train.gls if reader == "correction" else np.zeros(len(train.y))
        target = train.y if shuffled is None else base + shuffled.permutation(train.y - base)
        answer[mine] = learnt(train, target, rows.part(mine), reader)
    return answer


def gain(theirs: Floats, ours: Floats, groups: npt.NDArray[np.str_]) -> str:
    """Return how much smaller our errors are, with an interval over groups."""
    rng, names = np.random.default_rng(0), np.unique(groups)
    members = [np.flatnonzero(groups == name) for name in names]
    drawn = [np.concatenate([members[k] for k in rng.integers(len(names), size=len(names))]) for _ in range(2000)]
    low, high = np.quantile([(theirs[d] - ours[d]).mean() for d in drawn], [0.025, 0.975])
    return f"{(theirs - ours).mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the runs, read their first tenths, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--md", type=Path, default=Path(__file__).with_name("early_window_md.csv"), help="%(default)s")
    parser.add_argument("--shuffles", type=int, default=20, help="targets dealt anew for the null (%(default)s)")
    parser.add_argument("--md-only", action="store_true", help="print what molecular dynamics alone gives")
    options = parser.parse_args(arguments)
    rows = rows_of([*([] if options.md_only else made_rows()), *read_rows(options.md)])
    if not options.md_only:
        print_all(rows, options.shuffles)
    print_alone(rows.part(rows.sets == "MD"), options.shuffles)
    print(f"{time.process_time():.0f} CPU s")
    return 0


def print_all(rows: Rows, n_shuffles: int) -> None:
    """Print what models of all other groups say, and what those of kinetic Monte Carlo say of molecular dynamics."""
    every = np.ones(len(rows.y), dtype=bool)
    answers = {"slope": rows.slope, "GLS": rows.gls}
    answers |= {name: left_out(rows, name, every, None) for name in _READERS[2:]}
    errors = {name: np.abs(answer - rows.y) for name, answer in answers.items()}
    print_groups(rows, errors)
    nulls = {
        name: [np.abs(left_out(rows, name, every, rng) - rows.y) for rng in _generators(n_shuffles)]
        for name in _READERS[2:]
    }
    print_sets(rows, errors, nulls)
    is_md = rows.sets == "MD"
    for name in _READERS[2:]:
        ours = np.abs(left_out(rows, name, ~is_md, None) - rows.y)[is_md]
        said = gain(errors["GLS"][is_md], ours, rows.groups[is_md])
        print(f"MD by {name} of kinetic Monte Carlo alone: {ours.mean():.3f}, gain over GLS {said}")


def _generators(n: int) -> list[np.random.Generator]:
    return [np.random.default_rng(k) for k in range(n)]


def print_alone(md: Rows, n_shuffles: int) -> None:
    """Print what models of molecular dynamics alone say, one material left out, and their null."""
    every, theirs = np.ones(len(md.y), dtype=bool), np.abs(md.gls - md.y)
    materials = np.unique(md.groups)
    table = [["MD alone, one material left out", *materials, "all", "gain over GLS", "null", "least"]]
    table.append(["GLS", *_by_group(md, theirs), f"{theirs.mean():.3f}", "", "", ""])
    means = np.abs(np.array([md.y[md.groups != group].mean() for group in md.groups]) - md.y)
    table.append(["always the mean", *_by_group(md, means), f"{means.mean():.3f}", "", "", ""])
    seen = {"": md}
    for name, columns in _AROUND.items():
        chosen = [_AROUND["both"].index(each) for each in columns]
        seen[f", with {name}"] = replace(md, plain=np.hstack([md.plain, md.around[:, chosen]]))
    for more, rows in seen.items():
        for reader in _READERS[2:] if not more else ("descriptors", "combined"):
            ours = np.abs(left_out(rows, reader, every, None) - md.y)
            null = [np.abs(left_out(rows, reader, every, rng) - md.y).mean() for rng in _generators(n_shuffles)]
            said = [f"{ours.mean():.3f}", gain(theirs, ours, md.groups), f"{np.mean(null):.3f}", f"{min(null):.3f}"]
            table.append([f"{reader}{more}", *_by_group(md, ours), *said])
    print("\n".join(["", *aligned(table)]))


def _by_group(rows: Rows, errors: Floats) -> list[str]:
    return [f"{errors[rows.groups == group].mean():.3f}" for group in np.unique(rows.groups)]


def print_groups(rows: Rows, errors: Mapping[str, Floats]) -> None:
    """Print the mean errors of each group."""
    table = [["set", "group", "runs", "log₁₀ D", *_READERS]]
    for group in dict.fromkeys(rows.groups.tolist()):
        mine = rows.groups == group
        span = f"{rows.y[mine].min():.1f} to {rows.y[mine].max():.1f}"
        means = (f"{errors[name][mine].mean():.3f}" for name in _READERS)
        table.append([str(rows.sets[mine][0]), group, str(mine.sum()), span, *means])
    print("\n".join(aligned(table)))


def print_sets(rows: Rows, errors: Mapping[str, Floats], nulls: Mapping[str, Sequence[Floats]]) -> None:
    """Print mean errors, gains and nulls of each set."""
    for name in dict.fromkeys(rows.sets.tolist()):
        mine = rows.sets == name
        noise = rows.plain[mine, DISPLACEMENT_NAMES.index("early_relative_error")]
        floor = 0.8 * np.nanmean(noise) / np.log(10.0)  # mean of |N(0, s)| is 0.8 s
        print(f"\n{name}: noise of the windows alone {floor:.3f}, unresolved by GLS {np.isnan(noise).sum()}")
        print(f"{name}: {mine.sum()} runs, " + ", ".join(f"{r} {errors[r][mine].mean():.3f}" for r in _READERS))
        for reader in _READERS[2:]:
            null = [error[mine].mean() for error in nulls[reader]]
            gains = (f"{b} {gain(errors[b][mine], errors[reader][mine], rows.groups[mine])}" for b in _READERS[:2])
            print(
                f"  {reader}: gain over {', over '.join(gains)}; better than GLS in "
                f"{int((errors[reader] < errors['GLS'])[mine].sum())}; null {np.mean(null):.3f}, least {min(null):.3f}"
            )


if __name__ == "__main__":
    sys.exit(main())
