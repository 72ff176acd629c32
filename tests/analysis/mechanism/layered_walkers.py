"""Walkers in a cell of two layers, each with its own diffusivity; ions cross from one into the other."""

import numpy as np
from numba import njit


def layered(seed, n_ions, n_frames, cell, d_low, d_high, spacing=1.0, vibration=0.0, border=0.5):
    """Return positions (n_frames, n_ions, 3) Å of lattice walkers at equilibrium.

    Sites are ``spacing`` Å apart; the layer below ``border`` (fraction of the third axis) has diffusivity ``d_low``,
    the other ``d_high``, in Å² a frame. A walker leaves its site at that site's rate to all sides alike (traps of two
    depths), so that the diffusivity of a layer is exact up to its border, and ions gather where they are slow, in
    proportion to 1/D. ``cell`` (3, 3) may be skewed: the third axis is the one across the layers.
    """
    n_planes = round(float(np.abs(np.linalg.det(cell)) / np.linalg.norm(np.cross(cell[0], cell[1]))) / spacing)
    steps = _walk(seed, n_ions, n_frames, n_planes, d_low / spacing**2, d_high / spacing**2, border)
    normal = np.cross(cell[0], cell[1])
    normal = normal / np.linalg.norm(normal)
    first = cell[0] / np.linalg.norm(cell[0])
    frame = np.array([first, np.cross(normal, first), normal])
    # sites lie half a spacing off the border, for both borders alike
    positions = ((steps + np.array([0.0, 0.0, 0.5])) * spacing) @ frame
    rng = np.random.default_rng(seed + 1)
    return positions + vibration * rng.standard_normal(positions.shape)


@njit(cache=True)
def _walk(seed, n_ions, n_frames, n_planes, rate_low, rate_high, border):
    np.random.seed(seed)
    rates = np.empty(n_planes)
    for z in range(n_planes):
        rates[z] = rate_low if z < border * n_planes else rate_high
    out = np.zeros((n_frames, n_ions, 3))
    for i in range(n_ions):
        x, y, z = 0, 0, np.random.randint(n_planes)
        while np.random.random() * rates[z] > min(rate_low, rate_high):
            z = np.random.randint(n_planes)
        clock, t = 0.0, 0
        while t < n_frames:
            here = z % n_planes
            total = 6.0 * rates[here]
            clock += -np.log(1.0 - np.random.random()) / total
            while t < n_frames and t <= clock:
                out[t, i, 0], out[t, i, 1], out[t, i, 2] = x, y, z
                t += 1
            axis, way = np.random.randint(3), 2 * np.random.randint(2) - 1
            if axis == 0:
                x += way
            elif axis == 1:
                y += way
            else:
                z += way
    return out
