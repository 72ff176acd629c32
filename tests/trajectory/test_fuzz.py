"""Damaged files: a one-line refusal, or a trajectory of the right number of finite atoms; nothing else.

A flipped digit of a coordinate is legitimately undetected where it stays plausible: the count of atoms is right, one
position differs. What may never happen: another exception, a hang, a crash of the process, another number of atoms.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from foreign_writers import SYMBOLS, Run, by_netcdf4
from fuzz_cases import OPTIONS, damage, judge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlip_sse.errors import MlipSseError
from mlip_sse.trajectory.formats import FORMATS
from mlip_sse.trajectory.model import Trajectory

IN_PROCESS = [name for name in FORMATS if name != "h5md"]
"""The HDF5 library is C that trusts its input: it is fuzzed in a process of its own."""


def name_of(format: str, number: int, original: Path) -> str:
    return f"{format}.{number:05d}{original.suffix or '.' + original.name.lower()}"


def fuzz(format: str, original: Path, folder: Path, seeds: range) -> dict[str, int]:
    """Judge one damaged copy for each seed; return how many were refused and how many read."""
    data = original.read_bytes()
    counts = {"refused": 0, "read": 0}
    for seed in seeds:
        kind, damaged = damage(data, np.random.default_rng([seed, len(format)]))
        path = folder / name_of(format, seed, original)
        path.write_bytes(damaged)
        try:
            counts[judge(path, format)] += 1
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, {kind}: {error}") from error
        path.unlink()
    return counts


@pytest.mark.parametrize("format", IN_PROCESS)
def test_the_undamaged_file_is_read(format: str, foreign_files: dict[str, Path]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlip_sse.trajectory.clock.Clock.conflict", None)  # 5 fs is not the spacing of all of them
        assert judge(foreign_files[format], format) == "read"


@pytest.mark.parametrize("format", IN_PROCESS)
def test_damaged_files(format: str, foreign_files: dict[str, Path], tmp_path: Path) -> None:
    counts = fuzz(format, foreign_files[format], tmp_path, range(60))
    assert counts["refused"] > 5  # else the damage does not reach the reader


@pytest.mark.slow
@pytest.mark.parametrize("format", IN_PROCESS)
def test_many_damaged_files(format: str, foreign_files: dict[str, Path], tmp_path: Path) -> None:
    fuzz(format, foreign_files[format], tmp_path, range(1000, 2500))


def fuzz_in_another_process(format: str, original: Path, folder: Path, seeds: range) -> list[str]:
    data = original.read_bytes()
    for seed in seeds:
        _, damaged = damage(data, np.random.default_rng([seed, len(format)]))
        (folder / name_of(format, seed, original)).write_bytes(damaged)
    program = Path(__file__).with_name("fuzz_cases.py")
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", program, folder],
        capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 0, f"the reader killed its process: {done.stdout.splitlines()[-1:]} {done.stderr[-2000:]}"
    return done.stdout.splitlines()


def judge_lines(lines: list[str]) -> None:
    failed = [line for line in lines if line.startswith("FAILED")]
    assert not failed, failed[0]
    assert "refused" in lines


@pytest.fixture(params=["h5md", "netcdf"])
def hdf5_file(
    request: pytest.FixtureRequest, foreign_files: dict[str, Path], run: Run, tmp_path: Path
) -> tuple[str, Path]:
    """Return an H5MD file, or a NetCDF-4 file, which is HDF5 as well."""
    if request.param == "h5md":
        return "h5md", foreign_files["h5md"]
    return "netcdf", by_netcdf4(tmp_path / "run.nc", run, "NETCDF4")


def test_damaged_hdf5_files(hdf5_file: tuple[str, Path], tmp_path: Path) -> None:
    (folder := tmp_path / "damaged").mkdir()
    judge_lines(fuzz_in_another_process(*hdf5_file, folder, range(100)))


@pytest.mark.slow
def test_many_damaged_hdf5_files(hdf5_file: tuple[str, Path], tmp_path: Path) -> None:
    (folder := tmp_path / "damaged").mkdir()
    judge_lines(fuzz_in_another_process(*hdf5_file, folder, range(1000, 2500)))


def test_a_heap_that_would_hang_the_library_is_refused(foreign_files: dict[str, Path], tmp_path: Path) -> None:
    """Free space of size zero: the HDF5 library (2.0.0) would read it forever, beyond any signal."""
    data = bytearray(foreign_files["h5md"].read_bytes())
    heap = data.index(b"GCOL")
    at = heap + 16
    while int.from_bytes(data[at : at + 2], "little"):
        at += 16 + (int.from_bytes(data[at + 8 : at + 16], "little") + 7) // 8 * 8
    data[at + 8 : at + 16] = bytes(8)
    path = tmp_path / "run.h5md"
    path.write_bytes(data)
    with pytest.raises(MlipSseError, match=f"the HDF5 heap at byte {heap} is damaged"):
        Trajectory.read(path, species=SYMBOLS)


BEGINNINGS = {
    "lammps-dump": b"ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n",
    "lammps-binary": np.array([-8], dtype="<i8").tobytes() + b"DUMPATOM" + np.array([1, 2], dtype="<i4").tobytes(),
    "xdatcar": b"run\n1.0\n 9 0 0\n 0 8 0\n 0 0 7\n",
    "extxyz": b'2\nLattice="9 0 0 0 8 0 0 0 7" Properties=species:S:1:pos:R:3\n',
    "xyz": b"2\n i = 0, time = 0.0\nLi 0 0 0\n",
    "vasprun": b'<?xml version="1.0"?>\n<modeling>\n',
    "outcar": b" vasp.6.4.3\n   ions per type =  1 1\n",
    "ase": b"- of UlmASE-Trajectory  ",
    "dcd": b"\x54\0\0\0CORD",
    "xtc": b"\x00\x00\x07\xcb\x00\x00\x00\x0d",
    "trr": b"\x00\x00\x07\xc9\x00\x00\x00\x0d\x00\x00\x00\x0cGMX_trn_file",
    "netcdf": b"CDF\x01\x00\x00\x00\x02\x00\x00\x00\x0a",
}


@pytest.mark.parametrize("format", list(BEGINNINGS))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(rest=st.one_of(st.binary(max_size=400), st.text(alphabet='0123456789 .-+eE\n<>/="LiITEM:', max_size=200)))
def test_invented_contents_are_refused(format: str, rest: bytes | str, tmp_path: Path) -> None:
    path = tmp_path / "run.data"
    path.write_bytes(BEGINNINGS[format] + (rest if isinstance(rest, bytes) else rest.encode()))
    options = dict(OPTIONS.get(format, {}))
    if options.get("species") == SYMBOLS:
        options["species"] = ["Li", "S"]
    with pytest.raises(MlipSseError) as error:
        Trajectory.read(path, frame_spacing_fs=1.0, **options)
    assert "\n" not in str(error.value)
