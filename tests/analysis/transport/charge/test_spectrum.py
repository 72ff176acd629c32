"""The zero-frequency estimator: intervals that cover, invariances, and refusals."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.signal import lfilter
from scipy.special import gammaincinv

from mlip_sse.analysis.results import Quality
from mlip_sse.analysis.transport.charge.periodogram import Ordinates, periodogram
from mlip_sse.analysis.transport.charge.spectrum import (
    average_candidates,
    candidate_weights,
    fit_candidates,
    zero_frequency_density,
)
from mlip_sse.errors import InputError


def autoregressive(rng, n_replicas, n_frames, d, tau):
    phi = math.exp(-1 / tau)
    warm = int(20 * tau)
    noise = rng.standard_normal((n_replicas, n_frames + warm, d))
    return lfilter([1], [1, -phi], noise, axis=1)[:, warm:], 1 / (1 - phi) ** 2


def white(rng, n_replicas, n_frames, d):
    return rng.standard_normal((n_replicas, n_frames, d)), 1.0


def caged_vibration(rng, n_replicas, n_frames, d, frequency=0.15, damping=0.02, level=0.05):
    """Velocity of a damped oscillator (no DC power) of variance 1 plus slow white hopping."""
    r = math.exp(-2 * math.pi * damping)
    noise = rng.standard_normal((n_replicas, n_frames + 401, d))
    position = lfilter([1], [1, -2 * r * math.cos(2 * math.pi * frequency), r * r], noise, axis=1)[:, 400:]
    velocity = np.diff(position, axis=1)
    return velocity / velocity.std() + math.sqrt(level) * rng.standard_normal((n_replicas, n_frames, d)), level


def back_jumps(rng, n_replicas, n_frames, d, tau=20.0, amplitude=1.5):
    """Increments of a walker that also rattles in a cage with relaxation time tau, plus localisation noise."""
    phi = math.exp(-1 / tau)
    warm = int(20 * tau)
    noise = rng.standard_normal((n_replicas, n_frames + 1 + warm, d))
    position = amplitude * lfilter([1], [1, -phi], noise, axis=1)[:, warm:]
    position = position + rng.standard_normal(position.shape)
    return np.diff(position, axis=1) + rng.standard_normal((n_replicas, n_frames, d)), 1.0


def position_noise(rng, n_replicas, n_frames, d):
    """S(f) = 1 + 16 sin²(πf): a walker seen through localisation noise."""
    position = 2.0 * rng.standard_normal((n_replicas, n_frames + 1, d))
    return np.diff(position, axis=1) + rng.standard_normal((n_replicas, n_frames, d)), 1.0


CASES = {
    "white": (white, {}),
    "ar3": (autoregressive, {"tau": 3.0}),
    "ar10": (autoregressive, {"tau": 10.0}),
    "ar30": (autoregressive, {"tau": 30.0}),
    "vibration": (caged_vibration, {}),
    "position_noise": (position_noise, {}),
    "back_jumps": (back_jumps, {}),
}


def replicate(case, n_replicas, n_frames, d, seed):
    """Return ln(estimate/truth) and its claimed variance for many replicas."""
    generate, options = CASES[case]
    rng = np.random.default_rng(seed)
    chunk = 50 if n_frames > 5000 else 250
    errors, variances = [], []
    for _ in range(n_replicas // chunk):
        series, truth = generate(rng, chunk, n_frames, d, **options)
        candidates = fit_candidates(periodogram(series, 1.0))
        value, variance = average_candidates(candidates, candidate_weights(candidates))
        errors.append(value - math.log(truth))
        variances.append(variance)
    return np.concatenate(errors), np.concatenate(variances)


def coverage(errors, variances, confidence):
    half, upper = 1 / variances, 0.5 * (1 + confidence)
    ratio = np.exp(errors)
    low, high = ratio * half / gammaincinv(half, upper), ratio * half / gammaincinv(half, 1 - upper)
    return float(np.mean((low <= 1) & (high >= 1)))


def assert_covers(case, n_replicas, n_frames, d, seed, n_standard_errors=0):
    """Hold the shares against the bars of the project, widened by standard errors of a share where asked."""
    errors, variances = replicate(case, n_replicas, n_frames, d, seed)
    for level, (low, high) in {0.68: (0.64, 0.74), 0.95: (0.92, 0.98)}.items():
        slack = n_standard_errors * math.sqrt(level * (1 - level) / n_replicas)
        assert low - slack <= coverage(errors, variances, level) <= high + slack, (case, n_frames, level)


@pytest.mark.parametrize("case", [name for name in CASES if name != "back_jumps"])
def test_intervals_cover_in_short_runs(case):
    assert_covers(case, 1000, 2000, 3, seed=7)


@pytest.mark.parametrize("case", ["white", "ar30", "back_jumps"])
def test_intervals_cover_in_long_runs(case):
    assert_covers(case, 300, 20000, 3, seed=8)


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("n_frames", [2000, 20000])
@pytest.mark.parametrize("case", list(CASES))
def test_coverage_table(case, n_frames, d, request):
    if case == "back_jumps" and n_frames == 2000:
        reason = "100 relaxation times do not resolve the rise of the spectrum; the docstring says so"
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True, raises=AssertionError))
    # 52 shares of 1,000 replicas (± 1.5 and ± 0.7 %) of which white noise, truly near 73 %, lies closest to a bar
    assert_covers(case, 1000, n_frames, d, seed=9, n_standard_errors=1)


@pytest.mark.parametrize(("d", "lowest", "highest"), [(1, 0.4, 0.8), (3, 0.1, 0.3)])
def test_back_jumps_that_a_short_run_does_not_resolve_only_raise_the_value(d, lowest, highest):
    errors, _ = replicate("back_jumps", 500, 2000, d, seed=10)
    # mean of ln(estimate/truth) with seed 9: 0.63 and 0.17 ± 0.02; the conductivity is then called weak
    assert lowest <= errors.mean() <= highest


def test_periodogram_of_white_noise_is_flat_with_the_known_noise():
    rng = np.random.default_rng(3)
    ordinates = periodogram(2.0 * rng.standard_normal((2000, 500, 3)), 5.0)
    assert ordinates.densities.mean(axis=0) == pytest.approx(20.0, rel=0.15)  # σ²Δt = 4 × 5; 1/√(2000 κ) ≤ 2 % a bin
    relative = ordinates.densities.var(axis=0) / 20.0**2
    assert relative * ordinates.shapes == pytest.approx(1.0, abs=0.25)  # sd of a variance of 2000 gammas: ≤ 5.5 %


def test_parseval_ties_the_normalisation_to_the_variance():
    series = np.random.default_rng(4).standard_normal((1, 64, 2))
    frequency = np.fft.fftfreq(64, 2.0)
    plain = np.array(
        [
            sum(abs(sum(series[0, t, c] * np.exp(-2j * np.pi * f * 2.0 * t) for t in range(64))) ** 2 for c in range(2))
            for f in frequency
        ]
    )
    plain *= 2.0 / (64 * 2)
    ordinates = periodogram(series, 2.0)
    assert ordinates.densities[0] == pytest.approx(plain[: len(ordinates.shapes)], rel=1e-10)
    assert plain.mean() / 2.0 == pytest.approx((series**2).mean(), rel=1e-12)


def test_fit_agrees_with_a_general_optimiser():
    rng = np.random.default_rng(5)
    n = 30
    xi = np.linspace(0.0, 0.3, n)
    shapes = np.full(n, 3.0)
    density = np.exp(1.0 - 4.0 * xi) * rng.gamma(3.0, 1 / 3.0, n)
    ordinates = Ordinates(xi, xi, density[None], shapes, np.arange(n + 1))
    candidates = fit_candidates(ordinates)
    row = np.flatnonzero((candidates.orders == 3) & (candidates.sizes == n))[0]

    def cost(b):
        eta = b[0] + b[1] * xi + b[2] * xi**2
        return float((shapes * (density * np.exp(-eta) + eta)).sum())

    found = minimize(
        cost, [1.0, -3.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 9999}
    )
    assert candidates.log_values[row, 0] == pytest.approx(found.x[0], abs=1e-5)
    design = np.stack([xi**0, xi, xi**2])
    assert candidates.variances[row] == pytest.approx(np.linalg.inv((design * shapes) @ design.T)[0, 0], rel=1e-9)


def test_invariance_under_rotation_time_reversal_and_units():
    rng = np.random.default_rng(6)
    series = autoregressive(rng, 1, 3000, 3, 5.0)[0][0]
    rotation = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    reference = zero_frequency_density(series, 2.0).estimate
    for other in (series @ rotation, series[::-1], -series):
        assert zero_frequency_density(other, 2.0).estimate.value == pytest.approx(reference.value, rel=1e-6)
    assert zero_frequency_density(10 * series, 2.0).estimate.value == pytest.approx(100 * reference.value, rel=1e-6)
    assert zero_frequency_density(series, 4.0).estimate.value == pytest.approx(2 * reference.value, rel=1e-6)


def test_a_removed_mean_does_not_enter_as_an_ordinate():
    series = white(np.random.default_rng(11), 1, 2000, 3)[0][0]
    found = zero_frequency_density(series - series.mean(axis=0), 1.0).estimate.interval(0.99)
    assert found.low < 1.0 < found.high


@pytest.mark.parametrize(
    ("series", "words"), [(np.ones((12, 3)), "too short"), (np.zeros((500, 3)), "does not fluctuate")]
)
def test_refuses_in_words(series, words):
    result = zero_frequency_density(series, 1.0)
    assert result.estimate is None
    assert result.verdict.quality is Quality.REFUSED
    assert words in result.verdict.reasons[0]
    assert result.to_dict()["zero_frequency_density"] is None


def test_a_drifting_series_is_refused():
    series = np.random.default_rng(2).standard_normal((2000, 3)) + 20.0
    result = zero_frequency_density(series, 1.0)
    assert result.verdict.quality is Quality.REFUSED
    assert "stationary" in result.verdict.reasons[0]


@pytest.mark.parametrize(
    ("series", "words"),
    [
        (np.ones(10), "shape"),
        (np.ones((3, 3)), "at least 4 frames"),
        (np.full((100, 3), np.nan), "NaN"),
    ],
)
def test_bad_input_is_one_line(series, words):
    with pytest.raises(InputError, match=words):
        zero_frequency_density(series, 1.0)
    with pytest.raises(InputError, match="spacing_fs"):
        zero_frequency_density(np.ones((10, 3)), 0.0)
