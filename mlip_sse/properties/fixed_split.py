"""Evaluation on a split that somebody else made: one table to train on, another to be asked, nothing chosen on it.

Materials of the second table that the first holds are refused, or left out where asked for. What a model chooses
(candidates, weights, the width of intervals) it chooses on inner folds of the training table. Every metric has a 95 %
interval, a bootstrap over the materials that are asked, and a permutation null.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mlip_sse.analysis.results import to_plain
from mlip_sse.errors import InputError
from mlip_sse.properties.evaluation import Evaluation, Sample, evaluate
from mlip_sse.properties.fit_report import FitReport, GivenTable
from mlip_sse.properties.fitting import TrainedModel, model_of, sample_of
from mlip_sse.properties.matching import find_duplicates, refuse_duplicates
from mlip_sse.properties.noise import noise_of
from mlip_sse.properties.preparation import useless_features
from mlip_sse.properties.recipes import PropertyRecipe
from mlip_sse.properties.splits import Split, SplitPlan
from mlip_sse.properties.table import COMPOSITION, PropertyTable

__all__ = ["FixedSplitReport", "GivenPlan", "evaluate_fixed_split", "fit_fixed_split"]


@dataclass(frozen=True)
class GivenPlan(SplitPlan):
    """The plan of a given split: the first rows are trained on, all others are asked.

    Parameters
    ----------
    n_train
        Rows to train on.
    """

    n_train: int = 0

    def splits(self, groups: Any, y: Any, families: Any = None) -> list[list[Split]]:
        """Return the one split, once for each repeat."""
        rows = np.arange(len(y))
        return [[Split(rows[: self.n_train], rows[self.n_train :], "given")] for _ in range(self.n_repeats)]


@dataclass(frozen=True, eq=False)
class FixedSplitReport:
    """What a given split says of a recipe.

    Parameters
    ----------
    evaluation
        Of the rows that are asked; its arrays hold the training rows first, nan.
    sample
        The rows of both tables, training rows first.
    n_train, n_test
        Rows with a target in either table.
    n_shared
        Rows of the second table whose material the first holds; they are asked of nobody.
    left_out
        Rows of both tables without a target, or whose limit does not tell the class.
    provenance
        Of the second table.
    """

    evaluation: Evaluation
    sample: Sample
    n_train: int
    n_test: int
    n_shared: int
    left_out: int
    provenance: Any

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, without the predictions."""
        plain: dict[str, Any] = to_plain(
            {
                "n_train": self.n_train,
                "n_test": self.n_test,
                "n_shared": self.n_shared,
                "metrics": self.evaluation.metrics,
                "baseline": self.evaluation.baseline,
                "chosen": self.evaluation.chosen,
            }
        )
        return plain

    def as_fit_report(self, names: Sequence[str]) -> FitReport:
        """Return the same for a page; `names` are those of the features."""
        rows = np.arange(len(self.sample.y))
        learnt, asked = _part(self.sample, rows[: self.n_train]), _part(self.sample, rows[self.n_train :])
        found = self.evaluation
        return FitReport(
            evaluation=replace(
                found,
                value=found.value[:, self.n_train :],
                low=None if found.low is None else found.low[:, self.n_train :],
                high=None if found.high is None else found.high[:, self.n_train :],
                distance=found.distance[:, self.n_train :],
            ),
            useless=useless_features(names, learnt.features),
            noise=noise_of(learnt),
            curve=None,
            n_rows=self.n_train,
            n_limits=0 if learnt.signs is None else int(np.count_nonzero(learnt.signs)),
            n_materials=len(set(learnt.groups)),
            left_out=self.left_out,
            sample=asked,
            given=GivenTable(learnt, self.n_shared, self.provenance),
        )


def _part(sample: Sample, rows: npt.NDArray[np.intp]) -> Sample:
    return replace(
        sample,
        features=sample.features[rows],
        y=sample.y[rows],
        groups=[sample.groups[at] for at in rows],
        signs=None if sample.signs is None else sample.signs[rows],
        families=None if sample.families is None else [sample.families[at] for at in rows],
        temperature_k=None if sample.temperature_k is None else sample.temperature_k[rows],
    )


def evaluate_fixed_split(
    recipe: PropertyRecipe,
    train: PropertyTable,
    test: PropertyTable,
    *,
    leaves_out_shared: bool = False,
    model: Callable[[int], Any] | None = None,
) -> FixedSplitReport:
    """Fit a recipe to one table and ask it of another.

    Parameters
    ----------
    recipe, train, test
        The recipe, and two tables with its columns.
    leaves_out_shared
        Leave the materials that both tables hold out of the second, instead of refusing them.
    model
        Called with the number of the repeat, in place of the recipe's own model.

    Raises
    ------
    InputError
        When a test material is in the training table, a column is missing, or a unit is another one.
    """
    shared = {each.first for each in find_duplicates(test, train)}
    if not leaves_out_shared:
        refuse_duplicates(test, train)
    kept = test.rows(np.array([row not in shared for row in range(test.n_rows)], dtype=bool))
    if not kept.n_rows:
        raise InputError(f"all {test.n_rows} test rows are materials of the training table, expected some others")
    n_train = sample_of(recipe, train)[0].n_rows
    _, sample, names = sample_of(recipe, train.below(kept))
    plan = GivenPlan(n_repeats=1, seed=recipe.split.seed, n_train=n_train)
    found = evaluate(
        model or (lambda repeat: model_of(recipe, len(names), repeat)),
        sample,
        plan,
        confidence=recipe.confidence,
        n_nulls=recipe.n_nulls,
        null_model=lambda repeat: model_of(recipe, len(names), repeat, is_null=True),
    )
    left_out = train.n_rows + kept.n_rows - len(sample.y)
    return FixedSplitReport(
        found, sample, n_train, len(sample.y) - n_train, len(shared), left_out, to_plain(test.provenance)
    )


def fit_fixed_split(
    recipe: PropertyRecipe, train: PropertyTable, test: PropertyTable, *, leaves_out_shared: bool = False
) -> tuple[TrainedModel, FixedSplitReport]:
    """Return the model that was fitted to the first table alone, and what the second says of it; see above."""
    fitted: list[Any] = []

    def kept(repeat: int) -> Any:
        return _Keeping(model_of(recipe, n_features, repeat), fitted)

    rows, sample, names = sample_of(recipe, train)
    n_features = len(names)
    found = evaluate_fixed_split(recipe, train, test, leaves_out_shared=leaves_out_shared, model=kept)
    about = {
        "feature_names": list(names),
        "materials": sorted({*sample.groups, *(rows.materials() if COMPOSITION in rows.columns else ())}),
        "metrics": found.evaluation.metrics,
        "provenance": train.provenance,
    }
    return TrainedModel(fitted[0], recipe, to_plain(about)), found


@dataclass(frozen=True)
class _Keeping:
    """A model that keeps what it fitted."""

    model: Any
    kept: list[Any]

    def fit(self, *rows: Any, **known: Any) -> Any:
        self.kept.append(self.model.fit(*rows, **known))
        return self.kept[-1]
