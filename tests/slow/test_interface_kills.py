"""An interface in time survives kill -9: nothing that is done is repeated, and the trajectory is the same."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from ase.build import bulk
from ase.io import write

from mlip_sse.errors import MissingExtraError
from mlip_sse.md_protocols import load_protocol, run_interface_anneal
from mlip_sse.potentials.lammps_install import find_executable

pytestmark = pytest.mark.slow

SPEC = {
    "description": "two faces of argon for a moment",
    "protocol": "interface_anneal",
    "interface": {
        "a": {"file": "argon.cif", "miller": [1, 0, 0], "thickness_a": 15.0},
        "b": {"file": "argon.cif", "miller": [1, 1, 1], "thickness_a": 15.0},
        "max_area_a2": 200.0,
        "gap_a": 2.8,
    },
    "potential": "argon_lennard_jones",
    "temperatures_k": [40.0],
    "seeds": [3],
    "timestep_fs": 2.0,
    "settle_temperature_k": 20.0,
    "settle_ps": 0.4,
    "heat_ps": 0.4,
    "production_ps": 4.0,
    "segment_ps": 0.4,
    "dump_every_fs": 40.0,
    "newtonian_a": 3.5,
}

DRIVER = """
import sys
from mlip_sse.md_protocols import load_protocol, run_interface_anneal

run_interface_anneal(load_protocol(sys.argv[1]), sys.argv[2])
"""


def test_after_kill_9_no_segment_is_repeated_and_the_trajectory_is_the_same(tmp_path):
    try:
        find_executable()
    except MissingExtraError as error:
        pytest.skip(str(error))
    protocol = tmp_path / "argon.yaml"
    write(tmp_path / "argon.cif", bulk("Ar", cubic=True, a=5.28))
    protocol.write_text(yaml.safe_dump(SPEC))
    undisturbed = run_interface_anneal(load_protocol(protocol), tmp_path / "calm")
    folder = tmp_path / "killed"
    seen: dict[Path, int] = {}
    for n_wanted in (1, 5):
        command = [sys.executable, "-c", DRIVER, str(protocol), str(folder)]
        driver = subprocess.Popen(command, start_new_session=True)
        while len(segments(folder)) < n_wanted and driver.poll() is None:
            time.sleep(0.01)
        driver.kill()
        driver.wait()
        wait_for_quiet(folder)
        now = segments(folder)
        assert {path: now[path] for path in seen} == seen
        seen = now
    assert 5 <= len(seen)
    result = run_interface_anneal(load_protocol(protocol), folder)
    assert {path: time_ns for path, time_ns in segments(folder).items() if path in seen} == seen
    for name in ("trajectory", "preparation", "state"):
        assert Path(result.runs[0][name]).read_bytes() == Path(undisturbed.runs[0][name]).read_bytes(), name


def segments(folder):
    """Return when the dump of each finished segment was written."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("tasks/*/segment_????/production.lammpstrj")}


def wait_for_quiet(folder):
    """Wait until what the killed driver had started has ended too."""
    while True:
        before = {path: path.stat().st_mtime_ns for path in folder.glob("tasks/*/**/*") if path.is_file()}
        time.sleep(1.0)
        after = {path: path.stat().st_mtime_ns for path in folder.glob("tasks/*/**/*") if path.is_file()}
        if before == after:
            return
