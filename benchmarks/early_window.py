"""Long-time diffusivity from the first tenth of a run: descriptors of the window against extrapolating its MSD.

``python benchmarks/early_window.py`` makes 48 runs by kinetic Monte Carlo in eight groups (lattice gases on two
lattices, from few vacancies to a third of the sites, with little and with much vibration; caged
ions with Poisson hops; ions that rattle in pairs of sites); two readers see the first tenth of each:

- extrapolation: the slope of the mean squared displacement over lags from a tenth to half of the window, /6; where
  it is not positive, the MSD of the longest lag, /6t;
- descriptors: `window_features`, a ridge regression of log₁₀ D on them, fitted on the other groups (a whole group is
  left out at a time), the strength of its penalty chosen by groups inside.

The truth is exact for caged ions (Γ a²/6), and else the diffusivity of three other runs with other seeds, each four
times as long as the whole trajectory, from displacements over its half. Errors are |log₁₀ D − log₁₀ D_true|; their
difference is given with a 95 % interval from resampling the groups, and with the null of shuffled targets.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt
from numba import njit

from benchmarks.tables import aligned
from mlip_sse.properties.features.windows import DISPLACEMENT_NAMES, JUMP_NAMES, window_features
from mlip_sse.trajectory.model import Trajectory

__all__ = ["main"]

Floats = npt.NDArray[np.float64]

N_FRAMES, SPACING_FS, SITE_DISTANCE_A = 4000, 100.0, 2.8
CM2_S_PER_A2_PS = 1e-4
_LOGGED = (
    "early_msd_a2", "early_slope_diffusivity_cm2_s", "cage_variance_a2", "jump_rate_per_ps", "jump_diffusivity_cm2_s",
    "p_hop_mean_a2", "p_hop_upper_decile_a2", "n_jumps",
)  # fmt: skip
_PENALTIES = (0.1, 1.0, 10.0, 100.0)
_LATTICES = {
    "simple cubic": np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]),
    "body centred": np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]),
}


@dataclass(frozen=True)
class Case:
    """One run: its group, how many ions and vacancies, attempts a frame and vacancy, vibration, and how it moves."""

    group: str
    kind: str
    edge: int
    vacancies: int
    attempts: float
    vibration_a: float
    seed: int


def cases() -> list[Case]:
    """Return the 48 runs; what they are was fixed before any was made."""
    rng = np.random.default_rng(20261123)
    found = []
    for kind in _LATTICES:
        for density, (low, high) in {"dilute": (0.004, 0.02), "half": (0.03, 0.10), "dense": (0.15, 0.35)}.items():
            for _ in range(6):
                edge = 6
                n_sites = edge**3 if kind == "simple cubic" else edge**3 // 4
                vacancies = max(1, round(n_sites * rng.uniform(low, high)))
                attempts = float(10 ** rng.uniform(-2.3, -0.5))
                found.append(
                    Case(
                        f"{kind}, {density}", kind, edge, vacancies, attempts, float(rng.uniform(0.15, 0.5)), len(found)
                    )
                )
    for group in ("caged", "rattling pairs"):
        for _ in range(6):
            found.append(
                Case(
                    group, group, 5, 0, float(10 ** rng.uniform(-3.3, -1.7)), float(rng.uniform(0.15, 0.5)), len(found)
                )
            )
    return found


def displacements(case: Case, n_frames: int, seed: int) -> Floats:
    """Return where the ions of a run are beside where they were, without vibration, (n_frames, n_ions, 3) Å."""
    rng = np.random.default_rng(seed)
    if case.kind == "caged":
        return np.asarray(_free(rng, 80, n_frames, case.attempts) * SITE_DISTANCE_A)
    if case.kind == "rattling pairs":
        return np.asarray(_pairs(rng, 80, n_frames, case.attempts) * SITE_DISTANCE_A)
    neighbours = _LATTICES[case.kind]
    unit = SITE_DISTANCE_A / np.sqrt((neighbours[0] ** 2).sum())
    moves = case.attempts * case.vacancies
    return np.asarray(_lattice_gas(rng, case.edge, case.vacancies, n_frames, moves, neighbours) * unit)


def trajectory(case: Case) -> Trajectory:
    """Return the run as an analyzer sees it: with vibration of a correlation time of two frames."""
    rng = np.random.default_rng(1000 + case.seed)
    moved = displacements(case, N_FRAMES, 1 + case.seed)
    noise = rng.standard_normal(moved.shape) * case.vibration_a
    for t in range(1, len(noise)):
        noise[t] = 0.6 * noise[t - 1] + 0.8 * noise[t]
    cell = np.eye(3) * 50.0
    return Trajectory.from_arrays(["Li"] * moved.shape[1], moved + noise, cell, SPACING_FS, wrapped=False)


def true_diffusivity(case: Case) -> float:
    """Return D in cm²/s."""
    per_frame = 1000.0 / SPACING_FS * CM2_S_PER_A2_PS
    if case.kind == "caged":
        return case.attempts * SITE_DISTANCE_A**2 / 6.0 * per_frame
    found = []
    for replica in range(3):
        moved = displacements(case, 4 * N_FRAMES, 100_000 + 10 * case.seed + replica)
        half = len(moved) // 2
        squares = ((moved[half :: half // 8] - moved[: len(moved) - half : half // 8]) ** 2).sum(axis=2)
        found.append(squares.mean() / (6.0 * half))
    return float(np.mean(found)) * per_frame


def extrapolated(window: Trajectory) -> float:
    """Return D in cm²/s from the slope of the window's MSD."""
    x = np.asarray(window.positions, dtype=np.float64)
    n = len(x)
    lags = np.unique(np.linspace(n // 10, n // 2, 20).astype(int))
    msd = np.array([((x[m:] - x[:-m]) ** 2).sum(axis=2).mean() for m in lags])
    times_ps = lags * SPACING_FS / 1000.0
    slope = float(np.polyfit(times_ps, msd, 1)[0])
    return (slope if slope > 0 else float(msd[-1] / times_ps[-1])) / 6.0 * CM2_S_PER_A2_PS


def predicted(features: Floats, target: Floats, groups: npt.NDArray[np.intp]) -> Floats:
    """Return the ridge's answer for each row, fitted on the other groups; the penalty is chosen by groups inside."""
    answer = np.empty(len(target))
    for group in np.unique(groups):
        test, train = groups == group, groups != group
        errors = []
        for penalty in _PENALTIES:
            inner = np.empty(int(train.sum()))
            for other in np.unique(groups[train]):
                out = groups[train] == other
                inner[out] = _ridge(features[train][~out], target[train][~out], features[train][out], penalty)
            errors.append(np.abs(inner - target[train]).mean())
        best = _PENALTIES[int(np.argmin(errors))]
        answer[test] = _ridge(features[train], target[train], features[test], best)
    return answer


def _ridge(x: Floats, y: Floats, asked: Floats, penalty: float) -> Floats:
    mean, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    z, w = (x - mean) / spread, np.clip((asked - mean) / spread, -3.0, 3.0)
    weights = np.linalg.solve(z.T @ z + penalty * np.eye(x.shape[1]), z.T @ (y - y.mean()))
    return np.asarray(w @ weights + y.mean())


def _matrix(rows: Sequence[dict[str, float]]) -> Floats:
    names = [*DISPLACEMENT_NAMES, *JUMP_NAMES]
    values = np.array([[row[name] for name in names] for row in rows])
    for column, name in enumerate(names):
        if name in _LOGGED:
            values[:, column] = np.log10(np.maximum(values[:, column], 1e-9 if name.endswith("cm2_s") else 1e-5))
    middle = np.nanmedian(values, axis=0)
    return np.where(np.isfinite(values), values, middle)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the runs, read their first tenths, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shuffles", type=int, default=50, help="targets shuffled for the null (%(default)s)")
    options = parser.parse_args(arguments)
    runs = cases()
    rows, target, simple = [], [], []
    for case in runs:
        whole = trajectory(case)
        rows.append(window_features(whole, N_FRAMES / 10 * SPACING_FS / 1000.0 - 0.1))
        simple.append(np.log10(extrapolated(whole.window(0, N_FRAMES // 10))))
        target.append(np.log10(true_diffusivity(case)))
    y, early, features = np.array(target), np.array(simple), _matrix(rows)
    names = list(dict.fromkeys(case.group for case in runs))
    groups = np.array([names.index(case.group) for case in runs])
    ours = np.abs(predicted(features, y, groups) - y)
    theirs = np.abs(early - y)
    table = [["group", "runs", "log₁₀ D", "extrapolation", "descriptors"]]
    for k, name in enumerate(names):
        mine = groups == k
        span = f"{y[mine].min():.1f} to {y[mine].max():.1f}"
        table.append([name, str(mine.sum()), span, f"{theirs[mine].mean():.2f}", f"{ours[mine].mean():.2f}"])
    table.append(["all", str(len(y)), f"{y.min():.1f} to {y.max():.1f}", f"{theirs.mean():.2f}", f"{ours.mean():.2f}"])
    print("\n".join(aligned(table)))
    rng = np.random.default_rng(0)
    drawn = [
        np.concatenate([np.flatnonzero(groups == k) for k in rng.integers(len(names), size=len(names))])
        for _ in range(2000)
    ]
    gains = [float((theirs[rows_] - ours[rows_]).mean()) for rows_ in drawn]
    null = [
        float(np.abs(predicted(features, shuffled, groups) - shuffled).mean())
        for shuffled in (rng.permutation(y) for _ in range(options.shuffles))
    ]
    low, high = np.quantile(gains, [0.025, 0.975])
    print(
        f"\ngain {np.mean(theirs - ours):.3f} decades, 95 % over groups {low:.3f} to {high:.3f}; lower error in "
        f"{int((ours < theirs).sum())} of {len(y)} runs; medians {np.median(theirs):.3f} and {np.median(ours):.3f}"
    )
    print(f"null of {options.shuffles} shuffled targets: mean error {np.mean(null):.2f}, least {np.min(null):.2f}")
    return 0


@njit(cache=True)
def _free(rng: np.random.Generator, n_ions: int, n_frames: int, rate: float) -> Floats:
    out = np.zeros((n_frames, n_ions, 3))
    for i in range(n_ions):
        site = np.zeros(3)
        for t in range(n_frames):
            for _ in range(rng.poisson(rate)):
                site[rng.integers(0, 3)] += 2 * rng.integers(0, 2) - 1
            out[t, i] = site
    return out


@njit(cache=True)
def _pairs(rng: np.random.Generator, n_ions: int, n_frames: int, rate: float) -> Floats:
    # sites on a cubic grid in pairs along x: jumps inside a pair are 20 times as frequent as those between pairs
    out = np.zeros((n_frames, n_ions, 3))
    total = 20.0 * rate + 5.0 * rate
    for i in range(n_ions):
        site = np.zeros(3)
        for t in range(n_frames):
            for _ in range(rng.poisson(total)):
                forward = 1.0 if int(site[0]) % 2 == 0 else -1.0
                if rng.random() < 0.8:
                    site[0] += forward
                else:
                    way = rng.integers(0, 5)
                    if way == 0:
                        site[0] -= forward
                    else:
                        site[1 + (way - 1) // 2] += 2 * ((way - 1) % 2) - 1
            out[t, i] = site
    return out


@njit(cache=True)
def _lattice_gas(
    rng: np.random.Generator,
    edge: int,
    n_vacancies: int,
    n_frames: int,
    moves: float,
    neighbours: npt.NDArray[np.int64],
) -> Floats:
    centred = len(neighbours) == 8
    sites = np.empty(edge**3, np.int64)
    n_sites = 0
    for s in range(edge**3):
        a, b, c = s // edge**2, (s // edge) % edge, s % edge
        if not centred or a % 2 == b % 2 == c % 2:
            sites[n_sites] = s
            n_sites += 1
    order = rng.permutation(n_sites)
    ion_at = np.full(edge**3, -1)
    n_ions = n_sites - n_vacancies
    for i in range(n_ions):
        ion_at[sites[order[i]]] = i
    vacancies = sites[order[n_ions:]].copy()
    moved = np.zeros((n_ions, 3))
    out = np.empty((n_frames, n_ions, 3))
    for t in range(-200, n_frames):
        for _ in range(rng.poisson(moves)):
            v = rng.integers(0, n_vacancies)
            step = neighbours[rng.integers(0, len(neighbours))]
            here = vacancies[v]
            a = (here // edge**2 + step[0]) % edge
            b = ((here // edge) % edge + step[1]) % edge
            c = (here % edge + step[2]) % edge
            there = (a * edge + b) * edge + c
            ion = ion_at[there]
            if ion >= 0:
                ion_at[here], ion_at[there], vacancies[v] = ion, -1, there
                for axis in range(3):
                    moved[ion, axis] -= step[axis]
        if t >= 0:
            out[t] = moved
    return out


if __name__ == "__main__":
    sys.exit(main())
