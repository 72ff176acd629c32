"""How fast an interphase grows, from conversions counted in time: parabolic and linear laws with honest intervals.

A growth curve's points are sums of what happened before and so know of each other; a straight line through l² or l
gives errors that are many times too small. What is (nearly) independent are its increments. At each interface i the
number N_i of converted units, l_i = N_i/c with c units by length, is taken for a counting process with the rate

    linear:  dN/dt = c k_l,        parabolic:  dN/dt = c² k_p / (N + ½),

so that E[ΔN] = c k_l Δt and E[Δ(N²)] = 2 c² k_p Δt hold exactly between any two times, whatever happened before:
l = l0 + k_l t and l² = l0² + 2 k_p t, with an l0 that is counted and not fitted. The rate is the generalised least
squares mean of the increments over blocks of time and over both interfaces, with the variances c k_l Δt and
4 (N + ½) c² k_p Δt of single conversions. Where increments scatter more (units that convert together, conversions that
revert, another law) the variance is scaled by their dispersion, taken at two lengths of blocks, never below one.

Both laws have one free number; the ratio of their quasi-likelihoods says how much more the counts speak for one of
them. Without a conversion there is an upper limit (Garwood's exact one); with fewer than five there is no rate.

References
----------
Quasi-likelihood: R. W. M. Wedderburn, Biometrika 61, 439 (1974), doi:10.1093/biomet/61.3.439. Parabolic and linear
growth: B. E. Deal, A. S. Grove, J. Appl. Phys. 36, 3770 (1965), doi:10.1063/1.1713945.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from mlip_sse.analysis.interphase.growth_laws import (
    MOST_BLOCKS,
    GrowthLaw,
    LinearLaw,
    ParabolicLaw,
    blocks,
    dispersion_of,
    generalised_mean,
    rate_of_events,
)
from mlip_sse.analysis.mechanism.counting import poisson_limits
from mlip_sse.analysis.results import Estimate, Interval, Verdict
from mlip_sse.errors import InputError

__all__ = ["Growth", "Law", "Outcome", "fit_growth"]

FEWEST_CONVERSIONS = 5
_FEWEST_LOOKS = 5
_DECIDED = 0.95
_NEARLY_ALL = 0.8
_MISFIT = 2.5


class Outcome(StrEnum):
    """What the counts say."""

    NO_REACTION = "no reaction"
    NO_GROWTH = "reacted, no further growth"
    FEW = "few conversions, no rate"
    GROWTH = "reacts and grows"


@dataclass(frozen=True)
class Law:
    """One law of growth.

    Parameters
    ----------
    rate
        k_p in Å²/ps, or k_l in Å/ps; its value is None where the counts only bound it.
    estimate
        The same with its sampling distribution, for several temperatures; None where there is no rate.
    dispersion
        Variance of increments over that of independent single conversions, at least 1.
    """

    rate: Interval
    estimate: Estimate | None
    dispersion: float


@dataclass(frozen=True, eq=False)
class Growth:
    """Growth of an interphase.

    Parameters
    ----------
    outcome
        In a word.
    parabolic, linear
        Both laws.
    law
        The one that the counts prefer by 19 to 1 or more: ``parabolic`` or ``linear``; ``undecided`` otherwise; None
        without a rate.
    weight_parabolic
        Evidence for the parabolic law from 0 to 1; None without a rate.
    n_conversions
        Net conversions within the fit, all interfaces together.
    from_ps, to_ps
        Part of the run that is fitted.
    thickness
        Å by interface at the end of the run, with the interval that runs like this one would scatter in.
    verdict
        Quality and reasons.
    """

    outcome: Outcome
    parabolic: Law
    linear: Law
    law: str | None
    weight_parabolic: float | None
    n_conversions: int
    from_ps: float
    to_ps: float
    thickness: Interval
    verdict: Verdict

    @property
    def dispersion(self) -> float:
        """Variance of increments over that of single conversions, for the law that describes them better."""
        return min(self.parabolic.dispersion, self.linear.dispersion)


def fit_growth(
    times_ps: NDArray[np.floating],
    converted: NDArray[np.integer],
    units_by_length: float,
    n_units: NDArray[np.integer] | None = None,
    start_ps: float = 0.0,
    confidence: float = 0.95,
) -> Growth:
    """Fit both laws to the counts of converted units.

    Parameters
    ----------
    times_ps : (n_looks,) evenly spaced
    converted : (n_interfaces, n_looks) units converted at each interface so far
    units_by_length
        c: units of the intact electrolyte in one Å of thickness at one interface, its density times the area.
    n_units : (n_interfaces,) units that could convert; the fit ends where four fifths of them have
    start_ps
        Begin of the fit, to leave a first transient out; its thickness is l0.
    confidence
        Of the intervals.

    Raises
    ------
    InputError
        When shapes do not fit, c is not positive, or fewer than five looks are left.
    """
    times, counts = np.asarray(times_ps, dtype=np.float64), np.atleast_2d(np.asarray(converted))
    if times.ndim != 1 or counts.shape[1:] != times.shape or not len(counts):
        raise InputError(f"found times {times.shape} and counts {counts.shape}, expected (n,) and (n_interfaces, n)")
    if not 0 < units_by_length < math.inf:
        raise InputError(f"found {units_by_length!r} units by Å of thickness, expected a positive number")
    begin, end, verdict = _fitted_part(times, counts, n_units, start_ps)
    if end - begin < _FEWEST_LOOKS:
        return _used_up(times[begin : end + 1], counts[:, begin:], units_by_length, confidence, verdict)
    t, n = times[begin:end], counts[:, begin:end].astype(np.float64)
    parabolic, linear = (_law(each, t, n, units_by_length, confidence) for each in (ParabolicLaw, LinearLaw))
    net = int(n[:, -1].sum() - n[:, 0].sum())
    thickness = _thickness(float(counts[:, -1].sum()), min(parabolic.dispersion, linear.dispersion), len(n), confidence)
    outcome, law, weight = Outcome.GROWTH, None, None
    if net < FEWEST_CONVERSIONS:
        outcome = Outcome.FEW if net > 0 else Outcome.NO_GROWTH if n[:, -1].any() else Outcome.NO_REACTION
        if n.any():
            verdict = verdict.weaken(
                f"{net} net conversions, expected at least {FEWEST_CONVERSIONS} for a rate: growth is only bounded"
            )
    else:
        weight, law = _compared(t, n, parabolic, linear, units_by_length)
        verdict = _judged(verdict, law, parabolic, linear)
    return Growth(
        outcome,
        parabolic,
        linear,
        law,
        weight,
        net,
        float(t[0]),
        float(t[-1]),
        thickness.scaled(1.0 / units_by_length),
        verdict,
    )


def _fitted_part(
    times: NDArray[np.float64], counts: NDArray[np.integer], n_units: NDArray[np.integer] | None, start_ps: float
) -> tuple[int, int, Verdict]:
    begin, end, verdict = int(np.searchsorted(times, start_ps - 1e-9)), len(times), Verdict()
    if end - begin < _FEWEST_LOOKS:
        raise InputError(
            f"found {max(end - begin, 0)} looks from {start_ps:g} ps on, expected at least {_FEWEST_LOOKS} for growth: "
            "look more often, begin earlier, or run longer"
        )
    if n_units is not None:
        used_up = np.flatnonzero((counts >= _NEARLY_ALL * np.asarray(n_units)[:, None]).any(axis=0))
        if used_up.size:
            end = max(begin, int(used_up[0]))
            verdict = verdict.weaken(
                f"after {times[used_up[0]]:.4g} ps more than {_NEARLY_ALL:.0%} of the units at an interface are "
                "converted: the fit ends there, a thicker electrolyte would show more"
            )
    return begin, end, verdict


def _used_up(
    times: NDArray[np.float64],
    counts: NDArray[np.integer],
    units_by_length: float,
    confidence: float,
    verdict: Verdict,
) -> Growth:
    """Return the lower limits of an electrolyte that was used up within a few looks."""
    n = counts[:, : len(times)].astype(np.float64)
    net = max(0, int(n[:, -1].sum() - n[:, 0].sum()))
    least, width = poisson_limits(net, confidence)[0], float(times[-1] - times[0])
    laws = []
    for kind in (ParabolicLaw, LinearLaw):
        rate = rate_of_events(kind, times, n, least) if width > 0 else 0.0
        low = rate * units_by_length**-kind.of_length
        laws.append(Law(Interval(None, low, math.inf, confidence, "used up: lower limit, exact Poisson"), None, 1.0))
    thickness = _thickness(float(counts[:, -1].sum()), 1.0, len(counts), confidence).scaled(1.0 / units_by_length)
    verdict = verdict.weaken(f"used up within fewer than {_FEWEST_LOOKS} looks: the rate is only bounded from below")
    ends = float(times[0]), float(times[-1])
    outcome = Outcome.GROWTH if net > 0 else Outcome.NO_GROWTH
    return Growth(outcome, laws[0], laws[1], None, None, net, *ends, thickness, verdict)


def _law(
    kind: GrowthLaw, times: NDArray[np.float64], counts: NDArray[np.float64], units_by_length: float, confidence: float
) -> Law:
    unit = units_by_length**-kind.of_length
    net = float(counts[:, -1].sum() - counts[:, 0].sum())
    if net < FEWEST_CONVERSIONS:
        low, high = poisson_limits(max(net, 0.0), confidence)
        least, most = (rate_of_events(kind, times, counts, events) * unit for events in (low, high))
        words = "no conversion: upper limit" if net <= 0 else f"{net:.0f} conversions: limits"
        return Law(Interval(None, least, most, confidence, f"{words}, exact Poisson"), None, 1.0)
    rate, information = generalised_mean(kind, times, counts, MOST_BLOCKS)
    dispersion, dof = 1.0, math.inf
    for n_blocks in (MOST_BLOCKS, MOST_BLOCKS // 2):
        found, n_increments = dispersion_of(kind, times, counts, n_blocks, rate)
        if found > dispersion:
            dispersion, dof = found, n_increments - 1.0
    if not rate > 0:
        return Law(Interval(None, 0.0, math.inf, confidence, "increments without a mean"), None, dispersion)
    method = "generalised least squares of increments" + (
        f", errors widened by their dispersion {dispersion:.3g}" if dispersion > 1 else ", counting statistics"
    )
    estimate = Estimate(rate * unit, dispersion / (information * rate**2), dof, method)
    return Law(estimate.interval(confidence), estimate, dispersion)


def _compared(
    times: NDArray[np.float64], counts: NDArray[np.float64], parabolic: Law, linear: Law, units_by_length: float
) -> tuple[float | None, str]:
    """Return the share of the quasi-likelihood that is the parabolic law's, and the law that has nearly all of it."""
    if parabolic.estimate is None or linear.estimate is None:
        return None, "undecided"
    _, width, at = blocks(times, counts, MOST_BLOCKS)
    increments, before = np.diff(at, axis=1), at[:, :-1]

    def log_likelihood(steps: Callable[..., NDArray[np.float64]], law: Law, of_length: int) -> float:
        rate = law.estimate.value * units_by_length**of_length if law.estimate else 0.0
        expected = steps(before, width, rate)
        return float((xlogy(increments, expected) - expected).sum())

    difference = log_likelihood(ParabolicLaw.steps, parabolic, 2) - log_likelihood(LinearLaw.steps, linear, 1)
    weight = float(1.0 / (1.0 + np.exp(-np.clip(difference / min(parabolic.dispersion, linear.dispersion), -500, 500))))
    return weight, "parabolic" if weight >= _DECIDED else "linear" if weight <= 1 - _DECIDED else "undecided"


def _judged(verdict: Verdict, law: str, parabolic: Law, linear: Law) -> Verdict:
    least = min(parabolic.dispersion, linear.dispersion)
    if law == "undecided":
        verdict = verdict.weaken("parabolic and linear growth are not told apart: both rates are given, watch longer")
    if least > _MISFIT:
        verdict = verdict.weaken(
            f"increments scatter {least:.3g} times more than single conversions would around either law: units convert "
            "together, or growth follows neither"
        )
    for name, each in (("parabolic", parabolic), ("linear", linear)):
        if each.estimate is None:
            verdict = verdict.weaken(f"no {name} rate: the increments have no positive mean")
    return verdict


def _thickness(n_converted: float, dispersion: float, n_interfaces: int, confidence: float) -> Interval:
    """Return the conversions of one interface, with Garwood's limits for the number of independent ones."""
    low, high = (limit * dispersion for limit in poisson_limits(n_converted / dispersion, confidence))
    if n_converted == 0:
        return Interval(None, 0.0, high / n_interfaces, confidence, "nothing converted: upper limit, exact Poisson")
    words = "counted, exact Poisson" if dispersion == 1 else f"counted, {n_converted / dispersion:.3g} independent ones"
    return Interval(n_converted / n_interfaces, low / n_interfaces, high / n_interfaces, confidence, words)
