"""A batch of tasks: each done once, failures named, hanging ones ended, nothing left running."""

import json
import threading
import time

import pytest

from mlip_sse.engine import Work, quarantined, run_tasks
from mlip_sse.engine.thread_lane import ThreadLane
from mlip_sse.errors import InputError, RunError
from tests.engine.conftest import HANGS_FOR_S, SOON_S, errands, is_alive, read_pid, wait_for


def numbers(count, **more):
    return [{"number": number, **more} for number in range(count)]


def deeds(*names):
    return [{"number": number, "deed": name} for number, name in enumerate(names)]


def attempts(path):
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def lane():
    with ThreadLane(1) as lane:
        yield lane


def test_results_come_in_the_order_of_the_inputs_and_equal_inputs_share_a_task(lane, tmp_path):
    started = tmp_path / "started"
    inputs = [*numbers(3), {"number": 1}]
    outcomes = run_tasks(lane, errands(started), inputs, tmp_path / "tasks")
    assert [outcome.result()["square"] for outcome in outcomes] == [0, 1, 4, 1]
    assert (outcomes.n_done, outcomes.n_reused, len(outcomes.failed)) == (3, 0, 0)
    assert sorted(attempts(started)) == ["0", "1", "2"]
    assert outcomes[1].folder.path == outcomes[3].folder.path


def test_one_process_does_task_after_task_with_one_thread(lane, tmp_path):
    outcomes = run_tasks(lane, errands(), numbers(4), tmp_path)
    assert len({outcome.result()["worker"] for outcome in outcomes}) == 1
    assert {outcome.result()["threads"] for outcome in outcomes} == {"1"}


def test_what_is_printed_lies_in_the_log_of_the_task(lane, tmp_path, capfd):
    outcomes = run_tasks(lane, errands(), numbers(2), tmp_path)
    for outcome in outcomes:
        assert str(outcome.folder.inputs()) in (outcome.folder.path / "log").read_text()
    assert capfd.readouterr() == ("", "")


def test_a_second_call_does_nothing(lane, tmp_path):
    started = tmp_path / "started"
    for n_done in (3, 0):
        outcomes = run_tasks(lane, errands(started), numbers(3), tmp_path / "tasks")
        assert (outcomes.n_done, outcomes.n_reused) == (n_done, 3 - n_done)
    assert len(attempts(started)) == 3


def test_each_failure_says_why_and_the_others_are_done(lane, tmp_path):
    inputs = deeds("square", "fail", "refuse", "crash", "leave", "nonsense", "not_plain", "square")
    outcomes = run_tasks(lane, errands(), inputs, tmp_path)
    assert [outcome.state for outcome in outcomes] == ["done", *["failed"] * 6, "done"]
    reasons = [outcome.failure.reason for outcome in outcomes[1:7]]
    assert reasons[:2] == ["the electrons did not converge", "found an element that nobody knows"]
    assert "the task died of SIGSEGV: see" in reasons[2]
    assert "the task left with exit code 3: see" in reasons[3]
    assert reasons[4] == "found nan in the forces, expected finite numbers"
    assert "not plain data" in reasons[5]
    assert outcomes.failures_by_kind() == {"raised": 3, "refused": 1, "died": 2}
    assert "Traceback" in (outcomes[1].folder.path / "log").read_text()
    assert {task.path for task, _ in quarantined(tmp_path)} == {outcome.folder.path for outcome in outcomes.failed}
    with pytest.raises(RunError, match="did not converge"):
        outcomes[1].result()


def test_retries(lane, tmp_path):
    started = tmp_path / "started"
    inputs = deeds("fail", "fail_once", "refuse")
    outcomes = run_tasks(lane, errands(started), inputs, tmp_path / "tasks", retries=1)
    assert [outcome.state for outcome in outcomes] == ["failed", "done", "failed"]
    assert sorted(attempts(started)) == ["0", "0", "1", "1", "2"]
    assert outcomes[0].failure.attempts == 2
    assert json.loads((outcomes[0].folder.path / "error.json").read_text())["attempts"] == 2


def test_what_failed_for_good_stays_in_quarantine_until_it_is_asked_for(lane, tmp_path):
    started = tmp_path / "started"
    counts = []
    for settings in ({}, {}, {"retries": 1}, {"retries": 1}, {"retry_failed": True}):
        run_tasks(lane, errands(started), deeds("fail"), tmp_path / "tasks", **settings)
        counts.append(len(attempts(started)))
    assert counts == [1, 1, 2, 2, 3]


def test_a_task_that_hangs_is_ended_in_time_with_all_it_started(lane, tmp_path):
    """Its child lives in a session of its own, as under mpirun; the next task gets a new process."""
    start = time.monotonic()
    outcomes = run_tasks(lane, errands(time_limit_s=HANGS_FOR_S), deeds("hang", "square"), tmp_path)
    assert time.monotonic() - start < SOON_S
    assert [outcome.state for outcome in outcomes] == ["failed", "done"]
    assert outcomes[0].failure.reason.startswith("the task ran out of time after 3 s: see")
    assert outcomes[0].failure.kind == "time"
    for name in ("worker.pid", "child.pid"):
        assert not is_alive(read_pid(outcomes[0].folder.path / name))


def test_time_that_ran_out_is_not_spent_again(lane, tmp_path):
    started = tmp_path / "started"
    run_tasks(lane, errands(started, time_limit_s=HANGS_FOR_S), deeds("hang"), tmp_path / "tasks", retries=3)
    assert len(attempts(started)) == 1


def test_min_success_lets_some_fail(lane, tmp_path):
    inputs = [*deeds("fail"), *numbers(5)[1:]]
    outcomes = run_tasks(lane, errands(), inputs, tmp_path, min_success=0.8)
    assert (outcomes.n_done, len(outcomes.failed)) == (4, 1)


def test_min_success_out_of_reach_stops_the_rest(lane, tmp_path):
    started = tmp_path / "started"
    inputs = [*deeds("fail", "fail"), *numbers(10, seconds=0.05)[2:]]
    with pytest.raises(RunError, match=r"^2 of 10 tasks failed, expected results of at least 90%: the electrons did"):
        run_tasks(lane, errands(started), inputs, tmp_path / "tasks", min_success=0.9)
    n_begun = len(attempts(started))
    assert n_begun < 10
    with pytest.raises(RunError, match="2 of 10 tasks failed"):  # known before anything is started
        run_tasks(lane, errands(started), inputs, tmp_path / "tasks", min_success=0.9)
    assert len(attempts(started)) == n_begun


@pytest.mark.parametrize("fraction", [-0.1, 1.1])
def test_min_success_is_a_fraction(fraction, lane, tmp_path):
    with pytest.raises(InputError, match="expected a fraction"):
        run_tasks(lane, errands(), [], tmp_path, min_success=fraction)


def test_work_that_cannot_start_is_one_error(lane, tmp_path):
    with pytest.raises(InputError, match=r"^no licence for this code$"):
        run_tasks(lane, errands(refuse=True), numbers(3), tmp_path)
    with pytest.raises(InputError, match="cannot be imported"):
        run_tasks(lane, Work("tests.engine.errands:nothing"), numbers(1), tmp_path)
    with pytest.raises(InputError, match="expected module:function"):
        Work("os.system('true')")
    with pytest.raises(InputError, match="time_limit_s"):
        Work("a:b", time_limit_s=float("nan"))
    assert not list(tmp_path.glob("*/error.json"))


def test_a_full_disk_ends_the_run_and_marks_no_task_as_failed(lane, tmp_path):
    with pytest.raises(RunError, match=r"No space left on device.*free some space.*goes on where it was"):
        run_tasks(lane, errands(), deeds("square", "fill_disk", "square"), tmp_path)
    assert not list(tmp_path.glob("*/error.json"))


def test_a_really_full_disk(lane, tmp_path, repository):
    """A result that does not fit on a file system of 64 kB."""
    import os
    import subprocess

    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        with pytest.raises(RunError, match="No space left"):
            run_tasks(lane, errands(), [{"number": 2, "deed": "long"}], small)
        assert not list(small.glob("*/result.json"))
        assert not [path for path in small.rglob("*") if path.name.endswith(".part")]
        assert run_tasks(lane, errands(), numbers(1), small).n_done == 1
    finally:
        os.chdir(repository)
        lane.shutdown()
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_progress_ends_at_all(lane, tmp_path):
    run_tasks(lane, errands(), [*deeds("fail"), *numbers(3)[1:]], tmp_path)
    seen = []
    inputs = [*deeds("fail"), *numbers(5)[1:], {"number": 9, "deed": "refuse"}]
    run_tasks(lane, errands(), inputs, tmp_path, progress=seen.append)
    assert [(each.n_ended, each.n_to_do) for each in seen] == [(1, 3), (2, 3), (3, 3)]
    last = seen[-1]
    assert (last.n_tasks, last.n_reused, last.n_failed_before, last.n_done, last.n_failed) == (6, 2, 1, 2, 1)


def test_it_can_be_stopped_and_goes_on(lane, tmp_path):
    stop = threading.Event()
    started = tmp_path / "started"
    inputs = [*numbers(2), *deeds("x", "x", "hang")[2:]]

    def stop_at_the_third():
        while not list(tmp_path.glob("tasks/*/worker.pid")) and not stop.wait(0.02):
            pass
        stop.set()

    watching = threading.Thread(target=stop_at_the_third, daemon=True)
    watching.start()
    begin = time.monotonic()
    with pytest.raises(RunError, match="stopped"):
        run_tasks(lane, errands(started), inputs, tmp_path / "tasks", stop=stop)
    assert time.monotonic() - begin < SOON_S
    watching.join()
    assert not list((tmp_path / "tasks").glob("*/error.json"))
    assert not list((tmp_path / "tasks").glob(".stop*"))
    outcomes = run_tasks(lane, errands(started, time_limit_s=HANGS_FOR_S), inputs, tmp_path / "tasks")
    assert (outcomes.n_reused, outcomes.failures_by_kind()) == (2, {"time": 1})


def test_an_idle_worker_leaves_and_another_comes(tmp_path, monkeypatch):
    from mlip_sse.engine import run as module

    monkeypatch.setattr(module, "Order", lambda **given: real(**given, idle_limit_s=1.0))
    real = __import__("mlip_sse.engine.execution", fromlist=["Order"]).Order
    with ThreadLane(1) as lane:
        (first,) = run_tasks(lane, errands(), numbers(1), tmp_path)
        wait_for(lambda: not is_alive(first.result()["worker"]), what="leaving")
        _, second = run_tasks(lane, errands(), numbers(2), tmp_path)
        assert second.result()["square"] == 1
        assert second.result()["worker"] != first.result()["worker"]


def test_when_the_lane_is_shut_no_process_is_left(tmp_path):
    with ThreadLane(2) as lane:
        outcomes = run_tasks(lane, errands(), numbers(4, seconds=0.1), tmp_path)
    assert not [each for each in outcomes if is_alive(each.result()["worker"])]


def test_a_worker_that_vanishes_before_its_task_counts_as_lost_and_the_task_is_done(tmp_path, monkeypatch):
    """Lost three times it is named, and not tried for ever."""
    from mlip_sse.engine import execution

    real = execution._attempt
    for n_lost in (2, 3):
        losses = []

        def attempt(order, stop, losses=losses, n_lost=n_lost):
            if len(losses) < n_lost:
                losses.append(order.folder)
                return execution.Answer("lost", "the node went away")
            return real(order, stop)

        monkeypatch.setattr(execution, "_attempt", attempt)
        with ThreadLane(1) as lane:
            outcomes = run_tasks(lane, errands(), numbers(1), tmp_path / str(n_lost))
        assert outcomes.n_lost == n_lost
        assert [each.state for each in outcomes] == ["done" if n_lost == 2 else "failed"]
    assert outcomes[0].failure.reason == "lost 3 times: the node went away"
    assert outcomes[0].failure.kind == "lost"
