"""A lattice with two site types and two barriers: what softness must find is known.

Lithium hops within layers on square lattices (exclusion, four neighbours, no jumps between layers), with the rate
ν exp(−E/k_B T) of its layer's site type. Above each site stands a chlorine, nearer over the sites of one type than over
those of the other: the density marker. Everything vibrates, and the whole crystal drifts.
"""

import numpy as np
from numba import njit

from mlip_sse.trajectory.model import Trajectory
from mlip_sse.units import BOLTZMANN_EV_PER_K

SOFT_EV, HARD_EV = 0.20, 0.35
SITE_DISTANCE, LAYER_DISTANCE = 3.0, 6.5
MARKER_SOFT, MARKER_HARD = 2.7, 2.2
FRAME_SPACING_FS = 100.0


def toy(seed, temperature_k, n_frames=3000, n_side=6, n_layers=24, soft_layers=12, filling=0.12, attempts_per_ps=10.0):
    """Return a trajectory and whether each lithium is soft."""
    rng = np.random.default_rng(seed)
    layers = np.arange(n_layers)
    rates = attempts_per_ps * np.exp(
        -np.where(layers < soft_layers, SOFT_EV, HARD_EV) / (BOLTZMANN_EV_PER_K * temperature_k)
    )
    n_ions = int(filling * n_side**2)
    sites = np.array([rng.permutation(n_side**2)[:n_ions] for _ in layers])
    paths = _hop(int(rng.integers(1 << 31)), sites, n_side, rates * FRAME_SPACING_FS / 1000.0, n_frames)
    lithium = np.empty((n_frames, n_layers, n_ions, 3))
    lithium[..., :2] = SITE_DISTANCE * paths
    lithium[..., 2] = LAYER_DISTANCE * layers[None, :, None]
    grid = SITE_DISTANCE * np.stack(np.meshgrid(np.arange(n_side), np.arange(n_side), indexing="ij"), axis=-1)
    markers = np.zeros((n_layers, n_side**2, 3))
    markers[..., :2] = grid.reshape(-1, 2)
    markers[..., 2] = (
        LAYER_DISTANCE * layers[:, None] + np.where(layers < soft_layers, MARKER_SOFT, MARKER_HARD)[:, None]
    )
    still = np.broadcast_to(markers.reshape(1, -1, 3), (n_frames, n_layers * n_side**2, 3))
    positions = np.concatenate([lithium.reshape(n_frames, -1, 3), still], axis=1)
    positions = positions + _vibration(rng, positions.shape, 0.15) + np.linspace(0, 4.0, n_frames)[:, None, None]
    cell = np.diag([n_side * SITE_DISTANCE, n_side * SITE_DISTANCE, n_layers * LAYER_DISTANCE])
    species = ["Li"] * (n_layers * n_ions) + ["Cl"] * (n_layers * n_side**2)
    trajectory = Trajectory.from_arrays(
        species, positions, cell, FRAME_SPACING_FS, wrapped=False, temperature_k=temperature_k
    )
    return trajectory, np.repeat(layers < soft_layers, n_ions)


def _vibration(rng, shape, deviation, memory=0.4):
    noise = rng.standard_normal(shape) * deviation
    for t in range(1, shape[0]):
        noise[t] = memory * noise[t - 1] + np.sqrt(1 - memory**2) * noise[t]
    return noise


@njit(cache=True)
def _hop(seed, sites, n_side, rates, n_frames):
    """Return the unwrapped lattice positions (n_frames, n_layers, n_ions, 2)."""
    np.random.seed(seed)
    n_layers, n_ions = sites.shape
    out = np.empty((n_frames, n_layers, n_ions, 2))
    for layer in range(n_layers):
        taken = np.zeros((n_side, n_side), np.bool_)
        place = np.empty((n_ions, 2), np.int64)
        for ion in range(n_ions):
            place[ion, 0], place[ion, 1] = sites[layer, ion] // n_side, sites[layer, ion] % n_side
            taken[place[ion, 0], place[ion, 1]] = True
        leave = 1.0 - np.exp(-rates[layer])
        for t in range(n_frames):
            for _ in range(n_ions):
                ion = np.random.randint(n_ions)
                if np.random.random() < leave:
                    axis, step = np.random.randint(2), 2 * np.random.randint(2) - 1
                    x, y = place[ion, 0], place[ion, 1]
                    nx, ny = x + step * (axis == 0), y + step * (axis == 1)
                    if not taken[nx % n_side, ny % n_side]:
                        taken[x % n_side, y % n_side] = False
                        taken[nx % n_side, ny % n_side] = True
                        place[ion, 0], place[ion, 1] = nx, ny
            out[t, layer] = place
    return out
