"""Isosurfaces of a periodic field in a cell of any shape, by marching tetrahedra.

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

__all__ = ["isosurface"]


def isosurface(
    values: NDArray[np.float64], cell: NDArray[np.float64], level: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the surface on which a periodic field takes a value, cut at the faces of the cell.

    Parameters
    ----------
    values : (n_a, n_b, n_c), finite
    cell : (3, 3) Å
    level
        The value.

    Returns
    -------
    vertices : (n_vertices, 3) Å
    triangles : (n_triangles, 3) places in the vertices; the normals of all point to lower values

    Raises
    ------
    InputError
        When the field never crosses the level, or is not finite.
    """
    if not np.isfinite(values).all():
        raise InputError("found a field that is not finite everywhere, expected one that is: replace what is unknown")
    if not values.min() < level <= values.max():
        raise InputError(
            f"found the level {level:.4g} outside the field's range from {values.min():.4g} to {values.max():.4g}"
        )
    field = np.pad(values, [(0, 1)] * 3, mode="wrap")
    corners = _tetrahedra(field, level)
    flat = field.ravel()
    points = np.column_stack(np.unravel_index(np.arange(flat.size), field.shape)) / np.array(values.shape) @ cell
    inside = flat[corners] >= level
    corners = np.take_along_axis(corners, np.argsort(~inside, axis=1, kind="stable"), axis=1)  # those inside come first
    n_inside = inside.sum(axis=1)
    edges, outwards = [], []
    for number, cuts in _CUTS.items():
        chosen = corners[n_inside == number]
        away = points[chosen[:, number:]].mean(axis=1) - points[chosen[:, :number]].mean(axis=1)
        for cut in cuts:
            edges.append(np.sort(np.stack([chosen[:, pair] for pair in cut], axis=1), axis=2))
            outwards.append(away)
    pairs, outward = np.concatenate(edges), np.concatenate(outwards)
    keys, places = np.unique(pairs[..., 0] * flat.size + pairs[..., 1], return_inverse=True)
    low, high = keys // flat.size, keys % flat.size
    share = (level - flat[low]) / (flat[high] - flat[low])
    vertices = points[low] + share[:, None] * (points[high] - points[low])
    triangles = np.asarray(places, dtype=np.int64).reshape(-1, 3)
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    wrong = np.einsum("ij,ij->i", np.cross(b - a, c - a), outward) < 0
    triangles[wrong] = triangles[wrong][:, ::-1]
    return vertices, triangles


_CUTS = {
    1: [([0, 1], [0, 2], [0, 3])],
    2: [([0, 2], [0, 3], [1, 3]), ([0, 2], [1, 3], [1, 2])],
    3: [([0, 3], [1, 3], [2, 3])],
}
"""Which edges the triangles cut, by the number of corners inside, which come first."""


def _tetrahedra(field: NDArray[np.float64], level: float) -> NDArray[np.int64]:
    """Return the corners of all tetrahedra that the surface crosses, (n, 4) places in the flattened field."""
    strides = np.array([field.shape[1] * field.shape[2], field.shape[2], 1])
    origins = np.arange(field.size).reshape(field.shape)[:-1, :-1, :-1].ravel()
    above = (field >= level).ravel()
    n_above = sum(above[origins + np.dot(corner, strides)].astype(np.int8) for corner in np.ndindex(2, 2, 2))
    origins = origins[(n_above > 0) & (n_above < 8)]
    found = []
    for path in permutations(range(3)):
        steps = np.concatenate([[0], np.cumsum(strides[list(path)])])
        corners = origins[:, None] + steps
        mixed = above[corners].sum(axis=1)
        found.append(corners[(mixed > 0) & (mixed < 4)])
    return np.concatenate(found)
