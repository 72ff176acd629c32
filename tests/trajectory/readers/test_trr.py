"""TRR: against MDAnalysis, both precisions, frames without positions, and damage."""

import struct
from pathlib import Path

import numpy as np
import pytest
from foreign_writers import SPACING_FS, SYMBOLS, Run, read_by_mdanalysis

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.formats import open_source
from mlip_sse.trajectory.frames import TrajectoryWarning
from mlip_sse.trajectory.model import Trajectory


@pytest.fixture
def path(foreign_files: dict[str, Path]) -> Path:
    return foreign_files["trr"]


def test_a_run_is_read_whole(path: Path, run: Run) -> None:
    trajectory = Trajectory.read(path, species=SYMBOLS)
    moved = np.asarray(trajectory.positions, dtype=float) - np.asarray(trajectory.positions[0], dtype=float)
    np.testing.assert_allclose(moved, run.unwrapped - run.unwrapped[0], atol=1e-5)  # float32 of 10 Å, 12 frames
    np.testing.assert_allclose(trajectory.cells, run.cells, atol=2e-6)
    np.testing.assert_allclose(trajectory.velocities, run.velocities, rtol=1e-6, atol=1e-8)
    assert trajectory.frame_spacing_fs == pytest.approx(SPACING_FS, rel=1e-6)
    positions, cells = read_by_mdanalysis(path)
    chunk = next(open_source(path, species=SYMBOLS).chunks)
    np.testing.assert_allclose(chunk.coordinates, positions, atol=2e-6)
    np.testing.assert_allclose(chunk.cells, cells, atol=2e-6)


def double_precision(run: Run, frames: range, with_positions: bool = True) -> bytes:
    """Write a TRR in double precision by the published layout, which MDAnalysis cannot write."""
    n_atoms = len(SYMBOLS)
    data = b""
    for frame in frames:
        vectors = 3 * n_atoms * 8
        sizes = [0, 0, 72, 0, 0, 0, 0, vectors if with_positions else 0, vectors, 0]
        data += struct.pack(">3i12s", 1993, 13, 12, b"GMX_trn_file")
        data += struct.pack(">13i2d", *sizes, n_atoms, 10 * frame, 0, frame * SPACING_FS / 1000.0, 0.0)
        data += (run.cells[frame] / 10.0).astype(">f8").tobytes()
        if with_positions:
            data += (run.wrapped[frame] / 10.0).astype(">f8").tobytes()
        data += (run.velocities[frame] * 100.0).astype(">f8").tobytes()
    return data


def test_double_precision_is_exact_and_mdanalysis_agrees(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.trr"
    path.write_bytes(double_precision(run, range(run.n_frames)))
    chunk = next(open_source(path, species=SYMBOLS).chunks)
    np.testing.assert_allclose(chunk.coordinates, run.wrapped, atol=1e-13)
    np.testing.assert_allclose(chunk.velocities, run.velocities, atol=1e-15)
    positions, _ = read_by_mdanalysis(path)
    np.testing.assert_allclose(chunk.coordinates, positions, atol=1e-5)


def test_frames_with_velocities_alone_are_passed_over(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.trr"
    frames = [double_precision(run, range(t, t + 1), with_positions=t % 2 == 0) for t in range(run.n_frames)]
    path.write_bytes(b"".join(frames))
    trajectory = Trajectory.read(path, species=SYMBOLS)
    assert trajectory.n_frames == run.n_frames // 2
    assert trajectory.frame_spacing_fs == pytest.approx(2 * SPACING_FS)


def test_a_cut_off_file_keeps_its_complete_frames(path: Path, tmp_path: Path) -> None:
    cut = tmp_path / "run.trr"
    for lost in (1, 400):
        cut.write_bytes(path.read_bytes()[:-lost])
        with pytest.warns(TrajectoryWarning, match="it ends inside frame 11"):
            assert Trajectory.read(cut, species=SYMBOLS).n_frames == 11


@pytest.mark.parametrize(
    ("offset", "value", "expected"),
    [(0, 1992, "begins with"), (24 + 40, 14, "header of frame 0 is damaged"), (24 + 28, 13 * 24, "frame 0 is damaged")],
)
def test_damaged_headers_are_one_line(offset: int, value: int, expected: str, path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[offset : offset + 4] = value.to_bytes(4, "big")
    bad = tmp_path / "run.trr"
    bad.write_bytes(data)
    with pytest.raises(FormatError, match=expected) as error:
        Trajectory.read(bad, species=SYMBOLS)
    assert "\n" not in str(error.value)


def test_a_nan_is_refused_by_name(path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    frame = len(data) // 12
    at = 5 * frame + frame - 2 * 12 * len(SYMBOLS) + 12 * 3
    data[at : at + 4] = b"\x7f\xc0\x00\x00"
    bad = tmp_path / "run.trr"
    bad.write_bytes(data)
    with pytest.raises(FormatError, match=r"frame 5.*atom 3"):
        Trajectory.read(bad, species=SYMBOLS)
