"""Rigid tetrahedra that turn in known ways, and hops near them that know, or do not know, of it.

Orientations are unit quaternions (n_units, n_frames, 4), w first.
"""

import numpy as np

TETRAHEDRON = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]) / np.sqrt(3.0)

TURNS = np.array(
    [[0.5, i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)]
    + [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
)
"""The eleven rotations that turn a tetrahedron onto itself: eight by 120°, three by 180°."""


def multiply(p, q):
    """Return the rotation q followed by p."""
    w, x, y, z = np.moveaxis(p, -1, 0)
    a, b, c, d = np.moveaxis(q, -1, 0)
    return np.stack(
        [
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        ],
        axis=-1,
    )


def small_rotations(vectors):
    """Return the rotations about vectors (..., 3) by their length in radians."""
    angles = np.linalg.norm(vectors, axis=-1, keepdims=True)
    axes = vectors / np.maximum(angles, 1e-300)
    return np.concatenate([np.cos(angles / 2), np.sin(angles / 2) * axes], axis=-1)


def random_orientations(rng, n):
    q = rng.standard_normal((n, 4))
    return q / np.linalg.norm(q, axis=1, keepdims=True)


def tumbling(rng, n_units, n_frames, diffusivity):
    """Isotropic rotational diffusion, ``diffusivity`` in rad² a frame: C_l = exp(-l (l + 1) D t)."""
    steps = small_rotations(rng.standard_normal((n_frames, n_units, 3)) * np.sqrt(2.0 * diffusivity))
    out = np.empty((n_frames, n_units, 4))
    out[0] = random_orientations(rng, n_units)
    for t in range(1, n_frames):
        out[t] = multiply(steps[t], out[t - 1])
    return np.ascontiguousarray(out.transpose(1, 0, 2))


def jumping(rng, n_units, n_frames, rate, libration_deg=0.0):
    """Jumps at ``rate`` per frame to another of the twelve equal orientations; returns orientations, frames, units.

    B₁ falls by 12/11 a jump: eight of the eleven turns leave 0 and three leave -1/3. Libration is independent from
    frame to frame, ``libration_deg`` its root mean square angle.
    """
    jumps = rng.random((n_units, n_frames)) < rate
    jumps[:, 0] = False
    which = rng.integers(len(TURNS), size=(n_units, n_frames))
    out = np.empty((n_units, n_frames, 4))
    now = random_orientations(rng, n_units)
    for t in range(n_frames):
        at = jumps[:, t]
        # on the right: a rotation in the body's own frame, of which it is a symmetry
        now[at] = multiply(now[at], TURNS[which[at, t]])
        out[:, t] = now
    if libration_deg:
        wobble = rng.standard_normal((n_units, n_frames, 3)) * np.radians(libration_deg) / np.sqrt(3.0)
        out = multiply(small_rotations(wobble), out)
    units, frames = np.nonzero(jumps)
    order = np.lexsort((units, frames))
    return out, frames[order], units[order]


def turned(quaternions, vectors):
    """Return vectors (n, 3) turned by each quaternion (..., 4): (..., n, 3)."""
    w, axis = quaternions[..., None, :1], quaternions[..., None, 1:]
    cross = np.cross(axis, vectors)
    return vectors + 2.0 * (w * cross + np.cross(axis, cross))


def units_in_a_cell(quaternions, cell, bond=2.05, per_axis=2):
    """Return species and positions (n_frames, n_atoms, 3) of P with four S each on a grid in a cell."""
    n_units, n_frames = quaternions.shape[:2]
    grid = np.array([[i, j, k] for i in range(per_axis) for j in range(per_axis) for k in range(per_axis)])
    centres = (grid[:n_units] / per_axis) @ cell
    bonds = turned(quaternions, bond * TETRAHEDRON)
    ligands = centres[:, None, None] + bonds
    positions = np.concatenate(
        [np.broadcast_to(centres, (n_frames, n_units, 3)), ligands.transpose(1, 0, 2, 3).reshape(n_frames, -1, 3)],
        axis=1,
    )
    return ["P"] * n_units + ["S"] * (4 * n_units), positions


def poisson_events(rng, n_units, n_frames, rate):
    """Events at ``rate`` per unit and frame: frames and units in time order."""
    units, frames = np.nonzero(rng.random((n_units, n_frames)) < rate)
    order = np.lexsort((units, frames))
    return frames[order], units[order]


def followed_by(rng, frames, units, n_frames, share, longest_delay):
    """Events at the same units after a ``share`` of the given ones, up to ``longest_delay`` frames later."""
    chosen = rng.random(len(frames)) < share
    later = frames[chosen] + rng.integers(0, longest_delay + 1, size=int(chosen.sum()))
    inside = later < n_frames
    return later[inside], units[chosen][inside]
