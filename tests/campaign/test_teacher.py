"""Student against teacher: walkers that agree and that do not, dynamics in pieces, frames along a run."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk

from mlip_sse.campaign.specs import CampaignSpec
from mlip_sse.campaign.teacher import frames_along, teach
from mlip_sse.campaign.teacher_comparison import compare
from mlip_sse.campaign.teacher_md import md_inputs, read_run, speed_of, start
from mlip_sse.errors import InputError
from mlip_sse.references import load_reference
from mlip_sse.trajectory.model import Trajectory

EDGE_A = 9.0
SPECIES = ["Li"] * 16 + ["S"] * 8


def walkers(seed, *, n_frames, spacing_fs, step_a2_per_ps=6.0, stretch=1.0):
    """Return lithium that walks at random through sulphur that shakes about a lattice; D is step/6 Å²/ps."""
    rng = np.random.default_rng(seed)
    variance = step_a2_per_ps * spacing_fs / 1000 / 3
    steps = rng.normal(0, np.sqrt(variance), (n_frames, 16, 3))
    lithium = rng.uniform(0, EDGE_A, (16, 3)) + np.cumsum(steps, axis=0)
    sites = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * 3.0
    sulphur = stretch * sites + rng.normal(0, 0.1, (n_frames, 8, 3))
    positions = np.concatenate([lithium, sulphur], axis=1)
    return Trajectory.from_arrays(
        SPECIES, positions, EDGE_A * np.eye(3), spacing_fs, wrapped=False, temperature_k=600.0
    )


@pytest.fixture(scope="module")
def student():
    return [walkers(k, n_frames=1000, spacing_fs=50.0) for k in (1, 2)]


def test_a_teacher_that_does_the_same_agrees(student):
    """D is 1 Å²/ps = 1e-4 cm²/s for both."""
    found = compare(student, [walkers(k, n_frames=400, spacing_fs=20.0) for k in (3, 4)], "Li", 600.0)
    assert found["agree"], found["reasons"]
    assert found["student_cm2_s"].low < 1e-4 < found["student_cm2_s"].high
    assert found["teacher_cm2_s"].low < 1e-4 < found["teacher_cm2_s"].high
    assert found["windows_cm2_s"].low < 1e-4 < found["windows_cm2_s"].high
    assert found["duration_ps"] == pytest.approx(2 * 399 * 0.02)
    assert abs(found["rdf"]["S-S"]["peak_shift_a"]) < 0.02  # shells of 0.05 Å and 0.1 Å of shaking
    assert set(found["rdf"]) == {"Li-Li", "Li-S", "S-S"}


def test_a_teacher_whose_ions_move_three_times_as_fast_does_not(student):
    teacher = [walkers(k, n_frames=400, spacing_fs=20.0, step_a2_per_ps=18.0) for k in (3, 4)]
    found = compare(student, teacher, "Li", 600.0)
    assert not found["agree"]
    assert "D of the student is 0.3" in found["reasons"][0]
    assert 1.05 < found["chance_factor"] < 2.0


def test_without_windows_as_long_as_the_teacher_whole_runs_decide(student):
    """The student's runs are 50 ps long, the teacher's 40 ps: two windows are no spread."""
    slow = [walkers(3, n_frames=2001, spacing_fs=20.0)]
    found = compare(student, slow, "Li", 600.0)
    assert found["agree"], found["reasons"]
    assert "times the teacher's; the joint 95 % interval reaches to a factor" in found["reasons"][0]
    fast = [walkers(3, n_frames=2001, spacing_fs=20.0, step_a2_per_ps=12.0)]
    assert not compare(student, fast, "Li", 600.0)["agree"]


def test_a_teacher_whose_anions_sit_elsewhere_does_not(student):
    found = compare(student, [walkers(3, n_frames=400, spacing_fs=20.0, stretch=0.9)], "Li", 600.0)
    assert not found["agree"]
    assert found["rdf"]["S-S"]["peak_shift_a"] == pytest.approx(0.3, abs=0.03)
    assert any("first peak of g(r) of S-S" in reason for reason in found["reasons"])


@pytest.mark.parametrize(("speed", "agree"), [(6.0, True), (40.0, False)])
def test_a_teacher_too_short_for_a_diffusivity_is_judged_by_displacements(student, speed, agree):
    """Thirty frames are fewer than an analysis of transport takes."""
    teacher = [walkers(k, n_frames=30, spacing_fs=20.0, step_a2_per_ps=speed) for k in (5, 6)]
    found = compare(student, teacher, "Li", 600.0)
    assert found["teacher_cm2_s"] is None
    assert found["agree"] is agree
    assert "the mean squared displacement over half of that time of the student is" in found["reasons"][0]


EMT = {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}


def inputs(**changes):
    wanted = {
        "temperature_k": 500.0,
        "duration_ps": 0.24,
        "timestep_fs": 4.0,
        "every_fs": 8.0,
        "warm_up_ps": 0.04,
        "seed": 3,
    }
    return md_inputs({"settings": EMT}, bulk("Cu", cubic=True), **{**wanted, **changes})


def test_dynamics_goes_on_from_its_pieces_to_the_same_frames(tmp_path):
    """Thirty-one frames in pieces of ten; of a copy the last two pieces and the result are lost."""
    whole, again = tmp_path / "whole", tmp_path / "again"
    whole.mkdir()
    run = start(EMT)
    first = run(inputs(), whole)
    shutil.copytree(whole, again)
    for name in ("piece_000020.npz", "piece_000030.npz", "positions.npz"):
        (again / name).unlink()
    kept = (again / "piece_000010.npz").stat().st_mtime_ns
    second = run(inputs(), again)
    assert (again / "piece_000010.npz").stat().st_mtime_ns == kept
    assert (first["n_frames"], first["spacing_fs"], first["ended"]) == (31, 8.0, None)
    one, other = read_run(whole, inputs(), first), read_run(again, inputs(), second)
    # A calculator that starts anew rounds differently; chaos has no time to grow.
    np.testing.assert_allclose(other.positions, one.positions, atol=1e-4)
    assert one.duration_fs == pytest.approx(240.0)
    # Four atoms: the temperature fluctuates by sqrt(2/9) of itself, correlated over the 200 fs of the thermostat.
    assert 200 < first["mean_temperature_k"] < 1000
    speed, n_steps = speed_of([whole], 4)
    assert (n_steps, speed > 0) == (10 + 30 * 2, True)
    (whole / "positions.npz").write_bytes(b"other")
    with pytest.raises(InputError, match="another content than its result says"):
        read_run(whole, inputs(), first)


def test_dynamics_that_explodes_ends_with_its_reason(tmp_path):
    crowded = inputs(timestep_fs=4.0)
    crowded["start"]["positions"][1] = [0.5, 0.4, 0.0]
    found = start(EMT)(crowded, tmp_path)
    assert found["ended"]["kind"] == "exploded"
    assert found["n_frames"] < 31


def test_frames_along_the_dynamics_are_spread_over_runs_and_time(tmp_path, monkeypatch):
    runs = [SimpleNamespace(trajectory=str(k), ended=None, name=f"run{k}") for k in range(2)]
    ended = SimpleNamespace(trajectory="lost", ended={"kind": "lost_atoms"}, name="run2")
    made = {"0": walkers(1, n_frames=21, spacing_fs=50.0), "1": walkers(2, n_frames=21, spacing_fs=50.0)}
    monkeypatch.setattr(Trajectory, "read", lambda path: made[str(path)])
    frames = frames_along(SimpleNamespace(runs=[*runs, ended]), 5)
    wanted = [("0", 7), ("1", 7), ("0", 13), ("1", 13), ("0", 20)]
    for atoms, (path, index) in zip(frames, wanted, strict=True):
        np.testing.assert_allclose(atoms.positions, made[path].positions[index])
    assert frames[0].info == {"group": "production run0", "place": 0}


def test_dynamics_that_the_reference_fails_at_is_a_reason_and_no_end(tmp_path, monkeypatch):
    """The first of two runs fails; the campaign goes on to its answer without the comparison."""
    spec = CampaignSpec.parse(
        {
            "description": "a test",
            "structure": {"crystal": "licl"},
            "temperatures_k": [300, 400, 500, 600],
            "production": {"teacher_ps": 2.0},
        }
    )
    monkeypatch.setattr(Trajectory, "read", lambda path, **_: walkers(1, n_frames=21, spacing_fs=50.0))
    runs = [SimpleNamespace(trajectory="0", temperature_k=600.0, ended=None)]
    fine = SimpleNamespace(
        folder=SimpleNamespace(path=tmp_path), failure=None, is_done=True, result=lambda: {"ended": None}
    )
    failed = SimpleNamespace(
        folder=SimpleNamespace(path=tmp_path),
        failure=SimpleNamespace(reason="the electrons did not converge"),
        is_done=False,
    )
    engine = SimpleNamespace(run=lambda lane, work, inputs, progress: [failed, fine])
    found = teach(spec, SimpleNamespace(runs=runs), load_reference(spec.reference), engine)
    assert not found.agree
    assert found.reasons == ("dynamics with the reference failed: the electrons did not converge",)
