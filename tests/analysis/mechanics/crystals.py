"""Stiffness tensors with the symmetry of real crystals, and stresses that follow from them exactly."""

import numpy as np

from mlip_sse.analysis.mechanics.strains import (
    deformation_gradient,
    second_piola_kirchhoff,
    strain_tensor,
    stress_tensor,
    stress_voigt,
)
from mlip_sse.units import EV_PER_A3_TO_GPA


def cubic(c11, c12, c44):
    stiffness = np.diag([c11 - c12] * 3 + [c44] * 3).astype(float)
    stiffness[:3, :3] += c12
    return stiffness


def hexagonal(c11, c12, c13, c33, c44):
    stiffness = np.diag([c11, c11, c33, c44, c44, 0.5 * (c11 - c12)]).astype(float)
    stiffness[0, 1] = stiffness[1, 0] = c12
    stiffness[:2, 2] = stiffness[2, :2] = c13
    return stiffness


def triclinic(seed):
    """Return a stable stiffness without symmetry."""
    half = np.random.default_rng(seed).normal(0, 4, (6, 6))
    return 0.5 * (half @ half.T + (half @ half.T).T) + 20 * np.eye(6)


def cubic_group():
    """Return the 24 proper rotations of a cube."""
    found = []
    for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        for signs in np.ndindex(2, 2, 2):
            matrix = np.zeros((3, 3))
            matrix[range(3), order] = 1 - 2 * np.array(signs)
            if np.linalg.det(matrix) > 0:
                found.append(matrix)
    return np.array(found)


def hexagonal_group():
    """Return the six rotations about z and the twofold axes across it."""
    turns = []
    for angle in np.pi / 3 * np.arange(6):
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        turns += [turn, turn @ np.diag([1.0, -1.0, -1.0])]
    return np.array(turns)


def some_rotation(seed):
    """Return a rotation drawn at random."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def measured(stiffness_gpa, strains, *, residual_gpa=0.0, quadratic=0.0, noise_gpa=0.0, seed=0):
    """Return stresses (n, 2, 6) in eV/Å³ of a crystal with St Venant's law, measured as a code measures them.

    The true (Cauchy) stress of the deformed cell is computed first and turned back, so that a slip in either shows.
    """
    rng = np.random.default_rng(seed)
    stresses = np.zeros((len(strains), 2, 6))
    for index, strain in enumerate(strains):
        for side, sign in enumerate((1.0, -1.0)):
            e = sign * strain
            law = stiffness_gpa @ e + residual_gpa * np.array([1, 1, 1, 0, 0, 0]) + quadratic * np.abs(e) ** 2
            law = (law + rng.normal(0, noise_gpa, 6)) / EV_PER_A3_TO_GPA
            f = deformation_gradient(strain_tensor(e))
            cauchy = f @ stress_tensor(law) @ f.T / np.linalg.det(f)
            stresses[index, side] = stress_voigt(second_piola_kirchhoff(cauchy, f))
    return stresses
