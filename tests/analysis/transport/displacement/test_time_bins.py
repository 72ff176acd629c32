"""Time-resolved squares: the plain loop, what they add up to, invariances and bits."""

import numba
import numpy as np
import pytest

from mlip_sse.analysis.transport.displacement.displacements import displacement_moments
from mlip_sse.analysis.transport.displacement.time_bins import TimeBins, bin_edges, time_bins

LAGS = np.array([1, 2, 7, 20, 55])


@pytest.fixture(scope="module")
def walk():
    return np.cumsum(np.random.default_rng(1).standard_normal((5, 3, 211)), axis=2)


def slow_bins(positions, lags, n_bins):
    n_ions, _, n_frames = positions.shape
    edges = bin_edges(n_frames, n_bins)
    sums, counts = np.zeros((n_bins, len(lags), 3, 3)), np.zeros((n_bins, len(lags)), dtype=int)
    for k, lag in enumerate(lags):
        for origin in range(n_frames - lag):
            b = np.searchsorted(edges, origin + lag // 2, side="right") - 1
            moved = positions[:, :, origin + lag] - positions[:, :, origin]
            sums[b, k] += np.einsum("ia,ib->ab", moved, moved) / n_ions
            counts[b, k] += 1
    return sums, counts


def test_it_equals_the_plain_loop(walk):
    bins = time_bins(walk, LAGS, n_bins=9)
    sums, counts = slow_bins(walk, LAGS, 9)
    assert np.array_equal(bins.counts, counts)
    voigt = np.stack([sums[..., a, b] for a, b in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))], axis=-1)
    assert bins.sums == pytest.approx(voigt, rel=1e-12, abs=1e-10)  # float64 sums in another order


def test_all_bins_together_are_the_mean_squared_displacement(walk):
    bins = time_bins(walk, LAGS, n_bins=9)
    msd = bins.sums[..., :3].sum(axis=(0, 2)) / bins.counts.sum(axis=0)
    assert msd == pytest.approx(displacement_moments(walk, LAGS).msd, rel=1e-12)


def test_a_bin_is_whole_only_where_no_window_is_cut(walk):
    bins = time_bins(walk, LAGS, n_bins=9)
    assert bins.whole[:, 0].sum() == 8  # the last window of lag 1 begins one frame early
    assert not bins.whole[0, 4]
    assert not bins.whole[-1, 4]
    assert bins.whole[4, 4]


def test_ballistic_motion_gives_the_same_square_in_every_bin():
    straight = np.arange(300.0)[None, None, :] * np.array([0.1, -0.2, 0.2])[None, :, None]
    squares = time_bins(straight, LAGS, n_bins=10).squares
    expected = np.broadcast_to(0.09 * LAGS**2, squares.shape)[np.isfinite(squares)]
    assert squares[np.isfinite(squares)] == pytest.approx(expected, rel=1e-12)


def test_the_order_of_ions_and_their_blocks_do_not_matter(walk):
    together = time_bins(walk, LAGS, 8)
    split = TimeBins.merge([time_bins(walk[3:], LAGS, 8), time_bins(walk[:3], LAGS, 8)])
    assert split.n_ions == 5
    assert split.sums == pytest.approx(together.sums, rel=1e-12, abs=1e-10)


def test_the_number_of_threads_does_not_change_a_bit(walk):
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        single = time_bins(walk.astype(np.float32), LAGS, 8).sums
        numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
        assert np.array_equal(time_bins(walk.astype(np.float32), LAGS, 8).sums, single)
    finally:
        numba.set_num_threads(before)
