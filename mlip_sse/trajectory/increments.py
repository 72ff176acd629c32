"""Sums of fractional steps times cells, atom by atom: what unwrapping compiles.

In a rectangular cell the three axes do not mix, and all coordinates of all atoms go through one plain loop, which
compilers turn into vector instructions: a fifth of the time. Both ways give the same bits, for what the general one
adds there are products with zero.
"""

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

__all__ = ["advance"]

_N_BLOCKS = 16
_PARALLEL_FROM = 100_000
"""Atoms times frames below which waking other threads costs more than they bring."""


@nb.njit(cache=True, nogil=True)
def _advance_atoms(
    first: int,
    last: int,
    coordinates: Any,
    images: Any,
    to_fraction: Any,
    image_to_fraction: Any,
    cells: Any,
    fractions: Any,
    positions: Any,
    out: Any,
    round_steps: bool,
    limit: float,
    raw_limits: Any,
) -> int:
    """Advance some atoms through all frames; return frame · n_atoms + atom of the first bad step, or -1."""
    n_frames, n_atoms = coordinates.shape[0], coordinates.shape[1]
    failed = -1
    g, with_images = image_to_fraction, images.shape[0] > 0
    for t in range(n_frames):
        f, h, frame, frame_out = to_fraction[t], cells[t], coordinates[t], out[t]
        for i in range(first, last):
            x, y, z = np.float64(frame[i, 0]), np.float64(frame[i, 1]), np.float64(frame[i, 2])
            u = x * f[0, 0] + y * f[1, 0] + z * f[2, 0]
            v = x * f[0, 1] + y * f[1, 1] + z * f[2, 1]
            w = x * f[0, 2] + y * f[1, 2] + z * f[2, 2]
            if with_images:
                p, q, r = np.float64(images[t, i, 0]), np.float64(images[t, i, 1]), np.float64(images[t, i, 2])
                u += p * g[0, 0] + q * g[1, 0] + r * g[2, 0]
                v += p * g[0, 1] + q * g[1, 1] + r * g[2, 1]
                w += p * g[0, 2] + q * g[1, 2] + r * g[2, 2]
            du, dv, dw = u - fractions[i, 0], v - fractions[i, 1], w - fractions[i, 2]
            good = abs(du) <= raw_limits[0] and abs(dv) <= raw_limits[1] and abs(dw) <= raw_limits[2]
            if round_steps:
                du -= np.rint(du)
                dv -= np.rint(dv)
                dw -= np.rint(dw)
            if not (good and abs(du) <= limit and abs(dv) <= limit and abs(dw) <= limit) and failed < 0:
                failed = t * n_atoms + i
            fractions[i, 0], fractions[i, 1], fractions[i, 2] = u, v, w
            positions[i, 0] += du * h[0, 0] + dv * h[1, 0] + dw * h[2, 0]
            positions[i, 1] += du * h[0, 1] + dv * h[1, 1] + dw * h[2, 1]
            positions[i, 2] += du * h[0, 2] + dv * h[1, 2] + dw * h[2, 2]
            frame_out[i, 0], frame_out[i, 1], frame_out[i, 2] = positions[i, 0], positions[i, 1], positions[i, 2]
    return failed


@nb.njit(cache=True, nogil=True, parallel=True)
def _advance_skewed(
    coordinates: Any, images: Any, f: Any, g: Any, h: Any, s: Any, r: Any, out: Any, near: bool, limit: float, raw: Any
) -> Any:
    n_atoms = coordinates.shape[1]
    size = (n_atoms + _N_BLOCKS - 1) // _N_BLOCKS
    failed = np.full(_N_BLOCKS, -1, np.int64)
    for block in nb.prange(_N_BLOCKS):
        first, last = block * size, min(n_atoms, (block + 1) * size)
        failed[block] = _advance_atoms(first, last, coordinates, images, f, g, h, s, r, out, near, limit, raw)
    return failed


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _advance_axis(
    x: Any, f: Any, h: Any, raw: Any, fractions: Any, positions: Any, out: Any, near: bool, limit: float
) -> Any:
    """Advance coordinates by one frame, each along its own axis; return the first with a bad step, or their number."""
    first_bad = x.size
    for j in range(x.size):
        u = np.float64(x[j]) * f[j]
        step = u - fractions[j]
        good = abs(step) <= raw[j]
        if near:
            step -= np.rint(step)
        good &= abs(step) <= limit
        first_bad = min(first_bad, x.size if good else j)
        fractions[j] = u
        positions[j] += step * h[j]
        out[j] = positions[j]
    return first_bad


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _advance_some(
    a: int, b: int, x: Any, f: Any, h: Any, raw: Any, fractions: Any, positions: Any, out: Any, near: bool, limit: float
) -> int:
    """Advance the coordinates ``a`` to ``b`` of (n_frames, 3 n_atoms) through all frames; see `_advance_atoms`."""
    own_f, own_h, own_raw = np.empty(b - a), np.empty(b - a), np.empty(b - a)
    failed = -1
    for t in range(x.shape[0]):
        if t == 0 or (f[t] != f[t - 1]).any() or (h[t] != h[t - 1]).any():
            for j in range(b - a):
                axis = (a + j) % 3
                own_f[j], own_h[j], own_raw[j] = f[t, axis], h[t, axis], raw[axis]
        bad = _advance_axis(x[t, a:b], own_f, own_h, own_raw, fractions[a:b], positions[a:b], out[t, a:b], near, limit)
        if bad < b - a and failed < 0:
            failed = (t * x.shape[1] + a + bad) // 3
    return failed


@nb.njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def _advance_rectangular(
    x: Any, f: Any, h: Any, raw: Any, fractions: Any, positions: Any, out: Any, near: bool, limit: float
) -> Any:
    n = x.shape[1]
    size = 3 * ((n // 3 + _N_BLOCKS - 1) // _N_BLOCKS)
    failed = np.full(_N_BLOCKS, -1, np.int64)
    for block in nb.prange(_N_BLOCKS):
        a, b = min(n, block * size), min(n, (block + 1) * size)
        failed[block] = _advance_some(a, b, x, f, h, raw, fractions, positions, out, near, limit)
    return failed


def _axes(to_fraction: NDArray[np.float64], cells: NDArray[np.float64]) -> NDArray[np.intp] | None:
    """Return which reduced cell vector lies along each axis of the coordinates, or None where axes mix."""
    links: NDArray[np.bool_] = (to_fraction != 0).any(axis=0)
    if (links.sum(axis=0) != 1).any() or (links.sum(axis=1) != 1).any():
        return None
    return links.argmax(axis=1) if ((cells != 0).any(axis=0) == links.T).all() else None


def advance(
    coordinates: NDArray[np.floating],
    images: NDArray[np.int64],
    to_fraction: NDArray[np.float64],
    image_to_fraction: NDArray[np.float64],
    cells: NDArray[np.float64],
    fractions: NDArray[np.float64],
    positions: NDArray[np.float64],
    out: NDArray[np.floating],
    round_steps: bool,
    limit: float,
    raw_limits: NDArray[np.float64],
) -> int:
    """Advance all atoms through some frames.

    Parameters
    ----------
    coordinates : (n_frames, n_atoms, 3) as in the file
    images : (n_frames, n_atoms, 3), or empty
    to_fraction : (n_frames, 3, 3)
        Turns coordinates into fractions of the reduced cell vectors, from the right.
    image_to_fraction : (3, 3) the same for image counts
    cells : (n_frames, 3, 3) Å, reduced
    fractions : (n_atoms, 3)
        Those of the frame before; becomes those of the last.
    positions : (n_atoms, 3) Å
        Those of the frame before, unwrapped; becomes those of the last.
    out : (n_frames, n_atoms, 3) Å
        Receives the unwrapped positions.
    round_steps
        Whether to take the nearest image.
    limit
        Largest fractional step, after that.
    raw_limits : (3,) largest fractional step before that

    Returns
    -------
    frame · n_atoms + atom of the first step beyond a limit or not a number, or -1
    """
    n_frames, n_atoms = coordinates.shape[:2]
    parallel = n_frames * n_atoms > _PARALLEL_FROM
    axes = None if images.size or not out.flags.c_contiguous else _axes(to_fraction, cells)
    if axes is None:
        state = coordinates, images, to_fraction, image_to_fraction, cells, fractions, positions, out
        limits = round_steps, limit, raw_limits
        failed = _advance_skewed(*state, *limits) if parallel else [_advance_atoms(0, n_atoms, *state, *limits)]
    else:
        across = np.arange(3)
        own = np.ascontiguousarray(fractions[:, axes])
        flat = (
            coordinates.reshape(n_frames, -1),
            np.ascontiguousarray(to_fraction[:, across, axes]),
            np.ascontiguousarray(cells[:, axes, across]),
            raw_limits[axes],
            own.reshape(-1),
            positions.reshape(-1),
            out.reshape(n_frames, -1),
            round_steps,
            limit,
        )
        failed = _advance_rectangular(*flat) if parallel else [_advance_some(0, 3 * n_atoms, *flat)]
        fractions[:, axes] = own
    return min((int(one) for one in failed if one >= 0), default=-1)
