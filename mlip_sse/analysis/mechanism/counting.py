"""Rates from counted events, with exact intervals."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, stdtrit

from mlip_sse.analysis.results import Interval

__all__ = ["poisson_limits", "rate_interval"]

_CLUSTERED = 0.01
_FEWEST_GROUPS = 4


def poisson_limits(n_events: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return Garwood's exact limits of the mean of a Poisson count.

    References
    ----------
    F. Garwood, Biometrika 28, 437 (1936), doi:10.1093/biomet/28.3-4.437
    """
    tail = 0.5 * (1.0 - confidence)
    low = 0.0 if n_events == 0 else float(gammaincinv(n_events, tail))
    return low, float(gammaincinv(n_events + 1, 1.0 - tail))


def rate_interval(counts: NDArray[np.int64], exposures: NDArray[np.float64], confidence: float = 0.95) -> Interval:
    """Return the rate of events that several bodies show, each watched for its own time.

    The interval is exact for independent events. Where the counts of the bodies differ more than such events would
    (events that come in flurries), it is widened to what the spread between the bodies says, by Student's t in ln rate.

    Parameters
    ----------
    counts : (n_bodies,) events
    exposures : (n_bodies,) time watched, in any unit; the rate comes in its inverse
    confidence
        Of the interval.
    """
    from scipy.stats import chi2

    total, time = int(counts.sum()), float(exposures.sum())
    low, high = poisson_limits(total, confidence)
    if total == 0:
        return Interval(None, 0.0, high / time, confidence, "no event: upper limit, exact Poisson")
    rate = total / time
    method = "exact Poisson (Garwood)"
    low, high = low / time, high / time
    n_bodies = len(counts)
    if n_bodies >= _FEWEST_GROUPS:
        expected = rate * exposures
        spread = float(np.sum((counts - expected) ** 2 / np.maximum(expected, 1e-300)))
        if float(chi2.sf(spread, n_bodies - 1)) < _CLUSTERED:
            variance = float(np.sum((counts - expected) ** 2)) * n_bodies / (n_bodies - 1) / total**2
            half = -float(stdtrit(n_bodies - 1, 0.5 * (1.0 - confidence))) * math.sqrt(variance)
            low, high = min(low, rate * math.exp(-half)), max(high, rate * math.exp(half))
            method = f"spread between {n_bodies} bodies, which is wider than Poisson's"
    return Interval(rate, low, high, confidence, method)
