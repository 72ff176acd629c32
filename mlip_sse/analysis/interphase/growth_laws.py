"""The two laws of growth by their increments, and the generalised least squares mean of increments."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

__all__ = [
    "MOST_BLOCKS",
    "GrowthLaw",
    "LinearLaw",
    "ParabolicLaw",
    "blocks",
    "dispersion_of",
    "generalised_mean",
    "rate_of_events",
]

MOST_BLOCKS: Final = 12


class LinearLaw:
    """E[ΔN] = κ Δt with variance κ Δt, κ = c k_l."""

    factor: Final = 1.0
    of_length: Final = 1

    @staticmethod
    def power(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what grows in proportion to time."""
        return counts

    @staticmethod
    def variances(
        begin: NDArray[np.float64], middle: NDArray[np.float64], width: NDArray[np.float64], rate: float
    ) -> NDArray[np.float64]:
        """Return the variances of its increments, (n_interfaces, n_blocks), from counts at the start and times."""
        return np.broadcast_to(rate * width, (len(begin), len(width)))

    @staticmethod
    def steps(before: NDArray[np.float64], width: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
        """Return the conversions that are expected in each block after the counts at its begin."""
        return np.broadcast_to(rate * width, before.shape)


class ParabolicLaw:
    """E[Δ(N²)] = 2 κ Δt with variance 4 (N + ½) κ Δt, κ = c² k_p, and N of the law itself: weights without noise."""

    factor: Final = 2.0
    of_length: Final = 2

    @staticmethod
    def power(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what grows in proportion to time."""
        return counts**2

    @staticmethod
    def variances(
        begin: NDArray[np.float64], middle: NDArray[np.float64], width: NDArray[np.float64], rate: float
    ) -> NDArray[np.float64]:
        """Return the variances of its increments, (n_interfaces, n_blocks), from counts at the start and times."""
        thickness: NDArray[np.float64] = np.sqrt(begin[:, None] ** 2 + 2.0 * rate * middle)
        return 4.0 * (thickness + 0.5) * rate * width

    @staticmethod
    def steps(before: NDArray[np.float64], width: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
        """Return the conversions that are expected in each block after the counts at its begin."""
        steps: NDArray[np.float64] = np.sqrt((before + 0.5) ** 2 + 2.0 * rate * width) - (before + 0.5)
        return steps


GrowthLaw = type[LinearLaw] | type[ParabolicLaw]


def blocks(
    times: NDArray[np.float64], counts: NDArray[np.float64], n_blocks: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return middles since the start and widths of the blocks, and the counts at their borders."""
    borders = np.unique(np.linspace(0, len(times) - 1, min(n_blocks, len(times) - 1) + 1).round().astype(int))
    t = times[borders] - times[0]
    return 0.5 * (t[1:] + t[:-1]), np.diff(t), counts[:, borders]


def generalised_mean(
    kind: GrowthLaw, times: NDArray[np.float64], counts: NDArray[np.float64], n_blocks: int
) -> tuple[float, float]:
    """Return κ and its information, 1/variance for single conversions; the weights are those of the law with that κ."""
    middle, width, at = blocks(times, counts, n_blocks)
    increments = np.diff(kind.power(at), axis=1)
    rate = float(increments.sum() / (kind.factor * width.sum() * len(at)))
    information = 0.0
    for _ in range(20):
        if rate <= 0:
            break
        weights = 1.0 / kind.variances(at[:, 0], middle, width, rate)
        information = float((weights * (kind.factor * width) ** 2).sum())
        last, rate = rate, float((weights * kind.factor * width * increments).sum()) / information
        if abs(rate - last) <= 1e-10 * abs(last):
            break
    return rate, information


def dispersion_of(
    kind: GrowthLaw, times: NDArray[np.float64], counts: NDArray[np.float64], n_blocks: int, rate: float
) -> tuple[float, int]:
    """Return the mean square of the increments' deviations over what single conversions give, and their number."""
    middle, width, at = blocks(times, counts, n_blocks)
    increments = np.diff(kind.power(at), axis=1)
    if rate <= 0 or increments.size < 2:
        return 1.0, increments.size
    squares = (increments - kind.factor * rate * width) ** 2 / kind.variances(at[:, 0], middle, width, rate)
    return float(squares.sum()) / (increments.size - 1), increments.size


def rate_of_events(kind: GrowthLaw, times: NDArray[np.float64], counts: NDArray[np.float64], events: float) -> float:
    """Return the κ at which so many conversions are expected from the counts at the start on."""
    if events <= 0:
        return 0.0
    start, width = counts[:, :1], times[-1:] - times[0]

    def excess(log_rate: float) -> float:
        return float(kind.steps(start, width, math.exp(log_rate)).sum()) - events

    middle = math.log(events / float(width[0]))
    low, high = middle - 20.0, middle + 20.0 + 2.0 * math.log1p(float(counts.max()))
    return math.exp(float(brentq(excess, low, high, xtol=1e-10)))
