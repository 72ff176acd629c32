"""Bounds against order statistics, and against the coverage they promise, with atoms that err together."""

import json
import math

import numpy as np
import pytest

from mlip_sse.errors import FormatError, InputError
from mlip_sse.potentials.uncertainty import (
    ConformalMap,
    ErrorScale,
    GradeAlarm,
    calibrate,
    calibrate_alarm,
    fit_error_scale,
    measure_coverage,
)
from mlip_sse.potentials.uncertainty.correlated import binomial_interval, effective_count


def atoms(rng, n, n_clusters=None, shared=0.0):
    """Return errors that grow with a known scale, Li twice as large as S; clusters share a factor."""
    elements = rng.choice(["Li", "S"], n)
    scores = rng.uniform(0.02, 0.3, n)
    clusters = np.arange(n) if n_clusters is None else np.sort(rng.integers(0, n_clusters, n))
    factor = np.exp(shared * rng.normal(size=clusters.max() + 1))[clusters]
    errors = scores * np.where(elements == "Li", 2.0, 1.0) * np.linalg.norm(rng.normal(size=(n, 3)), axis=1) * factor
    return errors, scores, elements, clusters


def test_quantile_is_the_order_statistic_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    errors, scores, _, _ = atoms(rng, 199)
    found = calibrate(errors, scores, ["Li"] * 199, coverage=0.9)
    assert found.quantiles["Li"] == np.sort(errors / scores)[math.ceil(200 * 0.9) - 1]
    assert found.pooled == found.quantiles["Li"]


def test_promise_holds_on_average_and_for_each_element() -> None:
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(200):
        errors, scores, elements, _ = atoms(rng, 400)
        bound = calibrate(errors, scores, elements)
        new, new_scores, new_elements, _ = atoms(rng, 400)
        report = measure_coverage(new, bound.bounds(new_scores, new_elements), new_elements)
        shares.append([report.by_element["Li"].share, report.by_element["S"].share])
    # The mean over 200 calibrations of 200 atoms has a standard error of about 0.2 %; the promise is 90 to 90.5 %.
    assert np.mean(shares, axis=0) == pytest.approx([0.9025, 0.9025], abs=0.008)


def test_bounds_do_not_depend_on_the_unit_of_the_score() -> None:
    errors, scores, elements, _ = atoms(np.random.default_rng(2), 300)
    plain, scaled = calibrate(errors, scores, elements), calibrate(errors, 1000 * scores, elements)
    np.testing.assert_allclose(plain.bounds(scores, elements), scaled.bounds(1000 * scores, elements), rtol=1e-12)


def test_order_of_atoms_does_not_matter() -> None:
    errors, scores, elements, clusters = atoms(np.random.default_rng(3), 500, n_clusters=60, shared=0.5)
    order = np.random.default_rng(4).permutation(500)
    first = calibrate(errors, scores, elements, clusters=clusters)
    second = calibrate(errors[order], scores[order], elements[order], clusters=clusters[order])
    assert first.quantiles == second.quantiles


def test_atoms_that_err_together_count_less_and_widen_the_bound() -> None:
    errors, scores, elements, clusters = atoms(np.random.default_rng(5), 4000, n_clusters=40, shared=1.0)
    blind = calibrate(errors, scores, elements)
    seeing = calibrate(errors, scores, elements, clusters=clusters)
    assert seeing.n_effective["Li"] < 0.2 * seeing.n_atoms["Li"]
    assert seeing.quantiles["Li"] > blind.quantiles["Li"]


def test_an_element_with_too_few_atoms_uses_all_of_them_and_says_so() -> None:
    errors, scores, elements, _ = atoms(np.random.default_rng(6), 400)
    elements[:5] = "P"
    found = calibrate(errors, scores, elements)
    assert set(found.quantiles) == {"Li", "S"}
    assert len(found.notes) == 1
    assert found.notes[0].startswith("P: 5 atoms worth 5 independent ones")
    np.testing.assert_allclose(found.bounds([0.1, 0.1], ["P", "Cl"]), 0.1 * found.pooled)


def test_map_survives_the_card() -> None:
    errors, scores, elements, clusters = atoms(np.random.default_rng(7), 400, n_clusters=80, shared=0.3)
    elements[:5] = "P"
    found = calibrate(errors, scores, elements, clusters=clusters)
    again = ConformalMap.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found
    assert again.bounds(scores, elements).tolist() == found.bounds(scores, elements).tolist()


def test_coverage_counts_and_intervals() -> None:
    report = measure_coverage([1.0] * 8 + [3.0] * 2, [2.0] * 10, ["Li"] * 10)
    assert report.overall.share == 0.8
    # Clopper and Pearson for 8 of 10, as tabulated.
    assert (report.overall.low, report.overall.high) == pytest.approx((0.4439, 0.9748), abs=1e-4)
    assert "Li" in report.describe()
    assert report.to_dict()["by_element"]["Li"]["n_atoms"] == 10


def test_interval_knows_that_clusters_err_together() -> None:
    """The interval holds the true coverage as often as it says, with clusters; counted blindly it does not."""
    rng = np.random.default_rng(8)
    held = np.zeros(2)
    for _ in range(300):
        clusters = np.repeat(np.arange(40), 25)
        probability = 1 - 0.2 * rng.random(40)  # mean 0.9
        errors = (rng.random(1000) > probability[clusters]).astype(float)
        for at, groups in enumerate((clusters, None)):
            overall = measure_coverage(errors, np.full(1000, 0.5), ["Li"] * 1000, clusters=groups).overall
            held[at] += overall.low <= 0.9 <= overall.high
    assert held[0] / 300 > 0.93  # 95 % within three standard errors of the 300 trials
    assert held[1] < held[0]


def test_effective_count_of_equal_and_of_independent_atoms() -> None:
    rng = np.random.default_rng(9)
    clusters = np.repeat(np.arange(50), 20)
    together = np.repeat(rng.random(50) < 0.3, 20)
    assert effective_count(together, clusters) == pytest.approx(50, rel=0.05)
    alone = rng.random(1000) < 0.3
    assert effective_count(alone, clusters) > 500
    assert effective_count(alone, np.arange(1000)) == 1000
    assert effective_count(np.ones(1000, bool), clusters) == 50


def test_binomial_interval_of_the_ends() -> None:
    low, high = binomial_interval(1.0, 20)
    assert (low, high) == (pytest.approx(0.025 ** (1 / 20)), 1.0)
    assert binomial_interval(0.0, 20) == (0.0, pytest.approx(1 - 0.025 ** (1 / 20)))


def test_error_scale_finds_the_coefficients() -> None:
    rng = np.random.default_rng(10)
    n = 40_000
    spread, grade, useless = rng.exponential(0.05, n), rng.uniform(0, 2, n), rng.uniform(0, 1, n)
    errors = rng.exponential(0.02 + 1.5 * spread + 0.03 * grade)
    found = fit_error_scale(errors, {"spread": spread, "grade": grade, "useless": useless})
    # The standard error of the coefficients is about 2 % at this n.
    assert found.floor == pytest.approx(0.02, abs=0.002)
    assert found.weights["spread"] == pytest.approx(1.5, rel=0.08)
    assert found.weights["grade"] == pytest.approx(0.03, rel=0.08)
    assert found.weights["useless"] < 0.003
    again = ErrorScale.from_dict(json.loads(json.dumps(found.to_dict())))
    indicators = {"useless": useless, "spread": spread, "grade": grade}
    assert again.scores(indicators).tolist() == found.scores(indicators).tolist()


def test_error_scale_never_falls_with_an_indicator() -> None:
    rng = np.random.default_rng(11)
    spread = rng.uniform(0, 1, 2000)
    found = fit_error_scale(rng.exponential(1.5 - spread), {"spread": spread})
    assert found.weights["spread"] == 0.0
    assert found.floor == pytest.approx(1.0, rel=0.1)


def test_alarm_flags_the_allowed_share_of_familiar_frames() -> None:
    """Phosphorus is twenty times as nervous as lithium, and both have their own limit."""
    rng = np.random.default_rng(12)
    grades = [np.r_[rng.uniform(0.5, 2.0, 8), 20 * rng.uniform(0.5, 2.0, 2)] for _ in range(100)]
    symbols = [("Li",) * 8 + ("P",) * 2] * 100
    alarm = calibrate_alarm(grades, symbols, 0.05)
    flagged = [alarm.flags(g, s) for g, s in zip(grades, symbols, strict=True)]
    assert np.mean(flagged) == alarm.false_alarms == 0.05
    assert alarm.limits["P"] == pytest.approx(20 * alarm.limits["Li"], rel=0.1)
    assert alarm.flags([1.0] * 7 + [5.0, 1.0, 1.0], symbols[0])  # far below the limit of phosphorus
    assert alarm.flags([1.01], ["Cl"])  # no validation frame had it
    assert GradeAlarm.from_dict(json.loads(json.dumps(alarm.to_dict()))) == alarm


def test_limits_never_lie_below_one() -> None:
    alarm = calibrate_alarm([np.full(3, 0.3)] * 10, [("Li",) * 3] * 10)
    assert alarm.limits["Li"] == pytest.approx(1.0)
    assert not alarm.flags([1.0], ["Li"])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: calibrate([0.1], [0.0], ["Li"]), "score that is not positive"),
        (lambda: calibrate([0.1] * 3, [0.1] * 3, ["Li"] * 2), "2 elements"),
        (lambda: calibrate([0.1] * 5, [0.1] * 5, ["Li"] * 5), "label more validation frames"),
        (lambda: calibrate([0.1] * 50, [0.1] * 50, ["Li"] * 50, coverage=1.0), "coverage of 1.0"),
        (lambda: calibrate([0.1] * 50, [0.1] * 50, ["Li"] * 50, clusters=[1]), "1 clusters"),
        (lambda: calibrate([0.1] * 50, [0.1] * 50, ["Li"] * 50, clusters=[1] * 50), "worth 1 independent"),
        (lambda: measure_coverage([], [], []), "at least one"),
        (lambda: measure_coverage([1.0], [1.0, 2.0], ["Li"]), "2 bounds"),
        (lambda: fit_error_scale([0.1], {}), "0 indicators"),
        (lambda: fit_error_scale([0.1], {"grade": [-1.0]}), "below zero"),
        (lambda: ErrorScale(0.1, {"grade": 1.0}).scores({}), "no grade"),
        (lambda: calibrate_alarm([], []), "no grades"),
        (lambda: calibrate_alarm([[1.0]], [["Li", "P"]]), "each of 2 atoms"),
        (lambda: calibrate_alarm([[np.inf]], [["Li"]]), "expected a finite one"),
        (lambda: calibrate_alarm([[1.0]], [["Li"]], 1.0), "false alarms of 1.0"),
    ],
)
def test_what_cannot_be_used_is_refused(call, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


@pytest.mark.parametrize("kind", [ConformalMap, ErrorScale, GradeAlarm])
def test_a_damaged_card_is_refused(kind) -> None:
    with pytest.raises(FormatError, match="expected"):
        kind.from_dict({"coverage": 0.9})
