"""vasprun.xml: against ASE and pymatgen, a real file, tags, killed jobs, damage and malice."""

import warnings
from pathlib import Path

import ase.io
import numpy as np
import pytest
from foreign_writers import SPACING_FS, SYMBOLS, Run
from vasp_writers import TEMPERATURE_K, write_vasprun

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.formats import open_source
from mlip_sse.trajectory.frames import TrajectoryWarning
from mlip_sse.trajectory.model import Trajectory


@pytest.fixture
def path(foreign_files: dict[str, Path]) -> Path:
    return foreign_files["vasprun"]


def test_a_run_is_read_whole(path: Path, run: Run) -> None:
    trajectory = Trajectory.read(path)
    moved = np.asarray(trajectory.positions, dtype=float) - np.asarray(trajectory.positions[0], dtype=float)
    # float32 of coordinates of 10 Å, and the 8 decimals of the file
    np.testing.assert_allclose(moved, run.unwrapped - run.unwrapped[0], atol=3e-6)
    np.testing.assert_allclose(trajectory.cells, run.cells, atol=1e-8)
    assert list(trajectory.species) == SYMBOLS
    assert (trajectory.frame_spacing_fs, trajectory.temperature_k) == (SPACING_FS, TEMPERATURE_K)
    assert trajectory.masses[0] == 6.941  # as the run had it, not as a periodic table has it


def test_ase_and_pymatgen_read_the_same(path: Path) -> None:
    from pymatgen.io.vasp import Vasprun

    chunk = next(open_source(path).chunks)
    by_ase = ase.io.read(path, index=":")
    np.testing.assert_allclose(
        chunk.coordinates, [frame.get_scaled_positions(wrap=False) for frame in by_ase], atol=1e-12
    )
    np.testing.assert_allclose(chunk.cells, [frame.cell.array for frame in by_ase], atol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        by_pymatgen = Vasprun(path, parse_dos=False, parse_eigen=False, parse_potcar_file=False)
    structures = [step["structure"] for step in by_pymatgen.ionic_steps]
    np.testing.assert_allclose(chunk.coordinates, [structure.frac_coords for structure in structures], atol=1e-12)
    assert [str(site.specie) for site in structures[0]] == SYMBOLS


@pytest.mark.parametrize("name", ["vasprun_pstress.xml", "vasprun_dfpt.xml"])
def test_files_that_vasp_wrote(name: str) -> None:
    path = Path(ase.__file__).parent / "test" / "testdata" / "vasp" / name
    if not path.is_file():
        pytest.skip("this build of ASE ships no test data")
    source = open_source(path)
    chunk = next(source.chunks)
    frame = ase.io.read(path)
    assert list(source.species) == frame.get_chemical_symbols()
    np.testing.assert_allclose(chunk.coordinates[-1] @ chunk.cells[-1], frame.positions, atol=1e-12)
    assert source.frame_spacing_fs is None  # a relaxation: POTIM is no time
    assert "IBRION" in source.notes[0]


@pytest.mark.parametrize(
    ("tags", "spacing", "temperature"),
    [
        ({"NBLOCK": 10}, SPACING_FS, TEMPERATURE_K),  # every step is in vasprun.xml whatever NBLOCK says
        ({"TEEND": 900.0}, SPACING_FS, None),
        ({"SMASS": -3.0, "MDALGO": 0}, SPACING_FS, None),
        ({"SMASS": -3.0, "MDALGO": 3}, SPACING_FS, TEMPERATURE_K),
        ({"SMASS": -3.0, "MDALGO": 1, "ANDERSEN_PROB": 0.1}, SPACING_FS, TEMPERATURE_K),
        ({"IBRION": 2}, None, None),
        ({"ML_LMLFF": "T", "ML_MODE": "run"}, None, TEMPERATURE_K),
        ({"ML_LMLFF": "T", "ML_MODE": "train"}, SPACING_FS, TEMPERATURE_K),
    ],
)
def test_tags_say_time_and_temperature(
    tags: dict[str, object], spacing: float | None, temperature: float | None, run: Run, tmp_path: Path
) -> None:
    source = open_source(write_vasprun(tmp_path / "vasprun.xml", run, **tags))
    assert (source.frame_spacing_fs, source.temperature_k) == (spacing, temperature)


def test_a_killed_job_keeps_its_complete_steps(path: Path, run: Run, tmp_path: Path) -> None:
    text = path.read_text()
    ends = [at for at in range(len(text)) if text.startswith("</calculation>", at)]
    cut = tmp_path / "vasprun.xml"
    cut.write_text(text[: (ends[4] + ends[5]) // 2 - 1500])
    with pytest.warns(TrajectoryWarning, match=r"cut off at its end .*unclosed"):
        trajectory = Trajectory.read(cut)
    assert trajectory.n_frames in (5, 6)
    assert any("cut off" in operation for operation in trajectory.provenance.operations)
    cut.write_text(text[: text.index("<calculation>")])
    with pytest.raises(FormatError, match="no complete ionic step"):
        Trajectory.read(cut)


def test_entities_are_refused(path: Path, tmp_path: Path) -> None:
    bomb = '<!DOCTYPE m [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    evil = tmp_path / "vasprun.xml"
    evil.write_text(path.read_text().replace("<modeling>", bomb + "\n<modeling>", 1))
    with pytest.raises(FormatError, match="declares the XML entity 'a'"):
        open_source(evil)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("</crystal>", "</cristal>", "is not XML"),
        ("<c>Li</c>", "<c>Qq</c>", "called Qq, which are not chemical symbols"),
        (
            '<varray name="positions" >\n   <v>',
            '<varray name="positions" >\n   <v> 0.1 </v><v>',
            "numbers where 13 rows of 3",
        ),
        ("<rc><c>S </c><c>   3</c></rc>\n", "", "36 numbers|numbers where 12 rows"),
        ('type="int" name="IBRION">     0', 'type="int" name="IBRION">  fish', "frame_spacing_fs"),
        (" 0.", " ***", "cannot be read"),
    ],
)
def test_damage_is_one_line(old: str, new: str, expected: str, path: Path, tmp_path: Path) -> None:
    text = path.read_text()
    assert old in text
    count = -1 if "IBRION" in old else 1
    start = text.index("<calculation>") if old.startswith(("<varray", " 0.")) else 0
    bad = tmp_path / "vasprun.xml"
    bad.write_text(text[:start] + text[start:].replace(old, new, count))
    with pytest.raises(ValueError, match=expected) as error:
        Trajectory.read(bad)
    assert "\n" not in str(error.value)


def test_two_structures_in_one_step_are_refused(path: Path, tmp_path: Path) -> None:
    text = path.read_text()
    first = text.index("<structure>")
    block = text[first : text.index("</structure>", first) + len("</structure>")]
    bad = tmp_path / "vasprun.xml"
    bad.write_text(text.replace(block, block + block, 1))
    with pytest.raises(FormatError, match="two structures in one ionic step"):
        Trajectory.read(bad)
