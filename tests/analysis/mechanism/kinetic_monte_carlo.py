"""Kinetic Monte Carlo whose rates and correlation factors are known, written out as noisy positions.

What an analysis gets is a `Trajectory`: lattice sites plus Gaussian vibration. It never sees the list of events.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from mlip_sse.analysis.mechanism.sites import Sites
from mlip_sse.trajectory.model import Trajectory, masses_of
from mlip_sse.units import BOLTZMANN_EV_PER_K

NEIGHBOUR_DISTANCE = 2.5

# exact correlation factors of a single vacancy, PHYSICS section 7
CORRELATION_FACTORS = {"sc": 0.65311, "bcc": 0.72722, "fcc": 0.78146, "diamond": 0.5}

_BASES = {
    "sc": [[0, 0, 0]],
    "bcc": [[0, 0, 0], [0.5, 0.5, 0.5]],
    "fcc": [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]],
    "diamond": [
        [0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0],
        [0.25, 0.25, 0.25], [0.25, 0.75, 0.75], [0.75, 0.25, 0.75], [0.75, 0.75, 0.25],
    ],
}  # fmt: skip
_NEAREST = {"sc": 1.0, "bcc": np.sqrt(0.75), "fcc": np.sqrt(0.5), "diamond": np.sqrt(3) / 4}


@dataclass(frozen=True, eq=False)
class Lattice:
    """Sites with their nearest neighbours.

    ``places`` (n_sites, 3) Å, ``cell`` (3, 3) Å, ``neighbours`` (n_sites, z), ``steps`` (n_sites, z, 3) Å.
    """

    places: np.ndarray
    cell: np.ndarray
    neighbours: np.ndarray
    steps: np.ndarray

    def sites(self, labels=None):
        fractional = self.places @ np.linalg.inv(self.cell)
        return Sites(fractional, np.full(len(fractional), "A") if labels is None else labels, self.cell)


def lattice(kind, edge):
    """Return a cubic lattice of ``edge`` unit cells, neighbours `NEIGHBOUR_DISTANCE` apart."""
    unit = NEIGHBOUR_DISTANCE / _NEAREST[kind]
    corners = np.array([[i, j, k] for i in range(edge) for j in range(edge) for k in range(edge)], dtype=float)
    fractions = (corners[:, None, :] + np.array(_BASES[kind])[None]).reshape(-1, 3) / edge
    cell = np.eye(3) * unit * edge
    neighbours, steps = [], []
    for place in fractions:
        apart = fractions - place
        apart = (apart - np.rint(apart)) @ cell
        near = np.flatnonzero(np.abs(np.linalg.norm(apart, axis=1) - NEIGHBOUR_DISTANCE) < 1e-6)
        neighbours.append(near)
        steps.append(apart[near])
    return Lattice(fractions @ cell, cell, np.array(neighbours), np.array(steps))


def vacancy(kind, edge, n_frames, vibration=0.12, seed=0):
    """Return trajectory and sites of one vacancy, one exchange a frame."""
    made = lattice(kind, edge)
    noise = (np.random.default_rng(seed).standard_normal(1 << 18) * vibration).astype(np.float32)
    positions = _one_vacancy(made.places, made.neighbours, made.steps, n_frames, noise, seed)
    return _trajectory(positions, made.cell), made.sites()


@njit(cache=True)
def _one_vacancy(places, neighbours, steps, n_frames, noise, seed):
    np.random.seed(seed)
    n_sites, z = neighbours.shape
    ion_at = np.arange(n_sites) - 1
    hole = 0
    now = places[1:].copy()
    out = np.empty((n_frames, n_sites - 1, 3), np.float32)
    for t in range(n_frames):
        k = np.random.randint(z)
        there = neighbours[hole, k]
        ion = ion_at[there]
        now[ion] -= steps[hole, k]
        ion_at[hole], ion_at[there] = ion, -1
        hole = there
        start = np.random.randint(len(noise))
        for i in range(n_sites - 1):
            for axis in range(3):
                start = start + 1 if start + 1 < len(noise) else 0
                out[t, i, axis] = now[i, axis] + noise[start]
    return out


def two_barriers(
    temperature_k,
    energies=(0.20, 0.26),
    attempt_thz=2.0,
    n_ions=60,
    n_frames=2000,
    frame_spacing_fs=100.0,
    edge=6,
    vibration=0.25,
    seed=0,
):
    """Let independent ions hop on two kinds of sites that alternate on a simple cubic lattice.

    An ion leaves a site of kind A or B along each of six directions with the rate ν exp(-E/k_B T).
    Returns trajectory, sites and total rates (6 ν exp(-E/k_B T)) of leaving A and B in 1/fs.
    """
    made = lattice("sc", edge)
    kind = np.rint(made.places / NEIGHBOUR_DISTANCE).astype(int).sum(axis=1) % 2
    rates = 6e-3 * attempt_thz * np.exp(-np.array(energies) / (BOLTZMANN_EV_PER_K * temperature_k))
    share = (1 / rates) / (1 / rates).sum()
    rng = np.random.default_rng(seed)
    starts = np.array([rng.choice(np.flatnonzero(kind == k)) for k in rng.choice(2, size=n_ions, p=share)])
    paths = _independent(
        made.places, kind, made.neighbours, made.steps, starts, rates * frame_spacing_fs, n_frames, seed
    )
    positions = paths + rng.standard_normal(paths.shape) * vibration
    labels = np.array(["A", "B"])[kind]
    return _trajectory(positions, made.cell, frame_spacing_fs, temperature_k), made.sites(labels), rates


@njit(cache=True)
def _independent(places, kind, neighbours, steps, starts, rates, n_frames, seed):
    np.random.seed(seed)
    out = np.empty((n_frames, len(starts), 3))
    for i in range(len(starts)):
        site, place = starts[i], places[starts[i]].copy()
        due = np.random.exponential(1.0 / rates[kind[site]])
        for t in range(n_frames):
            while due < t:
                k = np.random.randint(neighbours.shape[1])
                place += steps[site, k]
                site = neighbours[site, k]
                due += np.random.exponential(1.0 / rates[kind[site]])
            out[t, i] = place
    return out


def _trajectory(positions, cell, frame_spacing_fs=100.0, temperature_k=500.0):
    species = np.full(positions.shape[1], "Li")
    cells = np.broadcast_to(cell, (len(positions), 3, 3))
    return Trajectory(species, masses_of(species), positions, cells, frame_spacing_fs, temperature_k=temperature_k)
