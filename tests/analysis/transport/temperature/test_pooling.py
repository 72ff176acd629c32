"""Pooling of replicas: against its defining equations and by Monte Carlo."""

import math

import numpy as np
import pytest

from mlip_sse.analysis.results import Estimate, Quality
from mlip_sse.analysis.transport.temperature.arrhenius_points import observe
from mlip_sse.analysis.transport.temperature.pooling import pool_over_temperatures, pool_replicas
from mlip_sse.analysis.transport.temperature.weighted_line import fit_weighted_line
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K


def runs(rng, truth, v, tau, k):
    values = truth * np.exp(tau * rng.normal(size=k)) * rng.gamma(1 / v, v, k)
    return [Estimate(float(d), float(r)) for d, r in zip(values, np.broadcast_to(v, k), strict=True)]


def assert_calibrated(hits):
    for confidence, hit in hits.items():
        low, high = (0.64, 0.74) if confidence < 0.9 else (0.92, 0.98)
        assert low <= np.mean(hit) <= high, f"coverage {np.mean(hit):.3f} of a {confidence} interval"


def test_a_single_run_passes_through():
    one = Estimate(2.0, 0.1, 12.0, "gls")
    pooled = pool_replicas([one])
    assert pooled.estimate is one
    assert pooled.between_within_ratio is None
    assert pooled.verdict.quality is Quality.PASS


def test_solves_the_paule_mandel_equation_and_hartung_knapps_variance():
    rng = np.random.default_rng(0)
    estimates = runs(rng, 1.0, np.array([0.01, 0.02, 0.03, 0.015, 0.02]), 0.5, 5)
    pooled = pool_replicas(estimates)
    y = observe([500.0] * 5, estimates).log_values
    v = np.array([e.log_variance for e in estimates])
    w = 1 / (v + pooled.between_log_sd**2)
    mean = w @ y / w.sum()
    assert w @ (y - mean) ** 2 == pytest.approx(4.0, rel=1e-6)
    back = observe([500.0], [pooled.estimate])
    assert back.log_values[0] == pytest.approx(mean, abs=1e-9)
    assert back.variances[0] == pytest.approx(1 / w.sum(), rel=1e-6)  # q = 1 where tau > 0
    assert pooled.estimate.dof == 4


@pytest.mark.parametrize("k", [3, 5, 8])
@pytest.mark.parametrize("tau", [0.0, 0.15, 0.5])
def test_coverage(k, tau):
    rng = np.random.default_rng(int(10 * k + 100 * tau))
    v = 0.02 * np.geomspace(0.5, 2.0, k)
    hits = {0.6827: [], 0.95: []}
    for _ in range(1000):  # binomial errors 0.015 and 0.007
        estimate = pool_replicas(runs(rng, 1.0, v, tau, k)).estimate
        for confidence, hit in hits.items():
            interval = estimate.interval(confidence)
            hit.append(interval.low < 1.0 < interval.high)
    assert_calibrated(hits)


@pytest.mark.parametrize("ratio", [1.0, 4.0])  # of the variances, that is of the lengths of the runs
@pytest.mark.parametrize("tau", [0.0, 0.15, 0.5])
def test_coverage_of_two_runs(tau, ratio):
    rng = np.random.default_rng(int(10 * ratio + 100 * tau))
    v = 0.02 * np.array([ratio**-0.5, ratio**0.5])
    hits = {0.6827: [], 0.95: []}
    for _ in range(2500):  # binomial errors 0.009 and 0.004; with a ratio of 16 and tau > 0 it is 0.57 to 0.62 and 0.90
        estimate = pool_replicas(runs(rng, 1.0, v, tau, 2)).estimate
        for confidence, hit in hits.items():
            interval = estimate.interval(confidence)
            hit.append(interval.low < 1.0 < interval.high)
    assert_calibrated(hits)


@pytest.mark.parametrize("tau", [0.0, 0.3])
def test_coverage_of_an_activation_energy_from_jointly_pooled_runs(tau):
    rng = np.random.default_rng(int(100 * tau) + 1)
    t = np.array([500.0, 600, 700, 800, 900])
    x = 1 / (BOLTZMANN_EV_PER_K * t)
    hits = {0.6827: [], 0.95: []}
    for _ in range(800):
        points = observe(t, [runs(rng, math.exp(-7 - 0.25 * xi), 0.02, tau, 3) for xi in x])
        line = fit_weighted_line(x, points.log_values, points.variances, points.dof, points.common_scale)
        for confidence, hit in hits.items():
            _, low, high = line.interval(np.array([0.0, -1.0]), confidence)
            hit.append(low < 0.25 < high)
    assert_calibrated(hits)


def test_disagreeing_runs_are_named():
    estimates = [Estimate(d, 0.0025) for d in (1.0, 1.5, 2.2)]
    pooled = pool_replicas(estimates)
    assert pooled.between_within_ratio > 2
    assert pooled.verdict.quality is Quality.WEAK
    assert "differ" in pooled.verdict.reasons[0]
    assert pooled.between_log_sd == pytest.approx(np.std(np.log([1.0, 1.5, 2.2]), ddof=1), rel=0.02)


def test_agreeing_runs_pass_and_two_runs_are_weak():
    pooled = pool_replicas([Estimate(d, 0.01) for d in (1.0, 1.05, 0.96, 1.02)])
    assert pooled.verdict.quality is Quality.PASS
    assert pooled.between_log_sd == 0.0
    two = pool_replicas([Estimate(d, 0.01) for d in (1.0, 1.1)])
    assert "at least three" in two.verdict.reasons[0]
    assert two.to_dict()["quality"] == "weak"


def test_order_and_unit_change_nothing():
    rng = np.random.default_rng(3)
    estimates = runs(rng, 1.0, np.array([0.01, 0.02, 0.05, 0.03]), 0.3, 4)
    first = pool_replicas(estimates).estimate
    second = pool_replicas([e.scaled(1e-6) for e in estimates[::-1]]).estimate
    assert second.value == pytest.approx(1e-6 * first.value, rel=1e-9)
    assert second.relative_variance == pytest.approx(first.relative_variance, rel=1e-7)


def test_temperatures_lend_each_other_degrees_of_freedom():
    rng = np.random.default_rng(4)
    pooled = pool_over_temperatures(
        [runs(rng, 1.0, 0.02, 0.2, 3), runs(rng, 2.0, 0.02, 0.2, 4), runs(rng, 3.0, 0.02, 0.2, 1)]
    )
    assert [p.estimate.dof for p in pooled] == [5.0] * 3
    assert len({p.between_log_sd for p in pooled}) == 1
    assert [p.n_replicas for p in pooled] == [3, 4, 1]


@pytest.mark.parametrize(
    ("estimates", "message"),
    [
        ([], "no replica"),
        ([Estimate(1.0, 0.1), Estimate(1.0, 0.1)], "given twice"),
        ([Estimate(1.0, 0.1), Estimate(1.1, 0.0)], "replica 1 has no error"),
        ([Estimate(1.0, 0.1), Estimate(1.1, 0.1, inverse=True)], "one kind"),
    ],
)
def test_bad_input(estimates, message):
    with pytest.raises(InputError, match=message):
        pool_replicas(estimates)
