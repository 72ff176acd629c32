"""Kill -9 at twenty moments, then the same call again: nothing finished is repeated, nothing is left or damaged."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from mlip_sse.engine import Engine, TaskFolder
from tests.engine.conftest import errands, importable, is_alive, wait_for

pytestmark = pytest.mark.slow

__all__ = ["importable"]  # a fixture

N_KILLS, N_TASKS = 20, 160

CALLER = """
import json, sys
from mlip_sse.engine import Engine, Work
folder, inputs = sys.argv[1], json.loads(sys.argv[2])
with Engine(folder, {"scheduler": "embedded", "cores": 2}) as engine:
    engine.run("md", Work("tests.engine.errands:start", {"started": folder + "/started"}, 30.0), inputs)
"""


def started(folder):
    path = folder / "started"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def finished(folder):
    return {TaskFolder(path.parent).inputs()["number"] for path in folder.glob("tasks/*/result.json")}


def test_kill_9_at_twenty_moments(tmp_path):
    inputs = [{"number": number, "seconds": 0.25} for number in range(N_TASKS)]
    moments = random.Random(20)
    n_hit = 0
    for kill in range(N_KILLS):
        done, n_before = finished(tmp_path), len(started(tmp_path))
        caller = subprocess.Popen([sys.executable, "-c", CALLER, str(tmp_path), json.dumps(inputs)])
        if kill % 4:  # every fourth while it starts
            wait_for(lambda n_before=n_before: len(started(tmp_path)) > n_before)
        time.sleep(moments.uniform(0.0, 1.5))
        caller.send_signal(signal.SIGKILL)
        caller.wait()
        begun = started(tmp_path)[n_before:]
        assert not done & {int(number) for number, _ in begun}  # nothing finished was begun again
        pids = [int(pid) for _, pid in begun]
        wait_for(lambda pids=pids: not any(map(is_alive, pids)), limit_s=10, what="the end of all")
        for path in tmp_path.glob("tasks/*/*.json"):
            json.loads(path.read_text())
        n_hit += bool(begun)
    assert n_hit >= 10
    with Engine(tmp_path, {"scheduler": "embedded", "cores": 2}) as engine:
        outcomes = engine.run("md", errands(tmp_path / "started"), inputs)
    assert [outcome.result()["square"] for outcome in outcomes] == [number**2 for number in range(N_TASKS)]
    attempts = len(started(tmp_path))
    print(f"{attempts} attempts for {N_TASKS} tasks under {N_KILLS} kills, {n_hit} of them with tasks at work")
    assert attempts <= N_TASKS + 2 * N_KILLS  # each kill costs at most the two tasks that were at work
    assert not list(tmp_path.glob("tasks/*/error.json"))
    assert not list(tmp_path.glob("tasks/*/.result*"))
