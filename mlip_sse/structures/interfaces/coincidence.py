"""Coincidence-site lattices of cubic crystals: rotations that keep part of a lattice, and cells that planes share."""

from collections.abc import Sequence
from itertools import product
from math import gcd, isqrt

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.structures.interfaces.cutting import Slab
from mlip_sse.structures.interfaces.lattice_planes import Miller, reduce_plane, row_basis
from mlip_sse.structures.interfaces.matching import LatticeMatch

__all__ = ["LARGEST_SIGMA", "coincidence_match", "coincidence_rotations", "whole_indices"]

LARGEST_SIGMA = 999


def coincidence_rotations(axis: Sequence[int], sigma: int) -> list[tuple[NDArray[np.int64], float]]:
    """Return the rotations about an axis, up to half a turn, whose cubic coincidence lattice has this sigma.

    With whole m, n without common factor, tan(θ/2) = (n/m) |u| and m² + n² |u|² = Σ times a power of two.

    Returns
    -------
    list of (matrix, angle), smallest angle first
        Σ R, (3, 3) whole numbers, ``R @ vector`` turns a vector; θ in radians.

    Raises
    ------
    InputError
        When no rotation about the axis gives this sigma.

    References
    ----------
    S. Ranganathan, Acta Crystallogr. 21, 197 (1966), doi:10.1107/S0365110X66002615
    """
    u = np.array(whole_indices(axis), dtype=np.int64)
    square = int(u @ u)
    if sigma == 1:
        return [(np.eye(3, dtype=np.int64), 0.0)]
    generators = _generators(square, sigma)
    if not generators:
        offered = [other for other in range(3, 60, 2) if _generators(square, other)][:8]
        raise InputError(
            f"grain boundary: no rotation about [{' '.join(map(str, axis))}] has sigma {sigma}, expected one of "
            f"{', '.join(map(str, offered))} or a larger one: change sigma or axis"
        )
    cross = np.array([[0, -u[2], u[1]], [u[2], 0, -u[0]], [-u[1], u[0], 0]])
    found = []
    for m, n in generators:
        whole = (m * m - n * n * square) * np.eye(3, dtype=np.int64) + 2 * n * n * np.outer(u, u) + 2 * m * n * cross
        angle = 2 * float(np.arctan2(n * np.sqrt(square), m))
        found.append((np.asarray(whole * sigma // (m * m + n * n * square)), angle))
    return sorted(found, key=lambda rotation: rotation[1])


def coincidence_match(
    lower: Slab, upper: Slab, rotation: NDArray[np.float64], min_width: float, max_atoms: int
) -> LatticeMatch:
    """Return the smallest cell that the planes of both grains share, repeated until it is wide enough.

    Parameters
    ----------
    lower, upper
        Slabs of one crystal.
    rotation : (3, 3)
        Turns the crystal of the lower grain into that of the upper one, ``rotation @ vector``.
    min_width
        Å, least distance between opposite sides of the cell.
    max_atoms
        Atoms of both slabs.

    Raises
    ------
    InputError
        When the planes share no lattice, or there are too many atoms.
    """
    turn = (lower.rotation @ rotation @ upper.rotation.T)[:2, :2]
    ratio = upper.plane @ turn.T @ np.linalg.inv(lower.plane)
    denominator = next(
        (d for d in range(1, 4 * LARGEST_SIGMA) if np.abs(d * ratio - np.rint(d * ratio)).max() < 1e-6 * d), None
    )
    if denominator is None:
        raise InputError("grain boundary: the planes share no lattice, expected a cubic crystal: look at its cell")
    rows = np.array([*product(range(denominator), repeat=2), (denominator, 0), (0, denominator)])
    shared = rows[np.all(rows @ np.rint(denominator * ratio).astype(np.int64) % denominator == 0, axis=1)]
    cell = reduce_plane(row_basis(shared) @ upper.plane @ turn.T)
    if np.linalg.det(cell) < 0:
        cell[1] *= -1
    widths = np.linalg.det(cell) / np.linalg.norm(cell[::-1], axis=1)
    cell = np.diag(np.maximum(1, np.ceil(min_width / widths - 1e-6))) @ cell
    along = cell[0] / np.linalg.norm(cell[0])
    frame = np.array([[along[0], -along[1]], [along[1], along[0]]])
    numbers = [np.rint(cell @ np.linalg.inv(plane)).astype(np.int64) for plane in (lower.plane, upper.plane @ turn.T)]
    n_cells = [round(float(np.linalg.det(number))) for number in numbers]
    n_atoms = n_cells[0] * len(lower.atoms) + n_cells[1] * len(upper.atoms)
    if n_atoms > max_atoms:
        raise InputError(
            f"grain boundary: the coincidence cell of this plane has {np.linalg.det(cell):.0f} Å² and needs {n_atoms} "
            f"atoms, expected at most {max_atoms}: thinner grains, a smaller min_width, or raise max_atoms"
        )
    common = cell @ frame
    common[0, 1] = 0.0
    return LatticeMatch(numbers[0], numbers[1], common, frame, turn.T @ frame, n_atoms)


def whole_indices(indices: Sequence[int]) -> Miller:
    """Return indices without common factor."""
    values = [int(index) for index in indices]
    divisor = gcd(*values)
    return values[0] // divisor, values[1] // divisor, values[2] // divisor


def _generators(square: int, sigma: int) -> list[tuple[int, int]]:
    """Return m, n of every rotation about an axis of squared length ``square`` that has this sigma.

    The sum m² + n² |u|² is sigma, or two or four times it.
    """
    return [
        (m, n)
        for n in range(1, isqrt(4 * sigma // square) + 1)
        for m in range(isqrt(4 * sigma) + 1)
        if gcd(m, n) == 1 and m * m + n * n * square in (sigma, 2 * sigma, 4 * sigma)
    ]
