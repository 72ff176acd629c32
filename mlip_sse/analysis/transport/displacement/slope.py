"""Slope of a mean squared displacement by generalised least squares, and its error, from a model and from the data.

MSD(m) = intercept + slope · m over a window of lags [m₀, 4 m₀]. The intercept takes up the vibration in the cage. The
covariance is the closed form of `msd_covariance`, its step variance, noise and hop counting taken from the data in a
short iteration. Beside this model error stands the error of the same weighted sum over time blocks, which holds every
correlation between ions; the larger of the two is reported.

References
----------
A. C. Aitken, Proc. R. Soc. Edinb. 55, 42 (1936), doi:10.1017/S0370164600014346 (generalised least squares).
H. R. Künsch, Ann. Statist. 17, 1217 (1989), doi:10.1214/aos/1176347265 (moving-block bootstrap; here its exact
variance, which is the scatter of overlapping block means, instead of drawn resamples).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from mlip_sse.analysis.transport.displacement.msd_covariance import counting_covariance, gaussian_covariance
from mlip_sse.analysis.transport.displacement.time_bins import TimeBins
from mlip_sse.errors import InputError

__all__ = ["BlockError", "SlopeFit", "block_error", "fit_slope", "window_indices"]

WINDOW_RATIO = 4
"""Longest over shortest lag of a fit: longer lags add next to no information, shorter windows lose some."""

MAX_WINDOW_LAGS = 24
BLOCK_LENGTH = 2
"""Length of a time block in units of the longest lag of the fit."""

_ITERATIONS = 4


@dataclass(frozen=True, eq=False)
class SlopeFit:
    """A fitted slope with the weights that made it.

    Parameters
    ----------
    slope
        d MSD / d lag in Å² per frame (e² Å² per frame for a charge displacement).
    intercept
        Å².
    variance
        Model variance of the slope.
    indices : (n_window,) which lags were used
    weights : (n_window,) slope = Σ weights · MSD[indices]
    lags : (n_window,) frames
    chi2
        Residuals in the metric of the model covariance; n_window - 2 degrees of freedom.
    """

    slope: float
    intercept: float
    variance: float
    indices: NDArray[np.intp]
    weights: NDArray[np.float64]
    lags: NDArray[np.int64]
    chi2: float

    @property
    def onset(self) -> int:
        """Shortest lag of the fit in frames."""
        return int(self.lags[0])

    @property
    def longest(self) -> int:
        """Longest lag of the fit in frames."""
        return int(self.lags[-1])


@dataclass(frozen=True)
class BlockError:
    """Variance of a slope from time blocks; NaN with zero dof where the trajectory holds fewer than four of them."""

    variance: float
    dof: float


def window_indices(lags: NDArray[np.int64], onset: int, ratio: float = WINDOW_RATIO) -> NDArray[np.intp]:
    """Choose the lags of a fit: from ``onset`` to ``ratio`` times it, at least three, thinned to at most 24."""
    chosen = np.flatnonzero((lags >= onset) & (lags <= ratio * onset))
    if len(chosen) < 3:
        first = int(np.searchsorted(lags, onset))
        chosen = np.arange(first, first + 3)
    if len(chosen) > MAX_WINDOW_LAGS:
        wanted = np.geomspace(lags[chosen[0]], lags[chosen[-1]], MAX_WINDOW_LAGS)
        chosen = np.unique(np.searchsorted(lags, np.round(wanted)))
    if chosen[-1] >= len(lags):
        raise InputError(f"a fit from lag {onset} needs three lags, the longest computed lag is {lags[-1]}")
    return np.asarray(chosen, dtype=np.intp)


def fit_slope(
    lags: NDArray[np.int64],
    msd: NDArray[np.float64],
    onset: int,
    n_frames: int,
    n_walkers: int,
    variance: NDArray[np.float64] | None = None,
    n_axes: int = 3,
) -> SlopeFit:
    """Fit intercept and slope of an MSD from a given lag on.

    Parameters
    ----------
    lags : (n_lags,) frames, increasing
    msd : (n_lags,) Å²
    onset
        Shortest lag of the window in frames.
    n_frames
        Frames of the trajectory, all windows of which are averaged in ``msd``.
    n_walkers
        Walkers averaged over: the number of ions, one for a charge displacement.
    variance : (n_lags,) Å⁴, Var|Δ|² over walkers and origins, for the counting error of hops
        Left out for a charge displacement, which is a sum of many hops.
    n_axes
        Axes summed in the MSD.

    Returns
    -------
    SlopeFit
    """
    indices = window_indices(lags, onset)
    window, values = lags[indices], msd[indices]
    design = np.stack([window, np.ones(len(window))], axis=1).astype(np.float64)
    slope = max(float((values[-1] - values[0]) / (window[-1] - window[0])), 1e-12 * float(values[-1] / window[-1]))
    noise, memory, cumulant = 0.0, 0.0, 0.0
    if variance is not None:
        cumulant = max(float(np.mean((variance[indices] - 2.0 / n_axes * values**2) / window)), 0.0)
    for _ in range(_ITERATIONS):
        covariance = gaussian_covariance(window, n_frames, slope / n_axes, noise, n_axes, memory)
        if cumulant > 0:
            covariance = covariance + counting_covariance(window, n_frames, cumulant)
        factor = _factor(covariance / n_walkers)
        weighted = cho_solve(factor, design)
        normal = np.linalg.inv(design.T @ weighted)
        weights = normal @ weighted.T
        fitted, intercept = (float(number) for number in weights @ values)
        slope = max(fitted, 0.01 * float(values.mean() / window.mean()))
        noise = max(intercept, 0.0) / (2 * n_axes)
        memory = _noise_memory(msd[0] - lags[0] * slope, intercept, int(lags[0]), onset)
    residual = values - design @ np.array([fitted, intercept])
    chi2 = float(residual @ cho_solve(factor, residual))
    return SlopeFit(fitted, intercept, float(normal[0, 0]), indices, weights[0], window, chi2)


def _noise_memory(first: float, plateau: float, first_lag: int, onset: int) -> float:
    """Return ρ per frame of a vibration whose MSD is ``first`` at the first lag and ``plateau`` in the end.

    first = plateau (1 - ρ^first_lag); a memory longer than a third of the onset would not be a vibration any more.
    """
    if plateau <= 0:
        return 0.0
    kept = min(max(1.0 - first / plateau, 0.0), math.exp(-3.0 * first_lag / onset))
    return float(kept ** (1.0 / first_lag))


def _factor(covariance: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
    """Cholesky factor after adding 1e-10 of the diagonal, below any error that matters, against rounding."""
    factor, lower = cho_factor(covariance + 1e-10 * np.diag(np.diag(covariance)), lower=True)
    return np.asarray(factor), bool(lower)


def bin_values(bins: TimeBins, fits: list[tuple[SlopeFit, NDArray[np.float64]]]) -> tuple[NDArray[np.float64], float]:
    """Return Σ_fits w · (square of the bin) for every bin where all windows of all fits are whole.

    Parameters
    ----------
    bins
        Time-resolved squares of the same walkers.
    fits
        Fits with the weights to apply to their lags: their own for a slope, negated for a difference.

    Returns
    -------
    values : (n_whole,)
    share of the trajectory that they cover
    """
    whole = np.ones(bins.n_bins, dtype=bool)
    for fit, _ in fits:
        whole &= bins.whole[:, fit.indices].all(axis=1)
    values = np.zeros(int(whole.sum()))
    for fit, weights in fits:
        values += bins.squares[np.ix_(whole, fit.indices)] @ weights
    return values, len(values) / bins.n_bins


def series_error(values: NDArray[np.float64], share: float, bins_per_block: int) -> BlockError:
    """Variance of the trajectory mean of a binned series by overlapping blocks.

    Var = b/(n - b) · mean (block mean - mean)², with 1.25 n/b degrees of freedom (measured on Brownian walkers);
    ``share`` scales it from the bins at hand to the whole trajectory.
    """
    n, b = len(values), bins_per_block
    if n < 4 * b:
        return BlockError(math.nan, 0.0)
    running = np.concatenate([[0.0], np.cumsum(values)])
    means = (running[b:] - running[:-b]) / b
    variance = b / (n - b) * float(np.mean((means - values.mean()) ** 2)) * share
    return BlockError(variance, 1.25 * n / b if b > 1 else n - 1.0)


def block_error(bins: TimeBins, fit: SlopeFit, minus: SlopeFit | None = None) -> BlockError:
    """Error of a slope, or of the difference of two, from the scatter of time blocks.

    Parameters
    ----------
    bins
        Time-resolved squares of the walkers of the fit.
    fit
        The fit whose slope is meant.
    minus
        A second fit; then the error is that of the difference of the slopes.
    """
    fits = [(fit, fit.weights)] if minus is None else [(fit, fit.weights), (minus, -minus.weights)]
    values, share = bin_values(bins, fits)
    longest = max(each.longest for each, _ in fits)
    return series_error(values, share, max(1, math.ceil(BLOCK_LENGTH * longest / bins.frames_per_bin)))
