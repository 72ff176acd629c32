"""Reorientation events: known jumps, excursions, libration, free rotation."""

import numpy as np
import pytest

from mlip_sse.analysis.mechanism.reorientations import find_reorientations
from tests.analysis.mechanism.rotating_units import TURNS, jumping, multiply, small_rotations, tumbling

STILL = np.array([1.0, 0.0, 0.0, 0.0])


def states(*runs):
    """One unit that holds each orientation for some frames."""
    return np.concatenate([np.repeat(np.asarray(q, dtype=float)[None], n, axis=0) for q, n in runs])[None]


def test_a_jump_is_dated_at_its_first_frame_and_has_its_angle():
    found = find_reorientations(states((STILL, 30), (TURNS[0], 25), (TURNS[8], 25)), np.array([80]), 10)
    assert (found.frames.tolist(), found.units.tolist()) == ([30, 55], [0, 0])
    assert found.angles_deg == pytest.approx([120.0, 120.0], abs=1e-4)
    assert (found.states[0] == np.repeat([0, 1, 2], [30, 25, 25])).all()
    assert found.libration_deg2[0] == pytest.approx(0, abs=1e-5)


def test_an_excursion_shorter_than_the_residence_is_none_and_a_return_is_marked():
    brief = states((STILL, 30), (TURNS[0], 6), (STILL, 30))
    assert len(find_reorientations(brief, np.array([66]), 10)) == 0
    back = find_reorientations(states((STILL, 30), (TURNS[0], 20), (STILL, 30)), np.array([80]), 10)
    assert (back.frames.tolist(), back.returned.tolist()) == ([30, 50], [False, True])


def test_the_sign_of_a_quaternion_means_nothing():
    path = states((STILL, 30), (TURNS[3], 30))
    path[0, ::2] *= -1
    assert find_reorientations(path, np.array([60]), 10).frames.tolist() == [30]


def test_small_turns_are_not_jumps_and_slow_ones_are_dated_half_way():
    angles = np.radians(np.concatenate([np.zeros(40), np.linspace(0, 120, 21), np.full(40, 120.0)]))
    path = small_rotations(angles[:, None] * np.array([0.0, 0.0, 1.0]))[None]
    assert find_reorientations(path, np.array([101]), 10).frames.tolist() == pytest.approx([50], abs=2)
    small = small_rotations(angles[:, None] / 2.4 * np.array([0.0, 0.0, 1.0]))[None]
    assert len(find_reorientations(small, np.array([101]), 10)) == 0


def test_libration_is_the_root_mean_square_angle():
    rng = np.random.default_rng(1)
    quaternions, _, _ = jumping(rng, 6, 2000, 0.0, libration_deg=12.0)
    found = find_reorientations(quaternions, np.full(6, 2000), 10)
    assert len(found) == 0
    # 12,000 independent angles of a three-dimensional Gaussian: 0.4 % for the root mean square
    assert np.sqrt(found.libration_deg2.mean()) == pytest.approx(12.0, rel=0.02)


def test_jumps_of_many_librating_units_are_all_found():
    rng = np.random.default_rng(2)
    quaternions, frames, units = jumping(rng, 20, 3000, 0.002, libration_deg=12.0)
    found = find_reorientations(quaternions, np.full(20, 3000), 10)
    true = {(t, u) for t, u in zip(frames, units, strict=True)}
    seen = {(t, u) for t, u in zip(found.frames, found.units, strict=True)}
    # 120 jumps; one in fifty follows another, or the end, within the residence of 10 frames, and neither is then seen
    assert len(seen - true) <= 0.05 * len(true)
    assert len(true & seen) >= 0.93 * len(true)


def test_what_turns_freely_never_settles():
    quaternions = tumbling(np.random.default_rng(3), 5, 500, 0.2)
    found = find_reorientations(quaternions, np.full(5, 500), 10)
    assert found.n_settled.sum() < 0.05 * 2500


def test_nothing_is_seen_beyond_the_end_of_a_unit():
    path = states((STILL, 30), (TURNS[0], 30))
    assert len(find_reorientations(path, np.array([35]), 10)) == 0


def test_turning_the_laboratory_changes_nothing():
    rng = np.random.default_rng(4)
    quaternions, _, _ = jumping(rng, 4, 800, 0.004, libration_deg=10.0)
    ends = np.full(4, 800)
    one = find_reorientations(quaternions, ends, 10)
    other = find_reorientations(multiply(np.array([0.5, -0.5, 0.5, 0.5]), quaternions), ends, 10)
    assert len(one) > 5
    assert (one.frames == other.frames).all()
    assert (one.states == other.states).all()
