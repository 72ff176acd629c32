"""Limits: how they are read, and what they add to a likelihood."""

import numpy as np
import pytest
from scipy import integrate, stats

from mlip_sse.errors import FormatError, InputError
from mlip_sse.properties.censoring import (
    censored_mean,
    hinge_errors,
    parse_number,
    require_signs,
    tobit_log_likelihood,
    tobit_slopes,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("<1e-10", (1e-10, -1)), ("<1E-8", (1e-8, -1)), ("> 3", (3, 1)), ("≤2.5", (2.5, -1)), ("~4", (4, 0)), (7, (7, 0))],
)
def test_a_cell_is_a_number_and_a_sign(text, expected):
    assert parse_number(text) == expected


@pytest.mark.parametrize("text", ["", "NaN", "n/a", None, "-"])
def test_nothing_is_missing(text):
    value, sign = parse_number(text)
    assert np.isnan(value)
    assert sign == 0


@pytest.mark.parametrize("text", ["abc", "1e", "<", "1 S/cm", "1.2.3"])
def test_a_word_is_no_number(text):
    with pytest.raises(FormatError, match="expected a number"):
        parse_number(text, "row 3")


def test_signs_are_checked():
    assert require_signs(None, 3).tolist() == [0, 0, 0]
    with pytest.raises(InputError, match="expected 2 signs"):
        require_signs([0, 2], 2)


def test_the_likelihood_of_a_limit_is_the_probability_beyond_it():
    y, fitted = np.array([1.0, 1.0, 1.0]), np.array([0.3, 0.3, 0.3])
    found = tobit_log_likelihood(y, np.array([0, -1, 1], dtype=np.int8), fitted, 0.7)
    normal = stats.norm(0.3, 0.7)
    expected = [normal.logpdf(1.0) + 0.5 * np.log(2 * np.pi), normal.logcdf(1.0), normal.logsf(1.0)]
    assert found == pytest.approx(expected, rel=1e-12)


def test_slopes_are_the_derivatives():
    rng = np.random.default_rng(1)
    y, fitted = rng.normal(size=60), rng.normal(size=60) * 3
    signs = rng.integers(-1, 2, 60).astype(np.int8)
    first, second = tobit_slopes(y, signs, fitted, 0.5)
    step = 1e-4
    up, down = (tobit_log_likelihood(y, signs, fitted + sign * step, 0.5) for sign in (1, -1))
    # central differences with a step of 1e-4: an error of 1e-8 of third derivatives of order 10
    assert first == pytest.approx((up - down) / (2 * step), abs=1e-5)
    slopes = [tobit_slopes(y, signs, fitted + sign * step, 0.5)[0] for sign in (1, -1)]
    assert second == pytest.approx(-(slopes[0] - slopes[1]) / (2 * step), abs=1e-4)


def test_what_a_limit_stands_for_is_the_mean_beyond_it():
    normal = stats.norm(-9.0, 0.8)
    below = integrate.quad(lambda x: x * normal.pdf(x), -20, -10)[0] / normal.cdf(-10)
    above = integrate.quad(lambda x: x * normal.pdf(x), -10, 5)[0] / normal.sf(-10)
    found = censored_mean(np.full(3, -10.0), np.array([-1, 1, 0], dtype=np.int8), np.full(3, -9.0), 0.8)
    assert found == pytest.approx([below, above, -10.0], rel=1e-8)
    assert np.isfinite(censored_mean(np.array([-1e4]), np.array([-1], dtype=np.int8), np.zeros(1), 0.01)).all()


def test_a_limit_that_is_kept_is_no_error():
    signs = np.array([0, -1, -1, 1, 1], dtype=np.int8)
    found = hinge_errors(np.zeros(5), signs, np.array([1.0, 1.0, -1.0, 1.0, -1.0]))
    assert found.tolist() == [1.0, 1.0, 0.0, 0.0, -1.0]
