"""Barriers against softness, recovered from windows that were drawn from known ones."""

import numpy as np
import pytest
from scipy.optimize import minimize

from mlip_sse.analysis.softness.cloglog import dispersion, fit_cloglog
from mlip_sse.analysis.softness.hop_probability import HopWindows, bin_hops, probabilities, softness_edges
from mlip_sse.analysis.softness.thermodynamics import fit_thermodynamics
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K

E0, E1, SIGMA0 = 0.25, 0.05, 2.0
TEMPERATURES = (500.0, 600.0, 700.0, 800.0)


def drawn(seed, temperature_k, sigma1=0.4, n_ions=80, n_each=200, spread=0.0):
    """Windows of ions of constant mean softness that hop with the model's probability, ions a bit different."""
    rng = np.random.default_rng(seed)
    softness = rng.normal(0, 1, (n_ions, 1)) + rng.normal(0, 0.5, (n_ions, n_each))
    level = SIGMA0 - sigma1 * softness - (E0 - E1 * softness) / (BOLTZMANN_EV_PER_K * temperature_k)
    level = level + spread * rng.normal(size=(n_ions, 1))
    hopped = rng.random(softness.shape) < -np.expm1(-np.exp(level))
    groups = np.broadcast_to(np.arange(n_ions)[:, None], softness.shape)
    return HopWindows(temperature_k, softness.ravel(), hopped.ravel(), groups.ravel())


def series(seed, **options):
    return [drawn(100 * seed + k, kelvin, **options) for k, kelvin in enumerate(TEMPERATURES)]


def test_the_fit_maximises_the_likelihood():
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(30), rng.normal(size=30)])
    windows = rng.integers(50, 500, 30).astype(float)
    hops = rng.binomial(windows.astype(int), -np.expm1(-np.exp(design @ [-1.5, 0.6]))).astype(float)

    def minus_log_likelihood(theta):
        p = -np.expm1(-np.exp(design @ theta))
        return -np.sum(hops * np.log(p) + (windows - hops) * np.log1p(-p))

    slow = minimize(minus_log_likelihood, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-9}).x
    best = fit_cloglog(design, windows, hops)
    np.testing.assert_allclose(best, slow, atol=1e-5)
    np.testing.assert_allclose(fit_cloglog(design, windows, hops, np.array([0.0, 0.0])), best, atol=1e-6)
    assert 0.5 < dispersion(design, windows, hops, best) < 1.8  # χ² of 28 over 28, ± 0.27


def test_recovers_barriers_prefactors_and_onset():
    fit = fit_thermodynamics(series(1), 1.0, 0.95, seed=0, n_draws=80)
    for found, true in (
        (fit.energy_ev, E0),
        (fit.energy_slope_ev, E1),
        (fit.prefactor, SIGMA0),
        (fit.prefactor_slope, 0.4),
    ):
        assert found.low < true < found.high
    assert fit.energy_ev.value == pytest.approx(E0, rel=0.1)
    assert fit.onset_k is not None
    assert fit.onset_k.low < E1 / (BOLTZMANN_EV_PER_K * 0.4) < fit.onset_k.high
    # thirds of a normal distribution of standard deviation √1.25 lie 2 · 1.0908 · √1.25 apart
    assert fit.barrier_difference_ev is not None
    assert fit.barrier_difference_ev.low < -E1 * 2 * 1.0908 * np.sqrt(1.25) < fit.barrier_difference_ev.high
    assert fit.dispersion < 1.6
    softest = fit.ranges[-1]
    assert softest.energy_ev is not None
    assert softest.energy_ev.low < E0 - E1 * softest.softness < softest.energy_ev.high


def test_the_onset_is_not_given_where_prefactors_do_not_differ():
    fit = fit_thermodynamics(series(2, sigma1=0.0), 1.0, 0.95, seed=0, n_draws=80)
    assert fit.onset_k is None
    assert any("onset temperature is not resolved" in reason for reason in fit.verdict.reasons)


def test_a_step_in_softness_is_called_no_straight_line():
    parts = []
    for windows in series(3):
        step = HopWindows(windows.temperature_k, np.sign(windows.softness), windows.hopped, windows.groups)
        rng = np.random.default_rng(0)
        level = 2.0 - np.where(step.softness > 0, 0.2, 0.3) / (BOLTZMANN_EV_PER_K * float(windows.temperature_k or 0))
        noisy = step.softness + rng.normal(0, 0.6, step.softness.shape)
        hopped = rng.random(level.shape) < -np.expm1(-np.exp(level))
        parts.append(HopWindows(windows.temperature_k, noisy, hopped, windows.groups))
    fit = fit_thermodynamics(parts, 1.0, 0.95, seed=0, n_draws=60)
    assert fit.dispersion > 2
    assert any("no straight lines" in reason for reason in fit.verdict.reasons)


def test_equal_seeds_give_equal_intervals_and_temperatures_in_any_order():
    parts = series(4)
    one, two = (fit_thermodynamics(parts, 1.0, 0.95, seed=0, n_draws=40) for _ in range(2))
    assert one.energy_ev == two.energy_ev
    turned = fit_thermodynamics(parts[::-1], 1.0, 0.95, seed=0, n_draws=40)
    assert turned.energy_ev.value == pytest.approx(one.energy_ev.value, rel=1e-6)


def test_one_temperature_or_too_few_hops_are_refused():
    with pytest.raises(InputError, match="expected at least two, all known"):
        fit_thermodynamics(series(5)[:1], 1.0, 0.95, seed=0)
    cold = drawn(0, 150.0)
    with pytest.raises(InputError, match="0 hops in 16000 windows at 150 K, expected at least 20"):
        fit_thermodynamics([cold, drawn(1, 600.0)], 1.0, 0.95, seed=0)


def test_bins_hold_everything_once():
    windows = drawn(6, 600.0)
    edges = softness_edges([windows], 6)
    binned = bin_hops(windows, edges)
    assert binned.windows.sum() == len(windows.hopped)
    assert binned.hops.sum() == windows.hopped.sum()
    np.testing.assert_allclose(binned.windows.sum(axis=0), len(windows.hopped) / 6, rtol=0.01)
    assert (np.diff(binned.middles) > 0).all()
    inside = (windows.softness >= edges[2]) & (windows.softness < edges[3])
    found = probabilities(binned, 0.95, 0)[2]
    assert found is not None
    assert found.value == pytest.approx(windows.hopped[inside].mean())


def test_intervals_of_probabilities_know_that_ions_differ():
    same, different = (probabilities(_one_bin(spread), 0.95, 0)[0] for spread in (0.0, 1.0))
    assert same is not None
    assert different is not None
    binomial = 2 * 1.96 * np.sqrt(same.value * (1 - same.value) / 16000)
    assert same.high - same.low == pytest.approx(binomial, rel=0.35)
    assert different.high - different.low > 2 * binomial


def test_without_hops_the_probability_is_bounded():
    found = probabilities(bin_hops(drawn(0, 150.0), np.array([-np.inf, np.inf])), 0.95, 0)[0]
    assert found is not None
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 16000), rel=1e-6)


def _one_bin(spread):
    rng = np.random.default_rng(1)
    level = -2.0 + spread * rng.normal(size=(80, 1))
    hopped = rng.random((80, 200)) < -np.expm1(-np.exp(level))
    groups = np.broadcast_to(np.arange(80)[:, None], hopped.shape)
    return bin_hops(HopWindows(600.0, np.zeros(16000), hopped.ravel(), groups.ravel()), np.array([-np.inf, np.inf]))
