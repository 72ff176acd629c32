"""From a recipe and a table to what drives its model, in numbers and pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlip_sse.properties.evaluation import Sample
from mlip_sse.properties.explain.attribution import shapley_scores
from mlip_sse.properties.explain.elimination import eliminate_features
from mlip_sse.properties.explain.importance import correlated_groups, permutation_importance, vip_scores
from mlip_sse.properties.explain.plots import plot_elimination, plot_scores, plot_swarm
from mlip_sse.properties.fitting import model_of, sample_of
from mlip_sse.properties.recipes import PropertyRecipe
from mlip_sse.properties.splits import SplitPlan
from mlip_sse.properties.table import PropertyTable

__all__ = ["explain_recipe"]


def explain_recipe(
    recipe: PropertyRecipe,
    table: PropertyTable,
    methods: Sequence[str],
    *,
    n_nulls: int = 10,
    alike: float = 0.9,
    pictures: Path | None = None,
) -> dict[str, Any]:
    """Return scores by method; the models are the recipe's first candidate, without intervals, on the recipe's splits.

    Parameters
    ----------
    recipe, table
        As given to a fit.
    methods
        Some of permutation, shap, vip and elimination.
    n_nulls
        Models of dealt targets for each method.
    alike
        Spearman correlation from which features are permuted together.
    pictures
        Folder for pictures; none are drawn where left out.

    Raises
    ------
    InputError
        When no feature varies, or the table lacks a column.
    """
    _, sample, names = sample_of(recipe, table)
    groups = correlated_groups(names, sample.features, alike)
    plan = SplitPlan(**recipe.split.model_dump())
    n_features = len(names)

    def model(repeat: int) -> Any:
        return model_of(recipe, n_features, repeat, is_null=True)

    found: dict[str, Any] = {"n_rows": len(sample.y), "n_features": n_features, "groups": groups}
    if "permutation" in methods:
        found["permutation"] = permutation_importance(model, sample, plan, groups, n_nulls=n_nulls)
    if "shap" in methods:
        found["shap"], values = shapley_scores(model, sample, plan, names, n_nulls=n_nulls)
        if pictures is not None:
            plot_swarm(names, values, sample.features, pictures / "shap_swarm.png")
    if "vip" in methods:
        found["vip"] = vip_scores(names, sample, n_nulls=n_nulls, seed=plan.seed)
    if "elimination" in methods:
        found["elimination"] = _elimination(recipe, sample, plan, names, n_nulls)
        if pictures is not None:
            plot_elimination(found["elimination"], pictures / "elimination.png")
    titles = {"permutation": "growth of the error", "shap": "mean |Shapley value|", "vip": "VIP"}
    for name, title in titles.items():
        if name in found and pictures is not None:
            plot_scores(found[name], title, pictures / f"{name}.png")
    return found


def _elimination(recipe: PropertyRecipe, sample: Sample, plan: SplitPlan, names: Sequence[str], n_nulls: int) -> Any:
    from dataclasses import replace

    def model(repeat: int) -> Any:
        # Of whatever columns are left: the model takes all that it is given.
        return replace(model_of(recipe, len(names), repeat, is_null=True), columns=None)

    return eliminate_features(model, sample, plan, names, n_nulls=n_nulls)
