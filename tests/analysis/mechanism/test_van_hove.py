"""Van Hove functions against the plain definition, gases, and ions that follow each other."""

import numpy as np
import pytest

from mlip_sse.analysis.mechanism.van_hove import VanHove
from mlip_sse.analysis.mechanism.van_hove_counts import distinct_counts, self_counts, shell_volumes
from mlip_sse.analysis.results import Quality
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory

SKEWED = np.array([[9.0, 0.0, 0.0], [3.5, 8.0, 0.0], [-2.0, 3.0, 8.5]])


def breathing_cells(n_frames, seed=0):
    """Skewed cells whose shape and volume vary by a few per cent."""
    return SKEWED + 0.15 * np.random.default_rng(seed).standard_normal((n_frames, 3, 3))


def fractional_walk(n_frames, n_ions, seed=1, step=0.03):
    rng = np.random.default_rng(seed)
    return rng.random((1, n_ions, 3)) + np.cumsum(step * rng.standard_normal((n_frames, n_ions, 3)), axis=0)


def trajectory_of(fractions, cells, species=None):
    return Trajectory.from_arrays(
        species or ["Li"] * fractions.shape[1], fractions % 1.0, cells, 100.0, fractional=True, wrapped=True
    )


def test_self_part_is_the_plain_definition():
    positions = np.random.default_rng(3).standard_normal((7, 3, 41)).cumsum(axis=2).astype(np.float32)
    lags = np.array([1, 2, 5, 20])
    found = self_counts([positions[:3], positions[3:]], lags, 6.0, 24)
    for k, lag in enumerate(lags):
        lengths = np.linalg.norm((positions[:, :, lag:] - positions[:, :, :-lag]).astype(np.float64), axis=1).ravel()
        expected = np.append(np.histogram(lengths, 24, (0.0, 6.0))[0], np.sum(lengths >= 6.0))
        assert found[k].sum() == lengths.size
        assert np.abs(found[k] - expected).sum() <= 2  # float32 may put a length into the neighbouring bin


def test_self_part_of_brownian_ions_is_the_maxwell_distribution():
    step, lag = 0.5, 4
    positions = (step * np.random.default_rng(5).standard_normal((100, 3, 1000)).cumsum(axis=2)).astype(np.float32)
    positions -= positions.mean(axis=2, keepdims=True)
    counts = self_counts([positions], [lag], 5.0, 20)[0, :-1] / (100 * (1000 - lag))
    edges = np.linspace(0, 5.0, 21)
    middle = 0.5 * (edges[1:] + edges[:-1])
    variance = lag * step**2
    expected = 4 * np.pi * middle**2 * (2 * np.pi * variance) ** -1.5 * np.exp(-(middle**2) / (2 * variance)) * 0.25
    assert np.allclose(counts, expected, atol=0.004)  # 25,000 independent windows: 2 σ of a bin of 0.1 is 0.004


def test_distinct_part_is_the_plain_definition_in_skewed_breathing_cells():
    n_frames, n_ions, lag, r_max, n_bins = 12, 9, 3, 3.0, 15
    cells, fractions = breathing_cells(n_frames), fractional_walk(n_frames, n_ions)
    found = distinct_counts(fractions, None, cells, [lag], r_max, n_bins, n_origins=100, near=2.0)
    images = np.array([[i, j, k] for i in (-2, -1, 0, 1, 2) for j in (-2, -1, 0, 1, 2) for k in (-2, -1, 0, 1, 2)])
    total, near = np.zeros(n_bins), np.zeros(n_ions)
    for start in range(n_frames - lag):
        cell = cells[start + lag]
        for i in range(n_ions):
            for j in range(n_ions):
                if i != j:
                    apart = (fractions[start + lag, j] - fractions[start, i]) % 1.0
                    lengths = np.linalg.norm((apart + images) @ cell, axis=1)
                    total += np.histogram(lengths, n_bins, (0, r_max))[0] * abs(np.linalg.det(cell))
                    near[i] += np.sum(lengths < 2.0)
    n_origins = n_frames - lag
    expected = total / (n_origins * n_ions * (n_ions - 1) * shell_volumes(r_max, n_bins))
    assert np.allclose(found.values[0], expected, rtol=1e-12)
    assert np.allclose(found.near_by_ion[0], near / n_origins, rtol=1e-12)
    assert np.isclose(found.near_by_origin[0].mean(), near.mean() / n_origins)


def test_ideal_gas_is_one_in_any_cell_with_itself_and_with_others():
    rng = np.random.default_rng(8)
    cells = breathing_cells(40, seed=2)
    one, two = rng.random((40, 60, 3)), rng.random((40, 30, 3))
    for others, n in ((None, 60 * 59), (two, 60 * 30)):
        values = distinct_counts(one, others, cells, [2], 3.4, 4, n_origins=38).values[0]
        pairs = 38 * n * shell_volumes(3.4, 4) / abs(np.linalg.det(SKEWED))
        assert np.all(np.abs(values - 1.0) < 4.0 / np.sqrt(pairs))


def test_a_trajectory_in_breathing_cells_gives_what_its_fractions_give():
    cells, fractions = breathing_cells(60), fractional_walk(60, 12)
    trajectory = trajectory_of(fractions, cells)
    found = VanHove(n_lags=3, n_bins=10, distinct_r_max=3.0, n_origins=10).run(trajectory)
    expected = distinct_counts(fractions, None, cells, found.lags, 3.0, 10, n_origins=found.n_origins)
    assert np.allclose(found.distinct_part, expected.values, rtol=1e-9, atol=1e-12)
    longest = np.linalg.norm(trajectory.positions[30:] - trajectory.positions[:-30], axis=2)
    assert found.self_part[-1].sum() + found.beyond[-1] == pytest.approx(1.0, abs=1e-9)
    assert found.beyond[-1] == pytest.approx(np.mean(longest > 10.0), abs=1e-3)


def test_distinct_part_is_that_of_freud_without_the_ions_themselves():
    freud = pytest.importorskip("freud")
    rng, edge, lag, n_ions = np.random.default_rng(12), 12.0, 6, 60
    positions = rng.random((1, n_ions, 3)) * edge + np.cumsum(0.2 * rng.standard_normal((30, n_ions, 3)), axis=0)
    found = distinct_counts(positions / edge, None, np.tile(edge * np.eye(3), (30, 1, 1)), [lag], 5.0, 50, 10)
    peer, own = freud.density.RDF(50, 5.0), np.zeros(50)
    for origin in found.origins[0]:
        wrapped = (positions % edge - edge / 2).astype(np.float32)
        peer.compute((freud.box.Box.cube(edge), wrapped[origin]), query_points=wrapped[origin + lag], reset=False)
        own += np.histogram(np.linalg.norm(positions[origin + lag] - positions[origin], axis=1), 50, (0.0, 5.0))[0]
    pairs = 10 * n_ions * (n_ions - 1) / edge**3 * shell_volumes(5.0, 50)
    # freud works in float32: a pair in some ten thousand falls into the neighbouring shell
    assert np.abs((peer.bin_counts - own) - found.values[0] * pairs).sum() <= 4.0


def ring(n_ions, n_frames, period):
    """Ions on a line of sites 3 Å apart, all of which step on together every ``period`` frames; a framework beside."""
    steps = (np.arange(n_frames) // period)[:, None]
    positions = np.zeros((n_frames, n_ions + 1, 3))
    positions[:, :n_ions, 0] = 3.0 * (np.arange(n_ions) + steps) + 0.1
    positions[:, n_ions] = (0.0, 5.0, 5.0)
    cell = np.diag([3.0 * n_ions, 10.0, 10.0])
    return Trajectory.from_arrays(["Li"] * n_ions + ["S"], positions, cell, 100.0, wrapped=False)


def test_refill_of_ions_that_step_on_together_is_the_share_of_windows_with_one_step():
    result = VanHove(n_lags=3, n_bins=40, n_origins=1000).run(ring(6, 401, period=10))
    at = list(result.lags).index(1)
    # a window of one frame holds a step 39 or 40 times in 400, and then every site is refilled by the neighbour
    assert result.refill[at].value == pytest.approx(0.1, abs=0.003)
    assert result.refill[at].low < 0.1 < result.refill[at].high
    assert result.refill_ratio[at].value == pytest.approx(
        result.refill[at].value / (result.density * 4 * np.pi / 3), rel=1e-9
    )


def test_still_ions_long_radii_and_unknown_species_are_refused():
    still = ring(6, 50, period=1000)
    with pytest.raises(InputError, match=r"Li never moves.*name a mobile species"):
        VanHove().run(still)
    with pytest.raises(InputError, match=r"r_max 5\.5 Å in a cell of smallest height 10 Å, expected at most.*5 Å"):
        VanHove(distinct_r_max=5.5).run(ring(6, 50, period=5))
    with pytest.raises(InputError, match="species 'Na' is not in the trajectory"):
        VanHove(species="Na").run(still)


def test_vibration_without_hops_has_no_refill_and_says_so():
    rng = np.random.default_rng(4)
    moving = ring(6, 200, period=1000)
    positions = moving.positions + 0.2 * rng.standard_normal(moving.positions.shape)
    shaken = Trajectory.from_arrays(moving.species, positions, moving.cells, 100.0, wrapped=False)
    result = VanHove(n_lags=4).run(shaken)
    assert result.verdict.quality is Quality.WEAK
    assert "no site is left often enough" in result.verdict.reasons[0]
    windows = 6 * np.maximum(1, (200 - result.lags) // result.lags)
    assert [interval.value for interval in result.refill] == [0.0] * 4
    # of an exact Poisson count of none, -ln 0.025 is the upper 97.5 % bound
    assert np.allclose(
        [interval.high * n for interval, n in zip(result.refill, windows, strict=True)], 3.689, atol=1e-3
    )
    assert np.all(np.abs(result.alpha2) < 0.3)
