"""g(r): against all images summed one by one, an ideal gas, a lattice, and what must not change it."""

import numpy as np
import pytest
from ase.build import bulk

from mlip_sse.analysis.structure.rdf import PairCounter, cell_widths, peak_position, radial_distributions
from mlip_sse.errors import InputError

SLANTED = np.array([[9.0, 0.0, 0.0], [3.1, 8.4, 0.0], [-2.7, 2.2, 8.9]])


def scattered(n_frames, n_atoms, cell, seed):
    fractions = np.random.default_rng(seed).uniform(-1, 2, (n_frames, n_atoms, 3))
    return [(each @ cell, cell) for each in fractions]


def slow(species, frames, r_max, n_bins):
    """Sum over the 27 images nearest to each pair, as the definition says."""
    kinds = sorted(set(species))
    edges = np.linspace(0, r_max, n_bins + 1)
    found = {}
    for a, first in enumerate(kinds):
        for second in kinds[a:]:
            g = np.zeros(n_bins)
            mine = [i for i, s in enumerate(species) if s == first]
            others = [i for i, s in enumerate(species) if s == second]
            pairs = [(i, j) for i in mine for j in others if i != j]
            if not pairs:
                continue
            for positions, cell in frames:
                fractions = np.linalg.solve(cell.T, positions.T).T % 1.0
                shifts = np.array(list(np.ndindex(5, 5, 5))) - 2
                for i, j in pairs:
                    distances = np.linalg.norm((fractions[i] - fractions[j] + shifts) @ cell, axis=1)
                    g += np.histogram(distances, edges)[0] * abs(np.linalg.det(cell))
            found[f"{first}-{second}"] = g / (
                len(frames) * len(pairs) * 4 / 3 * np.pi * (edges[1:] ** 3 - edges[:-1] ** 3)
            )
    return found


def test_it_is_the_sum_over_all_images_in_a_slanted_cell():
    species = ["Li", "S", "Li", "P", "S", "Li", "Li"]
    frames = [*scattered(2, 7, SLANTED, 1), *scattered(1, 7, 1.02 * SLANTED, 2)]
    r_max = 0.5 * cell_widths(SLANTED).min()
    found = radial_distributions(species, frames, r_max, 20)
    wanted = slow(species, frames, r_max, 20)
    assert set(found) == set(wanted) - {"P-P"}  # one P alone has no pair
    for name, each in found.items():
        np.testing.assert_allclose(each.values, wanted[name], rtol=1e-12)


def test_an_ideal_gas_has_one_everywhere():
    """Like and unlike pairs; the error of a shell is that of its count, Poisson, and five of them are the bar."""
    species = ["Na"] * 20 + ["Cl"] * 30
    for each in radial_distributions(species, scattered(400, 50, SLANTED, 3), 3.5, 14).values():
        counted = 400 * each.pairs_per_frame
        enough = counted > 20
        deviation = (each.values[enough] - 1) * np.sqrt(counted[enough])
        assert np.abs(deviation).max() < 5
        assert abs(deviation.sum()) < 5 * np.sqrt(enough.sum())
        assert enough.sum() >= 10


def test_shells_of_a_lattice_hold_their_neighbours():
    """Rocksalt: 6 unlike neighbours at a/2, 12 like ones at a/√2, and nothing between."""
    atoms = bulk("LiCl", "rocksalt", a=5.0).repeat(5)
    found = radial_distributions(atoms.get_chemical_symbols(), [(atoms.positions, atoms.cell.array)], 4.2, 84)
    unlike, like = found["Cl-Li"], found["Li-Li"]
    assert unlike.coordination(3.0) == pytest.approx(6 * 125)
    assert like.coordination(4.0) == pytest.approx(12 * 125 / 2)
    assert like.radii[like.values > 0] == pytest.approx([5 / np.sqrt(2)], abs=0.025)
    assert unlike.radii[unlike.values > 0][0] == pytest.approx(2.5, abs=0.026)


def test_wrapping_rotation_and_order_of_atoms_change_nothing():
    rng = np.random.default_rng(4)
    species = np.array(["Li"] * 8 + ["S"] * 5)
    frames = scattered(4, 13, SLANTED, 5)
    before = radial_distributions(species, frames, 3.4)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    order = rng.permutation(13)
    moved = [
        ((positions + rng.integers(-2, 3, (13, 3)) @ cell + 0.37)[order] @ turn, cell @ turn)
        for positions, cell in reversed(frames)
    ]
    after = radial_distributions(species[order], moved, 3.4)
    for name, each in before.items():
        np.testing.assert_allclose(after[name].values, each.values, rtol=1e-9)


def test_the_first_peak_is_found_between_shells_and_through_noise():
    r = np.arange(0.025, 8, 0.05)
    g = 3 * np.exp(-0.5 * ((r - 2.4337) / 0.12) ** 2) + 4 * np.exp(-0.5 * ((r - 4.1) / 0.3) ** 2)
    assert peak_position(r, g) == pytest.approx(2.4337, abs=0.003)
    noisy = [peak_position(r, g + np.random.default_rng(k).normal(0, 0.05, len(r)) * (g > 0.1)) for k in range(200)]
    assert np.std(noisy) < 0.01  # 0.004 was measured
    assert np.mean(noisy) == pytest.approx(2.4337, abs=0.004)
    assert peak_position(r, np.zeros_like(r)) is None
    assert peak_position(r, r) is None  # the highest point is the last one


def test_what_cannot_be_counted_is_refused():
    counter = PairCounter(["Li", "S"], 4.5)
    with pytest.raises(InputError, match=r"found r_max 4.5 Å in a cell .* Å wide, expected at most half of it"):
        counter.add(np.zeros((2, 3)), SLANTED)
    with pytest.raises(InputError, match=r"positions \(3, 3\), expected \(2, 3\)"):
        counter.add(np.zeros((3, 3)), SLANTED)
    with pytest.raises(InputError, match="found no frame"):
        counter.distributions()
    with pytest.raises(InputError, match="found 0 atoms"):
        PairCounter([], 4.0)
