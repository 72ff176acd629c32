"""Squared displacements resolved in time, so that their fluctuations show the true error of a diffusivity.

Each window of lag m is filed under the time bin in which its middle lies. Any diffusivity is a weighted sum of mean
squared displacements over lags; the same weights applied bin by bin give a time series whose scatter holds every
correlation there is, between lags, between ions and in time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit, prange
from numpy.typing import ArrayLike, NDArray

from mlip_sse.analysis.transport.displacement.blocks import Positions, position_blocks
from mlip_sse.analysis.transport.displacement.lags import checked_lags
from mlip_sse.errors import InputError

__all__ = ["TimeBins", "bin_edges", "time_bins"]

_N_GROUPS = 16
"""Ions are summed in this many groups, whatever the number of threads, so that no bit depends on it."""

_SIDE = 16
"""Ions that lie side by side in memory while they are summed: of float32 they fill a cache line."""

_PIECE = 128
"""Frames whose sums, over the ions side by side, are taken in the precision of the positions before float64."""

_LINE_BYTES = 64

_NAN_SAFE_FASTMATH = {"contract", "reassoc", "nsz", "arcp"}


@dataclass(frozen=True, eq=False)
class TimeBins:
    """Displacement products per time bin and lag, averaged over ions.

    Parameters
    ----------
    lags : (n_lags,) frames
    n_frames
        Frames of the trajectory.
    n_ions
        Number of ions averaged over.
    sums : (n_bins, n_lags, 6) Å², Σ over the windows of a bin of Δ_a Δ_b for xx, yy, zz, yz, xz, xy (Voigt order)
    counts : (n_bins, n_lags) number of windows with their middle in the bin
    """

    lags: NDArray[np.int64]
    n_frames: int
    n_ions: int
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def n_bins(self) -> int:
        """Number of time bins."""
        return int(self.counts.shape[0])

    @property
    def frames_per_bin(self) -> float:
        """Mean length of a bin in frames."""
        return self.n_frames / self.n_bins

    @cached_property
    def whole(self) -> NDArray[np.bool_]:
        """Whether every window of a bin fits into the trajectory, (n_bins, n_lags)."""
        full = np.diff(bin_edges(self.n_frames, self.n_bins))
        return np.asarray(self.counts == full[:, None])

    @cached_property
    def squares(self) -> NDArray[np.float64]:
        """Mean squared displacement of each bin, (n_bins, n_lags) Å²; NaN where no window fits."""
        squares: NDArray[np.float64] = self.mean_products()[..., :3].sum(axis=2)
        return squares

    def mean_products(self) -> NDArray[np.float64]:
        """⟨Δ_a Δ_b⟩ of each bin, (n_bins, n_lags, 6) Å²; NaN where no window fits."""
        counts = self.counts[..., None].astype(np.float64)
        return np.divide(self.sums, counts, out=np.full_like(self.sums, np.nan), where=counts > 0)

    @staticmethod
    def merge(parts: Sequence["TimeBins"]) -> "TimeBins":
        """Average over disjoint groups of ions of one trajectory."""
        if not parts:
            raise InputError("no ions were given, expected at least one block of positions")
        n_ions = sum(part.n_ions for part in parts)
        sums = np.sum([part.sums * (part.n_ions / n_ions) for part in parts], axis=0)
        return TimeBins(parts[0].lags, parts[0].n_frames, n_ions, sums, parts[0].counts)


def bin_edges(n_frames: int, n_bins: int) -> NDArray[np.int64]:
    """Return the first frame of each bin and the end of the last, (n_bins + 1,)."""
    return np.arange(n_bins + 1, dtype=np.int64) * n_frames // n_bins


def time_bins(positions: Positions, lags: ArrayLike, n_bins: int = 64) -> TimeBins:
    """File the squared displacements of all windows under the time bins of their middles.

    Parameters
    ----------
    positions : (n_ions, 3, n_frames) Å, unwrapped, or an iterable of such blocks; a dipole is (1, 3, n_frames)
    lags : (n_lags,) frames, increasing
    n_bins
        Number of bins; fewer where the trajectory has fewer frames.

    Returns
    -------
    TimeBins
    """
    parts = []
    for block in position_blocks(positions):
        n_frames = block.shape[2]
        chosen = checked_lags(lags, n_frames)
        edges = bin_edges(n_frames, max(1, min(n_bins, n_frames)))
        sums = _bin_sums(block, chosen, edges).sum(axis=0) / block.shape[0]
        parts.append(TimeBins(chosen, n_frames, block.shape[0], sums, _window_counts(n_frames, chosen, edges)))
    return TimeBins.merge(parts)


def _window_counts(n_frames: int, lags: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    first = np.maximum(edges[:-1, None] - lags // 2, 0)
    last = np.minimum(edges[1:, None] - lags // 2, n_frames - lags)
    return np.asarray(np.maximum(last - first, 0), dtype=np.int64)


@njit(parallel=True, cache=True, fastmath=_NAN_SAFE_FASTMATH)
def _bin_sums(x, lags, edges):  # type: ignore[no-untyped-def]
    """Sum Δ_a Δ_b over ions and over the windows of each bin: (n_groups, n_bins, n_lags, 6) float64."""
    n_ions, _, n_frames = x.shape
    n_sides = (n_ions + _SIDE - 1) // _SIDE
    out = np.zeros((_N_GROUPS, edges.size - 1, lags.size, 6))
    for group in prange(_N_GROUPS):
        if group < n_sides:
            memory = _aligned_room(3 * n_frames * min(_SIDE, n_ions), x)
            for first in range(group * _SIDE, n_ions, _N_GROUPS * _SIDE):
                width = min(_SIDE, n_ions - first)
                rows = memory[: 3 * n_frames * width].reshape((3, n_frames * width))
                _put_side_by_side(x[first : first + width], rows)
                _add_bins(rows, width, n_frames, lags, edges, out[group])
    return out


@njit(cache=True)
def _aligned_room(size, like):  # type: ignore[no-untyped-def]
    """Return an empty array of the type of another one, which begins at a cache line."""
    memory = np.empty(size + _LINE_BYTES // like.itemsize, like.dtype)
    first = (_LINE_BYTES - memory.ctypes.data % _LINE_BYTES) // like.itemsize
    return memory[first : first + size]


@njit(cache=True)
def _put_side_by_side(ions, rows):  # type: ignore[no-untyped-def]
    """Turn (n, 3, n_frames) into (3, n_frames · n), frame by frame: a lag is then a whole number of cache lines."""
    n, _, n_frames = ions.shape
    for axis in range(3):
        row = rows[axis]
        for start in range(0, n_frames, _PIECE):
            stop = min(start + _PIECE, n_frames)
            for i in range(n):
                given = ions[i, axis, start:stop]
                for t in range(stop - start):
                    row[(start + t) * n + i] = given[t]


@njit(cache=True, fastmath=_NAN_SAFE_FASTMATH)
def _add_bins(rows, width, n_frames, lags, edges, out):  # type: ignore[no-untyped-def]
    """Add the sums of a few ions; a piece of a bin stays in the caches while all lags pass over it."""
    for b in range(edges.size - 1):
        for piece in range(edges[b], edges[b + 1], _PIECE):
            piece_end = min(piece + _PIECE, edges[b + 1])
            for k in range(lags.size):
                m = lags[k]
                start = max(piece - m // 2, 0)
                stop = min(piece_end - m // 2, n_frames - m)
                if stop > start:
                    _add_products(rows, start * width, stop * width, m * width, out[b, k])


@njit(inline="always", fastmath=_NAN_SAFE_FASTMATH)
def _add_products(rows, a, b, shift, total):  # type: ignore[no-untyped-def]
    """Add Σ Δ_a Δ_b of numbers that are ``shift`` places apart; slices keep the loop free of tests of the index."""
    x0, y0, z0 = rows[0, a:b], rows[1, a:b], rows[2, a:b]
    x1, y1, z1 = rows[0, a + shift : b + shift], rows[1, a + shift : b + shift], rows[2, a + shift : b + shift]
    xx = yy = zz = yz = xz = xy = rows.dtype.type(0)
    for t in range(x0.size):
        dx = x1[t] - x0[t]
        dy = y1[t] - y0[t]
        dz = z1[t] - z0[t]
        xx += dx * dx
        yy += dy * dy
        zz += dz * dz
        yz += dy * dz
        xz += dx * dz
        xy += dx * dy
    total[0] += xx
    total[1] += yy
    total[2] += zz
    total[3] += yz
    total[4] += xz
    total[5] += xy
