"""An interface in time and its energies as tables; every protocol has something that runs it."""

import numpy as np
import pytest
from ase import Atoms

from mlip_sse import md_protocols
from mlip_sse.analysis.interphase import formation_energy, work_of_adhesion
from mlip_sse.analysis.results import Verdict
from mlip_sse.cli.interface_table import anneal_table, interface_energy_table
from mlip_sse.cli.task_protocols import TASK_PROTOCOLS
from mlip_sse.md_protocols.interface_anneal import InterfaceAnnealResult
from mlip_sse.md_protocols.interface_energy import GapPoint, InterfaceEnergies
from mlip_sse.md_protocols.interface_energy_run import InterfaceEnergyResult
from mlip_sse.md_protocols.interface_parts import RelaxedPart
from mlip_sse.md_protocols.specs import PROTOCOLS

BUILT = {
    "formula": "Li96Cl96",
    "n_interfaces": 2,
    "area_a2": 103.08,
    "max_strain": 0.012,
    "millers": {"a": [1, 0, 0], "b": [1, 1, 0]},
    "terminations": {"a": "Cl + Li below, Cl + Li above", "b": "Li below, Cl above"},
    "thickness_a": {"a": 12.69, "b": 15.0},
}
CELL = {
    "height_a": 30.5,
    "height_change": 0.004,
    "max_force_ev_a": 0.031,
    "pressure_z_gpa": 0.02,
    "n_atoms": 192,
    "n_atoms_of_layer": [32, 40],
}
RUN = {
    "temperature_k": 400.0,
    "seed": 3,
    "n_segments_done": 2,
    "inner_temperature_k": 412.5,
    "inner_peak_k": 450.0,
    "energy_change_ev_atom": -0.0123,
    "heat_left_ev": [1.5, 0.75],
    "pressure_z_gpa": 0.014,
    "grades": {"n_above_alarm": 7, "n_frames": 41},
    "n_frames": 41,
    "quality": "weak",
    "trajectory": "out/production.lammpstrj",
}


def test_runs_are_lines_with_the_heat_that_left_and_the_alarm():
    verdict = Verdict().weaken("400 K, seed 3: the potential extrapolates")
    failed = {**RUN, "seed": 4, "n_segments_done": 0, "n_frames": 0, "quality": "refused", "trajectory": None}
    text = anneal_table(InterfaceAnnealResult("out", "licl", BUILT, CELL, (RUN, failed), verdict, 0))
    lines = text.splitlines()
    assert lines[0] == "interface      Li96Cl96, 2 of 103.1 Å², strain 1.20%"
    assert lines[1] == "side a         (1 0 0), Cl + Li below, Cl + Li above, 12.7 Å"
    assert lines[3] == "relaxed        height 30.50 Å (+0.40%), left: 0.031 eV/Å, 0.02 GPa along z"
    assert lines[4] == "thermostats    32 and 40 of 192 atoms"
    assert lines[6].split() == ["400", "3", "412.5", "450", "-12.30", "2.25", "0.014", "7/41", "41", "weak"]
    assert lines[7].strip() == "out/production.lammpstrj"
    assert lines[8].split() == ["400", "4", "-", "-", "-", "-", "-", "-", "0", "refused"]
    assert lines[9] == "weak           400 K, seed 3: the potential extrapolates"
    assert len(lines[5]) == len(lines[6]) + 3  # the heading of the last column is longer than its word
    own = anneal_table(InterfaceAnnealResult("out", "licl", None, CELL, (RUN,), Verdict(), 0))
    assert own.splitlines()[0].startswith("relaxed ")


def test_energies_are_lines_in_both_units():
    part = RelaxedPart(Atoms("Li"), -1.0, 0.0, 0.0, (), "out/relaxed.extxyz")
    energies = InterfaceEnergies(
        work_of_adhesion=work_of_adhesion(-10.0, -12.0, -25.0, 100.0),
        formation=formation_energy(-25.0, {"a": 10, "b": 10}, {"a": -1.2, "b": -1.4}, 100.0),
        surface_ev_a2=(0.01, 0.02),
        strain_ev_atom=(0.0, 0.0015),
        reaction_ev_atom=work_of_adhesion(0.0, 0.0, 4.0, 100.0, 1),
        n_interface_atoms=64,
        gaps=(GapPoint(1.5, None, None), GapPoint(2.5, -25.0, 0.015)),
        parts={"interface": part},
        verdict=Verdict().refuse("slab_a: not converged"),
    )
    text = interface_energy_table(InterfaceEnergyResult("out", "licl", BUILT, energies, 0))
    rows = {line[:14].strip(): line[14:].strip() for line in text.splitlines()}
    assert rows["adhesion"] == "0.015000 eV/Å², 0.2403 J/m²"
    assert rows["formation"] == "0.005000 eV/Å², 0.0801 J/m²"
    assert rows["strain"] == "-"
    assert rows["surface a, b"] == "0.1602, 0.3204 J/m²"
    assert rows["strain a, b"] == "0.000, 1.500 meV/atom"
    assert rows["reaction"] == "-40.00 meV for each of 64 atoms, relaxed interface"
    assert rows["gap (Å)"].split() == ["1.50", "2.50"]
    assert rows["rigid (J/m²)"].split() == ["-", "0.2403"]
    assert rows["refused"] == "slab_a: not converged"
    assert rows["relaxed"] == "out/relaxed.extxyz"


def test_each_kind_of_protocol_has_something_that_runs_it():
    others = {"diffusion", "relax", "equation_of_state", "elastic", "quasi_harmonic"}
    assert set(TASK_PROTOCOLS) | others == set(PROTOCOLS)
    for name, (function, table) in TASK_PROTOCOLS.items():
        assert callable(getattr(md_protocols, function)), name
        assert callable(table)


@pytest.mark.slow
def test_both_protocols_from_the_command_line(program, tmp_path, monkeypatch):
    import json

    from ase.build import bulk
    from ase.io import write

    monkeypatch.chdir(tmp_path)
    write(tmp_path / "argon.cif", bulk("Ar", cubic=True, a=5.28))
    side = {"file": "argon.cif", "miller": [1, 0, 0], "thickness_a": 15.5}
    common = {"description": "argon", "potential": "argon_lennard_jones"}
    common |= {"interface": {"a": side, "b": dict(side), "max_area_a2": 60.0, "min_width_a": 7.0}}
    energy = {**common, "protocol": "interface_energy", "gaps_a": [2.2, 2.65, 3.2]}
    (tmp_path / "energy.yaml").write_text(json.dumps(energy))  # JSON is YAML, and knows no aliases
    outcome = program("simulate", "energy.yaml", "--workers", 1)
    assert outcome.code == 0, outcome.err
    assert "adhesion " in outcome.out
    plain = json.loads(program("simulate", "energy.yaml", "--json").out)
    assert plain["work_of_adhesion_ev_a2"]["value"] == pytest.approx(2 * plain["surface_ev_a2"][0], rel=0.02)
    anneal = {**common, "protocol": "interface_anneal", "temperatures_k": [40.0], "settle_temperature_k": 20.0}
    anneal |= {"settle_ps": 0.4, "heat_ps": 0.4, "production_ps": 0.4, "dump_every_fs": 40.0, "timestep_fs": 2.0}
    (tmp_path / "anneal.yaml").write_text(json.dumps({**anneal, "newtonian_a": 3.5}))
    first = program("simulate", "anneal.yaml", "--workers", 1)
    assert first.code == 0, first.err
    assert "heat out (eV)" in first.out
    found = json.loads(program("simulate", "anneal.yaml", "--json").out)
    assert np.shape(found["runs"]) == (1,)
    assert found["n_reused"] == 3
