"""A LAMMPS that fails on a full disk says nothing of it: the disk is asked."""

import pytest

from mlip_sse.errors import RunError
from mlip_sse.md_protocols import segment_runs
from mlip_sse.md_protocols.segment_runs import SegmentRunner


@pytest.fixture
def runner(tmp_path):
    script = tmp_path / "fake_lmp"
    script.write_text("#!/bin/sh\necho 'Setting up Verlet run' > log.lammps\nexit 1\n")
    script.chmod(0o755)
    return SegmentRunner(str(script), {}, {}, "some atoms")


def test_a_failure_with_room_on_the_disk_is_one_of_lammps(runner, tmp_path):
    with pytest.raises(RunError, match="LAMMPS failed, exit code 1"):
        runner.run(tmp_path / "segment_0000", "run 10")
    running = tmp_path / "segment_0000.running"
    assert not (tmp_path / "segment_0000").exists()
    assert {path.name for path in running.iterdir()} == {"in.lammps", "structure.data", "log.lammps", "screen.txt"}


def test_a_failure_without_room_is_one_of_the_disk(runner, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(segment_runs.os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        runner.run(tmp_path / "segment_0000", "run 10")
    assert not list(tmp_path.rglob(".room"))
