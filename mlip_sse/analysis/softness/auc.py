"""Area under the ROC curve of scores from folds, with an interval by drawing ions anew.

Scores of different folds come from different classifiers, so that only pairs of one fold are compared; otherwise labels
that mean nothing would not give ½ but less (the larger class of a fold to learn from is the smaller one of its test).
Samples of one ion are not independent: whole ions are drawn.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.results import Interval

__all__ = ["FoldScores", "auc_interval", "roc_curve"]


@dataclass(frozen=True, eq=False)
class FoldScores:
    """Scores of samples by classifiers that had not seen them.

    Parameters
    ----------
    scores : (n_samples,)
    hops : (n_samples,) True for the hop class
    folds : (n_samples,) number of the fold that each sample was tested in
    groups : (n_samples,) number of each sample's ion
    """

    scores: NDArray[np.float64]
    hops: NDArray[np.bool_]
    folds: NDArray[np.int64]
    groups: NDArray[np.int64]

    @property
    def auc(self) -> float:
        """Share of the pairs (hop, stable) within a fold whose hop has the larger score; ties count half."""
        won, compared = _pair_counts(self)
        return float(won.sum() / compared.sum()) if compared.sum() else math.nan

    @property
    def accuracy(self) -> float:
        """Share of samples on the right side of zero."""
        return float(np.mean((self.scores > 0) == self.hops))


def auc_interval(scores: FoldScores, confidence: float, n_draws: int, seed: int) -> Interval:
    """Return the AUC with the interval of a bootstrap over ions, on the logit scale so that it stays below one."""
    won, compared = _pair_counts(scores)
    value = scores.auc
    rng = np.random.default_rng(seed)
    n_groups = len(won)
    weights = rng.multinomial(n_groups, np.full(n_groups, 1.0 / n_groups), size=n_draws).astype(np.float64)
    total = np.einsum("dg,dg->d", weights @ compared, weights)
    drawn = np.einsum("dg,dg->d", weights @ won, weights)[total > 0] / total[total > 0]
    method = f"pairs within folds; bootstrap over {n_groups} ions on the logit scale"
    bound = 0.5 / max(float(compared.sum()), 1.0)
    middle = _logit(min(max(value, bound), 1 - bound))
    spread = float(np.std(_logit(np.clip(drawn, bound, 1 - bound)), ddof=1))
    reach = float(stdtrit(max(n_groups - 1, 1), 0.5 * (1 + confidence))) * spread
    low, high = (1.0 / (1.0 + math.exp(-(middle + sign * reach))) for sign in (-1, 1))
    return Interval(value, float(low), float(high), confidence, method)


def roc_curve(scores: FoldScores) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rates of false and of true hops as the threshold falls, averaged over folds at equal false rates."""
    false = np.linspace(0.0, 1.0, 201)
    curves, weights = [], []
    for fold in np.unique(scores.folds):
        inside = scores.folds == fold
        order = np.argsort(-scores.scores[inside], kind="stable")
        hops = scores.hops[inside][order]
        n_hops, n_stable = int(hops.sum()), int((~hops).sum())
        if n_hops and n_stable:
            up, along = np.r_[0, np.cumsum(hops)] / n_hops, np.r_[0, np.cumsum(~hops)] / n_stable
            curves.append(np.interp(false, along, up))
            weights.append(n_hops * n_stable)
    return false, np.average(curves, axis=0, weights=weights)


def _logit(x: "float | NDArray[np.float64]") -> "float | NDArray[np.float64]":
    return np.log(x) - np.log1p(-x)


def _pair_counts(scores: FoldScores) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the pairs that a hop wins and the pairs compared, by the ions of hop and stable sample."""
    groups, places = np.unique(scores.groups, return_inverse=True)
    won, compared = np.zeros((2, len(groups), len(groups)))
    for fold in np.unique(scores.folds):
        inside = scores.folds == fold
        up, down = inside & scores.hops, inside & ~scores.hops
        higher = scores.scores[up][:, None] - scores.scores[down][None, :]
        rows, columns = np.broadcast_arrays(places[up][:, None], places[down][None, :])
        np.add.at(won, (rows, columns), 0.5 * (1.0 + np.sign(higher)))
        np.add.at(compared, (rows, columns), 1.0)
    return won, compared
