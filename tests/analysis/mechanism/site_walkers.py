"""Ions that hop on a simple lattice in a skewed cell, perhaps one that breathes."""

import numpy as np

from mlip_sse.analysis.mechanism.sites import Sites
from mlip_sse.trajectory.model import Trajectory, masses_of

REPEATS = (3, 4, 3)
PRIMITIVE = np.array([[3.0, 0.0, 0.0], [0.9, 2.9, 0.0], [0.5, 0.7, 2.95]])
SKEWED = np.diag(REPEATS) @ PRIMITIVE


def hopping_trajectory(n_ions=6, n_frames=300, rate=0.05, vibration=0.2, breathing=0.0, seed=0):
    """Trajectory and sites; steps are along the primitive vectors, the cell's lengths vary by ``breathing``."""
    rng = np.random.default_rng(seed)
    grid = np.array([[i, j, k] for i in range(3) for j in range(4) for k in range(3)])
    step = rng.integers(-1, 2, size=(n_frames, n_ions, 3)) * (rng.random((n_frames, n_ions, 1)) < rate)
    only = np.eye(3, dtype=int)[rng.integers(0, 3, size=(n_frames, n_ions))]
    path = grid[rng.integers(0, len(grid), n_ions)] + np.cumsum(step * only, axis=0)
    fractions = (path + rng.standard_normal(path.shape) * vibration / 3.0) / np.array(REPEATS)
    strain = 1 + breathing * np.sin(0.3 * np.arange(n_frames))[:, None] * np.array([1.0, -0.6, 0.4])
    cells = strain[:, None, :] * SKEWED
    steps = np.diff(fractions, axis=0) @ cells[1:]
    positions = np.concatenate([(fractions[:1] @ cells[:1]), steps]).cumsum(axis=0)
    species = np.full(n_ions, "Li")
    trajectory = Trajectory(species, masses_of(species), positions, cells, 100.0, temperature_k=500.0)
    labels = np.where(grid.sum(axis=1) % 2, "B", "A")
    return trajectory, Sites(grid / np.array(REPEATS), labels, cells.mean(axis=0))
