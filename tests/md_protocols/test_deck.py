"""Decks hold checked numbers and nothing else; data files hold the structure."""

import re
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read

from mlip_sse.md_protocols.deck import data_text, deck_text, inputs_sha256
from mlip_sse.potentials import load_potential

LINES = load_potential("licl_born_mayer").lammps()

COMMANDS = {
    *("units", "boundary", "atom_style", "box", "read_data", "pair_style", "pair_coeff", "kspace_style", "neighbor"),
    *(
        "neigh_modify",
        "timestep",
        "thermo",
        "thermo_style",
        "thermo_modify",
        "velocity",
        "fix",
        "unfix",
        "run",
        "print",
    ),
    *("reset_timestep", "variable", "compute", "dump", "dump_modify", "write_data"),
}


def deck(spec, temperature_k=1000.0, seed=1):
    return deck_text(spec, LINES, temperature_k, seed)


def words(text, command):
    return [line.split() for line in text.splitlines() if line.startswith(command + " ")]


def test_a_deck_is_made_of_known_commands_on_single_lines(short_spec):
    text = deck(short_spec(current_every_fs=4.0, dump_velocities=True))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert {line.split()[0] for line in lines} <= COMMANDS
    assert not re.search(r"[$&@;]|\"\"\"", text)
    assert "shell" not in text
    assert text.isascii() or all(line.startswith("#") for line in text.splitlines() if not line.isascii())


def test_the_stages_follow_each_other(short_spec):
    text = deck(short_spec())
    assert [line[1] for line in words(text, "run")] == ["50", "50", "50", "200"]
    spans = [line[5:7] for line in words(text, "fix") if line[1] == "hold" and line[3] == "nvt"]
    assert spans == [["1800.0", "1800.0"], ["1800.0", "1000.0"], ["1000.0", "1000.0"]]
    assert words(text, "velocity")[0][3] == "3600.0"


def test_without_melt_and_equilibration_production_starts_at_once(short_spec):
    text = deck(short_spec(melt=None, equilibration_ps=0.0))
    assert [line[1] for line in words(text, "run")] == ["200"]
    assert words(text, "velocity")[0][3] == "2000.0"


@pytest.mark.parametrize(
    ("kind", "fixes"), [("csvr", ["nve", "temp/csvr"]), ("nose_hoover", ["nvt"]), ("none", ["nve"])]
)
def test_the_thermostat_of_production(short_spec, kind, fixes):
    production = deck(short_spec(thermostat={"kind": kind})).split("mlip-sse: production")[1]
    assert [line[3] for line in words(production, "fix")] == fixes


def test_temperatures_and_seeds_draw_their_own_numbers(short_spec):
    spec = short_spec()
    drawn = set()
    for temperature_k in (900.0, 1000.0):
        for seed in (1, 2):
            text = deck(spec, temperature_k, seed)
            drawn |= {words(text, "velocity")[0][4], words(text, "fix")[-1][-1]}
    assert len(drawn) == 8
    assert all(0 < int(number) <= 899_999_999 for number in drawn)
    assert deck(spec) == deck(spec)


def test_velocities_and_currents_only_where_asked_for(short_spec):
    assert " vx vy vz" not in deck(short_spec())
    assert " vx vy vz" in deck(short_spec(dump_velocities=True))
    assert "charge_current.txt" not in deck(short_spec())
    assert "ave/time 2 1 2" in deck(short_spec(current_every_fs=4.0))
    argon = load_potential("argon_lennard_jones").lammps()
    assert "charge_current.txt" not in deck_text(short_spec(current_every_fs=4.0), argon, 100.0, 1)


def test_ase_reads_the_data_file_back(short_spec):
    """A sheared cell: LAMMPS' orientation differs, distances do not."""
    atoms = bulk("LiCl", "rocksalt", a=5.13).repeat((3, 2, 2))
    atoms.set_cell(
        atoms.cell.array @ (np.eye(3) + 0.05 * np.random.default_rng(1).normal(size=(3, 3))), scale_atoms=True
    )
    atoms.rattle(0.05, seed=2)
    import io

    again = read(io.StringIO(data_text(atoms, LINES)), format="lammps-data", atom_style="charge")
    assert again.get_chemical_symbols() == atoms.get_chemical_symbols()
    assert again.get_initial_charges().tolist() == [{"Li": 1.0, "Cl": -1.0}[s] for s in atoms.get_chemical_symbols()]
    assert again.cell.cellpar() == pytest.approx(atoms.cell.cellpar(), abs=1e-8)
    assert again.get_all_distances(mic=True) == pytest.approx(atoms.get_all_distances(mic=True), abs=1e-8)


def test_the_hash_knows_deck_data_and_files(short_spec, tmp_path):
    text, data = deck(short_spec()), data_text(bulk("LiCl", "rocksalt", a=5.13), LINES)
    file = tmp_path / "coefficients.pod"
    file.write_text("1 2 3")
    with_file = replace(LINES, files=(file,))
    hashes = [
        inputs_sha256(text, data, LINES),
        inputs_sha256(text + "#", data, LINES),
        inputs_sha256(text, data + "#", LINES),
    ]
    hashes.append(inputs_sha256(text, data, with_file))
    file.write_text("1 2 4")
    hashes.append(inputs_sha256(text, data, with_file))
    assert len(set(hashes)) == 5
    assert inputs_sha256(text, data, LINES) == hashes[0]
