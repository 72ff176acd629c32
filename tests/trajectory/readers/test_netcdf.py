"""AMBER NetCDF: classic files of MDAnalysis and scipy, NetCDF-4 files of netCDF4, units, and damage."""

from pathlib import Path

import numpy as np
import pytest
from foreign_writers import SPACING_FS, SYMBOLS, Run, by_mdanalysis, by_netcdf4, read_by_mdanalysis

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.formats import open_source
from mlip_sse.trajectory.frames import TrajectoryWarning
from mlip_sse.trajectory.model import Trajectory
from mlip_sse.trajectory.readers.netcdf_classic import ClassicFile


@pytest.fixture
def path(foreign_files: dict[str, Path]) -> Path:
    return foreign_files["netcdf"]


def test_a_run_is_read_whole(path: Path, run: Run) -> None:
    trajectory = Trajectory.read(path, species=SYMBOLS)
    moved = np.asarray(trajectory.positions, dtype=float) - np.asarray(trajectory.positions[0], dtype=float)
    np.testing.assert_allclose(moved, run.unwrapped - run.unwrapped[0], atol=1e-5)  # float32 of 10 Å, 12 frames
    np.testing.assert_allclose(trajectory.cells, run.cells, atol=1e-5)  # cell lengths and angles in float32
    np.testing.assert_allclose(trajectory.velocities, run.velocities, rtol=1e-6, atol=1e-8)
    assert trajectory.frame_spacing_fs == pytest.approx(SPACING_FS, rel=1e-6)
    positions, cells = read_by_mdanalysis(path)
    chunk = next(open_source(path, species=SYMBOLS).chunks)
    np.testing.assert_array_equal(chunk.coordinates, positions)
    np.testing.assert_allclose(chunk.cells, cells, atol=2e-6)


@pytest.mark.parametrize("format", ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA", "NETCDF4"])
def test_every_kind_of_netcdf_and_its_units(format: str, run: Run, tmp_path: Path) -> None:
    path = by_netcdf4(tmp_path / "run.nc", run, format)
    trajectory = Trajectory.read(path, species=SYMBOLS)
    moved = np.asarray(trajectory.positions, dtype=float) - np.asarray(trajectory.positions[0], dtype=float)
    np.testing.assert_allclose(moved, run.unwrapped - run.unwrapped[0], atol=5e-6)
    np.testing.assert_allclose(trajectory.cells, run.cells, atol=1e-5)  # MDAnalysis' box is float32
    assert trajectory.frame_spacing_fs == pytest.approx(SPACING_FS, rel=1e-12)


def test_the_classic_reader_agrees_with_scipy(path: Path) -> None:
    from scipy.io import netcdf_file

    ours = ClassicFile(path)
    with netcdf_file(path, mmap=False) as theirs:
        assert set(ours.variables) == set(theirs.variables)
        for name, variable in ours.variables.items():
            np.testing.assert_array_equal(variable.values, theirs.variables[name].data)


def test_uneven_times_are_refused(run: Run, tmp_path: Path) -> None:
    times = np.arange(run.n_frames) * SPACING_FS
    times[6:] += 2.0
    path = by_netcdf4(tmp_path / "run.nc", run, "NETCDF3_CLASSIC", times)
    with pytest.raises(FormatError, match="frame 6"):
        Trajectory.read(path, species=SYMBOLS)


def test_a_cut_off_file_keeps_its_complete_frames(path: Path, tmp_path: Path) -> None:
    cut = tmp_path / "run.ncdf"
    cut.write_bytes(path.read_bytes()[:-30])
    with pytest.warns(TrajectoryWarning, match="header states 12 frames"):
        assert Trajectory.read(cut, species=SYMBOLS).n_frames == 11


def test_damage_is_one_line(path: Path, run: Run, tmp_path: Path) -> None:
    data = path.read_bytes()
    bad = tmp_path / "run.ncdf"
    for old, new, expected in (
        (b"angstrom", b"ells    ", "unit 'ells"),
        (b"coordinates", b"koordinates", "has no coordinates"),
        (b"\0\0\0\x0bcoordinates", b"\x0f\xff\xff\x0bcoordinates", "header is damaged"),
    ):
        assert old in data
        bad.write_bytes(data.replace(old, new))
        with pytest.raises(FormatError, match=expected) as error:
            Trajectory.read(bad, species=SYMBOLS)
        assert "\n" not in str(error.value)
    bad.write_bytes(data[:200])
    with pytest.raises(FormatError, match="header is damaged at byte"):
        Trajectory.read(bad, species=SYMBOLS)


def test_a_file_without_cells_is_refused(tmp_path: Path, run: Run) -> None:
    from scipy.io import netcdf_file

    path = tmp_path / "run.nc"
    with netcdf_file(path, "w") as file:
        file.Conventions = "AMBER"
        for name, length in (("frame", None), ("atom", 13), ("spatial", 3)):
            file.createDimension(name, length)
        file.createVariable("coordinates", "f4", ("frame", "atom", "spatial"))[:3] = run.wrapped[:3]
    with pytest.raises(FormatError, match="has no cell_lengths"):
        Trajectory.read(path, species=SYMBOLS)
    assert by_mdanalysis(tmp_path / "whole.ncdf", run).is_file()
