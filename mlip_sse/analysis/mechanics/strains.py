"""Strains and stresses in Voigt order (xx, yy, zz, yz, xz, xy), and what a rotation does to them.

Strains carry engineering shears (twice the tensor's), stresses do not: the vectors' product is an energy density. In
the Mandel form both carry √2 on the shears; rotations are then orthogonal 6 × 6 matrices and eigenvalues of a stiffness
mean the same in every frame.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.errors import InputError

__all__ = [
    "MANDEL",
    "deformation_gradient",
    "full_stiffness",
    "mandel_rotation",
    "rotated_stiffness",
    "second_piola_kirchhoff",
    "strain_tensor",
    "strain_voigt",
    "stress_tensor",
    "stress_voigt",
    "to_mandel",
]

_ROWS = np.array([0, 1, 2, 1, 0, 0])
_COLUMNS = np.array([0, 1, 2, 2, 2, 1])
_PLACE = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])

MANDEL = np.array([1.0, 1.0, 1.0, np.sqrt(2.0), np.sqrt(2.0), np.sqrt(2.0)])
"""A stress times these, or a strain divided by them after its shears were doubled, is its Mandel form."""


def strain_tensor(voigt: ArrayLike) -> NDArray[np.float64]:
    """Return the tensors (..., 3, 3) of strains (..., 6) with engineering shears."""
    return stress_tensor(np.asarray(voigt, dtype=np.float64) * np.array([1, 1, 1, 0.5, 0.5, 0.5]))


def strain_voigt(tensor: ArrayLike) -> NDArray[np.float64]:
    """Return strains (..., 6) with engineering shears of tensors (..., 3, 3)."""
    return np.asarray(stress_voigt(tensor) * np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0]))


def stress_tensor(voigt: ArrayLike) -> NDArray[np.float64]:
    """Return the tensors (..., 3, 3) of stresses (..., 6)."""
    return np.asarray(voigt, dtype=np.float64)[..., _PLACE]


def stress_voigt(tensor: ArrayLike) -> NDArray[np.float64]:
    """Return stresses (..., 6) of symmetric tensors (..., 3, 3)."""
    return np.asarray(tensor, dtype=np.float64)[..., _ROWS, _COLUMNS]


def deformation_gradient(lagrangian: ArrayLike) -> NDArray[np.float64]:
    """Return the deformation without rotation, F = √(1 + 2E), that has a Lagrangian strain.

    Parameters
    ----------
    lagrangian : (3, 3)
        E = (FᵀF − 1)/2.

    Returns
    -------
    (3, 3)
        Lattice vectors as rows, h, become h Fᵀ.

    Raises
    ------
    InputError
        When a length would shrink to nothing.
    """
    values, vectors = np.linalg.eigh(np.eye(3) + 2.0 * np.asarray(lagrangian, dtype=np.float64))
    if values[0] <= 0.0:
        raise InputError(f"found a strain with 1 + 2E = {values[0]:.3g}, expected positive: choose a smaller strain")
    return np.asarray((vectors * np.sqrt(values)) @ vectors.T)


def second_piola_kirchhoff(cauchy: ArrayLike, deformation: ArrayLike) -> NDArray[np.float64]:
    """Return the stress that belongs to the Lagrangian strain, S = det(F) F⁻¹ σ F⁻ᵀ, as a tensor.

    Parameters
    ----------
    cauchy : (3, 3) any unit
        The true stress σ, positive in tension.
    deformation : (3, 3)
        F.
    """
    gradient = np.asarray(deformation, dtype=np.float64)
    inverse = np.linalg.inv(gradient)
    return np.asarray(np.linalg.det(gradient) * inverse @ np.asarray(cauchy, dtype=np.float64) @ inverse.T)


def to_mandel(stiffness: ArrayLike) -> NDArray[np.float64]:
    """Return the Mandel form of a stiffness (6, 6, Voigt)."""
    return np.asarray(np.asarray(stiffness, dtype=np.float64) * np.outer(MANDEL, MANDEL))


def mandel_rotation(rotation: ArrayLike) -> NDArray[np.float64]:
    """Return the orthogonal (6, 6) matrix that rotates stresses and strains in Mandel form."""
    turn = np.asarray(rotation, dtype=np.float64)
    units = np.zeros((6, 3, 3))
    for index, (row, column) in enumerate(zip(_ROWS, _COLUMNS, strict=True)):
        units[index, row, column] = units[index, column, row] = 1.0 if row == column else np.sqrt(0.5)
    return np.asarray(np.einsum("aij,ik,bkl,jl->ab", units, turn, units, turn, optimize=True))


def rotated_stiffness(stiffness: ArrayLike, rotation: ArrayLike) -> NDArray[np.float64]:
    """Return a stiffness (6, 6, Voigt) in axes that are the rows of ``rotation``."""
    turn = mandel_rotation(rotation)
    return np.asarray(turn @ to_mandel(stiffness) @ turn.T / np.outer(MANDEL, MANDEL))


def full_stiffness(stiffness: ArrayLike) -> NDArray[np.float64]:
    """Return the tensor (3, 3, 3, 3) of a stiffness (6, 6, Voigt)."""
    voigt = np.asarray(stiffness, dtype=np.float64)
    return np.asarray(voigt[_PLACE[:, :, None, None], _PLACE[None, None, :, :]])
