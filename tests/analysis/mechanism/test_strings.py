"""String-like motion against the plain definition, rows of known length, and independent ions."""

import itertools

import networkx
import numpy as np
import pytest

from mlip_sse.analysis.mechanism.strings import StringMotion, string_counts
from mlip_sse.analysis.results import Quality
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory
from tests.analysis.mechanism.correlated_walkers import independent_hops, row_shifts

SKEWED = np.array([[9.0, 0.0, 0.0], [3.5, 8.0, 0.0], [-2.0, 3.0, 8.5]])


def trajectory_of(hops, seed, vibration=0.2):
    positions = hops.positions(np.random.default_rng(seed), vibration)
    positions = np.concatenate([positions, np.zeros((hops.n_frames, 1, 3))], axis=1)
    return Trajectory.from_arrays(["Li"] * len(hops.homes) + ["S"], positions, hops.cell, 100.0, wrapped=False)


def test_strings_are_the_components_of_the_graph_by_definition():
    rng = np.random.default_rng(2)
    n_frames, n_ions, lag, n_mobile, delta = 14, 20, 4, 8, 2.0
    cells = SKEWED + 0.1 * rng.standard_normal((n_frames, 3, 3))
    fractions = rng.random((1, n_ions, 3)) + np.cumsum(0.1 * rng.standard_normal((n_frames, n_ions, 3)), axis=0)
    shifts = np.stack([np.zeros(n_ions, dtype=np.int64), rng.integers(0, 10, n_ions)])
    found = string_counts(fractions, cells, lag, shifts, n_mobile / n_ions, delta, n_origins=50)
    images = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    for row, shift in enumerate(shifts):
        lengths = []
        for origin in range(n_frames - lag):
            cell, starts = cells[origin + lag], (origin + shift) % (n_frames - lag)
            first, last = fractions[starts, np.arange(n_ions)], fractions[starts + lag, np.arange(n_ions)]
            mobile = np.argsort(np.linalg.norm((last - first) @ cell, axis=1))[-n_mobile:]
            graph = networkx.Graph()
            graph.add_nodes_from(mobile)
            for i, j in itertools.permutations(mobile, 2):
                apart = last[i] - first[j]
                if np.linalg.norm((apart - np.rint(apart) + images) @ cell, axis=1).min() < delta:
                    graph.add_edge(i, j)
            lengths += [len(component) for component in networkx.connected_components(graph)]
        assert np.array_equal(found.by_length[row], np.bincount(lengths, minlength=51))
    assert found.by_length[0, 2:].sum() > 3


def test_rows_that_step_on_are_strings_of_their_length_at_the_time_of_a_step():
    hops = row_shifts(np.random.default_rng(3), (5, 4, 4), 3000, 300)
    result = StringMotion(mobile_fraction=5 / 80, n_lags=6, n_null=39).run(trajectory_of(hops, 4))
    assert result.n_mobile == 5
    assert result.p_value == pytest.approx(1 / 40)
    assert result.distribution[5] > 5 * result.null_distribution[5] + 0.01
    excess = [one.value - null.value for one, null in zip(result.lengths, result.null_lengths, strict=True)]
    assert result.peak == int(np.argmax(excess))
    assert result.lengths[result.peak].low > result.null_lengths[result.peak].high
    assert [row["mean_length"] for row in result.table] == [one.value for one in result.lengths]


def test_independent_ions_make_no_strings():
    hops = independent_hops(np.random.default_rng(5), 5, 80, 2000, 1200)
    result = StringMotion(n_lags=5, n_null=39).run(trajectory_of(hops, 6))
    assert result.p_value > 0.05


def test_what_cannot_be_judged_is_refused_or_flagged():
    hops = independent_hops(np.random.default_rng(5), 4, 10, 100, 40)
    trajectory = trajectory_of(hops, 6)
    judged = StringMotion(n_lags=4, n_null=19, n_origins=20).run(trajectory).verdict
    assert judged.quality is Quality.WEAK
    assert "2 mobile ions at a time, fewer than 5" in judged.reasons[0]
    with pytest.raises(InputError, match="S never moves, expected a mobile species"):
        StringMotion(species="S", n_null=19).run(trajectory)
    with pytest.raises(InputError, match=r"r_max 6\.5 Å in a cell of smallest height 12 Å"):
        StringMotion(replacement_distance=6.5, n_null=19).run(trajectory)
    with pytest.raises(InputError, match="mobile_fraction 0,"):
        StringMotion(mobile_fraction=0.0)
