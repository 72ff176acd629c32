"""Pairs within a cutoff: the way for wide cells against the neighbour list that takes any."""

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from mlip_sse.structures.separation import close_pairs


def random_cells(n_cells, n_atoms=40):
    """Yield skewed cells, their atoms anywhere, and half of their smallest width."""
    rng = np.random.default_rng(6)
    while n_cells:
        cell = 2.0 * rng.normal(size=(3, 3)) + 9.0 * np.eye(3)
        half = 0.5 / np.linalg.norm(np.linalg.inv(cell), axis=0).max()
        if half < 2.0:
            continue
        n_cells -= 1
        yield Atoms(f"Li{n_atoms}", positions=rng.uniform(-20, 20, (n_atoms, 3)), cell=cell, pbc=True), half


@pytest.mark.parametrize("factor", [0.999, 1.5], ids=["wide cell", "narrow cell"])
def test_pairs_are_those_of_the_neighbour_list(factor):
    n_pairs = 0
    for atoms, half in random_cells(20):
        first, second, distances = close_pairs(atoms, factor * half)
        one, other, expected = neighbor_list("ijd", atoms, factor * half)
        once = one <= other
        found, wanted = (np.lexsort(k) for k in ((distances, second, first), (expected[once], other[once], one[once])))
        np.testing.assert_array_equal(first[found], one[once][wanted])
        np.testing.assert_array_equal(second[found], other[once][wanted])
        np.testing.assert_allclose(distances[found], expected[once][wanted], atol=1e-10)
        n_pairs += len(first)
    assert n_pairs > 200


def test_a_pair_across_the_face_is_found():
    atoms = Atoms("LiS", positions=[[0.2, 5, 5], [9.7, 5, 5]], cell=[10, 10, 10], pbc=True)
    first, second, distances = close_pairs(atoms, 2.0)
    assert (first.tolist(), second.tolist()) == ([0], [1])
    assert distances[0] == pytest.approx(0.5)
