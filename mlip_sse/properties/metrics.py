"""Numbers that say how good predictions are; pure functions of arrays.

Errors are of the exact rows. A limit enters `limit_violation` alone: the mean excess of the prediction over a limit
that it contradicts.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from mlip_sse.properties.censoring import Signs, hinge_errors

__all__ = ["area_under_curve", "classification_metrics", "confusion_matrix", "regression_metrics"]

Floats = npt.NDArray[np.float64]


def regression_metrics(
    y: Floats, signs: Signs, value: Floats, low: Floats | None = None, high: Floats | None = None
) -> Mapping[str, float]:
    """Return mae, rmse, r2, spearman of the exact rows, and coverage and mean width of the intervals where given."""
    exact = signs == 0
    truth, guess = y[exact], value[exact]
    error = guess - truth
    variance = float(np.sum((truth - truth.mean()) ** 2))
    found = {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "r2": 1.0 - float(np.sum(error**2)) / variance if variance > 0 else float("nan"),
        "spearman": _correlation(rankdata(truth), rankdata(guess)),
    }
    if not exact.all():
        found["limit_violation"] = float(np.abs(hinge_errors(y, signs, value))[~exact].mean())
    if low is not None and high is not None:
        found["coverage"] = float(np.mean((low[exact] <= truth) & (truth <= high[exact])))
        found["width"] = float(np.mean((high - low)[exact]))
    return found


def classification_metrics(y: Floats, probability: Floats, cut: float = 0.5) -> Mapping[str, float]:
    """Return auc, precision, recall, accuracy, base_rate and the Brier score; the former three at a probability cut."""
    (true_negative, false_positive), (false_negative, true_positive) = confusion_matrix(y, probability, cut)
    called, positive = true_positive + false_positive, true_positive + false_negative
    return {
        "auc": area_under_curve(y, probability),
        "precision": true_positive / called if called else float("nan"),
        "recall": true_positive / positive if positive else float("nan"),
        "accuracy": (true_positive + true_negative) / len(y),
        "brier": float(np.mean((probability - y) ** 2)),
        "base_rate": float(np.mean(y)),
    }


def confusion_matrix(y: Floats, probability: Floats, cut: float = 0.5) -> npt.NDArray[np.intp]:
    """Return counts (2, 2): rows the truth 0 and 1, columns the call 0 and 1."""
    counts = np.zeros((2, 2), dtype=np.intp)
    np.add.at(counts, ((y > 0.5).astype(np.intp), (probability >= cut).astype(np.intp)), 1)
    return counts


def area_under_curve(y: Floats, score: Floats) -> float:
    """Return the area under the ROC curve: the share of pairs of both classes in order, a tie counting half."""
    positive = y > 0.5
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def _correlation(first: Floats, second: Floats) -> float:
    if first.std() == 0 or second.std() == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
