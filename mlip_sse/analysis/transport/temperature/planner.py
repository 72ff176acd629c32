"""The time still to simulate for a wanted interval, and the temperatures to spend it at.

The variance of ln D and of ln σ falls as 1/duration. For one temperature the answer is that rule, put through the
interval of the estimate. For a line, time is shared out so that the variance of what is asked for,

    var = cᵀ M⁻¹ c,   M = Σ_i (t_i + u_i)/κ_i x_i x_iᵀ,   x_i = (1, 1/(k_B T_i)),   κ_i = var(ln D_i) t_i,

is least for a given Σ u_i (c-optimal design): c = (1, 1/(k_B T)) for a value at T, c = (0, 1) for Ea. The problem is
convex. Such a design puts the new time on few temperatures; the time already spent on the others stays and keeps watch
over curvature. A new temperature costs κ(T) = median(κ_i D_i)/D(T): the variance of a diffusivity counts jumps.

References
----------
Elfving, Ann. Math. Stat. 23, 255 (1952), doi:10.1214/aoms/1177729442.
Harman and Jurík, Comput. Stat. Data Anal. 53, 247 (2008), doi:10.1016/j.csda.2008.06.023.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize
from scipy.special import stdtrit

from mlip_sse.analysis.results import Estimate, to_plain
from mlip_sse.analysis.transport.temperature.arrhenius import ROOM_TEMPERATURE_K, ArrheniusFit
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K

__all__ = ["Plan", "allocate_time", "plan_activation_energy", "plan_duration", "plan_value_at"]

_CANDIDATE_FRACTIONS = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7)  # of the lowest measured temperature
_WORTH_A_TEMPERATURE = 0.8
"""Of the time at the old temperatures alone; a new one that costs more is not worth its set-up."""

_MAX_FACTOR = 1e6
"""Times the time spent: beyond it a plan is no plan."""


@dataclass(frozen=True)
class Plan:
    """What to run next.

    Parameters
    ----------
    temperatures_k, additional_ns
        For each temperature the further simulation time in ns; NaN where no time is enough.
    expected_half_width
        Half-width reached then: relative for a value, eV for an activation energy.
    wanted_half_width
        What was asked for.
    sentence
        The plan in words.
    new_temperature_k, additional_ns_with_it
        A temperature not simulated so far that would save at least a fifth of the time, and the total then.
    """

    temperatures_k: tuple[float, ...]
    additional_ns: tuple[float, ...]
    expected_half_width: float
    wanted_half_width: float
    sentence: str
    new_temperature_k: float | None = None
    additional_ns_with_it: float | None = None

    @property
    def total_ns(self) -> float:
        """All the additional time in ns."""
        return float(sum(self.additional_ns))

    def to_dict(self) -> dict[str, Any]:
        """Return plain Python data."""
        return {
            **{name: to_plain(getattr(self, name)) for name in self.__dataclass_fields__},
            "total_ns": self.total_ns,
        }


def plan_duration(
    estimate: Estimate,
    duration_ns: float,
    wanted_half_width: float,
    *,
    temperature_k: float = math.nan,
    n_ions: int | None = None,
    collective: bool = False,
    confidence: float = 0.95,
) -> Plan:
    """Plan the time that brings one estimate's interval to a relative half-width (high − low)/(2 value).

    Parameters
    ----------
    estimate
        From a run of ``duration_ns``.
    duration_ns
        Simulated time behind it, ns.
    wanted_half_width
        Relative, for example 0.1.
    temperature_k
        Of that run, for the plan to name; K.
    n_ions
        Mobile ions; with them the plan also names the larger cell that would do (tracer quantities only).
    collective
        True for a charge diffusivity, a conductivity or a Haven ratio: more ions do not reduce their error.
    confidence
        Of the interval.

    Raises
    ------
    InputError
        When the wish or the duration is not positive, or needs more than a million times the duration.
    """
    _check_wish(wanted_half_width, [duration_ns])

    def half_width(factor: float) -> float:
        interval = replace(estimate, relative_variance=estimate.relative_variance / factor).interval(confidence)
        return (interval.high - interval.low) / (2.0 * estimate.value)

    if half_width(1.0) <= wanted_half_width:
        factor = 1.0
    else:
        factor = float(
            brentq(lambda f: half_width(f) / wanted_half_width - 1.0, 1.0, _upper(half_width, wanted_half_width))
        )
    extra = (factor - 1.0) * duration_ns
    sentence = (
        f"{extra:.3g} ns more bring the half-width from {half_width(1.0):.2g} to {wanted_half_width:.2g} of the value"
    )
    if factor == 1.0:
        sentence = f"the half-width is {half_width(1.0):.2g} of the value already: nothing more is needed"
    elif collective:
        sentence += (
            "; a larger cell would not help, because the error of a collective quantity does not fall with its size"
        )
    elif n_ions is not None:
        sentence += f"; so would a cell with {math.ceil(n_ions * factor)} instead of {n_ions} mobile ions"
    return Plan((temperature_k,), (extra,), half_width(factor), wanted_half_width, sentence)


def plan_value_at(
    fit: ArrheniusFit,
    durations_ns: ArrayLike,
    wanted_half_width: float,
    temperature_k: float = ROOM_TEMPERATURE_K,
) -> Plan:
    """Plan the time that brings the extrapolated value to within a factor 1 + `wanted_half_width` either way.

    Parameters
    ----------
    fit
        With errors; its confidence is the one planned for.
    durations_ns : (n,) simulated time behind each point that the line uses, ns
    wanted_half_width
        1.0 plans for a factor of two.
    """
    contrast = np.array([1.0, 1.0 / (BOLTZMANN_EV_PER_K * temperature_k)])
    what = f"{fit.quantity.value.split('_')[0]} at {temperature_k:g} K to within a factor {1 + wanted_half_width:.3g}"
    return _plan_line(fit, durations_ns, contrast, math.log1p(wanted_half_width), wanted_half_width, what, math.expm1)


def plan_activation_energy(fit: ArrheniusFit, durations_ns: ArrayLike, wanted_half_width_ev: float) -> Plan:
    """Plan the time that brings the activation energy to ± `wanted_half_width_ev`; arguments as in `plan_value_at`."""
    what = f"activation energy to within {wanted_half_width_ev:.3g} eV"
    return _plan_line(
        fit, durations_ns, np.array([0.0, 1.0]), wanted_half_width_ev, wanted_half_width_ev, what, lambda half: half
    )


def _plan_line(
    fit: ArrheniusFit,
    durations_ns: ArrayLike,
    contrast: NDArray[np.float64],
    half: float,
    wanted: float,
    what: str,
    as_width: Callable[[float], float],
) -> Plan:
    points = fit.observations.only(fit.used)
    t, spent = points.temperatures_k, np.atleast_1d(np.asarray(durations_ns, dtype=np.float64))
    _check_wish(wanted, spent)
    if spent.shape != t.shape:
        raise InputError(f"found {spent.size} durations for {t.size} points of the line, expected one each")
    if fit.line is None or points.variances is None or bool(fit.line.scatter_sets_scale):
        raise InputError(
            "a plan needs an Arrhenius line whose points agree with their errors, found none: more time cures neither "
            "missing errors nor a bend nor excess scatter"
        )
    quantile = float(stdtrit(min(float(fit.line.predict(contrast)[2]), 1e8), 0.5 * (1.0 + fit.confidence)))
    goal = (half / quantile) ** 2
    cost = points.variances * spent
    extra = _time_for(goal, t, cost, spent, contrast)
    reached = as_width(quantile * math.sqrt(_variance(t, cost, spent + extra, contrast)))
    sentence = f"{what}: " + _in_words(t, extra)
    new, total = _cheaper_temperature(fit, goal, t, cost, spent, contrast, float(extra.sum()))
    if new is not None:
        sentence += (
            f"; {total:.3g} ns in all would do with a new temperature of {new:.0f} K, better than more time alone"
        )
    return Plan(tuple(t.tolist()), tuple(extra.tolist()), reached, wanted, sentence, new, total)


def allocate_time(
    temperatures_k: NDArray[np.float64],
    cost: NDArray[np.float64],
    spent_ns: NDArray[np.float64],
    contrast: NDArray[np.float64],
    total_ns: float,
) -> NDArray[np.float64]:
    """Share ``total_ns`` out over the temperatures so that cᵀ M⁻¹ c is least.

    Parameters
    ----------
    temperatures_k : (n,) K
    cost : (n,) ns, var(ln D) times duration
    spent_ns : (n,) ns already simulated; zero for a new temperature
    contrast : (2,) c

    Returns
    -------
    (n,) ns, not negative, summing to ``total_ns``
    """
    n = len(temperatures_k)
    design = _design(temperatures_k)
    here = _variance(temperatures_k, cost, spent_ns + total_ns / n, contrast)

    def loss(share: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        time = spent_ns + total_ns * share
        inverse = np.linalg.inv(np.einsum("n,ni,nj->ij", time / cost, design, design))
        projected = design @ inverse @ contrast
        # ∂(cᵀM⁻¹c)/∂t_i = −(x_iᵀ M⁻¹ c)²/κ_i; the logarithm keeps every scale alike
        value = float(contrast @ inverse @ contrast)
        return math.log(value / here), -(projected**2) / cost * total_ns / value

    solution = minimize(  # type: ignore[call-overload]  # the stubs know no objective that returns its gradient
        loss,
        np.full(n, 1.0 / n),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * n,
        constraints={"type": "eq", "fun": lambda s: s.sum() - 1.0, "jac": lambda s: np.ones(n)},
        options={"ftol": 1e-10, "maxiter": 300},
    )
    share = np.clip(solution.x, 0.0, None)
    share[share < 1e-3] = 0.0
    result: NDArray[np.float64] = total_ns * share / share.sum()
    return result


def _design(temperatures_k: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.ones_like(temperatures_k), 1.0 / (BOLTZMANN_EV_PER_K * temperatures_k)], axis=-1)


def _variance(
    t: NDArray[np.float64], cost: NDArray[np.float64], time: NDArray[np.float64], contrast: NDArray[np.float64]
) -> float:
    design = _design(t)
    return float(contrast @ np.linalg.solve(np.einsum("n,ni,nj->ij", time / cost, design, design), contrast))


def _time_for(
    goal: float,
    t: NDArray[np.float64],
    cost: NDArray[np.float64],
    spent: NDArray[np.float64],
    contrast: NDArray[np.float64],
) -> NDArray[np.float64]:
    # The least total time, and its shares, that bring the variance down to the goal.
    if _variance(t, cost, spent, contrast) <= goal:
        return np.zeros_like(spent)

    def excess(log_total: float) -> float:
        extra = allocate_time(t, cost, spent, contrast, math.exp(log_total))
        return math.log(_variance(t, cost, spent + extra, contrast) / goal)

    low, high = math.log(1e-4 * spent.sum()), math.log(spent.sum())
    while excess(high) > 0:
        low, high = high, high + math.log(4.0)
        if high > math.log(_MAX_FACTOR * spent.sum()):
            raise InputError(f"the wish needs more than {_MAX_FACTOR:.0e} times the time spent; ask for less")
    total = math.exp(float(brentq(excess, low, high, xtol=1e-4))) if excess(low) > 0 else math.exp(low)
    return allocate_time(t, cost, spent, contrast, total)


def _cheaper_temperature(
    fit: ArrheniusFit,
    goal: float,
    t: NDArray[np.float64],
    cost: NDArray[np.float64],
    spent: NDArray[np.float64],
    contrast: NDArray[np.float64],
    total: float,
) -> tuple[float | None, float | None]:
    if total == 0.0:
        return None, None
    log_d = fit.observations.only(fit.used).log_values
    best: tuple[float | None, float] = (None, _WORTH_A_TEMPERATURE * total)
    for fraction in _CANDIDATE_FRACTIONS:
        new = fraction * float(t.min())
        if new < ROOM_TEMPERATURE_K or fit.line is None:
            break
        log_d_new = float(fit.line.predict(np.array([1.0, 1.0 / (BOLTZMANN_EV_PER_K * new)]))[0])
        cost_new = float(np.median(cost * np.exp(log_d - log_d_new)))
        extra = _time_for(goal, np.append(t, new), np.append(cost, cost_new), np.append(spent, 0.0), contrast)
        if extra.sum() < best[1]:
            best = (new, float(extra.sum()))
    return best if best[0] is not None else (None, None)


def _in_words(t: NDArray[np.float64], extra: NDArray[np.float64]) -> str:
    if extra.sum() == 0.0:
        return "reached already, nothing more is needed"
    shares = ", ".join(f"{ns:.3g} ns at {kelvin:.0f} K" for kelvin, ns in zip(t, extra, strict=True) if ns > 0)
    return f"{extra.sum():.3g} ns more, {shares}"


def _upper(half_width: Callable[[float], float], wanted: float) -> float:
    factor = 2.0
    while half_width(factor) > wanted:
        factor *= 2.0
        if factor > _MAX_FACTOR:
            raise InputError(f"the wish needs more than {_MAX_FACTOR:.0e} times the time spent; ask for less")
    return factor


def _check_wish(wanted: float, durations: Sequence[float] | NDArray[np.float64]) -> None:
    if not (wanted > 0 and math.isfinite(wanted)):
        raise InputError(f"found a wanted half-width of {wanted!r}, expected a positive number: 0.1 asks for 10 %")
    if not np.all(np.asarray(durations) > 0):
        found = np.asarray(durations).tolist()
        raise InputError(f"found durations {found} ns, expected positive ones: give the time simulated so far")
