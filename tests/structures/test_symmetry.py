"""Equivalent sites: the orbits of known crystals, and what a lower symmetry does to them."""

import numpy as np

from mlip_sse.structures import crystal, disordered_crystal
from mlip_sse.structures.symmetry import site_orbits, site_permutations


def test_orbits_are_the_wyckoff_positions():
    for name in ("li6ps5cl", "gamma_li3ps4", "t_li7la3zr2o12", "li3ycl6"):
        structure = disordered_crystal(name)
        orbits = site_orbits(structure.cell, structure.scaled_positions, structure.groups.tolist())
        firsts = {int(group): int(np.flatnonzero(structure.groups == group)[0]) for group in structure.groups}
        assert orbits.tolist() == [firsts[int(group)] for group in structure.groups]


def test_permutations_keep_distances_and_number_the_operations():
    atoms = crystal("li2s")
    permutations = site_permutations(atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers.tolist())
    distances = atoms.get_all_distances(mic=True)
    for permutation in permutations:
        assert np.allclose(distances[np.ix_(permutation, permutation)], distances, atol=1e-9)
        assert np.array_equal(atoms.numbers[permutation], atoms.numbers)
    assert len(permutations) == 192  # Fm-3m: 48 point operations, 4 centrings, each another permutation


def test_a_moved_atom_breaks_its_orbit():
    atoms = crystal("li2s")
    atoms.positions[0] += 0.3
    orbits = site_orbits(atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers.tolist())
    assert np.count_nonzero(orbits == 0) == 1
