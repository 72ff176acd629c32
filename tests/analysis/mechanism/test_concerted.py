"""Concerted hops against brute force, known strings, and ions that know nothing of each other."""

import itertools

import networkx
import numpy as np
import pytest
from scipy.stats import binom, kstest

from mlip_sse.analysis.mechanism.concerted import Concerted
from mlip_sse.analysis.mechanism.event_clusters import find_clusters, places_of
from mlip_sse.analysis.mechanism.hop_events import HopEvents, events_of_trajectory, without_back_jumps
from mlip_sse.analysis.results import Quality
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory
from tests.analysis.mechanism.correlated_walkers import (
    independent_hops,
    pairs_among_singles,
    row_shifts,
    vacancy_strings,
)

SKEWED = np.array([[14.0, 0.0, 0.0], [5.0, 12.0, 0.0], [-3.0, 4.0, 13.0]])


def scattered(n=300, n_ions=12, n_frames=600, seed=1, n_sites=None):
    """Hops at random between random places in a skewed cell, or between random sites."""
    rng = np.random.default_rng(seed)
    frames, ions = rng.integers(0, n_frames, n), rng.integers(0, n_ions, n)
    if n_sites is None:
        return HopEvents(frames, ions, rng.random((n, 3)), rng.random((n, 3)), SKEWED, n_ions, n_frames, 100.0)
    sites, start, stop = rng.random((n_sites, 3)), rng.integers(0, n_sites, n), rng.integers(0, n_sites, n)
    return HopEvents(frames, ions, sites[start], sites[stop], SKEWED, n_ions, n_frames, 100.0, start, stop, sites)


def brute_force(events, reach, window, shifts, replacement, distinct):
    """Return the links as a graph, from the definition."""
    times = (events.frames + shifts[events.ions]) % events.n_frames
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(events)))
    ends = (events.starts, events.stops)
    images = np.array(list(itertools.product((-1, 0, 1), repeat=3)))

    def apart(a, b):
        difference = a - b
        return np.linalg.norm((difference - np.rint(difference) + images) @ events.cell, axis=1).min()

    for i, j in itertools.combinations(range(len(events)), 2):
        if abs(times[i] - times[j]) > window or (distinct and events.ions[i] == events.ions[j]):
            continue
        pairs = [(0, 1), (1, 0)] if replacement else itertools.product((0, 1), repeat=2)
        if any(apart(ends[a][i], ends[b][j]) <= reach for a, b in pairs):
            graph.add_edge(i, j)
    return graph


@pytest.mark.parametrize("n_sites", [None, 60])
@pytest.mark.parametrize(("replacement", "distinct"), [(False, True), (True, True), (False, False)])
def test_clusters_are_the_components_of_the_graph_by_definition(n_sites, replacement, distinct):
    events = scattered(n_sites=n_sites)
    shifts = np.random.default_rng(2).integers(0, events.n_frames, events.n_ions)
    found = find_clusters(
        events, places_of(events, 3.5), 6, shifts, replacement=replacement, distinct_ions=distinct, n_blocks=3
    )
    graph = brute_force(events, 3.5, 6, shifts, replacement, distinct)
    components = [sorted(component) for component in networkx.connected_components(graph)]
    assert found.n_links == graph.number_of_edges() > 50
    for component in components:
        assert len({int(found.labels[k]) for k in component}) == 1
    assert len(np.unique(found.labels)) == len(components)
    sizes = [len({int(events.ions[k]) for k in c}) if distinct else len(c) for c in components]
    assert np.array_equal(found.by_size, np.bincount(sizes, minlength=len(found.by_size)))
    hops = np.bincount(sizes, weights=[len(c) for c in components], minlength=len(found.by_size))
    assert np.array_equal(found.hops_by_size, hops)
    assert found.together.sum() == hops[2:].sum()


def test_order_of_hops_names_of_ions_and_origin_of_the_cell_do_not_matter():
    events = scattered(seed=4)
    rng = np.random.default_rng(5)
    order, names, origin = rng.permutation(len(events)), rng.permutation(events.n_ions), rng.random(3) * 3
    other = HopEvents(
        events.frames[order], names[events.ions[order]], events.starts[order] + origin,
        events.stops[order] + origin - 2, events.cell, events.n_ions, events.n_frames, 100.0,
    )  # fmt: skip
    one = find_clusters(events, places_of(events, 3.0), 8)
    two = find_clusters(other, places_of(other, 3.0), 8)
    assert np.array_equal(one.by_size, two.by_size)
    assert one.n_links == two.n_links


def test_strings_of_known_lengths_are_recovered():
    chances = (0.4, 0.3, 0.2, 0.1)
    hops = vacancy_strings(np.random.default_rng(7), 8, 12, 40_000, 1500, chances, jitter=2)
    result = Concerted(window_fs=200.0, distance=1.0, n_null=39, drop_back_jumps=False).run_events(hops.events())
    expected = np.bincount(np.unique(hops.strings, return_counts=True)[1], minlength=8)[1:7]
    # the chance to be near another string in space and time is one in some hundred
    assert np.all(np.abs(result.clusters[:6] - expected) <= 3 * np.sqrt(0.03 * expected) + 6)
    assert result.p_value == result.p_links == pytest.approx(1 / 40)
    truth = 1.0 - expected[0] / (expected @ np.arange(1, 7))
    assert result.excess.low < truth < result.excess.high
    assert result.verdict.quality is Quality.PASS


def test_whole_rows_are_strings_of_their_length_with_the_haven_ratio_one_over_it():
    hops = row_shifts(np.random.default_rng(9), (4, 5, 5), 30_000, 400)
    result = Concerted(window_fs=100.0, distance=1.0, n_null=19, drop_back_jumps=False).run_events(hops.events())
    assert result.clusters[3] > 0.97 * 400
    assert result.mean_size == pytest.approx(4.0, abs=0.1)
    steps = np.zeros((hops.n_frames, 100))
    np.add.at(steps, (hops.frames, hops.ions), hops.moves[:, 0])
    assert (steps.sum(axis=1) ** 2).sum() / (steps**2).sum() == pytest.approx(4.0, abs=0.4)  # rows in one frame


def test_hops_found_in_a_vibrating_trajectory_are_those_that_were_made():
    rng = np.random.default_rng(11)
    hops = vacancy_strings(rng, 4, 3, 8000, 60, (0.5, 0.0, 0.5))
    positions = np.concatenate([hops.positions(rng), np.zeros((hops.n_frames, 1, 3))], axis=1)
    species = ["Li"] * len(hops.homes) + ["S"]
    trajectory = Trajectory.from_arrays(species, positions, hops.cell, 100.0, wrapped=False)
    events, verdict = events_of_trajectory(trajectory, "Li", half_window_ps=0.5)
    assert verdict.quality is Quality.PASS
    inner = (hops.frames >= 5) & (hops.frames < hops.n_frames - 5)
    assert abs(len(events) - inner.sum()) <= 0.05 * inner.sum()  # two hops of an ion within a window are one or none
    made = {(int(f) + d, int(i)) for f, i in zip(hops.frames, hops.ions, strict=True) for d in (-1, 0, 1)}
    found = [(int(f) + 5, int(i)) in made for f, i in zip(events.frames, events.ions, strict=True)]
    assert np.mean(found) > 0.95
    shift = events.stops - events.starts
    lengths = np.linalg.norm(shift @ events.cell, axis=1)
    assert np.median(lengths) == pytest.approx(3.0, abs=0.15)


def test_an_ion_that_comes_back_leaves_nothing_and_one_that_goes_on_stays():
    places = np.array([[0.1, 0, 0], [0.4, 0, 0], [0.7, 0, 0]])
    path = [(0, 1, 10), (1, 0, 14), (0, 1, 40), (1, 2, 45), (2, 1, 90)]  # away, back; on, on; back too late
    frames, ions = np.array([row[2] for row in path]), np.zeros(5, dtype=np.int64)
    starts, stops = places[[row[0] for row in path]], places[[row[1] for row in path]]
    events = HopEvents(frames, ions, starts, stops, 10 * np.eye(3), 2, 100, 100.0)
    assert without_back_jumps(events, 500.0).frames.tolist() == [40, 45, 90]
    assert without_back_jumps(events, 300.0).frames.tolist() == [10, 14, 40, 45, 90]
    assert without_back_jumps(events, 4500.0).frames.tolist() == [40]


def test_hops_of_one_ion_are_no_concerted_motion():
    n = 60
    frames = np.arange(n) // 2 * 50 + np.arange(n) % 2
    ends = np.tile([[0.1, 0.1, 0.1], [0.3, 0.1, 0.1]], (n // 2, 1))
    events = HopEvents(frames, np.arange(n) // 2 % 6, ends, ends[::-1], 30 * np.eye(3), 6, 2000, 100.0)
    alone = Concerted(drop_back_jumps=False, n_null=19, window_fs=500.0).run_events(events)
    counted = Concerted(drop_back_jumps=False, distinct_ions=False, n_null=19, window_fs=500.0).run_events(events)
    assert alone.fraction.value == 0.0
    assert counted.fraction.value == 1.0
    assert counted.p_value == 1.0  # the shifts keep what an ion does by itself


def test_what_cannot_be_judged_is_refused_with_its_number():
    hops = independent_hops(np.random.default_rng(1), 6, 40, 4000, 400).events()
    with pytest.raises(InputError, match=r"r_max 9\.5 Å in a cell of smallest height 18 Å"):
        Concerted(distance=9.5).run_events(hops)
    with pytest.raises(InputError, match="at least 19 shifts"):
        Concerted(n_null=5)
    few = Concerted(n_null=19).run_events(hops.chosen(np.arange(400) < 12))
    assert few.verdict.quality is Quality.REFUSED
    assert "12 hops" in few.verdict.reasons[0]
    short = Concerted(n_null=19, window_fs=30_000.0).run_events(hops)
    assert any("span 13.3 windows" in reason for reason in short.verdict.reasons)
    assert any("by chance: the concerted fraction says little" in reason for reason in short.verdict.reasons)
    coarse = independent_hops(np.random.default_rng(1), 6, 40, 400, 6000).events(frame_spacing_fs=1000.0)
    judged = Concerted(n_null=19).run_events(coarse).verdict
    assert judged.quality is Quality.REFUSED
    assert any("2667 fs and frames are 1000 fs apart: stored too coarsely" in reason for reason in judged.reasons)


def test_a_drifting_rate_is_said_to_be_one():
    hops = independent_hops(np.random.default_rng(3), 8, 60, 20_000, 2000).events()
    heated = hops.chosen(np.random.default_rng(4).random(len(hops)) < hops.frames / 20_000)
    judged = Concerted(n_null=19).run_events(heated).verdict
    assert any("the hop rate drifts" in reason for reason in judged.reasons)


def test_independent_ions_in_a_dense_conductor_are_not_concerted():
    hops = independent_hops(np.random.default_rng(21), 8, 250, 10_000, 12_000).events()
    result = Concerted(n_null=99, window_fs=500.0).run_events(hops)
    assert result.fraction.value > 0.3  # that much is close by chance
    assert result.p_value > 0.05
    assert result.excess.low < 0.0 < result.excess.high
    again = Concerted(n_null=99, window_fs=500.0).run_events(hops)
    assert again.p_value == result.p_value


@pytest.mark.slow
def test_p_values_of_independent_ions_are_uniform_and_the_interval_of_the_excess_covers_zero():
    p_values, p_links, covered = [], [], []
    for seed in range(300):
        hops = independent_hops(np.random.default_rng(1000 + seed), 7, 150, 3000, 900).events()
        result = Concerted(n_null=99, seed=seed, window_fs=500.0).run_events(hops)
        p_values.append(result.p_value)
        p_links.append(result.p_links)
        covered.append(result.excess.low <= 0.0 <= result.excess.high)
    most = binom.ppf(0.999, 300, 0.05)  # of false positives that 5 % allow
    for found in (np.array(p_values), np.array(p_links)):
        assert np.sum(found <= 0.05) <= most
        assert kstest(found, "uniform").pvalue > 1e-3
    assert np.mean(covered) > 0.91


@pytest.mark.slow
def test_the_excess_is_the_share_of_concerted_hops_though_many_more_are_close_by_chance():
    truth, found, covered = 2 * 150 / (2 * 150 + 700), [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        events = pairs_among_singles(rng, 7, 150, 3000, int(rng.poisson(150)), int(rng.poisson(700)))
        result = Concerted(n_null=99, seed=seed, window_fs=600.0, drop_back_jumps=False).run_events(events)
        assert result.null_fraction.value > 0.15
        found.append(result.excess.value)
        covered.append(result.excess.low <= truth <= result.excess.high)
    assert np.mean(found) == pytest.approx(truth, abs=0.03)
    assert np.mean(covered) > 0.87  # of 95 %, less 3 standard errors of 100 runs
