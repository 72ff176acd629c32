"""Isosurfaces of a periodic field, by marching tetrahedra, in fractional coordinates and so for a cell of any shape.

Each box of the grid is cut into the six tetrahedra around its diagonal; in each, the field is linear, so that the
surface has neither holes nor ambiguous cases.

References
----------
A. Doi, A. Koide, IEICE Trans. Inf. Syst. E74-D, 214 (1991) (marching tetrahedra)
"""

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError

__all__ = ["enclosing_level", "isosurface"]

_CUTS = {
    1: [([0, 1], [0, 2], [0, 3])],
    2: [([0, 2], [0, 3], [1, 3]), ([0, 2], [1, 3], [1, 2])],
    3: [([0, 3], [1, 3], [2, 3])],
}
"""Which edges the triangles cut, by the number of corners inside, which come first."""


def isosurface(values: NDArray[np.float64], level: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the surface on which a periodic field takes a value, cut at the faces of the cell.

    Parameters
    ----------
    values : (n_a, n_b, n_c), finite
        Point (i, j, k) lies at the fractions (i/n_a, j/n_b, k/n_c).
    level
        The value; without a surface where the field never crosses it.

    Returns
    -------
    points : (n_points, 3) fractions from 0 to 1
    triangles : (n_triangles, 3) places in the points; the normals of all point to lower values

    Raises
    ------
    InputError
        When the field is not finite.
    """
    if not np.isfinite(values).all():
        raise InputError("found a field that is not finite everywhere, expected one that is: replace what is unknown")
    field = np.pad(values, [(0, 1)] * 3, mode="wrap")
    flat, size = field.ravel(), np.array(values.shape)
    corners = _tetrahedra(field, level)
    if not len(corners):
        return np.empty((0, 3)), np.empty((0, 3), dtype=np.int64)
    inside = flat[corners] >= level
    corners = np.take_along_axis(corners, np.argsort(~inside, axis=1, kind="stable"), axis=1)  # those inside come first
    n_inside = inside.sum(axis=1)
    edges, outwards = [], []
    for number, cuts in _CUTS.items():
        chosen = corners[n_inside == number]
        where = np.stack(np.unravel_index(chosen, field.shape), axis=-1) / size
        away = where[:, number:].mean(axis=1) - where[:, :number].mean(axis=1)
        for cut in cuts:
            edges.append(np.sort(np.stack([chosen[:, pair] for pair in cut], axis=1), axis=2))
            outwards.append(away)
    pairs = np.concatenate(edges)
    keys, places = np.unique(pairs[..., 0] * flat.size + pairs[..., 1], return_inverse=True)
    low, high = keys // flat.size, keys % flat.size
    share = ((level - flat[low]) / (flat[high] - flat[low]))[:, None]
    start, stop = (np.column_stack(np.unravel_index(ends, field.shape)) / size for ends in (low, high))
    points = start + share * (stop - start)
    triangles = np.asarray(places, dtype=np.int64).reshape(-1, 3)
    a, b, c = (points[triangles[:, k]] for k in range(3))
    wrong = np.einsum("ij,ij->i", np.cross(b - a, c - a), np.concatenate(outwards)) < 0
    triangles[wrong] = triangles[wrong][:, ::-1]
    return points, triangles


def enclosing_level(values: NDArray[np.float64], share: float) -> float:
    """Return the level above which a share of the sum of all values lies.

    Parameters
    ----------
    values : (n_a, n_b, n_c), not negative
    share
        From 0 to 1.
    """
    falling = np.sort(values.ravel())[::-1]
    sums = np.cumsum(falling)
    place = min(int(np.searchsorted(sums, share * sums[-1])), len(falling) - 1)
    return float(0.5 * (falling[place] + falling[min(place + 1, len(falling) - 1)]))


def _tetrahedra(field: NDArray[np.float64], level: float) -> NDArray[np.int64]:
    """Return the corners of all tetrahedra that the surface crosses, (n, 4) places in the flattened field."""
    strides = np.array([field.shape[1] * field.shape[2], field.shape[2], 1])
    origins = np.arange(field.size).reshape(field.shape)[:-1, :-1, :-1].ravel()
    above = (field >= level).ravel()
    n_above = sum(above[origins + np.dot(corner, strides)].astype(np.int8) for corner in np.ndindex(2, 2, 2))
    origins = origins[(n_above > 0) & (n_above < 8)]
    found = []
    for path in permutations(range(3)):
        corners = origins[:, None] + np.concatenate([[0], np.cumsum(strides[list(path)])])
        mixed = above[corners].sum(axis=1)
        found.append(corners[(mixed > 0) & (mixed < 4)])
    return np.concatenate(found)
