"""How often the intervals hold the truth, for walkers whose transport coefficients are known.

Run as a program it prints the table of the transport guide: ``python -m tests.slow.coverage_study [SETS [SEED]]``.

Each replica is a set of five temperatures with one trajectory each, as a study of a solid electrolyte would have. The
shares of intervals of D, D_σ and the Haven ratio are taken over all trajectories, that of Ea over the sets, and that of
D pooled from two replicas over pairs of trajectories: those of one set and of the next.
"""

import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from mlip_sse.analysis.results import Estimate, Interval
from mlip_sse.analysis.transport.temperature.arrhenius import fit_arrhenius
from mlip_sse.analysis.transport.temperature.pooling import pool_replicas
from mlip_sse.analysis.transport.transport import Transport
from mlip_sse.analysis.transport.transport_result import TransportResult
from mlip_sse.trajectory.model import Trajectory
from mlip_sse.units import BOLTZMANN_EV_PER_K
from tests.analysis.transport import walkers

QUANTITIES = ("D", "D_σ", "Haven ratio", "Ea", "D of two replicas")
TEMPERATURES = np.array([500.0, 575.0, 660.0, 760.0, 900.0])
ACTIVATION_ENERGY = 0.25
BOOST = np.exp(-ACTIVATION_ENERGY / BOLTZMANN_EV_PER_K * (1 / TEMPERATURES - 1 / TEMPERATURES[-1]))
N_FRAMES = 2000
LEVELS = (0.68, 0.95)

LATTICE_CORRELATION = 0.6711
"""Tracer correlation factor of 8 vacancies on 216 simple-cubic sites: the mean of `lattice_correlation`, ± 0.0005."""


@dataclass(frozen=True)
class System:
    """A generator of coordinates (rng, boost of the rate) and the truth at boost 1: D in Å² a frame, Haven ratio."""

    make: Callable[[np.random.Generator, float], np.ndarray]
    diffusivity: float
    haven: float


SYSTEMS = {
    "independent walkers": System(lambda rng, b: walkers.brownian(rng, 32, N_FRAMES, np.sqrt(b)), 0.5, 1.0),
    "caged walkers": System(lambda rng, b: walkers.caged(rng, 32, N_FRAMES, 0.15 * b), 0.15 * 9 / 6, 1.0),
    "vacancy lattice gas": System(
        lambda rng, b: walkers.lattice_gas(rng, 6, 8, N_FRAMES, 40.0 * b),
        LATTICE_CORRELATION * 40 * (1 - 7 / 215) / 208 / 6,
        LATTICE_CORRELATION,
    ),
    "strings of four": System(lambda rng, b: walkers.strings(rng, 32, N_FRAMES, 4, np.sqrt(b)), 0.5, 0.25),
}


def trajectory_of(ions: np.ndarray, temperature_k: float) -> Trajectory:
    """Wrap (n_ions, 3, n_frames) into a trajectory with one framework atom at rest, a frame each femtosecond."""
    n_ions, _, n_frames = ions.shape
    positions = np.zeros((n_frames, n_ions + 1, 3))
    positions[:, :-1] = ions.transpose(2, 0, 1)
    return Trajectory(
        species=np.array(["Li"] * n_ions + ["S"]),
        masses=np.array([6.94] * n_ions + [32.06]),
        positions=positions,
        cells=np.broadcast_to(np.eye(3) * 20.0, (n_frames, 3, 3)),
        frame_spacing_fs=1.0,
        temperature_k=temperature_k,
    )


def one_set(system: System, rng: np.random.Generator) -> list[TransportResult]:
    """Analyse one trajectory at each temperature."""
    made = zip(BOOST, TEMPERATURES, strict=True)
    return [Transport(mobile="Li").run(trajectory_of(system.make(rng, b), t)) for b, t in made]


def covered(interval: Interval, truth: float) -> bool:
    """Whether an interval holds the truth."""
    return interval.low < truth < interval.high


def check_set(system: System, results: list[TransportResult]) -> list[tuple[str, float, bool | None]]:
    """Return (quantity, level, covered) for everything one set determined; covered is None where it was refused."""
    rows: list[tuple[str, float, bool | None]] = []
    estimates: list[Estimate] = []
    for boost, result in zip(BOOST, results, strict=True):
        truth = system.diffusivity * boost / 10  # Å²/fs to cm²/s
        tracer, charge = result.species[0].diffusion.diffusivity_cm2_s, result.charge.diffusivity_cm2_s
        for quantity, estimate, true in (
            ("D", tracer, truth),
            ("D_σ", charge, truth / system.haven),
            ("Haven ratio", result.haven, system.haven),
        ):
            rows += [(quantity, c, None if estimate is None else covered(estimate.interval(c), true)) for c in LEVELS]
        if tracer is not None:
            estimates.append(tracer)
    for c in LEVELS:
        fit = fit_arrhenius(TEMPERATURES, estimates, confidence=c) if len(estimates) == len(TEMPERATURES) else None
        energy = None if fit is None else fit.activation_energy_ev
        rows.append(("Ea", c, None if energy is None else covered(energy, ACTIVATION_ENERGY)))
    return rows


def check_pair(
    system: System, first: list[TransportResult], second: list[TransportResult]
) -> list[tuple[str, float, bool | None]]:
    """Return the same for D pooled, temperature by temperature, from the trajectories of two sets."""
    rows: list[tuple[str, float, bool | None]] = []
    for boost, *pair in zip(BOOST, first, second, strict=True):
        found = [result.species[0].diffusion.diffusivity_cm2_s for result in pair]
        estimates = [estimate for estimate in found if estimate is not None]
        for c in LEVELS:
            hit = None
            if len(estimates) == 2:
                hit = covered(pool_replicas(estimates).estimate.interval(c), system.diffusivity * boost / 10)
            rows.append(("D of two replicas", c, hit))
    return rows


def study(name: str, seed: int, n_sets: int) -> list[tuple[str, float, bool | None]]:
    """Analyse ``n_sets`` sets of one system."""
    import numba

    numba.set_num_threads(1)
    rng = np.random.default_rng(seed)
    system = SYSTEMS[name]
    rows, waiting = [], None
    for _ in range(n_sets):
        results = one_set(system, rng)
        rows += check_set(system, results)
        if waiting is not None:
            rows += check_pair(system, waiting, results)
        waiting = results if waiting is None else None
    return rows


def coverage(n_sets: int, seed: int = 2026, workers: int = 2) -> dict[tuple[str, str, float], tuple[float, float]]:
    """Return (share of covering intervals, share of refusals), in percent, by system, quantity and level."""
    chunks = 4 * workers
    table = {}
    # A process forked from one whose kernels have run in OpenMP threads is ended by OpenMP at its first kernel.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for name in SYSTEMS:
            jobs = [pool.submit(study, name, seed + k, -(-n_sets // chunks)) for k in range(chunks)]
            rows = [row for job in jobs for row in job.result()]
            for quantity in QUANTITIES:
                for level in LEVELS:
                    hits = [hit for q, c, hit in rows if q == quantity and c == level]
                    issued = [hit for hit in hits if hit is not None]
                    shares = float(np.mean(issued)), 1 - len(issued) / len(hits)
                    table[name, quantity, level] = (100 * shares[0], 100 * shares[1])
    return table


def lattice_correlation(seeds: int = 24, n_frames: int = 4000, moves: float = 400.0) -> tuple[float, float]:
    """Mean and standard error of D*/D_charge of the lattice gas, the charge's rate being exact."""
    values = []
    for seed in range(seeds):
        ions = walkers.lattice_gas(np.random.default_rng(10_000 + seed), 6, 8, n_frames, moves)
        lag = 40
        steps = ions[:, :, lag:] - ions[:, :, :-lag]
        early = ions[:, :, 10:] - ions[:, :, :-10]
        slope = ((steps**2).sum(axis=1).mean() - (early**2).sum(axis=1).mean()) / (lag - 10)
        values.append(slope / (moves * (1 - 7 / 215) / 208))
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(seeds))


if __name__ == "__main__":
    print("lattice correlation: {:.4f} ± {:.4f}".format(*lattice_correlation()))
    results = coverage(*(int(argument) for argument in sys.argv[1:3]) if len(sys.argv) > 1 else (320,))
    print("| system | " + " | ".join(QUANTITIES) + " | refused |\n" + "|---" * (len(QUANTITIES) + 2) + "|")
    for system_name in SYSTEMS:
        cells = [
            " / ".join(f"{results[system_name, quantity, level][0]:.1f}" for level in LEVELS) for quantity in QUANTITIES
        ]
        refused = max(results[system_name, quantity, LEVELS[0]][1] for quantity in QUANTITIES)
        print(f"| {system_name} | " + " | ".join(cells) + f" | {refused:.1f} % |")
