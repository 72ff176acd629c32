"""What an answer may be off by: time of one run, difference between runs, and what the labels leave open.

D(T), Ea and D(300 K) by `budget_line`, σ(300 K) by `room_temperature`; each error is shown apart, and all of them are
in the intervals.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlip_sse.analysis.measurement import Measurement
from mlip_sse.analysis.results import Estimate, Interval, Verdict, to_plain
from mlip_sse.analysis.transport.temperature.arrhenius import fit_arrhenius
from mlip_sse.analysis.transport.temperature.arrhenius_points import observe
from mlip_sse.analysis.transport.temperature.pooling import PooledReplicas, pool_over_temperatures
from mlip_sse.campaign.budget_line import (
    Budgeted,
    BudgetLine,
    Errors,
    at_temperature,
    points_of,
    widened,
    within_one,
)
from mlip_sse.campaign.committee import Committee, committee_of
from mlip_sse.campaign.room_temperature import conductivities_of, conductivity_300k, haven_ratio

__all__ = ["ErrorBudget", "TemperatureBudget", "budget_of"]

_SLOPE = np.array([0.0, -1.0])
_NS_PER_FS = 1e-6


@dataclass(frozen=True)
class TemperatureBudget:
    """Transport at one temperature; errors are relative."""

    temperature_k: float
    n_runs: int
    tracer_diffusivity_cm2_s: Interval | None
    conductivity_ms_cm: Interval | None
    errors: Errors | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data as `answer.json` holds it."""
        return {
            "temperature_k": self.temperature_k,
            "n_runs": self.n_runs,
            "tracer_diffusivity_cm2_s": to_plain(self.tracer_diffusivity_cm2_s),
            "conductivity_ms_cm": to_plain(self.conductivity_ms_cm),
            "relative_errors": to_plain(self.errors),
        }


@dataclass(frozen=True, eq=False)
class ErrorBudget:
    """Everything that is known of an answer.

    Parameters
    ----------
    temperatures
        One entry for each temperature.
    quantities
        By the names ``activation_energy_ev``, ``diffusivity_300k_cm2_s``, ``conductivity_300k_ms_cm``; a quantity
        that was refused is not there.
    haven_ratio
        Of all runs together.
    verdict
        Quality and reasons.
    line
        Of ln D, with those of the members; None where there is none.
    durations_ns
        Simulated time behind each point of the line.
    """

    temperatures: tuple[TemperatureBudget, ...]
    quantities: Mapping[str, Budgeted] = field(default_factory=dict)
    haven_ratio: Interval | None = None
    verdict: Verdict = field(default_factory=Verdict)
    line: BudgetLine | None = None
    durations_ns: tuple[float, ...] = ()

    def interval(self, name: str) -> Interval | None:
        """Return a quantity's interval, None where it was refused."""
        found = self.quantities.get(name)
        return None if found is None else found.interval


def budget_of(
    rows: Sequence[Measurement], member_rows: Sequence[Sequence[Measurement]] = (), *, confidence: float = 0.95
) -> ErrorBudget:
    """Put all errors of D(T), Ea, D(300 K) and σ(300 K) together.

    Parameters
    ----------
    rows
        Of the potential's own runs, in any order; refused rows only leave their reason.
    member_rows
        Of each committee member.
    confidence
        Of all intervals.
    """
    groups = _by_temperature(rows)
    committee, verdict = _committee(member_rows, _between_runs(groups))
    verdict = _with_refused(verdict, rows)
    temperatures = _temperatures(rows, groups, committee, confidence)
    usable = [(kelvin, [e for row in group if (e := row.diffusivity)]) for kelvin, group in groups]
    if len(usable) < 2:
        found = f"found {len(usable)} temperature{'s' * (len(usable) != 1)} with a diffusivity"
        return ErrorBudget(temperatures, verdict=verdict.refuse(f"{found}, expected two for an activation energy"))
    kelvins, points = points_of(usable)
    line = BudgetLine(fit_arrhenius(kelvins, points, confidence=confidence), points, committee, confidence)
    for reason in line.fit.verdict.reasons:
        verdict = verdict.weaken(f"ln D: {reason}")
    if line.fit.line is None:
        return ErrorBudget(temperatures, verdict=verdict.refuse("there is no Arrhenius line of D"))
    quantities, haven, verdict = _quantities(line, rows, groups, confidence, verdict)
    durations = _durations_ns(groups, len(points))
    return ErrorBudget(temperatures, quantities, haven, verdict, line, durations)


def _quantities(
    line: BudgetLine,
    rows: Sequence[Measurement],
    groups: Sequence[tuple[float, list[Measurement]]],
    confidence: float,
    verdict: Verdict,
) -> tuple[dict[str, Budgeted], Interval | None, Verdict]:
    """Return what a line of ln D says of Ea and 300 K, and the Haven ratio that went into it."""
    quantities = {"activation_energy_ev": line.budgeted(_SLOPE, logarithm=False)}
    haven = haven_ratio(rows)
    ratio = None if haven is None else haven.estimate.interval(confidence)
    at_300k = line.value_300k()
    if at_300k is None:
        return quantities, ratio, verdict.refuse("the line of D ends at a transition above 300 K")
    quantities["diffusivity_300k_cm2_s"] = at_300k
    sigma, doubts = conductivity_300k(line, rows, haven, conductivities_of(groups), confidence)
    for doubt in doubts:
        verdict = verdict.weaken(doubt)
    if sigma is None:
        return quantities, ratio, verdict.refuse("there is no conductivity to go with D(300 K)")
    quantities["conductivity_300k_ms_cm"] = sigma
    return quantities, ratio, verdict


def _durations_ns(groups: Sequence[tuple[float, list[Measurement]]], n_points: int) -> tuple[float, ...]:
    """Return the time behind each point of the line: of a temperature's runs together, or of each run."""
    runs = [[(row.duration_fs or 0.0) * _NS_PER_FS for row in group] for _, group in groups]
    if n_points == len(groups):
        return tuple(sum(each) for each in runs)
    return tuple(duration for each in runs for duration in each)


def _by_temperature(rows: Sequence[Measurement]) -> list[tuple[float, list[Measurement]]]:
    """Return the rows that are not refused, by rising temperature."""
    groups: dict[float, list[Measurement]] = {}
    for row in sorted(rows, key=lambda row: (row.temperature_k or 0.0, row.path)):
        if not row.refused and row.temperature_k is not None and row.diffusivity is not None:
            groups.setdefault(row.temperature_k, []).append(row)
    return sorted(groups.items())


def _between_runs(groups: Sequence[tuple[float, list[Measurement]]]) -> float:
    """Return by how much ln D varies between runs beyond their own errors, as a variance."""
    estimates = [[e for row in group if (e := row.diffusivity)] for _, group in groups]
    return max((pool.between_log_sd for pool in pool_over_temperatures(estimates)), default=0.0) ** 2


def _committee(member_rows: Sequence[Sequence[Measurement]], between: float) -> tuple[Committee, Verdict]:
    """Return how members differ, their noise as large as that between runs, and what became of runs that gave none."""
    members, verdict = [], Verdict()
    for number, rows in enumerate(member_rows):
        for row in rows:
            if row.refused:
                why = "; ".join(row.verdict.reasons)
                verdict = verdict.weaken(f"committee member {number}, {row.temperature_k:g} K: refused: {why}")
        groups = _by_temperature(rows)
        if len(groups) < 2:
            verdict = verdict.weaken(f"committee member {number}: found {len(groups)} temperatures, expected two")
            continue
        found = {}
        for kelvin, group in groups:
            seen = observe([kelvin] * len(group), [row.diffusivity for row in group if row.diffusivity])
            own = np.zeros(len(group)) if seen.variances is None else seen.variances
            weights = 1.0 / (own + between)
            found[kelvin] = (float(weights @ seen.log_values / weights.sum()), float(1.0 / weights.sum()))
        members.append(found)
    if len(member_rows) and len(members) < 2:
        verdict = verdict.weaken(
            f"what the labels leave open is not in the errors: {len(members)} committee members ran"
        )
    return committee_of(members), verdict


def _with_refused(verdict: Verdict, rows: Sequence[Measurement]) -> Verdict:
    for row in rows:
        if row.refused:
            kelvin = "unknown" if row.temperature_k is None else f"{row.temperature_k:g}"
            verdict = verdict.weaken(f"a run at {kelvin} K is refused: {'; '.join(row.verdict.reasons)}")
    return verdict


def _temperatures(
    rows: Sequence[Measurement],
    groups: Sequence[tuple[float, list[Measurement]]],
    committee: Committee,
    confidence: float,
) -> tuple[TemperatureBudget, ...]:
    """Return D and σ at each temperature that was run."""
    tracer = [(kelvin, [e for row in group if (e := row.diffusivity)]) for kelvin, group in groups]
    pools = dict(zip([kelvin for kelvin, _ in tracer], _pooled(tracer), strict=True))
    charged = conductivities_of(groups)
    sigma = dict(zip([kelvin for kelvin, _ in charged], _pooled(charged), strict=True))
    estimates = dict(tracer)
    found = []
    for kelvin in sorted({row.temperature_k for row in rows if row.temperature_k is not None}):
        if kelvin not in pools:
            found.append(TemperatureBudget(kelvin, 0, _limit(rows, kelvin), None, None))
            continue
        pool, group = pools[kelvin], estimates[kelvin]
        spread = committee.spread_at(at_temperature(kelvin))
        own = within_one(group, pool)
        errors = Errors(
            math.sqrt(own),
            math.sqrt(max(pool.estimate.log_variance - own, 0.0)) if pool.n_replicas > 1 else None,
            None if spread is None else math.sqrt(spread.variance),
        )
        conductivity = None if kelvin not in sigma else widened(sigma[kelvin].estimate, spread).interval(confidence)
        interval = widened(pool.estimate, spread).interval(confidence)
        found.append(TemperatureBudget(kelvin, len(group), interval, conductivity, errors))
    return tuple(found)


def _pooled(groups: Sequence[tuple[float, list[Estimate]]]) -> list[PooledReplicas]:
    return pool_over_temperatures([estimates for _, estimates in groups]) if groups else []


def _limit(rows: Sequence[Measurement], kelvin: float) -> Interval | None:
    """Return the detection limit of a temperature whose diffusivity was refused, where a run gave one."""
    found = [row.interval("tracer_diffusivity_cm2_s") for row in rows if row.temperature_k == kelvin]
    limits = [each for each in found if each is not None and each.value is None]
    return min(limits, key=lambda each: each.high) if limits else None
