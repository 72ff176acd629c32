"""Growth at several temperatures: activation energies of the parabolic and of the linear rate.

The rates of each temperature, replicas pooled, go through the same weighted line as diffusivities do:
ln k = ln k₀ − E_a/(k_B T), with k_p in cm²/s as a diffusivity is; k_l in Å/ps differs by its unit only.
"""

from collections.abc import Sequence

from mlip_sse.analysis.findings import Finding, Number
from mlip_sse.analysis.interphase.growth import Growth
from mlip_sse.analysis.interphase.interphase import InterphaseResult
from mlip_sse.analysis.results import Estimate, Quality, Verdict
from mlip_sse.analysis.transport.temperature.arrhenius import ArrheniusFit, fit_arrhenius
from mlip_sse.errors import InputError

__all__ = ["compare_growth"]

_SAME_TEMPERATURE_K = 0.05
_A2_PER_PS_TO_CM2_PER_S = 1e-4


def compare_growth(findings: Sequence[tuple[float, Finding]], confidence: float) -> Finding | None:
    """Fit the rates of all temperatures; None for fewer than two temperatures.

    Parameters
    ----------
    findings
        Temperature in K and finding of each trajectory.
    confidence
        Of the intervals.
    """
    if len({kelvin for kelvin, _ in findings}) < 2:
        return None
    grown: list[tuple[float, Growth]] = []
    verdict = Verdict()
    for kelvin, finding in sorted(findings, key=lambda pair: pair[0]):
        result: InterphaseResult = finding.result
        if result.growth is not None and result.growth.law is not None:
            grown.append((kelvin, result.growth))
        else:
            word = "no interface" if result.growth is None else str(result.growth.outcome)
            verdict = verdict.weaken(f"{kelvin:g} K has no rate ({word}) and does not enter the line")
    numbers: dict[str, Number] = {"n_temperatures": len({kelvin for kelvin, _ in grown})}
    fits = {}
    for name, unit in (("parabolic", _A2_PER_PS_TO_CM2_PER_S), ("linear", 1.0)):
        fit = fits[name] = _line(grown, name, unit, confidence)
        numbers[f"{name}_activation_energy_ev"] = None if isinstance(fit, str) else fit.activation_energy_ev
        if name == "parabolic":
            numbers["parabolic_rate_300k_cm2_s"] = None if isinstance(fit, str) else fit.value_300k
    laws = {growth.law for _, growth in grown} - {"undecided"}
    if len(laws) > 1:
        verdict = verdict.weaken("growth is parabolic at some temperatures and linear at others: neither line is one")
    preferred = fits["linear" if laws == {"linear"} else "parabolic"]
    if isinstance(preferred, str):
        verdict = verdict.refuse(f"no activation energy of growth: {preferred}")
    else:
        for reason in preferred.verdict.reasons:
            refused = preferred.verdict.quality is Quality.REFUSED
            verdict = verdict.refuse(reason) if refused else verdict.weaken(reason)
    return Finding(
        numbers=numbers,
        verdict=verdict,
        tables={
            "temperatures": [
                {
                    "temperature_k": kelvin,
                    "n_conversions": growth.n_conversions,
                    "growth_law": growth.law,
                    "parabolic_rate_cm2_s": _value(growth.parabolic.estimate, _A2_PER_PS_TO_CM2_PER_S),
                    "linear_rate_a_ps": _value(growth.linear.estimate, 1.0),
                }
                for kelvin, growth in grown
            ]
        },
        result=fits,
    )


def _line(grown: Sequence[tuple[float, Growth]], name: str, unit: float, confidence: float) -> ArrheniusFit | str:
    """Return the line, or why there is none."""
    groups: list[tuple[float, list[Estimate]]] = []
    for kelvin, growth in grown:
        estimate = (growth.parabolic if name == "parabolic" else growth.linear).estimate
        if estimate is None:
            continue
        if groups and abs(groups[-1][0] - kelvin) < _SAME_TEMPERATURE_K:
            groups[-1][1].append(estimate.scaled(unit))
        else:
            groups.append((kelvin, [estimate.scaled(unit)]))
    if len(groups) < 2:
        return f"{len(groups)} temperatures with a {name} rate, expected at least two"
    try:
        fit = fit_arrhenius([kelvin for kelvin, _ in groups], [runs for _, runs in groups], confidence=confidence)
    except InputError as error:
        return str(error)
    return fit


def _value(estimate: Estimate | None, unit: float) -> float | None:
    return None if estimate is None else estimate.value * unit
