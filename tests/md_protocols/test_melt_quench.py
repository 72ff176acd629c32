"""Glasses from the melt: stages that join, what did not melt, ends with a reason, kills that cost nothing."""

import os
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from scipy.stats import t as student

from mlip_sse import Trajectory
from mlip_sse.errors import RunError, SpecError
from mlip_sse.md_protocols import MeltQuenchSpec, load_protocol, run_melt_quench
from mlip_sse.md_protocols.melt_run import _interval
from mlip_sse.md_protocols.melt_tasks import root_mean_square_displacements
from mlip_sse.potentials.lammps_install import EXECUTABLE_VARIABLE

SMALL = {
    "description": "64 ions of LiCl, quenched at once",
    "protocol": "melt_quench",
    "structure": {"prototype": "rocksalt", "species": ["Li", "Cl"], "repeats": [2, 2, 2], "density_g_cm3": [2.07]},
    "potential": "licl_born_mayer",
    "melt_temperature_k": 1600.0,
    "melt_ps": 4.0,
    "quench_rate_k_ps": 1300.0,
    "anneal_ps": 1.0,
    "start_volume": 1.3,
    "seeds": [1, 2],
    "segment_ps": 0.5,
    "dump_every_fs": 50.0,
}


def small(**changes):
    return MeltQuenchSpec.parse({**SMALL, **changes})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the folder of two glasses, and what was found."""
    from mlip_sse.errors import MissingExtraError

    folder = tmp_path_factory.mktemp("glass")
    try:
        return folder, run_melt_quench(small(), folder)
    except MissingExtraError as error:
        pytest.skip(str(error))


def test_stages_are_cut_into_segments_of_whole_frames():
    parts = small(melt_ps=1.2, segment_ps=0.5).segments
    assert [part.stage for part in parts] == ["melt"] * 3 + ["quench"] * 2 + ["anneal"] * 2
    assert [part.n_steps for part in parts] == [250, 250, 100, 250, 250, 250, 250]
    assert [(part.first_k, part.last_k) for part in parts[:3]] == [(1600, 1600)] * 3
    assert [(part.first_k, part.last_k) for part in parts[3:5]] == [(1600, 950), (950, 300)]
    assert [(part.first_k, part.last_k) for part in parts[5:]] == [(300, 300)] * 2
    assert small(quench_rate_k_ps=5.0).quench_ps == pytest.approx(260.0)


def test_each_seed_is_a_glass_of_its_own(made):
    _, result = made
    assert [each["ended"] for each in result.glasses] == [None, None]
    assert result.n_atoms == 64
    for each in result.glasses:
        assert all(far > 2.5 for far in each["melt"]["displacements_a"].values())
        assert each["melt"]["density_g_cm3"] < each["glass"]["density_g_cm3"]
        atoms = read(each["glass"]["structure"])
        trajectory = Trajectory.read(each["glass"]["trajectory"])
        assert trajectory.n_frames == 21
        assert atoms.get_chemical_formula() == "Cl32Li32"
        assert atoms.get_volume() == pytest.approx(np.linalg.det(trajectory.cells[-1]), rel=1e-6)
        volume = np.linalg.det(trajectory.cells)[10:].mean()
        density = atoms.get_masses().sum() / 6.02214076e23 / (volume * 1e-24)
        assert each["glass"]["density_g_cm3"] == pytest.approx(density, rel=0.01)
    first, second = (Path(each["glass"]["trajectory"]).read_bytes() for each in result.glasses)
    assert first != second


def test_the_density_is_that_of_the_glasses_with_students_t(made):
    _, result = made
    values = [each["glass"]["density_g_cm3"] for each in result.glasses]
    low, high = student.interval(0.95, 1, np.mean(values), np.std(values, ddof=1) / np.sqrt(2))
    assert result.density_g_cm3.value == pytest.approx(np.mean(values))
    assert (result.density_g_cm3.low, result.density_g_cm3.high) == pytest.approx((low, high))
    assert result.verdict.quality == "weak"
    assert [reason.split(",")[0] for reason in result.verdict.reasons] == [
        "quenched at 1300 K/ps",
        "found 64 atoms",
        "2 glasses",
    ]
    assert not any(each.bragg.is_crystalline for each in result.ensemble.reports)
    assert result.ensemble.units == {}  # a salt has no polyanions


def test_the_quench_goes_on_where_the_melt_was(made):
    """Positions, cell and barostat pass from segment to segment: no jump where stages meet."""
    folder, _ = made
    for task in folder.glob("tasks/*"):
        stages = [read(task / f"{name}.lammpstrj", index=":") for name in ("melt", "quench", "anneal")]
        for before, after in pairwise(stages):
            last, first = before[-1], after[0]
            assert first.cell.array == pytest.approx(last.cell.array, abs=1e-4)
            gap = first.get_scaled_positions() - last.get_scaled_positions()
            assert gap - np.rint(gap) == pytest.approx(np.zeros_like(gap), abs=1e-5)  # five decimals in the dump


def test_what_is_there_is_not_run_again_and_what_was_lost_comes_out_the_same(made, tmp_path):
    folder, result = made
    again = run_melt_quench(small(), folder)
    assert (result.n_reused, again.n_reused) == (0, 2)
    assert again.glasses == result.glasses
    torn = tmp_path / "torn"
    shutil.copytree(folder, torn, copy_function=shutil.copy2)
    task = min(path.parent for path in torn.glob("tasks/*/result.json"))
    os.remove(task / "result.json")
    segments = sorted(task.glob("segment_????"))
    for place in segments[5:]:
        shutil.rmtree(place)
    (task / "segment_0005.running").mkdir()
    before = {place: (place / "production.lammpstrj").stat().st_mtime_ns for place in segments[:5]}
    third = run_melt_quench(small(), torn)
    assert third.n_reused == 1
    assert {place: (place / "production.lammpstrj").stat().st_mtime_ns for place in segments[:5]} == before
    for name in ("anneal.lammpstrj", "glass.extxyz", "result.json"):
        assert (task / name).read_bytes() == (folder / "tasks" / task.name / name).read_bytes(), name


def test_a_crystal_that_did_not_melt_is_not_quenched(tmp_path, lammps):
    spec = small(melt_temperature_k=320.0, melt_ps=0.5, quench_rate_k_ps=10.0, start_volume=1.0, seeds=[1])
    result = run_melt_quench(spec, tmp_path)
    (each,) = result.glasses
    assert (each["ended"]["kind"], each["ended"]["stage"], each["glass"]) == ("not_melted", "melt", None)
    assert "it did not melt; raise melt_temperature_k or melt_ps" in each["ended"]["reason"]
    assert (result.is_refused, result.density_g_cm3) == (True, None)
    assert each["n_segments_done"] == 1
    assert not list(tmp_path.glob("tasks/*/segment_0001"))


def test_one_glass_is_weak(tmp_path, lammps):
    result = run_melt_quench(small(seeds=[1], melt_ps=0.5, melted_a=0.1), tmp_path)
    assert any("one glass" in reason for reason in result.verdict.reasons)
    error = result.glasses[0]["glass"]["density_error_g_cm3"]
    assert result.density_g_cm3.high - result.density_g_cm3.value == pytest.approx(student.ppf(0.975, 7) * error)


def fake(tmp_path, monkeypatch, script):
    path = tmp_path / "fake_lmp"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv(EXECUTABLE_VARIABLE, str(path))


def test_atoms_that_get_lost_end_a_glass_and_not_the_others(tmp_path, lammps, monkeypatch):
    words = "ERROR: Lost atoms: original 64 current 63 (src/thermo.cpp:494)"
    spec = small(melt_ps=0.5, melted_a=0.1)
    probe = "grep -q '1600.0 950.0' in.lammps && ls ../segment_0000/velocities_of_2 > /dev/null 2>&1"
    mark = f"grep -q ' {_velocity_seed(2)} mom' in.lammps && touch velocities_of_2"
    fake(tmp_path, monkeypatch, f"{mark}\n{probe} && {{ echo '{words}' > log.lammps; exit 1; }}\nexec {lammps} \"$@\"")
    result = run_melt_quench(spec, tmp_path / "out")
    good, bad = result.glasses
    assert good["ended"] is None
    assert (bad["ended"]["kind"], bad["ended"]["stage"], bad["n_segments_done"]) == ("lost_atoms", "quench", 1)
    assert result.verdict.quality == "weak"
    assert result.verdict.reasons[0].startswith("seed 2 ended in the quench: lost_atoms: ERROR: Lost atoms")


def _velocity_seed(seed):
    from mlip_sse.md_protocols.deck import seeds_of

    return seeds_of(seed, 1600.0)[0]


def test_a_program_that_fails_for_another_reason_is_an_error(tmp_path, lammps, monkeypatch):
    fake(tmp_path, monkeypatch, "echo 'ERROR: no licence' > log.lammps; exit 1")
    with pytest.raises(RunError, match="LAMMPS failed, exit code 1: ERROR: no licence"):
        run_melt_quench(small(), tmp_path / "out")


def test_displacements_are_of_each_element_without_the_drift():
    """Second half: lithium by 3 Å along x, chlorine by 1 Å, the whole by (1, 2, 3) Å on top."""
    start = np.array([[0.0, 0, 0], [5, 5, 5], [2, 7, 1], [8, 3, 4]])
    moves = np.array([[3.0, 0, 0], [-3, 0, 0], [0, 1, 0], [0, -1, 0]])
    positions = np.array([start, start + 5.0, start + 5.3, start + 5.3 + moves + [1.0, 2.0, 3.0]])
    trajectory = Trajectory.from_arrays(["Li", "Li", "Cl", "Cl"], positions, np.eye(3) * 20, frame_spacing_fs=10.0)
    assert root_mean_square_displacements(trajectory) == pytest.approx({"Cl": 1.0, "Li": 3.0})


def test_an_interval_is_students():
    interval = _interval(2.0, 0.1)
    assert (interval.low, interval.high) == pytest.approx(student.interval(0.95, 7, 2.0, 0.1))


def test_the_shipped_protocol_is_what_the_guide_says():
    spec = load_protocol("melt_quench")
    assert isinstance(spec, MeltQuenchSpec)
    assert (len(spec.seeds), spec.quench_rate_k_ps) == (3, 5.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": [1, 1]}, "seeds: found a value twice"),
        ({"melt_temperature_k": 200.0}, "end_temperature_k: found 300, expected less than melt_temperature_k"),
        ({"quench_rate_k_ps": 0.0}, "greater than 0"),
        ({"dump_every_fs": 5.0}, "expected a multiple of 2"),
        ({"melt_ps": 0.1}, "melt_ps: found 0.1, expected at least 4 times dump_every_fs"),
        ({"anneal_ps": 0.5}, "anneal_ps: found 0.5, expected at least 16 times"),
        ({"start_volume": 5.0}, "start_volume"),
        ({"structure": {**SMALL["structure"], "density_g_cm3": [1.0, 2.0]}}, "found 2 values, expected one"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        small(**changes)
    assert "\n" not in str(caught.value)


def test_temperatures_outside_the_domain_are_refused(tmp_path):
    with pytest.raises(SpecError, match=r"melt_temperature_k: found 5000 K, but potential .* holds from 300 to 1700 K"):
        run_melt_quench(small(melt_temperature_k=5000.0), tmp_path / "out")
    assert not (tmp_path / "out").exists()
