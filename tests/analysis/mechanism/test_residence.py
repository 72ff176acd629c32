"""Kaplan-Meier against its definition, and the exponential estimate against known rates."""

import numpy as np
import pytest

from mlip_sse.analysis.mechanism.residence import exponential_residence, kaplan_meier, log_rank, residence_time
from mlip_sse.analysis.mechanism.visits import Visits


def twin(durations, ended, entries):
    """Survival by the definition, one time after the other."""
    survival, greenwood, rows = 1.0, 0.0, []
    for time in sorted(set(durations[ended])):
        at_risk = sum(1 for d, e in zip(durations, entries, strict=True) if e < time <= d)
        deaths = sum(1 for d, gone in zip(durations, ended, strict=True) if gone and d == time)
        survival *= 1 - deaths / at_risk
        greenwood += deaths / (at_risk * (at_risk - deaths)) if at_risk > deaths else np.inf
        rows.append((time, survival, greenwood, at_risk))
    return np.array(rows)


@pytest.mark.parametrize("truncated", [False, True])
def test_survival_is_that_of_the_definition(truncated):
    rng = np.random.default_rng(0)
    durations = rng.integers(1, 30, size=80).astype(float)
    ended = rng.random(80) < 0.7
    entries = np.floor(rng.random(80) * durations * 0.5) if truncated else np.zeros(80)
    found = kaplan_meier(durations, ended, entries)
    wanted = twin(durations, ended, entries)
    np.testing.assert_allclose(found.times, wanted[:, 0])
    np.testing.assert_allclose(found.survival, wanted[:, 1], atol=1e-12)
    np.testing.assert_array_equal(found.at_risk, wanted[:, 3])
    # log(-log) band: exp(±1.96 √Greenwood / ln S) as power of S
    inside = (found.survival > 0) & (found.survival < 1)
    power = np.exp(1.959964 * np.sqrt(wanted[inside, 2]) / np.abs(np.log(wanted[inside, 1])))
    np.testing.assert_allclose(found.low[inside], wanted[inside, 1] ** power, rtol=1e-6)


def test_the_textbook_example():
    # Freireich's leukaemia trial, treated arm: S = 0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448
    durations = np.array([6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35], dtype=float)
    ended = np.array([1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], dtype=bool)
    found = kaplan_meier(durations, ended)
    np.testing.assert_allclose(found.survival, [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], atol=5e-4)
    assert found.quantile().value == 23


def test_dropping_edge_runs_would_be_too_short_and_censoring_is_not():
    rng = np.random.default_rng(1)
    times = rng.exponential(100.0, size=4000)
    seen = np.minimum(times, 60.0)
    found = exponential_residence(float(seen.sum()), int((times < 60).sum()))
    assert found.low < 100.0 < found.high
    assert seen[times < 60].mean() < 30  # what dropping gives
    assert exponential_residence(50.0, 0).value is None
    assert exponential_residence(50.0, 0).low == pytest.approx(50.0 / 3.689, rel=1e-3)


def test_log_rank_is_uniform_for_one_law_and_sees_two():
    rng = np.random.default_rng(2)
    group = np.arange(120) < 50
    same = [log_rank(rng.exponential(1.0, 120), np.ones(120, bool), group) for _ in range(200)]
    assert np.mean(np.array(same) < 0.1) == pytest.approx(0.1, abs=0.065)  # 3 σ of 200 draws
    assert log_rank(rng.exponential(np.where(group, 1.0, 3.0)), np.ones(120, bool), group) < 1e-3


def test_visits_at_the_edges_are_kept():
    starts = np.array([0, 40, 0])
    found = Visits.from_arrivals(np.array([0, 0, 1]), np.array([0, 0, 0]), starts, np.zeros((3, 3), int), 2, 100, 1)
    stay = residence_time(found, np.ones(3, bool), "A", 10.0)
    assert (stay.n_visits, stay.n_exits) == (3, 1)
    assert stay.time.value == pytest.approx(2000.0)
