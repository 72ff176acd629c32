"""A grid over the cell: for each voxel the few sites that an ion inside it can belong to.

The lists are made once for the mean cell, with a margin for the strain of the frames, so that assigning an ion costs a
look-up and one to three distances however many sites there are.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.errors import InputError

__all__ = ["SiteGrid", "largest_strain", "site_grid"]

_VOXEL = 0.8
"""Å; edge of a voxel, about half a radius: fewer candidates than distances worth saving."""

_MOST_VOXELS = 2_000_000


@dataclass(frozen=True, eq=False)
class SiteGrid:
    """Candidates of each voxel.

    Parameters
    ----------
    shape : (3,) voxels along the cell vectors
    offsets : (n_voxels + 1,) first candidate of each voxel
    candidates : (n_pairs,) sites
    """

    shape: NDArray[np.int64]
    offsets: NDArray[np.int64]
    candidates: NDArray[np.int64]


def largest_strain(cells: NDArray[np.float64], mean: NDArray[np.float64]) -> float:
    """Return the largest principal strain of the cells against their mean."""
    if (cells == cells[0]).all():
        return 0.0
    stretched = np.linalg.svd(np.linalg.inv(mean) @ cells, compute_uv=False)
    return float(np.abs(stretched - 1).max())


def site_grid(
    fractional: NDArray[np.float64], cell: NDArray[np.float64], reach: float | None, strain: float = 0.0
) -> SiteGrid:
    """List the sites that matter in each voxel.

    Parameters
    ----------
    fractional : (n_sites, 3) fractions of the cell vectors
    cell : (3, 3) Å, Minkowski-reduced
    reach
        Å; sites within this distance of any point of the voxel are listed. None lists those that are the nearest of
        some point.
    strain
        Largest strain of a frame against ``cell``.

    Raises
    ------
    InputError
        When the cell varies too much.
    """
    if not 0 <= strain < 0.3:
        raise InputError(f"the cell varies by {strain:.0%} around its mean, expected less than 30 %: cut the run")
    sites, vectors = np.ascontiguousarray(fractional), np.ascontiguousarray(cell)
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    edge = max(_VOXEL, (heights.prod() / _MOST_VOXELS) ** (1 / 3))
    shape = np.maximum(1, np.ceil(heights / edge)).astype(np.int64)
    corners = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]) * 0.5
    half = float(np.linalg.norm((corners / shape) @ cell, axis=1).max())
    if reach is not None:
        limit = reach * (1 + 2 * strain) + half + 1e-9
        return SiteGrid(shape, *_list_candidates(sites, vectors, heights, shape, limit, -1.0, 0.0)[:2])
    factor = (1 + strain) / (1 - strain)
    limit = 1.2 * float(abs(np.linalg.det(cell)) / len(sites)) ** (1 / 3) + 2 * half
    while True:
        listed = _list_candidates(sites, vectors, heights, shape, limit, factor, 2 * half + 1e-9)
        if listed[2] <= limit or limit > heights.sum():
            return SiteGrid(shape, listed[0], listed[1])
        limit = 1.3 * limit


@njit(cache=True)
def _list_candidates(
    fractional: NDArray[np.float64],
    cell: NDArray[np.float64],
    heights: NDArray[np.float64],
    shape: NDArray[np.int64],
    limit: float,
    factor: float,
    widening: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64], float]:
    """Sites within ``limit`` of a voxel's centre; of these, factor > 0, only those that can be the nearest.

    Returns offsets, candidates and the distance that the lists had to reach (infinite where a voxel stayed empty).
    """
    n_voxels = shape[0] * shape[1] * shape[2]
    nearest = np.full(n_voxels, np.inf)
    counts = np.zeros(n_voxels + 1, np.int64)
    listed = np.empty(0, np.int64)
    needed = 0.0
    spans = np.empty(3, np.int64)
    for axis in range(3):
        span = int(np.ceil(limit / heights[axis] * shape[axis])) + 1
        spans[axis] = min(2 * span + 1, shape[axis])
    for turn in range(3):  # nearest of each voxel, number of its candidates, its candidates
        for site in range(len(fractional)):
            start = np.empty(3, np.int64)
            for axis in range(3):
                start[axis] = int(np.floor(fractional[site, axis] * shape[axis])) - spans[axis] // 2
            for i in range(start[0], start[0] + spans[0]):
                for j in range(start[1], start[1] + spans[1]):
                    for k in range(start[2], start[2] + spans[2]):
                        u = fractional[site, 0] - (i + 0.5) / shape[0]
                        v = fractional[site, 1] - (j + 0.5) / shape[1]
                        w = fractional[site, 2] - (k + 0.5) / shape[2]
                        u -= np.rint(u)
                        v -= np.rint(v)
                        w -= np.rint(w)
                        x = u * cell[0, 0] + v * cell[1, 0] + w * cell[2, 0]
                        y = u * cell[0, 1] + v * cell[1, 1] + w * cell[2, 1]
                        z = u * cell[0, 2] + v * cell[1, 2] + w * cell[2, 2]
                        distance = np.sqrt(x * x + y * y + z * z)
                        if distance > limit:
                            continue
                        voxel = ((i % shape[0]) * shape[1] + j % shape[1]) * shape[2] + k % shape[2]
                        if turn == 0:
                            nearest[voxel] = min(nearest[voxel], distance)
                        elif factor < 0 or distance <= factor * (nearest[voxel] + widening):
                            if turn == 1:
                                counts[voxel + 1] += 1
                            else:
                                counts[voxel] -= 1
                                listed[counts[voxel]] = site
        if turn == 0 and factor > 0:
            needed = factor * (nearest.max() + widening)
        if turn == 1:
            counts = np.cumsum(counts)
            listed = np.empty(counts[-1], np.int64)
            counts[:-1] = counts[1:]
    return counts, listed, needed
