"""Symmetry-distinct hops: counted on known lattices, against distances alone, and whatever the cell."""

import numpy as np
import pytest
from ase.build import bulk, make_supercell
from ase.geometry import get_distances

from mlip_sse.errors import InputError
from mlip_sse.structures import crystal, vacancy_hops
from mlip_sse.structures.hops import _edges


def kinds(atoms, mobile, **settings):
    """Return length, hops of an ion, and whether it is its own way back, for each hop."""
    n_sites = atoms.get_chemical_symbols().count(mobile)
    found = vacancy_hops(atoms, mobile, **settings)
    return [(round(hop.distance, 3), hop.n_equivalent / n_sites, hop.is_reversible) for hop in found]


def test_lattices_whose_hops_are_known():
    """Nearest neighbours: 12 in fcc and rock salt, 8 in bcc; 8 on the edges of an octahedron, in antiperovskite."""
    fcc, bcc = bulk("Cu", a=4.0), bulk("Fe", a=3.0)
    assert kinds(fcc, "Cu") == [(2.828, 12, True), (4.0, 6, True)]
    assert kinds(fcc, "Cu", max_distance=3.5) == [(2.828, 12, True)]
    assert kinds(bcc, "Fe") == [(2.598, 8, True), (3.0, 6, True)]
    assert kinds(bulk("LiCl", "rocksalt", a=5.0), "Li") == [(3.536, 12, True)]
    # Beyond the edge of the octahedron: past oxygen, where it is blocked, and through the empty face.
    assert kinds(crystal("li3ocl"), "Li")[0][1:] == (8, True)
    assert [round(hop.distance / 3.907, 2) for hop in vacancy_hops(crystal("li3ocl"), "Li")] == [0.71, 1.0]


def test_a_hop_past_a_nucleus_is_left_out():
    salt = bulk("LiCl", "rocksalt", a=5.0)
    open_, blocked = vacancy_hops(salt, "Li", min_clearance=0.0)
    assert (open_.clearance, blocked.clearance) == (pytest.approx(2.5 / np.sqrt(2)), pytest.approx(0.0, abs=1e-9))
    assert blocked.distance == pytest.approx(5.0)
    assert vacancy_hops(salt, "Li") == (open_,)


@pytest.mark.parametrize("name", ["beta_li3ps4", "li3p", "li2s", "li3ocl"])
def test_distances_alone_tell_the_same_hops_apart(name):
    """The slow twin: hops whose ends see the same distances to all other atoms are one hop."""
    atoms = crystal(name)
    around = atoms.repeat(7)
    around.positions -= 3 * atoms.cell.array.sum(axis=0)
    seen = {}
    for i, j, *shift in _edges(atoms, np.flatnonzero(atoms.symbols == "Li"), 4.5)[0].tolist():
        ends = np.array([atoms.positions[i], atoms.positions[j] + shift @ atoms.cell.array])
        near = np.linalg.norm(around.positions[:, None] - ends[None], axis=2)
        views = [
            (around.numbers * np.exp(near @ [-1.6, -1.0])).sum(),
            (around.numbers * np.exp(near @ [-1.0, -1.6])).sum(),
        ]
        key = tuple(round(float(np.log(view)), 5) for view in sorted(views))
        seen[key] = seen.get(key, 0) + 1
    found = vacancy_hops(atoms, "Li", 4.5, min_clearance=0.0)
    assert sorted(hop.n_equivalent for hop in found) == sorted(seen.values())


def test_any_cell_in_any_place_has_the_same_hops():
    atoms = crystal("beta_li3ps4")
    wanted = kinds(atoms, "Li")
    turned = atoms.copy()
    turned.rotate(50.0, (1, 2, 3), rotate_cell=True)
    turned.translate([0.3, -1.1, 0.7])
    rng = np.random.default_rng(3)
    assert kinds(turned[rng.permutation(len(turned))], "Li") == wanted
    wrapped = turned.copy()
    wrapped.wrap()
    assert kinds(wrapped, "Li") == wanted
    assert kinds(make_supercell(atoms, [[1, 0, 0], [1, 1, 0], [0, 0, 2]]), "Li") == wanted


def test_ends_are_sites_and_the_flags_are_those_of_the_crystal():
    atoms = crystal("beta_li3ps4")
    for hop in vacancy_hops(atoms, "Li"):
        target = atoms.positions[hop.start] + hop.vector
        assert get_distances(target, atoms.positions[hop.end], atoms.cell, atoms.pbc)[1] == pytest.approx(0, abs=1e-9)
        assert hop.are_sites_equivalent or not hop.is_reversible
    assert {hop.are_sites_equivalent for hop in vacancy_hops(atoms, "Li")} == {True, False}


def test_a_lower_symmetry_has_more_hops():
    atoms = bulk("Cu", a=4.0, cubic=True)
    atoms.set_cell(atoms.cell.array * [[1], [1], [1.1]], scale_atoms=True)
    assert [hop.n_equivalent for hop in vacancy_hops(atoms, "Cu", 3.2)] == [16, 32]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Na",), "found no Na in ClLi, expected the element that hops"),
        (("Li", 1.0), "found no hop up to 1 Å, expected one: raise max_distance"),
    ],
)
def test_what_has_no_hops_is_said(arguments, message):
    with pytest.raises(InputError, match=message):
        vacancy_hops(bulk("LiCl", "rocksalt", a=5.0), *arguments)
    slab = bulk("Cu", a=4.0)
    slab.pbc = (True, True, False)
    with pytest.raises(InputError, match="expected three periodic directions"):
        vacancy_hops(slab, "Cu")
