"""What the tests of the engine share: errands as work, and whether a process lives."""

import os
import time
from pathlib import Path

import pytest

from mlip_sse.engine import Work

ERRANDS = "tests.engine.errands:start"


@pytest.fixture(autouse=True)
def importable(repository, monkeypatch):
    """Let worker processes import the errands."""
    monkeypatch.setenv("PYTHONPATH", os.fspath(repository))


SOON_S = 120.0
"""Far below the ten minutes for which an errand hangs, far above what a machine under load takes to get there."""

HANGS_FOR_S = 3.0
"""Time limit of errands that hang: what does not hang must be done within it, on a machine under load too."""


def errands(started=None, time_limit_s=300.0, **settings):
    given = settings if started is None else {"started": str(started), **settings}
    return Work(ERRANDS, given, time_limit_s)


def is_alive(pid):
    """Whether a process lives; one that is dead but not collected does not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z"


def wait_for(condition, limit_s=SOON_S, what="it"):
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {limit_s} s")
        time.sleep(0.02)


def read_pid(path):
    """Return the process id in a file that another process writes; None until it is there."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
