"""Permutation importance: by how much a model errs more when a group of features is dealt to other materials.

    I_g = ⟨ e(y, f(x with the columns g of another row)) − e(y, f(x)) ⟩   over rows that the model did not see

with e = |y − f| of a regressor (limits count where contradicted) and (y − p)² of a classifier. Features that say the
same thing are permuted together, for else each seems idle while the other stands in for it.

References
----------
Breiman, Mach. Learn. 45, 5 (2001), 10.1023/A:1010933404324; Altmann et al., Bioinformatics 26, 1340 (2010),
10.1093/bioinformatics/btq134 (nulls); Westfall and Young, Resampling-Based Multiple Testing (1993) (the largest null).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.censoring import hinge_errors, require_signs
from mlip_sse.properties.evaluation import Sample
from mlip_sse.properties.explain.resampling import Score, dealt_sample, scores_of
from mlip_sse.properties.splits import Split, SplitPlan

__all__ = ["correlated_groups", "fit_on", "permutation_importance", "row_errors", "vip_scores"]

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
Make = Callable[[int], Any]


def permutation_importance(
    model: Make,
    sample: Sample,
    plan: SplitPlan,
    groups: Mapping[str, Sequence[int]],
    *,
    n_shuffles: int = 5,
    n_nulls: int = 0,
    null_model: Make | None = None,
) -> tuple[Score, ...]:
    """Return the importance of groups of features, largest first.

    Parameters
    ----------
    model
        Called with the number of the repeat; returns what has `fit`.
    sample, plan
        The rows and how they are parted; importance is of the rows that are asked.
    groups
        Columns by name of the group.
    n_shuffles
        Permutations of each group in each fold.
    n_nulls, null_model
        Models of dealt targets, on the first repeat's folds, and a cheaper model for them.

    Raises
    ------
    InputError
        When no feature varies, or a group has no column.
    """
    _require_varying(sample.features, groups)
    repeats = plan.splits(sample.groups, sample.y, sample.families)
    rows = np.array(
        [_rows(model(at), sample, splits, groups, n_shuffles, [plan.seed, at]) for at, splits in enumerate(repeats)]
    )
    nulls = []
    for null in range(n_nulls):
        dealt = dealt_sample(sample, [plan.seed, 1, null])
        found = _rows((null_model or model)(0), dealt, repeats[0], groups, n_shuffles, [plan.seed, 2, null])
        nulls.append(np.nanmean(found, axis=0))
    scores = scores_of(tuple(groups), rows, sample.groups, np.array(nulls) if nulls else None, plan.seed)
    return tuple(sorted(scores, key=lambda each: -each.value))


def correlated_groups(names: Sequence[str], features: Floats, threshold: float = 0.9) -> dict[str, list[int]]:
    """Return columns in groups whose Spearman correlations all reach a threshold in size, each named by its first.

    Columns without variance are left out; missing values take the median.

    Raises
    ------
    InputError
        When no feature varies.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform
    from scipy.stats import rankdata

    if not 0 < threshold <= 1:
        raise InputError(f"found a threshold of {threshold:g}, expected above 0, at most 1")
    present = np.isfinite(features)
    kept = [at for at in range(features.shape[1]) if len(np.unique(features[present[:, at], at])) > 1]
    if not kept:
        raise InputError(f"no feature varies among the {features.shape[1]}, expected one with two values")
    filled = [np.where(present[:, at], features[:, at], np.median(features[present[:, at], at])) for at in kept]
    ranks = np.array([rankdata(column) for column in filled])
    if len(kept) == 1:
        return {names[kept[0]]: [kept[0]]}
    ranks = ranks - ranks.mean(axis=1, keepdims=True)
    ranks /= np.maximum(np.linalg.norm(ranks, axis=1, keepdims=True), 1e-300)
    apart = 1.0 - np.abs(ranks @ ranks.T)
    tree = linkage(squareform(np.clip((apart + apart.T) / 2, 0, None), checks=False), "complete")
    labels = fcluster(tree, 1.0 - threshold + 1e-12, "distance")
    found: dict[int, list[int]] = {}
    for at, label in zip(kept, labels, strict=True):
        found.setdefault(int(label), []).append(at)
    return {_title(names, members): members for members in sorted(found.values())}


def vip_scores(
    names: Sequence[str], sample: Sample, n_components: int = 5, n_draws: int = 50, n_nulls: int = 20, seed: int = 0
) -> tuple[Score, ...]:
    """Return VIP scores of partial least squares with intervals over drawn materials, largest first.

    A feature that is not useful has no score. The mean of VIP² is 1; above 1 a feature counts more than the average.
    """
    from mlip_sse.properties.regression import PropertyRegressor

    if sample.classifies:
        raise InputError("found a classifier, expected a regressor for VIP scores: leave them out")
    model = PropertyRegressor("pls", {"n_components": n_components}, seed, calibrates=False)
    whole = _vip(model, sample, np.arange(len(sample.y)), len(names))
    rng = np.random.default_rng(seed)
    members: dict[str, list[int]] = {}
    for row, group in enumerate(sample.groups):
        members.setdefault(group, []).append(row)
    materials = list(members.values())
    draws = []
    for _ in range(n_draws):
        chosen = rng.integers(len(materials), size=len(materials))
        draws.append(_vip(model, sample, np.concatenate([materials[at] for at in chosen]), len(names)))
    everything = np.arange(len(sample.y))
    nulls = np.array(
        [_vip(model, dealt_sample(sample, [seed, 3, at]), everything, len(names)) for at in range(n_nulls)]
    )
    found = []
    for at in np.flatnonzero(np.isfinite(whole)).tolist():
        low, high = np.nanquantile([draw[at] for draw in draws], [0.025, 0.975])
        score = Score(names[at], float(whole[at]), float(low), float(high))
        if n_nulls:
            largest = np.nanmax(nulls, axis=1)
            p_value = (1 + int((largest >= whole[at]).sum())) / (1 + n_nulls)
            score = Score(
                score.name,
                score.value,
                score.low,
                score.high,
                float(nulls[:, at].mean()),
                float(largest.max()),
                p_value,
            )
        found.append(score)
    return tuple(sorted(found, key=lambda each: -each.value))


def fit_on(model: Any, sample: Sample, rows: Index, columns: Index | None = None) -> Any:
    """Fit a model to some rows (and columns) of a sample."""
    features = sample.features[rows] if columns is None else sample.features[np.ix_(rows, columns)]
    limits = {} if sample.classifies or sample.signs is None else {"censored": sample.signs[rows]}
    kelvin = None if sample.temperature_k is None else sample.temperature_k[rows]
    groups = np.asarray(sample.groups, dtype=object)[rows]
    return model.fit(features, sample.y[rows], groups=groups, temperature_k=kelvin, **limits)


def row_errors(fitted: Any, sample: Sample, rows: npt.NDArray[np.intp], features: Floats) -> Floats:
    """Return |y − f| of some rows, or (y − p)² of a classifier, with other features than the sample's."""
    kelvin = None if sample.temperature_k is None else sample.temperature_k[rows]
    answer = fitted.predict(features, temperature_k=kelvin)
    if sample.classifies:
        return np.asarray((answer.probability - sample.y[rows]) ** 2)
    signs = require_signs(sample.signs, len(sample.y))[rows]
    return np.abs(hinge_errors(sample.y[rows], signs, answer.value))


def _rows(
    model: Any,
    sample: Sample,
    splits: Sequence[Split],
    groups: Mapping[str, Sequence[int]],
    n_shuffles: int,
    seed: Sequence[int],
) -> Floats:
    """Return the growth of the error of each row for each group, (n_rows, n_groups); nan where not asked."""
    found = np.full((len(sample.y), len(groups)), np.nan)
    rng = np.random.default_rng(list(seed))
    for split in splits:
        fitted = fit_on(model, sample, split.train)
        asked = sample.features[split.test]
        before = row_errors(fitted, sample, split.test, asked)
        # A fold of one material has nothing to exchange with: values are drawn from the training rows there.
        lends = split.test if len({sample.groups[row] for row in split.test}) > 1 else split.train
        for at, columns in enumerate(groups.values()):
            total = np.zeros(len(split.test))
            for _ in range(n_shuffles):
                lent = rng.permutation(lends) if len(lends) == len(split.test) else rng.choice(lends, len(split.test))
                shuffled = asked.copy()
                shuffled[:, columns] = sample.features[lent][:, columns]
                total += row_errors(fitted, sample, split.test, shuffled) - before
            found[split.test, at] = total / n_shuffles
    return found


def _vip(model: Any, sample: Sample, rows: npt.NDArray[np.intp], n_features: int) -> Floats:
    fitted = fit_on(model, sample, rows)
    found = np.full(n_features, np.nan)
    kept = fitted.columns[fitted.preparation.kept]
    found[kept] = fitted.learner.vip[: len(kept)]
    return found


def _title(names: Sequence[str], members: Sequence[int]) -> str:
    return names[members[0]] if len(members) == 1 else f"{names[members[0]]} (and {len(members) - 1} like it)"


def _require_varying(features: Floats, groups: Mapping[str, Sequence[int]]) -> None:
    if not groups or not all(len(columns) for columns in groups.values()):
        raise InputError("found a group of features without a column, expected at least one in each")
    filled = np.nan_to_num(features, nan=np.inf)
    if (filled == filled[:1]).all():
        raise InputError(f"no feature varies over the {len(features)} rows, expected one with two values")
