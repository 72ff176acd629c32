"""Estimates, intervals, verdicts and their JSON."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2, norm

from mlip_sse.analysis.results import Estimate, Interval, Quality, Verdict, to_json, to_plain
from mlip_sse.errors import InputError


def covered(intervals, truth):
    return np.mean([interval.low <= truth <= interval.high for interval in intervals])


@pytest.mark.parametrize("dof", [2.0, 5.0, 20.0, 200.0])
@pytest.mark.parametrize("confidence", [0.68, 0.95])
def test_coverage_of_a_scaled_chi_squared_variable(dof, confidence):
    """The interval is exact for this model; 2000 draws leave a binomial error of 0.0104 (68 %), 0.0049 (95 %)."""
    rng = np.random.default_rng(20250722)
    truth = 3.0e-6
    draws = truth * rng.chisquare(dof, 2000) / dof
    intervals = [Estimate(value, 2.0 / dof).interval(confidence) for value in draws]
    error = math.sqrt(confidence * (1 - confidence) / len(draws))
    assert covered(intervals, truth) == pytest.approx(confidence, abs=3.5 * error)


@pytest.mark.parametrize("dof", [4.0, 30.0])
def test_coverage_of_an_inverse(dof):
    """A reciprocal χ² variable, such as a Haven ratio with a noisy denominator, 3.5 binomial errors."""
    rng = np.random.default_rng(11)
    truth = 0.4
    draws = truth * dof / rng.chisquare(dof, 2000)
    intervals = [Estimate(value, 2.0 / dof, inverse=True).interval(0.95) for value in draws]
    assert covered(intervals, truth) == pytest.approx(0.95, abs=3.5 * math.sqrt(0.95 * 0.05 / len(draws)))


def test_twin_from_scipy_stats():
    estimate = Estimate(2.5, 0.1)
    interval = estimate.interval(0.9)
    assert interval.low == pytest.approx(2.5 * 20 / chi2.ppf(0.95, 20), rel=1e-12)
    assert interval.high == pytest.approx(2.5 * 20 / chi2.ppf(0.05, 20), rel=1e-12)


def test_tends_to_the_normal_interval():
    """Skewness falls as the relative error: at a relative error of 1e-4 both agree to 1e-4 of the half width."""
    interval = Estimate(1.0, 1e-8).interval(0.95)
    half = norm.ppf(0.975) * 1e-4
    assert interval.high - 1.0 == pytest.approx(half, rel=1e-3)
    assert 1.0 - interval.low == pytest.approx(half, rel=1e-3)


def test_an_inverse_mirrors_the_interval_in_the_logarithm():
    straight = Estimate(1.0, 0.2).interval(0.95)
    inverse = Estimate(1.0, 0.2, inverse=True).interval(0.95)
    assert inverse.low == pytest.approx(1.0 / straight.high, rel=1e-12)
    assert inverse.high == pytest.approx(1.0 / straight.low, rel=1e-12)


def test_the_interval_contains_the_value_and_grows_with_confidence():
    narrow, wide = (Estimate(1.0, 0.3).interval(level) for level in (0.68, 0.95))
    assert wide.low < narrow.low < 1.0 < narrow.high < wide.high


def test_few_degrees_of_freedom_widen_as_student_t():
    """For a small error the χ² shape is normal, so that the ratio of the widths is the ratio of the quantiles."""
    known, unknown = Estimate(1.0, 1e-8).interval(0.95), Estimate(1.0, 1e-8, dof=3).interval(0.95)
    ratio = (unknown.high - unknown.low) / (known.high - known.low)
    assert ratio == pytest.approx(3.182446 / 1.959964, rel=1e-3)


def test_no_variance_no_width():
    interval = Estimate(4.0, 0.0, method="exact").interval()
    assert (interval.low, interval.value, interval.high) == (4.0, 4.0, 4.0)
    assert interval.method == "exact"


def test_log_variance_is_that_of_the_logarithm_of_a_chi_squared_variable():
    """Var ln χ²_ν by simulation with 200,000 draws: a relative error of 0.3 % (√(2/n)), three times that allowed."""
    rng = np.random.default_rng(5)
    for dof in (4.0, 40.0):
        simulated = np.log(rng.chisquare(dof, 200_000)).var()
        assert Estimate(1.0, 2.0 / dof).log_variance == pytest.approx(simulated, rel=0.015)


def test_scaling_scales_all_and_keeps_the_shape():
    estimate = Estimate(2.0, 0.1, dof=8, method="m")
    assert estimate.scaled(10.0) == Estimate(20.0, 0.1, dof=8, method="m")
    direct, scaled = estimate.scaled(10.0).interval(), estimate.interval().scaled(10.0)
    assert direct.low == pytest.approx(scaled.low)
    assert direct.high == pytest.approx(scaled.high)
    assert Interval(None, 0.0, 1.0, 0.95, "limit").scaled(3.0) == Interval(None, 0.0, 3.0, 0.95, "limit")


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_value_that_is_no_estimate_is_refused(value):
    with pytest.raises(InputError, match="positive and finite"):
        Estimate(value, 0.1)


@pytest.mark.parametrize(("variance", "dof"), [(-0.1, 5.0), (math.nan, 5.0), (0.1, 0.0)])
def test_an_impossible_variance_is_refused(variance, dof):
    with pytest.raises(InputError, match="out of range"):
        Estimate(1.0, variance, dof)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_an_impossible_confidence_is_refused(confidence):
    with pytest.raises(InputError, match="between 0 and 1"):
        Estimate(1.0, 0.1).interval(confidence)


def test_a_verdict_only_falls_and_keeps_every_reason():
    verdict = Verdict().weaken("few jumps")
    assert verdict == Verdict(Quality.WEAK, ("few jumps",))
    refused = verdict.refuse("no framework").weaken("short")
    assert refused.quality is Quality.REFUSED
    assert refused.reasons == ("few jumps", "no framework", "short")


@dataclass(frozen=True)
class Nested:
    interval: Interval
    quality: Quality
    numbers: np.ndarray
    path: Path
    flag: np.bool_


def test_json_has_no_nan_and_only_plain_types():
    nested = Nested(
        Interval(math.nan, 0.0, math.inf, 0.95, "σ"),
        Quality.WEAK,
        np.array([1.0, math.nan]),
        Path("a/b"),
        np.bool_(True),
    )
    text = to_json({"results": (nested,), 3: np.int64(4), "single": np.float32(0.5)})
    assert "NaN" not in text
    assert "Infinity" not in text
    assert "σ" in text
    plain = json.loads(text)
    interval = {"value": None, "low": 0.0, "high": None, "confidence": 0.95, "method": "σ"}
    expected = {"interval": interval, "quality": "weak", "numbers": [1.0, None], "path": "a/b", "flag": True}
    assert plain == {"results": [expected], "3": 4, "single": 0.5}


def test_to_dict_of_a_result_is_used():
    @dataclass
    class Own:
        hidden: int = 1

        def to_dict(self):
            return {"shown": math.inf}

    assert to_plain(Own()) == {"shown": None}
