"""Voids and the hops between them: those that geometry fixes, and the same whatever cell they are asked in."""

import numpy as np
import pytest
from ase.build import bulk

from mlip_sse.errors import InputError
from mlip_sse.structures import crystal
from mlip_sse.structures.interstitials import interstitial_hops
from mlip_sse.structures.voids import distances_from, equivalent_points, interstitial_sites


def test_rock_salt_has_its_tetrahedral_void():
    (site,) = interstitial_sites(crystal("licl"), max_sites=3)
    a = crystal("licl").cell.lengths()[0]
    assert np.array(site.position) % 0.5 == pytest.approx([0.25] * 3)
    assert site.multiplicity == 8
    assert site.clearance == pytest.approx(np.sqrt(3) / 4 * a)


def test_close_packing_has_both_voids_the_octahedral_first():
    atoms = bulk("Ar", a=5.3, cubic=True)
    octahedral, tetrahedral = interstitial_sites(atoms, max_sites=3)
    assert (octahedral.multiplicity, tetrahedral.multiplicity) == (4, 8)
    assert octahedral.clearance == pytest.approx(5.3 / 2)
    assert tetrahedral.clearance == pytest.approx(np.sqrt(3) / 4 * 5.3)


@pytest.mark.parametrize("name", ["li3ocl", "beta_li3ps4"])
def test_no_grid_point_is_further_from_the_nuclei_than_the_widest_void(name):
    """The slow twin: the widest void by a grid of 0.25 Å."""
    atoms = crystal(name)
    (widest, *_) = interstitial_sites(atoms, max_sites=1)
    n_points = np.ceil(atoms.cell.lengths() / 0.25).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(n) / n for n in n_points), indexing="ij"), axis=-1).reshape(-1, 3)
    scaled = atoms.get_scaled_positions()
    coarse = np.array([distances_from(atoms, scaled, point).min() for point in grid[:: max(1, len(grid) // 700)]])
    assert coarse.max() <= widest.clearance + 0.05  # the mean of the corners of one void may be a little less wide
    orbit = equivalent_points(atoms, np.array(widest.position), 1e-2)
    assert len(orbit) == widest.multiplicity
    assert {round(distances_from(atoms, scaled, point).min(), 3) for point in orbit} == {round(widest.clearance, 3)}


def test_the_hops_of_rock_salt_are_those_of_a_cube_of_voids():
    """Eight voids around a lattice ion: an ion pushed to the next, across a face, or through the middle."""
    atoms = crystal("licl")
    a = atoms.cell.lengths()[0]
    hops = interstitial_hops(atoms, "Li", [(0.25, 0.25, 0.25)], reach=1.1)
    told = [(hop.mechanism, round(hop.distance / a, 4), hop.angle_deg and round(hop.angle_deg, 1)) for hop in hops]
    assert told == [
        ("direct", 0.5, None),
        ("interstitialcy", 0.5, 70.5),
        ("interstitialcy", round(np.sqrt(0.5), 4), 109.5),
        ("interstitialcy", round(np.sqrt(0.75), 4), 180.0),
    ]
    # 8 voids with 6 neighbours; 4 lattice ions with 8 · 3, 8 · 3 and 8 · 1 pairs of voids around each.
    assert [hop.n_equivalent for hop in hops] == [48, 96, 96, 32]
    assert all(hop.is_reversible and hop.are_sites_equivalent for hop in hops)
    for hop in hops[1:]:
        site = np.array(hop.origin) + hop.push_from
        away = site - atoms.positions[hop.pushed]
        assert np.linalg.solve(atoms.cell.array.T, away) % 1.0 % (1 - 1e-9) == pytest.approx([0, 0, 0], abs=1e-6)


def test_the_hops_are_the_same_in_another_cell():
    atoms = crystal("licl")
    turned = bulk("LiCl", "rocksalt", a=atoms.cell.lengths()[0])
    turned.rotate(30, (1, 2, 3), rotate_cell=True)
    turned.translate([0.3, 0.1, -0.2])
    sites = interstitial_sites(turned, max_sites=1)
    told = [
        [(hop.mechanism, round(hop.distance, 3), hop.is_reversible, hop.n_equivalent * 4 // factor) for hop in hops]
        for hops, factor in (
            (interstitial_hops(atoms, "Li", [(0.25, 0.25, 0.25)], reach=1.1), 4),
            (interstitial_hops(turned, "Li", [site.position for site in sites], reach=1.1), 1),
        )
    ]
    assert told[0] == told[1]


def test_a_hop_between_two_sorts_of_voids_has_two_ends():
    hops = interstitial_hops(crystal("li3ocl"), "Li", [(0, 0, 0.5), (0.25, 0.25, 0.25)], ["direct"])
    (other,) = {(hop.start, hop.end) for hop in hops if hop.start != hop.end}
    assert other in {(0, 1), (1, 0)}
    assert all(hop.is_reversible == hop.are_sites_equivalent for hop in hops)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mobile": "Na"}, "found no Na in"),
        ({"sites": [(0.25, 0.25, 0.25), (0.75, 0.25, 0.25)]}, "among the equivalents of another"),
        ({"max_distance": 1.0}, "found no hop of an interstitial Li, expected one: raise"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(settings, message):
    given = {"mobile": "Li", "sites": [(0.25, 0.25, 0.25)], **settings}
    with pytest.raises(InputError, match=message) as caught:
        interstitial_hops(crystal("licl"), **given)
    assert "\n" not in str(caught.value)


def test_no_void_that_wide_is_refused():
    with pytest.raises(InputError, match=r"found no void 3 Å from every nucleus \(the widest: 2.22 Å\)"):
        interstitial_sites(crystal("licl"), min_clearance=3.0)
