"""A line with all its errors: of the runs' own statistics, between runs, and between the members of a committee.

For any θ = c₀ a + c₁ b of a line ln D = a + b/(k_B T) the potential's own runs, pooled over replicas, give a variance V
with f degrees of freedom, statistics and seeds together; the committee gives S out of a mean square M of n members
(`committee`). The total is V + S with Student's t of (V + S)²/(V²/f + S M/(n − 1)) degrees of freedom, and of no fewer
than the smaller of f and n − 1. By Monte Carlo with three to six members the 95 % intervals cover 0.93 to 0.97 where
the members' own noise U is no more than V, and 0.88 to 0.93 where it is four times V and S as large or larger.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.results import Estimate, Interval
from mlip_sse.analysis.transport.temperature.arrhenius import ROOM_TEMPERATURE_K, ArrheniusFit
from mlip_sse.analysis.transport.temperature.arrhenius_points import Quantity
from mlip_sse.analysis.transport.temperature.pooling import PooledReplicas, pool_over_temperatures
from mlip_sse.campaign.committee import Committee, CommitteeSpread
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K

__all__ = [
    "BudgetLine",
    "Budgeted",
    "Errors",
    "at_temperature",
    "budgeted",
    "points_of",
    "widened",
    "within_one",
]

_MIN_REPLICA_DOF = 3
_MANY_DOF = 1e8


@dataclass(frozen=True)
class Errors:
    """Standard errors apart: of a logarithm, or in eV; None where nobody knows.

    Parameters
    ----------
    statistics
        What each run knows of itself.
    seeds
        By how much runs differ beyond that.
    committee
        By how much potentials from resampled labels differ beyond the noise of their own runs.
    """

    statistics: float
    seeds: float | None
    committee: float | None


@dataclass(frozen=True)
class Budgeted:
    """A quantity with everything in its interval, and its errors apart."""

    interval: Interval
    errors: Errors


@dataclass(frozen=True, eq=False)
class BudgetLine:
    """The line of ln D or ln(σT), what its points know of themselves, and the lines of the members.

    Parameters
    ----------
    fit
        Through the points.
    points
        The runs behind each, by rising temperature as the fit has them.
    committee
        How its members differ.
    confidence
        Of all intervals.
    """

    fit: ArrheniusFit
    points: Sequence[Sequence[Estimate]]
    committee: Committee
    confidence: float

    def parts(self, contrast: NDArray[np.float64]) -> tuple[float, float, float, float | None, CommitteeSpread | None]:
        """Return value, variance and degrees of freedom of the runs, variance by statistics alone, and committee."""
        line = self.fit.line
        if line is None:
            raise InputError("there is no line to read a value from")
        value, error, dof = (float(each) for each in line.predict(contrast))
        statistics: float | None = None
        if any(len(runs) > 1 for runs in self.points):
            own = np.array(_within(self.points))[self.fit.used]
            statistics = float(np.einsum("i,in->n", contrast, line.influence) ** 2 @ own)
        return value, error**2, dof, statistics, self.committee.spread_at(contrast)

    def budgeted(self, contrast: NDArray[np.float64], *, logarithm: bool, shift: float = 0.0) -> Budgeted:
        """Return a contrast, or the exponential of it and of a shift, with everything in its interval."""
        value, variance, dof, statistics, spread = self.parts(contrast)
        return budgeted(
            value + shift, variance, dof, statistics, spread, self.confidence, logarithm, self._method(spread)
        )

    def value_300k(self) -> Budgeted | None:
        """Return the quantity at 300 K; None where the line ends above."""
        if not self.fit.valid_k[0] <= ROOM_TEMPERATURE_K <= self.fit.valid_k[1]:
            return None
        shift = -math.log(ROOM_TEMPERATURE_K) if self.fit.quantity is Quantity.CONDUCTIVITY else 0.0
        return self.budgeted(at_temperature(ROOM_TEMPERATURE_K), logarithm=True, shift=shift)

    def _method(self, spread: CommitteeSpread | None) -> str:
        return (
            self.fit.method
            if spread is None
            else f"{self.fit.method}, committee of {spread.dof + 1} with {self.committee.form} added"
        )


def at_temperature(temperature_k: float) -> NDArray[np.float64]:
    """Return the contrast (1, 1/(k_B T)) of a line's value at a temperature."""
    return np.array([1.0, 1.0 / (BOLTZMANN_EV_PER_K * temperature_k)])


def _total(variance: float, dof: float, spread: CommitteeSpread | None) -> tuple[float, float]:
    """Return variance and degrees of freedom of runs and committee together."""
    if spread is None or spread.variance == 0.0:
        return variance, dof
    total = variance + spread.variance
    found = total**2 / (variance**2 / dof + spread.variance * spread.mean_square / spread.dof)
    return total, max(found, min(dof, spread.dof))


def budgeted(
    value: float,
    variance: float,
    dof: float,
    statistics: float | None,
    spread: CommitteeSpread | None,
    confidence: float,
    logarithm: bool,
    method: str,
) -> Budgeted:
    """Return a value, or its exponential, with everything in its interval.

    Parameters
    ----------
    value, variance, dof
        As the runs give it, seeds included.
    statistics
        What of the variance the runs know of themselves; None where there are no replicas to tell it from the rest.
    spread
        The committee's share.
    confidence
        Of the interval.
    logarithm
        Whether the value is one, and its exponential is wanted.
    method
        In words.
    """
    total, dof = _total(variance, dof, spread)
    half = float(stdtrit(min(dof, _MANY_DOF), 0.5 * (1.0 + confidence))) * math.sqrt(total)
    bounds = (value, value - half, value + half)
    middle, low, high = (math.exp(each) for each in bounds) if logarithm else bounds
    committee = None if spread is None else math.sqrt(spread.variance)
    seeds = None if statistics is None else math.sqrt(max(variance - statistics, 0.0))
    errors = Errors(math.sqrt(variance if statistics is None else statistics), seeds, committee)
    return Budgeted(Interval(middle, low, high, confidence, method), errors)


def points_of(usable: Sequence[tuple[float, list[Estimate]]]) -> tuple[list[float], list[list[Estimate]]]:
    """Return the points of a line: replicas pooled where their spread is known, each run a point of its own else."""
    if sum(len(estimates) - 1 for _, estimates in usable) >= _MIN_REPLICA_DOF:
        return [kelvin for kelvin, _ in usable], [estimates for _, estimates in usable]
    single = [(kelvin, [estimate]) for kelvin, estimates in usable for estimate in estimates]
    return [kelvin for kelvin, _ in single], [estimates for _, estimates in single]


def _within(groups: Sequence[Sequence[Estimate]]) -> list[float]:
    """Return the variance of each pooled logarithm by its runs' own errors, at the weights of the pooling."""
    pools = pool_over_temperatures(groups)
    return [within_one(group, pool) for group, pool in zip(groups, pools, strict=True)]


def within_one(group: Sequence[Estimate], pool: PooledReplicas) -> float:
    """Return the variance of a pooled logarithm by its runs' own errors, at the weights of the pooling."""
    variances = np.array([each.log_variance for each in group])
    weights = 1.0 / (variances + pool.between_log_sd**2)
    return float(weights**2 @ variances / weights.sum() ** 2)


def widened(estimate: Estimate, spread: CommitteeSpread | None) -> Estimate:
    """Return an estimate with the committee's share added to its relative variance."""
    if spread is None:
        return estimate
    total, dof = _total(estimate.relative_variance, estimate.dof, spread)
    return replace(
        estimate, relative_variance=total, dof=dof, method=f"{estimate.method}; committee of {spread.dof + 1} added"
    )
