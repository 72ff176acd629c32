"""Naming the atoms of a file that names none."""

from pathlib import Path

import ase.io
import numpy as np
import pytest
from foreign_writers import SYMBOLS, Run, frames_of_ase

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.readers.naming import is_element, name_atoms, name_labels

SOMEWHERE = Path("run.xtc")


@pytest.mark.parametrize("name", ["POSCAR", "run.cif", "run.extxyz", "run.pdb"])
def test_a_structure_file_names_the_atoms(name: str, run: Run, tmp_path: Path) -> None:
    ase.io.write(tmp_path / name, frames_of_ase(run)[0])
    named = name_atoms(SOMEWHERE, len(SYMBOLS), "XTC", None, tmp_path / name)
    assert list(named) == SYMBOLS


def test_mdanalysis_reads_what_ase_cannot(tmp_path: Path) -> None:
    path = tmp_path / "run.mol2"
    atoms = "\n".join(f"{n} {s}{n} 0.0 0.0 {n}.0 {s}.3 1 RES 0.0" for n, s in enumerate(["C", "O", "O"], start=1))
    path.write_text(f"@<TRIPOS>MOLECULE\nrun\n3 0 0 0 0\nSMALL\nUSER_CHARGES\n@<TRIPOS>ATOM\n{atoms}\n")
    assert list(name_atoms(SOMEWHERE, 3, "XTC", None, path)) == ["C", "O", "O"]


def test_wrong_names_are_one_line(tmp_path: Path) -> None:
    nonsense = tmp_path / "notes.txt"
    nonsense.write_text("nothing\n")
    for species, topology, expected in (
        (None, None, "name them with species="),
        (["Li"], None, "names 1 atoms, the file holds 2"),
        (["Li", "Xx"], None, "calls atom 1 'Xx', expected a chemical symbol"),
        (None, tmp_path / "missing.cif", "is no file"),
        (None, nonsense, "is read neither by ASE"),
    ):
        with pytest.raises(InputError, match=expected) as error:
            name_atoms(SOMEWHERE, 2, "XTC", species, topology)
        assert "\n" not in str(error.value)


def test_labels_are_symbols_or_are_mapped() -> None:
    np.testing.assert_array_equal(name_labels(SOMEWHERE, ["Li", "S"], None), ["Li", "S"])
    np.testing.assert_array_equal(name_labels(SOMEWHERE, [2, 1, 2], {1: "Li", 2: "S"}), ["S", "Li", "S"])
    with pytest.raises(FormatError, match="called Li1"):
        name_labels(SOMEWHERE, ["Li1"], None)
    assert not is_element("X")
