"""Polyanions pushed together whole: bonds kept, centres nearer than in the crystal, nothing on top of anything."""

import numpy as np
import pytest
from ase import Atoms

from mlip_sse.potentials.gates.bonds import find_bonds
from mlip_sse.potentials.training_data.unit_contacts import unit_contact_frames
from mlip_sse.structures import crystal


def two_tetrahedra(distance=5.5, edge=14.0):
    """Two PS4 with their centres ``distance`` apart, a lithium between them."""
    arms = 2.05 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    centres = np.array([[4.0, 7.0, 7.0], [4.0 + distance, 7.0, 7.0]])
    positions = [row for centre in centres for row in (centre, *(centre + arms))]
    return Atoms("PS4PS4Li", [*positions, [4.0 + 0.5 * distance, 7.0, 7.4]], cell=[edge] * 3, pbc=True)


def test_centres_meet_and_bonds_stay():
    start = two_tetrahedra()
    frames = unit_contact_frames(start, 12, "met", seed=3)
    assert [atoms.info for atoms in frames] == [{"group": "met", "place": place} for place in range(12)]
    nearest = [atoms.get_distance(0, 5, mic=True) for atoms in frames]
    assert max(nearest) < 0.98 * 5.5
    assert min(nearest) < 4.0
    for atoms in frames:
        bonds = find_bonds(atoms)
        assert len(bonds) == 8  # of each centre to its own four, none new
        # 2.05 Å, moved by the rattle of 0.05 Å alone
        np.testing.assert_allclose(bonds.lengths, 2.05, atol=0.25)
        assert atoms.get_distances(10, range(10), mic=True).min() > 1.4  # the lithium got out of the way


def test_the_same_seed_gives_the_same_frames_and_another_others():
    one, again, other = (unit_contact_frames(two_tetrahedra(), 2, "met", seed=seed) for seed in (0, 0, 1))
    for first, second, third in zip(one, again, other, strict=True):
        np.testing.assert_array_equal(first.positions, second.positions)
        assert np.abs(first.positions - third.positions).max() > 0.5


def test_each_pair_of_kinds_has_its_turn():
    start = two_tetrahedra()
    start += two_tetrahedra()
    start.positions[11:, 1] -= 6.4
    start.symbols[16] = "Ge"
    pushed = []
    for frame in unit_contact_frames(start, 2, "met", seed=0):
        moved = np.linalg.norm(frame.positions - start.positions, axis=1) > 0.3
        pushed.append(bool(moved[16]))
    assert pushed == [True, False]  # Ge with P first, P with P then


@pytest.mark.parametrize("name", ["licl", "li2s"])
def test_a_salt_without_polyanions_has_none(name):
    assert unit_contact_frames(crystal(name) * (2, 2, 2), 3, "met", seed=0) == []


def test_polyanions_far_apart_are_left_alone():
    assert unit_contact_frames(two_tetrahedra(7.0), 3, "met", seed=0) == []
