"""ASE .traj: files of ase.io.write and of ASE's molecular dynamics; velocities, spacing, damage."""

from pathlib import Path

import ase.io
import ase.units
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.io import Trajectory as AseTrajectory
from ase.md.verlet import VelocityVerlet
from foreign_writers import SYMBOLS, Run, by_ase, frames_of_ase

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.formats import open_source
from mlip_sse.trajectory.model import Trajectory


@pytest.fixture
def path(foreign_files: dict[str, Path]) -> Path:
    return foreign_files["ase"]


def test_a_run_is_read_whole(path: Path, run: Run) -> None:
    trajectory = Trajectory.read(path, frame_spacing_fs=5.0)
    moved = np.asarray(trajectory.positions, dtype=float) - np.asarray(trajectory.positions[0], dtype=float)
    np.testing.assert_allclose(moved, run.unwrapped - run.unwrapped[0], atol=3e-6)  # kept in float32
    np.testing.assert_allclose(trajectory.cells, run.cells, atol=1e-12)
    np.testing.assert_allclose(trajectory.velocities, run.velocities, rtol=1e-6, atol=1e-9)
    assert list(trajectory.species) == SYMBOLS
    chunk = next(open_source(path).chunks)
    by_ase_itself = ase.io.read(path, index=":")
    np.testing.assert_array_equal(chunk.coordinates, [frame.positions for frame in by_ase_itself])
    np.testing.assert_array_equal(chunk.cells, [frame.cell.array for frame in by_ase_itself])


def test_molecular_dynamics_of_ase_knows_its_spacing(tmp_path: Path) -> None:
    atoms = bulk("Ar", cubic=True, a=5.3) * (2, 2, 2)
    atoms.calc = LennardJones(sigma=3.4, epsilon=0.0104, rc=5.0)
    atoms.set_velocities(np.random.default_rng(3).normal(scale=2e-3, size=(32, 3)) / ase.units.fs)
    path = tmp_path / "md.traj"
    with VelocityVerlet(atoms, timestep=2.0 * ase.units.fs, trajectory=str(path), loginterval=5) as dynamics:
        dynamics.run(40)
    trajectory = Trajectory.read(path)
    assert trajectory.frame_spacing_fs == pytest.approx(10.0, rel=1e-12)
    assert trajectory.n_frames == 9
    assert trajectory.temperature_k is None  # no thermostat
    # a central difference of positions 2 x 10 fs apart meets the velocity to O(dt²): ω²dt²/6 with ω dt about 0.1
    centred = (trajectory.positions[2:] - trajectory.positions[:-2]) / 20.0
    np.testing.assert_allclose(centred, trajectory.velocities[1:-1], atol=2e-5)


def test_a_thermostat_names_the_temperature(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "nvt.traj"
    with AseTrajectory(path, "w") as file:
        file.set_description(
            {
                "type": "molecular-dynamics",
                "md-type": "Langevin",
                "timestep": ase.units.fs,
                "interval": 20,
                "temperature_K": 700.0,
            }
        )
        for frame in frames_of_ase(run):
            file.write(frame)
    source = open_source(path)
    assert source.frame_spacing_fs == pytest.approx(20.0)
    assert source.temperature_k == 700.0


def test_spacing_must_be_given_where_the_file_has_none(path: Path) -> None:
    with pytest.raises(InputError, match="time between frames is not in the file"):
        Trajectory.read(path)


def test_masses_of_the_file_are_kept(tmp_path: Path, run: Run) -> None:
    frames = frames_of_ase(run, velocities=False)
    for frame in frames:
        frame.set_masses([6.0] * 5 + [31.0] * 2 + [32.0] * 6)
        frame.set_velocities(run.velocities[0] / ase.units.fs)
    path = tmp_path / "isotopes.traj"
    ase.io.write(path, frames)
    trajectory = Trajectory.read(path, frame_spacing_fs=1.0)
    assert list(trajectory.masses[:5]) == [6.0] * 5
    np.testing.assert_allclose(trajectory.velocities[0], run.velocities[0], rtol=1e-6, atol=1e-9)


def changed(frames: list[Atoms], kind: str) -> list[Atoms]:
    if kind == "order":
        frames[4].set_chemical_symbols(["P", "Li", "Li", "Li", "Li", "Li", *SYMBOLS[6:]])
    elif kind == "count":
        frames[4] = frames[4][:-1]
    elif kind == "cell":
        frames[4].cell = None
    else:
        frames[4].positions[2, 1] = np.nan
    return frames


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("order", "frame 4: atom 0 has atomic number 15, in frame 0 3"),
        ("count", "frame 4 has 12 atoms, the first has 13"),
        ("cell", "frame 4 has no cell"),
        ("nan", r"frame 4.*atom 2"),
    ],
)
def test_frames_that_do_not_belong_are_named(kind: str, expected: str, tmp_path: Path, run: Run) -> None:
    path = tmp_path / "run.traj"
    ase.io.write(path, changed(frames_of_ase(run), kind))
    with pytest.raises(FormatError, match=expected) as error:
        Trajectory.read(path, frame_spacing_fs=1.0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [4, 30, 100, 1000, -200])
def test_a_cut_off_file_is_one_line(size: int, path: Path, tmp_path: Path) -> None:
    cut = tmp_path / "run.traj"
    cut.write_bytes(path.read_bytes()[:size])
    with pytest.raises(FormatError) as error:
        Trajectory.read(cut, frame_spacing_fs=1.0)
    assert "\n" not in str(error.value)


def test_a_file_of_one_frame_is_no_trajectory(run: Run, tmp_path: Path) -> None:
    path = by_ase(tmp_path / "one.traj", Run(*(array[:1] for array in vars(run).values())))
    with pytest.raises(FormatError, match="only one frame"):
        Trajectory.read(path, frame_spacing_fs=1.0)
