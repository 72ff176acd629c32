"""Where diffusion begins: the shortest lag from which the mean squared displacement is a straight line.

A candidate lag m₀ passes when (i) the residuals of the line over [m₀, 4 m₀] are as small as the covariance says and
(ii) its slope agrees with the slopes from 2 m₀ and from 8 m₀ on. The onset is the first candidate that passes together
with its successor. The fit itself starts later than that, at three times the onset, because a bias of the size of the
error would pass the tests unseen; and later still, up to eight times, as long as the error of the slope stays small.

The tests use the differences of slopes, whose errors come from time blocks, so that correlated ions do not raise a
false alarm; how often they do anyway, and what that does to the coverage of the intervals, is measured in the tests.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, stdtrit

from mlip_sse.analysis.transport.displacement.slope import BlockError, SlopeFit, block_error, fit_slope
from mlip_sse.analysis.transport.displacement.time_bins import TimeBins

__all__ = ["Msd", "Onset", "find_onset", "start_of_fit"]

CANDIDATE_RATIO = 1.9
COMPARED_AT = (2, 8)
SLOPE_ALARM = 0.03
RESIDUAL_ALARM = 1e-3
SAFETY = 3
LATEST = 8
SMALL_ERROR = 0.02
LONGEST_START = 10
"""A fit starts at n_frames / 10 at the latest, so that its longest lag leaves more than half of the windows."""

_MIN_DOF = 3.0


@dataclass(frozen=True, eq=False)
class Msd:
    """All that the search needs of one mean squared displacement: of ions (N walkers) or of the charge (one walker)."""

    lags: NDArray[np.int64]
    msd: NDArray[np.float64]
    n_frames: int
    n_walkers: int
    bins: TimeBins
    variance: NDArray[np.float64] | None = None

    def fit(self, onset: int) -> SlopeFit:
        """Fit the slope from ``onset`` (frames) on."""
        return fit_slope(self.lags, self.msd, onset, self.n_frames, self.n_walkers, self.variance)

    def correlation_factor(self, fit: SlopeFit) -> float:
        """Ratio of block to model variance, at least 1: how many ions move as one; 1 where there are too few blocks."""
        error = block_error(self.bins, fit)
        if error.dof < _MIN_DOF or fit.variance <= 0:
            return 1.0
        return max(1.0, error.variance / fit.variance)


@dataclass(frozen=True)
class Onset:
    """The onset found; ``lag`` is None where no candidate passed before the trajectory ended."""

    lag: int | None
    candidates: tuple[int, ...]
    passed: tuple[bool, ...]


def candidate_lags(lags: NDArray[np.int64], n_frames: int) -> list[int]:
    """Lags spaced by about a factor of two, up to a tenth of the trajectory."""
    chosen: list[int] = []
    for lag in lags:
        if lag * LONGEST_START > n_frames:
            break
        if not chosen or lag >= CANDIDATE_RATIO * chosen[-1]:
            chosen.append(int(lag))
    return chosen


def find_onset(data: Msd, alarm: float = SLOPE_ALARM) -> Onset:
    """Find the shortest lag from which the MSD is straight.

    Parameters
    ----------
    data
        The MSD with its time bins.
    alarm
        Probability at which a single difference of slopes is called significant.
    """
    candidates = candidate_lags(data.lags, data.n_frames)
    fits = [data.fit(lag) for lag in candidates]
    factors = _running_factor([data.correlation_factor(fit) for fit in fits])
    passed = [
        _straight(fit, factor) and _agrees(data, fits, k, factor, alarm)
        for k, (fit, factor) in enumerate(zip(fits, factors, strict=True))
    ]
    for k, good in enumerate(passed):
        if good and (k + 1 == len(passed) or passed[k + 1]):
            return Onset(candidates[k], tuple(candidates), tuple(passed))
    return Onset(None, tuple(candidates), tuple(passed))


def _running_factor(factors: list[float]) -> list[float]:
    """Carry the correlation found at short lags on to long ones, where blocks are too few to see it."""
    return [max(factors[max(0, k - 2) : k + 1]) for k in range(len(factors))]


def _straight(fit: SlopeFit, factor: float) -> bool:
    dof = len(fit.lags) - 2
    return dof < 1 or float(chdtrc(dof, fit.chi2 / factor)) > RESIDUAL_ALARM


def _agrees(data: Msd, fits: list[SlopeFit], k: int, factor: float, alarm: float) -> bool:
    for multiple in COMPARED_AT:
        later = next((fit for fit in fits[k + 1 :] if fit.onset >= 0.99 * multiple * fits[k].onset), None)
        if later is None:
            continue
        error = block_error(data.bins, fits[k], minus=later)
        model = BlockError(max(later.variance - fits[k].variance, 0.0) * factor, math.inf)
        if error.dof < _MIN_DOF or error.variance < model.variance:
            error = model
        allowed = -float(stdtrit(min(error.dof, 1e6), alarm / 2)) * math.sqrt(error.variance)
        if abs(fits[k].slope - later.slope) > allowed:
            return False
    return True


def start_of_fit(data: Msd, onset: int, small_error: float = SMALL_ERROR) -> int:
    """Choose where the fit starts: three times the onset, and later while the relative error of the slope stays small.

    Parameters
    ----------
    data
        The MSD with its time bins.
    onset
        The onset in frames.
    small_error
        Relative standard error of the slope up to which a later start is preferred; zero keeps three times the onset.
    """
    latest = max(onset, data.n_frames // LONGEST_START)
    start = min(SAFETY * onset, latest)
    while small_error > 0:
        next_lag = min(int(np.searchsorted(data.lags, 1.4 * start)), len(data.lags) - 1)
        later = int(data.lags[next_lag])
        if not start < later <= min(LATEST * onset, latest):
            break
        fit = data.fit(later)
        error = max(fit.variance, np.nan_to_num(block_error(data.bins, fit).variance))
        if fit.slope <= 0 or error > (small_error * fit.slope) ** 2:
            break
        start = later
    return start
