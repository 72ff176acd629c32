"""Counts that the van Hove functions are made of: displacements by length, and others where an ion was.

Self and distinct part, with the time origins t₀ averaged over,

    4π r² G_s(r, t) = (1/N) Σ_i ⟨δ(r - |r_i(t₀ + t) - r_i(t₀)|)⟩                      in 1/Å, its integral is 1
    G_d(r, t) = (1/N) Σ_{i ≠ j} ⟨δ(r - [r_j(t₀ + t) - r_i(t₀)])⟩ = ρ g_d(r, t)         ρ = (N - 1)/V

The self part is taken of unwrapped positions, so that neither the shape of the cell nor its breathing enters. For the
distinct part the pair's fractional distance is brought to its nearest image and multiplied by the cell at t₀ + t, whose
volume also normalises it: an ideal gas of any size in any cell has g_d = 1. Up to half the smallest height of the cell
the nearest image of a pair is found by rounding, whatever the angles.

References
----------
L. van Hove, Phys. Rev. 95, 249 (1954), doi:10.1103/PhysRev.95.249
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from mlip_sse.analysis.structure.rdf import cell_widths
from mlip_sse.analysis.transport.displacement.lags import checked_lags
from mlip_sse.errors import InputError

__all__ = ["DistinctCounts", "distinct_counts", "refuse_long_radius", "self_counts", "shell_volumes"]


@dataclass(frozen=True, eq=False)
class DistinctCounts:
    """What the distinct kernel counts.

    Parameters
    ----------
    values : (n_lags, n_bins) g_d
    near_by_ion : (n_lags, n_ions)
        Mean number of others within the refill radius of where each ion was, over the origins.
    near_by_origin : (n_lags, n_origins)
        The same, over the ions.
    origins : (n_lags, n_origins) frames
    random : float
        The number expected in a gas, ρ 4π/3 r³.
    """

    values: NDArray[np.float64]
    near_by_ion: NDArray[np.float64]
    near_by_origin: NDArray[np.float64]
    origins: NDArray[np.int64]
    random: float


def self_counts(
    blocks: Iterable[NDArray[np.floating]], lags: ArrayLike, r_max: float, n_bins: int
) -> NDArray[np.int64]:
    """Count displacements by length, over all ions and time origins.

    Parameters
    ----------
    blocks : (n_ions, 3, n_frames) Å each, unwrapped, as of `Trajectory.ion_blocks`
    lags : (n_lags,) frames, increasing
    r_max
        End of the last bin in Å; longer displacements are counted in one bin more.
    n_bins
        Number of bins.

    Returns
    -------
    (n_lags, n_bins + 1)
    """
    if not (r_max > 0 and n_bins > 0):
        raise InputError(f"found r_max {r_max:g} Å and {n_bins} bins, expected both positive")
    total: NDArray[np.int64] | None = None
    for block in blocks:
        if block.ndim != 3 or block.shape[1] != 3:
            raise InputError(f"positions have shape {block.shape}, expected (n_ions, 3, n_frames)")
        chosen = checked_lags(lags, block.shape[2])
        counts = _self_counts(np.ascontiguousarray(block, dtype=np.float32), chosen, float(r_max), int(n_bins))
        total = counts if total is None else total + counts
    if total is None:
        raise InputError("no ions were given, expected at least one block of positions")
    return total


def distinct_counts(
    centres: NDArray[np.float64],
    others: NDArray[np.float64] | None,
    cells: NDArray[np.float64],
    lags: ArrayLike,
    r_max: float,
    n_bins: int,
    n_origins: int = 50,
    near: float = 1.0,
) -> DistinctCounts:
    """Count who is where an ion was a lag before.

    Parameters
    ----------
    centres : (n_frames, n_ions, 3) fractions
        The ions at the origin.
    others : (n_frames, n_others, 3) fractions, or None
        The ions a lag later; None where they are the same ions, of which an ion itself is left out.
    cells : (n_frames, 3, 3) Å, rows are the cell vectors
    lags : (n_lags,) frames, increasing
    r_max
        Å, at most half the smallest height of every cell.
    n_bins
        Number of shells.
    n_origins
        Evenly spaced time origins of each lag; all where there are fewer.
    near
        Refill radius in Å.

    Raises
    ------
    InputError
        When ``r_max`` reaches beyond the nearest images, or there are no pairs.
    """
    n_frames, n_ions = centres.shape[:2]
    same = others is None
    later = centres if others is None else others
    n_pairs = n_ions * (later.shape[1] - same)
    if n_pairs < 1:
        raise InputError(f"found {n_ions} ions and {later.shape[1]} others, expected at least one pair")
    refuse_long_radius(max(r_max, near), cells)
    chosen = checked_lags(lags, n_frames)
    n_origins = min(n_origins, int(n_frames - chosen[-1]))
    origins = np.stack([np.linspace(0, n_frames - lag - 1, n_origins).round().astype(np.int64) for lag in chosen])
    volumes = np.abs(np.linalg.det(cells))
    counts, by_ion, by_origin = _distinct_counts(
        np.ascontiguousarray(centres), np.ascontiguousarray(later), np.ascontiguousarray(cells), volumes, chosen,
        origins, float(r_max), int(n_bins), float(near), same,
    )  # fmt: skip
    values = counts / (n_origins * n_pairs * shell_volumes(r_max, n_bins))
    density = n_pairs / n_ions / float(volumes.mean())
    random = density * 4.0 / 3.0 * np.pi * near**3
    return DistinctCounts(values, by_ion / n_origins, by_origin / n_ions, origins, random)


def refuse_long_radius(r_max: float, cells: NDArray[np.float64]) -> None:
    """Refuse a radius beyond half the smallest height of any of the cells.

    Raises
    ------
    InputError
        With the radius and the largest that the cells allow.
    """
    height = min(float(cell_widths(cell).min()) for cell in np.unique(cells.reshape(-1, 9), axis=0).reshape(-1, 3, 3))
    if r_max > 0.5 * height * (1 + 1e-9):
        raise InputError(
            f"found r_max {r_max:.4g} Å in a cell of smallest height {height:.4g} Å, expected at most half of it, "
            f"{0.5 * height:.4g} Å: choose a smaller r_max or a larger cell"
        )


def shell_volumes(r_max: float, n_bins: int) -> NDArray[np.float64]:
    """Return the volumes of the shells, (n_bins,) Å³."""
    edges = np.linspace(0.0, r_max, n_bins + 1)
    return np.asarray(4.0 / 3.0 * np.pi * np.diff(edges**3))


@njit(cache=True, fastmath={"contract", "reassoc", "nsz", "arcp"})
def _self_counts(positions, lags, r_max, n_bins):  # type: ignore[no-untyped-def]
    """Count by length: (n_lags, n_bins + 1).

    Bins are found in one vectorised loop and counted in another, which alternates between two histograms, because two
    increments of one bin in a row would wait for each other.
    """
    n_ions, _, n_frames = positions.shape
    out = np.empty((lags.size, n_bins + 1), np.int64)
    scale, last = np.float32(n_bins / r_max), np.float32(n_bins)
    bins = np.empty(n_frames, np.int32)
    for k in range(lags.size):
        lag = lags[k]
        n = n_frames - lag
        half = n // 2
        found = bins[:n]
        left, right = found[:half], found[half : 2 * half]
        first, second = np.zeros(n_bins + 1, np.int64), np.zeros(n_bins + 1, np.int64)
        for i in range(n_ions):
            x0, y0, z0 = positions[i, 0, :n], positions[i, 1, :n], positions[i, 2, :n]
            x1, y1, z1 = positions[i, 0, lag:], positions[i, 1, lag:], positions[i, 2, lag:]
            for t in range(n):
                dx, dy, dz = x1[t] - x0[t], y1[t] - y0[t], z1[t] - z0[t]
                found[t] = np.int32(min(np.sqrt(dx * dx + dy * dy + dz * dz) * scale, last))
            for t in range(half):
                first[left[t]] += 1
                second[right[t]] += 1
            if n % 2:
                first[found[n - 1]] += 1
        for b in range(n_bins + 1):
            out[k, b] = first[b] + second[b]
    return out


@njit(cache=True, fastmath={"contract", "reassoc", "nsz", "arcp"})
def _distinct_counts(  # type: ignore[no-untyped-def]
    centres, others, cells, volumes, lags, origins, r_max, n_bins, near, same
):
    """Sum V over the pairs of each shell, (n_lags, n_bins), and count near ones by ion and by origin."""
    n_ions, n_others, n_origins = centres.shape[1], others.shape[1], origins.shape[1]
    shells = np.zeros((lags.size, n_bins))
    by_ion = np.zeros((lags.size, n_ions))
    by_origin = np.zeros((lags.size, n_origins))
    scale, limit, close = n_bins / r_max, max(r_max, near) ** 2, near * near
    squares, later = np.empty(n_others), np.empty((3, n_others))
    for k in range(lags.size):
        for o in range(n_origins):
            start = origins[k, o]
            stop = start + lags[k]
            cell, volume = cells[stop], volumes[stop]
            for j in range(n_others):
                for axis in range(3):
                    later[axis, j] = others[stop, j, axis]
            for i in range(n_ions):
                _squared_distances(later, centres[start, i], cell, squares)
                if same:
                    squares[i] = 2.0 * limit
                for j in range(n_others):
                    if squares[j] < limit:
                        shell = int(np.sqrt(squares[j]) * scale)
                        if shell < n_bins:
                            shells[k, shell] += volume
                        if squares[j] < close:
                            by_ion[k, i] += 1.0
                            by_origin[k, o] += 1.0
    return shells, by_ion, by_origin


@njit(cache=True, fastmath={"contract", "reassoc", "nsz", "arcp"})
def _squared_distances(later, centre, cell, squares):  # type: ignore[no-untyped-def]
    """Squared distances of nearest images by rounding, vectorised over the others."""
    u0, v0, w0 = centre[0], centre[1], centre[2]
    us, vs, ws = later[0], later[1], later[2]
    for j in range(squares.size):
        u, v, w = us[j] - u0, vs[j] - v0, ws[j] - w0
        u -= np.rint(u)
        v -= np.rint(v)
        w -= np.rint(w)
        x = u * cell[0, 0] + v * cell[1, 0] + w * cell[2, 0]
        y = u * cell[0, 1] + v * cell[1, 1] + w * cell[2, 1]
        z = u * cell[0, 2] + v * cell[1, 2] + w * cell[2, 2]
        squares[j] = x * x + y * y + z * z
