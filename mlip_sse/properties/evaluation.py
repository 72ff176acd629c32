"""How good a model is on materials it has not seen: every metric with an interval and beside a permutation null.

A model is fitted anew in every fold of every repeat, with all that it chooses (limits, candidates, calibration) inside
the fold. The interval of a metric is a bootstrap over materials (over families, where these are left out), each draw of
a random repeat, so that it holds both the choice of materials and that of the folds. ``coverage_by_group`` is the mean
over those materials or families of the share of their exact rows that their intervals hold. The null fits the same
model to targets dealt to other materials, whole groups at a time; p = (1 + number of nulls as good)/(1 + number of
nulls).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mlip_sse.properties.censoring import Signs, require_signs
from mlip_sse.properties.metrics import classification_metrics, confusion_matrix, regression_metrics
from mlip_sse.properties.nulls import beside_nulls, dealt_order
from mlip_sse.properties.splits import Split, SplitPlan, group_numbers

__all__ = ["Evaluation", "LearningCurve", "Metric", "Sample", "evaluate", "learning_curve"]

Floats = npt.NDArray[np.float64]

_N_BOOTSTRAP = 400
_FEWEST_GROUPS = 5


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows to evaluate on.

    Parameters
    ----------
    features
        (n_rows, n_features).
    y
        (n_rows,) targets; 0 and 1 for a classifier.
    groups
        (n_rows,) names of the materials.
    signs
        (n_rows,) censoring, or None.
    families
        (n_rows,) names, or None.
    temperature_k
        (n_rows,), or None.
    classifies
        Whether y are classes.
    """

    features: Floats
    y: Floats
    groups: Sequence[str]
    signs: Signs | None = None
    families: Sequence[str] | None = None
    temperature_k: Floats | None = None
    classifies: bool = False


@dataclass(frozen=True)
class Metric:
    """A number with its 95 % interval, its standard deviation over repeats, and its null.

    `null` is the mean of the nulls and `null_best` the best of them; both None where none was asked for. The ends of
    the interval are nan where there are fewer than five materials to draw from.
    """

    value: float
    low: float
    high: float
    repeat_sd: float | None
    null: float | None = None
    null_best: float | None = None
    p_value: float | None = None

    def interval(self, between: str = " to ") -> str:
        """Return the interval as it is printed."""
        return f"{self.low:.3g}{between}{self.high:.3g}" if np.isfinite(self.low) else "too few to say"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` found.

    Parameters
    ----------
    metrics
        By name.
    value, low, high
        (n_repeats, n_rows) predictions (probabilities for classifiers, without low and high), nan where not asked.
    distance
        (n_repeats, n_rows) to the training rows.
    confusion
        (2, 2) counts of the first repeat, for classifiers.
    chosen
        How often each candidate of a selection was best, over all folds.
    baseline
        The same metrics of the training mean (or the training base rate), without intervals.
    """

    metrics: Mapping[str, Metric]
    value: Floats
    low: Floats | None
    high: Floats | None
    distance: Floats
    confusion: npt.NDArray[np.intp] | None
    chosen: Mapping[str, int]
    baseline: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Errors against the number of training materials, each (n_sizes,); `spread` is over folds."""

    n_materials: npt.NDArray[np.intp]
    error: Floats
    spread: Floats
    metric: str


def evaluate(
    model: Callable[[int], Any],
    sample: Sample,
    plan: SplitPlan,
    *,
    confidence: float = 0.9,
    n_nulls: int = 0,
    null_model: Callable[[int], Any] | None = None,
    on_fold: Callable[[Any, Split], None] | None = None,
) -> Evaluation:
    """Evaluate a model on a plan of splits.

    Parameters
    ----------
    model
        Called with the number of the repeat; returns what has `fit`.
    sample, plan
        The rows and how they are parted.
    confidence
        Of the intervals of a regressor.
    n_nulls
        Permutations, each on the first repeat's folds.
    null_model
        A cheaper model for the nulls; `model` itself where left out.
    on_fold
        Called with what was fitted in each fold of each repeat, nulls apart, and the fold.
    """
    repeats = plan.splits(sample.groups, sample.y, sample.families)
    kept_together = plan.kept_together(sample.groups, sample.families)
    arrays: dict[str, list[Floats]] = {"value": [], "low": [], "high": [], "distance": []}
    chosen: dict[str, int] = {}
    for number, splits in enumerate(repeats):
        found = _asked(model(number), sample, splits, confidence, chosen, kept_together, on_fold)
        for name, array in found.items():
            arrays[name].append(array)
    value, low, high, distance = (np.array(arrays[name]) for name in ("value", "low", "high", "distance"))
    signs = require_signs(sample.signs, len(sample.y))
    metrics = _with_intervals(sample, signs, value, low, high, plan.seed, kept_together)
    metrics = _with_nulls(metrics, null_model or model, sample, repeats[0], n_nulls, plan.seed, kept_together)
    confusion = None
    if sample.classifies:
        seen = np.isfinite(value[0])
        confusion = confusion_matrix(sample.y[seen], value[0][seen])
    return Evaluation(
        metrics=metrics,
        value=value,
        low=None if sample.classifies else low,
        high=None if sample.classifies else high,
        distance=distance,
        confusion=confusion,
        chosen=chosen,
        baseline=_baseline(sample, signs, repeats[0]),
    )


def learning_curve(
    model: Callable[[int], Any], sample: Sample, plan: SplitPlan, shares: Sequence[float] = (0.2, 0.4, 0.6, 0.8, 1.0)
) -> LearningCurve:
    """Return the error on unseen materials against the number in training, over the folds of the first repeat."""
    splits = plan.splits(sample.groups, sample.y, sample.families)[0]
    numbers = group_numbers(sample.groups)
    metric = "auc" if sample.classifies else "mae"
    rows: list[list[float]] = []
    sizes: list[float] = []
    for share in shares:
        errors, materials = [], []
        for number, split in enumerate(splits):
            rng = np.random.default_rng([plan.seed, number])
            order = rng.permutation(np.unique(numbers[split.train]))
            kept = order[: max(3, round(share * len(order)))]
            smaller = Split(split.train[np.isin(numbers[split.train], kept)], split.test, split.name)
            found = _asked(model(0), sample, [smaller], 0.9, {}, sample.groups)["value"]
            signs = require_signs(sample.signs, len(sample.y))
            errors.append(_metrics(sample, signs, split.test, found, None, None)[metric])
            materials.append(len(kept))
        rows.append(errors)
        sizes.append(float(np.mean(materials)))
    found_errors = np.array(rows)
    mean, spread = np.nanmean(found_errors, axis=1), np.nanstd(found_errors, axis=1, ddof=1)
    return LearningCurve(np.rint(sizes).astype(np.intp), mean, spread, metric)


def _asked(
    model: Any,
    sample: Sample,
    splits: Sequence[Split],
    confidence: float,
    chosen: dict[str, int],
    kept_together: Sequence[str],
    on_fold: Callable[[Any, Split], None] | None = None,
) -> dict[str, Floats]:
    """Fit and ask in each split; the model's own inner folds keep together what the split keeps together."""
    names = ("value", "distance") if sample.classifies else ("value", "low", "high", "distance")
    arrays = {name: np.full(len(sample.y), np.nan) for name in names}
    groups = np.asarray(kept_together, dtype=object)
    for split in splits:
        both = (split.train, split.test)
        kelvin = [None if sample.temperature_k is None else sample.temperature_k[rows] for rows in both]
        limits = {} if sample.classifies or sample.signs is None else {"censored": sample.signs[split.train]}
        fitted = model.fit(
            sample.features[split.train],
            sample.y[split.train],
            groups=groups[split.train],
            temperature_k=kelvin[0],
            **limits,
        )
        asked = sample.features[split.test]
        if sample.classifies:
            answer = fitted.predict(asked, temperature_k=kelvin[1])
            arrays["value"][split.test] = answer.probability
        else:
            answer = fitted.predict(asked, temperature_k=kelvin[1], confidence=confidence)
            arrays["value"][split.test] = answer.value
            arrays["low"][split.test], arrays["high"][split.test] = answer.low, answer.high
        arrays["distance"][split.test] = answer.distance
        if hasattr(fitted, "errors"):
            best = fitted.names[int(np.argmin(fitted.errors))]
            chosen[best] = chosen.get(best, 0) + 1
        if on_fold is not None:
            on_fold(fitted, split)
    return arrays


def _metrics(
    sample: Sample,
    signs: Signs,
    rows: npt.NDArray[np.intp],
    value: Floats,
    low: Floats | None,
    high: Floats | None,
) -> Mapping[str, float]:
    if sample.classifies:
        return classification_metrics(sample.y[rows], value[rows])
    ends = (None, None) if low is None or high is None else (low[rows], high[rows])
    return regression_metrics(sample.y[rows], signs[rows], value[rows], *ends)


def _with_intervals(
    sample: Sample,
    signs: Signs,
    value: Floats,
    low: Floats,
    high: Floats,
    seed: int,
    kept_together: Sequence[str],
) -> dict[str, Metric]:
    numbers = group_numbers(kept_together)
    exact = signs == 0

    def of(repeat: int, rows: npt.NDArray[np.intp]) -> Mapping[str, float]:
        if sample.classifies:
            return _metrics(sample, signs, rows, value[repeat], None, None)
        found = _metrics(sample, signs, rows, value[repeat], low[repeat], high[repeat])
        judged = rows[exact[rows]]
        held = (sample.y[judged] >= low[repeat][judged]) & (sample.y[judged] <= high[repeat][judged])
        rows_of = np.bincount(numbers[judged])
        share = np.bincount(numbers[judged], held) / np.maximum(rows_of, 1)
        # Weighed by how often a bootstrap drew the group.
        times = rows_of / np.maximum(own_rows, 1)[: len(rows_of)]
        return {**found, "coverage_by_group": float(np.sum(times * share) / np.sum(times))}

    own_rows = np.bincount(numbers[exact])

    asked = [np.flatnonzero(np.isfinite(each)) for each in value]
    single = [of(repeat, rows) for repeat, rows in enumerate(asked)]
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(_N_BOOTSTRAP):
        repeat = int(rng.integers(len(value)))
        rows = asked[repeat]
        members: dict[int, list[int]] = {}
        for row in rows:
            members.setdefault(int(numbers[row]), []).append(int(row))
        names = list(members)
        picked = [members[names[at]] for at in rng.integers(len(names), size=len(names))]
        draws.append(of(repeat, np.concatenate([np.array(each, dtype=np.intp) for each in picked])))
    found = {}
    for name in single[0]:
        values = np.array([each[name] for each in single])
        drawn = np.array([each.get(name, np.nan) for each in draws])
        drawn = drawn[np.isfinite(drawn)]
        carried = len(drawn) and len(np.unique(numbers[np.concatenate(asked)])) >= _FEWEST_GROUPS
        ends = np.quantile(drawn, [0.025, 0.975]) if carried else np.array([np.nan, np.nan])
        sd = float(values.std(ddof=1)) if len(values) > 1 else None
        found[name] = Metric(float(values.mean()), float(ends[0]), float(ends[1]), sd)
    return found


def _with_nulls(
    metrics: dict[str, Metric],
    model: Callable[[int], Any],
    sample: Sample,
    splits: Sequence[Split],
    n_nulls: int,
    seed: int,
    kept_together: Sequence[str],
) -> dict[str, Metric]:
    signs = require_signs(sample.signs, len(sample.y))
    found: dict[str, list[float]] = {}
    for number in range(n_nulls):
        order = dealt_order(group_numbers(sample.groups), np.random.default_rng([seed, 1, number]))
        dealt = replace(sample, y=sample.y[order], signs=None if sample.signs is None else signs[order])
        asked = _asked(model(0), dealt, splits, 0.9, {}, kept_together)
        rows = np.flatnonzero(np.isfinite(asked["value"]))
        for name, value in _metrics(dealt, signs[order], rows, asked["value"], None, None).items():
            found.setdefault(name, []).append(value)
    return beside_nulls(metrics, found)


def _baseline(sample: Sample, signs: Signs, splits: Sequence[Split]) -> Mapping[str, float]:
    """Return the metrics of a model that always answers the training median of the exact rows, or the base rate."""
    value = np.full(len(sample.y), np.nan)
    for split in splits:
        known = split.train if sample.classifies else split.train[signs[split.train] == 0]
        value[split.test] = np.mean(sample.y[known]) if sample.classifies else np.median(sample.y[known])
    return dict(_metrics(sample, signs, np.flatnonzero(np.isfinite(value)), value, None, None))
