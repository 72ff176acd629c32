"""What the recipe `concerted` finds in one trajectory, and in all temperatures together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.analysis.findings import Finding, Number
from mlip_sse.analysis.mechanism.concerted import SATURATED, Concerted, ConcertedResult
from mlip_sse.analysis.mechanism.concerted_plots import plot_concerted, plot_modes
from mlip_sse.analysis.mechanism.concerted_scan import ConcertedScan, scan_closeness
from mlip_sse.analysis.mechanism.directions import Directions, diffusion_directions
from mlip_sse.analysis.mechanism.hop_events import HopEvents, events_of_jumps, events_of_trajectory
from mlip_sse.analysis.mechanism.modes import ModePoint, ModeSeries, ModeSettings
from mlip_sse.analysis.mechanism.rates import rate_interval
from mlip_sse.analysis.mechanism.strings import StringMotion, StringResult
from mlip_sse.analysis.mechanism.van_hove import VanHove, VanHoveResult
from mlip_sse.analysis.results import Interval, Verdict

if TYPE_CHECKING:
    from mlip_sse.analysis.mechanism.concerted_recipe import ConcertedRecipe
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["ConcertedMotion", "compare_modes", "measure_concerted"]

_FS_PER_PS = 1000.0
_SCAN_STEPS = (1, 2, 4, 8, 16)
_SCAN_FACTORS = (0.7, 1.0, 1.3)


@dataclass(frozen=True, eq=False)
class ConcertedMotion:
    """All results of one trajectory."""

    concerted: ConcertedResult
    scan: ConcertedScan
    van_hove: VanHoveResult
    strings: StringResult
    directions: Directions
    residence_ps: Interval
    point: ModePoint


def measure_concerted(recipe: "ConcertedRecipe", trajectory: "Trajectory") -> Finding:
    """Analyse one trajectory that is seen from the recipe's reference frame.

    Parameters
    ----------
    recipe
        The settings.
    trajectory
        Of the first mobile species the motion is looked at.
    """
    species = recipe.mobile[0]
    settings = Concerted(
        species=species,
        window_fs=recipe.window_fs,
        distance=recipe.distance,
        replacement=recipe.replacement,
        drop_back_jumps=recipe.drop_back_jumps,
        n_null=recipe.n_null,
        confidence=recipe.confidence,
    )
    events, verdict = _hops(recipe, trajectory, species)
    concerted = settings.run_events(events, verdict)
    motion = ConcertedMotion(
        concerted=concerted,
        scan=_scan(concerted, settings),
        van_hove=VanHove(
            species, n_lags=recipe.n_lags, refill_radius=recipe.refill_radius, confidence=recipe.confidence
        ).run(trajectory),
        strings=StringMotion(
            species,
            mobile_fraction=recipe.mobile_fraction,
            replacement_distance=recipe.replacement_distance,
            n_lags=recipe.n_lags,
            n_null=max(19, min(99, recipe.n_null)),
            confidence=recipe.confidence,
        ).run(trajectory),
        directions=(found := diffusion_directions(trajectory, species, recipe.hop_distance, recipe.confidence)),
        residence_ps=_residence(concerted.events, recipe.confidence),
        point=_point(trajectory, concerted, found),
    )
    return _finding(motion, trajectory, recipe)


def compare_modes(recipe: "ConcertedRecipe", findings: Sequence[tuple[float, Finding]]) -> Finding | None:
    """Classify the modes over temperature; None where there is one trajectory only.

    Parameters
    ----------
    recipe
        The settings, thresholds among them.
    findings
        Temperature in K and finding of each trajectory.
    """
    if len(findings) < 2:
        return None
    ordered = sorted(findings, key=lambda pair: pair[0])
    motions = [finding.result for _, finding in ordered]
    series = _modes(recipe).run([motion.point for motion in motions])
    rows = [
        _mode_row(kelvin, motion, collectivity, dimension)
        for (kelvin, _), motion, collectivity, dimension in zip(
            ordered, motions, series.collectivity, series.dimension, strict=True
        )
    ]
    numbers: dict[str, Number] = {
        "hop_activation_energy_ev": series.activation.activation_energy_ev if series.activation else None,
        "hop_attempt_frequency_thz": series.activation.attempt_frequency_thz if series.activation else None,
        "excess_per_100k": series.excess_per_100k,
        "log_anisotropy_per_100k": series.log_anisotropy_per_100k,
        "collectivity": _summary(series, series.collectivity),
        "dimension": _summary(series, series.dimension),
    }
    changes = [
        {
            "kind": one.kind,
            "below": one.below,
            "above": one.above,
            "low_k": one.between_k[0],
            "high_k": one.between_k[1],
        }
        for one in series.changes
    ]
    return Finding(
        numbers,
        series.verdict,
        details={"changes": changes, "thresholds": {"excess": recipe.least_excess, "ratio": recipe.least_ratio}},
        tables={"modes": rows},
        plot=partial(plot_modes, series, motions, recipe.least_excess, recipe.least_ratio),
        result=series,
    )


def _hops(recipe: "ConcertedRecipe", trajectory: "Trajectory", species: str) -> tuple[HopEvents, Verdict]:
    if recipe.hops == "positions":
        return events_of_trajectory(trajectory, species, recipe.half_window_ps, recipe.hop_threshold)
    from mlip_sse.analysis.mechanism.site_analysis import SitesAndJumps

    found = SitesAndJumps(mobile=(species,), method="nearest", confidence=recipe.confidence).run(trajectory)
    sites, n_ions = found.assignment.sites, len(trajectory.indices(species))
    cell = np.asarray(sites.cell, dtype=np.float64)
    events = events_of_jumps(
        found.jumps, sites.fractional, cell, n_ions, trajectory.n_frames, trajectory.frame_spacing_fs
    )
    return events, found.verdict


def _scan(concerted: ConcertedResult, settings: Concerted) -> ConcertedScan:
    """Scan windows from one frame, or 100 fs, upward, and distances around that of the settings."""
    from mlip_sse.analysis.structure.rdf import cell_widths

    events = concerted.events
    first = max(1, round(100.0 / events.frame_spacing_fs)) * events.frame_spacing_fs
    longest = 0.5 * float(cell_widths(events.cell).min()) * (1 - 1e-6)
    distances = sorted({round(min(factor * settings.distance, longest), 6) for factor in _SCAN_FACTORS})
    return scan_closeness(events, settings, [first * step for step in _SCAN_STEPS], distances)


def _residence(events: HopEvents, confidence: float) -> Interval:
    """Mean time between hops of an ion, from their exact Poisson interval."""
    total = events.n_ions * events.n_frames * events.frame_spacing_fs / _FS_PER_PS
    rate = rate_interval(len(events), total, confidence)
    value = total / len(events) if len(events) else None
    return Interval(value, 1.0 / rate.high, 1.0 / rate.low if rate.low > 0 else math.inf, confidence, rate.method)


def _point(trajectory: "Trajectory", concerted: ConcertedResult, directions: Directions) -> ModePoint:
    events = concerted.events
    saturated = (concerted.null_fraction.value or 0.0) > SATURATED
    return ModePoint(
        temperature_k=trajectory.temperature_k or math.nan,
        n_hops=len(events),
        ion_time_fs=events.n_ions * events.n_frames * events.frame_spacing_fs,
        excess=None if saturated else concerted.excess,
        p_value=concerted.p_value,
        second=directions.second,
        third=directions.third,
        p_isotropic=directions.p_isotropic,
    )


def _modes(recipe: "ConcertedRecipe") -> ModeSettings:
    return ModeSettings(least_excess=recipe.least_excess, least_ratio=recipe.least_ratio, confidence=recipe.confidence)


def _finding(motion: ConcertedMotion, trajectory: "Trajectory", recipe: "ConcertedRecipe") -> Finding:
    concerted, strings, van_hove, directions = motion.concerted, motion.strings, motion.van_hove, motion.directions
    modes, verdict = _modes(recipe), _verdict(motion)
    numbers: dict[str, Number] = {
        "n_hops": len(concerted.events),
        "residence_ps": motion.residence_ps,
        "hop_length": concerted.events.median_length,
        "concerted_fraction": concerted.fraction,
        "chance_fraction": concerted.null_fraction,
        "concerted_excess": concerted.excess,
        "concerted_p": concerted.p_value,
        "link_ratio": concerted.link_ratio if math.isfinite(concerted.link_ratio) else None,
        "links_p": concerted.p_links,
        "scan_p": motion.scan.p_value,
        "string_length": strings.lengths[strings.peak],
        "string_chance": strings.null_lengths[strings.peak],
        "string_time_ps": float(strings.times_fs[strings.peak]) / _FS_PER_PS,
        "string_p": strings.p_value,
        "refill": van_hove.refill[-1],
        "alpha2": float(np.nanmax(van_hove.alpha2)),
        "alpha2_time_ps": float(van_hove.times_fs[int(np.nanargmax(van_hove.alpha2))]) / _FS_PER_PS,
        "diffusivity_cm2_s": directions.diffusivity_cm2_s,
        "second_to_first": directions.second,
        "third_to_first": directions.third,
        "anisotropy": directions.anisotropy,
        "collectivity": str(modes.collectivity(motion.point)),
        "dimension": str(modes.dimension(motion.point)),
    }
    return Finding(
        numbers,
        verdict,
        details=_details(motion),
        tables={
            "cluster_sizes": concerted.table,
            "closeness": motion.scan.table,
            "strings": strings.table,
            "refill": _refill_rows(van_hove),
        },
        arrays=_arrays(motion),
        plot=partial(plot_concerted, motion, verdict, trajectory.temperature_k, trajectory.duration_fs),
        result=motion,
    )


def _verdict(motion: ConcertedMotion) -> Verdict:
    """Hops decide; what ails the rest makes the finding weak at most."""
    verdict = motion.concerted.verdict
    parts = {
        "strings": motion.strings.verdict.reasons,
        "van Hove": motion.van_hove.verdict.reasons,
        "diffusion": motion.directions.reasons,
    }
    for name, reasons in parts.items():
        for reason in reasons:
            verdict = verdict.weaken(f"{name}: {reason}")
    return verdict


def _details(motion: ConcertedMotion) -> Mapping[str, Any]:
    concerted = motion.concerted
    return {
        "n_back_jumps": concerted.n_back_jumps,
        "n_null": concerted.n_null,
        "p_fewer": concerted.p_fewer,
        "mean_cluster_size": concerted.mean_size,
        "n_mobile": motion.strings.n_mobile,
        "p_isotropic": motion.directions.p_isotropic,
        "principal_cm2_s": motion.directions.principal_cm2_s,
        "principal_axes": motion.directions.axes,
        "van_hove_origins": motion.van_hove.n_origins,
    }


def _refill_rows(van_hove: VanHoveResult) -> list[dict[str, Any]]:
    return [
        {
            "time_fs": float(van_hove.times_fs[k]),
            "refill": refill.value,
            "low": refill.low,
            "high": refill.high,
            "ratio_to_gas": van_hove.refill_ratio[k].value,
            "alpha2": float(van_hove.alpha2[k]),
        }
        for k, refill in enumerate(van_hove.refill)
    ]


def _arrays(motion: ConcertedMotion) -> dict[str, Any]:
    van_hove, events = motion.van_hove, motion.concerted.events
    return {
        "lags": van_hove.lags,
        "self_radii": van_hove.self_radii,
        "self_part": van_hove.self_part,
        "distinct_radii": van_hove.distinct_radii,
        "distinct_part": van_hove.distinct_part,
        "string_lengths": motion.strings.distribution,
        "string_lengths_chance": motion.strings.null_distribution,
        "hop_frames": events.frames,
        "hop_ions": events.ions,
        "hop_starts": events.starts,
        "hop_stops": events.stops,
        "hop_clusters": motion.concerted.labels,
    }


def _mode_row(kelvin: float, motion: ConcertedMotion, collectivity: str, dimension: str) -> dict[str, Any]:
    row: dict[str, Any] = {"temperature_k": kelvin}
    point = motion.point
    for name, interval in (
        ("residence_ps", motion.residence_ps),
        ("concerted_excess", motion.concerted.excess),
        ("second_to_first", point.second),
        ("third_to_first", point.third),
    ):
        for key, value in (("", "value"), ("_low", "low"), ("_high", "high")):
            row[f"{name}{key}"] = None if interval is None else getattr(interval, value)
    return row | {"p_value": point.p_value, "collectivity": str(collectivity), "dimension": str(dimension)}


def _summary(series: ModeSeries, modes: Sequence[str]) -> str:
    """Write the mode of each temperature in one line; runs of one temperature that disagree are not resolved."""
    by_temperature: dict[float, set[str]] = {}
    for kelvin, mode in zip(series.temperatures_k.tolist(), modes, strict=True):
        by_temperature.setdefault(kelvin, set()).add(str(mode))
    said = {
        kelvin: next(iter(found)) if len(found) == 1 else "not resolved" for kelvin, found in by_temperature.items()
    }
    return ", ".join(f"{mode} at {kelvin:g} K" for kelvin, mode in said.items())
