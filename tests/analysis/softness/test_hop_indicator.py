"""p_hop against its definition, an ideal jump and invariances; thresholds from data."""

import numpy as np
import pytest

from mlip_sse.analysis.softness.hop_indicator import HopIndicator, choose_thresholds, hop_indicator, indicator_of
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory


def slow_twin(coordinates, half):
    """p_hop as it is defined, window by window."""
    n_ions, _, n_frames = coordinates.shape
    out = np.empty((n_ions, n_frames - 2 * half + 1))
    for ion in range(n_ions):
        for k in range(out.shape[1]):
            before, after = coordinates[ion, :, k : k + half].T, coordinates[ion, :, k + half : k + 2 * half].T
            first = np.mean(np.sum((before - after.mean(axis=0)) ** 2, axis=1))
            second = np.mean(np.sum((after - before.mean(axis=0)) ** 2, axis=1))
            out[ion, k] = np.sqrt(first * second)
    return out


def wandering(seed, n_ions=3, n_frames=120, far=0.0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.3, (n_ions, 3, n_frames)).cumsum(axis=2) + far


def hopping(seed, n_ions, n_frames, rate, length=3.0, deviation=0.3):
    """Ions that jump by a vector of fixed length at random, and vibrate without memory."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(n_ions, 3, n_frames))
    directions *= length / np.linalg.norm(directions, axis=1, keepdims=True)
    jumps = directions * (rng.random((n_ions, 1, n_frames)) < rate)
    return jumps.cumsum(axis=2) + rng.normal(0, deviation, (n_ions, 3, n_frames))


def indicator(coordinates, half=5):
    values, shifts, spreads = hop_indicator(coordinates, half)
    return HopIndicator(np.arange(len(coordinates)), half, values, shifts, spreads, 100.0)


@pytest.mark.parametrize("half", [3, 8])
def test_equals_its_definition(half):
    paths = wandering(0)
    values, shifts, spreads = hop_indicator(paths, half)
    # running sums of squares up to 100 Å² in double precision
    np.testing.assert_allclose(values, slow_twin(paths, half), rtol=1e-9, atol=1e-10)
    assert shifts[1, 4] == pytest.approx(
        np.linalg.norm(paths[1, :, 4 + half : 4 + 2 * half].mean(axis=1) - paths[1, :, 4 : 4 + half].mean(axis=1))
    )
    assert spreads[2, 7] == pytest.approx(paths[2, :, 7 : 7 + half].var(axis=1).sum())


def test_a_jump_peaks_at_its_length_squared_and_rest_is_zero():
    path = np.zeros((1, 3, 60))
    path[0, 0, 30:] = 3.0
    values, _, _ = hop_indicator(path, 5)
    assert values.max() == pytest.approx(9.0, abs=1e-12)
    assert np.argmax(values[0]) + 5 == 30
    assert np.all(values[0, :15] < 1e-12)


def test_cage_and_jump_give_their_variance_and_the_sum():
    values, _, _ = hop_indicator(hopping(1, 200, 400, 0.0), 20)
    # u² (1 + 1/half) for vibration without memory; 200 ions × 9 independent windows: 2 %
    assert values.mean() == pytest.approx(3 * 0.3**2 * (1 + 1 / 20), rel=0.02)


def test_does_not_change_with_origin_rotation_or_order():
    paths = wandering(2)
    values, _, _ = hop_indicator(paths, 6)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    np.testing.assert_allclose(hop_indicator(paths + 50.0, 6)[0], values, rtol=1e-7)
    np.testing.assert_allclose(hop_indicator(np.einsum("ab,ibt->iat", turn, paths), 6)[0], values, rtol=1e-7)
    np.testing.assert_allclose(hop_indicator(paths[:, :, ::-1], 6)[0][:, ::-1], values, rtol=1e-7)


def test_thresholds_find_cage_and_jump():
    found = choose_thresholds(indicator(hopping(3, 60, 2000, 0.01)))
    assert found.cage_variance == pytest.approx(0.27, rel=0.15)  # the median of a χ² of 12 lies 5 % low
    assert found.jump_length == pytest.approx(3.0, rel=0.07)
    assert found.hop == pytest.approx(max(0.25 * found.jump_length**2, 5 * found.cage_variance), rel=2e-3)
    assert found.stable == pytest.approx(1.75 * found.cage_variance)
    assert "median" in found.rule


def test_given_lengths_and_thresholds_are_kept():
    data = indicator(hopping(3, 10, 500, 0.01))
    assert choose_thresholds(data, jump_length=4.0).hop == pytest.approx(4.0)
    assert choose_thresholds(data, hop=2.5).hop == 2.5


def trajectory_of(paths, spacing_fs=100.0):
    positions = np.ascontiguousarray(np.moveaxis(paths, 2, 0))
    return Trajectory.from_arrays(["Li"] * len(paths), positions, np.eye(3) * 20.0, spacing_fs, wrapped=False)


def test_a_drift_that_was_removed_is_not_seen():
    paths = hopping(4, 3, 200, 0.02)
    both = np.concatenate([paths, np.zeros((2, 3, 200))])
    drift = np.linspace(0, 30, 200)
    positions = np.ascontiguousarray(np.moveaxis(both + drift, 2, 0))
    symbols = ["Li"] * 3 + ["S"] * 2
    moving = Trajectory.from_arrays(symbols, positions, np.eye(3) * 20.0, 100.0, wrapped=False)
    seen = indicator_of(moving.in_reference_frame("framework", ["Li"]), moving.indices("Li"), 0.5)
    np.testing.assert_allclose(seen.values, hop_indicator(paths, 5)[0], atol=1e-8)


@pytest.mark.parametrize(
    ("spacing_fs", "n_frames", "text"),
    [(250.0, 400, "2 in half a window .* too coarse"), (100.0, 15, "found 15 frames")],
)
def test_too_coarse_or_too_short_is_refused(spacing_fs, n_frames, text):
    trajectory = trajectory_of(wandering(5, n_frames=n_frames), spacing_fs)
    with pytest.raises(InputError, match=text):
        indicator_of(trajectory, trajectory.indices("Li"), 0.5)


def test_ions_that_never_move_are_refused():
    with pytest.raises(InputError, match="never move"):
        choose_thresholds(indicator(np.zeros((4, 3, 100))))
