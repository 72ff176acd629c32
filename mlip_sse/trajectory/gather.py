"""Coordinates of some ions, time running last: the transposition that every statistics kernel starts from."""

from typing import Any

import numba as nb

__all__ = ["centre", "gather", "weigh"]

_TILE = 64


@nb.njit(cache=True, nogil=True, parallel=True)
def gather(positions: Any, chosen: Any, drift: Any, first: int, block: Any) -> None:
    """Write positions (n, n_atoms, 3) less drift (n, 3) of the chosen ions to block[:, :, first : first + n]."""
    n, n_chosen = positions.shape[0], chosen.size
    for tile in nb.prange((n + _TILE - 1) // _TILE):
        t0 = tile * _TILE
        t1 = min(n, t0 + _TILE)
        for k in range(n_chosen):
            atom = chosen[k]
            for d in range(3):
                row = block[k, d, first + t0 : first + t1]
                for j in range(t1 - t0):
                    row[j] = positions[t0 + j, atom, d] - drift[t0 + j, d]


@nb.njit(cache=True, nogil=True, parallel=True)
def centre(block: Any, out: Any) -> None:
    """Write block (n, 3, n_frames) less each row's mean over time to out, in out's precision."""
    n, n_frames = block.shape[0], block.shape[2]
    for k in nb.prange(n):
        for d in range(3):
            row, target = block[k, d], out[k, d]
            total = 0.0
            for t in range(n_frames):
                total += row[t]
            mean = total / n_frames
            for t in range(n_frames):
                target[t] = row[t] - mean


@nb.njit(cache=True, nogil=True, parallel=True)
def weigh(positions: Any, weights: Any, total: Any) -> None:
    """Write Σ_i w_i r_i(t) of positions (n, n_atoms, 3) to total (n, 3); the same on any number of threads."""
    for t in nb.prange(positions.shape[0]):
        frame = positions[t]
        x = y = z = 0.0
        for i in range(weights.size):
            w = weights[i]
            x += w * frame[i, 0]
            y += w * frame[i, 1]
            z += w * frame[i, 2]
        total[t, 0], total[t, 1], total[t, 2] = x, y, z
