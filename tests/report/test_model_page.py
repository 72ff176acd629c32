"""The page of a property model: whole in itself, every string escaped, and its numbers those of the fit."""

import re

import numpy as np
import pytest

from mlip_sse.properties.fitting import fit_property
from mlip_sse.properties.recipes import PropertyRecipe
from mlip_sse.properties.table import Column, PropertyTable
from mlip_sse.report.model_page import model_page_html, write_model_page

HOSTILE = "<script>alert(1)</script> $x^{2$"


def fitted(threshold=None):
    """Return a small fit over materials in families, one of which has a name that is markup."""
    rng = np.random.default_rng(0)
    size = rng.uniform(1, 3, 66)
    values = {
        "composition": [f"Li{n}Cl" for n in range(1, 67)],
        "family": [HOSTILE if n % 3 else "rock" for n in range(66)],
        "modulus_gpa": 10 ** (2.5 - 0.5 * size + 0.02 * rng.normal(size=66)),
        HOSTILE: size,
    }
    columns = {name: Column(name, kind="text") for name in ("composition", "family")}
    columns |= {"modulus_gpa": Column("modulus_gpa", "GPa"), HOSTILE: Column(HOSTILE)}
    recipe = {
        "recipe": "property_model",
        "description": HOSTILE,
        "target": {"column": "modulus_gpa", "unit": "GPa", "transform": "log10", "threshold": threshold},
        "features": [],
        "feature_columns": [HOSTILE],
        "models": [{"name": "linear" if threshold is None else "logistic"}],
        "split": {"n_folds": 3, "n_repeats": 1},
        "inner_folds": 3,
        "n_nulls": 1,
        "learning_curve": True,
    }
    return fit_property(PropertyRecipe.parse(recipe, "test"), PropertyTable(columns, values))


@pytest.mark.parametrize("threshold", [None, 30.0])
def test_the_page_is_whole_and_escaped(threshold, tmp_path):
    trained, report = fitted(threshold)
    written = write_model_page(tmp_path, trained, report).read_text()
    assert "<script" not in written
    assert "&lt;script&gt;" in written
    assert re.findall(r"(?:src|href)=\"(?!data:)", written) == []
    assert "default-src &#x27;none&#x27;" in written
    metric = report.evaluation.metrics["mae" if threshold is None else "auc"]
    assert f"<td>{metric.value:.3g}</td><td>{metric.low:.3g} to {metric.high:.3g}</td>" in written
    assert "with 1 p is at least 0.5" in written
    assert written.count("<img") == 3
    assert ("Confusion matrix" in written) is (threshold is not None)


def test_an_explanation_enters_and_a_damaged_one_does_not(tmp_path):
    trained, report = fitted()
    found = {"permutation": [{"name": HOSTILE, "value": 2.0, "null_high": 0.1}], "shap": "nothing"}
    assert "From &#x27;properties explain&#x27;" in model_page_html(trained, report, found)
    (tmp_path / "explanation.json").write_text("[")
    assert "on rows that it has seen" in write_model_page(tmp_path, trained, report).read_text()
