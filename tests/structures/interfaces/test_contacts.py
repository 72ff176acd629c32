"""The narrowest gap against a search over gaps with all distances written out."""

import numpy as np
import pytest
from ase.build import bulk

from mlip_sse.structures import crystal
from mlip_sse.structures.interfaces import slabs
from mlip_sse.structures.interfaces.contacts import contact_limits, densest_shift, narrowest_gap
from mlip_sse.structures.interfaces.interface import join


def closest_ratio(slab_a, slab_b, gap, shift, limits, vacuum):
    """Return the smallest distance across, in units of the limit of its elements, by brute force."""
    atoms = join(slab_a, slab_b, gap, vacuum, shift)
    side = atoms.arrays["side"]
    span = range(-3, 4)
    cell = atoms.cell.array
    images = np.array([i * cell[0] + j * cell[1] + k * cell[2] for i in span for j in span for k in (-1, 0, 1)])
    symbols = atoms.get_chemical_symbols()
    ratios = [
        np.linalg.norm(atoms.positions[i] - atoms.positions[j] + images, axis=1).min() / limits[symbols[i], symbols[j]]
        for i in np.flatnonzero(side == 0)
        for j in np.flatnonzero(side == 1)
    ]
    return min(ratios)


@pytest.mark.parametrize("vacuum", [None, 30.0])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.3, 0.7)])
@pytest.mark.parametrize(("name", "miller"), [("licl", (2, 1, 0)), ("beta_li3ps4", (1, 0, 0))])
def test_narrowest_gap_by_bisection(name, miller, shift, vacuum):
    atoms = crystal(name)
    slab = slabs(atoms, miller)[0].atoms
    limits = contact_limits(atoms, 0.9)
    gap = narrowest_gap(slab, slab, shift, limits, vacuum is None)
    low, high = 0.0, 6.0
    for _ in range(9):
        middle = (low + high) / 2
        if closest_ratio(slab, slab, middle, shift, limits, vacuum) < 1.0:
            low = middle
        else:
            high = middle
    assert gap == pytest.approx(high, abs=0.02) or (gap == 0.0 and high < 0.02)


def test_the_second_boundary_has_the_opposite_shift():
    """Two faces without a symmetry in common: b above a is moved one way, a above b the other way."""
    atoms = crystal("li7p3s11")
    one, other = (slab.atoms for slab in slabs(atoms, (1, 0, 0))[:2])
    limits, shift = contact_limits(atoms, 0.9), (0.3, 0.2)
    gap = narrowest_gap(one, other, shift, limits, True)
    opposite = narrowest_gap(one, other, (-0.3, -0.2), limits, True)
    assert abs(gap - opposite) > 0.05
    assert closest_ratio(one, other, gap + 0.01, shift, limits, None) >= 1.0
    assert closest_ratio(one, other, gap - 0.05, shift, limits, None) < 1.0


def test_limits_count_units_not_bonds():
    """S-S of a ring is 2.05 Å, but rings keep 3.3 Å; P-S of two units keeps the reach, the bond does not count."""
    assert contact_limits(crystal("s8"), 1.0)["S", "S"] > 3.1
    limits = contact_limits(crystal("li6ps5cl"), 1.0)
    assert limits["P", "S"] > 3.5
    assert limits["S", "P"] == limits["P", "S"]
    assert limits["P", "P"] == 4.0
    assert contact_limits(bulk("Cu", cubic=True, a=4.0), 0.9)["Cu", "Cu"] == pytest.approx(0.9 * 4.0 / np.sqrt(2))


def test_the_densest_shift_of_a_square_plane_is_its_hollow():
    slab = slabs(bulk("Cu", cubic=True, a=4.0), (1, 0, 0))[0].atoms
    limits = {("Cu", "Cu"): 2.7}
    shift, gap = densest_shift(slab, slab, limits, False, 3)
    # Half a side in both directions is as far as one can be from the four atoms of the square.
    half = np.linalg.norm(slab.cell.array[0]) / 2
    assert gap == pytest.approx(np.sqrt(2.7**2 - 2 * half**2), abs=2e-3)
    assert (
        gap
        <= min(narrowest_gap(slab, slab, (i / 20, j / 20), limits, False) for i in range(20) for j in range(20)) + 2e-3
    )
    assert 0 <= min(shift)
    assert max(shift) < 1
