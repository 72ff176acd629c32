"""Nested cross-validation of a softness: the penalty is chosen inside the folds that are learned from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.results import Interval
from mlip_sse.analysis.softness.auc import FoldScores, auc_interval
from mlip_sse.analysis.softness.classifier import Plane, fit_planes
from mlip_sse.analysis.softness.training_set import Fold, Samples, Split, make_folds

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PENALTIES", "Validation", "choose_penalty", "cross_validate", "shuffle_control"]

PENALTIES = (0.01, 0.1, 1.0, 10.0)
"""C per sample; stronger ties to the data from left to right."""

_ENOUGH_FOR_PENALTY = 2000


@dataclass(frozen=True, eq=False)
class Validation:
    """What a cross-validation says.

    Parameters
    ----------
    split
        How the folds were made.
    scores
        Of each sample, by the classifier that had not seen it.
    auc
        With its interval.
    accuracy
        Share of the samples on the right side.
    planes
        The classifier of each fold, for each draw.
    """

    split: Split
    scores: FoldScores
    auc: Interval
    accuracy: float
    planes: tuple[tuple[Plane, ...], ...]


def cross_validate(
    draws: Sequence[tuple[NDArray[np.floating], Samples]],
    split: Split,
    *,
    n_folds: int,
    guard: int,
    confidence: float,
    seed: int,
    penalties: Sequence[float] = PENALTIES,
) -> Validation:
    """Test the classifier on folds that it has not seen; see `make_folds` for how they are split.

    Parameters
    ----------
    draws
        Features (n_samples, n_functions) and samples, drawn several times: hops that were left out of one draw for
        equal class sizes come in with another, and ions are grouped anew.
    penalties
        To choose from, inside each fold's own training samples and split in the same way.
    """
    parts, planes = [], []
    for k, (features, samples) in enumerate(draws):
        folds = make_folds(samples, split, n_folds, guard, seed + k)
        chosen = []
        for fold in folds:
            inner = _part(samples, fold.train)
            penalty = choose_penalty(features[fold.train], inner, split, guard=guard, seed=seed, penalties=penalties)
            chosen += fit_planes(features[fold.train], inner.hops, [penalty])
        parts.append(_tested(features, samples, folds, chosen))
        planes.append(tuple(chosen))
    scores = _joined(parts)
    return Validation(split, scores, auc_interval(scores, confidence, 1000, seed), scores.accuracy, tuple(planes))


def choose_penalty(
    features: NDArray[np.floating],
    samples: Samples,
    split: Split,
    *,
    guard: int,
    seed: int,
    penalties: Sequence[float] = PENALTIES,
    n_folds: int = 3,
) -> float:
    """Return the smallest C whose AUC is within half a standard error of the best, by cross-validation.

    The standard error is that of Hanley and McNeil's formula at equal class sizes, about √(A (1 − A)/n) for n samples
    of each class.
    """
    if len(penalties) == 1:
        return float(penalties[0])
    if len(samples) > _ENOUGH_FOR_PENALTY:
        some = np.sort(np.random.default_rng(seed).choice(len(samples), _ENOUGH_FOR_PENALTY, replace=False))
        features, samples = features[some], _part(samples, some)
    inside = Split.IONS if split is Split.BOTH else split
    folds = make_folds(samples, inside, n_folds, guard, seed)
    planes = [fit_planes(features[fold.train], samples.hops[fold.train], penalties) for fold in folds]
    aucs = [_tested(features, samples, folds, column).auc for column in zip(*planes, strict=True)]
    best = float(max(aucs))
    error = np.sqrt(max(best * (1.0 - best), 1e-4) / max(samples.n_per_class, 1))
    return float(min(c for c, auc in zip(penalties, aucs, strict=True) if auc >= best - 0.5 * error))


def shuffle_control(
    features: NDArray[np.floating],
    samples: Samples,
    split: Split,
    *,
    n_shuffles: int,
    n_folds: int,
    guard: int,
    penalty: float,
    confidence: float,
    seed: int,
) -> Interval:
    """Return the AUC of labels that mean nothing: the mean over shuffles, and where one shuffle may lie.

    Classes are shuffled over all samples and everything is learned again, with the C of the true labels.
    """
    folds = make_folds(samples, split, n_folds, guard, seed)
    aucs = [_shuffled_auc(features, samples, folds, penalty, draw) for draw in _draws(seed, n_shuffles)]
    mean, spread = float(np.mean(aucs)), float(np.std(aucs, ddof=1))
    reach = float(stdtrit(n_shuffles - 1, 0.5 * (1 + confidence))) * spread * math.sqrt(1 + 1 / n_shuffles)
    method = f"{n_shuffles} shuffles of the classes; Student's interval of one more"
    return Interval(mean, mean - reach, mean + reach, confidence, method)


def _draws(seed: int, n: int) -> "Iterator[np.random.Generator]":
    for child in np.random.SeedSequence(seed).spawn(n):
        yield np.random.default_rng(child)


def _shuffled_auc(
    features: NDArray[np.floating], samples: Samples, folds: Sequence[Fold], penalty: float, rng: np.random.Generator
) -> float:
    hops = rng.permutation(samples.hops)
    shuffled = Samples(samples.frames, samples.ions, hops)
    planes = [fit_planes(features[fold.train], hops[fold.train], [penalty])[0] for fold in folds]
    return _tested(features, shuffled, folds, planes).auc


def _tested(
    features: NDArray[np.floating], samples: Samples, folds: Sequence[Fold], planes: Sequence[Plane]
) -> FoldScores:
    scores = np.concatenate([plane.distances(features[f.test]) for f, plane in zip(folds, planes, strict=True)])
    places = np.concatenate([fold.test for fold in folds])
    numbers = np.repeat(np.arange(len(folds)), [len(fold.test) for fold in folds])
    return FoldScores(scores, samples.hops[places], numbers, samples.ions[places])


def _part(samples: Samples, places: NDArray[np.int64]) -> Samples:
    return Samples(samples.frames[places], samples.ions[places], samples.hops[places])


def _joined(parts: Sequence[FoldScores]) -> FoldScores:
    """Return the scores of several draws as one; a fold of one draw is no fold of another."""
    firsts = np.cumsum([0, *(int(part.folds.max()) + 1 for part in parts)])
    return FoldScores(
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.hops for part in parts]),
        np.concatenate([part.folds + first for part, first in zip(parts, firsts, strict=False)]),
        np.concatenate([part.groups for part in parts]),
    )
