"""Energies of interfaces: a crystal on itself costs nothing, strain is kept apart, tasks say what a calculator says."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write

from mlip_sse.errors import InputError, MissingExtraError, RunError, SpecError
from mlip_sse.md_protocols import (
    InterfaceEnergySpec,
    InterfaceSpec,
    interface_energies,
    load_protocol,
    relax_atoms,
    run_interface_energy,
)
from mlip_sse.md_protocols.interface_energy import interface_energies_of
from mlip_sse.md_protocols.interface_parts import Convergence, Part, RelaxedPart, relax_part
from mlip_sse.md_protocols.interface_specs import InterfaceEnergySettings
from mlip_sse.structures.interfaces import InterfaceSettings, build_interfaces

TIGHT = {"fmax": 1e-3, "stress_tolerance_gpa": 1e-3}
ARGON = {
    "description": "argon on argon",
    "protocol": "interface_energy",
    "interface": {
        "a": {"file": "argon.cif", "miller": [1, 0, 0], "thickness_a": 15.5},
        "b": {"file": "argon.cif", "miller": [1, 0, 0], "thickness_a": 15.5},
        "max_area_a2": 30.0,
        "min_width_a": 0.0,
    },
    "potential": "argon_lennard_jones",
    "gaps_a": [2.2, 2.65, 3.2],
    **TIGHT,
}


@pytest.fixture(scope="module")
def copper():
    """Return copper at rest in EMT."""
    return bulk("Cu", cubic=True, a=3.58982559)


@pytest.fixture(scope="module")
def nickel():
    """Return nickel at rest in EMT, 3 % shorter."""
    return bulk("Ni", cubic=True, a=3.48714426)


def build(a, b, **changes):
    settings = {"miller_a": (1, 0, 0), "miller_b": (1, 0, 0), "thickness_a": 7, "thickness_b": 7, "max_area": 60.0}
    settings |= {"min_width": 0.0}
    return build_interfaces(a, b, InterfaceSettings(**{**settings, **changes}))[0]


def as_built(interface, *gaps_a, configuration=None):
    """Return the energies of parts that stay as they are built: what is summed up is the same."""

    def evaluate(parts):
        return {name: relax_part(Part(part.atoms, (), part.side), EMT(), Convergence()) for name, part in parts.items()}

    return interface_energies_of(interface, evaluate, settings(*gaps_a), configuration)


def settings(*gaps_a, **changes):
    return InterfaceEnergySettings(**{**TIGHT, "gaps_a": gaps_a, **changes})


def test_a_crystal_on_itself_costs_nothing_and_two_surfaces_to_pull_apart(copper):
    spacing = copper.cell[0, 0] / 2
    found = interface_energies(build(copper, copper, max_area=14.0), EMT(), settings(1.5, spacing, 2.2))
    assert abs(found.formation.chemical.value) < 1e-9
    assert found.formation.strain.value == 0.0
    assert found.strain_ev_atom == (0.0, 0.0)
    assert found.work_of_adhesion.value == pytest.approx(2 * found.surface_ev_a2[0], rel=1e-9)
    assert found.surface_ev_a2[0] == found.surface_ev_a2[1] > 0
    best = max(found.gaps, key=lambda point: point.adhesion_ev_a2)
    assert best.gap_a == spacing
    # Of these rigid slabs; they relax a little once they are apart.
    assert best.adhesion_ev_a2 == pytest.approx(found.work_of_adhesion.value, rel=1e-3)


def test_with_vacuum_the_free_surfaces_are_taken_off(copper):
    spacing = copper.cell[0, 0] / 2
    found = interface_energies(build(copper, copper, max_area=14.0, vacuum=12.0), EMT(), settings(spacing))
    # The slab of double thickness is relaxed, its halves too: 1e-3 eV/Å over eight planes of one atom in 26 Å².
    assert abs(found.formation.chemical.value) < 1e-5
    assert found.work_of_adhesion.value == pytest.approx(2 * found.surface_ev_a2[0], abs=1e-5)


def test_strain_is_apart_from_chemistry_and_grows_with_thickness(copper, nickel):
    thin = build(copper, nickel, max_area=14.0, strained="b")
    thick = build(copper, nickel, max_area=14.0, strained="b", thickness_b=14)
    found, other = (as_built(each, 1.8, 2.1) for each in (thin, thick))
    for each, interface in ((found, thin), (other, thick)):
        assert abs(each.strain_ev_atom[0]) < 1e-9
        assert each.strain_ev_atom[1] > 1e-3
        of_b = each.strain_ev_atom[1] * (interface.side == 1).sum()
        assert each.formation.strain.value == pytest.approx(of_b / (2 * interface.area))
    assert other.strain_ev_atom[1] == pytest.approx(found.strain_ev_atom[1], rel=1e-6)
    ratio = (thick.side == 1).sum() / (thin.side == 1).sum()
    assert ratio > 1.5
    assert other.formation.strain.value == pytest.approx(ratio * found.formation.strain.value, rel=1e-6)
    assert other.formation.chemical.value == pytest.approx(found.formation.chemical.value, abs=2e-3)
    # W = γ_a + γ_b − γ, all of them against the same strained bulks.
    for each in (found, other):
        wanted = sum(each.surface_ev_a2) - each.formation.chemical.value
        assert each.work_of_adhesion.value == pytest.approx(wanted, abs=1e-12)
    assert [reason.split(",")[0] for reason in found.verdict.reasons] == ["a side is 5.4 Å thick"]
    ends = as_built(thin, 1.2, 1.4, 1.6).verdict
    assert ends.reasons[0] == "the best gap, 1.6 Å, is an end of the scan: add gaps_a beyond it"


def test_the_reaction_energy_is_that_of_the_configuration(copper, nickel):
    """Layers that have changed places: the energy they gain or lose, by each atom near an interface."""
    interface = build(copper, nickel, max_area=14.0)
    plain = as_built(interface, 1.9)
    whole = 2 * interface.area * plain.work_of_adhesion.value
    assert plain.reaction_ev_atom.value == pytest.approx(-whole / plain.n_interface_atoms)
    mixed = plain.parts["interface"].atoms.copy()
    heights = mixed.positions[:, 2]
    top_a = np.flatnonzero((interface.side == 0) & (heights > heights[interface.side == 0].max() - 0.5))
    low_b = np.flatnonzero((interface.side == 1) & (heights < heights[interface.side == 1].min() + 0.5))
    one, two = top_a[0], low_b[0]
    mixed.positions[[one, two]] = mixed.positions[[two, one]]
    found = as_built(interface, 1.9, configuration=mixed)
    energies = {name: part.energy_ev for name, part in found.parts.items()}
    gained = energies["configuration"] - energies["slab_a"] - energies["slab_b"]
    assert found.reaction_ev_atom.value == pytest.approx(gained / found.n_interface_atoms)
    assert energies["configuration"] != pytest.approx(energies["interface"], abs=1e-3)
    assert found.work_of_adhesion.value == pytest.approx(plain.work_of_adhesion.value, rel=1e-6)


def test_a_configuration_of_other_atoms_is_refused(copper):
    interface = build(copper, copper, max_area=14.0)
    with pytest.raises(
        InputError, match=r"configuration: found Cu\d+, expected the atoms of the interface in their order"
    ):
        interface_energies(interface, EMT(), settings(1.8), configuration=bulk("Cu", cubic=True))
    wide = interface.atoms.copy()
    wide.set_cell(wide.cell.array * [[1.01], [1], [1]], scale_atoms=True)
    with pytest.raises(InputError, match=r"configuration: found an area of [\d.]+ Å², expected"):
        interface_energies(interface, EMT(), settings(1.8), configuration=wide)


def test_a_gap_is_given_once_and_wide_enough():
    with pytest.raises(SpecError, match="greater than or equal to 0"):
        InterfaceEnergySettings.parse({"gaps_a": [0.1]})
    with pytest.raises(SpecError, match="gaps_a: found a value twice"):
        InterfaceEnergySettings.parse({"gaps_a": [2.0, 2.0]})


def test_a_part_that_does_not_converge_refuses_the_result(copper):
    interface = build(copper, copper, max_area=14.0)

    def stopped(parts):
        return {
            name: RelaxedPart(part.atoms, -1.0, 0.5, 0.0, ("not converged",) if name == "slab_a" else ())
            for name, part in parts.items()
        }

    found = interface_energies_of(interface, stopped, settings(1.9))
    assert found.verdict.quality == "refused"
    assert found.verdict.reasons[0] == "slab_a: not converged"


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    """Return folder, spec and result of argon on argon, its parts as tasks."""
    from mlip_sse.potentials.lammps_install import find_executable

    folder = tmp_path_factory.mktemp("argon")
    write(folder / "argon.cif", bulk("Ar", cubic=True, a=5.4))
    spec = InterfaceEnergySpec.parse(ARGON).beside(folder)
    try:
        find_executable()
        return folder, spec, run_interface_energy(spec, folder / "out")
    except MissingExtraError as error:
        pytest.skip(str(error))


def test_parts_are_tasks(computed):
    energies = computed[2].energies
    assert abs(energies.formation.chemical.value) < 1e-6
    assert energies.strain_ev_atom == (0.0, 0.0)
    assert energies.work_of_adhesion.value == pytest.approx(2 * energies.surface_ev_a2[0], rel=1e-3)


@pytest.mark.slow
def test_a_calculator_says_the_same(computed):
    from mlip_sse.potentials import load_potential

    _, spec, result = computed
    energies = result.energies
    calculator = load_potential("argon_lennard_jones").calculator()
    at_rest = relax_atoms(
        bulk("Ar", cubic=True, a=5.4), calculator, cell="isotropic", fmax=0.005, stress_tolerance_gpa=0.01
    ).atoms
    direct = interface_energies(spec.interface.build((at_rest, at_rest)), calculator, spec.settings)
    assert direct.work_of_adhesion.value == pytest.approx(energies.work_of_adhesion.value, rel=1e-6)
    assert [point.energy_ev for point in direct.gaps] == pytest.approx([point.energy_ev for point in energies.gaps])


def test_nothing_is_relaxed_twice(computed):
    folder, spec, result = computed
    assert result.n_reused == 0
    again = run_interface_energy(spec, folder / "out")
    # The bulk, both sides' slabs as built and relaxed, bulks with and without strain, three gaps, the interface.
    assert again.n_reused == len(list((folder / "out").glob("tasks/*/result.json")))
    assert again.energies.to_dict() == result.energies.to_dict()
    plain = json.loads(json.dumps(again.to_dict()))
    assert plain["interface"]["n_interfaces"] == 2
    assert plain["parts"]["interface"]["file"].endswith("relaxed.extxyz")


def test_a_configuration_may_be_a_file(computed, tmp_path):
    folder, spec, result = computed
    own = spec.with_structure(result.energies.parts["interface"].file)
    found = run_interface_energy(own, folder / "out")
    assert found.energies.reaction_ev_atom.value == pytest.approx(result.energies.reaction_ev_atom.value, rel=1e-4)
    assert "configuration" in found.energies.parts


@pytest.mark.slow
def test_a_bulk_that_cannot_be_relaxed_is_named(tmp_path, lammps, monkeypatch):
    monkeypatch.setattr("mlip_sse.md_protocols.interface_start._BULK_STEPS", 1)
    write(tmp_path / "argon.cif", bulk("Ar", cubic=True, a=5.0))
    spec = InterfaceEnergySpec.parse(ARGON).beside(tmp_path)
    with pytest.raises(RunError, match="the bulk of side a cannot be relaxed: not converged after 1 steps"):
        run_interface_energy(spec, tmp_path / "out")


def test_materials_of_an_interface():
    spec = InterfaceSpec.parse({"a": {"metal": "Li"}, "b": {"crystal": "licl"}})
    metal, salt = spec.bulks()
    assert isinstance(metal, Atoms)
    assert (metal.get_chemical_formula(), salt.get_chemical_formula()) == ("Li2", "Cl4Li4")
    same = {"crystal": "licl", "miller": [1, 0, 0], "thickness_a": 5.0}
    twin = InterfaceSpec.parse({"a": same, "b": same, "max_area_a2": 27.0, "min_width_a": 0.0, "rank": 90})
    with pytest.raises(InputError, match=r"rank: found \d interfaces within the limits, expected 90 or more"):
        twin.build()
    with pytest.raises(InputError, match="metal: found 'S', expected one with a cubic lattice"):
        InterfaceSpec.parse({"a": {"metal": "S"}, "b": {"crystal": "licl"}}).build()


def test_the_shipped_protocol_is_a_crystal_on_itself():
    spec = load_protocol("interface_energy")
    assert spec.interface.a == spec.interface.b
