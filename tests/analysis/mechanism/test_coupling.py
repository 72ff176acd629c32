"""Coupling of reorientations to hops: exact null, uniform p-values, power, hops in space."""

import numpy as np
import pytest

from mlip_sse.analysis.mechanism.cation_hops import CationHops, displacement_hops, hops_between_sites
from mlip_sse.analysis.mechanism.coupling import couple_events, couple_rates, near_pairs
from mlip_sse.analysis.mechanism.jumps import Jumps
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory
from tests.analysis.mechanism.rotating_units import followed_by, poisson_events

SKEWED = np.array([[12.0, 0.0, 0.0], [5.0, 11.0, 0.0], [-4.0, 3.0, 10.0]])


def test_coincidences_and_their_null_are_counted_shift_by_shift():
    rng = np.random.default_rng(1)
    turns, hops = poisson_events(rng, 3, 120, 0.05), poisson_events(rng, 3, 120, 0.1)
    found = couple_events(turns, hops, (10, 110), 2, 100.0, longest_lag=5)
    pairs = [
        (int(a) - 10, int(b) - 10)
        for a, u in zip(*turns, strict=True)
        for b, v in zip(*hops, strict=True)
        if u == v and 10 <= a < 110 and 10 <= b < 110
    ]
    counts = []
    for shift in range(100):
        apart = [(b - (a + shift)) % 100 for a, b in pairs]
        counts.append(sum(min(d, 100 - d) <= 2 for d in apart))
    assert found.n_coincidences == counts[0]
    assert found.expected == pytest.approx(np.mean(counts))
    assert found.p_value == pytest.approx(np.mean([c >= counts[0] for c in counts]))
    assert found.lags_ps == pytest.approx(0.1 * np.arange(-5, 6))


def test_order_of_events_and_names_of_units_mean_nothing():
    rng = np.random.default_rng(2)
    turns, hops = poisson_events(rng, 4, 400, 0.01), poisson_events(rng, 4, 400, 0.02)
    one = couple_events(turns, hops, (0, 400), 5, 100.0)
    order, names = rng.permutation(len(hops[0])), np.array([7, 2, 5, 0])
    mixed = (hops[0][order], names[hops[1][order]])
    other = couple_events((turns[0], names[turns[1]]), mixed, (0, 400), 5, 100.0)
    assert (one.n_coincidences, one.p_value) == (other.n_coincidences, other.p_value)
    assert (one.ratios == other.ratios).all()


@pytest.mark.parametrize("flurries", [False, True])
def test_p_values_are_uniform_when_nothing_is_coupled(flurries):
    rng = np.random.default_rng(3)
    p_values = []
    for _ in range(400):
        turns, hops = poisson_events(rng, 6, 1000, 0.005), poisson_events(rng, 6, 1000, 0.02)
        if flurries:  # both processes cluster in time and hit all units at once, each by itself
            turns = tuple(np.concatenate([part, part + shift]) for part, shift in zip(turns, (3, 0), strict=True))
            hops = np.repeat(hops[0], 6), np.tile(np.arange(6), len(hops[0]))
            turns = tuple(part[turns[0] < 1000] for part in turns)
        p_values.append(couple_events(turns, hops, (0, 1000), 10, 100.0).p_value)
    p_values = np.array(p_values)
    # 400 trials: 5 % ± 1.1 % below 0.05, half ± 2.5 % below a half; at most that, for counts are whole
    assert 0.02 < (p_values <= 0.05).mean() < 0.085
    assert 0.42 < (p_values <= 0.5).mean() < 0.575
    assert abs(p_values.mean() - 0.5) < 0.06


def test_coupling_is_found_with_its_strength_and_lag():
    rng = np.random.default_rng(4)
    seen, covered, excesses = 0, 0, []
    for _ in range(40):
        turns, others = poisson_events(rng, 8, 2000, 0.003), poisson_events(rng, 8, 2000, 0.01)
        after = followed_by(rng, *turns, 2000, 0.5, 10)
        hops = tuple(np.concatenate(pair) for pair in zip(others, after, strict=True))
        found = couple_events(turns, hops, (0, 2000), 10, 100.0)
        seen += found.word == "coupled"
        if found.excess.value is not None:
            excesses.append(found.excess.value)
            covered += found.excess.low < 0.5 < found.excess.high
        assert found.detectable < 0.5
    # half of 48 turns have a hop within 1 ps beyond the 10 that chance puts there: always seen
    assert seen >= 38
    assert np.mean(excesses) == pytest.approx(0.5, abs=0.06)
    assert covered >= 34
    assert found.ratios[found.lags_ps > 0][:8].mean() > found.ratios[found.lags_ps < -1.0].mean() + 0.5


def test_power_is_as_stated():
    rng = np.random.default_rng(5)
    share, detectable, seen = 0.23, [], 0
    for _ in range(100):
        turns, others = poisson_events(rng, 8, 2000, 0.0025), poisson_events(rng, 8, 2000, 0.01)
        after = followed_by(rng, *turns, 2000, share, 8)
        hops = tuple(np.concatenate(pair) for pair in zip(others, after, strict=True))
        found = couple_events(turns, hops, (0, 2000), 10, 100.0)
        detectable.append(found.detectable)
        seen += found.word == "coupled"
    # the effect is about the one that is stated to be seen in 4 of 5 cases; its own count of coupled hops scatters
    assert np.mean(detectable) == pytest.approx(share, rel=0.1)
    assert 65 <= seen <= 92


def test_too_few_events_are_called_that_and_uncoupled_ones_bounded():
    rng = np.random.default_rng(6)
    nothing = np.zeros(0, dtype=np.int64)
    none = couple_events((nothing, nothing), poisson_events(rng, 4, 500, 0.01), (0, 500), 5, 100.0)
    assert (none.word, none.p_value, none.excess.high) == ("not enough events", None, np.inf)
    few = couple_events((np.array([100, 300]), np.array([0, 1])), poisson_events(rng, 4, 500, 0.1), (0, 500), 5, 100.0)
    assert few.word == "not enough events"
    many = couple_events(poisson_events(rng, 8, 3000, 0.004), poisson_events(rng, 8, 3000, 0.01), (0, 3000), 10, 100.0)
    assert many.word == "no coupling seen"
    assert many.excess.value is None
    assert 0 < many.excess.high < 0.5
    with pytest.raises(InputError, match="shorter window"):
        couple_events((nothing, nothing), (nothing, nothing), (0, 50), 10, 100.0)


def test_rates_correlate_where_they_do_and_only_there():
    rng = np.random.default_rng(7)
    p_values, sizes = [], []
    for _ in range(800):
        turning = np.cumsum(rng.standard_normal((5, 203)), axis=1)
        turning = turning[:, 3:] - turning[:, :-3]  # slow enough to look alike from one time to the next
        moving = np.cumsum(rng.standard_normal((5, 203)), axis=1)
        moving = moving[:, 3:] - moving[:, :-3]
        p_values.append(couple_rates(turning, moving, 1.0).p_value)
        sizes.append(couple_rates(turning, moving + 0.5 * turning, 1.0).p_value)
    # 800 trials: 5 % ± 0.8 %, and the mean of uniform ones scatters by 1 %
    assert 0.025 < np.mean(np.array(p_values) <= 0.05) < 0.075
    assert abs(np.mean(p_values) - 0.5) < 0.035
    assert np.mean(np.array(sizes) <= 0.05) > 0.95


def test_rates_are_pearsons_and_lags_have_a_sign():
    rng = np.random.default_rng(8)
    turning = rng.standard_normal((3, 100)) + np.array([[0.0], [5.0], [-2.0]])
    moving = np.roll(turning, 4, axis=1)
    found = couple_rates(turning, moving, 0.5)
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (turning, moving))
    assert found.coefficient.value == pytest.approx((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))
    assert found.lags_ps[np.argmax(found.coefficients)] == pytest.approx(2.0)
    assert found.coefficients.max() == pytest.approx(1.0)
    still = couple_rates(np.zeros((3, 100)), moving, 0.5)
    assert (still.word, still.p_value) == ("not enough events", None)
    assert couple_rates(turning[:, :10], moving[:, :10], 0.5).word == "not enough events"


def test_near_is_measured_to_the_nearest_image_in_a_skewed_cell():
    rng = np.random.default_rng(9)
    places, centres = 3 * rng.random((60, 3)) - 1, 3 * rng.random((60, 4, 3)) - 1
    cells = np.repeat(SKEWED[None], 60, axis=0)
    events, units = near_pairs(places, centres, cells, 4.0)
    shifts = np.array([[i, j, k] for i in range(-4, 5) for j in range(-4, 5) for k in range(-4, 5)])
    twin = {
        (n, u)
        for n in range(60)
        for u in range(4)
        if np.linalg.norm((centres[n, u] - places[n] + shifts) @ SKEWED, axis=1).min() <= 4.0
    }
    assert set(zip(events.tolist(), units.tolist(), strict=True)) == twin
    assert len(twin) > 10
    with pytest.raises(InputError, match="at most half of it"):
        near_pairs(places, centres, cells, 6.0)


def test_hops_by_displacement_are_found_where_and_when_they_are():
    rng = np.random.default_rng(10)
    path = np.zeros((100, 3, 3))
    path[40:, 0] = [3.0, 0, 0]
    path[60:66, 1] = [0, 3.0, 0]  # an excursion shorter than the window
    path[30:, 2] += [0, 0, 3.0]
    path[70:, 2] += [0, 3.0, 0]
    positions = (
        path + np.array([[11.0, 1.0, 1.0], [5.0, 5.0, 5.0], [8.0, 8.0, 9.0]]) + 0.1 * rng.standard_normal(path.shape)
    )
    trajectory = Trajectory.from_arrays(["Li"] * 3, positions, SKEWED, 100.0, wrapped=False)
    hops = displacement_hops(trajectory, np.arange(3), 2.0, 10)
    assert hops.ions.tolist() == [2, 0, 2]
    assert hops.frames == pytest.approx([30, 40, 70], abs=1)
    assert hops.places @ SKEWED == pytest.approx(
        np.array([[8.0, 8.0, 10.5], [12.5, 1.0, 1.0], [8.0, 9.5, 12.0]]), abs=0.2
    )
    with pytest.raises(InputError, match="room for two"):
        displacement_hops(trajectory, np.arange(3), 2.0, 50)


def test_hops_by_displacement_are_their_definition():
    rng = np.random.default_rng(11)
    walk = np.cumsum(0.4 * rng.standard_normal((80, 4, 3)), axis=0)
    trajectory = Trajectory.from_arrays(["Li"] * 4, walk, 20 * np.eye(3), 100.0, wrapped=False)
    hops = displacement_hops(trajectory, np.arange(4), 1.5, 6)
    twin = []
    for ion in range(4):
        moved = np.zeros(80)
        for t in range(6, 75):
            moved[t] = np.linalg.norm(walk[t : t + 6, ion].mean(axis=0) - walk[t - 6 : t, ion].mean(axis=0))
        for t in range(6, 75):
            around = moved[max(0, t - 5) : t + 6]
            if moved[t] > 1.5 and moved[t] == around.max():
                twin.append((t, ion))
    assert sorted(twin) == list(zip(hops.frames.tolist(), hops.ions.tolist(), strict=True))
    assert len(twin) > 5


def test_jumps_between_sites_are_hops_half_way():
    jumps = Jumps(np.array([5]), np.array([2]), np.array([0]), np.array([1]), images=np.array([[1, 0, 0]]))
    hops = hops_between_sites(jumps, np.array([[0.9, 0.5, 0.5], [0.1, 0.5, 0.5]]))
    assert hops.places == pytest.approx(np.array([[1.0, 0.5, 0.5]]))
    with pytest.raises(InputError, match="one for each"):
        CationHops(np.array([1, 2]), np.array([1]), np.zeros((2, 3)))
