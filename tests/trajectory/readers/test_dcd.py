"""DCD: against MDAnalysis and LAMMPS, the three conventions of its cell, its times, and damage."""

from pathlib import Path

import numpy as np
import pytest
from foreign_writers import (
    LAMMPS_DUMPS,
    LAMMPS_SPACING_FS,
    N_LAMMPS_ATOMS,
    SPACING_FS,
    SYMBOLS,
    Run,
    read_by_mdanalysis,
)

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.formats import open_source
from mlip_sse.trajectory.frames import TrajectoryWarning
from mlip_sse.trajectory.model import Trajectory

HEADER_BYTES = 92  # of the control record with its markers
_FRAME_BYTES = 56 + 3 * (4 * len(SYMBOLS) + 8)


@pytest.fixture
def path(foreign_files: dict[str, Path]) -> Path:
    return foreign_files["dcd"]


def with_cells(path: Path, target: Path, stored: np.ndarray) -> Path:
    """Copy a DCD with other six numbers in every frame's cell record."""
    data = bytearray(path.read_bytes())
    n_frames = len(stored)
    start = len(data) - n_frames * _FRAME_BYTES
    for frame in range(n_frames):
        at = start + frame * _FRAME_BYTES + 4
        data[at : at + 48] = stored[frame].astype("<f8").tobytes()
    target.write_bytes(data)
    return target


def test_a_run_is_read_whole(path: Path, run: Run) -> None:
    trajectory = Trajectory.read(path, species=SYMBOLS)
    moved = np.asarray(trajectory.positions, dtype=float) - np.asarray(trajectory.positions[0], dtype=float)
    np.testing.assert_allclose(moved, run.unwrapped - run.unwrapped[0], atol=1e-5)  # float32 of 10 Å, 12 frames
    # the file has the time step in single precision, in units of 48.88821 fs
    assert trajectory.frame_spacing_fs == pytest.approx(SPACING_FS, rel=1e-6)
    positions, cells = read_by_mdanalysis(path)
    chunk = next(open_source(path, species=SYMBOLS).chunks)
    np.testing.assert_array_equal(chunk.coordinates, positions)
    np.testing.assert_allclose(chunk.cells, cells, atol=3e-6)  # MDAnalysis keeps them in float32
    np.testing.assert_allclose(chunk.cells, run.cells, atol=1e-6)


def test_a_lammps_file_does_not_name_its_time_unit(foreign_files: dict[str, Path]) -> None:
    path = foreign_files["lammps-dump"].with_name(LAMMPS_DUMPS["dcd"])
    species = ["Ar"] * N_LAMMPS_ATOMS
    with pytest.raises(InputError, match="time between frames is not in the file"):
        Trajectory.read(path, species=species)
    trajectory = Trajectory.read(path, species=species, time_unit="ps")
    assert trajectory.frame_spacing_fs == pytest.approx(LAMMPS_SPACING_FS, rel=1e-6)
    text = Trajectory.read(foreign_files["lammps-dump"])
    np.testing.assert_allclose(trajectory.cells, text.cells, atol=1e-6)
    moved, expected = (np.asarray(t.positions - t.positions[0], dtype=float) for t in (trajectory, text))
    np.testing.assert_allclose(moved, expected, atol=1e-5)
    with pytest.raises(InputError, match="time_unit 'hours' is unknown"):
        Trajectory.read(path, species=species, time_unit="hours")


def test_cells_in_degrees_and_as_shape_matrix(path: Path, run: Run, tmp_path: Path) -> None:
    lengths = np.linalg.norm(run.cells, axis=2)
    unit = run.cells / lengths[:, :, None]
    cos_a, cos_b, cos_g = (np.einsum("td,td->t", unit[:, i], unit[:, j]) for i, j in ((1, 2), (0, 2), (0, 1)))
    degrees = np.degrees(np.arccos([cos_g, cos_b, cos_a]))
    stored = np.stack([lengths[:, 0], degrees[0], lengths[:, 1], degrees[1], degrees[2], lengths[:, 2]], axis=1)
    source = open_source(with_cells(path, tmp_path / "degrees.dcd", stored), species=SYMBOLS)
    np.testing.assert_allclose(next(source.chunks).cells, run.cells, atol=1e-9)

    symmetric = np.array([[9.0, 1.5, -2.0], [1.5, 8.0, 1.0], [-2.0, 1.0, 10.0]])
    stored = np.tile(symmetric[[0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 2]], (run.n_frames, 1))
    copy = with_cells(path, tmp_path / "charmm.dcd", stored)
    chunk = next(open_source(copy, species=SYMBOLS).chunks)
    np.testing.assert_array_equal(chunk.cells, np.tile(symmetric, (run.n_frames, 1, 1)))
    _, by_mdanalysis = read_by_mdanalysis(copy)  # in its own orientation: only lengths and angles can agree
    np.testing.assert_allclose(
        chunk.cells @ chunk.cells.transpose(0, 2, 1),
        by_mdanalysis @ by_mdanalysis.transpose(0, 2, 1),
        rtol=1e-5,
        atol=1e-4,
    )


def test_big_endian_files_read_the_same(path: Path, tmp_path: Path) -> None:
    chunk = next(open_source(path, species=SYMBOLS).chunks)
    data = path.read_bytes()
    swapped = bytearray(np.frombuffer(data, "<i4").astype(">i4").tobytes())
    swapped[4:8] = data[4:8]
    title = int.from_bytes(data[HEADER_BYTES : HEADER_BYTES + 4], "little")
    swapped[HEADER_BYTES + 8 : HEADER_BYTES + 4 + title] = data[HEADER_BYTES + 8 : HEADER_BYTES + 4 + title]
    start = len(data) - len(chunk.cells) * _FRAME_BYTES
    for at in range(start + 4, len(data), _FRAME_BYTES):
        swapped[at : at + 48] = np.frombuffer(data[at : at + 48], "<f8").astype(">f8").tobytes()
    copy = tmp_path / "big.dcd"
    copy.write_bytes(swapped)
    other = next(open_source(copy, species=SYMBOLS).chunks)
    np.testing.assert_array_equal(other.coordinates, chunk.coordinates)
    np.testing.assert_array_equal(other.cells, chunk.cells)


def test_a_cut_off_file_keeps_its_complete_frames(path: Path, tmp_path: Path) -> None:
    cut = tmp_path / "run.dcd"
    cut.write_bytes(path.read_bytes()[: -_FRAME_BYTES - 10])
    with pytest.warns(TrajectoryWarning, match="cut off at its end"):
        assert Trajectory.read(cut, species=SYMBOLS).n_frames == 10
    cut.write_bytes(path.read_bytes()[: -2 * _FRAME_BYTES])
    with pytest.warns(TrajectoryWarning, match="header states 12 frames"):
        assert Trajectory.read(cut, species=SYMBOLS).n_frames == 10


def patched(path: Path, target: Path, offset: int, value: int) -> Path:
    data = bytearray(path.read_bytes())
    data[offset : offset + 4] = value.to_bytes(4, "little", signed=True)
    target.write_bytes(data)
    return target


@pytest.mark.parametrize(
    ("offset", "value", "expected"),
    [
        (8 + 4 * 8, 3, "fixed atoms"),
        (8 + 4 * 11, 1, "fourth dimension"),
        (8 + 4 * 10, 0, "no unit cell"),
        (88, 85, "control record of the DCD header is damaged"),
        (-4, 1, "z record of frame 11 has damaged markers"),
        (-_FRAME_BYTES, 47, "cell record of frame 11 has damaged markers"),
    ],
)
def test_damage_is_one_line(offset: int, value: int, expected: str, path: Path, tmp_path: Path) -> None:
    size = path.stat().st_size
    bad = patched(path, tmp_path / "run.dcd", offset % size, value)
    with pytest.raises(FormatError, match=expected) as error:
        Trajectory.read(bad, species=SYMBOLS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("stored", [[0.0] * 6, [9.0, 0.0, np.nan, 0.0, 0.0, 10.0], [9.0, 200.0, 8.0, 500.0, 3.0, 10.0]])
def test_impossible_cells_name_the_frame(stored: list[float], path: Path, run: Run, tmp_path: Path) -> None:
    cells = np.tile(np.array([9.0, 0.0, 8.0, 0.0, 0.0, 10.0]), (run.n_frames, 1))
    cells[3] = stored
    with pytest.raises(FormatError, match=r"frame 3|frame 0"):
        list(open_source(with_cells(path, tmp_path / "run.dcd", cells), species=SYMBOLS).chunks)


def test_atoms_must_be_named(path: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"stores no species for its 13 atoms; name them with species=\['Li', ...\] or topology"
    ):
        Trajectory.read(path)
    with pytest.raises(InputError, match="names 2 atoms, the file holds 13"):
        Trajectory.read(path, species=["Li", "S"])
