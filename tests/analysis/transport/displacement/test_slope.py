"""The slope of an MSD: exact lines, the best linear estimate, and errors that equal the true scatter."""

import numpy as np
import pytest

from mlip_sse.analysis.transport.displacement.displacements import displacement_moments
from mlip_sse.analysis.transport.displacement.lags import log_lags
from mlip_sse.analysis.transport.displacement.slope import block_error, fit_slope, window_indices
from mlip_sse.analysis.transport.displacement.time_bins import time_bins
from mlip_sse.errors import InputError
from tests.analysis.transport import walkers

LAGS = log_lags(1000, 60, longest=400)


def test_a_straight_line_is_found_exactly():
    fit = fit_slope(LAGS, 0.5 + 0.25 * LAGS, 10, 1000, 20)
    assert (fit.slope, fit.intercept) == pytest.approx((0.25, 0.5), rel=1e-9)
    assert fit.chi2 == pytest.approx(0.0, abs=1e-9)


def test_the_weights_make_the_slope_and_ignore_a_constant():
    rng = np.random.default_rng(0)
    msd = 0.5 + 0.25 * LAGS + rng.normal(scale=0.1, size=LAGS.size)
    fit = fit_slope(LAGS, msd, 10, 1000, 20)
    assert fit.weights @ msd[fit.indices] == pytest.approx(fit.slope, rel=1e-12)
    assert fit.weights.sum() == pytest.approx(0.0, abs=1e-12)
    assert fit.weights @ fit.lags == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(
    ("make", "n_ions"),
    [
        pytest.param(lambda rng: walkers.brownian(rng, 20, 1000), 20, id="independent"),
        pytest.param(lambda rng: walkers.strings(rng, 24, 1000, 6), 24, id="strings of six"),
    ],
)
def test_block_and_model_error_against_the_scatter_of_many_runs(make, n_ions):
    rng = np.random.default_rng(4)
    slopes, model, blocks = [], [], []
    for _ in range(300):
        positions = make(rng)
        msd = displacement_moments(positions, LAGS).msd
        fit = fit_slope(LAGS, msd, 5, 1000, n_ions)
        slopes.append(fit.slope)
        model.append(fit.variance)
        blocks.append(block_error(time_bins(positions, LAGS, 64), fit).variance)
    true = np.std(slopes)
    assert np.mean(slopes) == pytest.approx(3.0, rel=4 * true / 3.0 / 300**0.5)
    # a standard deviation from 300 runs is known to 4 %
    assert np.mean(blocks) ** 0.5 == pytest.approx(true, rel=0.15)
    correlation = np.mean(model) ** 0.5 / true
    expected = 1.0 if n_ions == 20 else 6**-0.5
    assert correlation == pytest.approx(expected, rel=0.15)


def test_too_few_blocks_are_no_error():
    positions = walkers.brownian(np.random.default_rng(1), 4, 200)
    lags = log_lags(200, 40)
    fit = fit_slope(lags, displacement_moments(positions, lags).msd, 20, 200, 4)
    assert block_error(time_bins(positions, lags, 64), fit).dof == 0.0


def test_a_window_holds_between_three_and_twenty_four_lags():
    assert len(window_indices(LAGS, 1)) >= 3
    assert len(window_indices(np.arange(1, 500), 100)) <= 24
    with pytest.raises(InputError, match="needs three lags, the longest computed lag is 400"):
        window_indices(LAGS, 399)
