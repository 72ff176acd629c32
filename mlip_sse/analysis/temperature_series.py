"""From rows to the Arrhenius answer: replicas pooled, refused rows left out, the next run planned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlip_sse.analysis.measurement import Measurement
from mlip_sse.analysis.results import Estimate, Interval, Quality, Verdict, to_plain
from mlip_sse.analysis.transport.temperature.activation import ArrheniusResult, analyze_arrhenius
from mlip_sse.analysis.transport.temperature.arrhenius import ArrheniusFit, fit_arrhenius
from mlip_sse.analysis.transport.temperature.arrhenius_points import Quantity
from mlip_sse.analysis.transport.temperature.planner import plan_duration, plan_value_at
from mlip_sse.analysis.transport.temperature.pooling import pool_over_temperatures
from mlip_sse.errors import InputError
from mlip_sse.provenance import Provenance

__all__ = ["PooledTemperature", "TemperatureSeries", "temperature_series"]

_SAME_TEMPERATURE_K = 0.05
_FS_PER_NS = 1e6
_MIN_REPLICA_DOF = 3
"""With fewer runs beyond the first of each temperature, the spread between runs is not known: they are points apart."""


@dataclass(frozen=True)
class PooledTemperature:
    """Several runs at one temperature, pooled."""

    temperature_k: float
    n_runs: int
    tracer_diffusivity_cm2_s: Interval | None
    conductivity_ms_cm: Interval | None
    duration_fs: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain Python data."""
        return {name: to_plain(getattr(self, name)) for name in self.__dataclass_fields__}


@dataclass(frozen=True, eq=False)
class TemperatureSeries:
    """What several temperatures say together.

    Parameters
    ----------
    arrhenius
        None where there is no line to fit.
    verdict
        Of the line, with the rows that were left out.
    absent
        Why there is no line; empty where there is one.
    pooled
        One entry for each temperature with several runs.
    plans
        What to run next, a sentence each.
    """

    arrhenius: ArrheniusResult | None
    verdict: Verdict
    absent: str
    pooled: tuple[PooledTemperature, ...] = ()
    plans: tuple[str, ...] = ()


def temperature_series(
    rows: Sequence[Measurement],
    *,
    confidence: float = 0.95,
    wanted_half_width: float = 0.2,
    wanted_factor_300k: float = 2.0,
    nernst_einstein_factor_300k: float | None = None,
    provenance: Provenance | None = None,
) -> TemperatureSeries:
    """Fit the Arrhenius lines of D and σ through all rows that are not refused.

    Parameters
    ----------
    rows
        In any order; rows of the same temperature are replicas.
    wanted_half_width
        Relative half-width planned for where there is one temperature only.
    wanted_factor_300k
        Factor planned for at 300 K.
    nernst_einstein_factor_300k
        Turns D(300 K) into a conductivity where there are only diffusivities.
    """
    rows = sorted(rows, key=lambda row: (row.temperature_k or 0.0, row.path))
    left_out = _left_out(rows)
    usable = [row for row in rows if not row.refused and row.temperature_k is not None]
    usable = [row for row in usable if row.diffusivity is not None or row.printed is not None]
    groups = _by_temperature(usable)
    pooled = _pooled(groups, confidence)
    if len(groups) < 2:
        plans = _plan_one_temperature(groups, wanted_half_width, confidence)
        return TemperatureSeries(None, Verdict(), _absent(rows, groups), pooled, tuple(plans))
    result = _fitted(groups, confidence, nernst_einstein_factor_300k, provenance)
    verdict = result.verdict
    weak = [row.label for row in usable if row.tracer_quality is Quality.WEAK]
    if weak:
        verdict = verdict.weaken(f"{len(weak)} of {len(usable)} diffusivities are weak: {'; '.join(weak)}")
    for reason in left_out:
        verdict = verdict.weaken(reason)
    plan = _plan_300k(result, groups, wanted_factor_300k)
    return TemperatureSeries(result, verdict, "", pooled, (plan,) if plan else ())


def _left_out(rows: Sequence[Measurement]) -> list[str]:
    reasons = [f"{row.label}: refused, left out of the line" for row in rows if row.refused]
    unknown = [row for row in rows if not row.refused and row.temperature_k is None]
    return [*reasons, *(f"{row.label}: its temperature is not known, left out of the line" for row in unknown)]


def _by_temperature(rows: Sequence[Measurement]) -> list[tuple[float, list[Measurement]]]:
    groups: list[tuple[float, list[Measurement]]] = []
    for row in rows:
        kelvin = row.temperature_k or 0.0
        if groups and abs(kelvin - groups[-1][0]) < _SAME_TEMPERATURE_K:
            groups[-1][1].append(row)
        else:
            groups.append((kelvin, [row]))
    return groups


def _absent(rows: Sequence[Measurement], groups: Sequence[tuple[float, list[Measurement]]]) -> str:
    if any(not row.refused and row.temperature_k is None for row in rows):
        return "no Arrhenius line: a temperature is not known; give one for each file"
    given = {row.temperature_k for row in rows if row.temperature_k is not None}
    found = "no temperature" if not groups else f"one temperature ({groups[0][0]:g} K)"
    rest = f" of the {len(given)} given" if len(given) > len(groups) else ""
    reason = f", the others are refused: {found}{rest} can be used" if rest else f", found {found}"
    return f"no Arrhenius line: it needs at least two temperatures{reason}; simulate at more of them"


def _estimates(
    groups: Sequence[tuple[float, list[Measurement]]], name: str
) -> tuple[list[float], list[list[Estimate]], list[float | None]]:
    """Return the points of a line: temperatures, the estimates of their replicas, and the time behind each in fs.

    Replicas are pooled where there are enough of them to know how much runs differ; else each is a point of its own.
    """
    having = [(kelvin, [row for row in rows if getattr(row, name) is not None]) for kelvin, rows in groups]
    if sum(max(0, len(rows) - 1) for _, rows in having) < _MIN_REPLICA_DOF:
        having = [(kelvin, [row]) for kelvin, rows in having for row in rows]
    having = [(kelvin, rows) for kelvin, rows in having if rows]
    estimates = [[getattr(row, name) for row in rows] for _, rows in having]
    return [kelvin for kelvin, _ in having], estimates, [_duration_fs(rows) for _, rows in having]


def _fitted(
    groups: Sequence[tuple[float, list[Measurement]]],
    confidence: float,
    factor: float | None,
    provenance: Provenance | None,
) -> ArrheniusResult:
    rows = [row for _, group in groups for row in group]
    printed = [row.printed for row in rows if row.printed is not None]
    if len(printed) not in (0, len(rows)):
        raise InputError("found a table of D beside other results, expected one kind: a table is fitted as it stands")
    if printed:
        kelvins = [row.temperature_k for row in rows]
        known = [error for _, error in printed if error is not None]
        if len(known) not in (0, len(printed)):
            raise InputError(f"found {len(known)} standard errors for {len(printed)} values of D, expected all or none")
        return analyze_arrhenius(
            np.array(kelvins, dtype=np.float64),
            [value for value, _ in printed],
            diffusivity_errors_cm2_s=known or None,
            nernst_einstein_factor_300k=factor,
            confidence=confidence,
            provenance=provenance,
        )
    points, diffusivities, _ = _estimates(groups, "diffusivity")
    diffusivity = fit_arrhenius(points, diffusivities, confidence=confidence)
    points, conductivities, _ = _estimates(groups, "conductivity")
    conductivity: ArrheniusFit | None = None
    if len(set(points)) > 1:
        conductivity = fit_arrhenius(points, conductivities, quantity=Quantity.CONDUCTIVITY, confidence=confidence)
    return ArrheniusResult(diffusivity, conductivity, factor, provenance or Provenance())


def _pooled(groups: Sequence[tuple[float, list[Measurement]]], confidence: float) -> tuple[PooledTemperature, ...]:
    intervals: dict[str, dict[float, Interval]] = {}
    for name in ("diffusivity", "conductivity"):
        kelvins, estimates, _ = _estimates(groups, name)
        pools = pool_over_temperatures(estimates) if any(len(runs) > 1 for runs in estimates) else []
        intervals[name] = {
            kelvin: pool.estimate.interval(confidence) for kelvin, pool in zip(kelvins, pools, strict=False)
        }
    return tuple(
        PooledTemperature(
            kelvin,
            len(rows),
            intervals["diffusivity"][kelvin],
            intervals["conductivity"].get(kelvin),
            _duration_fs(rows),
        )
        for kelvin, rows in groups
        if len(rows) > 1 and kelvin in intervals["diffusivity"]
    )


def _duration_fs(rows: Sequence[Measurement]) -> float | None:
    known = [row.duration_fs for row in rows if row.duration_fs is not None]
    return sum(known) if len(known) == len(rows) else None


def _plan_one_temperature(
    groups: Sequence[tuple[float, list[Measurement]]], wanted: float, confidence: float
) -> list[str]:
    """Plan for the diffusivity and the conductivity at the only temperature there is."""
    sentences = []
    for kelvin, rows in groups[:1]:
        duration_fs, result = _duration_fs(rows), rows[0].result
        n_ions = None if result is None else result.species[0].n_ions
        for what, name, collective in (("D*", "diffusivity", False), ("σ", "conductivity", True)):
            runs = [estimate for row in rows if (estimate := getattr(row, name)) is not None]
            if duration_fs is None or len(runs) < len(rows):
                continue
            try:
                sentence = plan_duration(
                    _as_one_run(runs),
                    duration_fs / _FS_PER_NS,
                    wanted,
                    n_ions=None if collective else n_ions,
                    collective=collective,
                    confidence=confidence,
                ).sentence
            except InputError as error:
                sentence = str(error)
            sentences.append(f"{what} at {kelvin:g} K: {sentence}")
    return sentences


def _as_one_run(runs: Sequence[Estimate]) -> Estimate:
    """Return what one run as long as all of them together would give, as far as a plan needs it."""
    if len(runs) == 1:
        return runs[0]
    weights = [1.0 / max(run.relative_variance, 1e-12) for run in runs]
    value = sum(weight * run.value for weight, run in zip(weights, runs, strict=True)) / sum(weights)
    return Estimate(value, 1.0 / sum(weights), method="runs together")


def _plan_300k(
    result: ArrheniusResult, groups: Sequence[tuple[float, list[Measurement]]], wanted_factor: float
) -> str | None:
    """Plan for σ(300 K), or for D(300 K) where only diffusivities are known."""
    fit = result.conductivity or result.diffusivity
    if fit is None or fit.line is None:
        return None
    _, _, durations = _estimates(groups, "conductivity" if fit is result.conductivity else "diffusivity")
    if len(durations) != len(fit.used):  # a table, which says nothing of durations
        return None
    spent = [fs for fs, used in zip(durations, fit.used, strict=True) if used]
    known = [fs / _FS_PER_NS for fs in spent if fs is not None]
    if len(known) < len(spent):
        return None
    try:
        return plan_value_at(fit, known, wanted_factor - 1.0).sentence
    except InputError as error:
        return f"no plan for 300 K: {error}"
