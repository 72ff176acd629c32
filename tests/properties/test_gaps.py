"""Rows that lack features: the factor by hand, its choice, and intervals that hold what they promise without them."""

import numpy as np
import pytest

from mlip_sse.properties.contract import Prediction
from mlip_sse.properties.evaluation import Sample, evaluate
from mlip_sse.properties.gaps import GapCosts, gap_factors, named_gaps
from mlip_sse.properties.regression import PropertyRegressor
from mlip_sse.properties.splits import Split, SplitPlan


class FirstFeature:
    """Answers the first feature, 0 where it is missing, ± 0.5."""

    def predict(self, features, *, temperature_k=None, confidence=0.9):
        value = np.nan_to_num(features[:, 0])
        return Prediction(value, value - 0.5, value + 0.5, confidence, value, value > np.inf)


def test_the_factor_is_a_quantile_over_materials_of_equal_weight():
    """Ten materials with errors 1 to 10 half-widths; the first is measured 90 times, a limit does not count."""
    materials = [*[0] * 90, *range(1, 10), 10]
    y = 0.5 * (1.0 + np.array(materials))
    signs = np.array([0] * 99 + [-1], dtype=np.int8)
    sample = Sample(np.ones((100, 2)) * y[:, None], y, [str(each) for each in materials], signs)
    costs = GapCosts(sample, sample.groups, {"first": np.array([0]), "second": np.array([1])}, 0.9)
    costs.collect(FirstFeature(), Split(np.arange(0), np.arange(100)))
    first, second = costs.factors()
    assert (first["factor"], first["n_materials"]) == (pytest.approx(9.0), 10)
    assert second["factor"] == 1.0  # never below, though no error is left
    assert GapCosts(sample, sample.groups, {"first": np.array([0])}, 0.9).factors() == []


def test_a_row_takes_the_smallest_set_that_holds_what_it_lacks():
    gaps = named_gaps([0, 1], [2])
    assert {name: columns.tolist() for name, columns in gaps.items()} == {
        "structure": [0, 1],
        "feature columns": [2],
        "structure and feature columns": [0, 1, 2],
    }
    known = [
        {"columns": columns, "factor": factor} for columns, factor in zip(gaps.values(), (1.2, 1.5, 2.0), strict=True)
    ]
    lacking = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]], dtype=bool)
    assert gap_factors(lacking, known).tolist() == [1.0, 1.2, 1.5, 2.0, 2.0]
    assert np.isnan(gap_factors(lacking, [])).tolist() == [False, True, True, True, True]


def test_widened_intervals_hold_nine_of_ten_rows_without_a_feature():
    """Most of y is in one feature; without it the usual intervals fail, the widened ones hold; binomial error 1.7 %."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 3))
    y = x[:, 0] + 0.5 * x[:, 1] + 0.2 * rng.normal(size=600)
    sample = Sample(x[:300], y[:300], [f"m{row // 2}" for row in range(300)])
    costs = GapCosts(sample, sample.groups, named_gaps([], [0]), 0.9)
    model = PropertyRegressor("linear", {}, n_folds=4)
    evaluate(lambda repeat: model, sample, SplitPlan(n_folds=4), on_fold=costs.collect)
    asked = x[300:].copy()
    asked[:, 0] = np.nan
    said = model.fit(sample.features, sample.y, groups=np.array(sample.groups)).predict(asked)
    half, error = 0.5 * (said.high - said.low), np.abs(said.value - y[300:])
    grown = half * gap_factors(np.isnan(asked), costs.factors())
    assert np.mean(error <= half) < 0.4
    assert np.mean(error <= grown) == pytest.approx(0.9, abs=0.06)
