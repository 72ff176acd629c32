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
        return SiteGrid(shape, *_lists(sites, vectors, heights, shape, limit, np.full(shape.prod(), limit)))
    factor, widening = (1 + strain) / (1 - strain), 2 * half + 1e-9
    limit = 1.2 * float(abs(np.linalg.det(cell)) / len(sites)) ** (1 / 3) + 2 * half
    while True:
        nearest = np.full(shape.prod(), np.inf)
        _visit(sites, vectors, shape, _spans(limit, heights, shape), limit, _NEAREST, nearest, *_NOTHING)
        needed = factor * (nearest.max() + widening)
        if needed <= limit or limit > heights.sum():
            limits = np.minimum(factor * (nearest + widening), limit)
            return SiteGrid(shape, *_lists(sites, vectors, heights, shape, limit, limits))
        limit = 1.1 * needed if np.isfinite(needed) else 1.3 * limit


_NEAREST, _COUNT, _LIST = 0, 1, 2
_NOTHING = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)


def _spans(limit: float, heights: NDArray[np.float64], shape: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many voxels along each vector a sphere of the radius ``limit`` may touch."""
    reach = np.ceil(limit / heights * shape).astype(np.int64) + 1
    return np.minimum(2 * reach + 1, shape)


def _lists(
    sites: NDArray[np.float64],
    cell: NDArray[np.float64],
    heights: NDArray[np.float64],
    shape: NDArray[np.int64],
    limit: float,
    limits: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the offsets and candidates of all voxels; ``limits`` are those of each voxel, none above ``limit``."""
    spans = _spans(limit, heights, shape)
    counts = np.zeros(len(limits), dtype=np.int64)
    _visit(sites, cell, shape, spans, limit, _COUNT, limits, counts, _NOTHING[1])
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    listed = np.empty(offsets[-1], dtype=np.int64)
    _visit(sites, cell, shape, spans, limit, _LIST, limits, offsets[:-1].copy(), listed)
    return offsets, listed


@njit(cache=True)
def _visit(
    sites: NDArray[np.float64],
    cell: NDArray[np.float64],
    shape: NDArray[np.int64],
    spans: NDArray[np.int64],
    limit: float,
    task: int,
    distances: NDArray[np.float64],
    places: NDArray[np.int64],
    listed: NDArray[np.int64],
) -> None:
    """Go through all voxels near each site: their nearest distance, the number of their sites, or the sites."""
    for site in range(sites.shape[0]):
        a = int(np.floor(sites[site, 0] * shape[0])) - spans[0] // 2
        b = int(np.floor(sites[site, 1] * shape[1])) - spans[1] // 2
        c = int(np.floor(sites[site, 2] * shape[2])) - spans[2] // 2
        for i in range(a, a + spans[0]):
            u = sites[site, 0] - (i + 0.5) / shape[0]
            u -= np.floor(u + 0.5)
            for j in range(b, b + spans[1]):
                v = sites[site, 1] - (j + 0.5) / shape[1]
                v -= np.floor(v + 0.5)
                for k in range(c, c + spans[2]):
                    w = sites[site, 2] - (k + 0.5) / shape[2]
                    w -= np.floor(w + 0.5)
                    x = u * cell[0, 0] + v * cell[1, 0] + w * cell[2, 0]
                    y = u * cell[0, 1] + v * cell[1, 1] + w * cell[2, 1]
                    z = u * cell[0, 2] + v * cell[1, 2] + w * cell[2, 2]
                    distance = np.sqrt(x * x + y * y + z * z)
                    if distance > limit:
                        continue
                    voxel = ((i % shape[0]) * shape[1] + j % shape[1]) * shape[2] + k % shape[2]
                    if task == 0:
                        if distance < distances[voxel]:
                            distances[voxel] = distance
                    elif distance <= distances[voxel]:
                        if task == 2:
                            listed[places[voxel]] = site
                        places[voxel] += 1
