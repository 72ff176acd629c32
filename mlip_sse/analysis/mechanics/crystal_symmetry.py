"""What the symmetry of a crystal leaves of a tensor: its axes, its point group, its independent constants."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.analysis.mechanics.strains import mandel_rotation
from mlip_sse.errors import InputError
from mlip_sse.space_groups import symmetry_dataset

__all__ = ["CrystalSymmetry", "crystal_symmetry", "invariant_stiffnesses", "symmetrised_tensor"]


@dataclass(frozen=True, eq=False)
class CrystalSymmetry:
    """A crystal's symmetry in the Cartesian axes of its cell.

    Parameters
    ----------
    space_group
        International symbol and number, as ``Fm-3m (225)``.
    rotations : (n, 3, 3)
        The point group, proper or not, in Cartesian axes.
    standard_axes : (3, 3)
        Rows: the axes of the conventional cell as spglib lays them, in which the literature gives elastic constants.
    """

    space_group: str
    rotations: NDArray[np.float64]
    standard_axes: NDArray[np.float64]


def crystal_symmetry(
    cell: ArrayLike, scaled_positions: ArrayLike, numbers: Sequence[int], tolerance: float = 1e-2
) -> CrystalSymmetry:
    """Find the symmetry of a crystal.

    Parameters
    ----------
    cell : (3, 3) Å
        Lattice vectors as rows.
    scaled_positions : (n_atoms, 3)
        Fractional positions.
    numbers
        Atomic numbers.
    tolerance
        Distance in Å within which positions count as equal.

    Raises
    ------
    InputError
        When spglib finds no symmetry at all, as where two atoms overlap.
    """
    lattice = np.asarray(cell, dtype=np.float64)
    found = symmetry_dataset(lattice, scaled_positions, numbers, tolerance)
    if found is None:
        raise InputError(f"found no symmetry within {tolerance:g} Å, expected at least P1: do atoms overlap?")
    operations = np.unique(np.asarray(found.rotations), axis=0)
    columns = lattice.T
    turns = np.array([_orthogonal(columns @ each @ np.linalg.inv(columns)) for each in operations])
    axes = _orthogonal(np.asarray(found.std_rotation_matrix, dtype=np.float64))
    return CrystalSymmetry(f"{found.international} ({found.number})", turns, axes)


def invariant_stiffnesses(rotations: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return the independent elastic constants that a point group leaves, as matrices to be added up.

    Parameters
    ----------
    rotations : (n, 3, 3)
        The point group in Cartesian axes; the identity alone where not given.

    Returns
    -------
    (n_constants, 6, 6)
        Symmetric, in Mandel form, orthonormal in it: 3 for a cubic crystal, 21 without symmetry.
    """
    basis = _symmetric_matrices()
    group = np.eye(3)[None] if rotations is None else np.asarray(rotations, dtype=np.float64)
    projector = np.zeros((len(basis), len(basis)))
    for rotation in group:
        turn = mandel_rotation(rotation)
        projector += np.einsum("aij,bij->ab", basis, turn @ basis @ turn.T)
    values, vectors = np.linalg.eigh(0.5 * (projector + projector.T) / len(group))
    kept = vectors[:, values > 0.5]  # a projector has 0 and 1 alone
    return np.asarray(np.einsum("ak,aij->kij", kept, basis))


def symmetrised_tensor(tensor: ArrayLike, rotations: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return the mean of tensors (..., 3, 3) over a point group (n, 3, 3)."""
    values = np.asarray(tensor, dtype=np.float64)
    if rotations is None:
        return values
    group = np.asarray(rotations, dtype=np.float64)
    return np.asarray(np.einsum("nij,...jk,nlk->...il", group, values, group, optimize=True) / len(group))


def _symmetric_matrices() -> NDArray[np.float64]:
    """Return an orthonormal basis (21, 6, 6) of symmetric matrices."""
    matrices = []
    for row in range(6):
        for column in range(row, 6):
            matrix = np.zeros((6, 6))
            matrix[row, column] = matrix[column, row] = 1.0 if row == column else np.sqrt(0.5)
            matrices.append(matrix)
    return np.array(matrices)


def _orthogonal(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation nearest to a matrix; a cell off its symmetry by the tolerance gives nearly one."""
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ right)
