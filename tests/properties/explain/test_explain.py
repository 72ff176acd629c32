"""Importance, Shapley values, VIP and elimination, where the truth is known."""

import itertools
import json
from math import factorial

import numpy as np
import pytest

from mlip_sse.cli.main import main
from mlip_sse.errors import InputError
from mlip_sse.properties.classification import PropertyClassifier
from mlip_sse.properties.contract import CLASSIFIERS
from mlip_sse.properties.evaluation import Sample
from mlip_sse.properties.explain.attribution import attribute, shapley_scores
from mlip_sse.properties.explain.elimination import eliminate_features, elimination_path, elimination_sizes
from mlip_sse.properties.explain.importance import correlated_groups, permutation_importance, vip_scores
from mlip_sse.properties.explain.resampling import dealt_sample, scores_of
from mlip_sse.properties.regression import PropertyRegressor
from mlip_sse.properties.splits import SplitPlan

NAMES = ("strong", "twin", "weak", "idle", "idle too")
PLAN = SplitPlan(n_folds=3, n_repeats=2, seed=1)


def sample_of(n_materials=70, seed=0):
    """Return rows, two a material: y = 2 strong + weak; ``twin`` is nearly ``strong``, the others say nothing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_materials, 5))
    x[:, 1] = x[:, 0] + 0.01 * rng.normal(size=n_materials)
    twice = np.repeat(np.arange(n_materials), 2)
    y = 2.0 * x[:, 0] + x[:, 2]
    return Sample(x[twice], y[twice] + 0.1 * rng.normal(size=len(twice)), [f"m{each}" for each in twice])


def model(name, **settings):
    return lambda repeat: PropertyRegressor(name, settings, repeat, calibrates=False)


def shapley_by_definition(predict, row, background):
    """Return the Shapley values of one row: weighted marginal gains over all sets of features."""
    n = len(row)

    def value(members):
        mixed = background.copy()
        mixed[:, list(members)] = row[list(members)]
        return predict(mixed).mean()

    found = np.zeros(n)
    for j in range(n):
        rest = [k for k in range(n) if k != j]
        for size in range(n):
            for members in itertools.combinations(rest, size):
                weight = factorial(size) * factorial(n - size - 1) / factorial(n)
                found[j] += weight * (value((*members, j)) - value(members))
    return found


@pytest.mark.parametrize(
    ("name", "settings"),
    [("extra_trees", {"n_trees": 5}), ("gradient_boosting", {"n_trees": 8}), ("linear", {}), ("svm", {})],
)
def test_shapley_values_are_those_of_the_definition(name, settings):
    pytest.importorskip("shap")
    sample = sample_of(20)
    fitted = model(name, **settings)(0).fit(sample.features, sample.y)
    background, asked = sample.features[:7], sample.features[30:32]
    found = attribute(fitted, asked, background)

    def predict(rows):
        return fitted.predict(rows).value

    tolerance = 1e-6 if found.is_exact else 0.15 * np.std(sample.y)
    for row, values in zip(asked, found.values, strict=True):
        np.testing.assert_allclose(values, shapley_by_definition(predict, row, background), atol=tolerance)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), predict(asked), atol=1e-6)
    assert found.is_exact is (name != "svm")


def test_shapley_values_of_a_classifier_and_of_gaps():
    pytest.importorskip("shap")
    sample = sample_of(20)
    features = sample.features.copy()
    features[::5, 2] = np.nan
    classes = (sample.y > 0).astype(float)
    fitted = PropertyClassifier("extra_trees", {"n_trees": 8}, 0, calibrates=False).fit(features, classes)
    found = attribute(fitted, features[:4], features)
    standard = fitted.preparation.apply(features[:4])
    share, _ = fitted.learner.predict(standard, None)
    assert CLASSIFIERS["extra_trees"].answers == "share"
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), share, atol=1e-6)


def test_shapley_scores_find_what_matters():
    pytest.importorskip("shap")
    scores, values = shapley_scores(model("linear"), sample_of(), PLAN, NAMES, n_nulls=4)
    assert values.shape == (140, 5)
    by_name = {each.name: each for each in scores}
    # The twins share the slope of 2; ⟨|x|⟩ of a normal is 0.8.
    assert by_name["strong"].value + by_name["twin"].value == pytest.approx(1.6, rel=0.25)
    assert by_name["weak"].low > by_name["idle"].high
    assert by_name["weak"].p_value == pytest.approx(0.2)


def test_twins_are_permuted_together_and_then_count():
    sample = sample_of()
    groups = correlated_groups(NAMES, sample.features)
    assert groups == {"strong (and 1 like it)": [0, 1], "weak": [2], "idle": [3], "idle too": [4]}
    together = permutation_importance(model("linear"), sample, PLAN, groups, n_nulls=4)
    assert [each.name for each in together[:2]] == ["strong (and 1 like it)", "weak"]
    assert together[0].low > together[1].high > 0
    assert together[1].p_value == pytest.approx(0.2)  # the least that four nulls can say
    idle = next(each for each in together if each.name == "idle")
    assert abs(idle.value) < 0.05 * together[0].value
    assert idle.p_value > 0.5


def test_importance_of_a_linear_model_is_that_of_exchanged_values():
    """With an exact linear model the error after the exchange is |w (x′ − x)|, of mean 2w/√π for normal features."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(600, 2))
    sample = Sample(x, 3.0 * x[:, 0], [str(row) for row in range(600)])
    (first, second) = permutation_importance(
        model("linear", penalty=1e-6), sample, SplitPlan(n_folds=2), {"a": [0], "b": [1]}
    )
    assert first.name == "a"
    assert first.value == pytest.approx(3 * 2 / np.sqrt(np.pi), rel=0.1)
    assert second.value == pytest.approx(0.0, abs=0.01)


def test_vip_is_one_on_average():
    scores = vip_scores(NAMES, sample_of(), n_components=2, n_draws=20, n_nulls=5)
    assert np.mean([each.value**2 for each in scores]) == pytest.approx(1.0)
    assert {each.name for each in scores[:2]} == {"strong", "twin"}
    assert all(each.low <= each.value <= each.high for each in scores[:2])


def test_dealt_targets_stay_together_and_all_are_dealt():
    sample = sample_of(12)
    dealt = dealt_sample(sample, [3])
    assert sorted(dealt.y) == sorted(sample.y)
    assert (dealt.y != sample.y).mean() > 0.5
    partners = {tuple(sorted(sample.y[at : at + 2])) for at in range(0, 24, 2)}
    assert {tuple(sorted(dealt.y[at : at + 2])) for at in range(0, 24, 2)} == partners


def test_interval_is_that_of_a_mean_over_materials():
    rng = np.random.default_rng(0)
    numbers = rng.normal(2.0, 1.0, 400)
    (score,) = scores_of(["x"], np.repeat(numbers, 2)[None, :, None], [str(at // 2) for at in range(800)])
    assert score.value == pytest.approx(numbers.mean())
    # 400 materials, not 800 rows: ±1.96/√400; 15 % for 400 draws.
    assert score.high - score.low == pytest.approx(2 * 1.96 * numbers.std() / 20, rel=0.15)


def test_elimination_keeps_what_matters_and_knows_the_error():
    sample = sample_of(50)
    plan = SplitPlan(by="stratified", n_folds=3, n_repeats=1, seed=0)
    found = eliminate_features(model("linear"), sample, plan, NAMES, share=0.6, inner_folds=2, n_nulls=3, n_trees=20)
    assert found.sizes == elimination_sizes(5, 0.6) == (5, 3, 2, 1)
    by_size = dict(zip(found.sizes, found.errors, strict=True))
    assert by_size[3].value < 0.2  # noise of 0.1
    assert by_size[1].value > 0.5  # without ``weak``, ⟨|x|⟩ = 0.8
    assert by_size[3].null > 1.0
    assert by_size[3].p_value == pytest.approx(0.25)
    assert by_size[3].low <= by_size[3].value <= by_size[3].high
    assert found.chosen.value < 0.3
    assert set(found.chosen_sizes) <= {2, 3, 5}
    assert found.kept.get("weak") == 1.0


def test_elimination_sees_training_rows_alone():
    """Rows that are asked do not change which features are kept."""
    sample = sample_of(30)
    train = np.arange(40)
    path = elimination_path(sample.features[train], sample.y[train], (5, 2, 1), 0, n_trees=20)
    assert [len(each) for each in path] == [5, 2, 1]
    assert path[2][0] in (0, 1)
    rng = np.random.default_rng(0)
    noise = sample.features.copy()
    noise[40:] = rng.normal(size=noise[40:].shape)
    again = elimination_path(noise[train], sample.y[train], (5, 2, 1), 0, n_trees=20)
    assert all((a == b).all() for a, b in zip(path, again, strict=True))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda s: correlated_groups(NAMES, np.ones((4, 5))), "no feature varies among the 5"),
        (lambda s: correlated_groups(NAMES, s.features, 1.5), "expected above 0, at most 1"),
        (
            lambda s: permutation_importance(
                model("linear"), Sample(np.ones((140, 2)), s.y, s.groups), PLAN, {"a": [0], "b": [1]}
            ),
            "no feature varies over the 140 rows",
        ),
        (lambda s: permutation_importance(model("linear"), s, PLAN, {"a": []}), "without a column"),
        (lambda s: elimination_sizes(5, 1.0), "expected between 0 and 1"),
        (lambda s: vip_scores(NAMES, Sample(s.features, s.y > 0, s.groups, classifies=True)), "found a classifier"),
    ],
)
def test_bad_input_is_one_line(make, says):
    with pytest.raises(InputError, match=says) as found:
        make(sample_of())
    assert "\n" not in str(found.value)


RECIPE = """
recipe: property_model
description: a stand-in
target: {column: y, unit: ""}
feature_columns: [strong, twin, weak, idle]
models: [{name: extra_trees, settings: {n_trees: 10}}]
split: {by: stratified, n_folds: 3, n_repeats: 1}
"""


def test_program_writes_numbers_and_pictures(tmp_path, capsys):
    pytest.importorskip("shap")
    sample = sample_of(30)
    lines = [
        ",".join([f"Li{1 + 0.01 * (row // 2):.2f}Cl", *(f"{x:.4f}" for x in sample.features[row, :4]), f"{y:.4f}"])
        for row, y in enumerate(sample.y)
    ]
    (tmp_path / "table.csv").write_text("composition,strong,twin,weak,idle,y\n" + "\n".join(lines) + "\n")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    words = ["properties", "explain", str(tmp_path / "recipe.yaml"), "--table", str(tmp_path / "table.csv")]
    methods = [word for each in ("permutation", "shap", "vip", "elimination") for word in ("--method", each)]
    assert main([*words, "--out", str(tmp_path / "out"), *methods, "--nulls", "2"]) == 0, capsys.readouterr().err
    found = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert found["permutation"][0]["name"].startswith("strong")
    assert {"low", "high", "null", "p_value"} <= set(found["shap"][0])
    for picture in ("permutation", "shap", "shap_swarm", "vip", "elimination"):
        assert (tmp_path / "out" / f"{picture}.png").stat().st_size > 5000
    assert "95 % interval" in capsys.readouterr().out
    assert main([*words, "--out", str(tmp_path / "out"), "--method", "shape"]) == 2
    assert "did you mean 'shap'?" in capsys.readouterr().err
