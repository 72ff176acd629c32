"""A reference that fails, hangs, crashes or gives nonsense on some structures labels the others, and says why."""

import os
import signal
import subprocess
import sys
import time

import pytest
from ase import Atoms
from ase.build import bulk

from mlip_sse.errors import InputError
from mlip_sse.references import load_reference

MOODY = "tests.references.calculators:Moody"


@pytest.fixture(autouse=True)
def importable(repository, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.fspath(repository))
    monkeypatch.syspath_prepend(os.fspath(repository))


def moody(started="", time_limit_s=60.0, **settings):
    given = {"kind": "ase", "calculator": MOODY, "settings": {"started": str(started)}, "time_limit_s": time_limit_s}
    return load_reference({**given, **settings})


def copper(seed=0, with_=None):
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.03, seed=seed)
    if with_:
        atoms.symbols[0] = with_
    return atoms


def test_the_good_are_labelled_and_each_failure_says_why(tmp_path):
    moods = [None, "Ag", "Pt", "Pd", "Ni", "Al", None]
    structures = [copper(seed, mood) for seed, mood in enumerate(moods)]
    labels = moody().label(structures, tmp_path)
    assert len(labels) == labels.n_labelled - 2 == 2  # Ni and Al were computed, and refused by the gates
    assert [frame.formula for frame in labels] == ["Cu4", "Cu4"]
    reasons = {failure.formula: failure.reason for failure in labels.failures}
    assert reasons["AgCu3"] == "the silver bullet"
    assert "found nan in the forces" in reasons["Cu3Pt"]
    assert "died of SIGSEGV: see" in reasons["Cu3Pd"]
    assert "(force cap)" in reasons["Cu3Ni"]
    assert "found a pressure of 320.4 GPa" in reasons["AlCu3"]
    assert all("\n" not in reason for reason in reasons.values())
    silver = next(failure for failure in labels.failures if failure.formula == "AgCu3")
    assert "Traceback" in (silver.folder / "log").read_text()
    assert [failure.number for failure in labels.failures] == [1, 2, 3, 4, 5]
    logs = [path.read_text() for path in tmp_path.glob("*/log")]
    assert sum("computed Cu4" in log for log in logs) == 2


def test_a_label_that_hangs_is_ended_in_time(tmp_path):
    start = time.monotonic()
    labels = moody(time_limit_s=5.0).label([copper(1, "Au"), copper(2)], tmp_path)
    assert time.monotonic() - start < 300
    assert len(labels) == 1
    assert "ran out of time after 5 s" in labels.failures[0].reason


def test_what_failed_is_tried_again_only_when_asked(tmp_path):
    started = tmp_path / "started"
    structures = [copper(1, "Ag"), copper(2)]
    counts = []
    for retry in (False, False, True):
        labels = moody(started).label(structures, tmp_path / "tasks", retry_failed=retry)
        assert (len(labels), len(labels.failures)) == (1, 1)
        counts.append(started.read_text().count("AgCu3"))
    assert counts == [1, 1, 2]
    assert started.read_text().count("Cu4") >= 1
    assert labels.n_reused == 1


def test_gates_are_asked_anew_of_labels_that_are_there(tmp_path):
    structure = [copper(1, "Ni")]
    assert "force cap" in moody().label(structure, tmp_path).failures[0].reason
    wide = moody(gates={"force_cap_ev_a": 1e5}).label(structure, tmp_path)
    assert (len(wide), wide.n_labelled, wide.n_reused) == (1, 0, 1)


def test_structures_that_need_no_calculation_to_be_refused(tmp_path):
    twice = Atoms("Cu2", positions=[[0, 0, 0], [0.1, 0, 0]], cell=3 * [4.0], pbc=True)
    lost = copper()
    lost.positions[0, 0] = float("nan")
    labels = moody().label([twice, lost, Atoms(), copper()], tmp_path)
    assert len(labels) == 1
    assert [failure.folder for failure in labels.failures] == [None, None, None]
    wanted = ("on top of each other", "not finite", "without atoms")
    for failure, words in zip(labels.failures, wanted, strict=True):
        assert words in failure.reason


def test_two_processes_at_a_time_and_progress(tmp_path):
    seen = []
    labels = moody().label([copper(s) for s in range(5)], tmp_path, workers=2, progress=lambda *at: seen.append(at))
    assert labels.n_labelled == 5
    assert seen == [(done, 5) for done in range(1, 6)]
    assert [frame.place for frame in labels] == [0, 1, 2, 3, 4]


def test_without_a_folder_nothing_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert len(moody().label([copper()])) == 1
    assert not list(tmp_path.iterdir())


def test_a_lane_makes_the_labels_and_tries_again(tmp_path):
    from mlip_sse.engine import Engine

    started = tmp_path / "started"
    with Engine(tmp_path, {"scheduler": "embedded", "cores": 2}) as engine:
        with pytest.raises(InputError, match="found a lane and no folder"):
            moody().label([copper()], lane=engine.lane("label"))
        structures = [copper(1), copper(2, "Ag"), copper(3)]
        labels = moody(started).label(structures, engine.tasks, lane=engine.lane("label"))
    assert (len(labels), labels.n_labelled) == (2, 2)
    assert [failure.reason for failure in labels.failures] == ["the silver bullet"]
    assert started.read_text().count("AgCu3") == 2
    assert moody(started).label(structures, tmp_path / "tasks").n_reused == 2


def test_no_stress_is_no_failure(tmp_path):
    reference = load_reference("ase:tests.references.calculators:Stressless")
    (frame,) = reference.label([copper()], tmp_path)
    assert frame.stress is None


@pytest.mark.parametrize(
    ("calculator", "settings", "message"),
    [
        ("tests.references.calculators:Nothing", {}, "cannot be imported"),
        ("tests.references.calculators:NotACalculator", {}, "is no ASE calculator"),
        ("ase.build:bulk", {}, "is no ASE calculator"),
        ("tests.references.calculators:Stressless", {"label": 3}, "rsplit|cannot be made|label"),
    ],
)
def test_a_worker_that_cannot_start_is_one_error(calculator, settings, message, tmp_path):
    reference = load_reference({"kind": "ase", "calculator": calculator, "settings": settings})
    with pytest.raises(InputError, match=message) as caught:
        reference.label([copper()], tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*/result.json"))


def test_a_package_that_is_missing():
    with pytest.raises(InputError, match="no package 'nowhere'"):
        load_reference("ase:nowhere.at:All").label([copper()])


def test_a_damaged_result_is_named(tmp_path):
    moody().label([copper()], tmp_path)
    (result,) = tmp_path.glob("*/result.json")
    result.write_text("{")
    labels = moody().label([copper()], tmp_path)
    assert "remove its folder" in labels.failures[0].reason


LABELLER = """
import sys
from ase.build import bulk
from mlip_sse.references import load_reference
reference = load_reference({"kind": "ase", "calculator": "tests.references.calculators:Moody",
                            "settings": {"started": sys.argv[2]}})
structures = [bulk("Cu", cubic=True, a=3.6 + 0.01 * n) for n in range(4)]
structures[2].symbols[0] = "Au"
reference.label(structures, sys.argv[1])
"""


def test_a_killed_parent_takes_the_worker_along_and_its_labels_count(tmp_path, repository):
    started = tmp_path / "started"
    arguments = [sys.executable, "-c", LABELLER, str(tmp_path / "tasks"), str(started)]
    parent = subprocess.Popen(arguments, cwd=repository)
    deadline = time.monotonic() + 300
    while not (started.exists() and "AuCu3" in started.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    structures = [bulk("Cu", cubic=True, a=3.6 + 0.01 * n) for n in range(4)]
    # The lock of the hanging task is free only when its worker is gone.
    structures[2].symbols[0] = "Au"
    labels = moody(started, time_limit_s=5.0).label(structures, tmp_path / "tasks")
    assert labels.n_reused == 2
    assert len(labels) == 3
    assert started.read_text().count("AuCu3") == 2  # the second attempt got the lock


def test_it_can_be_stopped(tmp_path):
    from threading import Event, Timer

    from mlip_sse.engine import run_tasks
    from mlip_sse.engine.thread_lane import ThreadLane
    from mlip_sse.errors import RunError
    from mlip_sse.references.labelling import labelling_work, task_input

    reference = moody(time_limit_s=60.0)
    inputs = task_input(reference.spec.identity(), reference.fingerprint, copper(1, "Au"))
    stop = Event()
    Timer(1.0, stop.set).start()
    with ThreadLane(1) as lane, pytest.raises(RunError, match="stopped"):
        run_tasks(lane, labelling_work(reference.spec), [inputs], tmp_path, stop=stop)
    assert not list(tmp_path.glob("*/result.json"))
    assert not list(tmp_path.glob("*/error.json"))


def test_too_few_labels_are_an_error_before_the_rest_is_tried(tmp_path):
    from mlip_sse.errors import RunError

    started = tmp_path / "started"
    structures = [copper(seed, "Ag" if seed < 2 else None) for seed in range(6)]
    with pytest.raises(RunError, match="2 of 6 tasks failed, expected results of at least 80%: the silver bullet"):
        moody(started).label(structures, tmp_path / "tasks", min_success=0.8)
    assert started.read_text().count("Cu4") <= 2


def test_the_folder_of_a_label_is_what_it_was():
    """An id that changes orphans every label that was paid for."""
    from mlip_sse.engine import task_id
    from mlip_sse.references.labelling import task_input

    reference = load_reference({"kind": "ase", "calculator": "ase.calculators.emt:EMT"})
    fingerprint = reference.fingerprint.model_copy(update={"code_version": "ase 3.29.0"})
    found = task_id(task_input(reference.spec.identity(), fingerprint, bulk("Cu", cubic=True)))
    assert found == "aea18aa3aff274231db7101308f79053e2902bf46065743fc0f2b08d12a040a6"
