"""Softness by surroundings and in space, where both are known."""

import numpy as np
import pytest

from mlip_sse.analysis.softness.chemistry import (
    by_coordination,
    by_nearest,
    coordination_correlation,
    look_around,
    unit_labels,
)
from mlip_sse.analysis.softness.correlation_length import fit_decay, spatial_correlation
from mlip_sse.analysis.softness.features import StructureFunctions
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory

BOX = np.array([[12.0, 0.0, 0.0], [3.0, 11.0, 0.0], [0.0, 2.0, 13.0]])
N_LITHIUM = 40


@pytest.fixture(scope="module")
def crystal():
    rng = np.random.default_rng(0)
    positions = np.broadcast_to(rng.uniform(0, 1, (N_LITHIUM + 60, 3)) @ BOX, (6, N_LITHIUM + 60, 3))
    symbols = ["Li"] * N_LITHIUM + ["S"] * 40 + ["Cl"] * 20
    return Trajectory.from_arrays(symbols, positions.copy(), BOX, 100.0, wrapped=False)


FUNCTIONS = StructureFunctions(("Cl", "Li", "S"), average_ps=0.0)
FRAMES = np.arange(6)


def look(crystal, cutoff=3.0):
    labels = ["" if symbol == "Li" else symbol for symbol in crystal.species]
    return look_around(crystal, FUNCTIONS, FRAMES, crystal.indices("Li"), labels, cutoff)


def distances(crystal):
    """From each lithium to each other atom, nearest image."""
    images = np.array([[i, j, k] for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)]) @ BOX
    apart = crystal.positions[0][None, N_LITHIUM:] - crystal.positions[0][:N_LITHIUM, None]
    folded = apart - np.round(apart @ np.linalg.inv(BOX)) @ BOX
    return np.linalg.norm(folded[:, :, None] + images, axis=3)


def test_nearest_and_counts_equal_a_search_over_all_images(crystal):
    around, apart = look(crystal), distances(crystal)
    assert around.labels == ("Cl", "S")
    numbers = np.repeat([1, 0], [40, 20])
    np.testing.assert_array_equal(around.nearest[0], numbers[apart.min(axis=2).argmin(axis=1)])
    for kind in (0, 1):
        expected = (apart[:, numbers == kind] < 3.0).sum(axis=(1, 2))
        np.testing.assert_array_equal(around.counts[0, :, kind], expected)


def test_softness_that_counts_chlorine_is_found(crystal):
    around = look(crystal)
    rng = np.random.default_rng(1)
    softness = 0.5 * around.counts[..., 0] + rng.normal(0, 0.1, (6, N_LITHIUM))
    for row in by_coordination(around, softness, 0.95):
        if " Cl " in row.surroundings:
            expected = 0.5 * int(row.surroundings[0])
            assert row.softness.value == pytest.approx(expected, abs=0.1)
    correlation = coordination_correlation(around, softness, 0.95)
    assert correlation["Cl"].low > 0.8
    assert correlation["S"].low < correlation["S"].value < correlation["S"].high
    shares = [row.share for row in by_nearest(around, softness, 0.95)]
    assert sum(shares) == pytest.approx(1.0)


def test_labels_must_fit(crystal):
    with pytest.raises(InputError, match="found 3 labels, expected one for each of 100 atoms"):
        look_around(crystal, FUNCTIONS, FRAMES, crystal.indices("Li"), ["S"] * 3, 3.0)
    with pytest.raises(InputError, match="found no label"):
        look_around(crystal, FUNCTIONS, FRAMES, crystal.indices("Li"), [""] * 100, 3.0)


def test_units_of_a_crystal():
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 2.05 / np.sqrt(3)
    atoms = np.concatenate([[[5.0, 5.0, 5.0]], corners + 5.0, [[0.0, 0.0, 0.0], [5.0, 0.0, 0.0], [0.0, 5.0, 0.0]]])
    symbols = ["P", "S", "S", "S", "S", "S", "Cl", "Li"]
    crystal = Trajectory.from_arrays(symbols, atoms[None], np.eye(3) * 10.0, 100.0)
    assert unit_labels(crystal, ["Li"], "P", "S") == ["", *["PS4"] * 4, "free S", "Cl", ""]


def test_the_decay_is_fitted():
    r = np.arange(2.0, 10.0, 0.5)
    amplitudes, lengths = fit_decay(r, np.stack([0.8 * np.exp(-r / 2.5), -0.3 * np.exp(-r / 1.1)]), np.ones_like(r))
    np.testing.assert_allclose(amplitudes, [0.8, -0.3], rtol=0.03)  # 400 lengths, 1.6 % apart
    np.testing.assert_allclose(lengths, [2.5, 1.1], rtol=0.01)


def field(seed, reach):
    """Ions anywhere, and a softness that is a sum of bumps: C(r) of Gaussians of width reach."""
    rng = np.random.default_rng(seed)
    box, n_frames = np.eye(3) * 24.0, 40
    ions = rng.uniform(0, 24.0, (n_frames, 200, 3))
    softness = np.empty((n_frames, 200))
    for frame in range(n_frames):
        bumps = rng.uniform(0, 24.0, (150, 3))
        apart = ions[frame][:, None] - bumps
        apart -= 24.0 * np.round(apart / 24.0)
        softness[frame] = np.exp(-np.sum(apart**2, axis=2) / (2 * reach**2)) @ rng.choice([-1.0, 1.0], 150)
    crystal = Trajectory.from_arrays(["Li"] * 200, ions, box, 100.0, wrapped=False)
    return crystal, softness


def test_correlation_in_space_is_that_of_the_field():
    crystal, softness = field(0, reach=1.5)
    functions = StructureFunctions(("Li",), average_ps=0.0)
    found = spatial_correlation(crystal, functions, np.arange(40), np.arange(200), softness, 0.95, 0)
    expected = np.exp(-(found.distances**2) / (4 * 1.5**2))  # of Gaussians with Gaussians
    near = (found.distances > 1.5) & (found.distances < 4.0)  # closer, there are few pairs
    np.testing.assert_allclose(found.values[near], expected[near], atol=0.15)
    assert found.length is not None
    assert 1.0 < found.length.low < found.length.value < found.length.high < 6.0


def test_softness_without_neighbours_has_no_length():
    crystal, softness = field(1, reach=1.5)
    mixed = np.random.default_rng(0).permuted(softness, axis=1)
    functions = StructureFunctions(("Li",), average_ps=0.0)
    found = spatial_correlation(crystal, functions, np.arange(40), np.arange(200), mixed, 0.95, 0)
    assert found.length is None
    assert found.reason
