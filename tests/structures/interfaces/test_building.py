"""Whole interfaces: the two of the study below 5 %, geometry as asked for, composition kept, bad input in one line."""

from collections import Counter

import numpy as np
import pytest
from ase.build import bulk

from mlip_sse.errors import InputError
from mlip_sse.structures import crystal, lineage
from mlip_sse.structures.interfaces import InterfaceSettings, build_interfaces
from mlip_sse.structures.separation import close_pairs, shortest_distances

SMALL = {"min_width": 0.0, "max_interfaces": 1}


@pytest.fixture(scope="module")
def lithium_on_argyrodite(lithium):
    return build_interfaces(lithium, crystal("li6ps5cl"), InterfaceSettings(strained="a", max_interfaces=8))


@pytest.fixture(scope="module")
def sulfur_on_thiophosphate():
    return build_interfaces(crystal("s8"), crystal("beta_li3ps4"), InterfaceSettings(strained="a", max_interfaces=8))


@pytest.mark.parametrize("pair", ["lithium_on_argyrodite", "sulfur_on_thiophosphate"])
def test_the_interfaces_of_the_study(pair, request):
    found = request.getfixturevalue(pair)
    assert len(found) == 8
    for interface in found:
        assert interface.max_strain < 0.05
        assert len(interface.atoms) <= 350
        assert interface.n_interfaces == 2
        assert min(interface.thicknesses) > 7.0  # from atom to atom; a repeat is a spacing more
        np.testing.assert_allclose(interface.strain[1], 0.0, atol=1e-8)
        symbols = np.array(interface.atoms.get_chemical_symbols())
        assert set(symbols[interface.side == 0]) == ({"Li"} if "lithium" in pair else {"S"})
        assert interface.closest_contact > 2.0
        # Bonds of the units are as long as in the crystal; no atom of one side is bonded to the other.
        assert shortest_distances(interface.atoms, 3.0)["P", "S"] == pytest.approx(2.04, abs=0.02)
        first, second, distances = close_pairs(interface.atoms, 2.6)
        is_ps = [{symbols[i], symbols[j]} == {"P", "S"} for i, j in zip(first, second, strict=True)]
        assert sum(is_ps) == 4 * np.sum(symbols == "P")
        assert distances[is_ps].max() < 2.15
    assert [len(each.atoms) for each in found] == sorted(len(each.atoms) for each in found)


def test_geometry_is_as_asked_for(lithium_on_argyrodite):
    interface = lithium_on_argyrodite[0]
    heights, side = interface.atoms.positions[:, 2], interface.side
    assert interface.atoms.pbc.all()
    assert side.dtype == np.int8
    assert np.array_equal(interface.atoms.arrays["side"], side)
    assert np.all(np.diff(side) >= 0)
    top, bottom = heights[side == 0].max(), heights[side == 1].min()
    cell = interface.atoms.cell.array
    assert bottom - top == pytest.approx(2.5)
    assert cell[2, 2] - heights[side == 1].max() + heights[side == 0].min() == pytest.approx(2.5)
    assert cell[2, :2] == pytest.approx(0)
    assert cell[:2, 2] == pytest.approx(0)
    assert interface.area == pytest.approx(np.linalg.norm(np.cross(cell[0], cell[1])))
    for slab in (interface.slab_a, interface.slab_b):
        np.testing.assert_allclose(slab.cell.array[:2], cell[:2], atol=1e-9)
        assert slab.cell.array[2, 2] == pytest.approx(np.ptp(slab.positions[:, 2]) + 15.0)
    wide = interface.with_gap(4.0, shift=(0.25, 0.5))
    assert wide.gap_a == 4.0
    assert wide.atoms.cell.array[2, 2] == pytest.approx(cell[2, 2] + 3.0)
    moved = wide.atoms[side == 1].get_scaled_positions() - interface.atoms[side == 1].get_scaled_positions()
    np.testing.assert_allclose((moved[:, :2] - [0.25, 0.5] + 0.5) % 1.0 - 0.5, 0.0, atol=1e-9)
    assert lineage(wide.atoms) == lineage(interface.atoms)


@pytest.mark.parametrize("strained", ["a", "b", "both"])
def test_strained_bulks_have_the_strain_of_the_slabs(strained, lithium):
    """The metric of the bulk repeat's plane against that of the free one, through three lengths; the height is kept."""
    settings = InterfaceSettings((1, 1, 0), (1, 0, 0), strained=strained, **SMALL)
    (interface,) = build_interfaces(lithium, crystal("li2s"), settings)
    assert interface.max_strain > 1e-3
    for index, (free, bulk_cell) in enumerate(
        [(interface.crystal_a, interface.bulk_a), (interface.crystal_b, interface.bulk_b)]
    ):
        plane, deformed = free.cell.array[:2, :2], bulk_cell.cell.array[:2, :2]
        expected = plane @ (2 * interface.strain[index] + np.eye(2)) @ plane.T
        np.testing.assert_allclose(deformed @ deformed.T, expected, atol=1e-8)
        assert bulk_cell.cell.array[2, 2] == pytest.approx(free.cell.array[2, 2])
        np.testing.assert_allclose(bulk_cell.get_scaled_positions(), free.get_scaled_positions(), atol=1e-9)
    densities = [len(bulk_cell) / bulk_cell.cell.volume for bulk_cell in (interface.bulk_a, interface.bulk_b)]
    for density, slab, n_units in zip(
        densities, (interface.slab_a, interface.slab_b), interface.n_formula_units, strict=True
    ):
        assert n_units > 0
        assert len(slab) / (density * interface.area) >= 10.0 - 1e-6


def test_a_crystal_on_itself_is_the_crystal_without_strain():
    atoms = crystal("licl")
    settings = InterfaceSettings((1, 0, 0), (1, 0, 0), gap_a=5.12954 / 2, **SMALL)
    (interface,) = build_interfaces(atoms, atoms, settings)
    assert interface.max_strain == pytest.approx(0.0, abs=1e-9)
    assert interface.twist_deg == pytest.approx(0.0)
    assert interface.area == pytest.approx(5.12954**2 / 2)
    assert interface.atoms.get_volume() / len(interface.atoms) == pytest.approx(atoms.get_volume() / len(atoms))


def test_vacuum_leaves_one_interface_and_shows_both_faces():
    """Antiperovskite (100) ends on LiCl or on Li2O: with vacuum both meet the other side."""
    limits = {"max_strain": 0.2, "max_area": 60.0, "min_width": 0.0, "max_interfaces": 4}
    settings = InterfaceSettings((1, 0, 0), (1, 0, 0), vacuum=20.0, **limits)
    found = build_interfaces(crystal("li3ocl"), crystal("li2o"), settings)
    assert {interface.n_interfaces for interface in found} == {1}
    best = found[0]
    heights = best.atoms.positions[:, 2]
    assert best.atoms.cell.array[2, 2] - np.ptp(heights) == pytest.approx(20.0)
    met = set()
    for interface in found:
        below = interface.atoms[interface.side == 0]
        top = below.positions[:, 2] > below.positions[:, 2].max() - 0.5
        met.add("Cl" if "Cl" in np.array(below.get_chemical_symbols())[top] else "O")
    assert met == {"Cl", "O"}


def test_the_report_holds_what_was_built(lithium_on_argyrodite):
    interface = lithium_on_argyrodite[0]
    report = interface.to_dict()
    assert report["n_atoms"] == len(interface.atoms) == sum(report["n_atoms_by_side"].values())
    assert report["area_a2"] == pytest.approx(interface.area)
    assert report["max_strain"] < 0.05
    assert report["terminations"]["a"] == "Li below, Li above"
    assert report["millers"]["b"]
    counts = Counter(interface.slab_b.get_chemical_symbols())
    assert counts["P"] == report["n_formula_units"]["b"]
    assert counts["Li"] == 6 * counts["P"]
    lines = interface.summary().splitlines()
    assert len(lines) == 3
    assert f"{interface.area:.1f} Å²" in lines[0]


def test_what_cannot_be_built_is_refused_in_one_line(lithium):
    argyrodite, salt = crystal("li6ps5cl"), crystal("licl")
    cases = [
        ((lithium, salt, InterfaceSettings((1, 0, 0), (1, 1, 1))), "polar"),
        ((lithium, argyrodite, InterfaceSettings((1, 1, 1), (1, 1, 0))), r"no match within 5 % .*best has .* Å²"),
        ((lithium, argyrodite, InterfaceSettings(thickness_b=500.0)), "500 Å need .* atoms"),
        ((lithium, argyrodite, InterfaceSettings((1, 0, 0), (1, 0, 0), max_atoms=60)), "60 atoms"),
        ((bulk("Li"), "li6ps5cl", InterfaceSettings()), "side b: found a str"),
    ]
    for arguments, words in cases:
        with pytest.raises(InputError, match=words) as caught:
            build_interfaces(*arguments)
        assert "\n" not in str(caught.value)
    for wrong in ({"gap_a": 0.0}, {"vacuum": -1.0}, {"max_interfaces": 0}, {"max_strain": 0.9}, {"thickness_a": 0.0}):
        with pytest.raises(InputError):
            InterfaceSettings(**wrong)
