"""Bulk diffusion: mean cells, segments that join to one trajectory, kills that cost nothing, ends with a reason."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.build import bulk
from ase.io import read, write

from mlip_sse import Trajectory
from mlip_sse.engine import Engine
from mlip_sse.errors import InputError, RunError, SpecError
from mlip_sse.md_protocols import BulkDiffusionSpec, run_bulk_diffusion
from mlip_sse.md_protocols.bulk_tasks import start
from mlip_sse.potentials.lammps_install import EXECUTABLE_VARIABLE

SMALL = {
    "description": "64 ions of LiCl for a moment",
    "protocol": "bulk_diffusion",
    "structure": {"prototype": "rocksalt", "species": ["Li", "Cl"], "repeats": [2, 2, 2], "density_g_cm3": [1.95]},
    "potential": "licl_born_mayer",
    "temperatures_k": [500.0],
    "cell_ps": 0.8,
    "settle_ps": 0.1,
    "production_ps": 0.5,
    "segment_ps": 0.2,
    "dump_every_fs": 20.0,
}


def small(**changes):
    return BulkDiffusionSpec.parse({**SMALL, **changes})


def test_cells_and_runs_of_each_temperature_and_seed(tmp_path, lammps):
    seen = []
    spec = small(temperatures_k=[400.0, 600.0], seeds=[1, 2])
    result = run_bulk_diffusion(spec, tmp_path, progress=lambda stage, state: seen.append((stage, state.n_ended)))
    assert [(run["temperature_k"], run["seed"]) for run in result.runs] == [(400, 1), (400, 2), (600, 1), (600, 2)]
    assert seen == [("cell", 1), ("cell", 2), *(("production", n) for n in (1, 2, 3, 4))]
    assert len({Path(run["trajectory"]).read_bytes() for run in result.runs}) == 4
    for run, cell in zip(result.runs, np.repeat(result.cells, 2), strict=True):
        trajectory = Trajectory.read(run["trajectory"])
        assert (
            (trajectory.n_frames, trajectory.frame_spacing_fs) == (run["n_frames"], pytest.approx(20.0)) == (26, 20.0)
        )
        sides = np.array(cell["cell_sides_a"])
        assert sides[0] == sides[1] == sides[2]
        assert (sides[3:] == 0).all()
        # The volume is cubed from the mean side, or averaged: they differ by its variance.
        assert trajectory.mean_volume == pytest.approx(cell["volume_a3"], rel=3e-3)
        assert 0 < cell["volume_error_a3"] < 0.05 * cell["volume_a3"]
        assert (run["ended"], run["n_segments_done"]) == (None, 3)
    again = run_bulk_diffusion(spec, tmp_path)
    assert again.n_reused == 6
    assert again.runs == result.runs


def test_the_mean_and_its_error_are_those_of_the_second_half(tmp_path, lammps):
    result = run_bulk_diffusion(small(cell="orthogonal"), tmp_path)
    (table,) = tmp_path.glob("tasks/*/cell/cell.txt")
    sides = np.loadtxt(table)[1:, 1:]
    half = sides[len(sides) // 2 :]
    assert result.cells[0]["cell_sides_a"] == pytest.approx(half.mean(axis=0).tolist())
    volumes = [block[:, :3].mean(axis=0).prod() for block in np.array_split(half, 8)]
    assert result.cells[0]["volume_a3"] == pytest.approx(np.mean(volumes))
    assert result.cells[0]["volume_error_a3"] == pytest.approx(np.std(volumes, ddof=1) / np.sqrt(8))
    assert len(set(result.cells[0]["cell_sides_a"][:3])) == 3


@pytest.mark.parametrize("cell", ["isotropic", "triclinic"])
def test_a_slanted_cell_stays_what_it_is(tmp_path, lammps, cell):
    """The primitive cell of argon: equal angles of 60°, kept exactly, or nearly where they may move."""
    write(tmp_path / "argon.vasp", bulk("Ar", a=5.4).repeat(5), format="vasp")
    structure = {"file": str(tmp_path / "argon.vasp")}
    spec = small(structure=structure, potential="argon_lennard_jones", temperatures_k=[84.0], cell=cell)
    (run,) = run_bulk_diffusion(spec, tmp_path / "out").runs
    last = read(run["trajectory"], index=-1, format="lammps-dump-text")
    slack = 1e-3 if cell == "isotropic" else 10.0
    assert last.cell.angles() == pytest.approx([60, 60, 60], abs=slack)
    assert run["ended"] is None


DRIVER = """
import sys, yaml
from mlip_sse.md_protocols import BulkDiffusionSpec, run_bulk_diffusion
run_bulk_diffusion(BulkDiffusionSpec.parse(yaml.safe_load(open(sys.argv[1]))), sys.argv[2])
"""


def test_after_kill_9_no_segment_is_repeated_and_the_trajectory_is_the_same(tmp_path, lammps):
    spec = small(production_ps=2.0, segment_ps=0.25)
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec.model_dump(mode="json")))
    undisturbed = run_bulk_diffusion(spec, tmp_path / "calm")
    folder = tmp_path / "killed"
    seen: dict[Path, int] = {}
    rng = np.random.default_rng(7)
    for n_wanted in (1, 3, 6):
        command = [sys.executable, "-c", DRIVER, str(tmp_path / "spec.yaml"), str(folder)]
        driver = subprocess.Popen(command, start_new_session=True)
        deadline = time.monotonic() + 300
        while len(segments(folder)) < n_wanted and driver.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(float(rng.uniform(0, 0.1)))
        driver.kill()
        driver.wait()
        time.sleep(1.0)  # what it started is ended with it
        now = segments(folder)
        assert {path: now[path] for path in seen} == seen
        seen = now
    result = run_bulk_diffusion(spec, folder)
    assert {path: time_ns for path, time_ns in segments(folder).items() if path in seen} == seen
    assert len(seen) >= 6
    assert Path(result.runs[0]["trajectory"]).read_bytes() == Path(undisturbed.runs[0]["trajectory"]).read_bytes()
    assert not list(folder.glob("tasks/*/*.running"))


def test_the_charge_current_goes_on_from_segment_to_segment(tmp_path, lammps):
    """Σ q Δx over the whole trajectory is the integral of the current, across the joints."""
    (run,) = run_bulk_diffusion(small(current_every_fs=2.0, dump_every_fs=10.0), tmp_path / "out").runs
    assert run["n_segments_done"] == 3
    table = np.loadtxt(run["charge_current"])
    assert table[:, 0].tolist() == list(range(251))
    trajectory = Trajectory.read(run["trajectory"])
    signs = np.where(np.array(trajectory.species) == "Li", 1.0, -1.0)
    dipole = (signs[:, None] * (trajectory.positions[-1] - trajectory.positions[0])).sum(axis=0)
    moved = 0.002 * (table[1:, 1:] + table[:-1, 1:]).sum(axis=0) / 2
    # Trapezoids of 2 fs, and five decimals of 64 ions in the dump.
    assert moved == pytest.approx(dipole, abs=2e-2)
    assert np.abs(dipole).max() > 0.1
    plain = run_bulk_diffusion(small(), tmp_path / "plain").runs[0]
    assert plain["charge_current"] is None


def segments(folder):
    """Return when the dump of each finished segment was written."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("tasks/*/segment_????/production.lammpstrj")}


def fake(tmp_path, monkeypatch, script):
    path = tmp_path / "fake_lmp"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv(EXECUTABLE_VARIABLE, str(path))


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("ERROR: Lost atoms: original 64 current 63 (src/thermo.cpp:494)", "lost_atoms"),
        (
            "ERROR: Fix halt condition for fix-id guard met on step 50 with value 9999 (src/fix_halt.cpp:310)",
            "exploded",
        ),
    ],
)
def test_a_segment_that_breaks_ends_the_run_with_its_reason(tmp_path, lammps, monkeypatch, words, kind):
    broken = f"grep -q previous.restart in.lammps && {{ echo '{words}' > log.lammps; exit 1; }}"
    fake(tmp_path, monkeypatch, f'{broken}\nexec {lammps} "$@"')
    (run,) = run_bulk_diffusion(small(), tmp_path / "out").runs
    assert run["ended"]["kind"] == kind
    assert run["ended"]["segment"] == run["n_segments_done"] == 1
    assert words.split(" (")[0] in run["ended"]["reason"]
    assert Trajectory.read(run["trajectory"]).n_frames == run["n_frames"] == 11


def test_what_explodes_is_stopped_by_lammps_itself(tmp_path, lammps):
    """Two ions at half their distance: the temperature passes its limit, or the atoms are lost."""
    crowd = bulk("LiCl", "rocksalt", a=5.1, cubic=True).repeat(2)
    crowd.positions[1] = crowd.positions[0] + [0.6, 0, 0]
    write(tmp_path / "crowd.xyz", crowd, format="extxyz")
    with pytest.raises(RunError, match=r"no mean cell at 500 K: (exploded|lost_atoms), ERROR"):
        run_bulk_diffusion(small(structure={"file": str(tmp_path / "crowd.xyz")}), tmp_path / "out")


def test_a_program_that_fails_for_another_reason_is_an_error_and_tried_again(tmp_path, lammps, monkeypatch):
    fake(tmp_path, monkeypatch, "echo 'ERROR: no licence' > log.lammps; exit 1")
    with pytest.raises(RunError, match="LAMMPS failed, exit code 1: ERROR: no licence"):
        run_bulk_diffusion(small(), tmp_path / "out")
    errors = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("tasks/*/error.json")]
    assert [error["attempts"] for error in errors] == [2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperatures_k": [-5.0]}, "greater than 0"),
        ({"seeds": [1, 1]}, "seeds: found a value twice"),
        ({"dump_every_fs": 5.0}, "expected a multiple of 2"),
        ({"current_every_fs": 3.0}, "current_every_fs: found 3, expected a multiple of timestep_fs that divides"),
        ({"current_every_fs": 6.0}, "current_every_fs: found 6, expected a multiple of timestep_fs that divides"),
        ({"segment_ps": 0.02}, "at least two times dump_every_fs"),
        ({"cell_ps": 0.1}, "expected at least 100 steps"),
        ({"cell": "cubic"}, "expected 'isotropic', 'orthogonal' or 'triclinic'"),
        ({"pressure_gpa": "1 & shell"}, "pressure_gpa"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        small(**changes)
    assert "\n" not in str(caught.value)


def test_a_current_of_ions_without_charges_is_refused(tmp_path, lammps):
    structure = {"prototype": "fcc", "species": ["Ar"], "repeats": [3, 3, 3], "density_g_cm3": [1.6]}
    spec = small(structure=structure, potential="argon_lennard_jones", temperatures_k=[84.0], current_every_fs=4.0)
    with pytest.raises(SpecError, match="the ions of 'argon_lennard_jones' carry no charges"):
        run_bulk_diffusion(spec, tmp_path / "out")


def test_segments_hold_whole_frames():
    assert small(production_ps=1.01, segment_ps=0.25).segments == (120,) * 4 + (20,)
    assert sum(small(production_ps=10.0).segments) == 5000


def test_temperatures_outside_the_domain_are_refused(tmp_path):
    with pytest.raises(SpecError, match=r"found 5000 K, but potential .* holds from 300 to 1700 K"):
        run_bulk_diffusion(small(temperatures_k=[5000.0]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_open_engine_keeps_the_tasks_in_its_folder_and_stays_open(tmp_path, lammps):
    spec = small(temperatures_k=[500.0])
    with Engine(tmp_path / "campaign", {"scheduler": "embedded", "cores": 2}) as engine:
        first = run_bulk_diffusion(spec, tmp_path / "unused", engine=engine)
        again = run_bulk_diffusion(spec, tmp_path / "unused", engine=engine)
    assert not (tmp_path / "unused").exists()
    assert (first.n_reused, again.n_reused) == (0, 2)
    assert Path(first.runs[0]["trajectory"]).is_relative_to(tmp_path / "campaign" / "tasks")
    assert again.runs == first.runs


def test_a_file_of_a_potential_that_was_changed_is_refused(tmp_path):
    (tmp_path / "coefficients.pod").write_text("1 2 3")
    run = start({"executable": "lmp", "files": {"0" * 64: str(tmp_path / "coefficients.pod")}})
    with pytest.raises(InputError, match=r"coefficients.pod is not the file this task was made for"):
        run({"kind": "cell", "deck": "", "data": "", "files": {"coefficients.pod": "0" * 64}}, tmp_path)
