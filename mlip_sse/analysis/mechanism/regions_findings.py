"""What the recipe `regions` reports: numbers, tables and the figure."""

import re

from mlip_sse.analysis.findings import Finding, Number
from mlip_sse.analysis.mechanism.regions import RegionDiffusion, RegionsResult
from mlip_sse.analysis.mechanism.regions_plots import plot_regions
from mlip_sse.analysis.results import Interval, Quality, Verdict
from mlip_sse.units import A2_PER_FS_TO_CM2_PER_S

__all__ = ["regions_finding"]


def regions_finding(result: RegionsResult, axis: str) -> Finding:
    """Turn the result into a finding.

    Parameters
    ----------
    result
        Of `mlip_sse.analysis.mechanism.regions.Regions.run`.
    axis
        Name of the cell vector.
    """
    numbers: dict[str, Number] = {"axis": axis, "height": result.height}
    verdict = Verdict()
    whole, *named = result.regions
    for region in result.regions:
        name = re.sub(r"\W+", "_", region.region.name)
        numbers |= {
            f"{name}_parallel_diffusivity_cm2_s": _in_cm2_s(region.parallel),
            f"{name}_perpendicular_diffusivity_cm2_s": _in_cm2_s(region.perpendicular),
            f"{name}_n_ions": region.n_ions,
        }
        for reason in region.verdict.reasons:
            verdict = verdict.weaken(f"region {region.region.name}: {reason}")
    judged = named or [whole]
    if all(region.verdict.quality is Quality.REFUSED for region in judged):
        verdict = verdict.refuse("no region is left")
    if result.ratio is not None:
        numbers["parallel_ratio"] = result.ratio
    refused = [part.region.name for part in result.profile if part.parallel is None]
    if refused:
        verdict = verdict.weaken(
            f"{len(refused)} of {len(result.profile)} slabs of the profile are refused: {_first_reason(result)}"
        )
    return Finding(
        numbers=numbers,
        verdict=verdict,
        tables={
            "regions": [_row(region) for region in result.regions],
            "profile": [_row(region) for region in result.profile],
            "displacements": [row for region in result.regions for row in _curve(region)],
        },
        plot=lambda: plot_regions(result, axis),
        result=result,
    )


def _in_cm2_s(found: Interval | None) -> Interval | None:
    return None if found is None else found.scaled(A2_PER_FS_TO_CM2_PER_S)


def _first_reason(result: RegionsResult) -> str:
    return next(part.verdict.reasons[0] for part in result.profile if part.parallel is None)


def _row(region: RegionDiffusion) -> dict[str, float | int | str | None]:
    row: dict[str, float | int | str | None] = {
        "region": region.region.name,
        "from": min(low for low, _ in region.region.slabs),
        "to": max(high for _, high in region.region.slabs),
        "width": region.width,
        "n_ions": region.n_ions,
    }
    for name, found in (("parallel", region.parallel), ("perpendicular", region.perpendicular)):
        stated = _in_cm2_s(found)
        row[f"{name}_diffusivity_cm2_s"] = None if stated is None else stated.value
        row[f"{name}_low"] = None if stated is None else stated.low
        row[f"{name}_high"] = None if stated is None else stated.high
    return row | {
        "residence_ps": None if region.residence_fs is None else region.residence_fs / 1000.0,
        "n_exits": region.n_exits,
        "quality": str(region.verdict.quality),
        "reasons": "; ".join(region.verdict.reasons),
    }


def _curve(region: RegionDiffusion) -> list[dict[str, float | str]]:
    return [
        {
            "region": region.region.name,
            "lag_ps": float(lag) / 1000.0,
            "followed_ps": float(time) / 1000.0,
            "parallel_msd": float(plane),
            "perpendicular_msd": float(normal),
        }
        for lag, time, (plane, normal) in zip(region.lags_fs, region.times_fs, region.msd, strict=True)
    ]
