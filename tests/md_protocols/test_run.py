"""Protocols run for real, for a moment: what is written, what is not run twice, and every way it can fail."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pytest
import yaml
from ase.io import read

from mlip_sse import Trajectory
from mlip_sse.errors import InputError, MissingExtraError, RunError, SpecError
from mlip_sse.md_protocols import run
from mlip_sse.md_protocols.log import read_thermo
from mlip_sse.potentials import lammps_install
from mlip_sse.potentials.lammps_install import EXECUTABLE_VARIABLE
from tests.engine.conftest import SOON_S, is_alive, wait_for


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Return a function that puts a shell script in the place of LAMMPS."""

    def install(script):
        path = tmp_path / "fake_lmp"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv(EXECUTABLE_VARIABLE, str(path))
        return path

    return install


# What a run leaves


def test_from_protocol_to_a_dump_that_others_read(short_spec, tmp_path, lammps):
    seen = []
    spec = short_spec(dump_velocities=True, current_every_fs=4.0)
    result = run(spec, tmp_path / "out", progress=seen.append)
    (segment,) = result.segments
    assert segment.trajectory == tmp_path / "out" / "1000K" / "production.lammpstrj"
    assert (segment.n_atoms, segment.n_frames, segment.frame_spacing_fs) == (64, 21, 20.0)
    assert segment.density_g_cm3 == pytest.approx(1.45, rel=1e-6)
    assert segment.engine.startswith("LAMMPS ")
    assert seen[-1].steps == seen[-1].total_steps == 350
    assert [state.steps for state in seen] == sorted(state.steps for state in seen)

    frames = read(segment.trajectory, index=":", format="lammps-dump-text")
    assert len(frames) == 21
    assert frames[0].get_chemical_symbols() == frames[-1].get_chemical_symbols() == ["Li", "Cl"] * 32
    volume = 32 * (6.94 + 35.45) / 6.02214076e23 / 1.45 * 1e24
    assert frames[-1].get_volume() == pytest.approx(volume, rel=1e-6)

    trajectory = Trajectory.read(segment.trajectory)
    assert trajectory.frame_spacing_fs == pytest.approx(20.0)
    assert trajectory.n_frames == 21
    assert trajectory.species.tolist() == ["Li", "Cl"] * 32
    assert trajectory.mean_volume == pytest.approx(volume, rel=1e-6)
    momentum = np.einsum("a,tad->td", trajectory.masses, trajectory.velocities)
    assert np.abs(momentum).max() < 1e-3 * np.abs(trajectory.velocities).max() * trajectory.masses.sum()

    current = np.loadtxt(tmp_path / "out" / "1000K" / "charge_current.txt")
    assert current[:, 0].tolist() == list(range(0, 201, 2))
    charges = np.where(trajectory.species == "Li", 1.0, -1.0)
    from_dump = np.einsum("a,tad->td", charges, trajectory.velocities) * 1000  # Å/fs to Å/ps
    assert current[::5, 1:] == pytest.approx(from_dump, abs=64 * 1e-5)  # five decimals in the dump


def test_the_folder_keeps_the_inputs(short_spec, tmp_path, lammps):
    spec = short_spec()
    run(spec, tmp_path / "out")
    files = {path.name for path in (tmp_path / "out" / "1000K").iterdir()}
    assert {"in.lammps", "structure.data", "log.lammps", "production.lammpstrj", "finished.json"} <= files
    assert json.loads((tmp_path / "out" / "protocol.json").read_text())["temperatures_k"] == [1000.0]
    assert not list((tmp_path / "out").glob("*.running"))


def test_the_melt_is_molten_and_at_its_temperature(short_spec, tmp_path, lammps):
    """After the hot start no ion remembers its lattice site: |S(q)|² of the crystal is gone."""
    spec = short_spec(melt={"temperature_k": 2500.0, "duration_ps": 1.0, "cooling_ps": 0.5}, production_ps=1.0)
    (segment,) = run(spec, tmp_path / "out").segments
    last = read(segment.trajectory, index=-1, format="lammps-dump-text")
    phases = np.exp(2j * np.pi * 4 * last.get_scaled_positions())  # (200) of the 2 × 2 × 2 rocksalt cell
    assert (np.abs(phases.mean(axis=0)) ** 2).max() < 0.25  # 1 in the crystal, 1/64 on average without order
    # The mean of a canonical temperature over 1 ps of 64 ions: standard deviation about 60 K.
    assert segment.mean_temperature_k == pytest.approx(1000.0, abs=250.0)


def test_energy_is_conserved_without_a_thermostat(short_spec, tmp_path, lammps):
    """NVE at 2 fs: the total energy stays where it is; under a thermostat it does not."""
    spread = {}
    for kind in ("none", "csvr"):
        spec = short_spec(thermostat={"kind": kind}, production_ps=2.0, equilibration_ps=0.5)
        (segment,) = run(spec, tmp_path / kind).segments
        thermo = read_thermo((tmp_path / kind / "1000K" / "log.lammps").read_text())
        spread[kind] = float(thermo.total_energies.std()) / segment.n_atoms * 1000
        if kind == "none":
            assert abs(segment.energy_drift_mev_atom_ps) < 0.1  # measured: 0.01 over 4 ps
    assert spread["none"] < 0.3  # meV/atom; measured: 0.07 at 2 fs, 0.16 at 4 fs
    assert spread["csvr"] > 1.0


def test_several_temperatures_and_seeds_have_folders_of_their_own(short_spec, tmp_path, lammps):
    spec = short_spec(temperatures_k=[900.0, 1000.5], seeds=[1, 2], melt=None, production_ps=0.1)
    result = run(spec, tmp_path / "out", workers=2)
    names = ["900K_seed1", "900K_seed2", "1000.5K_seed1", "1000.5K_seed2"]
    assert [segment.trajectory.parent.name for segment in result.segments] == names
    assert len({segment.trajectory.read_bytes() for segment in result.segments}) == 4
    assert json.loads(json.dumps(result.to_dict()))["segments"][3]["seed"] == 2


def test_the_same_seed_gives_the_same_trajectory(short_spec, tmp_path, lammps):
    spec = short_spec(production_ps=0.1)
    dumps = [run(spec, tmp_path / name).segments[0].trajectory.read_bytes() for name in ("a", "b")]
    assert dumps[0] == dumps[1]


def test_another_potential_can_be_given(short_spec, tmp_path, lammps):
    structure = {"prototype": "fcc", "species": ["Ar"], "repeats": [4, 4, 4], "density_g_cm3": [1.374]}
    spec = short_spec(structure=structure, temperatures_k=[94.4], melt=None, production_ps=0.2)
    assert run(spec, tmp_path / "out", potential="argon_lennard_jones").potential == "argon_lennard_jones"
    with pytest.raises(InputError, match="knows Li, Cl, not Ar"):
        run(short_spec(structure=structure), tmp_path / "other")


# Nothing is run twice


def test_a_second_call_runs_nothing(short_spec, tmp_path, lammps, fake):
    first = run(short_spec(), tmp_path / "out")
    fake("exit 3")
    second = run(short_spec(), tmp_path / "out")
    assert [segment.reused for segment in (*first.segments, *second.segments)] == [False, True]
    assert second.segments[0].mean_temperature_k == first.segments[0].mean_temperature_k


def test_more_temperatures_run_only_the_new_ones(short_spec, tmp_path, lammps):
    run(short_spec(), tmp_path / "out")
    dump = tmp_path / "out" / "1000K" / "production.lammpstrj"
    before = dump.stat().st_mtime_ns
    result = run(short_spec(temperatures_k=[1000.0, 1100.0]), tmp_path / "out")
    assert [segment.reused for segment in result.segments] == [True, False]
    assert dump.stat().st_mtime_ns == before


def test_other_inputs_never_overwrite_what_is_there(short_spec, tmp_path, lammps):
    run(short_spec(), tmp_path / "out")
    with pytest.raises(RunError, match=r"holds a finished run of other inputs.*choose another output folder"):
        run(short_spec(timestep_fs=1.0), tmp_path / "out")
    assert (tmp_path / "out" / "1000K" / "finished.json").is_file()


def test_a_damaged_dump_and_a_strange_folder_are_told(short_spec, tmp_path, lammps):
    dump = run(short_spec(), tmp_path / "out").segments[0].trajectory
    dump.write_bytes(dump.read_bytes()[:-10])
    with pytest.raises(RunError, match=r"production\.lammpstrj has \d+ bytes, expected \d+"):
        run(short_spec(), tmp_path / "out")
    (tmp_path / "strange" / "1000K").mkdir(parents=True)
    with pytest.raises(RunError, match=r"holds no readable finished\.json"):
        run(short_spec(), tmp_path / "strange")


def start(protocol, folder, lmp):
    """Start `mlip-sse simulate` as a process of its own, with one LAMMPS at a time."""
    command = [sys.executable, "-c", "from mlip_sse.cli.main import run; run()", "simulate", str(protocol)]
    command += ["--out", str(folder), "--workers", "1"]
    return subprocess.Popen(
        command, env={**os.environ, EXECUTABLE_VARIABLE: str(lmp)}, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def half_way(short, tmp_path, lammps, fake):
    """Return a process whose first temperature is done and whose second hangs, and the folder."""
    short |= {"temperatures_k": [1000.0, 1100.0], "production_ps": 0.1}
    protocol = tmp_path / "protocol.yaml"
    protocol.write_text(yaml.safe_dump(short))
    hanging = tmp_path / "pid"
    script = f'grep -q "temp/csvr 1100" in.lammps && {{ echo $$ > {hanging}; exec sleep 600; }}\nexec {lammps} "$@"'
    process = start(protocol, tmp_path / "out", fake(script))
    wait_for(lambda: hanging.is_file() and hanging.read_text().strip())
    pid = int(hanging.read_text())
    assert is_alive(pid)
    yield protocol, tmp_path / "out", process, pid
    for number in (process.pid, pid):
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    process.wait()
    process.stderr.close()


def test_after_kill_9_only_the_unfinished_runs_again(half_way, lammps, monkeypatch):
    protocol, folder, process, pid = half_way
    process.kill()
    process.wait()
    os.kill(pid, signal.SIGKILL)
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["1000K", "1100K.running"]
    before = (folder / "1000K" / "production.lammpstrj").stat().st_mtime_ns
    monkeypatch.delenv(EXECUTABLE_VARIABLE)
    result = run(protocol, folder)
    assert [segment.reused for segment in result.segments] == [True, False]
    assert (folder / "1000K" / "production.lammpstrj").stat().st_mtime_ns == before
    assert not list(folder.glob("*.running"))


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_ends_its_lammps_too(half_way, sign):
    _, _, process, pid = half_way
    process.send_signal(sign)
    assert process.wait(SOON_S) == 130
    assert process.stderr.read().strip().splitlines()[-1] == "interrupted"
    wait_for(lambda: not is_alive(pid))


def test_two_at_once_in_one_folder_are_refused(half_way):
    protocol, folder, _, _ = half_way
    with pytest.raises(RunError, match="another process is simulating"):
        run(protocol, folder)


# What goes wrong


def test_lammps_own_words_reach_the_user(short_spec, tmp_path, lammps):
    """Ions on top of each other: LAMMPS loses them, and says so."""
    from ase.build import bulk
    from ase.io import write

    from mlip_sse.md_protocols.specs import StructureSpec

    crowd = bulk("LiCl", "rocksalt", a=5.1, cubic=True).repeat(2)
    crowd.positions[1] = crowd.positions[0] + [0.01, 0, 0]
    write(tmp_path / "crowd.xyz", crowd, format="extxyz")
    structure = StructureSpec(file=str(tmp_path / "crowd.xyz"))
    with pytest.raises(RunError, match=r"LAMMPS failed at 1000K, exit code \d+: ERROR.*see .*log\.lammps") as caught:
        run(short_spec(structure=structure.model_dump()), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "out" / "1000K.running" / "log.lammps").is_file()


def test_a_failed_run_is_tried_again(short_spec, tmp_path, lammps, fake, monkeypatch):
    fake('echo "ERROR: out of luck" > log.lammps; exit 1')
    with pytest.raises(RunError, match="exit code 1: ERROR: out of luck"):
        run(short_spec(), tmp_path / "out")
    monkeypatch.delenv(EXECUTABLE_VARIABLE)
    assert run(short_spec(), tmp_path / "out").segments[0].reused is False


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 0", "exit code 0: it said nothing"),
        ("kill -9 $$", "exit code -9"),
        ("echo Killed; exit 137", "exit code 137: no ERROR line; it last said 'Killed'"),
        ('printf "\\nmlip-sse: production\\nmlip-sse: finished\\n" > log.lammps', "log of 1000K cannot be used"),
    ],
)
def test_a_program_that_is_not_lammps_is_told(short_spec, tmp_path, fake, script, message):
    fake(script)
    with pytest.raises(RunError, match=message):
        run(short_spec(), tmp_path / "out")
    assert not (tmp_path / "out" / "1000K").exists()


def test_the_time_limit_ends_the_process(short_spec, tmp_path, fake):
    fake(f"echo $$ > {tmp_path}/pid; sleep 600 & wait")
    begin = time.monotonic()
    with pytest.raises(RunError, match=r"1000K ran out of time after .* 0 of 350 steps done: raise time_limit_hours"):
        run(short_spec(time_limit_hours=1.0 / 3600), tmp_path / "out")
    assert time.monotonic() - begin < SOON_S
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_one_failure_does_not_stop_the_others(short_spec, tmp_path, lammps, fake):
    fake(f'grep -q "temp/csvr 900" in.lammps && exit 7\nexec {lammps} "$@"')
    with pytest.raises(RunError, match="LAMMPS failed at 900K, exit code 7"):
        run(short_spec(temperatures_k=[900.0, 1000.0], production_ps=0.1), tmp_path / "out", workers=1)
    assert (tmp_path / "out" / "1000K" / "finished.json").is_file()


def test_no_lammps_is_one_line_before_anything_is_written(short_spec, tmp_path, monkeypatch):
    monkeypatch.delenv(EXECUTABLE_VARIABLE, raising=False)
    monkeypatch.setattr(lammps_install.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match=r"pip install 'mlip-sse\[lammps\]'"):
        run(short_spec(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_temperatures_outside_the_potentials_domain_are_refused(short_spec, tmp_path):
    with pytest.raises(SpecError, match="found 5000 K, but potential 'licl_born_mayer' holds from 300 to 1700 K"):
        run(short_spec(temperatures_k=[900.0, 5000.0]), tmp_path / "out")
