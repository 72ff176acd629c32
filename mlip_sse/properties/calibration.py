"""Probabilities that mean what they say: scores of unseen groups, mapped to frequencies by a logistic curve.

A score z becomes p = 1/(1 + exp(−(a z + b))), with a and b fitted to the scores that models gave to groups they had not
seen, and with targets pulled a little inwards, (n₊ + 1)/(n₊ + 2) and 1/(n₋ + 2), so that a separable table gives no
certainty (Platt). Shares of votes are first turned into log-odds.

References
----------
Platt, Advances in Large Margin Classifiers 10, 61 (1999); Niculescu-Mizil and Caruana, ICML 2005, 625,
10.1145/1102351.1102430.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from mlip_sse.errors import InputError
from mlip_sse.properties.storage import storable

__all__ = ["Calibration", "as_log_odds"]

Floats = npt.NDArray[np.float64]

_SHARE_EDGE = 1e-3


def as_log_odds(shares: Floats) -> Floats:
    """Return log-odds of shares between 0 and 1, kept off the ends by a thousandth."""
    found: Floats = logit(np.clip(shares, _SHARE_EDGE, 1 - _SHARE_EDGE))
    return found


@storable
@dataclass(frozen=True)
class Calibration:
    """Slope and offset of the curve from a score to a probability."""

    slope: float
    offset: float

    @classmethod
    def fitted_to(cls, scores: Floats, y: Floats) -> "Calibration":
        """Fit to scores of unseen groups and to what was true (0 or 1), each (n_rows,).

        Raises
        ------
        InputError
            When one class is missing.
        """
        n_positive, n_negative = int((y > 0.5).sum()), int((y <= 0.5).sum())
        if not (n_positive and n_negative):
            raise InputError(f"found {n_positive} rows above and {n_negative} below, expected some of both classes")
        wanted = np.where(y > 0.5, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
        unit = float(np.std(scores)) or 1.0

        def loss(x: Floats) -> tuple[float, Floats]:
            z = x[0] * scores / unit + x[1]
            miss = expit(z) - wanted
            value = float(np.sum(np.logaddexp(0.0, z) - wanted * z))
            return value, np.array([np.sum(miss * scores / unit), np.sum(miss)])

        start = np.array([1.0, np.log(n_positive / n_negative)])
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(1e-6, None), (None, None)]).x
        return cls(slope=float(found[0] / unit), offset=float(found[1]))

    def probability(self, scores: Floats) -> Floats:
        """Return the probability of the positive class."""
        found: Floats = expit(self.slope * scores + self.offset)
        return found
