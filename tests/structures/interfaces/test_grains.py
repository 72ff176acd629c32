"""Grain boundaries: the lattice of coincidence by counting, density, contacts, composition, refusals."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
from ase.build import bulk, make_supercell

from mlip_sse.errors import InputError
from mlip_sse.structures import crystal
from mlip_sse.structures.interfaces import GrainBoundarySettings, grain_boundaries, slabs
from mlip_sse.structures.interfaces.coincidence import coincidence_match, coincidence_rotations
from mlip_sse.structures.separation import close_pairs

# The smallest angles of cubic coincidence lattices about three axes, in degrees (H. Grimmer, W. Bollmann,
# D. H. Warrington, Acta Crystallogr. A 30, 197 (1974)).
KNOWN = [
    ((0, 0, 1), 5, 36.87),
    ((0, 0, 1), 13, 22.62),
    ((0, 0, 1), 17, 28.07),
    ((1, 1, 1), 3, 60.0),
    ((1, 1, 1), 7, 38.21),
    ((1, 1, 0), 3, 70.53),
    ((1, 1, 0), 9, 38.94),
    ((1, 1, 0), 11, 50.48),
]


@pytest.mark.parametrize(("axis", "sigma", "angle_deg"), KNOWN)
def test_rotations_by_counting_coincident_points(axis, sigma, angle_deg):
    """One lattice point in sigma stays on a lattice point; the rotation is one, about the axis, by the angle."""
    rotations = coincidence_rotations(axis, sigma)
    assert np.degrees(rotations[0][1]) == pytest.approx(angle_deg, abs=0.01)
    points = np.array(list(product(range(-sigma, sigma), repeat=3)))  # whole periods of the coincidence lattice
    for whole, angle in rotations:
        rotation = whole / sigma
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
        np.testing.assert_allclose(rotation @ axis, axis, atol=1e-12)
        assert np.trace(rotation) == pytest.approx(1 + 2 * np.cos(angle))
        turned = points @ rotation.T
        shared = np.all(np.abs(turned - np.rint(turned)) < 1e-6, axis=1)
        assert shared.sum() * sigma == len(points)


@pytest.fixture(scope="module")
def copper():
    return bulk("Cu", "fcc", a=3.6, cubic=True)


def test_sigma_5_of_fcc(copper):
    """(210) tilt of 53.13°: area a² √5, one mirror plane between the grains, no close contact, nearly as dense."""
    boundary = grain_boundaries(copper, GrainBoundarySettings(plane=(2, 1, 0), sigma=5))[0]
    assert (boundary.sigma, boundary.kind, boundary.plane) == (5, "symmetric tilt", (2, 1, 0))
    assert boundary.angle_deg == pytest.approx(53.130, abs=1e-3)
    # The plane's cell of fcc: a along the axis, a √5 / 2 across.
    assert boundary.interface.area == pytest.approx(3.6**2 * np.sqrt(5) / 2)
    assert boundary.interface.max_strain == pytest.approx(0.0, abs=1e-9)
    atoms = boundary.atoms
    nearest = 3.6 / np.sqrt(2)
    assert close_pairs(atoms, 4.0)[2].min() >= 0.9 * nearest - 1e-6
    height = atoms.cell.array[2, 2]
    crystal_height = len(atoms) * 3.6**3 / 4 / boundary.interface.area
    assert boundary.excess_volume_a == pytest.approx((height - crystal_height) / 2, abs=1e-9)
    assert 0 <= boundary.excess_volume_a < 0.6
    assert 0.9 < crystal_height / height <= 1.0
    # Each grain is fcc of the right orientation: 12 neighbours in the middle, and planes a / √20 apart.
    for side in (0, 1):
        heights = np.unique(np.round(atoms.positions[boundary.interface.side == side][:, 2], 6))
        np.testing.assert_allclose(np.diff(heights), 3.6 / np.sqrt(20), atol=1e-5)
    middle = int(np.argmin(np.abs(atoms.positions[:, 2] - atoms.positions[boundary.interface.side == 0][:, 2].mean())))
    first, second, distances = close_pairs(atoms.repeat((3, 3, 1)), 1.05 * nearest)
    assert np.sum((first == middle) | (second == middle)) == 12
    np.testing.assert_allclose(distances[(first == middle) | (second == middle)], nearest, atol=1e-9)


def test_both_planes_of_the_coincidence_cell_are_brought_there_unstrained(copper):
    rotation = coincidence_rotations((0, 0, 1), 13)[0][0] / 13
    lower = slabs(copper, (0, 0, 1))[0]
    for upper in (lower, slabs(copper, (0, 0, -1))[0].flipped()):
        match = coincidence_match(lower, upper, rotation, 0.0, 1000)
        for slab, supercell, deformation in (
            (lower, match.supercell_a, match.deformation_a),
            (upper, match.supercell_b, match.deformation_b),
        ):
            np.testing.assert_allclose(supercell @ slab.plane @ deformation, match.cell, atol=1e-8)
            np.testing.assert_allclose(deformation @ deformation.T, np.eye(2), atol=1e-9)
        assert match.area == pytest.approx(13 * lower.area)


def test_grains_are_turned_by_the_rotation(copper):
    """The upper grain's nearest neighbours are the lower one's, turned by the angle about the axis."""
    boundary = grain_boundaries(copper, GrainBoundarySettings(plane=(2, 1, 0), sigma=5, min_thickness=14.0))[0]
    bonds = []
    for slab in (boundary.interface.slab_a, boundary.interface.slab_b):
        middle = int(np.argmin(np.abs(slab.positions[:, 2] - np.ptp(slab.positions[:, 2]) / 2)))
        cell = slab.cell.array
        images = np.array([i * cell[0] + j * cell[1] for i in range(-3, 4) for j in range(-3, 4)])
        vectors = (slab.positions[:, None] - slab.positions[middle] + images).reshape(-1, 3)
        lengths = np.linalg.norm(vectors, axis=1)
        bonds.append(vectors[(lengths > 0.1) & (lengths < 2.7)])
        assert len(bonds[-1]) == 12
    # About the tilt axis, which lies in the plane: the shortest vector of the cell is along it.
    axis = boundary.interface.slab_a.cell.array[0] / np.linalg.norm(boundary.interface.slab_a.cell.array[0])
    angles = []
    for sign in (1, -1):
        angle = sign * np.radians(boundary.angle_deg)
        cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
        turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
        turned = bonds[0] @ turn.T
        angles.append(np.linalg.norm(turned[:, None] - bonds[1][None], axis=2).min(axis=1).max())
    assert min(angles) < 1e-6


@pytest.mark.parametrize(
    ("name", "settings", "kind", "n_formula_units"),
    [
        ("licl", {"plane": (2, 1, 0)}, "symmetric tilt", 20),
        ("licl", {"plane": (0, 0, 1)}, "twist", 40),
        ("li2s", {"plane": (1, 1, 1), "axis": (1, 1, 1), "sigma": 3}, "twist", 12),  # layers come in threes
        ("li", {"plane": (1, 1, 2), "axis": (1, -1, 0), "sigma": 3}, "symmetric tilt", 24),
        ("li3ocl", {"plane": (2, 1, 0)}, "symmetric tilt", 20),
    ],
)
def test_compounds_stay_stoichiometric_and_apart(name, settings, kind, n_formula_units):
    atoms = crystal(name)
    boundary = grain_boundaries(atoms, GrainBoundarySettings(**settings))[0]
    whole, made = Counter(atoms.get_chemical_symbols()), Counter(boundary.atoms.get_chemical_symbols())
    n_units = np.gcd.reduce(list(whole.values()))
    assert {element: number // n_units * n_formula_units for element, number in whole.items()} == dict(made)
    assert boundary.kind == kind
    assert sum(boundary.interface.n_formula_units) == n_formula_units
    shortest = {}
    for i, j, distance in zip(*close_pairs(atoms, 4.0), strict=True):
        pair = tuple(sorted((atoms.symbols[i], atoms.symbols[j])))
        shortest[pair] = min(shortest.get(pair, np.inf), distance)
    for i, j, distance in zip(*close_pairs(boundary.atoms, 3.6), strict=True):
        pair = tuple(sorted((boundary.atoms.symbols[i], boundary.atoms.symbols[j])))
        assert distance >= 0.9 * shortest.get(pair, 4.0) - 1e-6, pair
    assert 0 <= boundary.excess_volume_a < 1.5


@pytest.mark.parametrize("plane", [(1, 0, 0), (2, 1, 0), (1, 1, 0)])
def test_without_rotation_the_crystal_comes_back(salt, plane):
    boundary = grain_boundaries(salt, GrainBoundarySettings(plane=plane, sigma=1, min_contact=0.999))[0]
    assert boundary.kind == "single crystal"
    assert boundary.excess_volume_a == pytest.approx(0.0, abs=1e-2)
    first, _, distances = close_pairs(boundary.atoms, 1.1 * 5.12954 / 2)
    assert len(first) == 3 * len(boundary.atoms)  # six neighbours each
    np.testing.assert_allclose(distances, 5.12954 / 2, atol=1e-2)


def test_the_twin_of_fcc_has_no_excess_volume(copper):
    boundary = grain_boundaries(copper, GrainBoundarySettings(plane=(1, 1, 1), axis=(1, -1, 0), sigma=3))[0]
    assert boundary.kind == "symmetric tilt"
    assert boundary.excess_volume_a == pytest.approx(0.0, abs=1e-3)
    assert boundary.interface.closest_contact == pytest.approx(3.6 / np.sqrt(2), abs=2e-2)


def test_report_and_vacuum(copper):
    settings = GrainBoundarySettings(plane=(3, 1, 0), vacuum=12.0, min_width=7.0)
    boundary = grain_boundaries(copper, settings)[0]
    assert boundary.interface.n_interfaces == 1
    assert boundary.atoms.cell.array[2, 2] - np.ptp(boundary.atoms.positions[:, 2]) == pytest.approx(12.0)
    assert boundary.to_dict()["sigma"] == 5
    assert boundary.to_dict()["n_atoms"] == len(boundary.atoms)
    assert boundary.summary().startswith("Sigma 5 symmetric tilt, (3 1 0) on (3 -1 0), 36.87°")
    cell = boundary.atoms.cell.array
    assert boundary.interface.area / np.linalg.norm(cell[:2], axis=1).max() >= 7.0


def test_what_is_no_boundary_is_refused_in_one_line(copper, salt):
    cases = [
        (copper, {"sigma": 7}, r"no rotation about \[0 0 1\] has sigma 7, expected one of 5, 13"),
        (salt, {"plane": (1, 1, 1), "axis": (1, 1, 1), "sigma": 3}, "polar"),
        (crystal("li3p"), {}, "conventional cell of a cubic"),
        (make_supercell(copper, np.diag([1, 1, 2])), {}, "conventional cell of a cubic"),
        (copper, {"gap_a": 0.2}, "closer than 0.9"),
        (copper, {"max_atoms": 20}, "at most 20"),
    ]
    for atoms, settings, words in cases:
        with pytest.raises(InputError, match=words) as caught:
            grain_boundaries(atoms, GrainBoundarySettings(**settings))
        assert "\n" not in str(caught.value)
    for wrong in ({"sigma": 4}, {"plane": (0, 0, 0)}, {"axis": (1, 0)}, {"min_contact": 2.0}, {"n_shifts": 0}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            GrainBoundarySettings(**wrong)
