"""H5MD: files of MDAnalysis, pyh5md and h5py; units, species, images, boxes, and damage."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from foreign_writers import SPACING_FS, SYMBOLS, Run, read_by_mdanalysis

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.formats import open_source
from mlip_sse.trajectory.model import Trajectory

_NUMBERS = {1: "Li", 2: "P", 3: "S"}


@pytest.fixture
def path(foreign_files: dict[str, Path]) -> Path:
    return foreign_files["h5md"]


@pytest.fixture
def copy(path: Path, tmp_path: Path) -> Path:
    target = tmp_path / "run.h5md"
    target.write_bytes(path.read_bytes())
    return target


def moved(trajectory: Trajectory) -> np.ndarray:
    return np.asarray(trajectory.positions, dtype=float) - np.asarray(trajectory.positions[0], dtype=float)


def test_a_run_of_mdanalysis_is_read_whole(path: Path, run: Run) -> None:
    trajectory = Trajectory.read(path, species=SYMBOLS)
    np.testing.assert_allclose(moved(trajectory), run.unwrapped - run.unwrapped[0], atol=1e-5)  # float32 of 10 Å
    np.testing.assert_allclose(trajectory.cells, run.cells, atol=2e-6)
    np.testing.assert_allclose(trajectory.velocities, run.velocities, rtol=1e-6, atol=1e-8)
    assert trajectory.frame_spacing_fs == pytest.approx(SPACING_FS, rel=1e-6)
    positions, cells = read_by_mdanalysis(path)
    chunk = next(open_source(path, species=SYMBOLS).chunks)
    np.testing.assert_allclose(chunk.coordinates, positions, atol=2e-6)
    np.testing.assert_allclose(chunk.cells, cells, atol=2e-6)


def write_by_pyh5md(path: Path, run: Run, unit: bool = True, fixed_box: bool = False, images: bool = False) -> Path:
    """Write positions in nm with numbered species, a fixed time increment, and images where asked for."""
    import pyh5md

    cells = np.tile(run.cells[0], (run.n_frames, 1, 1)) if fixed_box else run.cells
    with pyh5md.File(str(path), "w", creator="pyh5md", author="a test") as file:
        atoms = file.particles_group("all")
        atoms.create_box(
            dimension=3,
            boundary=["periodic"] * 3,
            **(
                {"store": "fixed", "data": cells[0] / 10.0}
                if fixed_box
                else {"store": "time", "data": cells[0] / 10.0, "step_from": None}
            ),
        )
        position = pyh5md.element(
            atoms, "position", store="linear", data=run.wrapped[0] / 10.0, step=1, time=SPACING_FS / 1000.0
        )
        image = pyh5md.element(atoms, "image", store="linear", data=run.images[0], step=1) if images else None
        numbers = np.array([list(_NUMBERS.values()).index(symbol) + 1 for symbol in SYMBOLS])
        pyh5md.element(atoms, "species", store="fixed", data=numbers)
        for frame in range(run.n_frames):
            position.append(run.wrapped[frame] / 10.0)
            if image is not None:
                image.append(run.images[frame])
            if not fixed_box:
                atoms.box.edges.append(cells[frame] / 10.0, frame, frame * SPACING_FS / 1000.0)
        if unit:
            file["particles/all/position/value"].attrs["unit"] = "nm"
            file["particles/all/position/time"].attrs["unit"] = "ps"
    return path


@pytest.mark.parametrize("images", [False, True])
def test_a_run_of_pyh5md_in_nm_with_numbered_species(images: bool, run: Run, tmp_path: Path) -> None:
    path = write_by_pyh5md(tmp_path / "run.h5", run, images=images)
    trajectory = Trajectory.read(path, species=_NUMBERS)
    np.testing.assert_allclose(moved(trajectory), run.unwrapped - run.unwrapped[0], atol=1e-5)
    np.testing.assert_allclose(trajectory.cells, run.cells, atol=2e-6)
    assert list(trajectory.species) == SYMBOLS
    assert trajectory.frame_spacing_fs == pytest.approx(SPACING_FS, rel=1e-6)
    with pytest.raises(FormatError, match=r"atoms are called 1, 2, 3, which are not chemical symbols"):
        Trajectory.read(path)
    with pytest.raises(InputError, match="species does not say what 3 is"):
        Trajectory.read(path, species={1: "Li", 2: "P"})


def test_missing_units_are_asked_for(run: Run, tmp_path: Path) -> None:
    path = write_by_pyh5md(tmp_path / "run.h5", run, unit=False, fixed_box=True)
    with pytest.raises(FormatError, match="position/value has no unit attribute; say its unit with length_unit="):
        Trajectory.read(path, species=_NUMBERS)
    with pytest.raises(FormatError, match="position/time has no unit attribute; say its unit with time_unit="):
        Trajectory.read(path, species=_NUMBERS, length_unit="nm")
    with pytest.raises(FormatError, match="the unit 'foot', expected a length"):
        Trajectory.read(path, species=_NUMBERS, length_unit="foot")
    trajectory = Trajectory.read(path, species=_NUMBERS, length_unit="nm", time_unit="ps")
    np.testing.assert_allclose(trajectory.cells, np.tile(run.cells[0], (run.n_frames, 1, 1)), atol=2e-6)


def test_an_enumeration_and_strings_name_species(copy: Path) -> None:
    numbers = np.array([list(_NUMBERS.values()).index(symbol) + 1 for symbol in SYMBOLS])
    with h5py.File(copy, "a") as file:
        kind = h5py.enum_dtype({name: number for number, name in _NUMBERS.items()}, basetype="i4")
        file["particles/trajectory"].create_dataset("species", data=numbers, dtype=kind)
    assert list(Trajectory.read(copy).species) == SYMBOLS
    with h5py.File(copy, "a") as file:
        del file["particles/trajectory/species"]
        file["particles/trajectory/species"] = [symbol.encode() for symbol in SYMBOLS]
    assert list(Trajectory.read(copy).species) == SYMBOLS


def test_the_group_is_asked_for_where_there_are_two(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        file.copy("particles/trajectory", "particles/other")
    with pytest.raises(InputError, match="particles groups are other, trajectory; say which one with group="):
        Trajectory.read(copy, species=SYMBOLS)
    assert Trajectory.read(copy, species=SYMBOLS, group="other").n_atoms == len(SYMBOLS)


def test_atoms_that_change_places_are_refused(copy: Path, run: Run) -> None:
    identifiers = np.tile(np.arange(len(SYMBOLS)), (run.n_frames, 1))
    identifiers[7, :2] = [1, 0]
    with h5py.File(copy, "a") as file:
        file["particles/trajectory/id/value"] = identifiers
    with pytest.raises(FormatError, match="order of the atoms changes in frame 7"):
        Trajectory.read(copy, species=SYMBOLS)


def test_boxes_must_be_periodic(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        file["particles/trajectory/box"].attrs["boundary"] = ["periodic", "periodic", "none"]
    with pytest.raises(FormatError, match="a periodic cell in every frame is needed"):
        Trajectory.read(copy, species=SYMBOLS)


@pytest.mark.parametrize(
    ("remove", "expected"),
    [
        ("position", "position/value is missing"),
        ("position/value", "position/value is missing"),
        ("box/edges", "periodic cell in every frame"),
        ("velocity/value", "velocity/value is missing"),
    ],
)
def test_missing_parts_are_one_line(remove: str, expected: str, copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        del file[f"particles/trajectory/{remove}"]
    with pytest.raises(FormatError, match=expected) as error:
        Trajectory.read(copy, species=SYMBOLS)
    assert "\n" not in str(error.value)


def test_a_cut_off_file_is_one_line(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:-1000])
    with pytest.raises(FormatError, match="damaged or cut off") as error:
        Trajectory.read(copy, species=SYMBOLS)
    assert "\n" not in str(error.value)
