"""What the recipe `interphase` reports: numbers, tables, arrays and the figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlip_sse.analysis.findings import Finding, Number
from mlip_sse.analysis.interphase.environments import UnitRule
from mlip_sse.analysis.interphase.growth import Growth
from mlip_sse.analysis.interphase.interphase import InterphaseResult
from mlip_sse.analysis.interphase.plots import plot_interphase
from mlip_sse.analysis.mechanism.counting import poisson_limits
from mlip_sse.analysis.results import Interval
from mlip_sse.analysis.structure.time_averages import share_interval_of

__all__ = ["interphase_finding"]

_A2_PER_PS_TO_CM2_PER_S = 1e-4


def interphase_finding(result: InterphaseResult, rules: Sequence[UnitRule]) -> Finding:
    """Turn the result into a finding.

    Parameters
    ----------
    result
        Of `mlip_sse.analysis.interphase.interphase.Interphase.run`.
    rules
        What an intact unit is, for the labels.
    """
    units = ", ".join(rule.intact for rule in rules)
    layout = result.layout
    numbers: dict[str, Number] = {
        "unit": units,
        "n_units": len(layout.centres),
        "n_interfaces": len(layout.interfaces),
        "intact_fraction_start": result.intact_start,
        "intact_fraction_end": result.intact_end,
        "electrolyte_thickness": layout.thickness if layout.interfaces else None,
        **_growth_numbers(result.growth),
    }
    for share in result.products:
        numbers[f"{share.product.replace('-like', '_like').replace('-', '_')}_fraction"] = share.found
        if share.word:
            numbers[f"{share.element}_products"] = share.word
    confidence = result.intact_end.confidence
    by_element = result.profiles.by_element(result.elements)
    tables: dict[str, Sequence[Mapping[str, Any]]] = {
        "interphase": _curve_table(result, confidence),
        "products": [
            {
                "element": share.element,
                "product": share.product,
                "share_at_start": share.at_start,
                "share": share.found.value,
                "low": share.found.low,
                "high": share.found.high,
                "expected": share.expected,
                "verdict": share.word,
            }
            for share in result.products
        ],
        "profiles": _profile_table(result),
    }
    return Finding(
        numbers=numbers,
        verdict=result.verdict,
        details={"interfaces": list(layout.interfaces), "units_by_length": layout.units_by_length},
        tables=tables,
        arrays={
            "times_ps": result.times_ps,
            "class_names": np.array(result.names),
            "class_counts": result.class_counts,
            "converted": result.converted,
            "profile_z": result.profiles.z,
            "profile_times_ps": result.profiles.times_ps,
            "profile_densities": result.profiles.densities,
            "elements": np.array(list(by_element)),
            "profile_element_densities": np.stack(list(by_element.values()), axis=1),
            "drift": result.drift,
        },
        plot=lambda: plot_interphase(result, units),
        result=result,
    )


def _growth_numbers(growth: Growth | None) -> dict[str, Number]:
    if growth is None:
        names = ("reaction", "growth_law", "interphase_thickness", "parabolic_rate_cm2_s", "linear_rate_a_ps")
        return dict.fromkeys(names)
    return {
        "reaction": str(growth.outcome),
        "n_conversions": growth.n_conversions,
        "interphase_thickness": growth.thickness,
        "growth_law": growth.law,
        "parabolic_weight": growth.weight_parabolic,
        "parabolic_rate_cm2_s": growth.parabolic.rate.scaled(_A2_PER_PS_TO_CM2_PER_S),
        "linear_rate_a_ps": growth.linear.rate,
    }


def _curve_table(result: InterphaseResult, confidence: float) -> list[dict[str, Any]]:
    growth, layout = result.growth, result.layout
    dispersion = 1.0 if growth is None else growth.dispersion
    n_units, rows = len(layout.centres), []
    n_interfaces = len(layout.interfaces)
    for k, time in enumerate(result.times_ps):
        share = float(result.intact[k])
        intact = _share(share, n_units / dispersion, n_units, confidence)
        row: dict[str, Any] = {
            "time_ps": float(time),
            "intact_fraction": share,
            "intact_low": intact.low,
            "intact_high": intact.high,
        }
        if result.thickness is not None:
            converted = float(result.converted[:, k].sum())
            limits = poisson_limits(converted / dispersion, confidence)
            unit = dispersion / (n_interfaces * layout.units_by_length)
            row |= {
                "thickness": float(result.thickness[k]),
                "thickness_low": limits[0] * unit,
                "thickness_high": limits[1] * unit,
            }
            row |= {f"converted_{name}": int(result.converted[i, k]) for i, name in enumerate(layout.interfaces)}
        rows.append(row | {name: int(n) for name, n in zip(result.names, result.class_counts[k], strict=True) if n})
    used = dict.fromkeys(key for row in rows for key in row)
    return [{key: row.get(key, 0) for key in used} for row in rows]


def _share(share: float, n_independent: float, n_units: int, confidence: float) -> Interval:
    variance = share * (1.0 - share) / n_independent
    return share_interval_of(share, variance, max(1, round(n_independent)), n_units, confidence, f"units of {n_units}")


def _profile_table(result: InterphaseResult) -> list[dict[str, Any]]:
    """Return densities of the elements, and of the classes that occur, in the first and in the last window."""
    profiles = result.profiles
    by_element = profiles.by_element(result.elements)
    occurring = [k for k in range(len(result.names)) if profiles.densities[:, k].any()]
    rows = []
    for label, window in (("first", 0), ("last", -1)):
        for j, z in enumerate(profiles.z):
            row: dict[str, Any] = {"window": label, "z": float(z)}
            row |= {symbol: float(values[window, j]) for symbol, values in by_element.items()}
            rows.append(row | {result.names[k]: float(profiles.densities[window, k, j]) for k in occurring})
    return rows
