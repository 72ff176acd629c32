"""Oriented repeats: spacing and area by the textbook, the crystal unchanged, whatever its cell."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell

from mlip_sse.errors import InputError
from mlip_sse.structures import crystal, disordered_crystal
from mlip_sse.structures.interfaces import low_index_planes, slabs
from mlip_sse.structures.interfaces.lattice_planes import orient, primitive_cell, reduce_plane, row_basis


@pytest.mark.parametrize(
    ("atoms", "miller", "spacing"),
    [
        (bulk("Cu", cubic=True, a=4.0), (1, 0, 0), 2.0),
        (bulk("Cu", cubic=True, a=4.0), (1, 1, 1), 4.0 / np.sqrt(3)),
        (bulk("Cu", cubic=True, a=4.0), (2, 1, 0), 4.0 / np.sqrt(20)),
        (bulk("Fe", cubic=True, a=4.0), (1, 1, 0), 4.0 / np.sqrt(2)),
        (bulk("Fe", cubic=True, a=4.0), (1, 1, 1), 4.0 / np.sqrt(12)),
        (bulk("Ti", a=3.0, c=5.0), (0, 0, 1), 5.0),
        (bulk("Ti", a=3.0, c=5.0), (1, 0, 0), 3.0 * np.sqrt(3) / 2),
    ],
)
def test_spacings_of_known_lattices(atoms, miller, spacing):
    oriented = orient(atoms, miller)
    assert oriented.spacing == pytest.approx(spacing, abs=1e-9)
    n_primitive = len(oriented.atoms)
    assert oriented.area * spacing == pytest.approx(atoms.get_volume() / len(atoms) * n_primitive)
    cell = oriented.atoms.cell.array
    assert cell[0, 1:] == pytest.approx(0)
    assert cell[1, 2] == pytest.approx(0)
    assert cell[1, 1] > 0
    assert cell[2, 2] > 0


@pytest.mark.parametrize("name", ["li6ps5cl", "beta_li3ps4", "li7p3s11", "li3p"])
@pytest.mark.parametrize("miller", [(1, 0, 0), (1, 1, 0), (1, 2, -1)])
def test_the_crystal_is_turned_not_changed(name, miller, fingerprint):
    atoms = crystal(name)
    oriented = orient(atoms, miller)
    n_cells = len(atoms) // len(oriented.atoms)
    assert oriented.atoms.get_volume() * n_cells == pytest.approx(atoms.get_volume())
    repeat, whole = (np.array(fingerprint(each, 5.0)) for each in (oriented.atoms, atoms))
    np.testing.assert_array_equal(repeat[:, :2], whole[:, :2])
    np.testing.assert_allclose(repeat[:, 2:] * n_cells, whole[:, 2:], rtol=1e-3)
    # A proper rotation that brings the normal on z.
    np.testing.assert_allclose(oriented.rotation @ oriented.rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(oriented.rotation) == pytest.approx(1)
    normal = np.linalg.inv(atoms.cell.array) @ np.array(miller)
    np.testing.assert_allclose(oriented.rotation @ normal, [0, 0, np.linalg.norm(normal)], atol=1e-12)


def test_the_choice_of_the_cell_does_not_matter(fingerprint):
    """A supercell, skewed, turned, its atoms in another order: the plane named in its own axes is the same plane."""
    atoms = crystal("beta_li3ps4")
    matrix = np.array([[1, 0, 1], [0, 2, 0], [0, 0, 1]])
    other = make_supercell(atoms, matrix)
    other = other[np.random.default_rng(0).permutation(len(other))]
    other.rotate(37.0, (1, 2, 3), rotate_cell=True)
    for miller in ((1, 0, 0), (1, 1, 2)):
        one, two = orient(atoms, miller), orient(other, matrix @ np.array(miller))
        assert (two.area, two.spacing) == (pytest.approx(one.area), pytest.approx(one.spacing))
        assert fingerprint(one.atoms, 5.0) == fingerprint(two.atoms, 5.0)


def test_primitive_cell_of_a_supercell():
    atoms = make_supercell(bulk("NaCl", "rocksalt", a=5.6), [[2, 0, 0], [1, 2, 0], [0, 1, 3]])
    primitive, fractions = primitive_cell(atoms)
    assert len(primitive) == 2
    assert sorted(primitive.get_chemical_symbols()) == ["Cl", "Na"]
    np.testing.assert_allclose(fractions @ atoms.cell.array, primitive.cell.array)


def test_basis_of_whole_rows_spans_every_row_and_nothing_else():
    rng = np.random.default_rng(3)
    for _ in range(20):
        lattice = rng.integers(-4, 5, (2, 2))
        if abs(np.linalg.det(lattice)) < 0.5:
            continue
        rows = rng.integers(-3, 4, (6, 2)) @ lattice
        rows = np.concatenate([rows, lattice])
        basis = row_basis(rows)
        assert abs(np.linalg.det(basis)) == pytest.approx(abs(np.linalg.det(lattice)))
        inverse = rows @ np.linalg.inv(basis)
        np.testing.assert_allclose(inverse, np.rint(inverse), atol=1e-9)


def test_reduced_plane_against_all_short_vectors():
    rng = np.random.default_rng(1)
    for _ in range(20):
        plane = rng.normal(size=(2, 2)) @ [[3, 1], [0, 2]]
        mixes = np.array([(i, j) for i in range(-9, 10) for j in range(-9, 10) if (i, j) != (0, 0)])
        lengths = np.sort(np.linalg.norm(mixes @ plane, axis=1))
        reduced = reduce_plane(plane)
        if np.linalg.norm(np.linalg.inv(plane), 2) * np.linalg.norm(reduced[1]) > 9:
            continue  # the twin would not reach far enough
        assert np.linalg.norm(reduced[0]) == pytest.approx(lengths[0])
        assert abs(np.linalg.det(reduced)) == pytest.approx(abs(np.linalg.det(plane)))
        assert abs(reduced[0] @ reduced[1]) <= 0.5 * lengths[0] ** 2 * (1 + 1e-6)


def test_one_plane_of_each_kind():
    assert low_index_planes(crystal("licl")) == ((1, 0, 0), (1, 1, 0), (1, 1, 1))
    assert len(low_index_planes(crystal("beta_li3ps4"))) == 7  # mmm: signs do not matter, axes do
    assert len(low_index_planes(crystal("li7p3s11"))) == 13  # triclinic: only the opposite is the same
    # (1 -1 0) is of the kind of (1 0 0), being (1 -1 0 0) in four indices; (1 1 0) is not, being (1 1 -2 0).
    assert set(low_index_planes(bulk("Ti", a=3.0, c=5.0))) == {(1, 0, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (1, 1, 1)}


@pytest.mark.parametrize(
    ("atoms", "words"),
    [
        (Atoms("Cu2", positions=[[0, 0, 0], [2, 0, 0]], cell=[9, 9, 9], pbc=(True, True, False)), "pbc"),
        (Atoms(), "0 atoms"),
        (disordered_crystal("li6ps5cl_disordered"), "DisorderedStructure"),
        (Atoms("Cu2", positions=[[0, 0, 0], [0.1, 0, 0]], cell=[9, 9, 9], pbc=True), "apart"),
    ],
)
def test_what_is_no_crystal_is_refused(atoms, words):
    with pytest.raises(InputError, match=words) as caught:
        slabs(atoms, (1, 0, 0))
    assert "\n" not in str(caught.value)


def test_partial_occupancies_of_ase_are_refused():
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.info["occupancy"] = {"0": {"Na": 0.5, "Li": 0.5}, "1": {"Cl": 1.0}}
    with pytest.raises(InputError, match="partly filled"):
        slabs(atoms, (1, 0, 0))


@pytest.mark.parametrize("miller", [(0, 0, 0), (1, 0), (1, 0.5, 0), (1, 0, 0, 1)])
def test_wrong_indices_are_refused(miller):
    with pytest.raises(InputError, match="Miller indices"):
        orient(bulk("Cu", cubic=True), miller)


def test_common_factors_do_not_matter():
    atoms = bulk("Cu", cubic=True)
    assert orient(atoms, (2, 2, 0)).spacing == pytest.approx(orient(atoms, (1, 1, 0)).spacing)
