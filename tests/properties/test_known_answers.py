"""A model is held against what the table answers already."""

import numpy as np
import pytest

from mlip_sse.errors import InputError, SpecError
from mlip_sse.properties.fitting import fit_property
from mlip_sse.properties.known_answers import known_answer
from mlip_sse.properties.recipes import PropertyRecipe
from mlip_sse.properties.table import COMPOSITION, Column, PropertyTable

RECIPE = {
    "recipe": "property_model",
    "description": "an anchor",
    "target": {"column": "y", "unit": "", "known": "anchor"},
    "features": [],
    "feature_columns": ["anchor", "error", "x"],
    "models": [{"name": "anchored"}],
    "n_nulls": 0,
}


def test_gain_and_interval_are_those_of_paired_errors():
    groups = [f"{kind}{copy}" for copy in range(3) for kind in "aabb"]
    y, known = np.zeros(12), np.tile([0.4, -0.4, 0.2, np.nan], 3)
    value = np.tile([[0.1, 0.1, 0.1, 0.1], [0.3, 0.1, 0.1, 0.1]], 3)
    found = known_answer("anchor", known, value, y, groups)
    assert found.n_rows == 9
    assert found.known_mae == pytest.approx(1.0 / 3)
    assert found.model_mae == pytest.approx((0.2 + 0.1 + 0.1) / 3)
    assert found.gain == pytest.approx(0.6 / 3)
    one_of_six, five_of_six = (0.5 + 5 * 0.1) / (2 + 5), (5 * 0.5 + 0.1) / (10 + 1)  # a gains 0.5 in two rows, b 0.1
    assert (found.low, found.high) == pytest.approx((one_of_six, five_of_six))  # none and all of a are rarer than 2.5 %
    assert "better, by 0.2" in str(found)
    few = known_answer("anchor", known[:8], value[:, :8], y[:8], groups[:8])
    assert few.low is None
    assert "nothing says" in str(few)
    worse = known_answer("anchor", 0.1 * known, value, y, groups)
    assert "worse, by" in str(worse)
    with pytest.raises(InputError, match="no row with 'anchor' and a prediction"):
        known_answer("anchor", np.full(12, np.nan), value, y, groups)


def test_a_fit_says_whether_the_model_is_worth_having():
    rng = np.random.default_rng(0)
    names = np.repeat(["LiF", "LiCl", "LiBr", "LiI", "Li2O", "Li2S"], 5).astype(object)
    y = rng.normal(size=30)
    numbers = {"y": y, "anchor": y + 0.5 * rng.normal(size=30), "error": np.full(30, 0.5), "x": y}
    numbers["error"][0] = 0.4  # a column of one value is refused
    columns = {COMPOSITION: Column(COMPOSITION, kind="text")} | {name: Column(name) for name in numbers}
    recipe = PropertyRecipe.parse(RECIPE, "recipe")
    _, report = fit_property(recipe, PropertyTable(columns, {COMPOSITION: names, **numbers}))
    assert report.known is not None
    assert report.known.low > 0
    assert report.to_dict()["known_answer"]["column"] == "anchor"


def test_known_and_a_threshold_exclude_each_other():
    target = {**RECIPE["target"], "threshold": 1.0}
    with pytest.raises(SpecError, match="known goes with numbers"):
        PropertyRecipe.parse({**RECIPE, "target": target}, "recipe")
