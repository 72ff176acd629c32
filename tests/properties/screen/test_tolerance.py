"""Tolerance factors against published values."""

import math

import pytest

from mlip_sse.errors import InputError
from mlip_sse.properties.screen.enumeration import Candidate
from mlip_sse.properties.screen.families import Ion, family_of
from mlip_sse.properties.screen.stages import Tolerance
from mlip_sse.properties.screen.tolerance import antiperovskite_tolerance, garnet_tolerance

PUBLISHED = {
    ("Y3+", "Te6+", "Li+"): 0.836,
    ("Pr3+", "Te6+", "Li+"): 0.751,
    ("Nd3+", "Te6+", "Li+"): 0.765,
    ("Lu3+", "Te6+", "Li+"): 0.866,
    ("Nd3+", "W6+", "Li+"): 0.823,
    ("Y3+", "Al3+", "Al3+"): 0.893,
    ("Gd3+", "Al3+", "Al3+"): 0.863,
    ("Lu3+", "Al3+", "Al3+"): 0.928,
    ("Y3+", "Sc3+", "Al3+"): 1.186,
}
"""Of Song, Zhou and Liu (2019), table S1 of the supporting information, to its three digits."""


def garnet(a, b, c):
    filled = {"A": ((Ion.parse(a), 3.0),), "B": ((Ion.parse(b), 2.0),), "C": ((Ion.parse(c), 3.0),)}
    return Candidate(family_of("garnet"), {**filled, "X": ((Ion.parse("O2-"), 12.0),)}, 0.0)


@pytest.mark.parametrize(("ions", "tau"), PUBLISHED.items(), ids=lambda each: str(each))
def test_garnets_have_the_published_factor(ions, tau):
    (outcome,) = Tolerance(0.7, 1.3).judge([garnet(*ions)])
    assert outcome.reason is None
    assert outcome.numbers["tolerance_factor"] == pytest.approx(tau, abs=1.1e-3)  # rounding of table and of radii


def test_factor_by_the_geometry_written_out():
    a, b, c, x = 1.16, 0.72, 0.59, 1.38
    by_hand = 1.5 * math.sqrt((b + x) ** 2 - (2 / 3 * (a + x)) ** 2) / (c + x)
    assert garnet_tolerance(a, b, c) == pytest.approx(by_hand)
    assert garnet_tolerance(2 * a, 2 * b, 2 * c, 2 * x) == pytest.approx(by_hand)  # a ratio: the unit does not matter
    assert math.isnan(garnet_tolerance(2.4, 0.4, 0.5))


def test_antiperovskites_have_goldschmidts_factor():
    # Ions that just touch along both the edge and the face diagonal: r_X + r_B = √2 (r_X + r_A).
    assert antiperovskite_tolerance(0.7, 0.5, math.sqrt(2) * 1.2 - 0.7) == pytest.approx(1.0)
    # Zhao and Daemen (2012) quote 0.84 for Li3OCl.
    assert antiperovskite_tolerance(0.76, 1.40, 1.81) == pytest.approx(0.84, abs=5e-3)


def test_a_radius_must_be_positive():
    with pytest.raises(InputError, match="found an ionic radius of -1"):
        garnet_tolerance(1.0, -1.0, 0.5)
