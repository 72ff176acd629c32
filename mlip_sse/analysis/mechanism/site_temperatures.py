"""Hops at several temperatures: activation energy and attempt frequency of each hop class."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlip_sse.analysis.findings import Finding, Number
from mlip_sse.analysis.mechanism.hop_activation import HopActivation, hop_activation
from mlip_sse.analysis.mechanism.rates import HopClass
from mlip_sse.analysis.mechanism.site_analysis import SiteAnalysis
from mlip_sse.analysis.results import Verdict
from mlip_sse.errors import InputError

__all__ = ["HopSeries", "compare_sites", "hop_series"]

_SAME_LENGTH = 0.35
"""Å; hop classes of two temperatures whose lengths differ by less are one."""

_FEWEST_TEMPERATURES = 3

_FEWEST_HOPS = 10
"""Hop classes with fewer hops in all are not fitted: mostly two hops between the same two frames."""


class HopSeries:
    """Counts of one hop class at all temperatures; ``rows`` are (temperature in K, count, time in fs, dispersion)."""

    def __init__(self, hop: HopClass) -> None:
        self.hop = hop
        self.rows: list[tuple[float, int, float, float]] = []

    def fit(self, confidence: float) -> HopActivation:
        """Fit the class."""
        kelvin, counts, times, dispersions = zip(*self.rows, strict=True)
        scatter = max(1.0, float(np.average(dispersions, weights=np.array(counts) + 1e-9)))
        return hop_activation(kelvin, counts, times, confidence, scatter)


def hop_series(results: Sequence[tuple[float, SiteAnalysis]]) -> list[HopSeries]:
    """Match the hop classes of several temperatures, most counted first; a class not seen somewhere counts zero there.

    Parameters
    ----------
    results
        Temperature in K and result of each trajectory.
    """
    found: list[HopSeries] = []
    for _, result in results:
        for hop in result.rates.classes:
            if not any(_is_same(series.hop, hop) for series in found):
                found.append(HopSeries(hop))
    for kelvin, result in results:
        for series in found:
            counts = [k for k, hop in enumerate(result.rates.classes) if _is_same(series.hop, hop)]
            count = int(result.rates.counts[counts].sum())
            labels = result.rates.labels
            time = 0.0
            if series.hop.label_from in labels:
                time = float(result.rates.label_times_fs[labels.index(series.hop.label_from)])
            scatter = float(result.rates.dispersions[counts].max()) if counts else 1.0
            series.rows.append((kelvin, count, time, scatter))
    return sorted(found, key=lambda series: -sum(row[1] for row in series.rows))


def _is_same(one: HopClass, other: HopClass) -> bool:
    labels = (one.label_from, one.label_to) == (other.label_from, other.label_to)
    return labels and abs(one.length - other.length) < _SAME_LENGTH


def compare_sites(results: Sequence[tuple[float, SiteAnalysis]], confidence: float) -> Finding | None:
    """Fit all hop classes over the temperatures; None for fewer than two.

    Parameters
    ----------
    results
        Temperature in K and result of each trajectory.
    confidence
        Of the intervals.
    """
    temperatures = sorted({kelvin for kelvin, _ in results})
    if len(temperatures) < 2:
        return None
    series = hop_series(results)
    verdict, rows, fits = Verdict(), [], []
    numbers: dict[str, Number] = {"n_temperatures": len(temperatures)}
    for part in series:
        if sum(row[1] for row in part.rows) < _FEWEST_HOPS:
            continue
        try:
            fit = part.fit(confidence)
        except InputError:
            continue
        fits.append((part, fit))
        rows.append(_row(part, fit))
        name = f"{part.hop.label_from}_{part.hop.label_to}_{part.hop.length:.1f}"
        numbers[f"activation_energy_{name}"] = fit.activation_energy_ev
        numbers[f"attempt_frequency_{name}_thz"] = fit.attempt_frequency_thz
    if not fits:
        verdict = verdict.refuse("no hop class has hops at two temperatures: run longer or hotter")
    elif len(temperatures) < _FEWEST_TEMPERATURES:
        verdict = verdict.weaken(
            f"{len(temperatures)} temperatures, expected at least {_FEWEST_TEMPERATURES}: whether the rates follow "
            "an Arrhenius line cannot be seen"
        )
    for part, fit in fits[:3]:
        if fit.dispersion > 4:
            verdict = verdict.weaken(
                f"counts of {part.hop.name} scatter {fit.dispersion:.1f} times as much as Poisson's around the line: "
                "not one activated process"
            )

    def plot() -> Any:
        from mlip_sse.analysis.mechanism.site_plots import plot_hop_arrhenius

        return plot_hop_arrhenius(fits, confidence)

    return Finding(numbers, verdict, tables={"activation": rows}, plot=plot if fits else None, result=fits)


def _row(part: HopSeries, fit: HopActivation) -> dict[str, Any]:
    energy, attempt = fit.activation_energy_ev, fit.attempt_frequency_thz
    return {
        "hop": part.hop.name,
        "count": sum(row[1] for row in part.rows),
        "n_temperatures": sum(1 for row in part.rows if row[1]),
        "activation_energy_ev": energy.value,
        "activation_energy_ev_low": energy.low,
        "activation_energy_ev_high": energy.high,
        "attempt_frequency_thz": attempt.value,
        "attempt_frequency_thz_low": attempt.low,
        "attempt_frequency_thz_high": attempt.high,
        "dispersion": fit.dispersion,
    }
