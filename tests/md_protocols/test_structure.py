"""The atoms a protocol starts from."""

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from mlip_sse.errors import CatalogueError, FormatError, InputError
from mlip_sse.md_protocols.specs import StructureSpec
from mlip_sse.md_protocols.structure import build_structure


def density(atoms):
    return atoms.get_masses().sum() / 6.02214076e23 / (atoms.get_volume() * 1e-24)


@pytest.mark.parametrize(
    ("prototype", "species", "n_atoms"),
    [
        ("rocksalt", ["Li", "Cl"], 8),
        ("zincblende", ["Li", "Cl"], 8),
        ("cesiumchloride", ["Li", "Cl"], 2),
        ("fcc", ["Ar"], 4),
        ("bcc", ["Li"], 2),
    ],
)
def test_prototypes_have_their_atoms_and_density(prototype, species, n_atoms):
    spec = StructureSpec(prototype=prototype, species=species, repeats=(2, 1, 3), density_g_cm3=(1.234,))
    atoms = build_structure(spec, 1.234)
    assert len(atoms) == 6 * n_atoms
    assert density(atoms) == pytest.approx(1.234, rel=1e-9)  # CODATA digits
    counts = [atoms.get_chemical_symbols().count(symbol) for symbol in species]
    assert counts == [len(atoms) // len(species)] * len(species)
    assert atoms.cell.lengths() == pytest.approx(atoms.cell.lengths()[1] * np.array([2, 1, 3]))


def test_a_crystal_of_the_package_is_named():
    atoms = build_structure(StructureSpec(crystal="li3ocl", repeats=(2, 1, 1)), None)
    assert atoms.get_chemical_formula() == "Cl2Li6O2"
    with pytest.raises(CatalogueError, match="no crystal 'li3ocn'"):
        build_structure(StructureSpec(crystal="li3ocn"), None)
    with pytest.raises(InputError, match="partly filled sites"):
        build_structure(StructureSpec(crystal="li6ps5cl_disordered"), None)


def test_a_file_keeps_its_cell_unless_a_density_is_asked_for(tmp_path):
    cell = bulk("LiCl", "rocksalt", a=5.13)
    write(tmp_path / "POSCAR", cell, format="vasp")
    spec = StructureSpec(file=str(tmp_path / "POSCAR"), repeats=(2, 2, 2))
    as_it_is = build_structure(spec, None)
    assert as_it_is.cell.array == pytest.approx(2 * cell.cell.array)
    assert density(build_structure(spec, 1.5)) == pytest.approx(1.5, rel=1e-9)


def test_files_that_cannot_be_used_are_one_line(tmp_path):
    with pytest.raises(InputError, match=r"absent\.cif does not exist"):
        build_structure(StructureSpec(file=str(tmp_path / "absent.cif")), None)
    (tmp_path / "broken.cif").write_text("not a cif")
    with pytest.raises(FormatError, match="ASE cannot read it") as caught:
        build_structure(StructureSpec(file=str(tmp_path / "broken.cif")), None)
    assert "\n" not in str(caught.value)
    write(tmp_path / "molecule.xyz", bulk("Ar", "fcc", a=5.0)[:1], format="xyz")
    with pytest.raises(InputError, match="periodic in three directions"):
        build_structure(StructureSpec(file=str(tmp_path / "molecule.xyz")), None)
