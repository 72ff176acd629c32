"""Supercells: wide enough, the smallest, the same crystal, and never larger than repeats along the axes."""

import numpy as np
import pytest
from ase.build import bulk
from ase.geometry import minkowski_reduce

from mlip_sse.errors import InputError
from mlip_sse.structures import compact_supercell, crystal, diagonal_supercell, lineage, perpendicular_widths
from mlip_sse.structures.separation import close_pairs
from mlip_sse.structures.supercells import _hermite_forms, _reduce, compact_matrix, shortest_image_distance


def test_widths_of_known_cells():
    assert perpendicular_widths(np.diag([2.0, 3.0, 4.0])) == pytest.approx([2, 3, 4])
    hexagonal = crystal("li3p").cell.array
    assert perpendicular_widths(hexagonal) == pytest.approx([4.264 * np.sqrt(3) / 2] * 2 + [7.579])


@pytest.mark.parametrize(("index", "number"), [(1, 1), (2, 7), (3, 13), (4, 35), (6, 91), (8, 155), (12, 455)])
def test_sublattices_are_counted_as_theory_counts_them(index, number):
    # Σ_{d | n} d σ(d): the number of sublattices of index n in three dimensions.
    forms = _hermite_forms(index)
    assert len(forms) == number
    assert np.linalg.det(forms) == pytest.approx([index] * number)
    between = np.einsum("aij,bjk->abik", forms, np.linalg.inv(forms))  # whole numbers where b's lattice holds a's
    same = np.all(np.abs(between - np.rint(between)) < 1e-6, axis=(2, 3))
    assert np.array_equal(same, np.eye(number, dtype=bool))


def test_reduction_equals_the_one_of_ase():
    rng = np.random.default_rng(0)
    cells = rng.normal(0, 1, (60, 3, 3)) @ np.diag([1.0, 5.0, 20.0])
    ours = np.sort(np.linalg.norm(_reduce(cells), axis=2), axis=1)
    theirs = np.sort([np.linalg.norm(minkowski_reduce(cell)[0], axis=1) for cell in cells], axis=1)
    assert ours == pytest.approx(theirs, rel=1e-9)
    assert np.abs(np.linalg.det(_reduce(cells))) == pytest.approx(np.abs(np.linalg.det(cells)))


@pytest.mark.parametrize("name", ["beta_li3ps4", "li7p3s11", "c_na3ps4", "li3p"])
@pytest.mark.parametrize("size", [8.0, 12.0])
def test_compact_is_wide_enough_and_never_larger_than_diagonal(name, size):
    atoms = crystal(name)
    compact, diagonal = compact_supercell(atoms, min_width=size), diagonal_supercell(atoms, size)
    for made in (compact, diagonal):
        assert perpendicular_widths(made.cell.array).min() >= size - 1e-9
        assert made.get_volume() / len(made) == pytest.approx(atoms.get_volume() / len(atoms))
    assert len(compact) <= len(diagonal)
    matrix = np.array(lineage(compact)[-1]["matrix"])
    assert matrix @ atoms.cell.array == pytest.approx(compact.cell.array)


def test_a_smaller_cell_would_not_do():
    cell = bulk("Li", "bcc", a=3.5).cell.array
    chosen = compact_matrix(cell, min_width=7.0)
    n_cells = round(np.linalg.det(chosen))
    for fewer in range(1, n_cells):
        widths = perpendicular_widths(_reduce(_hermite_forms(fewer) @ cell)).min(axis=1)
        assert widths.max() < 7.0


def test_primitive_fcc_finds_the_cubic_cell():
    matrix = compact_matrix(bulk("Cu", "fcc", a=4.0).cell.array, min_width=4.0)
    cell = matrix @ bulk("Cu", "fcc", a=4.0).cell.array
    assert round(np.linalg.det(matrix)) == 4
    assert perpendicular_widths(cell) == pytest.approx([4.0] * 3)


def test_edges_are_image_distances():
    atoms = crystal("c_na3ps4")
    made = compact_supercell(atoms, min_edge=12.0)
    assert shortest_image_distance(made.cell.array) >= 12.0
    first, second, distances = close_pairs(made, 11.9)
    assert not np.any(first == second)  # no atom sees its own image
    assert len(distances) > 0


def test_neighbourhoods_are_those_of_the_crystal():
    atoms = crystal("li7p3s11")
    made = compact_supercell(atoms, min_width=10.0)
    per_atom = [np.sort(close_pairs(one, 3.0)[2]) for one in (atoms, made)]
    assert per_atom[1] == pytest.approx(np.repeat(per_atom[0], len(made) // len(atoms)), abs=1e-8)


@pytest.mark.parametrize(
    "wrong", [{}, {"min_width": 5.0, "min_edge": 5.0}, {"min_width": -1.0}, {"min_edge": float("nan")}]
)
def test_bad_sizes_are_refused(wrong):
    with pytest.raises(InputError, match="supercell"):
        compact_supercell(crystal("li"), **wrong)


def test_a_size_beyond_all_bounds_is_refused():
    with pytest.raises(InputError, match="at most 20000"):
        diagonal_supercell(crystal("s8"), 200.0)
    with pytest.raises(InputError, match="ask for a smaller size"):
        compact_supercell(crystal("s8"), min_width=200.0)
