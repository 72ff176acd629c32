"""What every family of potentials must do; a test module of a family subclasses `ContractSuite` and gives fixtures.

    @pytest.fixture(scope="module")
    def potential(): ...            # a Potential

    @pytest.fixture(scope="module")
    def structures(): ...           # periodic Atoms; `small_and_sheared` makes the awkward ones of a crystal

    class TestPod(ContractSuite):
        pass

Tolerances are those of double precision; a family that computes in single precision raises them, and says so.
"""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from scipy.spatial.transform import Rotation

from mlip_sse.errors import InputError
from mlip_sse.potentials import load_potential
from mlip_sse.potentials.gates.deck_check import static_by_program
from mlip_sse.units import EV_PER_A3_TO_GPA

PARITY_FORCE, PARITY_STRESS_GPA = 1e-5, 1e-4  # the bars of the design


def small_and_sheared(crystal: Atoms, seed: int = 0) -> list[Atoms]:
    """Return rattled copies: as it is (best with an edge below twice the cutoff), triclinic, and strongly tilted."""
    rng = np.random.default_rng(seed)
    found = []
    for shear in (
        np.zeros((3, 3)),
        0.06 * rng.uniform(-1, 1, (3, 3)),
        np.array([[0, 0, 0], [0.45, 0, 0], [0.3, 0, 0]]),
    ):
        atoms = crystal.copy()
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.02 * rng.uniform(-1, 1, (3, 3))), scale_atoms=True)
        atoms.set_cell(atoms.cell.array + shear @ atoms.cell.array, scale_atoms=False)
        atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
        found.append(atoms)
    return found


def evaluate(potential, atoms):
    """Return energy (eV), forces (eV/Å) and stress (eV/Å³) of a copy, from a calculator of its own."""
    copy = atoms.copy()
    copy.calc = potential.calculator()
    return copy.get_potential_energy(), copy.get_forces(), copy.get_stress()


class StaticContract:
    """Forces, stress, symmetries and files."""

    energy_tolerance = 1e-8  # eV/atom
    force_tolerance = 1e-7  # eV/Å, of what must be the same
    difference_step = 1e-4  # Å, and as a strain
    difference_tolerance = 1e-5  # eV/Å, and of stress times volume in eV/atom, against differences

    def test_forces_are_the_derivative_of_the_energy(self, potential, structures):
        for atoms in structures:
            _, forces, _ = evaluate(potential, atoms)
            copy = atoms.copy()
            copy.calc = potential.calculator()
            chosen = [0, len(atoms) // 2, len(atoms) - 1]
            slow = calculate_numerical_forces(copy, eps=self.difference_step, iatoms=chosen)
            np.testing.assert_allclose(forces[chosen], slow, atol=self.difference_tolerance)

    def test_stress_is_the_derivative_of_the_energy(self, potential, structures):
        for atoms in structures:
            _, _, stress = evaluate(potential, atoms)
            copy = atoms.copy()
            copy.calc = potential.calculator()
            slow = calculate_numerical_stress(copy, eps=self.difference_step)
            per_atom = atoms.get_volume() / len(atoms)
            np.testing.assert_allclose(stress * per_atom, slow * per_atom, atol=self.difference_tolerance)

    def test_rotation_turns_forces_and_stress(self, potential, structures):
        turn = Rotation.from_euler("xyz", [37, -61, 112], degrees=True).as_matrix()
        for atoms in structures:
            energy, forces, stress = evaluate(potential, atoms)
            turned = atoms.copy()
            turned.set_cell(atoms.cell.array @ turn.T, scale_atoms=False)
            turned.positions = atoms.positions @ turn.T
            energy_turned, forces_turned, stress_turned = evaluate(potential, turned)
            assert energy_turned == pytest.approx(energy, abs=self.energy_tolerance * len(atoms))
            np.testing.assert_allclose(forces_turned, forces @ turn.T, atol=self.force_tolerance)
            tensor = turn @ stress[[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3) @ turn.T
            per_atom = atoms.get_volume() / len(atoms)
            expected = tensor[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
            np.testing.assert_allclose(stress_turned * per_atom, expected * per_atom, atol=10 * self.force_tolerance)

    def test_order_of_atoms_and_choice_of_images_do_not_matter(self, potential, structures):
        rng = np.random.default_rng(1)
        for atoms in structures:
            energy, forces, stress = evaluate(potential, atoms)
            order = rng.permutation(len(atoms))
            other = atoms[order]
            other.positions += rng.integers(-1, 2, (len(atoms), 3)) @ atoms.cell.array + [0.3, -0.2, 0.1]
            energy_other, forces_other, stress_other = evaluate(potential, other)
            assert energy_other == pytest.approx(energy, abs=self.energy_tolerance * len(atoms))
            np.testing.assert_allclose(forces_other, forces[order], atol=self.force_tolerance)
            per_atom = atoms.get_volume() / len(atoms)
            np.testing.assert_allclose(stress_other * per_atom, stress * per_atom, atol=10 * self.force_tolerance)

    def test_a_supercell_has_the_energy_of_its_cells(self, potential, structures):
        """Also for cells whose edge is below twice the cutoff, where an atom sees several images of another."""
        for atoms in structures:
            energy, forces, stress = evaluate(potential, atoms)
            energy_big, forces_big, stress_big = evaluate(potential, atoms.repeat((2, 1, 2)))
            assert energy_big / 4 == pytest.approx(energy, abs=self.energy_tolerance * len(atoms))
            np.testing.assert_allclose(forces_big, np.tile(forces, (4, 1)), atol=self.force_tolerance)
            per_atom = atoms.get_volume() / len(atoms)
            np.testing.assert_allclose(stress_big * per_atom, stress * per_atom, atol=10 * self.force_tolerance)

    def test_saved_and_loaded_it_is_the_same(self, potential, structures, tmp_path):
        folder = potential.save(tmp_path / "saved")
        again = load_potential(folder)
        assert again.card.elements == potential.card.elements
        for atoms in structures:
            for mine, loaded in zip(evaluate(potential, atoms), evaluate(again, atoms), strict=True):
                np.testing.assert_allclose(loaded, mine, rtol=1e-12, atol=1e-12)

    def test_an_element_it_does_not_know_is_refused(self, potential, structures):
        stranger = structures[0].copy()
        stranger.symbols[0] = "Xe"
        with pytest.raises(InputError, match="Xe"):
            evaluate(potential, stranger)
        with pytest.raises(InputError, match="Xe"):
            potential.lammps([*potential.card.elements, "Xe"])

    def test_repr_is_one_short_line(self, potential):
        assert "\n" not in repr(potential)
        assert len(repr(potential)) < 200


class LammpsContract:
    """The same numbers from the program ``lmp``."""

    def test_ase_equals_lammps(self, potential, structures):
        lines = potential.lammps()
        for atoms in structures:
            energy, forces, stress = evaluate(potential, atoms)
            program = static_by_program(atoms, lines)
            assert program.energy == pytest.approx(energy, abs=PARITY_FORCE * len(atoms))
            np.testing.assert_allclose(program.forces, forces, atol=PARITY_FORCE)
            np.testing.assert_allclose(
                program.stress * EV_PER_A3_TO_GPA, stress * EV_PER_A3_TO_GPA, atol=PARITY_STRESS_GPA
            )

    def test_other_order_of_types_in_lammps(self, potential, structures):
        lines = potential.lammps(potential.card.elements[::-1])
        assert lines.elements == tuple(potential.card.elements[::-1])
        energy, forces, _ = evaluate(potential, structures[0])
        program = static_by_program(structures[0], lines)
        assert program.energy == pytest.approx(energy, abs=PARITY_FORCE * len(structures[0]))
        np.testing.assert_allclose(program.forces, forces, atol=PARITY_FORCE)


class ContractSuite(StaticContract, LammpsContract):
    """All of it; a family whose model must be compiled for LAMMPS marks the second half as slow."""
