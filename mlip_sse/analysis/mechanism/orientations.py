"""Orientation of a rigid body in each frame, by optimal superposition of its bond vectors.

R(t) minimises Σ_k |v_k(t) - R(t) w_k|² over the proper rotations, w being the body's own shape. As a quaternion it is
the eigenvector of largest eigenvalue of Horn's symmetric 4 × 4 matrix, found by Jacobi's rotations. Ligands are told
apart: a jump between orientations that look alike is a rotation like any other.

References
----------
B. K. P. Horn, J. Opt. Soc. Am. A 4, 629 (1987), doi:10.1364/JOSAA.4.000629
"""

import math
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

__all__ = ["body_shapes", "orientations", "rotation_angles"]

_SWEEPS = 30
_NEGLIGIBLE = 1e-28


def orientations(
    bonds: NDArray[np.float64], shapes: NDArray[np.float64], ends: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the rotations that turn each body's shape into its bonds.

    Parameters
    ----------
    bonds : (n_units, n_frames, n_ligands, 3) Å
    shapes : (n_units, n_ligands, 3) Å, at least two of the vectors not along one line
    ends : (n_units,) frames in which the unit is whole

    Returns
    -------
    (n_units, n_frames, 4) unit quaternions (w, x, y, z), of the sign nearest to the frame before; zero from the unit's
    end on
    """
    out = np.zeros((*bonds.shape[:2], 4))
    _superpose(
        np.ascontiguousarray(bonds, dtype=np.float64),
        np.ascontiguousarray(shapes, dtype=np.float64),
        np.ascontiguousarray(ends, dtype=np.int64),
        out,
    )
    return out


def body_shapes(bonds: NDArray[np.float64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean bond vectors of each unit in its own body frame, which is that of its first frame.

    Parameters
    ----------
    bonds : (n_units, n_frames, n_ligands, 3) Å
    ends : (n_units,) frames in which the unit is whole, at least 1

    Returns
    -------
    (n_units, n_ligands, 3) Å
    """
    shapes = np.ascontiguousarray(bonds[:, 0])
    out = np.zeros_like(shapes)
    _mean_shape(np.ascontiguousarray(bonds), ends, orientations(bonds, shapes, ends), out)
    return out


def rotation_angles(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the angle in degrees between orientations, 0 to 180.

    Parameters
    ----------
    first, second : (..., 4) unit quaternions
    """
    overlap = np.abs((first * second).sum(axis=-1))
    return np.asarray(np.degrees(2.0 * np.arccos(np.minimum(overlap, 1.0))))


@nb.njit(cache=True)
def _superpose(bonds: Any, shapes: Any, ends: Any, out: Any) -> None:
    matrix, vectors = np.empty((4, 4)), np.empty((4, 4))
    for u in range(bonds.shape[0]):
        shape = shapes[u]
        for t in range(ends[u]):
            _horn(shape, bonds[u, t], matrix)
            best = _largest_eigenvector(matrix, vectors)
            sign = 1.0
            if t > 0:
                before = out[u, t - 1]
                overlap = 0.0
                for a in range(4):
                    overlap += before[a] * vectors[a, best]
                sign = -1.0 if overlap < 0.0 else 1.0
            for a in range(4):
                out[u, t, a] = sign * vectors[a, best]


@nb.njit(cache=True)
def _horn(shape: Any, bond: Any, matrix: Any) -> None:
    s = np.zeros((3, 3))
    for k in range(shape.shape[0]):
        for a in range(3):
            for b in range(3):
                s[a, b] += shape[k, a] * bond[k, b]
    matrix[0, 0] = s[0, 0] + s[1, 1] + s[2, 2]
    matrix[1, 1] = s[0, 0] - s[1, 1] - s[2, 2]
    matrix[2, 2] = s[1, 1] - s[0, 0] - s[2, 2]
    matrix[3, 3] = s[2, 2] - s[0, 0] - s[1, 1]
    matrix[0, 1] = matrix[1, 0] = s[1, 2] - s[2, 1]
    matrix[0, 2] = matrix[2, 0] = s[2, 0] - s[0, 2]
    matrix[0, 3] = matrix[3, 0] = s[0, 1] - s[1, 0]
    matrix[1, 2] = matrix[2, 1] = s[0, 1] + s[1, 0]
    matrix[1, 3] = matrix[3, 1] = s[2, 0] + s[0, 2]
    matrix[2, 3] = matrix[3, 2] = s[1, 2] + s[2, 1]


@nb.njit(cache=True)
def _largest_eigenvector(a: Any, v: Any) -> int:
    """Diagonalise a symmetric 4 × 4 matrix in place; return the column of v with the largest eigenvalue."""
    size = 0.0
    for i in range(4):
        for j in range(4):
            v[i, j] = 1.0 if i == j else 0.0
            size += a[i, j] * a[i, j]
    for _ in range(_SWEEPS):
        off = 0.0
        for i in range(3):
            for j in range(i + 1, 4):
                off += a[i, j] * a[i, j]
        if off <= _NEGLIGIBLE * size:
            break
        for p in range(3):
            for q in range(p + 1, 4):
                if a[p, q] != 0.0:
                    _turn(a, v, p, q)
    best = 0
    for i in range(1, 4):
        if a[i, i] > a[best, best]:
            best = i
    return best


@nb.njit(cache=True)
def _turn(a: Any, v: Any, p: int, q: int) -> None:
    """Make a[p, q] zero by one of Jacobi's rotations."""
    ratio = (a[q, q] - a[p, p]) / (2.0 * a[p, q])
    tangent = 1.0 / (abs(ratio) + math.sqrt(ratio * ratio + 1.0))
    if ratio < 0.0:
        tangent = -tangent
    c = 1.0 / math.sqrt(tangent * tangent + 1.0)
    s = tangent * c
    for k in range(4):
        akp, akq = a[k, p], a[k, q]
        a[k, p], a[k, q] = c * akp - s * akq, s * akp + c * akq
    for k in range(4):
        apk, aqk = a[p, k], a[q, k]
        a[p, k], a[q, k] = c * apk - s * aqk, s * apk + c * aqk
    for k in range(4):
        vkp, vkq = v[k, p], v[k, q]
        v[k, p], v[k, q] = c * vkp - s * vkq, s * vkp + c * vkq


@nb.njit(cache=True)
def _mean_shape(bonds: Any, ends: Any, quaternions: Any, out: Any) -> None:
    for u in range(bonds.shape[0]):
        for t in range(ends[u]):
            q = quaternions[u, t]
            w, x, y, z = q[0], q[1], q[2], q[3]
            for k in range(bonds.shape[2]):
                bond, total = bonds[u, t, k], out[u, k]
                bx, by, bz = bond[0], bond[1], bond[2]
                # the inverse rotation of a bond
                cx, cy, cz = 2.0 * (by * z - bz * y), 2.0 * (bz * x - bx * z), 2.0 * (bx * y - by * x)
                total[0] += (bx + w * cx + cy * z - cz * y) / ends[u]
                total[1] += (by + w * cy + cz * x - cx * z) / ends[u]
                total[2] += (bz + w * cz + cx * y - cy * x) / ends[u]
