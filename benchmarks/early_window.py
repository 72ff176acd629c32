"""Long-time diffusivity from the first tenth of a run: descriptors of the window against extrapolating its MSD.

``python benchmarks/early_window.py`` makes 84 runs with a known diffusivity (`early_window_runs`) and reads the table
of molecular dynamics beside it (``--md FILE``, made by `early_window_md`). Four readers see the first tenth of each:

- slope: least squares on the mean squared displacement from a tenth to half of the window;
- GLS: what this program's own analysis of transport gives on the window, and the slope where it refuses;
- descriptors: a ridge regression of log₁₀ D on them, the extrapolated D among them;
- correction: a ridge regression of log₁₀ (D/D of GLS) on ratios without units; "no correction" is a candidate too.

Whole groups are left out (a kind of lattice, a material), and what the regressions choose is chosen by groups inside.
Errors are |log₁₀ D − log₁₀ D_true|; gains over an extrapolation have a 95 % interval from resampling the groups, and
the null trains on targets that were dealt to other runs.
"""

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from benchmarks.early_window_runs import CASES, N_FRAMES, SPACING_FS, trajectory, true_diffusivity
from benchmarks.tables import aligned
from mlip_sse.properties.features.window_extrapolation import plain_slope
from mlip_sse.properties.features.windows import CORRECTION_NAMES, DISPLACEMENT_NAMES, JUMP_NAMES, window_features

__all__ = ["main"]

Floats = npt.NDArray[np.float64]

_LOGGED = (
    "early_diffusivity_cm2_s", "early_msd_a2", "early_slope_diffusivity_cm2_s", "cage_variance_a2", "jump_rate_per_ps",
    "jump_diffusivity_cm2_s", "p_hop_mean_a2", "p_hop_upper_decile_a2", "n_jumps",
)  # fmt: skip
_PENALTIES = (0.1, 1.0, 10.0, 100.0)
_READERS = ("slope", "GLS", "descriptors", "correction")


@dataclass(frozen=True, eq=False)
class Rows:
    """Windows with their truth: group and set of each, log₁₀ of D, of the slope and of GLS, and both feature tables."""

    groups: npt.NDArray[np.str_]
    sets: npt.NDArray[np.str_]
    y: Floats
    slope: Floats
    gls: Floats
    plain: Floats
    ratios: Floats

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
    gls = np.array([values["early_diffusivity_cm2_s"] for _, _, values, _, _ in found])
    sets, groups, _, truth, slope = zip(*found, strict=True)
    return Rows(np.array(groups), np.array(sets), *(np.log10(np.array(x)) for x in (truth, slope, gls)), plain, ratios)


def ridge(features: Floats, target: Floats, asked: Floats, penalty: float) -> Floats:
    """Return the answers of a ridge regression on standardised features, medians where a feature is missing."""
    middle = np.nanmedian(features, axis=0)
    x, z = (np.where(np.isfinite(part), part, middle) for part in (features, asked))
    mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-12
    x, z = (x - mean) / spread, np.clip((z - mean) / spread, -4.0, 4.0)
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (target - target.mean()))
    return np.asarray(z @ weights + target.mean())


def learnt(train: Rows, target: Floats, asked: Rows, corrects: bool) -> Floats:
    """Return log₁₀ D of the rows asked, by a ridge whose penalty is chosen on the groups of the training rows."""
    base, x = (train.gls, train.ratios) if corrects else (np.zeros(len(target)), train.plain)
    errors = {penalty: np.empty(len(target)) for penalty in _PENALTIES}
    for group in np.unique(train.groups):
        out = train.groups == group
        for penalty, answers in errors.items():
            answers[out] = np.abs(ridge(x[~out], (target - base)[~out], x[out], penalty) + base[out] - target[out])
    best = min(errors, key=lambda penalty: float(errors[penalty].mean()))
    if corrects and np.abs(base - target).mean() <= errors[best].mean():
        return asked.gls
    answer = ridge(x, target - base, asked.ratios if corrects else asked.plain, best)
    return answer + asked.gls if corrects else answer


def left_out(
    rows: Rows, corrects: bool, train_on: npt.NDArray[np.bool_], shuffled: np.random.Generator | None
) -> Floats:
    """Return log₁₀ D of every row by a model of the other groups among ``train_on``, targets dealt anew for a null."""
    answer = np.empty(len(rows.y))
    for group in np.unique(rows.groups):
        mine = rows.groups == group
        train = rows.part(train_on & ~mine)
        base = train.gls if corrects else np.zeros(len(train.y))
        target = train.y if shuffled is None else base + shuffled.permutation(train.y - base)
        answer[mine] = learnt(train, target, rows.part(mine), corrects)
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
    options = parser.parse_args(arguments)
    rows = rows_of([*made_rows(), *read_rows(options.md)])
    every = np.ones(len(rows.y), dtype=bool)
    answers = {"slope": rows.slope, "GLS": rows.gls}
    answers |= {name: left_out(rows, name == "correction", every, None) for name in _READERS[2:]}
    errors = {name: np.abs(answer - rows.y) for name, answer in answers.items()}
    print_groups(rows, errors)
    nulls = {
        name: [
            np.abs(left_out(rows, name == "correction", every, rng) - rows.y) for rng in _generators(options.shuffles)
        ]
        for name in _READERS[2:]
    }
    print_sets(rows, errors, nulls)
    print_training(rows, errors["GLS"], options.shuffles)
    return 0


def _generators(n: int) -> list[np.random.Generator]:
    return [np.random.default_rng(k) for k in range(n)]


def print_training(rows: Rows, gls: Floats, n_shuffles: int) -> None:
    """Print what models that learnt from one kind of run alone say of molecular dynamics."""
    is_md = rows.sets == "MD"
    md, theirs = rows.part(is_md), gls[is_md]
    for label, train_on in (("kinetic Monte Carlo alone", ~is_md), ("molecular dynamics alone", is_md)):
        for name in _READERS[2:]:
            ours = np.abs(left_out(rows, name == "correction", train_on, None) - rows.y)[is_md]
            said = ", ".join(f"{g} {ours[md.groups == g].mean():.3f}" for g in np.unique(md.groups))
            print(f"MD by {name} of {label}: {ours.mean():.3f}, gain over GLS {gain(theirs, ours, md.groups)}; {said}")
    every = np.ones(len(md.y), dtype=bool)
    null = [np.abs(left_out(md, False, every, rng) - md.y).mean() for rng in _generators(n_shuffles)]
    means = [md.y[md.groups != group].mean() for group in md.groups]
    print(
        f"null of the last but one {np.mean(null):.3f}, least {min(null):.3f}; mean {np.abs(means - md.y).mean():.3f}"
    )


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
