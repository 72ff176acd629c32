"""XTC and its compression: against MDAnalysis and LAMMPS over all scales, times of few digits, and damage."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from foreign_writers import LAMMPS_DUMPS, N_LAMMPS_ATOMS, SPACING_FS, SYMBOLS, Run, read_by_mdanalysis

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.formats import open_source
from mlip_sse.trajectory.frames import TrajectoryWarning
from mlip_sse.trajectory.model import Trajectory
from mlip_sse.trajectory.readers.xtc_codec import decode_frame


@pytest.fixture
def path(foreign_files: dict[str, Path]) -> Path:
    return foreign_files["xtc"]


def test_a_run_is_read_whole(path: Path, run: Run) -> None:
    trajectory = Trajectory.read(path, species=SYMBOLS)
    moved = np.asarray(trajectory.positions, dtype=float) - np.asarray(trajectory.positions[0], dtype=float)
    np.testing.assert_allclose(moved, run.unwrapped - run.unwrapped[0], atol=0.011)  # the format's own 0.01 Å
    np.testing.assert_allclose(trajectory.cells, run.cells, atol=2e-6)
    assert trajectory.frame_spacing_fs == pytest.approx(SPACING_FS, rel=1e-6)
    positions, cells = read_by_mdanalysis(path)
    chunk = next(open_source(path, species=SYMBOLS).chunks)
    np.testing.assert_allclose(chunk.coordinates, positions, atol=2e-6)  # rounding of one float32 product
    np.testing.assert_allclose(chunk.cells, cells, atol=2e-6)


@pytest.mark.parametrize("n_atoms", [1, 9, 10, 11, 64, 301])
@pytest.mark.parametrize("scale", [1e-3, 0.3, 30.0, 1e4])
@pytest.mark.parametrize("chained", [False, True])
def test_the_codec_agrees_with_mdanalysis_over_sizes_and_scales(
    n_atoms: int, scale: float, chained: bool, tmp_path: Path
) -> None:
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    rng = np.random.default_rng(n_atoms)
    nm = rng.normal(scale=scale / 10.0, size=(5, n_atoms, 3)).astype(np.float32)
    if chained:  # neighbours close to each other: long runs of small differences
        nm = np.cumsum(nm * 0.05, axis=1, dtype=np.float32)
    path = tmp_path / "run.xtc"
    for precision in (1000.0, 100.0):
        with XTCFile(str(path), "w") as file:
            for frame, positions in enumerate(nm):
                file.write(positions, np.eye(3, dtype=np.float32), frame, frame * 0.5, precision)
        with XTCFile(str(path)) as file:
            expected = np.array([frame.x for frame in file]) * 10.0
        chunk = next(open_source(path, species=["Li"] * n_atoms).chunks)
        np.testing.assert_allclose(chunk.coordinates, expected, rtol=3e-7, atol=1e-12)


def test_a_lammps_file_agrees_with_the_text_dump(foreign_files: dict[str, Path]) -> None:
    path = foreign_files["lammps-dump"].with_name(LAMMPS_DUMPS["xtc"])
    trajectory = Trajectory.read(path, species=["Ar"] * N_LAMMPS_ATOMS)
    text = Trajectory.read(foreign_files["lammps-dump"])
    assert trajectory.frame_spacing_fs == pytest.approx(text.frame_spacing_fs, rel=1e-6)
    np.testing.assert_allclose(trajectory.cells, text.cells, atol=5e-6)
    moved, expected = (np.asarray(t.positions - t.positions[0], dtype=float) for t in (trajectory, text))
    np.testing.assert_allclose(moved, expected, atol=2.5e-4)  # two roundings to 1e-4 Å


def test_long_runs_have_times_of_few_digits(tmp_path: Path) -> None:
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    path = tmp_path / "run.xtc"
    rng = np.random.default_rng(0)
    positions = rng.random((12, 3), dtype=np.float32)
    with XTCFile(str(path), "w") as file:
        for frame in range(400):  # at 200 ns a float32 has steps of 0.0156 ps, a sixth of the spacing
            file.write(positions, np.eye(3, dtype=np.float32), 10 * frame, 200_000.0 + 0.1 * frame, 1000.0)
    trajectory = Trajectory.read(path, species=["Li"] * 12)
    assert trajectory.n_frames == 400
    assert trajectory.frame_spacing_fs == pytest.approx(100.0, rel=1e-3)


def test_times_that_are_all_zero_are_no_times(tmp_path: Path) -> None:
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    path = tmp_path / "run.xtc"
    with XTCFile(str(path), "w") as file:
        for _ in range(4):
            file.write(np.zeros((12, 3), dtype=np.float32), np.eye(3, dtype=np.float32), 0, 0.0, 1000.0)
    source = open_source(path, species=["Li"] * 12)
    assert source.frame_spacing_fs is None
    assert "does not know its frame spacing" in source.notes[0]
    with pytest.raises(ValueError, match="time between frames is not in the file"):
        Trajectory.read(path, species=["Li"] * 12)
    assert Trajectory.read(path, species=["Li"] * 12, frame_spacing_fs=2.0).n_frames == 4


def test_a_cut_off_file_keeps_its_complete_frames(path: Path, run: Run, tmp_path: Path) -> None:
    cut = tmp_path / "run.xtc"
    data = path.read_bytes()
    for lost in (4, 30, len(data) // run.n_frames - 60):
        cut.write_bytes(data[:-lost])
        with pytest.warns(TrajectoryWarning, match="it ends inside frame 11"):
            assert Trajectory.read(cut, species=SYMBOLS).n_frames == 11


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_stream_is_refused_or_decoded_inside_its_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    body = rng.integers(0, 256, size=200, dtype=np.uint8)
    coordinates = np.full((50, 3), np.nan, dtype=np.float32)
    guarded = coordinates[5:45]
    low, high = np.zeros(3, dtype=np.int64), rng.integers(1, 1 << 27, size=3)
    good = decode_frame(body, low, high, int(rng.integers(9, 73)), 0.01, guarded)
    assert np.isnan(coordinates[:5]).all()
    assert np.isnan(coordinates[45:]).all()
    assert not good or np.isfinite(guarded).all()


def test_changing_atoms_and_damaged_headers_are_one_line(path: Path, tmp_path: Path) -> None:
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    bad = tmp_path / "run.xtc"
    other = tmp_path / "other.xtc"
    with XTCFile(str(other), "w") as file:
        file.write(np.zeros((12, 3), dtype=np.float32), np.eye(3, dtype=np.float32), 0, 0.0, 1000.0)
    bad.write_bytes(path.read_bytes() + other.read_bytes())
    with pytest.raises(FormatError, match="frame 12 has 12 atoms, the first 13"):
        open_source(bad, species=SYMBOLS)
    data = bytearray(path.read_bytes())
    data[60] = 255  # the precision becomes a NaN or negative
    data[56] = 255
    bad.write_bytes(data)
    with pytest.raises(FormatError, match="header of frame 0 is damaged") as error:
        open_source(bad, species=SYMBOLS)
    assert "\n" not in str(error.value)


def test_reading_warns_of_nothing(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Trajectory.read(path, species=SYMBOLS).n_atoms == len(SYMBOLS)
