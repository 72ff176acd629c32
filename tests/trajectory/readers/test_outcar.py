"""OUTCAR: against ASE, a real file, killed jobs and damage."""

from pathlib import Path

import ase.io
import numpy as np
import pytest
from foreign_writers import SPACING_FS, SYMBOLS, Run
from vasp_writers import TEMPERATURE_K, write_outcar

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.formats import open_source
from mlip_sse.trajectory.frames import TrajectoryWarning
from mlip_sse.trajectory.model import Trajectory


@pytest.fixture
def path(foreign_files: dict[str, Path]) -> Path:
    return foreign_files["outcar"]


def test_a_run_is_read_whole(path: Path, run: Run) -> None:
    trajectory = Trajectory.read(path)
    moved = np.asarray(trajectory.positions, dtype=float) - np.asarray(trajectory.positions[0], dtype=float)
    # the file has five decimals, so each of the increments is off by up to 1e-5 Å, at random
    np.testing.assert_allclose(moved, run.unwrapped - run.unwrapped[0], atol=3e-5)
    np.testing.assert_allclose(trajectory.cells, run.cells, atol=1e-8)
    assert list(trajectory.species) == SYMBOLS
    assert (trajectory.frame_spacing_fs, trajectory.temperature_k) == (SPACING_FS, TEMPERATURE_K)


def test_ase_reads_the_same(path: Path) -> None:
    chunk = next(open_source(path).chunks)
    by_ase = ase.io.read(path, index=":", format="vasp-out")
    np.testing.assert_allclose(chunk.coordinates, [frame.positions for frame in by_ase], atol=1e-12)
    np.testing.assert_allclose(chunk.cells, [frame.cell.array for frame in by_ase], atol=1e-12)
    assert by_ase[0].get_chemical_symbols() == SYMBOLS


def test_a_file_that_vasp_wrote() -> None:
    path = Path(ase.__file__).parent / "test" / "testdata" / "vasp" / "OUTCAR_example_1"
    if not path.is_file():
        pytest.skip("this build of ASE ships no test data")
    source = open_source(path)
    chunk = next(source.chunks)
    frame = ase.io.read(path, format="vasp-out")
    assert list(source.species) == frame.get_chemical_symbols()
    np.testing.assert_allclose(chunk.coordinates[-1], frame.positions, atol=1e-12)
    np.testing.assert_allclose(chunk.cells[-1], frame.cell.array, atol=1e-12)


def test_a_microcanonical_run_has_no_known_temperature(run: Run, tmp_path: Path) -> None:
    source = open_source(write_outcar(tmp_path / "OUTCAR", run, thermostat=False))
    assert source.temperature_k is None
    assert "microcanonical" in source.notes[0]


def test_a_killed_job_keeps_its_complete_steps(path: Path, tmp_path: Path) -> None:
    text = path.read_text()
    third = [at for at in range(len(text)) if text.startswith(" POSITION  ", at)][3]
    cut = tmp_path / "OUTCAR"
    cut.write_text(text[: third + 500])
    with pytest.warns(TrajectoryWarning, match="it ends inside ionic step 4"):
        trajectory = Trajectory.read(cut)
    assert trajectory.n_frames == 3


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("ions per type =", "ions per tipe =", "ions per type"),
        ("   5   2   6", "   5   2   5", "do not end after 12 ions"),
        ("   5   2   6", "   5   2   7", "should hold six numbers"),
        ("direct lattice vectors", "no lattice", "no lattice vectors"),
        ("VRHFIN =Li", "VRHFIN =Qq", "called Qq, which are not chemical symbols"),
        ("POSITION ", "PLACEMENT", "no POSITION table"),
    ],
)
def test_damage_is_one_line(old: str, new: str, expected: str, path: Path, tmp_path: Path) -> None:
    text = path.read_text()
    assert old in text
    bad = tmp_path / "OUTCAR"
    bad.write_text(text.replace(old, new))
    with pytest.raises(FormatError, match=expected) as error:
        Trajectory.read(bad)
    assert "\n" not in str(error.value)
