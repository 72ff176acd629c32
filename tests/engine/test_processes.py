"""Whoever is killed, nothing is left running, nothing finished is done again, and two callers do not do the same."""

import os
import signal
import subprocess
import sys

import pytest

from mlip_sse.engine import Engine, run_tasks
from mlip_sse.engine.thread_lane import ThreadLane
from tests.engine.conftest import HANGS_FOR_S, SOON_S, errands, is_alive, read_pid, wait_for

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="orphans are found through /proc")

CALLER = """
import json, sys
from mlip_sse.engine import Engine, Work
folder, started, inputs = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
with Engine(folder, {"scheduler": "embedded", "cores": 2}) as engine:
    outcomes = engine.run("md", Work("tests.engine.errands:start", {"started": started}, 300.0), inputs)
print(outcomes.n_done, outcomes.n_reused)
"""


def call(tmp_path, inputs):
    import json

    arguments = [sys.executable, "-c", CALLER, str(tmp_path), str(tmp_path / "started"), json.dumps(inputs)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def pid_files(tmp_path, name):
    return [pid for path in tmp_path.glob(f"tasks/*/{name}") if (pid := read_pid(path))]


@pytest.mark.parametrize("deed", ["hang", "hang_in_c"])
def test_kill_9_of_the_caller_ends_all_and_what_was_done_counts(deed, tmp_path):
    """Also where the task holds the interpreter, so that no watching thread in its process could run."""
    inputs = [{"number": 1}, {"number": 2}, {"number": 3, "deed": deed}]
    caller = call(tmp_path, inputs)
    wait_for(lambda: len(list(tmp_path.glob("tasks/*/result.json"))) == 2 and pid_files(tmp_path, "worker.pid"))
    if deed == "hang":
        wait_for(lambda: pid_files(tmp_path, "child.pid"))
    pids = pid_files(tmp_path, "*.pid")
    assert all(map(is_alive, pids))
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    caller.stdout.close()
    wait_for(lambda: not any(map(is_alive, pids)), what="the end of all")
    started = (tmp_path / "started").read_text()
    with ThreadLane(1) as lane:
        outcomes = run_tasks(lane, errands(tmp_path / "started", HANGS_FOR_S), inputs, tmp_path / "tasks")
    assert [outcome.state for outcome in outcomes] == ["reused", "reused", "failed"]
    again = (tmp_path / "started").read_text().removeprefix(started)
    assert [line.split()[0] for line in again.splitlines()] == ["3"]


@pytest.mark.parametrize("victim", ["worker.pid", "keeper"])
def test_kill_9_of_a_task_is_a_failure_of_this_task_alone(victim, tmp_path):
    import threading

    with ThreadLane(1) as lane:
        found = []
        inputs = [{"number": 1, "deed": "hang"}, {"number": 2}]
        caller = threading.Thread(
            target=lambda: found.append(run_tasks(lane, errands(), inputs, tmp_path / "tasks")), daemon=True
        )
        caller.start()
        wait_for(lambda: pid_files(tmp_path, "child.pid"))
        (worker,), (child,) = pid_files(tmp_path, "worker.pid"), pid_files(tmp_path, "child.pid")
        keeper = parent_of(worker)
        os.kill(worker if victim == "worker.pid" else keeper, signal.SIGKILL)
        caller.join(SOON_S)
    (outcomes,) = found
    assert [outcome.state for outcome in outcomes] == ["failed", "done"]
    assert "died of SIGKILL" in outcomes[0].failure.reason
    assert not is_alive(worker)
    if victim == "worker.pid":
        assert not is_alive(child)
    elif is_alive(child):  # nobody is left to know of it
        os.kill(child, signal.SIGKILL)


def parent_of(pid):
    with open(f"/proc/{pid}/stat") as stream:
        return int(stream.read().rpartition(")")[2].split()[1])


def test_two_callers_on_one_folder_do_each_task_once(tmp_path):
    inputs = [{"number": number, "seconds": 0.1} for number in range(8)]
    callers = [call(tmp_path, inputs) for _ in range(2)]
    said = [caller.communicate(timeout=SOON_S)[0].split() for caller in callers]
    assert all(int(n_done) + int(n_reused) == 8 for n_done, n_reused in said)
    started = [line.split()[0] for line in (tmp_path / "started").read_text().splitlines()]
    assert sorted(started) == sorted(map(str, range(8)))


def test_waiting_for_another_caller_is_not_counted_as_the_task_s_own_time(tmp_path):
    """The other holds it for longer than the task's limit; ours waits, and finds the result."""
    from mlip_sse.engine import TaskFolder

    work = errands(tmp_path / "started", time_limit_s=1.0)
    inputs = {"number": 5}
    task = TaskFolder.of(tmp_path / "tasks", work.document(inputs))
    import threading

    with ThreadLane(1) as lane:
        found = []
        with task.locked():
            caller = threading.Thread(
                target=lambda: found.append(run_tasks(lane, work, [inputs], tmp_path / "tasks")), daemon=True
            )
            caller.start()
            caller.join(3.0)
            assert not found
            task.write_result({"square": 25, "by": "the other"})
        caller.join(SOON_S)
    assert found[0][0].result()["by"] == "the other"
    assert not (tmp_path / "started").exists()


def test_closing_the_engine_under_a_run_stops_it_and_marks_nothing_as_failed(tmp_path):
    import threading

    from mlip_sse.errors import RunError

    engine = Engine(tmp_path, {"scheduler": "embedded", "cores": 1})
    found = []

    def run():
        try:
            engine.run("md", errands(tmp_path / "started"), [{"number": n, "deed": "hang"} for n in range(3)])
        except RunError as error:
            found.append(str(error))

    caller = threading.Thread(target=run)
    caller.start()
    wait_for(lambda: pid_files(tmp_path, "child.pid"))
    engine.close()
    caller.join(SOON_S)
    assert "stopped" in found[0]
    assert len((tmp_path / "started").read_text().splitlines()) == 1
    assert not list(tmp_path.glob("tasks/*/error.json"))
    assert not any(map(is_alive, [*pid_files(tmp_path, "worker.pid"), *pid_files(tmp_path, "child.pid")]))


def test_ctrl_c_ends_all_soon(tmp_path):
    caller = call(tmp_path, [{"number": 1}, {"number": 2, "deed": "hang"}])
    wait_for(lambda: pid_files(tmp_path, "child.pid"))
    pids = [*pid_files(tmp_path, "worker.pid"), *pid_files(tmp_path, "child.pid")]
    caller.send_signal(signal.SIGINT)
    assert caller.wait(SOON_S) != 0
    caller.stdout.close()
    assert not any(map(is_alive, pids))
    assert not list(tmp_path.glob("tasks/*/error.json"))
    assert not list(tmp_path.glob("tasks/.stop*"))


def test_closing_the_engine_leaves_no_process(tmp_path):
    with Engine(tmp_path, {"scheduler": "embedded", "cores": 2}) as engine:
        outcomes = engine.run("label", errands(), [{"number": n, "seconds": 0.1} for n in range(4)])
        workers = {outcome.result()["worker"] for outcome in outcomes}
        assert any(map(is_alive, workers))  # they wait for more
    wait_for(lambda: not any(map(is_alive, workers)))
