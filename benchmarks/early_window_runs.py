"""Runs with a known long-time diffusivity, for `early_window`: kinetic Monte Carlo and motion in a potential.

The first eight kinds were there when models and features were chosen; the six others were drawn after that, and are
what the figures are from. Truth is exact where a formula is known, and else from displacements of the same system over
a hundred times as many jumps, which a lattice gas allows because its rate only scales time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from mlip_sse.trajectory.model import Trajectory

__all__ = ["CASES", "N_FRAMES", "SPACING_FS", "Case", "trajectory", "true_diffusivity"]

Floats = npt.NDArray[np.float64]

N_FRAMES, SPACING_FS, SITE_DISTANCE_A = 4000, 100.0, 2.8
PER_FRAME = 1000.0 / SPACING_FS * 1e-4
"""cm²/s of 1 Å² a frame."""

_LATTICES = {
    "simple cubic": np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]),
    "body centred": np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]),
    "layers": np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]),
    "face centred": np.array(
        [[i, j, 0] for i in (-1, 1) for j in (-1, 1)]
        + [[i, 0, j] for i in (-1, 1) for j in (-1, 1)]
        + [[0, i, j] for i in (-1, 1) for j in (-1, 1)]
    ),
}
_CAGE_A, _VERTEX_A, _INTRA = 5.0, 1.5, 30.0
_PERIOD_A, _SUBSTEPS = 2.8, 20


@dataclass(frozen=True)
class Case:
    """One run: its group, how it moves, edge or number of ions, vacancies, rate a frame, vibration, and a seed."""

    group: str
    kind: str
    size: int
    vacancies: int
    rate: float
    vibration_a: float
    seed: int


def first_cases() -> list[Case]:
    """Return the 48 runs that models and features were chosen on."""
    rng = np.random.default_rng(20261123)
    found = []
    for kind in ("simple cubic", "body centred"):
        for density, (low, high) in {"dilute": (0.004, 0.02), "half": (0.03, 0.10), "dense": (0.15, 0.35)}.items():
            for _ in range(6):
                edge = 6
                n_sites = edge**3 if kind == "simple cubic" else edge**3 // 4
                vacancies = max(1, round(n_sites * rng.uniform(low, high)))
                rate = float(10 ** rng.uniform(-2.3, -0.5))
                vibration = float(rng.uniform(0.15, 0.5))
                found.append(Case(f"{kind}, {density}", kind, edge, vacancies, rate, vibration, len(found)))
    for group in ("caged", "rattling pairs"):
        for _ in range(6):
            rate = float(10 ** rng.uniform(-3.3, -1.7))
            found.append(Case(group, group, 80, 0, rate, float(rng.uniform(0.15, 0.5)), len(found)))
    return found


def fresh_cases() -> list[Case]:
    """Return 36 runs of six other kinds, of as few ions as cells of molecular dynamics have."""
    rng = np.random.default_rng(20261124)
    found = []
    for group, kind, low, high in (
        ("few hops", "caged", -4.0, -3.0),
        ("cages", "cages", -3.3, -1.7),
        ("random barriers", "random barriers", -2.3, -0.7),
        ("cosine potential", "cosine potential", 2.0, 4.5),
        ("layers", "layers", -2.3, -0.5),
        ("face centred, small cell", "face centred", -2.3, -0.5),
    ):
        for _ in range(6):
            drawn, seed = rng.uniform(low, high), 500 + len(found)
            rate = float(drawn if kind == "cosine potential" else 10**drawn)
            size, vacancies = int(rng.integers(24, 65)), 0
            if kind in _LATTICES:
                size = 4
                vacancies = int(rng.integers(1, 5)) if kind == "face centred" else int(rng.integers(2, 20))
            found.append(Case(group, kind, size, vacancies, rate, float(rng.uniform(0.15, 0.5)), seed))
    return found


CASES: dict[str, Callable[[], list[Case]]] = {"first": first_cases, "fresh": fresh_cases}


def displacements(case: Case, n_frames: int, seed: int, faster: float = 1.0, n_ions: int | None = None) -> Floats:
    """Return where the ions of a run are beside where they began, without vibration, (n_frames, n_ions, 3) Å."""
    rng = np.random.default_rng(seed)
    n_ions, rate = n_ions or case.size, case.rate * faster
    if case.kind == "caged":
        return np.asarray(_free(rng, n_ions, n_frames, rate) * SITE_DISTANCE_A)
    if case.kind == "rattling pairs":
        return np.asarray(_pairs(rng, n_ions, n_frames, rate) * SITE_DISTANCE_A)
    if case.kind == "cages":
        return np.asarray(_cages(rng, n_ions, n_frames, rate, _INTRA, _CAGE_A, _VERTEX_A))
    if case.kind == "random barriers":
        rates = 10 ** np.random.default_rng(case.seed).uniform(-2.0, 0.0, (6, 6, 6, 3))
        return np.asarray(_barriers(rng, n_ions, n_frames, rate, rates) * SITE_DISTANCE_A)
    if case.kind == "cosine potential":
        return np.asarray(_cosine(rng, n_ions, n_frames, _SUBSTEPS, case.rate, _free_step(case), _PERIOD_A))
    neighbours = _LATTICES[case.kind]
    unit = SITE_DISTANCE_A / np.sqrt((neighbours[0] ** 2).sum())
    return np.asarray(_lattice_gas(rng, case.size, case.vacancies, n_frames, rate * case.vacancies, neighbours) * unit)


def trajectory(case: Case) -> Trajectory:
    """Return the run as an analyzer sees it: with vibration of a correlation time of two frames."""
    rng = np.random.default_rng(1000 + case.seed)
    moved = displacements(case, N_FRAMES, 1 + case.seed)
    if case.kind != "cosine potential":  # which vibrates by itself
        noise = rng.standard_normal(moved.shape) * case.vibration_a
        for t in range(1, len(noise)):
            noise[t] = 0.6 * noise[t - 1] + 0.8 * noise[t]
        moved = moved + noise
    return Trajectory.from_arrays(["Li"] * moved.shape[1], moved, np.eye(3) * 50.0, SPACING_FS, wrapped=False)


def true_diffusivity(case: Case) -> float:
    """Return D in cm²/s."""
    a2 = SITE_DISTANCE_A**2 * case.rate
    if case.kind == "caged":
        return a2 / 6.0 * PER_FRAME
    if case.kind == "rattling pairs":  # a chain of bonds with rates 20 and 1: D = a² over the mean of 1/rate
        return a2 * (2.0 / (1.0 / 20.0 + 1.0) + 2.0) / 3.0 * PER_FRAME
    if case.kind == "cosine potential":  # Lifson and Jackson, 10.1063/1.1732899: D₀/(⟨exp V⟩ ⟨exp −V⟩)
        free = _free_step(case) ** 2 * _SUBSTEPS / 2.0
        return free / float(np.i0(case.rate)) ** 2 * PER_FRAME
    n_frames, lag = 400, 10
    is_lattice = case.kind in _LATTICES
    faster = (20_000.0 / case.vacancies if is_lattice else 20.0) / case.rate
    moved = displacements(case, n_frames, 100_000 + case.seed, faster, n_ions=400)
    squares = ((moved[lag::lag] - moved[:-lag:lag]) ** 2).sum(axis=2)
    return float(squares.mean()) / (6.0 * lag * faster) * PER_FRAME


def _free_step(case: Case) -> float:
    """Return the step of a substep in Å along an axis, so that the potential is smooth on its scale."""
    return 0.06 * float(10 ** np.random.default_rng(case.seed).uniform(-0.3, 0.0))


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
    n_neighbours = len(neighbours)
    sites = np.empty(edge**3, np.int64)
    n_sites = 0
    for s in range(edge**3):
        a, b, c = s // edge**2, (s // edge) % edge, s % edge
        if (
            n_neighbours < 8
            or (n_neighbours == 8 and a % 2 == b % 2 == c % 2)
            or (n_neighbours == 12 and (a + b + c) % 2 == 0)
        ):
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


@njit(cache=True)
def _cages(
    rng: np.random.Generator, n_ions: int, n_frames: int, rate: float, intra: float, edge: float, vertex: float
) -> Floats:
    # six vertices of an octahedron around each point of a cubic grid: four neighbours within, one in the next cage
    out = np.zeros((n_frames, n_ions, 3))
    total = rate * (1.0 + intra)
    for i in range(n_ions):
        cage, axis, sign = np.zeros(3), rng.integers(0, 3), 2 * rng.integers(0, 2) - 1
        begin = np.zeros(3)
        begin[axis] = sign * vertex
        for t in range(n_frames):
            for _ in range(rng.poisson(total)):
                if rng.random() * (1.0 + intra) < 1.0:
                    cage[axis] += sign * edge
                    sign = -sign
                else:
                    axis = (axis + 1 + rng.integers(0, 2)) % 3
                    sign = 2 * rng.integers(0, 2) - 1
            out[t, i] = cage - begin
            out[t, i, axis] += sign * vertex
    return out


@njit(cache=True)
def _barriers(rng: np.random.Generator, n_ions: int, n_frames: int, rate: float, rates: Floats) -> Floats:
    # each bond of a periodic cubic lattice has a rate of its own, the same both ways: a move is proposed and accepted
    edge = rates.shape[0]
    out = np.zeros((n_frames, n_ions, 3))
    for i in range(n_ions):
        site = np.empty(3, np.int64)
        for axis in range(3):
            site[axis] = rng.integers(0, edge)
        begin = site.copy()
        for t in range(n_frames):
            for _ in range(rng.poisson(6.0 * rate)):
                axis, up = rng.integers(0, 3), rng.integers(0, 2)
                low = site.copy()
                low[axis] += up - 1
                if rng.random() < rates[low[0] % edge, low[1] % edge, low[2] % edge, axis]:
                    site[axis] += 2 * up - 1
            for axis in range(3):
                out[t, i, axis] = site[axis] - begin[axis]
    return out


@njit(cache=True)
def _cosine(
    rng: np.random.Generator, n_ions: int, n_frames: int, substeps: int, height: float, step: float, period: float
) -> Floats:
    # dx = −D₀ V'(x) dt + √(2 D₀ dt) ξ with V = height cos(2π x/period) in k_B T, after one hundred frames of it
    out = np.zeros((n_frames, n_ions, 3))
    wave = 2.0 * np.pi / period
    drift = 0.5 * step * step * height * wave
    for i in range(n_ions):
        x = np.full(3, 0.5 * period)
        begin = x.copy()
        for t in range(-100, n_frames):
            for _ in range(substeps):
                for axis in range(3):
                    x[axis] += drift * np.sin(wave * x[axis]) + step * rng.standard_normal()
            if t == 0:
                begin = x.copy()
            if t >= 0:
                out[t, i] = x - begin
    return out
