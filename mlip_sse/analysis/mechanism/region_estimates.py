"""Diffusivities from the sums of a region, with intervals from leaving one group of ions out at a time.

Across a slab the ions that stay have moved less than all would have: those that move far leave. How much less is known
for a slab whose borders absorb (`mlip_sse.analysis.mechanism.absorbing_slab`) once it is known how fast the ions leave:

S(t) = A S₀(κt) gives κ = D⊥/w²; then ⟨Δz²⟩(t) = c + D⊥ g(κt)/κ, a straight line in g/κ, gives D⊥.

A holds the ions that vibrate across the border, c the vibration itself. The width of the slab is not used: where ions
are lost is read from their survival.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import stdtrit

from mlip_sse.analysis.mechanism.absorbing_slab import squared_displacement, surviving_share
from mlip_sse.analysis.mechanism.region_sums import RegionSums
from mlip_sse.analysis.mechanism.slabs import survivors
from mlip_sse.analysis.results import Interval

__all__ = ["SlopeWindow", "jackknifed", "parallel_slope", "perpendicular_slope", "slope_window"]

_FEWEST_SURVIVORS = 0.1
_FEWEST_LAGS = 3
_FEWEST_GROUPS = 5
_UNRESOLVED = 2.0


@dataclass(frozen=True, eq=False)
class SlopeWindow:
    """Which lags a slope is taken over, and how they are weighted.

    Parameters
    ----------
    chosen : (n_chosen,) indices of the lags
    weights : (n_slabs, n_chosen) number of windows that lie side by side, over the squared displacement squared
    """

    chosen: NDArray[np.intp]
    weights: NDArray[np.float64]


def slope_window(sums: RegionSums, cage: float) -> SlopeWindow | None:
    """Return the lags between the end of the cage and the last one that a tenth of the ions stays for.

    None where the last is not at least twice the first, or fewer than five groups of ions have any.

    Parameters
    ----------
    sums
        Of a region.
    cage
        Frames after which vibration is over.
    """
    counts = sums.counts.sum(axis=(0, 1))
    enough = counts >= _FEWEST_SURVIVORS * max(int(counts[0]), 1)
    enough &= (sums.counts.sum(axis=1) > 0).sum(axis=0) >= min(_FEWEST_GROUPS, sums.n_groups)
    last = int(np.argmin(enough)) if not enough.all() else len(counts)
    chosen = np.flatnonzero(sums.lags >= cage)
    chosen = chosen[chosen < last]
    if len(chosen) < _FEWEST_LAGS or sums.lags[chosen[-1]] < 2 * cage:
        return None
    by_slab = sums.counts[:, :, chosen].sum(axis=0)
    msd = sums.squares[:, :, chosen, 0].sum(axis=(0, 1)) / counts[chosen]
    return SlopeWindow(chosen, by_slab / sums.lags[chosen] / np.maximum(msd, 1e-300) ** 2)


def parallel_slope(sums: RegionSums, window: SlopeWindow) -> float:
    """Return d⟨Δx² + Δy²⟩/dt of the ions that stay, in Å² per frame; not a number where there are too few."""
    x = np.broadcast_to(sums.lags[window.chosen].astype(np.float64), window.weights.shape)
    return _slope(sums, window, x, 0)


def perpendicular_slope(sums: RegionSums, window: SlopeWindow) -> tuple[float, NDArray[np.float64]]:
    """Return D⊥ in Å² per frame and κ of each slab, per frame; not numbers where there are too few ions.

    Parameters
    ----------
    sums
        Of a region that is not the whole cell.
    window
        Of `slope_window`.
    """
    rates = np.array([_leaving_rate(sums, s, window) for s in range(len(sums.region.slabs))])
    lags = sums.lags[window.chosen].astype(np.float64)
    return _slope(sums, window, squared_displacement(rates[:, None] * lags) / rates[:, None], 1), rates


def _slope(sums: RegionSums, window: SlopeWindow, x: NDArray[np.float64], column: int) -> float:
    counts = sums.counts[:, :, window.chosen].sum(axis=0)
    squares = sums.squares[:, :, window.chosen, column].sum(axis=0)
    good = (counts > 0) & np.isfinite(x)
    if good.sum() < _FEWEST_LAGS:
        return math.nan
    x, y, w = x[good], squares[good] / counts[good], window.weights[good]
    x0, y0 = np.average(x, weights=w), np.average(y, weights=w)
    return float(np.sum(w * (x - x0) * (y - y0)) / np.sum(w * (x - x0) ** 2))


def _leaving_rate(sums: RegionSums, slab: int, window: SlopeWindow) -> float:
    """Return κ of one slab: the fit of A S₀(κt) to the share of ions that have not left."""
    leaving, at_risk = survivors(sums.ended[:, slab].sum(axis=0), sums.open_ended[:, slab].sum(axis=0))
    share = np.cumprod(1.0 - leaving / np.maximum(at_risk, 1))
    lags = sums.lags[window.chosen]
    seen = share[lags - 1]
    if not seen[0] > 0:
        return math.nan

    def misfit(log_rate: float) -> float:
        model = surviving_share(np.exp(log_rate) * lags)
        scale = min(float(seen @ model / max(float(model @ model), 1e-300)), 1.0)
        return float(np.sum((seen - scale * model) ** 2))

    bounds = (math.log(1e-8 / lags[-1]), math.log(10.0 / lags[0]))
    grid = np.linspace(*bounds, 60)
    best = int(np.argmin([misfit(value) for value in grid]))
    inside = (float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)]))
    found = minimize_scalar(misfit, bounds=inside, method="bounded", options={"xatol": 1e-4})
    return math.exp(float(found.x))


def jackknifed(
    estimate: Callable[[int | None], float], n_groups: int, confidence: float, method: str
) -> Interval | None:
    """Return an estimate of a positive number with its interval; an upper limit where it is not resolved from zero.

    Parameters
    ----------
    estimate
        Of all groups (None) or without one of them.
    n_groups
        How many there are.
    confidence
        Of the interval.
    method
        In words.
    """
    value = estimate(None)
    without = np.array([estimate(group) for group in range(n_groups)])
    without = without[np.isfinite(without)]
    n = len(without)
    if not math.isfinite(value) or n < min(_FEWEST_GROUPS, n_groups):
        return None
    error = math.sqrt((n - 1) / n * float(np.sum((without - without.mean()) ** 2)))
    half = -float(stdtrit(n - 1, 0.5 * (1.0 - confidence))) * error
    if value <= 0 or half > _UNRESOLVED * value:
        return Interval(None, 0.0, max(value + half, 0.0), confidence, f"{method}: not resolved from zero, upper limit")
    factor = math.exp(half / value)
    return Interval(value, value / factor, value * factor, confidence, f"{method}; jackknife of {n} groups of ions")
