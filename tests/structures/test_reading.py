"""Reading: files and names alike, partial occupancies never lost, nonsense refused in one line."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from mlip_sse.errors import CatalogueError, FormatError, InputError
from mlip_sse.provenance import sha256_of_file
from mlip_sse.structures import (
    OrderingSettings,
    crystal,
    disordered_crystal,
    lineage,
    read_disordered,
    read_structure,
)


@pytest.mark.parametrize(("file", "form"), [("a.cif", "cif"), ("POSCAR", "vasp"), ("a.extxyz", "extxyz")])
def test_formats_give_the_same_crystal(tmp_path, file, form):
    atoms = crystal("gamma_li3ps4")
    write(tmp_path / file, atoms, format=form)
    again = read_structure(tmp_path / file)
    assert again.symbols.formula.count() == atoms.symbols.formula.count()
    assert again.cell.cellpar() == pytest.approx(atoms.cell.cellpar())
    order = [np.lexsort(np.round(one.get_scaled_positions(), 4).T) for one in (again, atoms)]
    difference = again.get_scaled_positions()[order[0]] - atoms.get_scaled_positions()[order[1]]
    assert difference - np.rint(difference) == pytest.approx(np.zeros((16, 3)), abs=1e-6)
    step = lineage(again)[-1]
    assert (step["operation"], step["file"]) == ("read", file)
    assert step["sha256"] == sha256_of_file(tmp_path / file)


def test_names_give_shipped_crystals():
    assert read_structure("li2s") == crystal("li2s")
    assert read_disordered("li2s").is_ordered
    with pytest.raises(CatalogueError, match="did you mean 'li2s'"):
        read_structure("li2S_")


def test_a_cif_with_partial_occupancies_is_refused_or_resolved(tmp_path):
    path = tmp_path / "lgps.cif"
    structure = disordered_crystal("li10gep2s12").to_pymatgen()
    structure.relabel_sites()  # one label a site, as exporters write P1: symmetry has to find the groups
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        structure.to(str(path), fmt="cif")
    assert sorted(np.bincount(read_disordered(path).groups)) == [2, 4, 4, 8, 8, 8, 8, 16]
    with pytest.raises(InputError, match=r"partly filled \(.*\), expected whole atoms"):
        read_structure(path)
    ordering = OrderingSettings(n_samples=1, n_sweeps=5)
    atoms = read_structure(path, ordering)
    assert atoms.symbols.formula.count() == {"Li": 20, "Ge": 2, "P": 4, "S": 24}
    assert [step["operation"] for step in lineage(atoms)] == ["read", "order"]
    assert read_structure("li10gep2s12", ordering).symbols.formula.count() == {"Li": 20, "Ge": 2, "P": 4, "S": 24}


def test_to_pymatgen_and_back_loses_nothing():
    structure = disordered_crystal("li6ps5cl_disordered")
    again = type(structure).from_pymatgen(structure.to_pymatgen())
    assert again.labels == structure.labels
    assert [dict(one) for one in again.occupancies] == [dict(one) for one in structure.occupancies]
    assert np.array_equal(again.groups, structure.groups)
    assert again.scaled_positions == pytest.approx(structure.scaled_positions)


def test_the_lgps_cif_of_others_says_what_keeps_it_from_being_ordered(shared_data):
    path = shared_data("lifepo_entries/Li10GeP2S12.cif")
    with pytest.raises(InputError, match=r"site \w+ asks for 0\.\d+ \w+ on \d+ positions.*off in occupancy"):
        read_structure(path, OrderingSettings())
    ordering = OrderingSettings(occupancy_tolerance=0.06, n_samples=1, n_sweeps=5)
    assert read_structure(path, ordering).symbols.formula.count() == {"Li": 20, "Ge": 2, "P": 4, "S": 24}


def test_atoms_on_top_of_each_other_are_refused(tmp_path):
    atoms = crystal("li2s") + Atoms("Li", positions=[crystal("li2s").positions[0] + 0.1])
    write(tmp_path / "POSCAR", atoms, format="vasp")
    with pytest.raises(InputError, match=r"atoms \d+ \(Li\) and \d+ \(Li\) are 0\.17 Å apart"):
        read_structure(tmp_path / "POSCAR")


@pytest.mark.parametrize("cell", [None, [5.0, 5.0, 0.0]])
def test_a_missing_or_flat_cell_is_refused(tmp_path, cell):
    write(tmp_path / "a.xyz", Atoms("Li2", positions=[[0, 0, 0], [3, 0, 0]], cell=cell), format="extxyz")
    with pytest.raises(InputError, match="no cell that is periodic in three directions"):
        read_structure(tmp_path / "a.xyz")


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("a.cif", "data_x\n_cell_length_a 5\n", "not a readable CIF"),
        ("a.cif", "", "not a readable CIF"),
        ("POSCAR", "nonsense\n1.0\n", "not a readable structure"),
        ("a.extxyz", "2\nLattice=broken\nLi 0 0 0\n", "not a readable structure"),
        ("b.bin", "\x00\x01\x02", "not a readable structure"),
    ],
)
def test_broken_files_are_one_line(tmp_path, file, content, words):
    (tmp_path / file).write_text(content)
    with pytest.raises(FormatError, match=words) as refused:
        read_structure(tmp_path / file)
    assert "\n" not in str(refused.value)


def test_positions_that_are_no_numbers_folders_and_non_cifs_are_refused(tmp_path):
    (tmp_path / "a.extxyz").write_text('1\nLattice="4 0 0 0 4 0 0 0 4" pbc="T T T"\nLi nan 0 0\n')
    with pytest.raises(InputError, match="not finite"):
        read_structure(tmp_path / "a.extxyz")
    with pytest.raises(FormatError, match="found a folder"):
        read_structure(tmp_path)
    with pytest.raises(FormatError, match="no CIF"):
        read_disordered(tmp_path / "a.extxyz")


CELL_LINES = "_cell_length_a {}\n_cell_length_b 5\n_cell_length_c 5\n" + "".join(
    f"_cell_angle_{angle} 90\n" for angle in ("alpha", "beta", "gamma")
)
SITE_LINES = "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n{} 0 0 0\n"


@pytest.mark.parametrize(
    ("edge", "site", "words"),
    [("nan", "Li1", "not"), ("0", "Li1", "not|no cell"), ("1e99", "Li1", "not|no cell"), ("5", "Xq1", "not|found")],
)
def test_damaged_cifs_are_refused_before_the_symmetry_search(tmp_path, edge, site, words):
    # The symmetry library ends the process on a cell of NaN.
    (tmp_path / "a.cif").write_text("data_x\n" + CELL_LINES.format(edge) + SITE_LINES.format(site))
    with pytest.raises(FormatError, match=words) as refused:
        read_structure(tmp_path / "a.cif")
    assert "\n" not in str(refused.value)


def test_damage_never_shows_a_traceback(tmp_path):
    crystal("li2s").write(tmp_path / "good.cif")
    crystal("li2s").write(tmp_path / "good.extxyz")
    crystal("li2s").write(tmp_path / "good.vasp", format="vasp")
    rng = np.random.default_rng(0)
    junk = ["nan", "-1e999", "?", "Xx", '"', "\n", "1e308", "(", "loop_", "99999999999999999999"]
    messages = []
    for name in ("good.cif", "good.extxyz", "good.vasp"):
        text = (tmp_path / name).read_text()
        for _ in range(40):
            start, length = int(rng.integers(len(text))), int(rng.integers(1, 30))
            damaged = text[:start] + str(rng.choice(junk)) + text[start + length :]
            (tmp_path / f"bad_{name}").write_text(damaged)
            try:
                read_structure(tmp_path / f"bad_{name}")
            except InputError as error:
                messages.append(str(error))
    assert len(messages) > 40
    assert not any("\n" in message for message in messages)


def test_pymatgen_is_only_loaded_for_cifs():
    code = "import sys, mlip_sse.structures as s; s.crystal('li2s'); print({'pymatgen', 'spglib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
