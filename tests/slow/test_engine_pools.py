"""The same tasks in pools: a HighThroughputExecutor on this machine, and one whose jobs a real SLURM runs."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from mlip_sse.engine import Engine
from mlip_sse.engine.probe import probe_lanes
from mlip_sse.errors import RunError
from tests.engine.conftest import HANGS_FOR_S, SOON_S, errands, importable, is_alive, read_pid, wait_for
from tests.slow.one_node_slurm import SlurmUnavailableError, one_node_slurm

pytestmark = pytest.mark.slow

__all__ = ["importable"]  # a fixture

INPUTS = [{"number": number} for number in range(6)]
BAD = [{"number": 1, "deed": "fail"}, {"number": 2, "deed": "crash"}, {"number": 3, "deed": "nonsense"}]

LOCAL = {"scheduler": "local", "lost_after_s": 10, "md": {"tasks_per_job": 2}}
SLURM = {
    "scheduler": "slurm",
    "address": "127.0.0.1",
    "lost_after_s": 10,
    "md": {"partition": "main", "tasks_per_job": 2, "wall_time_hours": 0.2},
    "label": {"partition": "main", "wall_time_hours": 1 / 60},
}


@pytest.fixture(scope="module")
def slurm():
    """Start a real SLURM and set the environment of its commands for this module."""
    try:
        with one_node_slurm() as environment, pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLURM_CONF", environment["SLURM_CONF"])
            yield environment
    except SlurmUnavailableError as error:
        pytest.skip(f"no SLURM: {error}")


@pytest.fixture(params=["local", "slurm"])
def settings(request):
    if request.param == "slurm":
        request.getfixturevalue("slurm")
    return LOCAL if request.param == "local" else SLURM


def results(outcomes):
    """Return what does not tell which process it was."""
    return [{key: value for key, value in each.result().items() if key != "worker"} for each in outcomes]


def jobs(environment):
    done = subprocess.run(["squeue", "-h", "-o", "%i %T"], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[:-1]


def test_a_pool_does_what_the_embedded_lanes_do(settings, tmp_path):
    """The same folders, results and failures; a task that hangs is ended in time with its child; nothing twice."""
    with Engine(tmp_path / "embedded") as engine:
        expected = engine.run("md", errands(), [*INPUTS, *BAD])
    started = tmp_path / "started"
    begin = time.monotonic()
    with Engine(tmp_path / "pool", settings) as engine:
        found = engine.run("md", errands(started), [*INPUTS, *BAD])
        print(f"{settings['scheduler']}: {time.monotonic() - begin:.1f} s for {len(found)} short tasks")
        (hanging,) = engine.run("md", errands(started, time_limit_s=HANGS_FOR_S), [{"number": 4, "deed": "hang"}])
        n_started = len(started.read_text().splitlines())
        again = engine.run("md", errands(started), INPUTS)
    assert [each.folder.path.name for each in found] == [each.folder.path.name for each in expected]
    assert results(found[:6]) == results(expected[:6])
    assert [each.failure and each.failure.kind for each in found] == [None] * 6 + ["raised", "died", "raised"]
    assert [each.failure.attempts for each in found[6:]] == [2, 2, 2]
    assert hanging.failure.kind == "time"
    assert not is_alive(read_pid(hanging.folder.path / "worker.pid"))
    assert not is_alive(read_pid(hanging.folder.path / "child.pid"))
    assert again.n_reused == 6
    assert len(started.read_text().splitlines()) == n_started


def test_stopping_ends_what_runs_in_the_pool(settings, tmp_path):
    import threading

    stop = threading.Event()
    inputs = [{"number": number, "deed": "hang"} for number in range(2)]
    found = []
    with Engine(tmp_path, settings) as engine:

        def run():
            try:
                engine.run("md", errands(), inputs, stop=stop)
            except RunError as error:
                found.append(str(error))

        caller = threading.Thread(target=run)
        caller.start()
        wait_for(lambda: len(list(tmp_path.glob("tasks/*/child.pid"))) == 2)
        pids = [read_pid(path) for path in tmp_path.glob("tasks/*/*.pid")]
        stop.set()
        caller.join(SOON_S)
        wait_for(lambda: not any(map(is_alive, pids)))
    assert found == ["it was stopped: the same call goes on where it was"]


CALLER = """
import json, sys
from mlip_sse.engine import Engine, Work
folder, spec, inputs = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
with Engine(folder, spec) as engine:
    engine.run("md", Work("tests.engine.errands:start", {"started": folder + "/started"}, 100.0), inputs)
"""


def test_kill_9_of_the_caller_leaves_nothing_running(settings, request, tmp_path):
    """On this machine at once; in a queue when its job has heard nothing for as long as `lost_after_s` says."""
    inputs = [{"number": 1}, {"number": 2, "deed": "hang"}]
    caller = subprocess.Popen([sys.executable, "-c", CALLER, str(tmp_path), json.dumps(settings), json.dumps(inputs)])
    wait_for(lambda: list(tmp_path.glob("tasks/*/child.pid")) and list(tmp_path.glob("tasks/*/result.json")))
    pids = [*(read_pid(path) for path in tmp_path.glob("tasks/*/*.pid")), *descendants(caller.pid)]
    assert len(pids) >= 4
    assert all(map(is_alive, pids))
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    wait_for(lambda: not any(map(is_alive, pids)))
    if settings is SLURM:
        environment = request.getfixturevalue("slurm")
        wait_for(lambda: not jobs(environment))
    with Engine(tmp_path) as engine:
        outcomes = engine.run("md", errands(tmp_path / "started", time_limit_s=HANGS_FOR_S), inputs)
    assert [outcome.state for outcome in outcomes] == ["reused", "failed"]
    assert [line.split()[0] for line in (tmp_path / "started").read_text().splitlines()].count("1") == 1


def descendants(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as stream:
            for child in map(int, stream.read().split()):
                found += [child, *descendants(child)]
    return found


def test_a_task_killed_by_the_wall_time_of_its_job_is_done_by_the_next(slurm, tmp_path):
    """Its first attempt would take ten minutes, the job has one; nothing of it is left, no failure is on record."""
    with Engine(tmp_path, SLURM) as engine:
        outcomes = engine.run("label", errands(tmp_path / "started", 900.0), [{"number": 1, "deed": "long_at_first"}])
    assert outcomes.n_lost == 1
    (outcome,) = outcomes
    assert outcome.result()["attempt"] == 2
    assert outcome.failure is None
    first = int((tmp_path / "started").read_text().split()[1])
    assert not is_alive(first)
    log = outcome.folder.path.parents[1] / "engine" / "label"
    said = "".join(path.read_text() for path in log.rglob("*.stderr"))
    assert "DUE TO TIME LIMIT" in said
    wait_for(lambda: not jobs(slurm))


def test_a_queue_that_refuses_its_jobs_is_an_error_and_no_silence(slurm, tmp_path):
    wrong = {**SLURM, "md": {"partition": "nowhere"}}
    with Engine(tmp_path, wrong) as engine, pytest.raises(RunError, match="invalid partition specified: nowhere"):
        engine.run("md", errands(), [{"number": 1}])


def test_the_doctor_names_the_lane_whose_jobs_do_not_start(slurm, tmp_path):
    """Within 30 s, also where a job would wait for ever."""
    lane = {"partition": "main"}
    spec = {**SLURM, "label": lane, "md": lane, "train": {**lane, "options": ["#SBATCH --begin=now+1hour"]}}
    (tmp_path / "engine.yaml").write_text(json.dumps(spec))
    begin = time.monotonic()
    found = probe_lanes(tmp_path / "engine.yaml", 22.0)
    assert time.monotonic() - begin < 30
    assert {lane: ok for lane, (ok, _) in found.items()} == {"label": True, "train": False, "md": True}
    assert found["train"][1] == "lane train: no worker answered within 22 s; jobs: pending"
    assert os.listdir(tmp_path) == ["engine.yaml"]
    wait_for(lambda: not jobs(slurm))
