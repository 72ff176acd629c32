"""Crystals and measures that the tests of interfaces share."""

import numpy as np
import pytest
from ase.build import bulk
from ase.neighborlist import neighbor_list

from mlip_sse.structures import crystal


@pytest.fixture(scope="session")
def lithium():
    """Return bcc lithium as potentials relax it."""
    return bulk("Li", "bcc", a=3.44, cubic=True)


@pytest.fixture(scope="session")
def salt():
    """Return LiCl in its conventional cell."""
    return crystal("licl")


@pytest.fixture(scope="session")
def fingerprint():
    """Return a function that tells arrangements apart: how many pairs of each two elements are near, and how far.

    Distances go in as sums of powers, which, unlike a sorted list, rounding does not tear apart.
    """

    def measure(atoms, cutoff=7.0):
        first, second, distances = neighbor_list("ijd", atoms, cutoff)
        pairs = np.sort(np.stack([atoms.numbers[first], atoms.numbers[second]]), axis=0)
        kinds = np.unique(pairs.T, axis=0)
        return tuple(
            (*kind, int(chosen.sum()), *(round(float(np.sum(distances[chosen] ** power)), 1) for power in (1, 2, 3)))
            for kind in kinds.tolist()
            if (chosen := np.all(pairs.T == kind, axis=1)).any()
        )

    return measure
