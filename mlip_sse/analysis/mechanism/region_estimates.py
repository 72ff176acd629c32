"""Diffusivities from the sums of a region, with intervals from leaving parts out, one at a time.

An ion is followed from a frame in the region for a lag, or to the first frame outside, where that comes earlier; T is
the time that it was followed. A random walk that is stopped at its exit has moved

⟨Δx² + Δy²⟩ = c + 4 D∥ ⟨T⟩,   ⟨Δz²⟩ = c + 2 D⊥ ⟨T⟩

exactly, whatever the borders (Doob's theorem of optional stopping: Δz² - 2 D t is a martingale). Were only those ions
counted that stay, the ones that moved far across would be missing; were all followed to the end of the lag, they would
diffuse outside. Positions are averaged over the time of the cage, before the start and after the end, so that the
vibration that takes an ion across a border counts for nothing; c is what it leaves, the same at every lag.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.mechanism.region_sums import RegionSums
from mlip_sse.analysis.results import Interval

__all__ = ["ACROSS", "ALONG", "SlopeWindow", "diffusion_slope", "jackknifed", "slope_window"]

ALONG, ACROSS = 0, 1

_FEWEST_SURVIVORS = 0.1
_FEWEST_LAGS = 3
_FEWEST_GROUPS = 5
_UNRESOLVED = 2.0
_LEAST_SQUARE = 1e-9


@dataclass(frozen=True, eq=False)
class SlopeWindow:
    """Which lags a slope is taken over, and how they are weighted.

    Parameters
    ----------
    chosen : (n_chosen,) indices of the lags
    weights : (n_chosen,) number of windows that lie side by side, over the squared displacement squared
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
    origins, stayed = sums.counts.sum(axis=(0, 1)).T
    enough = stayed >= _FEWEST_SURVIVORS * np.maximum(origins, 1)
    enough &= (sums.counts[..., 0].sum(axis=1) > 0).sum(axis=0) >= min(_FEWEST_GROUPS, sums.n_groups)
    last = int(np.argmin(enough)) if not enough.all() else len(origins)
    chosen = np.flatnonzero(sums.lags >= cage)
    chosen = chosen[chosen < last]
    if len(chosen) < _FEWEST_LAGS or sums.lags[chosen[-1]] < 2 * cage:
        return None
    msd = sums.sums[:, :, chosen, ALONG].sum(axis=(0, 1)) / origins[chosen]
    return SlopeWindow(chosen, origins[chosen] / sums.lags[chosen] / np.maximum(msd, _LEAST_SQUARE) ** 2)


def diffusion_slope(sums: RegionSums, window: SlopeWindow, direction: int) -> float:
    """Return the slope of the squared displacement against the time followed, in Å² per frame.

    Not a number where there are too few ions.

    Parameters
    ----------
    sums
        Of a region.
    window
        Of `slope_window`.
    direction
        `ALONG` (4 D∥) or `ACROSS` (2 D⊥) the planes.
    """
    origins = sums.counts[:, :, window.chosen, 0].sum(axis=(0, 1))
    good = origins > 0
    if good.sum() < _FEWEST_LAGS:
        return math.nan
    totals = sums.sums[:, :, window.chosen].sum(axis=(0, 1))[good] / origins[good, None]
    x, y, w = totals[:, 2], totals[:, direction], window.weights[good]
    x0, y0 = np.average(x, weights=w), np.average(y, weights=w)
    return float(np.sum(w * (x - x0) * (y - y0)) / np.sum(w * (x - x0) ** 2))


def jackknifed(
    estimate: Callable[[int | None, int], float], numbers: tuple[int, int], confidence: float, method: str
) -> Interval | None:
    """Return an estimate of a positive number with its interval; an upper limit where it is not resolved from zero.

    The error is the larger of two: between groups of ions, which sees ions that differ for good, and between blocks of
    time, which sees ions that move together.

    Parameters
    ----------
    estimate
        Of everything (None), or without one group of ions (axis 0) or block of time (axis 1).
    numbers
        How many groups and blocks there are.
    confidence
        Of the interval.
    method
        In words.
    """
    value = estimate(None, 0)
    halves = [
        _half_width([estimate(part, axis) for part in range(number)], confidence) for axis, number in enumerate(numbers)
    ]
    known = [half for half in halves if half is not None]
    if not math.isfinite(value) or halves[0] is None or not known:
        return None
    half = max(known)
    what = (
        f"jackknife of {numbers[0]} groups of ions"
        if half == halves[0]
        else f"jackknife of {numbers[1]} blocks of time"
    )
    if value <= 0 or half > _UNRESOLVED * value:
        return Interval(None, 0.0, max(value + half, 0.0), confidence, f"{method}: not resolved from zero, upper limit")
    factor = math.exp(half / value)
    return Interval(value, value / factor, value * factor, confidence, f"{method}; {what}")


def _half_width(without: list[float], confidence: float) -> float | None:
    found = np.array([value for value in without if math.isfinite(value)])
    n = len(found)
    if n < min(_FEWEST_GROUPS, len(without)) or n < _FEWEST_LAGS:
        return None
    error = math.sqrt((n - 1) / n * float(np.sum((found - found.mean()) ** 2)))
    return -float(stdtrit(n - 1, 0.5 * (1.0 - confidence))) * error
