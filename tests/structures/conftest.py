"""Small structures and measures that several tests of structures share."""

import numpy as np
import pytest

from mlip_sse.structures.partial import DisorderedStructure


@pytest.fixture
def shared_rock_salt():
    """Return rock salt with four cation sites shared half and half by Na and Li, formal charges."""
    cations = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    return DisorderedStructure(
        cell=np.eye(3) * 5.4,
        scaled_positions=np.concatenate([cations, (cations + 0.5) % 1.0]),
        groups=np.array([0] * 4 + [1] * 4),
        labels=("M", "Cl"),
        occupancies=({"Na": 0.5, "Li": 0.5}, {"Cl": 1.0}),
    )


@pytest.fixture
def half_empty_fluorite():
    """Return a fluorite lattice of Ca and O in which half of the eight anion sites are empty: neutral."""
    cations = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    anions = np.array([[x, y, z] for x in (0.25, 0.75) for y in (0.25, 0.75) for z in (0.25, 0.75)])
    return DisorderedStructure(
        cell=np.eye(3) * 5.1,
        scaled_positions=np.concatenate([cations, anions]),
        groups=np.array([0] * 4 + [1] * 8),
        labels=("Ca1", "O1"),
        occupancies=({"Ca": 1.0}, {"O": 0.5}),
    )
