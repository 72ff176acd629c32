"""XDATCAR: files of VASP, ASE and pymatgen, and what must be refused."""

from pathlib import Path

import numpy as np
import pytest
from foreign_writers import SYMBOLS, Run, frames_of_ase

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.formats import open_source
from mlip_sse.trajectory.frames import TrajectoryWarning
from mlip_sse.trajectory.model import Trajectory


def displacements(trajectory: Trajectory) -> np.ndarray:
    return np.asarray(trajectory.positions, dtype=np.float64) - trajectory.positions[0]


def read_coordinates(path: Path, **options: object) -> np.ndarray:
    return np.concatenate([chunk.coordinates for chunk in open_source(path, "xdatcar", **options).chunks])


def test_a_header_in_every_frame(foreign_files: dict[str, Path], run: Run) -> None:
    trajectory = Trajectory.read(foreign_files["xdatcar"], 5.0)
    assert trajectory.species.tolist() == SYMBOLS
    np.testing.assert_allclose(trajectory.cells, run.cells, atol=1e-6)
    # eight decimals of fractions, ten Å, float32 storage
    np.testing.assert_allclose(displacements(trajectory), run.unwrapped - run.unwrapped[0], atol=2e-6)


def test_one_header_written_by_ase(tmp_path: Path, run: Run) -> None:
    from ase.io import write

    frames = frames_of_ase(run)
    for atoms in frames:
        atoms.set_cell(run.cells[0], scale_atoms=True)
    write(tmp_path / "XDATCAR", frames, format="vasp-xdatcar")
    trajectory = Trajectory.read(tmp_path / "XDATCAR", 5.0)
    fractions = np.linalg.inv(run.cells)
    expected = np.cumsum(np.diff(run.unwrapped, axis=0) @ fractions[1:] @ run.cells[0], axis=0)
    np.testing.assert_allclose(displacements(trajectory)[1:], expected, atol=2e-6)
    assert (trajectory.cells == trajectory.cells[0]).all()


def test_one_header_written_by_pymatgen(tmp_path: Path, run: Run) -> None:
    from pymatgen.core import Lattice, Structure
    from pymatgen.io.vasp import Xdatcar

    lattice = Lattice(run.cells[0])
    fractions = [np.array(run.wrapped[t] @ np.linalg.inv(run.cells[t])) for t in range(run.n_frames)]
    xdatcar = Xdatcar.__new__(Xdatcar)
    xdatcar.structures = [Structure(lattice, SYMBOLS, frame) for frame in fractions]
    xdatcar.comment = "run"
    path = tmp_path / "XDATCAR"
    xdatcar.write_file(str(path))
    np.testing.assert_allclose(read_coordinates(path), fractions, atol=1e-8)
    assert open_source(path).species.tolist() == SYMBOLS


@pytest.mark.parametrize("name", ["actual", "inherent"])
def test_real_argyrodite(repository: Path, name: str) -> None:
    path = repository.parent / f"shared/data/li6ps5cl_md/{name}_XDATCAR.gz"
    if not path.exists():
        pytest.skip("the argyrodite data are not beside this checkout (../shared/data/li6ps5cl_md)")
    trajectory = Trajectory.read(path, 100.0, 500.0)
    assert (trajectory.n_frames, trajectory.n_atoms) == (140, 416)
    assert {symbol: len(trajectory.indices(symbol)) for symbol in ("Li", "P", "S", "Cl")} == {
        "Li": 192,
        "P": 32,
        "S": 160,
        "Cl": 32,
    }
    pymatgen = pytest.importorskip("pymatgen.io.vasp").Xdatcar(str(path))
    coordinates = read_coordinates(path)
    for t in (0, 77, 139):
        np.testing.assert_array_equal(coordinates[t], pymatgen.structures[t].frac_coords)
    seen = trajectory.in_reference_frame("framework", ["Li"])
    assert seen.reference == "framework:Cl,S,P"
    moved = displacements(trajectory) - seen.drift[:, None]
    msd = {symbol: np.mean(np.sum(moved[70:, trajectory.indices(symbol)] ** 2, axis=2)) for symbol in ("Li", "S")}
    assert 1.0 < msd["Li"] < 10.0  # the lithium ions diffuse at 500 K, the framework does not
    assert msd["S"] < 0.5


HEADER = "run\n1.0\n10 0 0\n0 10 0\n0 0 10\nLi S\n1 2\n"


def frame(number: int, rows: str = "0.1 0.1 0.1\n0.5 0.5 0.5\n0.9 0.9 0.9\n") -> str:
    return f"Direct configuration= {number:5d}\n{rows}"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("scale", "factor"), [("1.0", 1.0), ("2.5", 2.5), ("-8000", 2.0)], ids=["one", "factor", "volume"]
)
def test_the_scale_factor(tmp_path: Path, scale: str, factor: float) -> None:
    path = write(tmp_path / "XDATCAR", HEADER.replace("1.0", scale, 1) + frame(1) + frame(2))
    np.testing.assert_allclose(Trajectory.read(path, 1.0, format="xdatcar").cells, [np.eye(3) * 10 * factor] * 2)


def test_vasp_4_has_no_symbols_and_other_separators(tmp_path: Path) -> None:
    old = HEADER.replace("Li S\n", "")
    for separator in ("\n", "Konfig=  1\n"):
        path = write(tmp_path / "XDATCAR", old + frame(1).replace("Direct configuration=     1\n", separator) * 3)
        assert Trajectory.read(path, 1.0, species=["Li", "S"]).species.tolist() == ["Li", "S", "S"]
        assert Trajectory.read(path, 1.0, species=["Li", "S", "Cl"]).species.tolist() == ["Li", "S", "Cl"]
        with pytest.raises(InputError, match=r"no symbols .VASP 4. for groups of \[1, 2\] atoms; pass species="):
            Trajectory.read(path, 1.0)


def test_flags_of_selective_dynamics_and_continued_runs(tmp_path: Path) -> None:
    flagged = frame(1).replace("0.1\n", "0.1 T T T\n").replace("0.5\n", "0.5 F F F\n").replace("0.9\n", "0.9 T T F\n")
    path = write(tmp_path / "XDATCAR", (HEADER + flagged * 2) + (HEADER.replace("run", "again") + flagged * 3))
    assert Trajectory.read(path, 1.0).n_frames == 5


def test_the_spacing_must_be_given(foreign_files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="the time between frames is not in the file; pass frame_spacing_fs="):
        Trajectory.read(foreign_files["xdatcar"])
    with pytest.raises(InputError, match="has no option 'timestep_fs'"):
        Trajectory.read(foreign_files["xdatcar"], timestep_fs=1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (frame(3, "0.1 0.1 0.1\n0.5 0.5\n0.9 0.9 0.9\n"), "frame 2, atom 1 .*found 2 columns, expected 3"),
        (frame(3, "0.1 0.1 0.1\n0.5 0.5 NaN\n0.9 0.9 0.9\n"), "frame 2, atom 1 .*column 3 is not finite"),
        (frame(3, "0.1 0.1 0.1\n0.5 0.5 ****\n0.9 0.9 0.9\n"), "frame 2, atom 1 .*column 3 is not a number"),
        (frame(3, "0.1 0.1 0.1\n0.5 0.5 0.5\n"), "frame 2: ends after 2 of 3 atoms"),
        (frame(3) + "0.3 0.3 0.3\n", "frame 3: expected 'Direct configuration=' or a new header"),
        (HEADER.replace("1 2", "2 1") + frame(3), r"frame 2 has Li S \[2, 1\], the first had Li S \[1, 2\]"),
        (HEADER.replace("Li S", "S Li") + frame(3), r"frame 2 has S Li \[1, 2\], the first had Li S"),
        (HEADER.replace("0 10 0", "10 0 0") + frame(3), "frame 2: the cell has no volume"),
        (frame(3).replace("Direct", "Cartesian"), "frame 2: Cartesian coordinates"),
        (frame(3, "0.1 0.1 0.1\n0.95 0.5 0.5\n0.9 0.9 0.9\n"), "frame 2, atom 1 .S, .*moved by more than 0.4"),
    ],
)
def test_a_damaged_frame_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "XDATCAR", HEADER + frame(1) + frame(2) + text + frame(4) + frame(5))
    with pytest.raises(FormatError, match=message) as error:
        Trajectory.read(path, 1.0)
    assert "\n" not in str(error.value)


def test_every_place_where_a_file_may_be_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "XDATCAR"
    for header in ("", HEADER):
        kept, last = HEADER + frame(1) + header + frame(2), header + frame(3)
        for end in range(1, len(last)):
            path.write_text(kept + last[:end])
            with pytest.warns(TrajectoryWarning, match="cut off at its end.*frame 2.*dropped, 2 are kept"):
                assert Trajectory.read(path, 1.0).n_frames == 2
        path.write_text(kept + last)
        assert Trajectory.read(path, 1.0).n_frames == 3
