"""The straight line: against plain least squares, and its intervals by Monte Carlo."""

import numpy as np
import pytest

from mlip_sse.analysis.transport.temperature.weighted_line import EXCESS_SCATTER_P, fit_weighted_line
from mlip_sse.errors import InputError

SLOPE, AT = np.array([0.0, 1.0]), np.array([1.0, 38.7])
TEMPERATURES = {
    3: [500, 650, 900],
    4: [500, 600, 750, 1000],
    5: [500, 600, 700, 850, 1000],
    9: [500, 550, 600, 650, 700, 800, 900, 1000, 1200],
}
N_REPLICAS = 4000  # binomial error of a 68 % coverage 0.007, of a 95 % coverage 0.0035


def coverages(line, truth):
    for contrast in (SLOPE, AT):
        for confidence in (0.6827, 0.95):
            _, low, high = line.interval(contrast, confidence)
            yield confidence, np.mean((low <= contrast @ truth) & (contrast @ truth <= high))


def assert_calibrated(line, truth):
    for confidence, coverage in coverages(line, truth):
        low, high = (0.64, 0.74) if confidence < 0.9 else (0.92, 0.98)
        assert low <= coverage <= high, f"coverage {coverage:.3f} of a {confidence} interval"


def test_agrees_with_the_normal_equations_written_out():
    rng = np.random.default_rng(1)
    x, y, s2 = rng.uniform(10, 25, 6), rng.normal(size=6), rng.uniform(0.5, 2.0, 6)
    line = fit_weighted_line(x, y, s2)
    X = np.column_stack([np.ones(6), x])
    C = np.linalg.inv(X.T @ np.diag(1 / s2) @ X)
    np.testing.assert_allclose(line.coefficients, C @ X.T @ (y / s2), rtol=1e-8)
    np.testing.assert_allclose(line.covariance, C, rtol=1e-8)
    assert line.chi_squared == pytest.approx(np.sum((y - X @ line.coefficients) ** 2 / s2))


def test_unknown_errors_give_the_textbook_t_interval():
    from scipy import stats

    rng = np.random.default_rng(2)
    x = np.linspace(0, 1, 7)
    y = 1 + 2 * x + 0.1 * rng.normal(size=7)
    reference = stats.linregress(x, y)
    value, low, high = fit_weighted_line(x, y).interval(SLOPE, 0.95)
    assert value == pytest.approx(reference.slope)
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, 5) * reference.stderr)


def test_order_of_points_and_shift_of_origin_change_nothing():
    rng = np.random.default_rng(3)
    x, y, s2, f = rng.uniform(10, 25, 5), rng.normal(size=5), rng.uniform(0.5, 2, 5), rng.uniform(5, 20, 5)
    first = fit_weighted_line(x, y, s2, f).interval(SLOPE, 0.9)
    p = rng.permutation(5)
    np.testing.assert_allclose(fit_weighted_line(x[p], y[p], s2[p], f[p]).interval(SLOPE, 0.9), first, rtol=1e-9)
    np.testing.assert_allclose(fit_weighted_line(x - 15.0, y + 3.0, s2, f).interval(SLOPE, 0.9), first, rtol=1e-9)


@pytest.mark.parametrize("n", [3, 4, 5, 9])
@pytest.mark.parametrize("dof", [np.inf, 20.0, 8.0])
def test_coverage_with_normal_errors(n, dof):
    rng = np.random.default_rng(int(1000 * n + min(dof, 999)))
    x = 1.0 / (8.617333e-5 * np.array(TEMPERATURES[n], dtype=float))
    truth = np.array([-8.0, -0.25])
    s2 = 0.02 * np.exp((x - x.mean()) / np.ptp(x))  # noisier when colder
    y = truth[0] + truth[1] * x + np.sqrt(s2) * rng.normal(size=(N_REPLICAS, n))
    estimated = s2 * (np.ones_like(y) if np.isinf(dof) else rng.chisquare(dof, y.shape) / dof)
    line = fit_weighted_line(x, y, estimated, dof)
    assert_calibrated(line, truth)
    rejected = np.mean(line.p_value < EXCESS_SCATTER_P)
    assert 0.03 < rejected < 0.08  # nominal 0.05


@pytest.mark.parametrize("n", [3, 5])
def test_coverage_when_nobody_gave_errors(n):
    rng = np.random.default_rng(n)
    x = np.linspace(11, 23, n)
    y = 3 - 0.25 * x + 0.1 * rng.normal(size=(N_REPLICAS, n))
    assert_calibrated(fit_weighted_line(x, y), np.array([3.0, -0.25]))


def test_textbook_covariance_would_be_too_narrow():
    # The reason for the Kenward-Roger term: without it nine points with 8 dof cover 0.60 and 0.90.
    rng = np.random.default_rng(11)
    x = np.linspace(11, 23, 9)
    s2 = 0.02 * rng.chisquare(8, (N_REPLICAS, 9)) / 8
    y = 3 - 0.25 * x + np.sqrt(0.02) * rng.normal(size=(N_REPLICAS, 9))
    line = fit_weighted_line(x, y, s2, 8.0)
    naive = fit_weighted_line(x, y, s2)
    error = np.abs(line.predict(SLOPE)[0] + 0.25)
    assert np.mean(error < np.sqrt(naive.covariance[:, 1, 1] / naive.scale)) < 0.62
    assert np.mean(line.covariance[:, 1, 1]) > 1.2 * np.mean(naive.covariance[:, 1, 1] / naive.scale)


def test_scatter_beyond_the_errors_sets_the_scale():
    x = np.linspace(11, 23, 5)
    y = np.array([0.0, 3.0, 0.0, 3.0, 0.0])
    line = fit_weighted_line(x, y, np.full(5, 0.01))
    assert line.scatter_sets_scale
    assert line.predict(SLOPE)[2] == 3
    assert line.scale == pytest.approx(line.chi_squared / 3)


def test_two_points_have_an_interval_only_with_errors():
    x, y = np.array([10.0, 20.0]), np.array([1.0, 2.0])
    assert np.isnan(fit_weighted_line(x, y, np.full(2, 0.1)).p_value)
    with pytest.raises(InputError, match="three without"):
        fit_weighted_line(x, y)
    with pytest.raises(InputError, match="confidence"):
        fit_weighted_line(x, y, np.full(2, 0.1)).interval(SLOPE, 95)
