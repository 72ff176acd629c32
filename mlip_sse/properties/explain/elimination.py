"""Recursive feature elimination: how well ever fewer features do, and how many would be chosen without peeking.

Inside each training fold, and there alone, features are ranked by extremely randomised trees, the weaker part is left
out, the rest is ranked anew, and so on down to one. The error of each size is of the rows that the fold asks. The size
itself is chosen inside the training fold too, on grouped inner folds: the smallest whose error is within one standard
error of the best. So the error of the chosen size is one that no test row had a part in.

References
----------
Guyon et al., Mach. Learn. 46, 389 (2002), 10.1023/A:1012487302797; Ambroise and McLachlan, PNAS 99, 6562 (2002),
10.1073/pnas.102102699 (why the elimination is nested).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.evaluation import Sample
from mlip_sse.properties.explain.importance import fit_on, row_errors
from mlip_sse.properties.explain.resampling import Score, dealt_sample, scores_of
from mlip_sse.properties.preparation import Preparation
from mlip_sse.properties.splits import Split, SplitPlan, group_numbers, grouped_folds

__all__ = ["Elimination", "eliminate_features", "elimination_path", "elimination_sizes"]

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
Make = Callable[[int], Any]


@dataclass(frozen=True, eq=False)
class Elimination:
    """What `eliminate_features` found.

    Parameters
    ----------
    sizes
        Numbers of features, descending.
    errors
        Mean error of each size (absolute, or Brier of a classifier), with interval; of its null, dealt targets, small
        is good, so that ``p_value`` is the share of nulls that err as little.
    chosen
        The same of the size that each fold chose for itself.
    chosen_sizes
        How often each size was chosen.
    kept
        Of each feature, the share of folds in which it is among the last ``kept_of``.
    kept_of
        The median of the chosen sizes.
    """

    sizes: tuple[int, ...]
    errors: tuple[Score, ...]
    chosen: Score
    chosen_sizes: Mapping[int, int]
    kept: Mapping[str, float]
    kept_of: int


def elimination_sizes(n_features: int, share: float = 0.5) -> tuple[int, ...]:
    """Return numbers of features from all to one, each ``share`` of the one before, at least one fewer."""
    if not 0 < share < 1:
        raise InputError(f"found a share of {share:g} to keep, expected between 0 and 1")
    sizes = [n_features]
    while sizes[-1] > 1:
        sizes.append(max(1, min(sizes[-1] - 1, round(share * sizes[-1]))))
    return tuple(sizes)


def elimination_path(
    features: Floats, y: Floats, sizes: Sequence[int], seed: int, classifies: bool = False, n_trees: int = 100
) -> list[Index]:
    """Return the columns that are left at each size, the best first, ranked anew at each.

    Raises
    ------
    InputError
        When no feature varies.
    """
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    preparation = Preparation.fitted_to(features)
    n_kept = len(preparation.kept)
    filled = np.full(features.shape, 0.0)
    filled[:, preparation.kept] = preparation.apply(features)[:, :n_kept]
    kind = ExtraTreesClassifier if classifies else ExtraTreesRegressor
    left = np.arange(features.shape[1], dtype=np.intp)
    path = []
    for size in sizes:
        trees = kind(n_estimators=n_trees, max_features=0.5, min_samples_leaf=2, random_state=seed, n_jobs=1)
        weight = trees.fit(filled[:, left], y).feature_importances_
        left = left[np.argsort(-weight, kind="stable")][:size]
        path.append(left)
    return path


def eliminate_features(
    model: Make,
    sample: Sample,
    plan: SplitPlan,
    names: Sequence[str],
    *,
    share: float = 0.5,
    inner_folds: int = 3,
    n_nulls: int = 0,
    n_trees: int = 100,
) -> Elimination:
    """Return the error of each number of features, nested in the splits.

    Parameters
    ----------
    model
        Called with the number of the repeat; returns what has `fit`, for any number of features. It is fitted often.
    sample, plan, names
        The rows, how they are parted, and the names of the features.
    share
        Of the features that each step keeps.
    inner_folds
        By which each fold chooses its size.
    n_nulls
        Eliminations on dealt targets, on the first repeat's folds.
    n_trees
        Of the trees that rank.
    """
    sizes = elimination_sizes(sample.features.shape[1], share)
    repeats = plan.splits(sample.groups, sample.y, sample.families)
    rows = np.full((len(repeats), len(sample.y), len(sizes) + 1), np.nan)
    chosen_sizes: list[int] = []
    paths: list[list[Index]] = []
    for at, splits in enumerate(repeats):
        for split in splits:
            errors, path = _errors(model(at), sample, split, sizes, plan.seed + at, n_trees)
            rows[at][split.test, :-1] = errors
            size = _chosen(model(at), sample, split, sizes, inner_folds, plan.seed + at, n_trees)
            rows[at][split.test, -1] = errors[:, sizes.index(size)]
            chosen_sizes.append(size)
            paths.append(path)
    nulls = [_null(model(0), sample, repeats[0], sizes, [plan.seed, 5, null], n_trees) for null in range(n_nulls)]
    titles = [f"{size} features" for size in sizes]
    # Small errors are good: with the sign turned the largest null is the best one.
    found = scores_of([*titles, "chosen size"], -rows, sample.groups, _with_chosen(nulls), plan.seed)
    kept_of = int(np.median(chosen_sizes))
    nearest = min(range(len(sizes)), key=lambda each: abs(sizes[each] - kept_of))
    counts = np.bincount(np.concatenate([path[nearest] for path in paths]), minlength=len(names)) / len(paths)
    return Elimination(
        sizes=sizes,
        errors=tuple(_turned(each) for each in found[:-1]),
        chosen=_turned(found[-1]),
        chosen_sizes={size: chosen_sizes.count(size) for size in sizes if size in chosen_sizes},
        kept={names[at]: float(counts[at]) for at in np.argsort(-counts, kind="stable") if counts[at] > 0},
        kept_of=sizes[nearest],
    )


def _errors(
    model: Any, sample: Sample, split: Split, sizes: Sequence[int], seed: int, n_trees: int
) -> tuple[Floats, list[Index]]:
    train = split.train
    path = elimination_path(sample.features[train], sample.y[train], sizes, seed, sample.classifies, n_trees)
    errors = np.empty((len(split.test), len(sizes)))
    for at, columns in enumerate(path):
        fitted = fit_on(model, sample, train, columns)
        errors[:, at] = row_errors(fitted, sample, split.test, sample.features[np.ix_(split.test, columns)])
    return errors, path


def _chosen(
    model: Any, sample: Sample, split: Split, sizes: Sequence[int], n_folds: int, seed: int, n_trees: int
) -> int:
    """Return the smallest size within one standard error of the best, by inner folds of the training rows."""
    train = split.train
    numbers = group_numbers([sample.groups[row] for row in train])
    inner = grouped_folds(numbers, n_folds, np.random.default_rng(seed))
    parts = []
    for each in inner:
        own = Split(train[each.train], train[each.test])
        parts.append(_errors(model, sample, own, sizes, seed, n_trees)[0].mean(axis=0))
    found = np.array(parts)
    mean = found.mean(axis=0)
    best = int(mean.argmin())
    allowed = mean[best] + found[:, best].std(ddof=1) / np.sqrt(len(found))
    return min(size for size, error in zip(sizes, mean, strict=True) if error <= allowed)


def _null(
    model: Any, sample: Sample, splits: Sequence[Split], sizes: Sequence[int], seed: Sequence[int], n_trees: int
) -> Floats:
    dealt = dealt_sample(sample, seed)
    errors = [_errors(model, dealt, split, sizes, int(seed[0]), n_trees)[0] for split in splits]
    return np.asarray(-np.concatenate(errors).mean(axis=0))


def _with_chosen(nulls: Sequence[Floats]) -> Floats | None:
    """Return nulls of all sizes and, for the chosen one, the best of them: the harder null."""
    return np.array([[*null, null.max()] for null in nulls]) if nulls else None


def _turned(score: Score) -> Score:
    null = None if score.null is None else -score.null
    best = None if score.null_high is None else -score.null_high
    return Score(score.name, -score.value, -score.high, -score.low, null, best, score.p_value)
