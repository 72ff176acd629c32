"""Kill -9 at twenty moments of a campaign, then the same command again: the same campaign, and nothing done twice."""

import os
import random
import signal
import time
from collections import Counter

import pytest

from tests.slow.toy_driver import Driver, finished, require_whole, undisturbed

__all__ = ["undisturbed"]  # a fixture

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("toy_campaign")]

N_KILLS = 20


def test_kill_9_at_twenty_moments(undisturbed, tmp_path):
    """Each moment is so many finished tasks and then a part of a second; every other kill is of the whole group."""
    folder, expected = undisturbed
    driver, calls = Driver.of(tmp_path), tmp_path / "calls"
    n_tasks, moments = len(list(folder.glob("tasks/*/result.json"))), random.Random(20)
    places = sorted(moments.sample(range(n_tasks), N_KILLS))
    n_hit = 0
    for number, place in enumerate(places):
        done, n_calls = finished(driver.folder), len(lines(calls))
        caller = driver.start(TOY_CALLS=os.fspath(calls))
        while caller.poll() is None and len(list(driver.folder.glob("tasks/*/result.json"))) < place:
            time.sleep(0.05)
        time.sleep(moments.uniform(0.0, 1.5))
        n_hit += caller.poll() is None
        end = os.killpg if number % 2 else os.kill
        end(caller.pid, signal.SIGKILL)
        caller.wait()
        wait_for_the_end_of_all(driver.folder)
        now = finished(driver.folder)
        assert {path: now[path] for path in done} == done
        asked = {line.split()[0] for line in lines(calls)[n_calls:]}
        assert not asked & {path.parts[1] for path in done if path.name == "result.json"}
        require_whole(driver.folder)
    before = finished(driver.folder)
    found = driver.finish(TOY_CALLS=os.fspath(calls))
    now = finished(driver.folder)
    assert {path: now[path] for path in before} == before
    assert not list(driver.folder.glob("tasks/*/error.json"))
    assert {path.name for path in (driver.folder / "tasks").iterdir() if path.name[0] != "."} == {
        path.name for path in (folder / "tasks").iterdir() if path.name[0] != "."
    }
    assert found == expected
    attempts = Counter(line.split()[0] for line in set(lines(calls)))
    print(f"{n_hit} of {N_KILLS} kills at work, {n_tasks} tasks, {sum(attempts.values())} attempts at the reference's")


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def wait_for_the_end_of_all(folder):
    """Wait until no process works in the folder: workers of a driver that was killed end by themselves."""
    deadline = time.monotonic() + 300
    while at_work(folder):
        assert time.monotonic() < deadline, f"still at work: {at_work(folder)}"
        time.sleep(0.1)


def at_work(folder):
    """Return the processes whose current directory lies in the folder."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            place = os.readlink(f"/proc/{name}/cwd")
        except OSError:
            continue
        if place.startswith(os.fspath(folder)):
            found.append(int(name))
    return found
