"""Arrhenius, VTF or two regimes: what is found, and how often something is found where nothing is."""

import numpy as np
import pytest

from mlip_sse.analysis.transport.temperature import temperature_models
from mlip_sse.analysis.transport.temperature.temperature_models import TemperatureModel, compare_temperature_models
from mlip_sse.units import BOLTZMANN_EV_PER_K


def straight_line(t, energy):
    return -8.0 - energy / (BOLTZMANN_EV_PER_K * t)


def two_regimes(t, low_energy, high_energy, t_break):
    step = (low_energy - high_energy) / (BOLTZMANN_EV_PER_K * t_break)
    return np.where(t < t_break, straight_line(t, low_energy), straight_line(t, high_energy) - step)


@pytest.mark.parametrize("n", [4, 5, 6, 9])
@pytest.mark.parametrize("energy", [0.15, 0.3, 0.6])
def test_false_alarms_with_known_errors(n, energy):
    rng = np.random.default_rng(100 * n + int(100 * energy))
    t = np.linspace(500, 1000, n)
    variances = np.linspace(0.04, 0.005, n)
    alarms = [
        not compare_temperature_models(
            t, straight_line(t, energy) + np.sqrt(variances) * rng.normal(size=n), variances
        ).is_straight
        for _ in range(600)
    ]
    assert np.mean(alarms) <= 0.05  # nominal 0.03, binomial error 0.007


@pytest.mark.parametrize(("n", "dof"), [(5, None), (6, None), (9, None), (5, 8.0), (9, 8.0)])
def test_false_alarms_with_unknown_or_estimated_errors(n, dof, monkeypatch):
    if dof is not None:
        monkeypatch.setattr(temperature_models, "_N_BOOTSTRAP", 2000)  # every data set has its own: keep the test short
    rng = np.random.default_rng(n)
    t = np.linspace(500, 1000, n)
    n_replicas, alarms = (1000 if dof is None else 120), 0
    for _ in range(n_replicas):
        y = straight_line(t, 0.25) + 0.14 * rng.normal(size=n)
        if dof is None:
            found = compare_temperature_models(t, y)
        else:
            found = compare_temperature_models(t, y, 0.02 * rng.chisquare(dof, n) / dof, dof)
        alarms += not found.is_straight
    assert alarms / n_replicas <= (0.05 if dof is None else 0.075)  # binomial error 0.005 and 0.016


def test_two_regimes_are_found_with_their_break():
    rng = np.random.default_rng(1)
    t = np.array([400.0, 450, 500, 550, 650, 700, 800, 900, 1000])
    y = two_regimes(t, 0.45, 0.2, 600.0) + 0.05 * rng.normal(size=9)
    found = compare_temperature_models(t, y, np.full(9, 0.0025))
    assert found.preferred is not TemperatureModel.ARRHENIUS
    assert found.break_between_k == (550.0, 650.0)
    # the other sign cannot be a VTF law, which only steepens towards low temperature
    y = two_regimes(t, 0.2, 0.45, 600.0) + 0.05 * rng.normal(size=9)
    found = compare_temperature_models(t, y, np.full(9, 0.0025))
    assert found.preferred is TemperatureModel.TWO_REGIMES
    assert found.break_between_k == (550.0, 650.0)
    assert "between 550 and 650 K" in found.reason


def test_a_jump_without_a_change_of_slope_is_two_regimes():
    t = np.linspace(400, 1000, 8)
    y = straight_line(t, 0.25) + np.where(t > 620, 3.0, 0.0)
    found = compare_temperature_models(t, y, np.full(8, 0.01))
    assert found.preferred is TemperatureModel.TWO_REGIMES


def test_vtf_is_found_with_its_temperature():
    rng = np.random.default_rng(2)
    t = np.linspace(300, 500, 9)
    y = -10 - 900 / (t - 200) + 0.05 * rng.normal(size=9)
    found = compare_temperature_models(t, y, np.full(9, 0.0025))
    assert found.preferred is TemperatureModel.VTF
    assert found.vtf_temperature_k == pytest.approx(200, abs=20)
    assert found.to_dict()["preferred"] == "vtf"


def test_residuals_agree_with_scipys_fit():
    from scipy.optimize import curve_fit

    t = np.linspace(300, 500, 7)
    y = -10 - 900 / (t - 200) + 0.1 * np.sin(t)
    found = compare_temperature_models(t, y, np.full(7, 0.01))
    parameters, _ = curve_fit(lambda x, a, b, c: a - b / (x - c), t, y, p0=(-10, 900, 200))
    chi_squared = np.sum((y - parameters[0] + parameters[1] / (t - parameters[2])) ** 2) / 0.01
    # T0 stands on a grid of 2.5 % of the lowest temperature: never better than the optimum, and hardly worse
    assert 0 <= found.bic["vtf"] - 3 * np.log(7) - chi_squared < 0.1 * chi_squared
    straight = np.polyfit(1 / t, y, 1)
    assert found.bic["arrhenius"] - 2 * np.log(7) == pytest.approx(
        np.sum((y - np.polyval(straight, 1 / t)) ** 2) / 0.01
    )


def test_too_few_points_say_so():
    t = np.array([500.0, 600, 800])
    found = compare_temperature_models(t, straight_line(t, 0.3), np.full(3, 0.01))
    assert found.is_straight
    assert found.evidence is None
    assert "at least 4" in found.reason
    assert found.points_needed == {"arrhenius": 2, "vtf": 4, "two_regimes": 4}
    assert compare_temperature_models(t, straight_line(t, 0.3)).points_needed == {
        "arrhenius": 3,
        "vtf": 5,
        "two_regimes": 6,
    }


def test_order_does_not_matter_and_a_break_never_splits_one_temperature():
    rng = np.random.default_rng(4)
    t = np.array([400.0, 500, 500, 600, 700, 700, 800, 900])
    y, v = two_regimes(t, 0.2, 0.5, 550.0) + 0.05 * rng.normal(size=8), np.full(8, 0.0025)
    found, p = compare_temperature_models(t, y, v), rng.permutation(8)
    assert compare_temperature_models(t[p], y[p], v).bic == pytest.approx(found.bic)
    assert found.break_between_k[0] < found.break_between_k[1]
