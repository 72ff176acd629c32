"""Selection of frames: known answers, a slow twin, and what may not matter."""

import numpy as np
import pytest
from ase import Atoms

from mlip_sse.campaign.selection import Pool, frame_scores, held_out_frames, last_looks, select_frames
from mlip_sse.errors import InputError


def pool_of(n=40, n_segments=4, seed=0):
    rng = np.random.default_rng(seed)
    return Pool(
        features=rng.normal(size=(n, 5)).astype(np.float32),
        scores=rng.uniform(0.01, 1.0, n),
        excess=rng.uniform(0.2, 3.0, n),
        segments=np.arange(n) % n_segments,
        times=np.arange(n) // n_segments * 0.04,
    )


def slow_selection(pool, n, per_segment, known):
    """Do what the rule says, word by word."""
    features = pool.features.astype(float)
    chosen = []
    while len(chosen) < n:
        gains = {}
        for i in range(len(pool)):
            used = sum(pool.segments[j] == pool.segments[i] for j in chosen)
            others = [*known, *(features[j] for j in chosen)]
            distance = min((np.sqrt(((features[i] - row) ** 2).sum()) for row in others), default=1.0)
            if i not in chosen and used < per_segment and distance > 0:
                gains[i] = pool.scores[i] * distance
        if not gains:
            break
        chosen.append(max(gains, key=gains.get))
    return chosen


@pytest.mark.parametrize("per_segment", [2, 12])
@pytest.mark.parametrize("n_known", [0, 3])
def test_selection_is_that_of_the_slow_twin(per_segment, n_known):
    pool = pool_of(seed=n_known)
    known = np.random.default_rng(9).normal(size=(n_known, 5))
    found = select_frames(pool, 10, per_segment=per_segment, known_features=known, seed=0)
    assert found.tolist() == slow_selection(pool, 10, per_segment, known)
    assert len(found) == min(10, 4 * per_segment)
    assert np.bincount(pool.segments[found]).max() <= per_segment


def test_equal_scores_on_a_line_are_taken_from_its_ends_and_its_middle():
    line = np.linspace(0.0, 8.0, 9)[:, None]
    pool = Pool(line, np.ones(9), np.ones(9), np.zeros(9, dtype=int), np.arange(9.0))
    assert select_frames(pool, 5, per_segment=9, seed=0).tolist() == [0, 8, 4, 2, 6]


def test_equal_distances_are_taken_by_score():
    corners = np.eye(6)
    scores = np.array([0.3, 0.9, 0.1, 0.5, 0.7, 0.2])
    pool = Pool(corners, scores, np.ones(6), np.zeros(6, dtype=int), np.arange(6.0))
    assert select_frames(pool, 4, per_segment=6, seed=0).tolist() == [1, 4, 3, 0]


def test_twins_and_known_frames_are_not_taken():
    features = np.repeat(np.eye(3), 2, axis=0)
    pool = Pool(features, np.linspace(1, 2, 6), np.ones(6), np.zeros(6, dtype=int), np.arange(6.0))
    assert sorted(select_frames(pool, 6, per_segment=6, known_features=np.eye(3)[:1], seed=0).tolist()) == [3, 5]


def test_what_comes_first_is_taken_first_within_the_cap():
    pool = pool_of()
    first = [5, 9, 13, 2]  # three of segment 1, one of segment 2
    found = select_frames(pool, 8, per_segment=2, first=first, seed=0).tolist()
    assert found[:3] == [5, 9, 2]
    assert np.bincount(pool.segments[found]).tolist() == [2, 2, 2, 2]
    others = [i for i in range(40) if i not in (5, 9, 2)]
    rest = pool.taken(others)
    known = pool.features[[5, 9, 2]]
    gains = rest.scores * np.linalg.norm(rest.features[:, None] - known[None], axis=-1).min(axis=1)
    gains[rest.segments == 1] = 0.0
    assert found[3] == others[int(gains.argmax())]
    assert select_frames(pool, 2, per_segment=2, first=first, seed=0).tolist() == [5, 9]


def test_the_last_looks_of_segments_are_those_of_largest_time():
    pool, order = pool_of(), np.random.default_rng(4).permutation(40)
    assert last_looks(pool, {2, 0}, 2).tolist() == [32, 36, 34, 38]
    assert order[last_looks(pool.taken(order), {2, 0}, 2)].tolist() == [32, 36, 34, 38]
    assert last_looks(pool, (), 2).tolist() == []
    assert last_looks(pool, {1}, 0).tolist() == []


def test_frames_without_a_score_come_last_by_their_excess():
    scores = np.array([np.nan, 0.001, np.nan, 0.002])
    pool = Pool(np.eye(4), scores, np.array([1.0, 0.1, 5.0, 0.1]), np.zeros(4, dtype=int), np.arange(4.0))
    assert select_frames(pool, 4, per_segment=9, seed=0).tolist() == [3, 1, 2, 0]


@pytest.mark.parametrize("strategy", ["committee", "random"])
def test_the_order_of_the_candidates_does_not_matter(strategy):
    pool, order = pool_of(), np.random.default_rng(4).permutation(40)
    settings = {"strategy": strategy, "per_segment": 3, "seed": 5}
    found = select_frames(pool, 9, **settings)
    assert order[select_frames(pool.taken(order), 9, **settings)].tolist() == found.tolist()
    kept = held_out_frames(pool, 7, taken=found, seed=3)
    again = held_out_frames(pool.taken(order), 7, taken=np.flatnonzero(np.isin(order, found)), seed=3)
    assert order[again].tolist() == kept.tolist()
    assert not set(kept) & set(found)


def test_units_of_scores_and_features_do_not_matter():
    pool = pool_of()
    scaled = Pool(7 * pool.features, 0.01 * pool.scores, pool.excess, pool.segments, pool.times)
    expected = select_frames(pool, 12, per_segment=4, seed=0)
    assert select_frames(scaled, 12, per_segment=4, seed=0).tolist() == expected.tolist()


def test_the_control_arm_is_uniform():
    pool, counts = pool_of(n=12, n_segments=3), np.zeros(12)
    for seed in range(600):
        counts[select_frames(pool, 3, strategy="random", per_segment=2, seed=seed)] += 1
    # 150 expected for each; five standard deviations of a binomial with p = 1/4
    np.testing.assert_allclose(counts, 150, atol=5 * np.sqrt(600 * 0.25 * 0.75))
    assert counts.sum() == 1800


def test_an_empty_pool_gives_nothing():
    nothing = Pool(np.zeros((0, 0)), np.zeros(0), np.zeros(0), np.zeros(0, dtype=int), np.zeros(0))
    known = np.ones((2, 5))
    for strategy in ("committee", "random"):
        found = select_frames(nothing, 4, strategy=strategy, per_segment=2, known_features=known, seed=0)
        assert found.tolist() == []
    assert held_out_frames(nothing, 4, taken=[], seed=0).tolist() == []


def test_bad_input_is_refused():
    pool = pool_of()
    with pytest.raises(InputError, match="strategy"):
        select_frames(pool, 1, strategy="best", per_segment=1, seed=0)
    with pytest.raises(InputError, match="per_segment 0"):
        select_frames(pool, 1, per_segment=0, seed=0)
    with pytest.raises(InputError, match="known features"):
        select_frames(pool, 1, per_segment=1, known_features=np.ones((2, 4)), seed=0)
    with pytest.raises(InputError, match="excess"):
        Pool(pool.features, pool.scores, pool.excess[:3], pool.segments, pool.times)
    with pytest.raises(InputError, match="finite"):
        Pool(np.full((40, 5), np.nan), pool.scores, pool.excess, pool.segments, pool.times)


# One Li near the face of the cell: the S on the other side of it is in its shell, the P in the middle is not.
SYMBOLS = ["Li", "S", "P"]
POSITIONS = np.array([[0.5, 5.0, 5.0], [9.0, 5.0, 5.0], [5.0, 5.0, 5.0]])


def score(spreads, shell_a=3.0):
    return frame_scores(spreads, SYMBOLS, POSITIONS, 10 * np.eye(3), "Li", shell_a)


def test_the_score_counts_mobile_ions_and_their_shell_only():
    assert score([0.1, 0.4, 9.0]) == 0.4
    assert score([0.5, 0.4, 9.0]) == 0.5
    assert score([0.1, 0.4, 9.0], shell_a=1.0) == 0.1
    assert score([0.1, 0.4, 9.0], shell_a=4.6) == 9.0
    assert np.isnan(score([np.nan, 0.4, 9.0]))


def test_the_score_does_not_change_with_axes_or_wrapping():
    rng = np.random.default_rng(2)
    cell = np.array([[10.0, 0, 0], [3.0, 9.0, 0], [-2.0, 1.0, 11.0]])
    positions, symbols = rng.uniform(0, 10, (30, 3)), ["Li"] * 6 + ["S"] * 24
    spreads = rng.uniform(0, 1, 30)
    distances = Atoms(symbols, positions=positions, cell=cell, pbc=True).get_all_distances(mic=True)
    expected = spreads[(distances[:6] < 3.0).any(axis=0)].max()
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    moved = positions + rng.integers(-2, 3, (30, 3)) @ cell
    order = rng.permutation(30)
    for found in (
        frame_scores(spreads, symbols, positions, cell, "Li", 3.0),
        frame_scores(spreads, symbols, positions @ turn, cell @ turn, "Li", 3.0),
        frame_scores(spreads, symbols, moved, cell, "Li", 3.0),
        frame_scores(spreads[order], np.array(symbols)[order].tolist(), positions[order], cell, "Li", 3.0),
    ):
        assert found == expected


def test_a_frame_without_mobile_ions_is_refused():
    with pytest.raises(InputError, match="found no Na"):
        frame_scores(np.ones(3), SYMBOLS, POSITIONS, 10 * np.eye(3), "Na", 3.0)
    with pytest.raises(InputError, match="spreads"):
        frame_scores(np.ones(2), SYMBOLS, POSITIONS, 10 * np.eye(3), "Li", 3.0)
