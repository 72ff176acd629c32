"""Cells of a harmonic crystal at constant pressure: Gaussian strains with the covariance kT/(V C), that remember."""

import numpy as np

from mlip_sse.analysis.mechanics.strains import MANDEL, strain_tensor, to_mandel
from mlip_sse.units import BOLTZMANN_EV_PER_K, EV_PER_A3_TO_GPA


def breathing(stiffness_gpa, cell, temperature_k, n_frames, *, memory=3.0, moves="all", seed=0):
    """Return cells (n_frames, 3, 3) whose strains are an AR(1) process with a memory of so many frames.

    ``lengths`` and ``volume`` draw from the same energy with the other strains held at zero, as such a barostat does.
    """
    rng = np.random.default_rng(seed)
    mandel = to_mandel(stiffness_gpa) / EV_PER_A3_TO_GPA * np.linalg.det(cell) / (BOLTZMANN_EV_PER_K * temperature_k)
    directions = {
        "all": np.eye(6),
        "lengths": np.eye(6)[:, :3],
        "volume": np.ones((6, 1)) * (np.arange(6) < 3)[:, None],
    }
    free = directions[moves]
    root = np.linalg.cholesky(np.linalg.inv(free.T @ mandel @ free))
    keep = np.exp(-1.0 / memory)
    noise = rng.normal(size=(n_frames, free.shape[1]))
    states = np.zeros_like(noise)
    states[0] = noise[0]
    for frame in range(1, n_frames):
        states[frame] = keep * states[frame - 1] + np.sqrt(1 - keep**2) * noise[frame]
    strains = strain_tensor((states @ root.T @ free.T) * MANDEL)
    return np.asarray(cell) @ (np.eye(3) + strains)
