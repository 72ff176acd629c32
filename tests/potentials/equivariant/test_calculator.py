"""The calculator of a network: what it refuses, and its spreads."""

import numpy as np
import pytest
from ase import Atoms

from mlip_sse.errors import InputError, RunError
from tests.potentials.equivariant.tiny import tiny_frames, tiny_potential

pytest.importorskip("torch")
pytest.importorskip("nequip")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", params=["nequip", "allegro"])
def potential(request, tmp_path_factory):
    return tiny_potential(request.param, tmp_path_factory.mktemp("fit") / "work", committee=2)


def test_an_unknown_element_is_refused(potential):
    atoms = Atoms("LiCl", positions=[[0, 0, 0], [2.4, 0, 0]], cell=[6] * 3, pbc=True)
    atoms.calc = potential.calculator()
    with pytest.raises(InputError, match="knows Li, P, S, not Cl"):
        atoms.get_potential_energy()
    with pytest.raises(InputError, match="knows Li, P, S, not Cl"):
        potential.lammps(["Li", "Cl"])


def test_a_molecule_is_refused(potential):
    atoms = Atoms("Li2", positions=[[0, 0, 0], [2.4, 0, 0]])
    atoms.calc = potential.calculator()
    with pytest.raises(InputError, match=r"set atoms\.pbc"):
        atoms.get_forces()


def test_forces_are_minus_the_gradient_of_the_energy(potential):
    atoms = tiny_frames(1, seed=8)[0].to_atoms()
    atoms.calc = potential.calculator(compiled=False)
    forces, step = atoms.get_forces(), 1e-4
    for atom, axis in ((0, 0), (5, 1), (11, 2)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, axis] += sign * step
            moved.calc = atoms.calc
            energies.append(moved.get_potential_energy())
        # Float64: the error is that of the central difference, of the order of step² times the third derivative.
        assert forces[atom, axis] == pytest.approx((energies[1] - energies[0]) / (2 * step), abs=1e-6)


def test_atoms_without_neighbours_have_their_element_s_energy(potential):
    atoms = Atoms("LiPS", positions=[[0, 0, 0], [10, 0, 0], [0, 10, 0]], cell=[20] * 3, pbc=True)
    atoms.calc = potential.calculator()
    assert atoms.get_potential_energy() == pytest.approx(sum(potential.network.energy_shifts), abs=1e-9)
    assert np.abs(atoms.get_forces()).max() == 0


def test_the_spread_is_the_standard_deviation_of_the_members(potential):
    atoms = tiny_frames(1, seed=8)[0].to_atoms()
    calculator = potential.calculator(compiled=False)
    members = [
        type(potential)(potential.recipe, potential.network, [weights] * 2, potential.card).calculator(compiled=False)
        for weights in potential.members
    ]
    forces = np.array([member.get_forces(atoms) for member in members])
    found = calculator.get_property("forces_std", atoms)
    assert found.shape == (12, 3)
    np.testing.assert_allclose(found, np.abs(forces[0] - forces[1]) / np.sqrt(2), atol=1e-12)
    np.testing.assert_array_equal(calculator.get_forces(atoms), forces[0])
    assert members[0].get_property("energy_std", atoms) == 0


def test_spreads_are_offered_only_by_a_committee_or_a_proxy(potential, tmp_path):
    alone = tiny_potential(potential.family, tmp_path / "work", training={"epochs": 1})
    assert "forces_std" not in alone.calculator().implemented_properties
    proxied = alone.with_uncertainty_of(potential)
    atoms = tiny_frames(1, seed=8)[0].to_atoms()
    found = proxied.calculator().get_property("forces_std", atoms)
    np.testing.assert_array_equal(found, potential.calculator().get_property("forces_std", atoms))
    np.testing.assert_array_equal(proxied.calculator().get_forces(atoms), alone.calculator().get_forces(atoms))


def test_a_missing_compiler_is_named(potential, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RunError, match=r"found no C\+\+ compiler \(no-such-compiler\)"):
        potential.lammps()
    assert not list(tmp_path.rglob("*.pt2"))
    with pytest.raises(InputError, match="found target 'mliap', expected one of ase, lammps"):
        potential.compile("mliap")


@pytest.mark.slow
def test_compiled_files_give_the_same_numbers_and_are_made_once(potential, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    eager, native = potential.calculator(compiled=False), potential.calculator(compiled=True)
    assert native.is_compiled
    assert potential.calculator().is_compiled
    for number in range(3):
        atoms = tiny_frames(number + 1, seed=number)[-1].to_atoms() * (1, 1, number + 1)
        assert native.get_potential_energy(atoms) == pytest.approx(eager.get_potential_energy(atoms), abs=1e-10)
        # Float64 on both sides; the bar between ASE and LAMMPS is 1e-5 eV/Å.
        np.testing.assert_allclose(native.get_forces(atoms), eager.get_forces(atoms), atol=1e-10)
        np.testing.assert_allclose(native.get_stress(atoms), eager.get_stress(atoms), atol=1e-12)
    lines = potential.lammps(["S", "Li"])
    assert lines.commands == (f"pair_style {potential.family}", "pair_coeff * * potential.nequip.pt2 S Li")
    (path,) = lines.files
    stamp = path.stat().st_mtime_ns
    assert potential.lammps().files == (path,)
    assert path.stat().st_mtime_ns == stamp
    assert len(list(tmp_path.rglob("*.pt2"))) == 2
