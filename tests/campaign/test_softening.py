"""The softening slope: exact where it is known, its interval where it is not, and what is refused."""

import numpy as np
import pytest

from mlip_sse.campaign.softening import softening_of
from mlip_sse.errors import InputError


def frames(n_frames, seed, softness=0.8, noise=0.0, shared=0.0):
    """Return forces of a student that is softer, wrong by noise of its own, and by a factor of each frame."""
    rng = np.random.default_rng(seed)
    teacher = [rng.normal(size=(6, 3)) for _ in range(n_frames)]
    student = [(softness + shared * rng.normal()) * each + noise * rng.normal(size=each.shape) for each in teacher]
    return [["Li"] * 4 + ["S"] * 2] * n_frames, student, teacher


def test_a_student_that_is_softer_by_a_factor_has_that_slope_exactly():
    found = softening_of(*frames(5, 1))
    assert (found.slope.value, found.slope.low, found.slope.high) == pytest.approx((0.8, 0.8, 0.8))
    assert {symbol: each.value for symbol, each in found.per_element.items()} == pytest.approx({"Li": 0.8, "S": 0.8})
    symbols, student, teacher = frames(5, 1)
    for mine in student:
        mine[4:] *= 0.5
    found = softening_of(symbols, student, teacher)
    assert {symbol: each.value for symbol, each in found.per_element.items()} == pytest.approx({"Li": 0.8, "S": 0.4})
    assert 0.4 < found.slope.value < 0.8


@pytest.mark.parametrize(("noise", "shared"), [(0.3, 0.0), (0.1, 0.1)])
def test_the_interval_covers_the_truth_also_where_frames_are_off_as_a_whole(noise, shared):
    """Twelve frames, 600 times; 0.95 is wanted, and three binomial standard errors below what small clusters cost."""
    hits = [
        each.low <= 0.8 <= each.high
        for each in (softening_of(*frames(12, seed, noise=noise, shared=shared)).slope for seed in range(600))
    ]
    assert 0.90 < np.mean(hits) < 0.98


def test_the_order_of_the_frames_does_not_matter():
    symbols, student, teacher = frames(7, 3, noise=0.2)
    first = softening_of(symbols, student, teacher).slope
    again = softening_of(symbols[::-1], student[::-1], teacher[::-1]).slope
    assert (again.value, again.low) == pytest.approx((first.value, first.low), rel=1e-12)


def test_what_has_no_slope_is_refused():
    symbols, student, teacher = frames(3, 4)
    with pytest.raises(InputError, match="at least two"):
        softening_of(symbols[:1], student[:1], teacher[:1])
    with pytest.raises(InputError, match=r"frame 1 has forces \(5, 3\)"):
        softening_of(symbols, [student[0], student[1][:5], student[2]], teacher)
    with pytest.raises(InputError, match="all zero"):
        softening_of(symbols, student, [0 * each for each in teacher])
