"""Conformal intervals under a grouped split: errors on folds that the model did not see set the width.

Every training row gets a prediction from a model that saw no row of its group. Each of the K groups has the same
weight 1/(K + 1), shared by its scores |y − ŷ|/s, where s is the learner's own spread; the last 1/(K + 1) is the new
group's, of whose scores nothing is known. All of it at infinity would be the safe side, which promises a share of c or
more and gives up to 1/(K + 1) too much; none of it there gives too little. Half of it is put there: the interval of a
new row is ŷ ± q·s, where q is the smallest score at or below which there is a weight of c·(K + ½)/(K + 1). With one
row a group it is the ⌈(K + ½)·c⌉-th, which holds the new one with a probability within 1/(K + 1) of c, on either side;
where even the largest score would hold less than c, as K/(K + 1) < c, the interval is infinite. A row of a new group
that is exchangeable with those of the training table is so covered with a probability near c, nearly whatever the
learner: the mean over groups, not over rows. A pool of rows would be ruled by a few large groups, and would take the
number of rows for what is known. Outside of the domain nothing is exchangeable, and the interval is widened by the
distance.

References
----------
Barber et al., Ann. Stat. 49, 486 (2021), 10.1214/20-AOS1965; Dunn, Wasserman and Ramdas, J. Am. Stat. Assoc. 118, 2491
(2023), 10.1080/01621459.2022.2060112 (groups: pooled distribution functions).
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.splits import Split, grouped_folds, leave_one_group_out

__all__ = ["group_weights", "inner_splits", "out_of_fold", "score_quantile"]

Floats = npt.NDArray[np.float64]
Predict = Callable[[npt.NDArray[np.intp], npt.NDArray[np.intp]], tuple[Floats, Floats]]


def inner_splits(groups: npt.NDArray[np.intp], n_folds: int, seed: int) -> list[Split]:
    """Return grouped inner folds; with fewer groups than folds, one group at a time."""
    n_groups = len(np.unique(groups))
    if n_groups < 3:
        raise InputError(f"found {n_groups} materials to fit to, expected at least 3, so that an error can be measured")
    if n_groups < n_folds:
        return leave_one_group_out(groups)
    return grouped_folds(groups, n_folds, np.random.default_rng(seed))


def out_of_fold(splits: list[Split], n_rows: int, predict: Predict) -> tuple[Floats, Floats]:
    """Return value and spread of each row by a model that did not see its group, each (n_rows,).

    Parameters
    ----------
    splits
        Inner folds that ask every row once.
    predict
        Called with the rows to train on and those to ask; returns value and spread of the latter.
    """
    value, spread = np.full(n_rows, np.nan), np.full(n_rows, np.nan)
    for split in splits:
        value[split.test], spread[split.test] = predict(split.train, split.test)
    return value, spread


def group_weights(groups: npt.NDArray[np.intp]) -> Floats:
    """Return the weight of each row, (n_rows,): its share of the 1/(K + 1) of its group, one of K."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    found: Floats = 1.0 / ((len(counts) + 1) * counts[inverse])
    return found


def score_quantile(scores: Floats, weights: Floats, confidence: float) -> float:
    """Return the score that a new group's stay below with a probability near ``confidence``; infinite where none is.

    Parameters
    ----------
    scores, weights
        (n_scores,), in any order; weights of `group_weights`.
    confidence
        Between 0 and 1.
    """
    if not 0.0 < confidence < 1.0:
        raise InputError(f"confidence must lie between 0 and 1, found {confidence!r}")
    known = float(weights.sum())
    if known < confidence - 1e-9:
        return math.inf
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order])
    rank = int(np.searchsorted(reached, confidence * 0.5 * (1.0 + known) - 1e-9))
    return float(scores[order][min(rank, len(scores) - 1)])
