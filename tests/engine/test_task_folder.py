"""A task's folder: named by its inputs for ever, its result there whole or not at all."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from mlip_sse.engine import TaskFailure, TaskFolder, Work, quarantined, release, task_id
from mlip_sse.engine import task_folder as module
from mlip_sse.errors import InputError, RunError
from tests.engine.conftest import wait_for

INPUTS = {"temperature_k": 600.0, "seed": 7, "symbols": ["Li", "Cl"], "file": None, "note": "é"}


def test_ids_are_what_they_were():
    """An id that changes orphans the work that users paid for."""
    assert task_id({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert task_id(INPUTS) == "a3ed626d5ee1683e1aa04da53160841ac17282448009dab3e811100387401af5"
    assert (
        task_id(Work("a:b", name="md_segment").document(INPUTS))
        == "9dfafb588f188742ae7b6e7df0858aa26131438075236c74a555c74a4f4d5f1b"
    )


def test_the_order_of_keys_does_not_matter_and_that_of_lists_does():
    assert task_id(dict(reversed(INPUTS.items()))) == task_id(INPUTS)
    assert task_id({**INPUTS, "symbols": ["Cl", "Li"]}) != task_id(INPUTS)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object()])
def test_inputs_that_are_not_plain_are_refused(value, tmp_path):
    with pytest.raises(InputError, match="not plain finite data"):
        TaskFolder.of(tmp_path, {"value": value})
    assert not list(tmp_path.iterdir())


def test_a_result_and_its_inputs_come_back(tmp_path):
    task = TaskFolder.of(tmp_path, INPUTS)
    assert task.path.name == task_id(INPUTS)
    assert task.inputs() == INPUTS
    assert not task.is_done
    task.write_result({"energy": -1.5, "forces": [[0.0, 1e-300]]})
    assert task.is_done
    assert TaskFolder.of(tmp_path, INPUTS).result() == {"energy": -1.5, "forces": [[0.0, 1e-300]]}
    assert {path.name for path in task.path.iterdir()} == {"input.json", "result.json"}


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"forces": [[0.0, float("nan")]]}, "found nan in the forces"),
        ({"cell": {"a": float("-inf")}}, "found -inf in the cell.a"),
        ({"what": object()}, "not plain data"),
    ],
)
def test_a_result_that_is_no_result_is_refused_and_leaves_nothing(result, message, tmp_path):
    task = TaskFolder.of(tmp_path, INPUTS)
    with pytest.raises(RunError, match=message):
        task.write_result(result)
    assert {path.name for path in task.path.iterdir()} == {"input.json"}


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    task = TaskFolder.of(tmp_path, INPUTS)
    task.write_result({"value": 1})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        task.write_result({"value": 2})
    assert task.result() == {"value": 1}
    assert {path.name for path in task.path.iterdir()} == {"input.json", "result.json"}


def write_for_ever(path, stall_at):
    """Write without end; where ``stall_at`` says so, the second write stops for good within itself."""
    task = TaskFolder(path)
    task.write_result({"numbers": [0] * 20000})
    real = getattr(os, stall_at, None)

    def stalled(*arguments):
        if stall_at == "fsync":  # the half is on disk, in its place it is not
            real(*arguments)
        Path(path).joinpath("stalled").touch()
        time.sleep(600.0)

    if real is not None:
        setattr(os, stall_at, stalled)  # in this process only, which is killed
    for number in range(1, 10**9):
        task.write_result({"numbers": [number] * 20000})


@pytest.mark.parametrize("stall_at", ["fsync", "replace", "nowhere"])
def test_kill_9_while_writing_leaves_a_whole_result(tmp_path, stall_at):
    """Writers killed before and after a half is safe on disk, and at any moment: in place is one whole document."""
    context = multiprocessing.get_context("fork")
    for attempt in range(10):
        task = TaskFolder.of(tmp_path, {"attempt": attempt})
        writer = context.Process(target=write_for_ever, args=(task.path, stall_at))
        writer.start()
        mark = task.path / "stalled"
        wait_for(lambda task=task: task.is_done)
        if stall_at == "nowhere":
            time.sleep(0.002 * attempt)
        else:
            wait_for(mark.exists)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        numbers = task.result()["numbers"]
        assert len(numbers) == 20000
        assert len(set(numbers)) == 1
        if stall_at != "nowhere":
            assert numbers[0] == 0  # the second write never came into place
            assert list(task.path.glob(".result.json.*.part"))
            mark.unlink()
        task.clear_halves()
        assert {path.name for path in task.path.iterdir()} == {"input.json", "result.json"}


def test_failures_are_counted_and_forgotten(tmp_path):
    task = TaskFolder.of(tmp_path, INPUTS)
    assert task.failure() is None
    assert task.write_failure("no luck", "raised") == TaskFailure("no luck", "raised", 1)
    assert task.write_failure("killed", "died") == TaskFailure("killed", "died", 2) == task.failure()
    task.forget_failure()
    assert task.failure() is None
    task.write_failure("again", "raised")
    task.write_result({"value": 1})
    assert task.failure() is None


def test_what_may_be_tried_again():
    assert TaskFailure("x", "raised", 1).may_be_tried(retries=1)
    assert not TaskFailure("x", "raised", 2).may_be_tried(retries=1)
    assert TaskFailure("x", "died", 2).may_be_tried(retries=2)
    assert not TaskFailure("x", "time", 1).may_be_tried(retries=5)
    assert not TaskFailure("x", "refused", 1).may_be_tried(retries=5)


def test_an_error_file_of_before_counts_as_one_attempt(tmp_path):
    task = TaskFolder.of(tmp_path, INPUTS)
    (task.path / "error.json").write_text('{"error": "an older version wrote this"}')
    assert task.failure() == TaskFailure("an older version wrote this", "raised", 1)
    (task.path / "error.json").write_text("{")
    assert task.failure() is None


def test_quarantine_lists_what_failed_and_lets_it_go(tmp_path):
    tasks = [TaskFolder.of(tmp_path, {"number": number}) for number in range(4)]
    tasks[0].write_failure("bad", "raised")
    tasks[1].write_result({"value": 1})
    tasks[2].write_failure("worse", "time")
    found = quarantined(tmp_path)
    assert {(task.path, failure.reason) for task, failure in found} == {
        (tasks[0].path, "bad"),
        (tasks[2].path, "worse"),
    }
    release(task for task, _ in found)
    assert quarantined(tmp_path) == ()
    assert quarantined(tmp_path / "nowhere") == ()


@pytest.mark.parametrize("text", ["{", "[1]", ""])
def test_a_damaged_result_is_named(text, tmp_path):
    task = TaskFolder.of(tmp_path, INPUTS)
    (task.path / "result.json").write_text(text)
    with pytest.raises(RunError, match=r"result\.json: cannot be read .* remove its folder"):
        task.result()


def test_a_file_system_without_locks_is_no_hindrance(tmp_path, monkeypatch):
    task = TaskFolder.of(tmp_path, INPUTS)

    def no_locks(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(module.fcntl, "flock", no_locks)
    with task.locked():
        task.write_result({"value": 1})
    assert task.is_done
