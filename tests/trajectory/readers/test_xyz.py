"""XYZ: CP2K's comments and cell files, labels, and damage; frames written by ASE and LAMMPS."""

from pathlib import Path

import ase.io
import numpy as np
import pytest
from foreign_writers import LAMMPS_DUMPS, SPACING_FS, SYMBOLS, Run, cp2k_by_ase

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.formats import open_source
from mlip_sse.trajectory.frames import TrajectoryWarning
from mlip_sse.trajectory.model import Trajectory


@pytest.fixture
def path(run: Run, tmp_path: Path) -> Path:
    return cp2k_by_ase(tmp_path, run)


def test_a_run_is_read_whole(path: Path, run: Run) -> None:
    trajectory = Trajectory.read(path)
    moved = np.asarray(trajectory.positions, dtype=float) - np.asarray(trajectory.positions[0], dtype=float)
    np.testing.assert_allclose(moved, run.unwrapped - run.unwrapped[0], atol=3e-6)  # kept in float32
    np.testing.assert_allclose(trajectory.cells, run.cells, atol=1e-10)
    assert list(trajectory.species) == SYMBOLS
    assert trajectory.frame_spacing_fs == SPACING_FS
    assert any("PROJECT-1.cell" in operation for operation in trajectory.provenance.operations)
    chunk = next(open_source(path).chunks)
    by_ase = ase.io.read(path, index=":", format="xyz")
    np.testing.assert_array_equal(chunk.coordinates, [frame.positions for frame in by_ase])


def test_the_cell_is_asked_for(path: Path, run: Run) -> None:
    cell_file = path.with_name("PROJECT-1.cell").rename(path.with_name("elsewhere.cell"))
    with pytest.raises(InputError, match=r"stores no cell, and no CP2K .cell file lies beside it; pass cell=") as error:
        Trajectory.read(path)
    assert "\n" not in str(error.value)
    assert Trajectory.read(path, cell_file=cell_file).n_frames == run.n_frames
    fixed = Trajectory.read(path, cell=[9.0, 8.0, 10.0, 90.0, 90.0, 90.0])
    np.testing.assert_array_equal(fixed.cells[3], np.diag([9.0, 8.0, 10.0]))
    with pytest.raises(InputError, match="both cell and cell_file"):
        Trajectory.read(path, cell_file=cell_file, cell=[9.0, 8.0, 10.0])


def test_cells_are_matched_by_step(path: Path) -> None:
    cell_file = path.with_name("PROJECT-1.cell")
    lines = cell_file.read_text().splitlines()
    cell_file.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")  # any order
    assert Trajectory.read(path).n_frames == 12
    cell_file.write_text("\n".join(lines[:6]) + "\n")
    with pytest.raises(FormatError, match=r"frame 5 has step 50, PROJECT-1\.cell has no cell for it"):
        Trajectory.read(path)
    cell_file.write_text("\n".join(lines).replace("9.0000000000", "9.0000oo0000"))
    with pytest.raises(FormatError, match="line 2 is not made of numbers"):
        Trajectory.read(path)


def test_a_lammps_file_needs_cell_and_spacing(foreign_files: dict[str, Path]) -> None:
    path = foreign_files["lammps-dump"].with_name(LAMMPS_DUMPS["xyz"])
    text = Trajectory.read(foreign_files["lammps-dump"])
    trajectory = Trajectory.read(path, cell=text.cells[0], frame_spacing_fs=text.frame_spacing_fs)
    moved, expected = (np.asarray(t.positions - t.positions[0], dtype=float) for t in (trajectory, text))
    np.testing.assert_allclose(moved, expected, atol=2e-4)  # %g has six digits


def test_labels_that_are_no_symbols_are_asked_for(path: Path) -> None:
    path.write_text(path.read_text().replace("Li ", "Li1"))
    with pytest.raises(FormatError, match="atoms are called Li1, which are not chemical symbols; say what they are"):
        Trajectory.read(path)
    assert list(Trajectory.read(path, species={"Li1": "Li", "P": "P", "S": "S"}).species) == SYMBOLS
    assert list(Trajectory.read(path, species=SYMBOLS).species) == SYMBOLS


def test_a_cut_off_file_keeps_its_complete_frames(path: Path) -> None:
    text = path.read_text()
    path.write_text(text[:-5])
    with pytest.warns(TrajectoryWarning, match="it ends inside frame 11"):
        assert Trajectory.read(path).n_frames == 11
    path.write_text(text[:300])
    with pytest.raises(FormatError, match="ends inside its first frame"):
        Trajectory.read(path)


@pytest.mark.parametrize(
    ("line", "new", "expected"),
    [
        (45, "fish", "frame 3 begins with 'fish', expected its number of atoms"),
        (45, "12", "frame 3 has 12 atoms, the first has 13"),
        (45, "14", "frame 3 has rows of unequal length"),
        (48, "S 1.0 2.0 3.0", "atom 1 is S in frame 3 and Li in frame 0"),
        (48, "Li 1.0 2.0", "frame 3 has rows of unequal length"),
        (48, "Li 1.0 2.0 x", "coordinate that is not a number"),
        (48, "Li 1.0 2.0 nan", r"frame 3.*atom 1"),
        (46, "no time here", "frame 3 lacks the time_fs that frame 0 has|frame 3 has no step"),
        (46, " i = 30, time = 1.5.5", "unreadable time"),
        (46, " i = 31, time = 15.5", "has no cell for it"),
    ],
)
def test_damage_is_one_line(line: int, new: str, expected: str, path: Path) -> None:
    lines = path.read_text().split("\n")
    lines[line] = new
    path.write_text("\n".join(lines))
    with pytest.raises(FormatError, match=expected) as error:
        Trajectory.read(path)
    assert "\n" not in str(error.value)
