"""Radial and angular functions: against their sums written out, an analytic case, dscribe, and what changes nothing."""

import numpy as np
import pytest

from mlip_sse.analysis.structure.exponentials import cosine_cutoff, negative_exponential
from mlip_sse.analysis.structure.symmetry_functions import (
    AngularTerms,
    angular_functions,
    angular_names,
    radial_functions,
    radial_names,
)
from mlip_sse.errors import InputError

SLANTED = np.array([[6.0, 0.0, 0.0], [2.1, 5.4, 0.0], [-1.7, 1.2, 5.9]])
MU, WIDTHS = np.array([1.5, 2.5, 3.5]), np.array([0.3, 0.5, 0.8])
TERMS = AngularTerms.of_all([2.0, 4.0], [-1, 1], [1, 2, 3, 4])
CUTOFF = 4.0  # beyond half of the cell: images of an atom are its neighbours


def scattered(n_atoms, seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 2, (n_atoms, 3)) @ SLANTED, rng.integers(0, 3, n_atoms)


def around(i, positions, cell):
    """Vectors to all images of all atoms within the cutoff, and whose they are."""
    fractions = np.linalg.solve(cell.T, positions.T).T % 1.0
    shifts = np.array(list(np.ndindex(7, 7, 7))) - 3
    vectors = ((fractions - fractions[i])[:, None] + shifts) @ cell
    distances = np.linalg.norm(vectors, axis=-1)
    near = (distances < CUTOFF) & (distances > 1e-9)
    return vectors[near], np.nonzero(near)[0]


def slow_radial(i, positions, cell, kinds, smooth):
    out = np.zeros((3, len(MU)))
    for vector, j in zip(*around(i, positions, cell), strict=True):
        r = np.linalg.norm(vector)
        weight = 0.5 * (np.cos(np.pi * r / CUTOFF) + 1) if smooth else 1.0
        out[kinds[j]] += weight * np.exp(-((r - MU) ** 2) / (2 * WIDTHS**2))
    return out.ravel()


def slow_angular(i, positions, cell, kinds, smooth):
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    out = np.zeros((len(pairs), len(TERMS)))
    vectors, owners = around(i, positions, cell)

    def f(r):
        return 0.5 * (np.cos(np.pi * r / CUTOFF) + 1) * (r < CUTOFF) if smooth else 1.0

    for k in range(len(vectors)):
        for j in range(k):
            r, s = np.linalg.norm(vectors[k]), np.linalg.norm(vectors[j])
            t = np.linalg.norm(vectors[k] - vectors[j])
            cosine = vectors[k] @ vectors[j] / (r * s)
            value = (1 + TERMS.signs * cosine) ** TERMS.sharpness * np.exp(-(r * r + s * s + t * t) / TERMS.ranges**2)
            value *= f(r) * f(s) * f(t) * (2.0 ** (1 - TERMS.sharpness) if smooth else 1.0)
            out[pairs.index(tuple(sorted((kinds[owners[k]], kinds[owners[j]]))))] += value
    return out.ravel()


@pytest.mark.parametrize("smooth", [True, False])
def test_they_are_the_sums_over_neighbours_and_images_in_a_slanted_cell(smooth):
    positions, kinds = scattered(9, 1)
    centres = np.array([0, 3, 8])
    radial = radial_functions(positions, SLANTED, kinds, centres, MU, WIDTHS, CUTOFF, smooth=smooth, n_kinds=3)
    angular = angular_functions(positions, SLANTED, kinds, centres, TERMS, CUTOFF, smooth=smooth, n_kinds=3)
    for row, i in enumerate(centres):
        np.testing.assert_allclose(radial[row], slow_radial(i, positions, SLANTED, kinds, smooth), rtol=1e-11)
        wanted = slow_angular(i, positions, SLANTED, kinds, smooth)
        np.testing.assert_allclose(angular[row], wanted, rtol=1e-10, atol=1e-14)


def test_two_neighbours_at_a_right_angle():
    """Distances 2 and 3, 90°: G = exp(−(r − μ)²/2L²) each, Ψ = exp(−(4 + 9 + 13)/ξ²) of the mixed pair alone."""
    positions = np.array([[5.0, 5, 5], [7, 5, 5], [5, 8, 5]])
    kinds, cell = np.array([0, 0, 1]), 20 * np.eye(3)
    radial = radial_functions(positions, cell, kinds, [0], [2.2], 0.4, 4.0)
    np.testing.assert_allclose(radial, [[np.exp(-0.125), np.exp(-2.0)]], rtol=1e-14)
    angular = angular_functions(positions, cell, kinds, [0], AngularTerms([5.0], [1.0], [2.5]), 4.0)
    np.testing.assert_allclose(angular, [[0, np.exp(-26 / 25), 0]], rtol=1e-14)
    # the third side, √13 Å, is beyond the cutoff of 3.5 Å: it counts in Ψ and not in G⁴
    assert angular_functions(positions, cell, kinds, [0], TERMS, 3.5, smooth=True).max() < 1e-30
    assert angular_functions(positions, cell, kinds, [0], TERMS, 3.5)[0, len(TERMS)] > 1e-3


def test_rotation_wrapping_and_order_of_atoms_change_nothing():
    rng = np.random.default_rng(3)
    positions, kinds = scattered(12, 2)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    order = rng.permutation(12)
    moved = (positions + rng.integers(-2, 3, (12, 3)) @ SLANTED + 0.41)[order] @ turn
    place = np.argsort(order)[[1, 5]]
    for function, what in ((radial_functions, (MU, 0.4)), (angular_functions, (TERMS,))):
        before = function(positions, SLANTED, kinds, np.array([1, 5]), *what, CUTOFF)
        after = function(moved, SLANTED @ turn, kinds[order], place, *what, CUTOFF)
        np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-14)


def test_smooth_functions_do_not_jump_at_the_cutoff():
    cell, kinds, terms = 20 * np.eye(3), np.zeros(3, dtype=int), AngularTerms([6.0], [1.0], [1.0])
    values = []
    for r in (3.9999, 4.0001):
        positions = np.array([[0, 0, 0], [2.0, 0, 0], [0, 0, r]])
        radial = radial_functions(positions, cell, kinds, [0], [3.0], 1.0, 4.0, smooth=True)
        angular = angular_functions(positions, cell, kinds, [0], terms, 4.0, smooth=True)
        values.append(np.concatenate([radial[0], angular[0]]))
    np.testing.assert_allclose(values[0], values[1], atol=1e-7)
    assert values[0][0] > 0.1


def test_names_stand_in_the_order_of_the_columns():
    positions, kinds = scattered(9, 4)
    species = ["Li", "P", "S"]
    radial = radial_functions(positions, SLANTED, kinds, [0], MU, 0.4, CUTOFF, n_kinds=3)
    assert radial.shape[1] == len(radial_names(species, MU))
    assert radial_names(species, MU)[:4] == ["Li 1.5", "Li 2.5", "Li 3.5", "P 1.5"]
    angular = angular_functions(positions, SLANTED, kinds, [0], TERMS, CUTOFF, n_kinds=3)
    names = angular_names(species, TERMS)
    assert angular.shape[1] == len(names)
    assert names[0] == "Li-Li ξ2 λ-1 ζ1"
    assert names[3 * len(TERMS)] == "P-P ξ2 λ-1 ζ1"


def test_polynomials_are_as_exact_as_they_say():
    x = np.linspace(0, 50, 801)
    found = np.array([negative_exponential(each) for each in x])
    np.testing.assert_allclose(found, np.exp(-x), rtol=3e-14)
    assert negative_exponential(1e9) < 1e-300
    r = np.linspace(0, 1.1, 221)
    wanted = np.where(r < 1, 0.5 * (np.cos(np.pi * r) + 1), 0)
    np.testing.assert_allclose([cosine_cutoff(each * each) for each in r], wanted, atol=5e-16)


def test_what_makes_no_sense_is_refused():
    positions, kinds = scattered(4, 5)
    with pytest.raises(InputError, match=r"a width of -0.1 Å and a cutoff of 4 Å"):
        radial_functions(positions, SLANTED, kinds, [0], MU, -0.1, CUTOFF)
    with pytest.raises(InputError, match=r"kinds has shape \(3,\), expected \(4,\)"):
        radial_functions(positions, SLANTED, kinds[:3], [0], MU, 0.1, CUTOFF)
    with pytest.raises(InputError, match=r"kinds run from 0 to 5, expected 0 to 2"):
        angular_functions(positions, SLANTED, np.array([0, 1, 5, 2]), [0], TERMS, CUTOFF, n_kinds=3)
    with pytest.raises(InputError, match="λ 2, ζ 1, expected ξ > 0"):
        AngularTerms([1.0], [2.0], [1.0])


@pytest.mark.slow
def test_dscribe_says_the_same():
    descriptors = pytest.importorskip("dscribe.descriptors")
    from ase import Atoms

    positions, _ = scattered(9, 6)
    atoms = Atoms("Li4S5", positions=positions, cell=SLANTED, pbc=True)
    atoms.wrap()  # it takes atoms outside of the cell for no neighbours
    eta = 1 / (2 * 0.4**2)
    other = descriptors.ACSF(
        species=["Li", "S"],
        r_cut=CUTOFF,
        g2_params=[[eta, mu] for mu in MU],
        g4_params=[[0.05, zeta, sign] for sign in (-1, 1) for zeta in (1, 3)],
        periodic=True,
    ).create(atoms)
    kinds = np.array([0] * 4 + [1] * 5)
    radial = radial_functions(positions, SLANTED, kinds, np.arange(9), MU, 0.4, CUTOFF, smooth=True)
    terms = AngularTerms.of_all([0.05**-0.5], [-1, 1], [1, 3])
    angular = angular_functions(positions, SLANTED, kinds, np.arange(9), terms, CUTOFF, smooth=True)
    np.testing.assert_allclose(other[:, [1, 2, 3, 5, 6, 7]], radial, rtol=1e-9)  # 0 and 4 are its sums of cutoffs
    np.testing.assert_allclose(other[:, 8:], angular, rtol=1e-9, atol=1e-14)
