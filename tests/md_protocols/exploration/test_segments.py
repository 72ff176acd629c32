"""Segments: each reason to end is provoked; what was seen before it is kept, and nothing from beyond."""

import json

import numpy as np
import pytest
from ase import Atoms

from mlip_sse.errors import FormatError, InputError
from mlip_sse.md_protocols.exploration import load_looks, tasks
from mlip_sse.md_protocols.exploration.segment import spread_places
from tests.md_protocols.exploration.conftest import inputs_for


def check_kept(result, looks, n_atoms):
    """Hold what must be true of every segment."""
    n_looks = len(looks)
    assert {len(values) for values in result["looks"].values()} == {n_looks}
    assert looks.positions.shape == (n_looks, n_atoms, 3)
    assert looks.cells.shape == (n_looks, 3, 3)
    assert looks.grades.shape == looks.forces_std.shape == (n_looks, n_atoms)
    assert looks.features.shape[0] == n_looks
    assert looks.features.dtype == np.float32
    assert all(np.isfinite(array).all() for array in (looks.positions, looks.cells, looks.grades, looks.features))
    assert result["looks"]["time_ps"][0] == 0.0
    json.dumps(result, allow_nan=False)


def test_a_tame_segment_runs_to_its_end(run_task, pod_folder, rock_salt, licl_pod):
    result, place = run_task(pod_folder, rock_salt, stop_error_ev_a=5.0)
    looks = load_looks(place, result)
    check_kept(result, looks, 64)
    assert result["ended"] is None
    assert result["reached_ps"] == result["wanted_ps"] == 0.4
    np.testing.assert_allclose(result["looks"]["time_ps"], 0.02 * np.arange(21), atol=1e-12)
    np.testing.assert_array_equal(result["looks"]["grade"], looks.grades.max(axis=1))
    moved = (looks.positions[0] - rock_salt.positions) / 10.26
    np.testing.assert_allclose(moved - np.round(moved), 0.0, atol=1e-9)
    # What was kept is what the calculator says of the frame: 1e-6 from the rounding of positions turned into a box.
    frame = Atoms(rock_salt.get_chemical_symbols(), positions=looks.positions[7], cell=looks.cells[7], pbc=True)
    calculator = licl_pod.calculator()
    spread = np.linalg.norm(calculator.get_property("forces_std", frame), axis=1)
    np.testing.assert_allclose(looks.forces_std[7], spread, rtol=1e-5)
    np.testing.assert_allclose(looks.grades[7], calculator.get_property("extrapolation_grade", frame), rtol=1e-5)
    assert result["looks"]["energy_ev"][7] == pytest.approx(calculator.get_property("energy", frame), abs=1e-6)
    calculator.close()


def test_the_same_inputs_give_the_same_bits(run_task, pod_folder, rock_salt):
    changes = {"temperatures_k": [300.0, 600.0], "ensemble": "npt", "duration_ps": 0.1}
    first, one = run_task(pod_folder, rock_salt, **changes)
    run_task(pod_folder, rock_salt, **{**changes, "seed": 4})
    second, other = run_task(pod_folder, rock_salt, **changes)
    assert first == second
    assert (one / "looks.npz").read_bytes() == (other / "looks.npz").read_bytes()
    third, _ = run_task(pod_folder, rock_salt, **{**changes, "seed": 4})
    assert third["looks"]["energy_ev"][-1] != first["looks"]["energy_ev"][-1]


def test_the_thermostat_follows_the_ramp(run_task, argon_folder, solid_argon):
    result, _ = run_task(argon_folder, solid_argon, temperatures_k=[10.0, 60.0], duration_ps=4.0, look_every_fs=40.0)
    assert result["ended"] is None
    found = np.array(result["looks"]["temperature_k"])
    wanted = 10.0 + 50.0 * np.array(result["looks"]["time_ps"]) / 4.0
    # Quarters of 25 looks of 32 atoms: about 2 K of noise. A ramp that began anew at each look would stay at 10 K, or
    # at 60 K, and be off by 20 K in a quarter.
    for quarter in np.split(np.arange(1, 101), 4):
        assert abs((found - wanted)[quarter].mean()) < 8.0


def test_the_barostat_moves_the_cell_and_keeps_its_shape(run_task, argon_folder, solid_argon):
    result, place = run_task(argon_folder, solid_argon, ensemble="npt", pressure_gpa=0.3, duration_ps=2.0)
    looks = load_looks(place, result)
    edges = np.linalg.norm(looks.cells, axis=2)
    assert edges[-1, 0] < 0.995 * edges[0, 0]
    np.testing.assert_allclose(edges, edges[:, :1].repeat(3, axis=1), rtol=1e-9)
    inside = looks.positions @ np.linalg.inv(looks.cells)
    assert ((inside > -0.05) & (inside < 1.05)).all()  # LAMMPS folds when it makes a new list of neighbours


def test_a_bound_on_the_error_ends_it(run_task, pod_folder, rock_salt):
    result, place = run_task(
        pod_folder, rock_salt, temperatures_k=[300.0, 3000.0], duration_ps=2.0, stop_error_ev_a=0.3
    )
    ended = result["ended"]
    assert ended["kind"] == "error_bound"
    assert "expected at most 0.3 eV/Å" in ended["reason"]
    assert ended["error_bound_ev_a"] > 0.3
    assert ended["excess"] > 1.0
    check_kept(result, load_looks(place, result), 64)
    assert all(
        bound <= 0.3 or excess <= 1.0
        for bound, excess in zip(result["looks"]["error_bound_ev_a"], result["looks"]["excess"], strict=True)
    )
    assert result["reached_ps"] == ended["time_ps"] == pytest.approx(result["looks"]["time_ps"][-1] + 0.02)


def test_within_the_alarm_no_bound_ends_it(run_task, pod_folder, rock_salt):
    result, _ = run_task(pod_folder, rock_salt, stop_error_ev_a=1e-9, duration_ps=0.1)
    assert max(result["looks"]["excess"]) < 1.0
    assert min(result["looks"]["error_bound_ev_a"]) > 1e-9
    assert result["ended"] is None


def test_the_grade_alone_ends_it_where_there_is_no_bound(run_task, licl_pod, tmp_path, rock_salt):
    limits = {"limits": {"Li": 0.05, "Cl": 0.05}, "false_alarms": 0.0, "n_frames": 1}
    folder = licl_pod.with_card(uncertainty={"alarm": limits}).save(tmp_path / "nervous")
    result, place = run_task(folder, rock_salt, temperatures_k=[300.0, 3000.0], duration_ps=2.0)
    assert result["ended"]["kind"] == "grade"
    assert result["ended"]["excess"] > 30.0
    assert result["ended"]["error_bound_ev_a"] is None
    looks = load_looks(place, result)
    check_kept(result, looks, 64)
    assert max(result["looks"]["excess"]) <= 30.0
    assert looks.grades.max() <= 1.5


def test_an_explosion_ends_it_and_spoils_the_looks_before(run_task, argon_folder, solid_argon):
    steps = {"timestep_fs": 150.0, "look_every_fs": 150.0, "duration_ps": 15.0}
    result, place = run_task(argon_folder, solid_argon, temperatures_k=[20.0, 20.0], **steps)
    looks = load_looks(place, result)
    check_kept(result, looks, 32)
    assert result["ended"]["kind"] == "exploded"
    assert "expected about 20 K" in result["ended"]["reason"]
    assert len(looks) == round(result["reached_ps"] / 0.15) - 1 > 1


def test_lammps_giving_up_ends_the_segment_and_not_the_task(run_task, argon_folder, solid_argon):
    result, place = run_task(argon_folder, solid_argon, timestep_fs=900.0, look_every_fs=18000.0, duration_ps=180.0)
    assert result["ended"]["kind"] in ("exploded", "lost_atoms")
    assert result["ended"]["reason"].startswith("LAMMPS: ERROR")
    assert result["reached_ps"] == 0.0
    assert len(load_looks(place, result)) == 1


def test_atoms_that_fall_into_each_other_end_it(run_task, pairs_folder, rock_salt):
    hole = pairs_folder(("Li", "Cl"), {"Li-Li": (0.01, 3.0), "Li-Cl": (0.5, 1.0), "Cl-Cl": (0.01, 3.0)})
    rock_salt.positions[1] = rock_salt.positions[0] + [1.35, 0.0, 0.0]
    result, _ = run_task(hole, rock_salt, timestep_fs=0.2, look_every_fs=2.0)
    assert result["ended"]["kind"] == "too_close"
    assert "Li and Cl at 1." in result["ended"]["reason"]


def test_a_polyanion_that_falls_apart_ends_it(run_task, pairs_folder, tetrahedra):
    weak = pairs_folder(("P", "S"), {"P-P": (0.01, 3.0), "P-S": (0.01, 1.9), "S-S": (0.01, 3.3)})
    result, place = run_task(weak, tetrahedra, temperatures_k=[500.0, 500.0], duration_ps=2.0)
    assert result["ended"]["kind"] == "broken_polyanion"
    assert "the bond of P" in result["ended"]["reason"]
    looks = load_looks(place, result)
    check_kept(result, looks, 40)
    bonds = tetrahedra.get_all_distances(mic=True) < 2.1
    for positions, cell in zip(looks.positions, looks.cells, strict=True):
        frame = Atoms(tetrahedra.get_chemical_symbols(), positions=positions, cell=cell, pbc=True)
        assert (frame.get_all_distances(mic=True)[bonds] < 1.5 * 2.05 * 1.2).all()  # a bond that comes back may pass


def test_a_new_bond_ends_it(run_task, pairs_folder):
    chlorine = Atoms("Cl2", positions=[[4, 5, 5], [7, 5, 5]], cell=[10, 10, 10], pbc=True).repeat((2, 2, 1))
    sticky = pairs_folder(("Cl",), {"Cl-Cl": (0.3, 1.85)})
    result, _ = run_task(sticky, chlorine, temperatures_k=[100.0, 100.0], duration_ps=2.0, timestep_fs=1.0)
    assert result["ended"]["kind"] == "broken_polyanion"
    assert result["ended"]["reason"].endswith("made a bond")


def test_polyanions_that_hold_do_not_end_it(run_task, pairs_folder, tetrahedra):
    strong = pairs_folder(("P", "S"), {"P-P": (0.01, 3.0), "P-S": (3.0, 1.83), "S-S": (0.01, 3.0)})
    result, place = run_task(strong, tetrahedra, temperatures_k=[300.0, 300.0], timestep_fs=1.0)
    assert result["ended"] is None
    looks = load_looks(place, result)
    assert looks.features.shape[1] == 2 * 4 * 20  # mean and spread, pairs of elements, distances
    assert not looks.grades.any()
    assert np.isnan(looks.forces_std).all()


def test_another_potential_or_another_file_is_refused(run_task, pod_folder, teacher_folder, rock_salt, tmp_path):
    result, place = run_task(teacher_folder, rock_salt, duration_ps=0.02)
    (place / "looks.npz").write_bytes(b"something else")
    with pytest.raises(FormatError, match="expected one: delete the task"):
        load_looks(place, result)
    with pytest.raises(InputError, match="another potential"):
        tasks.start({"potential": str(pod_folder)})(inputs_for(teacher_folder, rock_salt), tmp_path)


@pytest.mark.parametrize(
    "changes",
    [{"ensemble": "nve"}, {"timestep_fs": 0.0}, {"temperatures_k": [300.0, float("nan")]}, {"kind": "x"}],
    ids=str,
)
def test_impossible_inputs_are_refused(run_task, teacher_folder, rock_salt, changes):
    with pytest.raises(InputError, match="expected"):
        run_task(teacher_folder, rock_salt, **changes)


def test_an_unknown_element_is_refused(run_task, teacher_folder):
    sodium = Atoms("NaCl", positions=[[0, 0, 0], [0, 0, 2.8]], cell=[6, 6, 6], pbc=True)
    with pytest.raises(InputError, match="not Na"):
        run_task(teacher_folder, sodium)


def test_the_committee_is_asked_where_the_excess_is_high_and_evenly():
    excess = np.zeros(300)
    excess[100:130] = 2.0
    places = spread_places(excess, 60)
    assert len(places) == 60
    assert {0, *range(100, 130), *range(296, 300)} <= set(places.tolist())
    assert np.diff(places).max() <= 11
    assert spread_places([1.0, 2.0], 60).tolist() == [0, 1]
