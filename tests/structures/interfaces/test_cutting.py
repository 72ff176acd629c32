"""Slabs: stoichiometric, non-polar, units whole, the bulk in their middle; distinct ones each once."""

from collections import Counter

import numpy as np
import pytest
from ase.build import bulk, make_supercell
from ase.neighborlist import neighbor_list

from mlip_sse.errors import InputError
from mlip_sse.structures import crystal
from mlip_sse.structures.interfaces import SlabSettings, low_index_planes, slabs
from mlip_sse.structures.interfaces.covalent_units import formal_charges, unit_labels, whole_heights
from mlip_sse.structures.interfaces.lattice_planes import orient
from mlip_sse.structures.interfaces.terminations import Repeat, distinct_cuts, layers_of, possible_cuts

CASES = [
    ("li6ps5cl", (1, 0, 0)),
    ("li6ps5cl", (1, 1, 0)),
    ("beta_li3ps4", (0, 1, 0)),
    ("beta_li3ps4", (0, 1, 1)),
    ("s8", (0, 0, 1)),
    ("li7p3s11", (1, 0, -1)),
    ("li2s", (1, 0, 0)),
    ("gamma_li3ps4", (1, 0, 1)),
]


@pytest.mark.parametrize(("name", "miller"), CASES)
def test_composition_and_dipole_by_hand(name, miller):
    atoms = crystal(name)
    charges = formal_charges(atoms, None, name)
    whole = Counter(atoms.get_chemical_symbols())
    for slab in slabs(atoms, miller):
        made = Counter(slab.atoms.get_chemical_symbols())
        assert {element: made[element] * len(atoms) for element in whole} == {
            element: whole[element] * len(slab.atoms) for element in whole
        }
        per_atom = np.array([charges[symbol] for symbol in slab.atoms.get_chemical_symbols()])
        assert per_atom.sum() == pytest.approx(0, abs=1e-9)
        dipole = per_atom @ slab.atoms.positions[:, 2] / slab.area
        assert dipole == pytest.approx(slab.dipole_e_a, abs=1e-9)
        assert abs(dipole) <= 1e-3 * slab.thickness + 1e-9
        assert slab.atoms.get_volume() > 0
        assert slab.atoms.positions[:, 2].min() == pytest.approx(0, abs=1e-9)
        assert slab.thickness >= 10.0


@pytest.mark.parametrize(("name", "miller"), CASES)
def test_units_stay_whole_and_the_middle_is_the_crystal(name, miller):
    """Every bonded pair of the crystal is in the slab; atoms 6 Å below both faces see what they see in the crystal."""
    atoms = crystal(name)
    _, first, _, _ = unit_labels(atoms)
    slab = slabs(atoms, miller, SlabSettings(min_thickness=20.0, max_slabs=1))[0]
    _, first_in_slab, _, _ = unit_labels(slab.atoms)
    assert len(first_in_slab) * len(atoms) == len(first) * len(slab.atoms)
    heights = slab.atoms.positions[:, 2]
    inner = np.flatnonzero((heights > 6.0) & (heights < heights.max() - 6.0))
    assert len(inner)
    seen, around = _surroundings(atoms), _surroundings(slab.atoms)
    for index in inner:
        element = slab.atoms.symbols[index]
        assert any(
            len(other) == len(around[index]) and np.allclose(other, around[index], atol=2e-2)
            for other in (seen[k] for k in np.flatnonzero(atoms.symbols == element))
        ), f"{element} at {heights[index]:.1f} Å"


def _surroundings(atoms, cutoff=4.0):
    first, distances = neighbor_list("id", atoms, cutoff)
    return [np.sort(distances[first == index]) for index in range(len(atoms))]


def test_known_faces():
    """Rock salt (100) and (110) are neutral planes; antifluorite (111) ends on Li on both sides; bcc has one each."""
    salt = crystal("licl")
    assert [len(slabs(salt, miller)) for miller in ((1, 0, 0), (1, 1, 0))] == [1, 1]
    (face,) = slabs(crystal("li2s"), (1, 1, 1))
    assert (face.termination, face.is_symmetric, face.n_moved) == ("Li below, Li above", True, 0)
    lithium = bulk("Li", cubic=True, a=3.44)
    for miller, area in (((1, 0, 0), 1.0), ((1, 1, 0), 1 / np.sqrt(2)), ((1, 1, 1), np.sqrt(3))):
        (slab,) = slabs(lithium, miller)
        assert slab.is_symmetric
        assert slab.area == pytest.approx(area * 3.44**2)
    (layered,) = slabs(crystal("black_p"), (0, 1, 0))
    assert layered.termination == "P4 below, P4 above"


def test_polar_rock_salt_is_refused_with_its_dipole(salt):
    """Planes of charge ±1 at half the spacing: P = ½ e per (a²√3/4)."""
    with pytest.raises(InputError, match=r"polar.*take another plane") as caught:
        slabs(salt, (1, 1, 1))
    expected = 0.5 / (salt.cell.lengths()[0] ** 2 * np.sqrt(3) / 4)
    assert f"{expected:.4f} e/Å²" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="polar"):
        slabs(make_supercell(salt, np.diag([2, 2, 1])), (2, 2, 1))
    assert len(slabs(salt, (1, 1, 1), SlabSettings(max_polarization=0.1))) == 1


def test_a_shared_layer_mends_a_polar_plane():
    """Li2S (100): planes of S and of two Li; one of the two has to go to the other side."""
    shared, *_ = slabs(crystal("li2s"), (1, 0, 0))
    assert shared.n_moved == 1
    assert shared.is_symmetric
    assert "shared" in shared.termination
    with pytest.raises(InputError, match="polar"):
        slabs(crystal("li2s"), (1, 0, 0), SlabSettings(share_layers=False))


@pytest.mark.parametrize(("name", "miller"), CASES)
def test_distinct_cuts_against_distances_alone(name, miller, fingerprint):
    """The slow twin: build the slab of every cut, tell them apart by all their distances."""
    atoms = crystal(name)
    oriented = orient(atoms, miller)
    repeat = _repeat(oriented, atoms, name)
    cuts = [cut for cut in possible_cuts(repeat, 0.1, True, 1e-3) if abs(cut.polarization) <= 1e-3]
    kept = distinct_cuts(repeat, cuts, 1e-2)
    prints = {fingerprint(_stack(repeat, cut.starts)) for cut in cuts}
    assert len(kept) == len(prints)
    assert {fingerprint(_stack(repeat, cut.starts)) for cut in kept} == prints


def _repeat(oriented, atoms, name):
    labels, heights, centres = whole_heights(oriented.atoms, True, name)
    charges = formal_charges(atoms, None, name)
    return Repeat(
        oriented.atoms,
        labels,
        heights,
        centres,
        np.array([charges[symbol] for symbol in oriented.atoms.get_chemical_symbols()]),
    )


def _stack(repeat, starts, n_repeats=2):
    scaled = repeat.atoms.get_scaled_positions()
    levels = repeat.heights + starts[repeat.labels]
    stacked = np.concatenate([np.column_stack([scaled[:, :2], levels + k]) for k in range(n_repeats)])
    slab = repeat.atoms.repeat((1, 1, n_repeats))
    slab.numbers = np.tile(repeat.atoms.numbers, n_repeats)
    slab.positions = stacked @ repeat.atoms.cell.array
    slab.pbc = (True, True, False)
    return slab


@pytest.mark.parametrize(("name", "miller"), [("li6ps5cl", (1, 1, 0)), ("beta_li3ps4", (0, 0, 1)), ("s8", (0, 0, 1))])
def test_cell_order_and_rotation_do_not_matter(name, miller, fingerprint):
    atoms = crystal(name)
    matrix = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 2]])
    other = make_supercell(atoms, matrix)
    other.info = {}
    other = other[np.random.default_rng(7).permutation(len(other))]
    other.rotate(51.0, (3, 1, 2), rotate_cell=True)
    found = slabs(atoms, miller)
    again = slabs(other, matrix @ np.array(miller))
    key = [(slab.is_symmetric, slab.n_moved, len(slab.atoms)) for slab in found]
    assert key == [(slab.is_symmetric, slab.n_moved, len(slab.atoms)) for slab in again]
    assert {fingerprint(slab.atoms) for slab in found} == {fingerprint(slab.atoms) for slab in again}


def test_upside_down_is_the_same_slab_with_its_faces_exchanged(fingerprint):
    slab = next(slab for slab in slabs(crystal("li3ocl"), (1, 0, 0)) if not slab.is_symmetric)
    flipped = slab.flipped()
    assert slab.termination == "Cl + Li below, 2 Li + O above"
    assert flipped.termination == "2 Li + O below, Cl + Li above"
    assert fingerprint(flipped.atoms) == fingerprint(slab.atoms)
    assert fingerprint(flipped.bulk) == fingerprint(slab.bulk)
    assert "Cl" in slab.atoms.symbols[slab.atoms.positions[:, 2] < 0.5]
    assert "O" in flipped.atoms.symbols[flipped.atoms.positions[:, 2] < 0.5]
    assert np.linalg.det(flipped.rotation) == pytest.approx(1)
    assert fingerprint(flipped.flipped().atoms) == fingerprint(slab.atoms)


def test_upside_down_the_dipole_points_the_other_way():
    """gamma-Li3PS4 has a polar axis: what is left of the dipole, below the limit, changes its sign."""
    atoms = crystal("gamma_li3ps4")
    charges = formal_charges(atoms, None, "gamma")
    slab = slabs(atoms, (1, 0, 1))[0].flipped()
    per_atom = np.array([charges[symbol] for symbol in slab.atoms.get_chemical_symbols()])
    assert abs(slab.dipole_e_a) > 1e-3
    assert per_atom @ slab.atoms.positions[:, 2] / slab.area == pytest.approx(slab.dipole_e_a, abs=1e-9)


def test_covalent_networks_are_cut_only_where_asked():
    with pytest.raises(InputError, match="P-P bonds run through"):
        slabs(crystal("black_p"), (1, 0, 0))
    assert slabs(crystal("black_p"), (1, 0, 0), SlabSettings(keep_units=False))


def test_units_are_found():
    for name, sizes in (
        ("li6ps5cl", {1: 32, 5: 4}),
        ("s8", {8: 16}),
        ("li7p3s11", {1: 14, 9: 2, 5: 2}),
        ("p2s5", {14: 2}),
        ("licl", {1: 8}),
    ):
        labels, *_ = unit_labels(crystal(name))
        assert Counter(Counter(labels.tolist()).values()) == sizes, name


def test_layers_go_around_the_end_of_the_repeat():
    layers = layers_of(np.array([0.005, 0.995, 0.5, 0.31, 0.3]), 10.0, 0.15)
    assert [sorted(layer.tolist()) for layer in layers] == [[0, 1], [3, 4], [2]]


def test_formal_charges_are_those_of_the_crystal_or_given():
    lithium_phosphide = crystal("li3p")
    assert formal_charges(lithium_phosphide, None, "x") == {"Li": 1.0, "P": -3.0}
    lithium_phosphide.info = {}
    with pytest.raises(InputError, match="add up to"):
        slabs(lithium_phosphide, (0, 0, 1))
    assert slabs(lithium_phosphide, (0, 0, 1), SlabSettings(oxidation_states={"Li": 1, "P": -3}))
    with pytest.raises(InputError, match="no oxidation state for Cu, Ni"):
        slabs(bulk("NiCu", "rocksalt", a=4.2), (1, 0, 0))


def test_too_many_atoms_and_bad_settings_are_refused():
    with pytest.raises(InputError, match=r"100 Å need .* atoms.*thinner"):
        slabs(crystal("li6ps5cl"), (1, 0, 0), SlabSettings(min_thickness=100.0, max_atoms=50))
    for wrong in ({"min_thickness": -1}, {"vacuum": -1}, {"max_atoms": 0}, {"layer_tolerance": float("nan")}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            SlabSettings(**wrong)


def test_every_plane_of_the_shipped_electrolyte_has_a_slab_or_one_line():
    for plane in low_index_planes(crystal("li3ocl")):
        for slab in slabs(crystal("li3ocl"), plane):
            assert set(slab.to_dict()) >= {"termination", "area_a2", "n_atoms", "miller"}
            assert "\n" not in slab.summary()
