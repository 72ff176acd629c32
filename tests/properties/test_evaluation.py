"""Metrics against slow twins, intervals and nulls that mean something, and the ceiling of repeated measurements."""

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.properties.contract import Classification, classifier, regressor
from mlip_sse.properties.evaluation import Metric, Sample, evaluate, learning_curve
from mlip_sse.properties.metrics import (
    area_under_curve,
    classification_metrics,
    confusion_matrix,
    regression_metrics,
)
from mlip_sse.properties.noise import noise_ceiling
from mlip_sse.properties.nulls import beside_nulls
from mlip_sse.properties.regression import PropertyRegressor
from mlip_sse.properties.selection import SelectedRegressor
from mlip_sse.properties.splits import SplitPlan
from tests.properties.learnable import learnable_table


@pytest.fixture(scope="module")
def sample():
    features, y, groups, _ = learnable_table(40)
    return Sample(features, y, [f"m{group}" for group in groups])


def test_the_area_is_the_share_of_ordered_pairs():
    rng = np.random.default_rng(0)
    y, score = (rng.random(60) < 0.4).astype(float), np.round(rng.random(60), 1)
    pairs = [(a > b) + 0.5 * (a == b) for a in score[y > 0.5] for b in score[y < 0.5]]
    assert area_under_curve(y, score) == pytest.approx(np.mean(pairs))
    assert np.isnan(area_under_curve(np.ones(4), score[:4]))


def test_counts_and_rates():
    y, p = np.array([0, 0, 1, 1, 1.0]), np.array([0.2, 0.7, 0.4, 0.8, 0.9])
    assert confusion_matrix(y, p).tolist() == [[1, 1], [1, 2]]
    found = classification_metrics(y, p)
    assert (found["precision"], found["recall"], found["base_rate"]) == pytest.approx((2 / 3, 2 / 3, 0.6))


def test_limits_count_where_they_are_contradicted_alone():
    y, signs = np.array([1.0, 2.0, -5.0, -5.0]), np.array([0, 0, -1, -1], dtype=np.int8)
    found = regression_metrics(y, signs, np.array([1.5, 2.0, -7.0, -4.0]), y - 1, y + 0.2)
    assert found["mae"] == 0.25
    assert found["r2"] == pytest.approx(1 - 0.25 / 0.5)
    assert found["limit_violation"] == 0.5
    assert found["coverage"] == 1.0


def test_a_model_that_learns_is_told_from_its_null(sample):
    plan = SplitPlan(n_folds=4, n_repeats=2)
    found = evaluate(lambda repeat: regressor("linear", seed=repeat, n_folds=4), sample, plan, n_nulls=9)
    r2 = found.metrics["r2"]
    assert r2.low <= r2.value <= r2.high
    assert r2.value > 0.9
    assert r2.null < 0.2
    assert r2.p_value == pytest.approx(0.1)  # the smallest that nine nulls can give
    assert found.baseline["mae"] > 3 * found.metrics["mae"].value
    assert found.metrics["coverage"].null is None
    assert found.value.shape == (2, 80)
    noise = Sample(sample.features, np.random.default_rng(1).normal(size=80), sample.groups)
    nothing = evaluate(lambda repeat: regressor("linear", n_folds=4), noise, plan, n_nulls=9)
    assert nothing.metrics["r2"].p_value > 0.1


def test_four_materials_carry_no_interval(sample):
    few = Sample(sample.features, sample.y, [f"m{row % 4}" for row in range(len(sample.y))])
    for groups, said in ((few.groups, "too few to say"), (sample.groups, " to ")):
        asked = Sample(sample.features, sample.y, groups)
        found = evaluate(lambda repeat: regressor("linear", n_folds=4), asked, SplitPlan(n_folds=4))
        assert said in found.metrics["mae"].interval()
        assert np.isfinite(found.metrics["mae"].low) == (said == " to ")


def test_intervals_hold_nine_of_ten_unseen_materials():
    """200 materials, noise that doubles with the first feature; binomial error of 200 groups: 2.1 %."""
    features, y, groups, _ = learnable_table(200, seed=8)
    wanted = Sample(features, y, [f"m{group}" for group in groups])
    found = evaluate(lambda repeat: regressor("extra_trees", n_trees=25), wanted, SplitPlan(n_folds=5))
    assert found.metrics["coverage"].value == pytest.approx(0.9, abs=0.06)


def test_a_classifier_is_evaluated(sample):
    classes = Sample(sample.features, (sample.y > 0).astype(float), sample.groups, classifies=True)
    found = evaluate(lambda repeat: classifier("logistic", n_folds=4), classes, SplitPlan(n_folds=4), n_nulls=4)
    assert found.metrics["auc"].value > 0.9
    assert found.metrics["auc"].p_value == pytest.approx(0.2)
    assert found.confusion.sum() == 80
    assert found.low is None


class Pessimist:
    """A classifier that calls nothing positive, so that its precision has no value."""

    def fit(self, features, y, *, groups, temperature_k):
        return self

    def predict(self, features, *, temperature_k):
        nothing = np.zeros(len(features))
        return Classification(np.full(len(features), 0.1), nothing, nothing > 0)


def test_a_null_without_a_value_is_no_null(sample):
    """Warnings are errors here, and the mean of no null at all would be one."""
    classes = Sample(sample.features, (sample.y > 0).astype(float), sample.groups, classifies=True)
    found = evaluate(lambda repeat: Pessimist(), classes, SplitPlan(n_folds=4), n_nulls=1)
    assert np.isnan(found.metrics["precision"].value)
    assert (found.metrics["precision"].null, found.metrics["precision"].p_value) == (None, None)
    assert found.metrics["recall"].p_value == 1.0
    metrics = {"precision": Metric(0.8, 0.7, 0.9, None), "mae": Metric(1.0, 0.9, 1.1, None)}
    beside = beside_nulls(metrics, {"precision": [0.5, np.nan, 0.9], "mae": [2.0, 3.0, 4.0]})
    assert (beside["precision"].null, beside["precision"].null_best) == pytest.approx((0.7, 0.9))
    assert beside["precision"].p_value == pytest.approx(2 / 3)
    assert (beside["mae"].null_best, beside["mae"].p_value) == (2.0, 0.25)


def test_the_choice_is_made_inside_each_fold(sample):
    candidates = (PropertyRegressor("linear", {}, n_folds=4), PropertyRegressor("extra_trees", {"n_trees": 10}))
    found = evaluate(lambda repeat: SelectedRegressor(candidates), sample, SplitPlan(n_folds=4))
    assert found.chosen == {"linear": 4}
    blended = SelectedRegressor(candidates, blends=True).fit(sample.features, sample.y, groups=np.array(sample.groups))
    assert blended.weights.sum() == pytest.approx(1.0)
    assert blended.weights[0] > 0.8
    with pytest.raises(InputError, match="found no candidate"):
        SelectedRegressor(()).fit(sample.features, sample.y)


def test_more_materials_err_less(sample):
    curve = learning_curve(
        lambda repeat: PropertyRegressor("linear", {}, calibrates=False), sample, SplitPlan(n_folds=4), (0.15, 1.0)
    )
    assert curve.n_materials.tolist() == [4, 30]
    assert curve.error[1] < 0.7 * curve.error[0]


def test_the_ceiling_is_the_spread_of_repeated_measurements():
    rng = np.random.default_rng(4)
    truth = np.repeat(rng.normal(size=300), 3) * 2.0
    y = truth + 0.5 * rng.normal(size=900)
    found = noise_ceiling(y, [f"m{row // 3}" for row in range(900)])
    assert found["noise_sd"] == pytest.approx(0.5, rel=0.06)  # 600 degrees of freedom: 3 %
    assert found["best_r2"] == pytest.approx(1 - 0.25 / 4.25, abs=0.02)
    assert found["best_mae"] == pytest.approx(0.5 * np.sqrt(2 / np.pi), rel=0.06)
    assert found["best_mae_low"] < 0.5 * np.sqrt(2 / np.pi) < found["best_mae_high"]
    twin = [abs(each - y[3 * at : 3 * at + 3].mean()) * np.sqrt(1.5) for at in range(300) for each in y[3 * at :][:3]]
    assert found["best_mae"] == pytest.approx(np.mean(twin))
    with pytest.raises(InputError, match="no material with two measurements"):
        noise_ceiling(y[:3], ["a", "b", "c"])
