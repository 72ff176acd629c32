"""Phonons of a crystal from the forces of displaced atoms, by phonopy, with any calculator.

Without Born charges: the splitting of longitudinal and transverse optical modes near Γ is missing.
"""

from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.errors import MissingExtraError, RunError

__all__ = ["mesh_of", "phonon_frequencies", "require_phonopy"]


def require_phonopy() -> None:
    """Refuse where phonopy is not installed."""
    try:
        import phonopy  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("quasi_harmonic", "phonons") from error


def mesh_of(atoms: Atoms, length: float) -> tuple[int, int, int]:
    """Return the points q along each reciprocal vector: as many as the cell fits into a length in Å."""
    first, second, third = (max(1, round(length / float(side))) for side in atoms.cell.lengths())
    return first, second, third


def phonon_frequencies(
    atoms: Atoms,
    calculator: Any,
    *,
    min_width_a: float = 9.0,
    displacement_a: float = 0.03,
    mesh: tuple[int, int, int] = (8, 8, 8),
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return frequencies on a mesh of q points centred at Γ.

    Parameters
    ----------
    atoms
        A relaxed crystal.
    calculator
        An ASE calculator with forces.
    min_width_a
        Least width of the supercell whose atoms are displaced.
    displacement_a
        How far.
    mesh
        Points q along each reciprocal vector.

    Returns
    -------
    frequencies : (n_q, 3 n_atoms) THz, ω/2π, negative where imaginary
    weights : (n_q,)

    Raises
    ------
    MissingExtraError
        When phonopy is not installed.
    RunError
        When a force is not finite.
    """
    require_phonopy()
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    unit = PhonopyAtoms(
        symbols=atoms.get_chemical_symbols(), cell=atoms.cell.array, scaled_positions=atoms.get_scaled_positions()
    )
    phonons = Phonopy(unit, supercell_matrix=np.diag(_repeats(atoms, min_width_a)), primitive_matrix=np.eye(3))
    phonons.generate_displacements(distance=displacement_a)
    forces = []
    for each in phonons.supercells_with_displacements:
        moved = Atoms(each.symbols, cell=each.cell, scaled_positions=each.scaled_positions, pbc=True)
        moved.calc = calculator
        forces.append(np.array(moved.get_forces(), dtype=np.float64))
        if not np.isfinite(forces[-1]).all():
            raise RunError("found a force that is not finite, expected phonons of a relaxed crystal: relax it first")
    phonons.forces = forces
    phonons.produce_force_constants()
    phonons.symmetrize_force_constants()
    phonons.run_mesh(list(mesh), is_gamma_center=True, is_mesh_symmetry=False)
    found = phonons.mesh
    return np.asarray(found.frequencies, np.float64), np.asarray(found.weights, np.float64)


def _repeats(atoms: Atoms, min_width_a: float) -> list[int]:
    widths = 1.0 / np.linalg.norm(atoms.cell.reciprocal().array, axis=1)
    return [int(n) for n in np.ceil(min_width_a / widths - 1e-9)]
