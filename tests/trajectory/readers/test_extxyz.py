"""Extended XYZ: files of ASE and of others, and what must be refused."""

from pathlib import Path

import ase.io
import ase.units
import numpy as np
import pytest
from foreign_writers import SYMBOLS, Run, frames_of_ase

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.frames import TrajectoryWarning
from mlip_sse.trajectory.model import Trajectory


def displacements(trajectory: Trajectory) -> np.ndarray:
    return np.asarray(trajectory.positions, dtype=np.float64) - trajectory.positions[0]


def test_a_file_of_ase(foreign_files: dict[str, Path], run: Run) -> None:
    trajectory = Trajectory.read(foreign_files["extxyz"], 5.0)
    assert trajectory.species.tolist() == SYMBOLS
    np.testing.assert_allclose(trajectory.cells, run.cells, atol=1e-7)
    # eight decimals of Å, float32 storage of 10 Å
    np.testing.assert_allclose(displacements(trajectory), run.unwrapped - run.unwrapped[0], atol=2e-6)


def test_momenta_masses_forces_and_results_of_ase(tmp_path: Path, run: Run) -> None:
    from ase.calculators.singlepoint import SinglePointCalculator

    frames = frames_of_ase(run, velocities=True)
    for t, atoms in enumerate(frames):
        masses = atoms.get_masses()
        masses[0] = 6.0  # an isotope
        velocities = atoms.get_velocities()
        atoms.set_masses(masses)
        atoms.set_velocities(velocities)
        atoms.calc = SinglePointCalculator(atoms, energy=-1.0, forces=np.full((len(atoms), 3), 0.5), stress=np.zeros(6))
        atoms.info = {"time": 5.0 * t, "note": 'Lattice of "sulfides"', "step": t}
    path = tmp_path / "run.extxyz"
    ase.io.write(path, frames)
    trajectory = Trajectory.read(path)
    assert trajectory.frame_spacing_fs == pytest.approx(5.0)
    assert trajectory.masses[0] == 6.0
    np.testing.assert_allclose(trajectory.velocities, run.velocities, atol=1e-8)  # eight decimals of momenta
    back = ase.io.read(path, ":")
    np.testing.assert_allclose(trajectory.velocities[3], back[3].get_velocities() * ase.units.fs, rtol=1e-6, atol=1e-12)
    assert Trajectory.read(path, velocities=False).velocities is None


HEADER = '2\nLattice="10 0 0 0 10 0 0 0 10" Properties=species:S:1:pos:R:3 Time={time}\n'
ROWS = "Li 1.0 1.0 1.0\nCl 5.0 5.0 5.0\n"


def frame(number: int, rows: str = ROWS, header: str = HEADER) -> str:
    return header.format(time=2.0 * number) + rows


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "lattice",
    [
        'lattice="10.0 0 0   0 10.0 0  0 0 10.0"',
        "Lattice='10 0 0 0 10 0 0 0 10'",
        "Lattice=[[10.0, 0, 0], [0, 10, 0], [0, 0, 10]]",
        "Lattice={10 0 0 0 10 0 0 0 10}",
        'pbc="T T T" energy=-1.5 virial="1 2 3 4 5 6 7 8 9" Lattice = "10 0 0 0 10 0 0 0 10"',
        'Lattice="10 10 10"',
    ],
)
def test_ways_to_write_the_cell(tmp_path: Path, lattice: str) -> None:
    header = HEADER.replace('Lattice="10 0 0 0 10 0 0 0 10"', lattice.replace("{", "{{").replace("}", "}}"))
    trajectory = Trajectory.read(write(tmp_path / "run.extxyz", frame(0, header=header) + frame(1, header=header)))
    np.testing.assert_array_equal(trajectory.cells, [np.eye(3) * 10] * 2)
    assert trajectory.frame_spacing_fs == 2.0


def test_columns_in_any_order_and_velocities(tmp_path: Path) -> None:
    header = HEADER.replace("species:S:1:pos:R:3", "id:I:1:vel:R:3:pos:R:3:flag:L:1:species:S:1:forces:R:3")
    rows = "1 0.1 0.2 0.3 1.0 1.0 1.0 T Li 9 9 9\n2 -0.1 -0.2 -0.3 5.0 5.0 5.0 F Cl 9 9 9\n"
    trajectory = Trajectory.read(write(tmp_path / "run.extxyz", frame(0, rows, header) + frame(1, rows, header)))
    assert trajectory.species.tolist() == ["Li", "Cl"]
    np.testing.assert_allclose(trajectory.velocities[1], [[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]], rtol=1e-6)
    np.testing.assert_array_equal(trajectory.positions[1], [[1, 1, 1], [5, 5, 5]])


def test_the_given_spacing_overrules_the_file_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "run.extxyz", frame(0) + frame(1) + frame(2))
    with pytest.warns(TrajectoryWarning, match="2 fs apart by the file, 50 fs as given; the given spacing is used"):
        trajectory = Trajectory.read(path, 50.0)
    assert trajectory.frame_spacing_fs == 50.0
    assert any("50 fs as given" in operation for operation in trajectory.provenance.operations)
    with pytest.raises(InputError, match="not in the file; pass frame_spacing_fs="):
        Trajectory.read(write(path, path.read_text().replace("Time=", "Tame=")))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (frame(2, "Li 1 1 1\nCl 5 5\n"), "frame 2, atom 1 .*found 3 columns, expected 4"),
        (frame(2, "Li 1 1 1\nCl 5 5 5 5\n"), "frame 2, atom 1 .*found 5 columns, expected 4"),
        (frame(2, "Li 1 1 1\nCl 5 inf 5\n"), "frame 2, atom 1 .*column 3 is not finite"),
        (frame(2, "Cl 1 1 1\nLi 5 5 5\n"), "frame 2, atom 0 .*type or element is another"),
        (frame(2, "Li 1 1 1\n"), "frame 2, atom 1 .*found 1 columns|frame 3"),
        (frame(2) + "Li 1 1 1\n", "frame 3: expected the number of atoms and a comment line, found 'Li 1 1 1'"),
        (frame(2, header=HEADER.replace("2\n", "3\n", 1)), "frame 2 has 3 atoms, the first had 2"),
        (frame(2, header=HEADER.replace("Lattice", "Lettuce")), "frame 2 has no Lattice; a cell is needed"),
        (frame(2, header=HEADER.replace("10 0 0 0 10", "10 0 0 0")), "frame 2: Lattice='.*' is no cell"),
        (frame(2, header=HEADER.replace("10 0 0 0 10", "10 0 0 10 0")), "frame 2: Lattice='.*' is no cell"),
        (frame(2, header=HEADER.replace("10 0 0 0 10", "ten 0 0 0 10")), "frame 2: Lattice='.*' holds a word"),
        (frame(2, header=HEADER.replace("pos:R:3", "pos:R:3:x:R:1")), "frame 2 has Properties=.*the first had"),
        (frame(2, header=HEADER.replace("Time", "Tame")), "frame 2: Time='' is not a number of fs"),
        (frame(9), r"frame 2: time in fs 18 comes 16 after the frame before, expected 2; frames must be evenly spaced"),
    ],
)
def test_a_damaged_frame_is_named(tmp_path: Path, bad: str, message: str) -> None:
    path = write(tmp_path / "bad.extxyz", frame(0) + frame(1) + bad + frame(3) + frame(4))
    with pytest.raises(FormatError, match=message) as error:
        Trajectory.read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("species:S:1:pos:R:2", "needs species:S:1 and pos:R:3"),
        ("pos:R:3", "needs species:S:1 and pos:R:3"),
        ("species:S:1:pos:R", "cannot be read"),
        ("species:S:one:pos:R:3", "cannot be read"),
        ("species:S:1:pos:R:3:q:R:1", "frame 0, atom 0: found 4 columns, expected 5 by Properties"),
    ],
)
def test_properties_that_cannot_be_used(tmp_path: Path, properties: str, message: str) -> None:
    header = HEADER.replace("species:S:1:pos:R:3", properties)
    with pytest.raises(FormatError, match=message):
        Trajectory.read(write(tmp_path / "bad.extxyz", frame(0, header=header)))


def test_every_place_where_a_file_may_be_cut_off(tmp_path: Path) -> None:
    path, kept, last = tmp_path / "cut.extxyz", frame(0) + frame(1), frame(2)
    for end in range(1, len(last)):
        path.write_text(kept + last[:end])
        with pytest.warns(TrajectoryWarning, match="cut off at its end.*frame 2.*dropped, 2 are kept"):
            assert Trajectory.read(path).n_frames == 2
    path.write_text(kept + last + "\n\n")
    assert Trajectory.read(path).n_frames == 3
