"""The planner: the time it asks for reaches the interval that was asked for."""

import json
import math

import numpy as np
import pytest

from mlip_sse.analysis.results import Estimate, to_json
from mlip_sse.analysis.transport.temperature.arrhenius import fit_arrhenius
from mlip_sse.analysis.transport.temperature.planner import (
    allocate_time,
    plan_activation_energy,
    plan_duration,
    plan_value_at,
)
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K

T = np.array([500.0, 600, 700, 800, 900])
D = np.exp(-7.5 - 0.27 / (BOLTZMANN_EV_PER_K * T))
COST = 0.004 * D.max() / D  # ns: relative variance of a run of 1 ns, counting jumps


def fit_after(time_ns, t=T, d=D, cost=COST):
    return fit_arrhenius(t, [Estimate(float(v), float(r)) for v, r in zip(d, cost / time_ns, strict=True)])


def half_width(interval):
    return (interval.high - interval.low) / (2 * interval.value)


@pytest.mark.parametrize("dof", [math.inf, 12.0])
@pytest.mark.parametrize("wanted", [0.05, 0.2])
def test_a_single_estimate_reaches_the_wish(dof, wanted):
    estimate = Estimate(3e-6, 0.09, dof)
    plan = plan_duration(estimate, 2.0, wanted, temperature_k=500.0)
    later = Estimate(3e-6, 0.09 * 2.0 / (2.0 + plan.total_ns), dof).interval()
    assert half_width(later) == pytest.approx(wanted, rel=1e-3)
    assert plan.expected_half_width == pytest.approx(wanted, rel=1e-3)


def test_four_times_the_time_halves_a_narrow_interval():
    estimate = Estimate(1.0, 0.0004)
    plan = plan_duration(estimate, 1.0, half_width(estimate.interval()) / 2)
    assert plan.total_ns == pytest.approx(3.0, rel=0.01)


def test_cell_size_helps_tracers_only():
    estimate = Estimate(1.0, 0.04)
    assert "mobile ions" in plan_duration(estimate, 1.0, 0.1, n_ions=56).sentence
    assert "would not help" in plan_duration(estimate, 1.0, 0.1, n_ions=56, collective=True).sentence
    assert "nothing more" in plan_duration(estimate, 1.0, 5.0).sentence
    assert plan_duration(estimate, 1.0, 5.0).total_ns == 0.0


@pytest.mark.parametrize("wanted", [0.3, 0.1])
def test_the_value_at_300k_reaches_the_wish(wanted):
    spent = np.full(5, 0.5)
    plan = plan_value_at(fit_after(spent), spent, wanted)
    later = fit_after(spent + np.array(plan.additional_ns)).value_300k
    assert math.sqrt(later.high / later.low) - 1 == pytest.approx(wanted, rel=0.05)  # ψ′ is not quite 1/t
    assert plan.expected_half_width == pytest.approx(wanted, rel=0.01)
    assert "300 K" in plan.sentence


def test_the_activation_energy_reaches_the_wish():
    spent = np.full(5, 0.5)
    plan = plan_activation_energy(fit_after(spent), spent, 0.01)
    later = fit_after(spent + np.array(plan.additional_ns)).activation_energy_ev
    assert (later.high - later.low) / 2 == pytest.approx(0.01, rel=0.05)  # ψ′ is not quite 1/t


def test_the_allocation_is_not_beaten_by_any_other():
    rng = np.random.default_rng(1)
    spent, contrast = np.full(5, 0.2), np.array([1.0, 1.0 / (BOLTZMANN_EV_PER_K * 300.0)])
    X = np.column_stack([np.ones(5), 1.0 / (BOLTZMANN_EV_PER_K * T)])

    def variance(extra):
        M = X.T @ np.diag((spent + extra) / COST) @ X
        return contrast @ np.linalg.inv(M) @ contrast

    best = allocate_time(T, COST, spent, contrast, 10.0)
    assert best.sum() == pytest.approx(10.0)
    assert (best >= 0).all()
    others = min(variance(10.0 * share) for share in rng.dirichlet(np.full(5, 0.3), 5000))
    assert variance(best) <= others * 1.001
    assert variance(best) < 0.9 * variance(np.full(5, 2.0))


def test_without_history_two_temperatures_share_the_time_as_elfving_says():
    # Two points: times proportional to |a_i| sd_i with a the weights of the extrapolation, exact and elementary.
    t, cost = np.array([500.0, 900.0]), np.array([0.04, 0.01])
    x0, (x1, x2) = 1 / 300.0, 1 / t
    a = np.abs([(x0 - x2) / (x1 - x2), (x1 - x0) / (x1 - x2)])
    expected = a * np.sqrt(cost)
    contrast = np.array([1.0, 1.0 / (BOLTZMANN_EV_PER_K * 300.0)])
    got = allocate_time(t, cost, np.full(2, 1e-9), contrast, 1.0)
    np.testing.assert_allclose(got, expected / expected.sum(), rtol=1e-3)


def test_a_colder_temperature_is_proposed_when_it_saves_time():
    hot = np.array([900.0, 1000, 1100, 1200])
    d = np.exp(-7.5 - 0.2 / (BOLTZMANN_EV_PER_K * hot))
    spent, cost = np.full(4, 1.0), 0.01 * d.max() / d
    plan = plan_value_at(fit_after(spent, hot, d, cost), spent, 0.2)
    assert plan.new_temperature_k < 900.0
    assert plan.additional_ns_with_it < 0.8 * plan.total_ns
    assert "new temperature" in plan.sentence
    reached = plan_value_at(fit_after(np.full(4, 1e5), hot, d, cost), np.full(4, 1e5), 0.2)
    assert reached.total_ns == 0.0
    assert reached.new_temperature_k is None
    assert json.loads(to_json(plan))["additional_ns"] == pytest.approx(list(plan.additional_ns))


def test_bad_wishes_are_refused():
    fit = fit_after(np.full(5, 1.0))
    with pytest.raises(InputError, match="half-width"):
        plan_value_at(fit, np.full(5, 1.0), -0.1)
    with pytest.raises(InputError, match="durations"):
        plan_value_at(fit, np.zeros(5), 0.1)
    with pytest.raises(InputError, match="3 durations for 5"):
        plan_value_at(fit, np.ones(3), 0.1)
    with pytest.raises(InputError, match="ask for less"):
        plan_duration(Estimate(1.0, 0.5), 1.0, 1e-6)
    with pytest.raises(InputError, match="ask for less"):
        plan_value_at(fit, np.full(5, 1.0), 1e-7)
    with pytest.raises(InputError, match="more time cures neither"):
        plan_value_at(fit_arrhenius(T, D), np.ones(5), 0.1)
