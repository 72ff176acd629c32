"""Softness as a finding: of one trajectory, and of all temperatures by one classifier."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlip_sse.analysis.findings import Finding, Number
from mlip_sse.analysis.results import Interval, Verdict, to_plain
from mlip_sse.analysis.softness.analysis import SoftnessResult
from mlip_sse.analysis.softness.auc import roc_curve
from mlip_sse.analysis.softness.classifier import Softness
from mlip_sse.analysis.softness.hop_probability import HopWindows
from mlip_sse.analysis.softness.learning import Learned, validate_plane
from mlip_sse.analysis.softness.plots import plot_series, plot_softness
from mlip_sse.analysis.softness.thermodynamics import HopThermodynamics, fit_thermodynamics
from mlip_sse.analysis.softness.training_set import Split
from mlip_sse.errors import InputError

__all__ = ["compare_softness", "softness_finding"]


def softness_finding(result: SoftnessResult, confidence: float) -> Finding:
    """Return the finding of one trajectory."""
    mobility, learned = result.mobility, result.learned
    thresholds, hops = mobility.thresholds, mobility.hops
    by_split = {split: learned.validations[split].auc if learned.validations else None for split in Split}
    numbers: dict[str, Number] = {
        "n_hops": len(hops),
        "n_rattles": int(hops.rattling.sum()),
        "residence_ps": hops.residence_ps,
        "hop_threshold_a2": thresholds.hop,
        "stable_threshold_a2": thresholds.stable,
        "cage_variance_a2": thresholds.cage_variance,
        "jump_length_a": thresholds.jump_length,
        "stable_ps": mobility.stable_ps,
        "n_per_class": learned.n_per_class,
        "auc": learned.auc,
        "auc_by_ions": by_split[Split.IONS],
        "auc_by_time": by_split[Split.TIME],
        "auc_shuffled": learned.shuffled_auc,
        "accuracy": learned.accuracy,
        "correlation_length_a": result.correlation.length,
    }
    details = {
        "softness": result.softness.to_dict(),
        "thresholds": thresholds.rule,
        "window_ps": result.survey.window_ps,
        "correlation_length": result.correlation.reason or "resolved",
    }
    return Finding(
        numbers=numbers,
        verdict=result.verdict,
        details=details,
        tables=_tables(result),
        arrays={
            "frames": result.survey.frames,
            "ions": result.survey.ions,
            "softness": result.survey_softness,
            "p_hop": result.survey.now,
            "p_hop_ahead": result.survey.ahead,
            "weights": result.softness.plane.weights,
        },
        plot=lambda: plot_softness(result, confidence),
        result=result,
    )


def compare_softness(results: Sequence[tuple[float, SoftnessResult]], confidence: float, seed: int) -> Finding | None:
    """Return P_R(S, T) and barriers over temperatures, by one softness; None with a single temperature.

    The softness is the one that was given to all, or else that of the trajectory with most samples among those whose
    AUC is above ½. Its thresholds count the hops at all temperatures.
    """
    if len({kelvin for kelvin, _ in results}) < 2:
        return None
    telling = [pair for pair in results if pair[1].learned.auc.low > 0.5]
    kelvin, trained = max(telling or results, key=lambda pair: (pair[1].learned.n_per_class, -pair[0]))
    softness = trained.softness
    given = all(not result.learned.validations for _, result in results)
    origin = f"{_kelvin(softness)}, given" if given else f"{kelvin:g} K"
    series = _by_temperature(results, softness)
    by_kelvin = [(at, _auc_at(at, result, trained, confidence, seed)) for at, result in results]
    tables: dict[str, list[dict[str, Any]]] = {
        "auc_by_temperature": [
            {"temperature_k": at, "auc": auc.value, "auc_low": auc.low, "auc_high": auc.high} for at, auc in by_kelvin
        ]
    }
    verdict = _judge_transfer(results, softness)
    if not telling:
        verdict = verdict.weaken("no trajectory has an AUC above 0.5: its softness tells nothing")
    try:
        fit = fit_thermodynamics(series, trained.survey.window_ps, confidence, seed)
    except InputError as error:
        return Finding({"trained_on": origin}, verdict.refuse(str(error)), tables=tables)
    tables["hop_probability"] = _probability_rows(fit)
    tables["barriers"] = _barrier_rows(fit)
    reasons = (*verdict.reasons, *fit.verdict.reasons)
    worst = Verdict() if not reasons else Verdict(Verdict().weaken("").quality, reasons)
    return Finding(
        numbers=_series_numbers(fit, origin),
        verdict=worst,
        details={"softness": softness.to_dict(), "window_ps": fit.window_ps},
        tables=tables,
        plot=lambda: plot_series(fit, origin, worst),
        result=fit,
    )


def _series_numbers(fit: HopThermodynamics, origin: str) -> dict[str, Number]:
    return {
        "trained_on": origin,
        "barrier_softest_less_hardest_ev": fit.barrier_difference_ev,
        "barrier_ev": fit.energy_ev,
        "barrier_slope_ev": fit.energy_slope_ev,
        "prefactor": fit.prefactor,
        "prefactor_slope": fit.prefactor_slope,
        "onset_temperature_k": fit.onset_k,
        "dispersion": fit.dispersion,
    }


def _tables(result: SoftnessResult) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    false, true = roc_curve(result.learned.scores)
    plane = result.softness.plane
    return {
        "hop_probability": [
            {
                "softness": float(middle),
                "windows": int(result.binned.windows[:, k].sum()),
                "hops": int(result.binned.hops[:, k].sum()),
                **_columns("probability", probability),
            }
            for k, (middle, probability) in enumerate(zip(result.binned.middles, result.probability, strict=True))
        ],
        "surroundings": [
            {"surroundings": row.surroundings, "share": row.share, **_columns("softness", row.softness)}
            for row in result.local
        ],
        "coordination": [{"species": name, **_columns("r", value)} for name, value in result.coordination.items()],
        "correlation": [
            {"distance_a": r, "correlation": c, "error": error}
            for r, c, error in zip(
                *(part.tolist() for part in (result.correlation.distances, result.correlation.values)),
                result.correlation.errors.tolist(),
                strict=True,
            )
        ],
        "weights": [
            {"function": name, "weight": float(w), "mean": float(m), "scale": float(s)}
            for name, w, m, s in zip(
                result.softness.functions.names, plane.weights, plane.means, plane.scales, strict=True
            )
        ],
        "roc": [{"false_rate": float(x), "true_rate": float(y)} for x, y in zip(false, true, strict=True)],
    }


def _probability_rows(fit: HopThermodynamics) -> list[dict[str, Any]]:
    return [
        {
            "softness": part.softness,
            "temperature_k": kelvin,
            "windows": part.windows[k],
            "hops": part.hops[k],
            **_columns("probability", part.probability[k]),
        }
        for part in fit.ranges
        for k, kelvin in enumerate(fit.temperatures_k)
    ]


def _barrier_rows(fit: HopThermodynamics) -> list[dict[str, Any]]:
    return [
        {"softness": part.softness, "low": to_plain(part.low), "high": to_plain(part.high),
         **_columns("barrier_ev", part.energy_ev)}
        for part in fit.ranges
    ]  # fmt: skip


def _columns(name: str, interval: Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _by_temperature(results: Sequence[tuple[float, SoftnessResult]], softness: Softness) -> list[HopWindows]:
    """Return the windows at each temperature; those of replicas together, each ion for itself."""
    parts: dict[float, list[HopWindows]] = {}
    for kelvin, result in results:
        parts.setdefault(kelvin, []).append(result.windows(softness))
    return [_merged(kelvin, parts[kelvin]) for kelvin in sorted(parts)]


def _merged(kelvin: float, parts: Sequence[HopWindows]) -> HopWindows:
    firsts = np.cumsum([0, *(int(part.groups.max(initial=-1)) + 1 for part in parts)])
    return HopWindows(
        kelvin,
        np.concatenate([part.softness for part in parts]),
        np.concatenate([part.hopped for part in parts]),
        np.concatenate([part.groups + first for part, first in zip(parts, firsts, strict=False)]),
    )


def _auc_at(kelvin: float, result: SoftnessResult, trained: SoftnessResult, confidence: float, seed: int) -> Interval:
    """Return how well the one softness tells the classes of a trajectory; on its own, by cross-validation."""
    if result is trained or not result.learned.validations:
        return result.learned.auc
    tested: Learned = validate_plane(trained.softness, result.draw, confidence, seed)
    return tested.auc


def _judge_transfer(results: Sequence[tuple[float, SoftnessResult]], softness: Softness) -> Verdict:
    verdict = Verdict()
    for kelvin, result in results:
        unlike = softness.unlike(result.survey.features)
        if unlike:
            verdict = verdict.weaken(
                f"at {kelvin:g} K {len(unlike)} structure functions lie more than 3 standard deviations from training"
            )
        own, used = result.mobility.thresholds, softness.thresholds
        if used.hop < 5.0 * own.cage_variance * (1 - 1e-6):
            verdict = verdict.weaken(
                f"at {kelvin:g} K p_c = {used.hop:.3g} Å² is below 5 u² = {5 * own.cage_variance:.3g} Å²: vibration "
                "may count as hops; set hop_threshold for the hottest trajectory"
            )
    return verdict


def _kelvin(softness: Softness) -> str:
    kelvin = softness.trained_on.get("temperature_k")
    return "an unknown temperature" if kelvin is None or math.isnan(float(kelvin)) else f"{float(kelvin):g} K"
