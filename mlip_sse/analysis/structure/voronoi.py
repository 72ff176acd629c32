"""Voronoi cells of atoms in a periodic cell: who shares a facet with whom, and how large it is (qhull, by scipy).

The cell is surrounded by as many of its images as are needed: a facet can only be cut by a point that lies within twice
the distance of the farthest corner of the atom's own cell. A library with voro++ inside would be faster, and would end
the process where LAMMPS, which brings another voro++, has been loaded before it.
"""

from itertools import product

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial import Voronoi

from mlip_sse.analysis.structure.cells import cell_widths
from mlip_sse.analysis.structure.neighbours import Neighbours
from mlip_sse.errors import InputError

__all__ = ["voronoi_neighbours"]

_FIRST_MARGIN = 2.2  # of the mean distance of atoms
_GROWTH = 1.4
_SMALLEST_AREA = 1e-6  # of the largest: facets as small as that are opened by rounding


def voronoi_neighbours(
    positions: NDArray[np.floating], cell: NDArray[np.floating]
) -> tuple[Neighbours, NDArray[np.float64]]:
    """Return the atoms that share a facet of their Voronoi cells, and the facets' areas in Å².

    Parameters
    ----------
    positions : (n_atoms, 3) Å
    cell : (3, 3) Å

    Raises
    ------
    InputError
        When there is no atom, or two lie on top of each other.
    """
    rows: NDArray[np.float64] = np.asarray(cell, dtype=np.float64)
    fractions: NDArray[np.float64] = np.asarray(positions, dtype=np.float64) @ np.linalg.inv(rows)
    fractions -= np.floor(fractions)
    n_atoms = len(fractions)
    if not n_atoms:
        raise InputError("found no atom, expected at least one")
    margin = _FIRST_MARGIN * float(np.cbrt(abs(np.linalg.det(rows)) / n_atoms))
    while True:
        points, owners, shifts = _surrounded(fractions, rows, margin)
        tessellation = Voronoi(points)
        reach = _farthest_corner(tessellation, points, n_atoms)
        if 2.0 * reach <= margin:
            break
        margin = max(_GROWTH * margin, min(2.0 * reach, 4.0 * margin) * 1.001)
    ridges = np.asarray(tessellation.ridge_points, dtype=np.int64)
    corners, offsets = _flat(tessellation.ridge_vertices)
    areas = _areas(tessellation.vertices, corners, offsets)
    inside = (ridges < n_atoms).any(axis=1)  # beyond, at the rim, facets may be of any size
    inside &= areas > _SMALLEST_AREA * areas[inside].max()
    one, other, areas = ridges[inside, 0], ridges[inside, 1], areas[inside]
    first = np.concatenate([one[one < n_atoms], other[other < n_atoms]])
    second = np.concatenate([other[one < n_atoms], one[other < n_atoms]])
    facets = np.concatenate([areas[one < n_atoms], areas[other < n_atoms]])
    vectors = (fractions[owners[second]] + shifts[second] - fractions[first]) @ rows
    lengths = np.linalg.norm(vectors, axis=1)
    if lengths.min() < 1e-6:
        raise InputError("found two atoms on top of each other, expected atoms at least 1e-6 Å apart")
    order = np.argsort(first, kind="stable")
    starts = np.searchsorted(first[order], np.arange(n_atoms + 1)).astype(np.int64)
    near = Neighbours(starts, owners[second[order]], np.ascontiguousarray(vectors[order]), lengths[order])
    return near, facets[order]


def _surrounded(
    fractions: NDArray[np.float64], cell: NDArray[np.float64], margin: float
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the atoms, then their images within a margin of the cell: points in Å, whose they are, and the shifts."""
    reach = margin / cell_widths(cell)
    n_images = np.ceil(reach).astype(int)
    all_owners, all_shifts = [np.arange(len(fractions))], [np.zeros((len(fractions), 3))]
    for shift in product(*(range(-n, n + 1) for n in n_images)):
        if not any(shift):
            continue
        moved = fractions + shift
        near = np.flatnonzero(((moved >= -reach) & (moved <= 1.0 + reach)).all(axis=1))
        all_owners.append(near)
        all_shifts.append(np.broadcast_to(np.array(shift, dtype=np.float64), (len(near), 3)))
    owners, shifts = np.concatenate(all_owners), np.concatenate(all_shifts)
    return (fractions[owners] + shifts) @ cell, owners.astype(np.int64), shifts


def _farthest_corner(tessellation: Voronoi, points: NDArray[np.float64], n_atoms: int) -> float:
    """Return the largest distance of an atom from a corner of its cell; infinite where a cell is open."""
    farthest = 0.0
    for atom in range(n_atoms):
        region = tessellation.regions[tessellation.point_region[atom]]
        if not region or -1 in region:
            return np.inf
        arms = tessellation.vertices[region] - points[atom]
        farthest = max(farthest, float(np.einsum("ij,ij->i", arms, arms).max()))
    return float(np.sqrt(farthest))


def _flat(ridges: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    offsets = np.zeros(len(ridges) + 1, dtype=np.int64)
    np.cumsum([len(ridge) for ridge in ridges], out=offsets[1:])
    return np.fromiter((corner for ridge in ridges for corner in ridge), dtype=np.int64, count=offsets[-1]), offsets


@njit(cache=True)
def _areas(
    vertices: NDArray[np.float64], corners: NDArray[np.int64], offsets: NDArray[np.int64]
) -> NDArray[np.float64]:
    # half the length of the sum of cross products around each facet, whose corners are in order; 0 for an open one
    areas = np.zeros(len(offsets) - 1)
    for facet in range(len(areas)):
        around = corners[offsets[facet] : offsets[facet + 1]]
        x = y = z = 0.0
        is_open = around.min() < 0
        for k in range(1, len(around) - 1):
            if is_open:
                break
            a = vertices[around[k]] - vertices[around[0]]
            b = vertices[around[k + 1]] - vertices[around[0]]
            x += a[1] * b[2] - a[2] * b[1]
            y += a[2] * b[0] - a[0] * b[2]
            z += a[0] * b[1] - a[1] * b[0]
        areas[facet] = 0.5 * np.sqrt(x * x + y * y + z * z)
    return areas
