"""Arrhenius fits of estimates: calibration through the public function, refusals, names."""

import dataclasses
import json
import math

import numpy as np
import pytest

from mlip_sse.analysis.results import Estimate, Quality, to_json
from mlip_sse.analysis.transport.temperature.activation import analyze_arrhenius
from mlip_sse.analysis.transport.temperature.arrhenius import fit_arrhenius
from mlip_sse.analysis.transport.temperature.arrhenius_points import Quantity, observe
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K

ENERGY, LOG_D0 = 0.27, -7.5
GRID = {3: [500, 650, 900], 4: [500, 600, 700, 900], 5: [450, 500, 600, 700, 900], 9: list(range(450, 900, 50))}


def exact(t):
    return np.exp(LOG_D0 - ENERGY / (BOLTZMANN_EV_PER_K * np.asarray(t, dtype=float)))


def estimates(t, relative_variance=0.01, dof=math.inf):
    return [Estimate(float(d), relative_variance, dof) for d in exact(t)]


@pytest.mark.parametrize(("n", "relative_variance"), [(3, 0.1), (4, 0.02), (5, 0.1), (9, 0.1)])
def test_coverage_for_chi_squared_diffusivities(n, relative_variance):
    rng = np.random.default_rng(n)
    t, n_replicas = np.array(GRID[n], dtype=float), 600
    hits = {0.6827: [], 0.95: []}
    d300 = exact([300.0])[0]
    for _ in range(n_replicas):
        noisy = exact(t) * rng.gamma(1 / relative_variance, relative_variance, n)
        fit = fit_arrhenius(t, [Estimate(d, relative_variance) for d in noisy])
        if fit.line is None:
            continue  # a false alarm of the curvature test, 3 %
        for confidence, hit in hits.items():
            same = dataclasses.replace(fit, confidence=confidence)
            energy, value = same.activation_energy_ev, same.value_300k
            hit.append((energy.low < ENERGY < energy.high, value.low < d300 < value.high))
    assert len(hits[0.95]) > 0.93 * n_replicas
    for coverage in np.mean(hits[0.6827], axis=0):
        assert 0.64 <= coverage <= 0.74  # binomial error 0.019
    for coverage in np.mean(hits[0.95], axis=0):
        assert 0.92 <= coverage <= 0.98  # binomial error 0.009


def test_bias_of_the_logarithm_is_removed():
    rng = np.random.default_rng(7)
    r = 0.2  # nu = 10, the few degrees of freedom of a collective diffusivity
    t = np.full(20000, 500.0)
    d = rng.gamma(1 / r, r, t.size)
    logs = observe(t, [Estimate(float(v), r) for v in d]).log_values
    assert abs(logs.mean()) < 5 * math.sqrt(0.22 / t.size)
    assert abs(np.log(d).mean()) > 0.09  # what it would have been: r/2
    inverse = observe(t, [Estimate(float(1 / v), r, inverse=True) for v in d]).log_values
    np.testing.assert_allclose(inverse, -logs, rtol=1e-9, atol=1e-12)


def test_noise_free_points_return_the_truth():
    t = GRID[5]
    fit = fit_arrhenius(t, estimates(t, 1e-8))
    assert fit.activation_energy_ev.value == pytest.approx(ENERGY, rel=1e-6)
    assert fit.log_prefactor.value == pytest.approx(LOG_D0, abs=1e-5)
    assert fit.value_300k.value == pytest.approx(exact([300.0])[0], rel=1e-5)
    assert fit.verdict.quality is Quality.PASS


def test_conductivity_is_fitted_as_ln_sigma_t():
    t = np.array(GRID[5], dtype=float)
    sigma = 1e10 * exact(t) / t
    fit = fit_arrhenius(t, sigma, standard_errors=0.05 * sigma, quantity="conductivity_ms_cm")
    assert fit.activation_energy_ev.value == pytest.approx(ENERGY, rel=1e-9)
    assert fit.value_300k.value == pytest.approx(1e10 * exact([300.0])[0] / 300.0, rel=1e-9)
    assert fit.to_dict()["form"] == "ln(sigma T)"
    wrong = fit_arrhenius(t, sigma, standard_errors=0.05 * sigma).activation_energy_ev.value  # ln sigma
    assert 0.03 < ENERGY - wrong < 0.08  # about k_B T


def test_curve_and_band_pass_through_the_evaluated_points():
    t = GRID[5]
    fit = fit_arrhenius(t, estimates(t, 0.02))
    curve = fit.curve(np.array([300.0, 600.0]))
    at = fit.evaluate(300.0)
    assert (curve.value[0], curve.low[0], curve.high[0]) == (at.value, at.low, at.high)
    assert curve.high[0] / curve.low[0] > curve.high[1] / curve.low[1] > 1
    assert at.value / at.low == pytest.approx(at.high / at.value)  # symmetric in the logarithm
    assert at.value - at.low < at.high - at.value


def test_one_temperature_is_refused():
    for values in (estimates([500.0]), estimates([500.0, 500.0])):
        fit = fit_arrhenius([500.0] * len(values), values)
        assert fit.verdict.quality is Quality.REFUSED
        assert "at least two temperatures" in fit.verdict.reasons[0]
        assert fit.activation_energy_ev is None
        assert fit.value_300k is None
        with pytest.raises(InputError, match="no Arrhenius line"):
            fit.evaluate(300.0)


def test_two_temperatures_need_errors_and_stay_weak():
    t = [500.0, 700.0]
    fit = fit_arrhenius(t, estimates(t))
    assert fit.verdict.quality is Quality.WEAK
    assert fit.activation_energy_ev.value == pytest.approx(ENERGY, rel=1e-3)
    assert fit_arrhenius(t, exact(t)).verdict.quality is Quality.REFUSED


def test_hot_or_scarce_temperatures_are_weak_with_the_reason():
    hot = [800.0, 900.0, 1000.0, 1200.0]
    assert any("700 K" in r for r in fit_arrhenius(hot, estimates(hot)).verdict.reasons)
    few = [500.0, 600.0, 700.0]
    assert any("at least 4" in r for r in fit_arrhenius(few, estimates(few)).verdict.reasons)


def test_an_extrapolation_that_carries_nothing_says_so():
    t = [600.0, 620.0, 640.0, 660.0]
    fit = fit_arrhenius(t, estimates(t, 0.1))
    assert any("do not carry to 300 K" in r for r in fit.verdict.reasons)


def test_scatter_beyond_the_errors_widens_and_is_named():
    t = np.array([450.0, 520, 600])
    d = exact(t) * np.exp([0.1, -0.2, 0.1])
    proud = fit_arrhenius(t, d, standard_errors=0.05 * d)
    assert proud.verdict.quality is Quality.WEAK
    assert any("points scatter more" in r for r in proud.verdict.reasons)
    assert "scaled by the scatter" in proud.activation_energy_ev.method
    honest = fit_arrhenius(t, d, standard_errors=0.2 * d)
    assert not any("scatter" in r for r in honest.verdict.reasons)
    assert proud.activation_energy_ev.high - proud.activation_energy_ev.low > (
        honest.activation_energy_ev.high - honest.activation_energy_ev.low
    )


def step_estimates(t, t_break, low_energy=0.55, high_energy=0.25):
    t = np.asarray(t, dtype=float)
    shift = (low_energy - high_energy) / (BOLTZMANN_EV_PER_K * t_break)
    log_d = np.where(
        t < t_break, -low_energy / (BOLTZMANN_EV_PER_K * t) + shift, -high_energy / (BOLTZMANN_EV_PER_K * t)
    )
    jump = np.where(t < t_break, -1.0, 0.0)
    return [Estimate(float(d), 0.0025) for d in np.exp(log_d + jump - 7.0)]


def test_extrapolation_across_a_transition_is_refused():
    t = [450.0, 500, 600, 650, 700, 800, 900]
    fit = fit_arrhenius(t, step_estimates(t, 550.0))
    assert fit.verdict.quality is Quality.REFUSED
    assert "would cross it" in fit.verdict.reasons[0]
    assert fit.value_300k is None
    assert [(r.from_k, r.to_k, r.n_points) for r in fit.regimes] == [(450.0, 500.0, 2), (600.0, 900.0, 5)]
    assert fit.regimes[1].activation_energy_ev.value == pytest.approx(0.25, abs=0.01)


def test_the_low_branch_carries_the_extrapolation_when_it_can():
    t = [400.0, 450, 500, 540, 600, 700, 800, 900]
    fit = fit_arrhenius(t, step_estimates(t, 570.0))
    assert fit.verdict.quality is Quality.WEAK
    assert "only the 4 points up to 540 K were used" in fit.verdict.reasons[0]
    assert fit.used.tolist() == [True] * 4 + [False] * 4
    assert fit.activation_energy_ev.value == pytest.approx(0.55, abs=0.01)
    assert fit.value_300k is not None
    with pytest.raises(InputError, match="beyond a transition"):
        fit.evaluate(700.0)


def test_a_bent_plot_has_no_activation_energy():
    t = np.linspace(300, 500, 9)
    d = np.exp(-10 - 900 / (t - 200))
    fit = fit_arrhenius(t, d, standard_errors=0.05 * d)
    assert fit.verdict.quality is Quality.REFUSED
    assert "VTF" in fit.verdict.reasons[0]
    assert fit.activation_energy_ev is None


def test_names_that_scripts_rely_on():
    t = GRID[5]
    result = analyze_arrhenius(t, estimates(t), [e.scaled(1e9) for e in estimates(t)])
    plain = json.loads(to_json(result))
    for name in ("activation_energy_ev", "conductivity_300k_ms_cm", "diffusivity_300k_cm2_s"):
        assert set(plain[name]) == {"value", "low", "high", "confidence", "method"}
        assert plain[name]["low"] < plain[name]["value"] < plain[name]["high"]
    assert plain["quality"] == "pass"
    assert plain["reasons"] == []
    assert "diffusivity_300k_cm2_s" in plain["fits"]["diffusivity_cm2_s"]
    assert "conductivity_300k_ms_cm" in plain["fits"]["conductivity_ms_cm"]
    refused = json.loads(to_json(analyze_arrhenius([500.0], estimates([500.0]))))
    assert refused["activation_energy_ev"] is None
    assert refused["quality"] == "refused"
    assert refused["reasons"][0].startswith("ln D: ")


def test_invariance_under_order_and_unit():
    rng = np.random.default_rng(5)
    t = np.array(GRID[9], dtype=float)
    d = exact(t) * rng.gamma(50, 0.02, t.size)
    p = rng.permutation(t.size)
    first = fit_arrhenius(t, d, standard_errors=0.1 * d)
    second = fit_arrhenius(t[p], 1e4 * d[p], standard_errors=1e3 * d[p])
    assert second.activation_energy_ev.value == pytest.approx(first.activation_energy_ev.value, rel=1e-9)
    assert second.activation_energy_ev.low == pytest.approx(first.activation_energy_ev.low, rel=1e-9)


@pytest.mark.parametrize(
    ("t", "d", "errors", "message"),
    [
        ([500.0, 600.0], [1e-6], None, "one value for each"),
        ([500.0, -600.0], [1e-6, 1e-6], None, "temperature 1 is -600"),
        ([500.0, 600.0], [1e-6, 0.0], None, "value 1 is 0"),
        ([500.0, 600.0], [1e-6, np.nan], None, "value 1 is nan"),
        ([500.0, 600.0], [1e-6, 1e-6], [0.0, 1e-7], "error of point 0 is zero"),
        ([500.0, 600.0], [1e-6, 1e-6], [1e-7], "1 standard errors for 2"),
        ([500.0, 600.0], [Estimate(1e-6, 0.1)], None, "1 estimates for 2"),
        ([500.0, 600.0], [Estimate(1e-6, 0.0)] * 2, None, "zero"),
    ],
)
def test_bad_input_is_one_line(t, d, errors, message):
    with pytest.raises(InputError, match=message) as caught:
        fit_arrhenius(t, d, standard_errors=errors)
    assert "\n" not in str(caught.value)


def test_neither_diffusivity_nor_conductivity():
    with pytest.raises(InputError, match="neither"):
        analyze_arrhenius([500.0, 600.0])
    with pytest.raises(ValueError, match="speed"):
        Quantity("speed")


def test_replicas_enter_as_lists_and_their_troubles_are_named():
    rng = np.random.default_rng(8)
    t = np.array(GRID[5], dtype=float)
    groups = [[Estimate(float(d * g), 0.01) for g in rng.gamma(100, 0.01, 3)] for d in exact(t)]
    fit = fit_arrhenius(t, groups)
    assert fit.observations.common_scale
    assert fit.observations.dof.tolist() == [10.0] * 5
    energy = fit.activation_energy_ev
    assert energy.low < ENERGY < energy.high
    groups[2][0] = groups[2][0].scaled(3.0)
    assert any(r.startswith("600 K: 3 replicas differ") for r in fit_arrhenius(t, groups).verdict.reasons)
    with pytest.raises(InputError, match="entry 1 is"):
        fit_arrhenius(t[:2], [groups[0], [1.0]])
