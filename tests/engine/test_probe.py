"""The doctor's question to the lanes, asked in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

from mlip_sse.readiness import checks, lanes
from tests.engine.conftest import SOON_S


def test_this_machine_answers(monkeypatch):
    monkeypatch.setattr(lanes, "_ANSWER_WITHIN_S", SOON_S)  # Parsl's import counts, and a machine may be busy
    monkeypatch.setattr(checks, "TIMEOUT_S", 2 * SOON_S)
    check = lanes.lanes(None)
    assert (check.name, check.ok, check.required) == ("lanes", True, True)
    assert "label: embedded answered in " in check.found
    assert "md: embedded answered in " in check.found


def test_a_scheduler_that_is_not_here_is_named_soon(tmp_path, monkeypatch):
    (tmp_path / "engine.yaml").write_text("scheduler: lsf\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(lanes, "_ANSWER_WITHIN_S", 10 * SOON_S)
    monkeypatch.setattr(checks, "TIMEOUT_S", SOON_S)
    check = lanes.lanes(tmp_path / "engine.yaml")
    assert (check.name, check.ok, check.required) == ("lanes of engine.yaml", False, True)
    assert check.found == (
        "found no program 'bsub' on PATH, expected one for scheduler lsf: run where it is; nor does train, md"
    )


@pytest.mark.parametrize("text", ["scheduler: slrum\n", "scheduler: [\n", "scheduler: local\nlabel: {cores: 3}\n"])
def test_settings_that_are_wrong_are_a_finding(text, tmp_path):
    (tmp_path / "engine.yaml").write_text(text)
    check = lanes.lanes(tmp_path / "engine.yaml")
    assert not check.ok
    assert check.found.startswith(str(tmp_path / "engine.yaml"))


def test_a_submit_program_that_fails_is_said_and_nothing_stays(tmp_path):
    """Its words reach the user; the folder beside the settings is gone."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sbatch", "squeue", "sacct", "scancel"):
        (programs / name).write_text(f"#!/bin/sh\necho '{name}: error: the queue is closed' >&2\nexit 1\n")
        (programs / name).chmod(0o755)
    place = tmp_path / "place"
    place.mkdir()
    (place / "engine.yaml").write_text("scheduler: slurm\naddress: 127.0.0.1\n")
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    arguments = [sys.executable, "-P", "-m", "mlip_sse.engine.probe", str(10 * SOON_S), str(place / "engine.yaml")]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=SOON_S)
    found = json.loads(done.stdout)
    assert [ok for ok, _ in found.values()] == [False] * 3
    assert all("the queue is closed" in words for _, words in found.values())
    assert [path.name for path in place.iterdir()] == ["engine.yaml"]
