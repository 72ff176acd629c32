"""Neighbours: against all images summed one by one, ASE, crystals with known shells, and what must not change them."""

import numpy as np
import pytest
from ase.build import bulk
from ase.neighborlist import primitive_neighbor_list

from mlip_sse.analysis.structure.neighbours import neighbour_list
from mlip_sse.errors import InputError

SLANTED = np.array([[9.0, 0.0, 0.0], [3.1, 8.4, 0.0], [-2.7, 2.2, 8.9]])
VERY_SLANTED = np.array([[4.0, 0.0, 0.0], [11.0, 3.0, 0.0], [-7.0, 5.0, 6.0]])
CELLS = [SLANTED, VERY_SLANTED, np.diag([3.0, 4.0, 30.0]), np.diag([20.0, 20.0, 20.0])]


def pairs_of(found, centres):
    """Return all pairs as sorted rows (centre, neighbour, vector), so that two ways of counting can be compared."""
    rows = np.column_stack([np.asarray(centres)[found.centres], found.indices, found.vectors])
    return rows[np.lexsort(np.round(rows, 6).T[::-1])]


def slow(positions, cell, cutoff, centres, others):
    rows = []
    shifts = (np.array(list(np.ndindex(17, 17, 17))) - 8) @ cell
    wrapped = (positions @ np.linalg.inv(cell) % 1.0) @ cell
    for i in centres:
        for j in others:
            vectors = wrapped[j] - wrapped[i] + shifts
            lengths = np.linalg.norm(vectors, axis=1)
            for k in np.flatnonzero((lengths <= cutoff) & ~((lengths < 1e-9) & (i == j))):
                rows.append([i, j, *vectors[k]])
    rows = np.array(rows).reshape(-1, 5)
    return rows[np.lexsort(np.round(rows, 6).T[::-1])]


@pytest.mark.parametrize("cell", CELLS)
def test_they_are_all_images_within_the_cutoff(cell):
    """Cells smaller than the cutoff and very skewed ones too; 1e-9 Å is rounding."""
    positions = np.random.default_rng(1).uniform(-2, 3, (9, 3)) @ cell
    for cutoff in (2.3, 5.1):
        centres, others = [4, 0, 7], [0, 1, 2, 5, 7]
        found = neighbour_list(positions, cell, cutoff, centres, others)
        np.testing.assert_allclose(
            pairs_of(found, centres), slow(positions, cell, cutoff, centres, others), rtol=0, atol=1e-9
        )
        np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), found.distances, rtol=1e-14)


@pytest.mark.parametrize(("n_atoms", "cutoff"), [(1, 6.0), (60, 7.5), (700, 2.6)])
def test_ase_finds_the_same(n_atoms, cutoff):
    positions = np.random.default_rng(n_atoms).uniform(0, 1, (n_atoms, 3)) @ SLANTED
    found = neighbour_list(positions, SLANTED, cutoff)
    i, j, vectors = primitive_neighbor_list("ijD", [True] * 3, SLANTED, positions, cutoff)
    rows = np.column_stack([i, j, vectors])
    rows = rows[np.lexsort(np.round(rows, 6).T[::-1])]
    np.testing.assert_allclose(pairs_of(found, np.arange(n_atoms)), rows, rtol=0, atol=1e-9)


def test_an_fcc_crystal_has_twelve_and_six_and_a_primitive_cell_finds_them_in_its_images():
    crystal = bulk("Al", "fcc", a=4.0)
    found = neighbour_list(crystal.positions, crystal.cell.array, 4.1)
    assert found.counts.tolist() == [18]
    np.testing.assert_allclose(np.sort(found.distances), [np.sqrt(8)] * 12 + [4.0] * 6, rtol=1e-12)


def test_wrapping_rotation_and_order_of_atoms_change_nothing():
    rng = np.random.default_rng(3)
    positions = rng.uniform(0, 1, (40, 3)) @ SLANTED
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    order = rng.permutation(40)
    moved = (positions + rng.integers(-3, 4, (40, 3)) @ SLANTED + [0.3, -7.0, 2.0])[order] @ turn
    before, after = neighbour_list(positions, SLANTED, 4.0), neighbour_list(moved, SLANTED @ turn, 4.0)
    for place, atom in enumerate(order):
        mine = before.distances[before.offsets[atom] : before.offsets[atom + 1]]
        theirs = after.distances[after.offsets[place] : after.offsets[place + 1]]
        np.testing.assert_allclose(np.sort(theirs), np.sort(mine), atol=1e-9)


def test_a_crowd_in_a_corner_is_found_whole():
    """All pairs of 300 atoms in 1 Å³ of a large cell: far more than its mean density promises."""
    positions = np.random.default_rng(4).uniform(-0.5, 0.5, (300, 3))
    assert (neighbour_list(positions, 40.0 * np.eye(3), 2.0).counts == 299).all()


def test_what_cannot_be_searched_is_refused():
    one = np.zeros((1, 3))
    with pytest.raises(InputError, match=r"volume 0 Å³"):
        neighbour_list(one, np.diag([1.0, 1.0, 0.0]), 2.0)
    with pytest.raises(InputError, match=r"cutoff of -1\.0 Å, expected a positive number"):
        neighbour_list(one, np.eye(3), -1.0)
    with pytest.raises(InputError, match=r"centres from 0 to 1, expected places from 0 to 0"):
        neighbour_list(one, np.eye(3), 1.0, centres=[0, 1])
    with pytest.raises(InputError, match="all of them finite"):
        neighbour_list(np.full((1, 3), np.nan), np.eye(3), 1.0)
    assert neighbour_list(one, 5 * np.eye(3), 2.0).counts.tolist() == [0]
    assert neighbour_list(one, 5 * np.eye(3), 2.0, others=[]).counts.tolist() == [0]
