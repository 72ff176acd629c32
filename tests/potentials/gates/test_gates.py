"""Each gate passes a sound potential and catches the one it is there for."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones

from mlip_sse.errors import InputError, RunError
from mlip_sse.potentials.gates import (
    CHEAP_GATES,
    GateResult,
    choose_structures,
    from_plain,
    run_gates,
    shipped_structures,
    to_plain,
)
from mlip_sse.potentials.gates.bonds import find_bonds, find_contacts, has_collapsed
from mlip_sse.potentials.gates.dynamics import md_stability, nve_drift
from mlip_sse.potentials.gates.repulsion import contact_distances, dimer_repulsion
from mlip_sse.structures import crystal
from tests.potentials.licl import label, licl_atoms, smooth_licl


@pytest.fixture(scope="module")
def smooth():
    return smooth_licl()


@pytest.fixture(scope="module")
def structures():
    return licl_atoms(2, seed=5, rattle=(0.05, 0.06))


class Changed(Calculator):
    """A calculator whose results another function changes."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, inner, change):
        super().__init__()
        self.inner, self.change = inner, change

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        results = {name: self.inner.get_property(name, atoms) for name in self.implemented_properties}
        self.results = self.change(results, atoms)


def spoilt(smooth, change, **card):
    """Return the potential with other results in ASE, its card changed."""
    return SimpleNamespace(
        card=replace(smooth.card, **card),
        calculator=lambda: Changed(smooth.calculator(), change),
        lammps=smooth.lammps,
    )


@pytest.mark.usefixtures("lammps")
class TestOnLammps:
    def test_a_sound_potential_passes_what_is_cheap(self, smooth, structures):
        results = run_gates(smooth, structures, CHEAP_GATES)
        assert [result.describe() for result in results.values() if not result.passed] == []
        assert json.loads(json.dumps({name: result.to_dict() for name, result in results.items()}))

    def test_forces_that_are_no_derivative(self, smooth, structures):
        def push(results, atoms):
            return {**results, "forces": results["forces"] + 0.005}

        results = run_gates(spoilt(smooth, push), structures, ["parity", "finite_differences"])
        assert not results["parity"].passed
        assert not results["finite_differences"].passed
        assert results["finite_differences"].found == pytest.approx(2.5, rel=0.05)  # 0.005 of 0.002 eV/Å
        assert "force on" in results["finite_differences"].reason

    def test_stress_of_the_other_sign(self, smooth, structures):
        def turned(results, atoms):
            return {**results, "stress": -results["stress"]}

        results = run_gates(spoilt(smooth, turned), structures, ["parity", "finite_differences"])
        assert not results["parity"].passed
        assert "stress component" in results["finite_differences"].reason

    def test_an_energy_that_is_not_extensive(self, smooth, structures):
        def squared(results, atoms):
            return {**results, "energy": results["energy"] + 1e-3 * np.sqrt(len(atoms))}

        result = run_gates(spoilt(smooth, squared), structures, ["extensivity"])["extensivity"]
        assert not result.passed

    def test_a_hole_at_short_range(self, smooth, structures):
        def hole(results, atoms):
            if len(atoms) == 2 and atoms.get_distance(0, 1) < 1.7:
                return {**results, "forces": -results["forces"]}
            return results

        result = dimer_repulsion(spoilt(smooth, hole), structures)
        assert not result.passed
        assert "Cl-Cl at 1.64 Å, 0.70 of its contact" in result.reason  # the strongest repulsion, turned around

    def test_a_lammps_that_does_not_run_is_a_failure_in_its_words(self, smooth, structures):
        def broken(elements=None):
            lines = smooth.lammps(elements)
            return replace(lines, commands=("pair_style no/such/style 8.0",))

        potential = SimpleNamespace(card=smooth.card, calculator=smooth.calculator, lammps=broken)
        result = run_gates(potential, structures, ["parity"])["parity"]
        assert not result.passed
        assert result.found is None
        assert "no/such/style" in result.reason
        assert "did not run" in result.describe()

    def test_energy_is_conserved(self, smooth, structures):
        result = nve_drift(spoilt(smooth, lambda r, a: r, temperature_k=(300.0, 600.0)), structures, duration_ps=1.0)
        assert result.found is not None
        assert result.found < 20  # of a picosecond, as meV/atom in 100 ps

    def test_friction_is_a_drift(self, smooth, structures):
        def rub(results, atoms):
            velocities = atoms.get_velocities()
            return {**results, "forces": results["forces"] - 0.5 * velocities}

        result = nve_drift(spoilt(smooth, rub, temperature_k=(300.0, 600.0)), structures, duration_ps=0.5)
        assert not result.passed
        assert result.found > 100


def test_bonds_of_polyanions_and_none_between_ions():
    sulfide = crystal("gamma_li3ps4" if "gamma_li3ps4" in _names() else _names_with("P", "S")[0])
    bonds = find_bonds(sulfide)
    symbols = np.array(sulfide.get_chemical_symbols())
    n_phosphorus = int((symbols == "P").sum())
    assert len(bonds) == 4 * n_phosphorus
    assert {frozenset(pair) for pair in symbols[bonds.pairs].tolist()} == {frozenset({"P", "S"})}
    assert not bonds.broken(sulfide).any()
    pulled = sulfide.copy()
    first, second = bonds.pairs[0]
    pulled.set_distance(first, second, 3.3, fix=0, mic=True)
    assert bonds.broken(pulled)[0]
    assert len(find_bonds(bulk("LiCl", "rocksalt", a=5.13))) == 0


def _names():
    from mlip_sse.structures import crystal_names

    return crystal_names()


def _names_with(*elements):
    from mlip_sse.structures import crystal_entry

    names = [name for name in _names() if crystal_entry(name).is_ordered]
    return [n for n in names if set(crystal(n).get_chemical_symbols()) == {"Li", *elements}]


def test_a_bond_across_the_boundary_is_not_broken():
    atoms = Atoms("PS", positions=[[0.1, 2, 2], [7.9, 2, 2.0]], cell=[10.0, 10, 10], pbc=True)
    atoms.positions[1, 0] = 10.1 - 2.0
    bonds = find_bonds(atoms)
    assert bonds.lengths.tolist() == pytest.approx([2.0])
    assert not bonds.broken(atoms).any()


def test_contacts_are_closer_than_what_is_left_of_an_old_bond():
    sulphur = Atoms("S2Li", positions=[[0.1, 2, 2], [8.0, 2, 2], [1.5, 2, 2]], cell=[10.0, 10, 10], pbc=True)
    assert find_contacts(sulphur).tolist() == [[0, 1]]  # 2.1 Å across the boundary; the ion makes no bond
    sulphur.positions[1, 0] = 7.6  # 2.5 Å: within reach of a bond that was there, too far for a new one
    assert len(find_contacts(sulphur)) == 0
    assert len(find_bonds(sulphur)) == 1
    assert len(find_contacts(bulk("Li", "bcc", a=3.4))) == 0


def test_collapsed_atoms_are_named():
    assert has_collapsed(bulk("LiCl", "rocksalt", a=5.13)) == ""
    assert has_collapsed(Atoms("LiS", positions=[[0, 0, 0], [1.2, 0, 0]], cell=[9.0] * 3, pbc=True)) == (
        "Li and S at 1.20 Å"
    )


def test_contacts_are_the_shortest_seen_or_from_radii():
    contacts = contact_distances(["Li", "Cl"], [bulk("LiCl", "rocksalt", a=5.0)])
    assert contacts["Cl", "Li"] == pytest.approx(2.5)
    assert contacts["Cl", "Cl"] == pytest.approx(1.15 * 2 * 1.02)  # 3.5 Å in the crystal is no contact


class Scripted:
    """Lennard-Jones argon, whose well can be made so deep that atoms fall into each other or fly apart."""

    def __init__(self, change=None, kelvin=50.0):
        inner = LennardJones(sigma=3.4, epsilon=0.0103, rc=8.0, smooth=True)
        self.card = SimpleNamespace(temperature_k=(10.0, kelvin), elements=("Ar",))
        self.calculator = lambda: inner if change is None else Changed(inner, change)


def test_a_run_that_holds():
    argon = bulk("Ar", a=5.4, cubic=True)
    result = md_stability(Scripted(), [argon], n_runs=2, duration_ps=0.4, timestep_fs=5.0)
    assert result.passed, result.reason
    assert (result.found, result.limit) == (0.4, 0.4)


def test_a_bond_that_breaks_is_named():
    """P and S are drawn apart so slowly that friction takes up the heat."""

    def draw(results, atoms):
        steps = atoms.positions[1::2] - atoms.positions[::2]
        pull = 0.05 * steps / np.linalg.norm(steps, axis=1)[:, None]
        forces = np.stack([-pull, pull], axis=1).reshape(-1, 3)
        return {"energy": 0.0, "forces": forces, "stress": np.zeros(6)}

    pairs = Atoms("PS", positions=[[1.0, 4, 4], [3.0, 4, 4]], cell=[12.0, 8, 8], pbc=True).repeat((2, 3, 4))
    result = md_stability(Scripted(draw), [pairs], n_runs=1, duration_ps=2.0, timestep_fs=5.0)
    assert not result.passed
    assert result.reason.startswith("run 1: broken: P ")
    assert 0.5 < result.found < 2.0


def test_a_run_that_heats_up_without_end():
    def repel(results, atoms):
        return {**results, "forces": results["forces"] + 2.0 * np.sign(atoms.get_velocities())}

    result = md_stability(Scripted(repel), [bulk("Ar", a=5.4, cubic=True)], duration_ps=1.0, timestep_fs=5.0)
    assert not result.passed
    assert result.found < 1.0
    assert "temperature reached" in result.reason or "a hole" in result.reason


def test_one_bad_run_of_several_is_enough():
    """The second run starts from a structure in which two atoms lie in each other."""
    fine = bulk("Ar", a=5.4, cubic=True)
    bad = fine.copy()
    bad.positions[1] = bad.positions[0] + [0.5, 0.0, 0.0]
    result = md_stability(Scripted(), [fine, bad], n_runs=2, duration_ps=0.2, timestep_fs=5.0)
    assert not result.passed
    assert result.found < 0.2
    assert result.reason.startswith("run 2: ")


def test_a_calculator_that_stops_is_a_failure():
    def stop(results, atoms):
        raise RunError("LAMMPS stopped: lost atoms")

    result = md_stability(Scripted(stop), [bulk("Ar", a=5.4, cubic=True)], n_runs=1, duration_ps=0.1)
    assert not result.passed
    assert "lost atoms" in result.reason


def test_the_calmest_frame_of_each_composition():
    atoms = licl_atoms(6, seed=1)
    frames = label(atoms, Labels())
    chosen = choose_structures(frames)
    assert len(chosen) == 1
    calmest = min(frames, key=lambda frame: float((frame.forces**2).mean()))
    np.testing.assert_allclose(chosen[0].positions, calmest.positions)
    again = from_plain(json.loads(json.dumps(to_plain(chosen))))
    assert again[0] == chosen[0]


class Labels:
    """A potential that says the distance from the origin is the force."""

    def calculator(self):
        class Far(Calculator):
            implemented_properties = ("energy", "forces", "stress")

            def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
                super().calculate(atoms, properties, system_changes)
                self.results = {"energy": 0.0, "forces": 0.01 * atoms.positions, "stress": np.zeros(6)}

        return Far()


def test_shipped_crystals_of_all_elements():
    potential = SimpleNamespace(card=SimpleNamespace(elements=("Li", "Cl")))
    assert {atoms.get_chemical_formula() for atoms in shipped_structures(potential)} == {"Cl4Li4"}
    with pytest.raises(InputError, match="--structure"):
        shipped_structures(SimpleNamespace(card=SimpleNamespace(elements=("Xe",))))


def test_wrong_names_and_no_structures_are_refused(smooth, structures):
    with pytest.raises(InputError, match="no gate 'partiy', expected some of parity"):
        run_gates(smooth, structures, ["partiy"])
    with pytest.raises(InputError, match="no structures"):
        run_gates(smooth, [])
    with pytest.raises(InputError, match="found Na"):
        run_gates(smooth, [bulk("NaCl", "rocksalt", a=5.6)])


def test_a_result_without_a_number_says_so():
    result = GateResult("parity", np.bool_(False), float("nan"), 1.0, "eV", "lost")
    assert result.found is None
    assert result.passed is False
