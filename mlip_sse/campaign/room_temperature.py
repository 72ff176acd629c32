"""σ(300 K) from D(T) and the Haven ratio, with the errors of both.

σ(300 K) is D(300 K) by Nernst-Einstein over the Haven ratio of all runs together: a collective σ at each temperature
is one walker's, several times less certain than D, and its extrapolation is of no use. Where the Haven ratio changes
with temperature, the line of ln(σT) is used all the same.
"""

import math
from collections.abc import Sequence

import numpy as np

from mlip_sse.analysis.measurement import Measurement
from mlip_sse.analysis.results import Estimate
from mlip_sse.analysis.transport.temperature.arrhenius import ROOM_TEMPERATURE_K, fit_arrhenius
from mlip_sse.analysis.transport.temperature.arrhenius_points import Quantity, observe
from mlip_sse.analysis.transport.temperature.pooling import PooledReplicas, pool_replicas
from mlip_sse.analysis.transport.temperature.reported import nernst_einstein_factor
from mlip_sse.analysis.transport.temperature.weighted_line import fit_weighted_line
from mlip_sse.campaign.budget_line import Budgeted, BudgetLine, at_temperature, budgeted, points_of
from mlip_sse.units import BOLTZMANN_EV_PER_K

__all__ = ["conductivities_of", "conductivity_300k", "haven_ratio"]

_HAVEN_SLOPE_CONFIDENCE = 0.99
_SLOPE = np.array([0.0, -1.0])


def conductivities_of(
    groups: Sequence[tuple[float, Sequence[Measurement]]],
) -> list[tuple[float, list[Estimate]]]:
    """Return the conductivities of each temperature that has any."""
    found = [(kelvin, [e for row in group if (e := row.conductivity)]) for kelvin, group in groups]
    return [(kelvin, estimates) for kelvin, estimates in found if estimates]


def haven_ratio(rows: Sequence[Measurement]) -> PooledReplicas | None:
    """Return the Haven ratio of all runs together; how much they differ, with temperature too, is in its error."""
    found = [row.result.haven for row in rows if not row.refused and row.result is not None and row.result.haven]
    found = [each for each in found if each.log_variance > 0]
    return pool_replicas(found) if found else None


def conductivity_300k(
    line: BudgetLine,
    rows: Sequence[Measurement],
    haven: PooledReplicas | None,
    charged: Sequence[tuple[float, list[Estimate]]],
    confidence: float,
) -> tuple[Budgeted | None, list[str]]:
    """Return σ(300 K) with everything in it, and doubts in words."""
    doubts: list[str] = []
    slope = _haven_slope(rows)
    if haven is not None and not slope:
        return _nernst_einstein_300k(line, rows, haven, confidence), doubts
    if slope:
        doubts.append(slope)
    if len(charged) < 2:
        return None, doubts
    kelvins, points = points_of(charged)
    fit = fit_arrhenius(kelvins, points, quantity=Quantity.CONDUCTIVITY, confidence=confidence)
    doubts += [f"ln(sigma T): {reason}" for reason in fit.verdict.reasons]
    if fit.line is None:
        return None, doubts
    return BudgetLine(fit, points, line.committee, confidence).value_300k(), doubts


def _nernst_einstein_300k(
    line: BudgetLine, rows: Sequence[Measurement], haven: PooledReplicas, confidence: float
) -> Budgeted:
    """σ = n z² e² D/(k_B T H_R) at 300 K, with the variances of ln D and ln H_R added."""
    value, variance, dof, statistics, spread = line.parts(at_temperature(ROOM_TEMPERATURE_K))
    ratio = haven.estimate
    shift = math.log(nernst_einstein_factor(_squared_charge_density_300k(rows), 1.0, ROOM_TEMPERATURE_K) / ratio.value)
    known = None if statistics is None else statistics + ratio.log_variance
    both = variance + ratio.log_variance
    dof = both**2 / (variance**2 / dof + ratio.log_variance**2 / ratio.dof)
    method = f"D(300 K) by Nernst-Einstein, Haven ratio of {haven.n_replicas} runs together, log-normal, Student t"
    if spread is not None:
        method += f", committee of {spread.dof + 1} with {line.committee.form} added"
    return budgeted(
        value + shift,
        both,
        dof,
        known,
        spread,
        confidence,
        True,
        method,
    )


def _squared_charge_density_300k(rows: Sequence[Measurement]) -> float:
    """Return Σ z² over the volume in e²/Å³, the volume on its line against temperature."""
    results = [row.result for row in rows if row.result is not None and row.temperature_k is not None]
    kelvins = np.array([result.temperature_k for result in results], dtype=np.float64)
    volumes = np.array([result.volume for result in results])
    if len(np.unique(kelvins)) < 2:
        return results[0].sum_of_squared_charges / float(volumes.mean())
    _, intercept = np.polyfit(kelvins - ROOM_TEMPERATURE_K, volumes, 1)
    # A line through noise may fall anywhere: a change of a tenth is beyond any expansion over these ranges.
    volume = float(np.clip(intercept, 0.9 * volumes.min(), 1.1 * volumes.max()))
    return results[0].sum_of_squared_charges / volume


def _haven_slope(rows: Sequence[Measurement]) -> str:
    """Return in words that the Haven ratio changes with temperature; empty where it does not."""
    found = [
        (row.temperature_k, row.result.haven)
        for row in rows
        if not row.refused and row.result is not None and row.result.haven and row.temperature_k is not None
    ]
    found = [(kelvin, ratio) for kelvin, ratio in found if ratio.log_variance > 0]
    if len({kelvin for kelvin, _ in found}) < 3:
        return ""
    seen = observe([kelvin for kelvin, _ in found], [ratio for _, ratio in found])
    x = 1.0 / (BOLTZMANN_EV_PER_K * seen.temperatures_k)
    line = fit_weighted_line(x, seen.log_values, seen.variances, seen.dof)
    slope, low, high = (float(each) for each in line.interval(_SLOPE, _HAVEN_SLOPE_CONFIDENCE))
    if low <= 0.0 <= high:
        return ""
    return (
        f"the Haven ratio changes with temperature (by {slope:.2g} eV, 99 %: {low:.2g} to {high:.2g}): conductivity by "
        "the line of ln(sigma T)"
    )
