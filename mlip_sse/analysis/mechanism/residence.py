"""Residence times: Kaplan-Meier survival with censoring, and the exponential estimate beside it.

Runs at the edges of a trajectory are not dropped, which would bias residence times short: a visit that outlasts the
trajectory is censored, and one that began before it enters with the time since the first frame. The latter's age is not
known. That it does not matter, because the process has no memory, is tested (log-rank of the first visits against those
whose arrival was seen); where the test fails, only visits with a seen arrival make the curve.

    S(t) = Π_{t_i ≤ t} (1 - d_i / n_i),    Var ln S = Σ d_i / (n_i (n_i - d_i))   (Greenwood)

    τ = Σ durations / exits   (maximum likelihood of an exponential with censoring), exact interval of the exits' count

References
----------
E. L. Kaplan, P. Meier, J. Am. Stat. Assoc. 53, 457 (1958), doi:10.1080/01621459.1958.10501452
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcinv

from mlip_sse.analysis.mechanism.counting import poisson_limits
from mlip_sse.analysis.mechanism.visits import Visits
from mlip_sse.analysis.results import Interval

__all__ = ["Residence", "Survival", "exponential_residence", "kaplan_meier", "log_rank", "residence_time"]

_SAME_LAW = 0.01
"""Probability of the log-rank test below which first visits are not pooled with the others."""


@dataclass(frozen=True, eq=False)
class Survival:
    """A survival curve at the times at which something ended.

    Parameters
    ----------
    times : (n_times,) in the unit of the durations
    survival : (n_times,) just after each time
    low, high : (n_times,) pointwise interval, log(-log) transformed
    at_risk : (n_times,) runs still watched just before each time
    """

    times: NDArray[np.float64]
    survival: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    at_risk: NDArray[np.int64]

    def quantile(self, fraction: float = 0.5, confidence: float = 0.95) -> Interval:
        """Return when a fraction has ended, with the interval that the band gives; infinite where not reached."""

        def first(curve: NDArray[np.float64]) -> float:
            below = np.flatnonzero(curve <= 1 - fraction)
            return float(self.times[below[0]]) if len(below) else math.inf

        value = first(self.survival)
        return Interval(
            value if math.isfinite(value) else None, first(self.low), first(self.high), confidence, "Kaplan-Meier"
        )


def kaplan_meier(
    durations: NDArray[np.float64],
    ended: NDArray[np.bool_],
    entries: NDArray[np.float64] | None = None,
    confidence: float = 0.95,
) -> Survival:
    """Return the Kaplan-Meier curve of durations, some of them censored, some of them watched from a later age on.

    Parameters
    ----------
    durations : (n_runs,) age at the end, or at which watching ended
    ended : (n_runs,) False where the run was still on (censored)
    entries : (n_runs,) ages at which watching began, zero by default (left truncation)
    confidence
        Of the pointwise band.
    """
    entries = np.zeros(len(durations)) if entries is None else entries
    times = np.unique(durations[ended])
    ends = np.searchsorted(np.sort(durations[ended]), times, side="right")
    deaths = np.diff(ends, prepend=0)
    watched = np.searchsorted(np.sort(entries), times, side="left")
    gone = np.searchsorted(np.sort(durations), times, side="left")
    at_risk = watched - gone
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(1.0 - deaths / at_risk)
        greenwood = np.cumsum(deaths / (at_risk * (at_risk - deaths).astype(np.float64)))
        spread = math.sqrt(2) * float(erfcinv(1 - confidence)) * np.sqrt(greenwood) / np.abs(np.log(survival))
        low, high = survival ** np.exp(spread), survival ** np.exp(-spread)
    low = np.where(survival > 0, low, 0.0)
    high = np.where(survival > 0, high, np.minimum.accumulate(np.where(survival > 0, high, 1.0)))
    return Survival(times, survival, low, high, at_risk.astype(np.int64))


def log_rank(durations: NDArray[np.float64], ended: NDArray[np.bool_], group: NDArray[np.bool_]) -> float:
    """Return the probability with which two groups of one survival law differ as much as these (log-rank test)."""
    from scipy.special import chdtrc

    times = np.unique(durations[ended])
    expected = observed = variance = 0.0
    ordered, ordered_in = np.sort(durations), np.sort(durations[group])
    ends, ends_in = np.sort(durations[ended]), np.sort(durations[ended & group])
    for time in times:
        n = len(ordered) - int(np.searchsorted(ordered, time, side="left"))
        n_in = len(ordered_in) - int(np.searchsorted(ordered_in, time, side="left"))
        d = int(np.searchsorted(ends, time, side="right") - np.searchsorted(ends, time, side="left"))
        observed += int(np.searchsorted(ends_in, time, side="right") - np.searchsorted(ends_in, time, side="left"))
        expected += d * n_in / n
        if n > 1:
            variance += d * (n_in / n) * (1 - n_in / n) * (n - d) / (n - 1)
    return 1.0 if variance <= 0 else float(chdtrc(1, (observed - expected) ** 2 / variance))


def exponential_residence(total: float, exits: int, confidence: float = 0.95) -> Interval:
    """Return the mean residence time of ``exits`` in a total time, with the exact interval of the count."""
    low, high = poisson_limits(exits, confidence)
    return Interval(
        total / exits if exits else None,
        total / high,
        total / low if low > 0 else math.inf,
        confidence,
        "exponential, censored; exact Poisson interval of the exits",
    )


@dataclass(frozen=True, eq=False)
class Residence:
    """Residence on the sites of one class, times in fs.

    Parameters
    ----------
    label
        Class of the sites.
    time
        Exponential estimate τ.
    median
        Of the Kaplan-Meier curve.
    survival
        The curve.
    n_visits, n_exits
        Visits and how many of them ended in a jump.
    edges_pooled
        Whether the first visits of the ions make part of the curve.
    same_law
        Probability of the log-rank test of first visits against the others.
    """

    label: str
    time: Interval
    median: Interval
    survival: Survival
    n_visits: int
    n_exits: int
    edges_pooled: bool
    same_law: float


def residence_time(
    visits: Visits, chosen: NDArray[np.bool_], label: str, frame_spacing_fs: float, confidence: float = 0.95
) -> Residence:
    """Estimate the residence on some sites.

    Parameters
    ----------
    visits
        All visits.
    chosen : (n_visits,)
        Which of them are on the sites in question.
    label
        Name of these sites.
    frame_spacing_fs
        fs.
    """
    durations = np.asarray(visits.durations[chosen] * frame_spacing_fs, dtype=np.float64)
    ended, first = ~visits.is_last[chosen], visits.is_first[chosen]
    same = log_rank(durations, ended, first) if first.any() and not first.all() else 1.0
    pooled = same >= _SAME_LAW
    kept = np.ones(len(durations), dtype=np.bool_) if pooled else ~first
    curve = kaplan_meier(durations[kept], ended[kept], confidence=confidence)
    return Residence(
        label=label,
        time=exponential_residence(float(durations.sum()), int(ended.sum()), confidence),
        median=curve.quantile(0.5, confidence),
        survival=curve,
        n_visits=len(durations),
        n_exits=int(ended.sum()),
        edges_pooled=pooled,
        same_law=same,
    )
