"""`mlip-sse simulate`: a table for people, JSON for programs, one line for mistakes."""

import json

import pytest
import yaml

from mlip_sse.errors import MissingExtraError
from mlip_sse.potentials.lammps_install import find_executable

PROTOCOL = {
    "description": "argon for a moment",
    "protocol": "diffusion",
    "structure": {"prototype": "fcc", "species": ["Ar"], "repeats": [4, 4, 4], "density_g_cm3": [1.374]},
    "potential": "argon_lennard_jones",
    "temperatures_k": [94.4, 120.0],
    "timestep_fs": 5.0,
    "equilibration_ps": 0.5,
    "production_ps": 1.0,
    "dump_every_fs": 100.0,
}


@pytest.fixture
def protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "cold.yaml"
    path.write_text(yaml.safe_dump(PROTOCOL))
    return path


@pytest.fixture
def lammps():
    try:
        return find_executable()
    except MissingExtraError as error:
        pytest.skip(str(error))


def test_it_runs_and_prints_where_the_trajectories_lie(program, protocol, tmp_path, lammps):
    first = program("simulate", "cold.yaml")
    assert first.code == 0, first.err
    rows = first.out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == ["94.4", "120"]
    assert [row.split()[-1] for row in rows] == ["cold/94.4K/production.lammpstrj", "cold/120K/production.lammpstrj"]
    second = program("simulate", "cold.yaml", "--json")
    assert second.code == 0
    segments = json.loads(second.out)["segments"]
    assert [segment["reused"] for segment in segments] == [True, True]
    assert [segment["temperature_k"] for segment in segments] == [94.4, 120.0]
    assert program("simulate", "cold.yaml").out.count("(was there already)") == 2


def test_an_output_folder_and_a_potential_can_be_named(program, protocol, tmp_path, lammps):
    outcome = program(
        *("simulate", "cold.yaml", "--out", "elsewhere", "--potential", "argon_lennard_jones", "--workers", 1)
    )
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "elsewhere" / "120K" / "finished.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["absent"],
            "no entry 'absent' in md_protocols, expected one of ",
        ),
        (["cold.yaml", "--potential", "absent"], "no entry 'absent' in potentials"),
        (["cold.yaml", "--potential", "licl_born_mayer"], "temperatures_k: found 94.4, 120 K"),
        (["cold.yaml", "--workers", "0"], "--workers"),
        ([], "Missing argument"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_two(program, protocol, arguments, message):
    outcome = program("simulate", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""


def test_a_key_that_does_not_exist_is_one_line(program, protocol):
    protocol.write_text(yaml.safe_dump({**PROTOCOL, "temperature_k": [-5.0]}))
    outcome = program("simulate", protocol)
    assert outcome.code == 2
    assert "unknown key 'temperature_k'" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_relaxation_and_an_equation_of_state_print_their_figures(program, tmp_path, monkeypatch, lammps):
    from ase.build import bulk
    from ase.io import write

    monkeypatch.chdir(tmp_path)
    write("mine.cif", bulk("Ar", a=5.3, cubic=True))
    own = ("--structure", "mine.cif", "--potential", "argon_lennard_jones")
    first = program("simulate", "relax", *own)
    assert first.code == 0, first.err
    assert "eV/atom" in first.out
    assert first.out.splitlines()[-1] == "written: relax"
    again = program("simulate", "relax", *own, "--json")
    found = json.loads(again.out)
    assert (found["quality"], found["reused"], found["n_atoms"]) == ("pass", True, 4)
    scan = program("simulate", "equation_of_state", *own, "--out", "eos")
    assert scan.code == 0, scan.err
    assert [line.split()[0] for line in scan.out.splitlines()[:3]] == ["V0", "K0", "K0'"]


def test_barriers_are_a_table_with_their_doubts(program, tmp_path, monkeypatch, lammps):
    monkeypatch.chdir(tmp_path)
    structure = {"prototype": "fcc", "species": ["Ar"], "density_g_cm3": [1.78]}
    data = {"description": "argon", "protocol": "neb_vacancy", "structure": structure, "mobile": "Ar", "n_images": 3}
    data |= {"max_distance_a": 5.5, "min_width_a": 8.0, "potential": "argon_lennard_jones"}
    (tmp_path / "hops.yaml").write_text(yaml.safe_dump(data))
    outcome = program("simulate", "hops.yaml", "--workers", 1)
    assert outcome.code == 0, outcome.err
    head, hop, images, long, reason = outcome.out.splitlines()
    assert head.split()[-1] == "verdict"
    assert hop.split()[-1] == "pass"
    assert images.strip().endswith("band.extxyz")
    assert long.split()[-1] == "refused"
    assert "raise min_width_a" in reason
    found = json.loads(program("simulate", "hops.yaml", "--json").out)
    assert [each["quality"] for each in found["hops"]] == ["pass", "refused"]
    (tmp_path / "long.yaml").write_text(yaml.safe_dump({**data, "band_steps": 1, "max_distance_a": 4.0}))
    refused = program("simulate", "long.yaml")
    assert refused.code == 1
    assert "raise band_steps" in refused.out


def test_glasses_are_a_table_and_none_is_exit_code_one(program, tmp_path, monkeypatch, lammps):
    monkeypatch.chdir(tmp_path)
    structure = {"prototype": "rocksalt", "species": ["Li", "Cl"], "repeats": [2, 2, 2], "density_g_cm3": [2.07]}
    data = {"description": "salt", "protocol": "melt_quench", "structure": structure, "potential": "licl_born_mayer"}
    data |= {"melt_temperature_k": 1600.0, "melt_ps": 1.5, "quench_rate_k_ps": 2600.0, "anneal_ps": 0.4, "seeds": [1]}
    data |= {"dump_every_fs": 20.0, "melted_a": 0.01, "start_volume": 1.3}
    (tmp_path / "warm.yaml").write_text(yaml.safe_dump(data))
    outcome = program("simulate", "warm.yaml", "--workers", 1)
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[1].split()[0] == "1"
    assert lines[1].endswith("glass.extxyz")
    assert lines[2].startswith("density ")
    (place,) = (k for k, line in enumerate(lines) if line == "quenched  at 2600 K/ps, 64 atoms")
    assert lines[place - 1].startswith("S(q)      sharpest peak ")
    assert all(line.startswith("weak ") for line in lines[place + 1 :])
    found = json.loads(program("simulate", "warm.yaml", "--json").out)
    assert (found["quality"], found["n_reused"]) == ("weak", 1)
    (tmp_path / "solid.yaml").write_text(yaml.safe_dump({**data, "melted_a": 30.0}))
    refused = program("simulate", "solid.yaml")
    assert refused.code == 1
    assert "ended in the melt: not_melted" in refused.out
    warm = {**data, "melt_temperature_k": 400.0, "start_volume": 1.0, "quench_rate_k_ps": 500.0}
    (tmp_path / "crystal.yaml").write_text(yaml.safe_dump(warm))
    still = program("simulate", "crystal.yaml")
    assert still.code == 1
    assert "it is a crystal, or did not melt" in still.out


def test_a_refused_relaxation_leaves_with_exit_code_one(program, tmp_path, monkeypatch, lammps):
    from ase.build import bulk
    from ase.io import write

    monkeypatch.chdir(tmp_path)
    crystal = bulk("Ar", a=5.3, cubic=True)
    crystal.rattle(0.2, seed=1)
    write("mine.cif", crystal)
    data = {"description": "argon", "protocol": "relax", "structure": {"file": "mine.cif"}, "max_steps": 1}
    (tmp_path / "short.yaml").write_text(yaml.safe_dump({**data, "potential": "argon_lennard_jones"}))
    outcome = program("simulate", "short.yaml")
    assert outcome.code == 1
    assert "refused         not converged after 1 steps" in outcome.out
