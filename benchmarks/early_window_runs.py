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
from tests.analysis.transport import walkers

__all__ = ["CASES", "N_FRAMES", "SPACING_FS", "Case", "trajectory", "true_diffusivity"]

Floats = npt.NDArray[np.float64]
Sites = npt.NDArray[np.int64]

N_FRAMES, SPACING_FS, SITE_DISTANCE_A = 4000, 100.0, 2.8
PER_FRAME = 1000.0 / SPACING_FS * 1e-4
"""cm²/s of 1 Å² a frame."""

_LATTICES = {
    "simple cubic": walkers.CUBIC,
    "body centred": walkers.BODY_CENTRED,
    "layers": walkers.CUBIC[:4],
    "face centred": walkers.FACE_CENTRED,
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
    if case.kind == "cosine potential":
        return np.asarray(_cosine(rng, n_ions, n_frames, _SUBSTEPS, case.rate, _free_step(case), _PERIOD_A))
    if case.kind in _LATTICES:
        neighbours = _LATTICES[case.kind]
        unit = SITE_DISTANCE_A / np.sqrt((neighbours[0] ** 2).sum())
        gas = walkers.lattice_gas(rng, case.size, case.vacancies, n_frames, rate * case.vacancies, neighbours)
        return np.asarray(gas.transpose(2, 0, 1) * unit)
    rates, targets, steps = network_of(case)
    start = rng.integers(len(rates), size=n_ions)
    return np.asarray(_walk(rng, start, n_frames, np.cumsum(rates * rate, axis=1), targets, steps))


def network_of(case: Case) -> tuple[Floats, Sites, Floats]:
    """Return the sites of a cell and the jumps from each, (n_sites, n_jumps): rate, site, and vector (…, 3) in Å."""
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    if case.kind == "caged":
        return np.full((1, 6), 1.0 / 6.0), np.zeros((1, 6), dtype=np.int64), SITE_DISTANCE_A * axes[None]
    if case.kind == "rattling pairs":  # along x jumps inside a pair are 20 times as frequent as those between pairs
        rates = np.array([[20.0, 1, 1, 1, 1, 1], [1.0, 1, 1, 20, 1, 1]])
        targets = np.array([[1, 0, 0, 1, 0, 0], [0, 1, 1, 0, 1, 1]])
        return rates, targets, np.broadcast_to(SITE_DISTANCE_A * axes, (2, 6, 3)).copy()
    if case.kind == "cages":  # six vertices of an octahedron: four neighbours within, one in the next cage
        opposite = (np.arange(6) + 3) % 6
        within = np.array([[other for other in range(6) if other not in (k, opposite[k])] for k in range(6)])
        targets = np.column_stack([within, opposite])
        inner = _VERTEX_A * (axes[within] - axes[:, None])
        rates = np.tile([_INTRA / 4.0] * 4 + [1.0], (6, 1))
        return rates, targets, np.concatenate([inner, (_CAGE_A - 2.0 * _VERTEX_A) * axes[:, None]], axis=1)
    # each bond of a periodic cubic lattice has a rate of its own, the same both ways
    forward = 10 ** np.random.default_rng(case.seed).uniform(-2.0, 0.0, (6, 6, 6, 3))
    number = np.arange(216).reshape(6, 6, 6)
    rates = np.concatenate([forward, np.stack([np.roll(forward[..., k], 1, axis=k) for k in range(3)], axis=-1)], -1)
    targets = np.stack([np.roll(number, -way, axis=k) for way in (1, -1) for k in range(3)], axis=-1)
    return rates.reshape(216, 6), targets.reshape(216, 6), np.broadcast_to(SITE_DISTANCE_A * axes, (216, 6, 3)).copy()


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
def _walk(
    rng: np.random.Generator, start: Sites, n_frames: int, rates: Floats, targets: Sites, steps: Floats
) -> Floats:
    # ions that do not see each other; rates are summed up over the jumps of a site, and a jump is drawn at the largest
    # sum of all sites, so that some draws are no jump
    out = np.zeros((n_frames, len(start), 3))
    most = rates[:, -1].max()
    for i in range(len(start)):
        site, x = start[i], np.zeros(3)
        for t in range(n_frames):
            for _ in range(rng.poisson(most)):
                drawn = rng.random() * most
                jump = 0
                while jump < rates.shape[1] and drawn >= rates[site, jump]:
                    jump += 1
                if jump < rates.shape[1]:
                    for axis in range(3):
                        x[axis] += steps[site, jump, axis]
                    site = targets[site, jump]
            out[t, i] = x
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
