"""How ions move at each temperature, and what changes with it: one at a time or together, along how many dimensions.

As in the study of LGPS, three numbers are followed over temperature: the residence time, the anisotropy of diffusion
and the concerted fraction beyond chance. A mode is called only where an interval lies wholly on one side of its
threshold, and is *not resolved* elsewhere.

    concerted     p < alpha and excess above the threshold        single-ion     excess below it, and not below zero
    3-D           D₃/D₁ above the threshold                       2-D            D₂/D₁ above, D₃/D₁ below
    1-D           D₂/D₁ below the threshold                       (2-D and 1-D only where isotropy is ruled out, too)

References
----------
G. Winter, R. Gómez-Bombarelli, J. Phys. Energy 5, 024004 (2023), doi:10.1088/2515-7655/acbbef
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from mlip_sse.analysis.mechanism.hop_activation import HopActivation, hop_activation
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.transport.temperature.weighted_line import fit_weighted_line
from mlip_sse.errors import InputError

__all__ = ["Change", "Collectivity", "Dimension", "ModePoint", "ModeSeries", "ModeSettings"]


class Collectivity(StrEnum):
    """One at a time or together."""

    SINGLE = "single-ion"
    CONCERTED = "concerted"
    UNRESOLVED = "not resolved"


class Dimension(StrEnum):
    """Directions that carry diffusion."""

    ONE = "1-D"
    TWO = "2-D"
    THREE = "3-D"
    UNRESOLVED = "not resolved"


@dataclass(frozen=True)
class ModePoint:
    """What one trajectory says.

    Parameters
    ----------
    temperature_k
        K.
    n_hops, ion_time_fs
        Hops, and the time of all ions together in which they happened.
    excess
        Concerted fraction beyond chance, None where it is saturated or was not measured.
    p_value
        Of the concerted fraction.
    second, third
        D₂/D₁ and D₃/D₁, None where diffusion was not resolved.
    p_isotropic
        NaN where not known.
    """

    temperature_k: float
    n_hops: int
    ion_time_fs: float
    excess: Interval | None
    p_value: float
    second: Interval | None
    third: Interval | None
    p_isotropic: float


@dataclass(frozen=True)
class Change:
    """A mode that differs between two neighbouring temperatures at which it was resolved.

    Parameters
    ----------
    kind
        ``collectivity`` or ``dimension``.
    below, above
        The mode at the lower and at the higher temperature.
    between_k
        Both temperatures, K.
    """

    kind: str
    below: str
    above: str
    between_k: tuple[float, float]


@dataclass(frozen=True, eq=False)
class ModeSeries:
    """Modes over temperature.

    Parameters
    ----------
    temperatures_k : (n,) ascending
    collectivity, dimension : (n,)
    activation
        Of the hop rate 1/τ, None below two temperatures with hops.
    excess_per_100k
        Change of the concerted excess in 100 K, None below three temperatures.
    log_anisotropy_per_100k
        Change of -ln(D₃/D₁) in 100 K, None below three temperatures.
    changes
        Where a mode changes.
    verdict
        Quality and reasons.
    """

    temperatures_k: NDArray[np.float64]
    collectivity: tuple[Collectivity, ...]
    dimension: tuple[Dimension, ...]
    activation: HopActivation | None
    excess_per_100k: Interval | None
    log_anisotropy_per_100k: Interval | None
    changes: tuple[Change, ...]
    verdict: Verdict


@dataclass(frozen=True)
class ModeSettings:
    """Thresholds of the classification.

    Parameters
    ----------
    least_excess
        Concerted fraction beyond chance above which motion is concerted and below which it is single-ion.
    least_ratio
        D_k/D₁ above which direction k carries diffusion.
    alpha
        Level of the tests of concertedness and isotropy.
    confidence
        Of the intervals of trends.
    """

    least_excess: float = 0.1
    least_ratio: float = 1.0 / 3.0
    alpha: float = 0.05
    confidence: float = 0.95

    def collectivity(self, point: ModePoint) -> Collectivity:
        """Classify how many ions move together."""
        excess = point.excess
        if excess is None or not math.isfinite(excess.high - excess.low):
            return Collectivity.UNRESOLVED
        if excess.high < 0:  # ions keep each other away at this distance, which hides what they do together
            return Collectivity.UNRESOLVED
        if excess.low > self.least_excess and point.p_value < self.alpha:
            return Collectivity.CONCERTED
        return Collectivity.SINGLE if excess.high < self.least_excess else Collectivity.UNRESOLVED

    def dimension(self, point: ModePoint) -> Dimension:
        """Classify along how many directions ions diffuse."""
        if point.second is None or point.third is None:
            return Dimension.UNRESOLVED
        if point.third.low > self.least_ratio:
            return Dimension.THREE
        if not point.p_isotropic < self.alpha:
            return Dimension.UNRESOLVED
        if point.second.high < self.least_ratio:
            return Dimension.ONE
        if point.second.low > self.least_ratio and point.third.high < self.least_ratio:
            return Dimension.TWO
        return Dimension.UNRESOLVED

    def run(self, points: Sequence[ModePoint]) -> ModeSeries:
        """Classify each temperature and follow the numbers over all of them.

        Parameters
        ----------
        points
            In any order; several of one temperature are runs of their own.

        Raises
        ------
        InputError
            When there is no point, or a temperature is not positive.
        """
        if not points or not all(point.temperature_k > 0 for point in points):
            raise InputError(
                "found no trajectory of known, positive temperature, expected at least one: say the temperatures"
            )
        ordered = sorted(points, key=lambda point: point.temperature_k)
        collectivity = tuple(self.collectivity(point) for point in ordered)
        dimension = tuple(self.dimension(point) for point in ordered)
        kelvin = np.array([point.temperature_k for point in ordered])
        verdict = Verdict()
        for name, found in (("collectivity", collectivity), ("dimension", dimension)):
            n_open = sum(mode == "not resolved" for mode in found)
            if n_open:
                verdict = verdict.weaken(f"{name}: {n_open} of {len(found)} trajectories do not resolve it")
        return ModeSeries(
            temperatures_k=kelvin,
            collectivity=collectivity,
            dimension=dimension,
            activation=self._activation(ordered),
            excess_per_100k=self._trend(kelvin, [point.excess for point in ordered], logarithm=False),
            log_anisotropy_per_100k=self._trend(kelvin, [point.third for point in ordered], logarithm=True),
            changes=(*_changes("collectivity", kelvin, collectivity), *_changes("dimension", kelvin, dimension)),
            verdict=verdict,
        )

    def _activation(self, points: Sequence[ModePoint]) -> HopActivation | None:
        kelvin = [point.temperature_k for point in points]
        hops, times = [point.n_hops for point in points], [point.ion_time_fs for point in points]
        if len({t for t, n in zip(kelvin, hops, strict=True) if n > 0}) < 2:
            return None
        return hop_activation(kelvin, hops, times, self.confidence)

    def _trend(
        self, kelvin: NDArray[np.float64], values: Sequence[Interval | None], logarithm: bool
    ) -> Interval | None:
        """Slope over temperature in 100 K of a value, or of minus its logarithm, weighted by the intervals."""
        x, y, variances = [], [], []
        for temperature, interval in zip(kelvin, values, strict=True):
            if interval is None or interval.value is None or not interval.high > interval.low:
                continue
            if logarithm and not interval.low > 0:
                continue
            low, middle, high = interval.low, interval.value, interval.high
            if logarithm:
                low, middle, high = -math.log(high), -math.log(middle), -math.log(low)
            x.append(temperature / 100.0)
            y.append(middle)
            variances.append(((high - low) / (2 * float(ndtri(0.5 * (1 + interval.confidence))))) ** 2)
        if len(set(x)) < 3:
            return None
        line = fit_weighted_line(np.array(x), np.array(y), np.array(variances))
        value, low, high = (float(v) for v in line.interval(np.array([0.0, 1.0]), self.confidence))
        return Interval(value, low, high, self.confidence, f"weighted line through {len(x)} trajectories")


def _changes(kind: str, kelvin: NDArray[np.float64], modes: Sequence[StrEnum]) -> list[Change]:
    """Return where the resolved mode differs between neighbours; temperatures whose runs disagree say nothing."""
    by_temperature: dict[float, set[StrEnum]] = {}
    for temperature, mode in zip(kelvin.tolist(), modes, strict=True):
        if mode != "not resolved":
            by_temperature.setdefault(temperature, set()).add(mode)
    agreed = [(temperature, next(iter(found))) for temperature, found in by_temperature.items() if len(found) == 1]
    return [
        Change(kind, str(below), str(above), (t0, t1))
        for (t0, below), (t1, above) in itertools.pairwise(agreed)
        if below != above
    ]
