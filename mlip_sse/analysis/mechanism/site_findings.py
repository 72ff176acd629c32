"""What `sites_and_jumps` reports of one trajectory: numbers, tables, arrays and pictures."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.findings import Finding, Number
from mlip_sse.analysis.mechanism.network import hop_barrier
from mlip_sse.analysis.mechanism.site_analysis import SiteAnalysis
from mlip_sse.analysis.results import Interval
from mlip_sse.units import BOLTZMANN_EV_PER_K

__all__ = ["site_finding"]

PER_FS_TO_PER_PS = 1e3


def site_finding(result: SiteAnalysis) -> Finding:
    """Return the finding of one trajectory.

    Parameters
    ----------
    result
        Of `mlip_sse.analysis.mechanism.site_analysis.SitesAndJumps.run`.
    """

    def plot() -> Any:
        from mlip_sse.analysis.mechanism.site_plots import plot_sites

        return plot_sites(result)

    def scenes() -> Any:
        from mlip_sse.analysis.mechanism.site_scene import network_scene

        return {"Sites and hop network": network_scene(result)}

    return Finding(
        numbers=_numbers(result),
        verdict=result.verdict,
        details=_details(result),
        tables=_tables(result),
        arrays=_arrays(result),
        plot=plot,
        scenes=scenes,
        result=result,
    )


def _numbers(result: SiteAnalysis) -> dict[str, Number]:
    diffusion = result.diffusion
    tracer = None if diffusion.tracer is None else diffusion.tracer.interval(result.confidence)
    finite = np.isfinite(result.frames_per_residence)
    numbers: dict[str, Number] = {
        "n_sites": len(result.assignment.sites),
        "n_jumps": len(result.jumps),
        "unassigned_fraction": result.unassigned,
        "multiple_fraction": result.assignment.multiple_fraction,
        "frames_per_residence": result.frames_per_residence if finite else None,
        "missed_hops_fraction": result.missed_hops,
        "back_jump_fraction": result.back_jumps,
        "jump_diffusivity_cm2_s": diffusion.jump_diffusivity_cm2_s,
        "tracer_diffusivity_cm2_s": tracer,
        "correlation_factor": diffusion.correlation_factor,
    }
    for part in result.occupancies:
        numbers[f"occupied_by_{part.label}"] = part.fraction
    for stay in result.residences:
        numbers[f"residence_time_{stay.label}"] = stay.time
    for axis, rate in result.critical.items():
        numbers[f"critical_rate_{axis}_per_ps"] = None if rate is None else rate.scaled(PER_FS_TO_PER_PS)
    return numbers


def _details(result: SiteAnalysis) -> dict[str, Any]:
    return {
        "sites": result.assignment.sites.origin,
        "closest_sites": result.assignment.sites.closest[0],
        "assignment": result.method,
        "radius": result.radius,
        "minimum_frames": result.minimum_frames,
        "unexplained_displacement": result.diffusion.unexplained,
        "labels": result.rates.labels,
        "rate_matrix_per_ps": result.rates.matrix() * PER_FS_TO_PER_PS,
        "jump_matrix": result.rates.matrix_counts,
    }


def _row(name: str, number: Interval | None) -> dict[str, float | None]:
    if number is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: number.value, f"{name}_low": number.low, f"{name}_high": number.high}


def _tables(result: SiteAnalysis) -> dict[str, list[dict[str, Any]]]:
    return {
        "occupancies": _occupancies(result),
        "hops": _hops(result),
        "residence": _residence(result),
        "survival": _survival(result),
        "network": _network(result),
    }


def _occupancies(result: SiteAnalysis) -> list[dict[str, Any]]:
    rows = []
    densest = max((part.per_site.value or 0.0 for part in result.occupancies), default=0.0)
    for part in result.occupancies:
        row: dict[str, Any] = {"sites": part.label, "n_sites": part.n_sites, **_row("fraction", part.fraction)}
        row |= {**_row("ions_per_site", part.per_site), "multiple_fraction": part.multiple}
        if result.temperature_k is not None:
            occupied = part.per_site.value or 0.0
            thermal = BOLTZMANN_EV_PER_K * result.temperature_k
            row["free_energy_ev"] = -thermal * float(np.log(occupied / densest)) if occupied > 0 else None
        rows.append(row)
    return rows


def _hops(result: SiteAnalysis) -> list[dict[str, Any]]:
    rows = []
    for k, hop in enumerate(result.rates.classes):
        rate = result.rates.rate(k, result.confidence)
        row: dict[str, Any] = {"hop": hop.name, "from": hop.label_from, "to": hop.label_to, "length": hop.length}
        row |= {"count": int(result.rates.counts[k]), "dispersion": float(result.rates.dispersions[k])}
        row |= _row("rate_per_ps", rate.scaled(PER_FS_TO_PER_PS))
        if result.temperature_k is not None:
            row |= _row("barrier_ev", hop_barrier(rate, result.temperature_k))
        rows.append(row)
    return rows


def _residence(result: SiteAnalysis) -> list[dict[str, Any]]:
    return [
        {
            "sites": stay.label, "n_visits": stay.n_visits, "n_exits": stay.n_exits,
            **_row("time_fs", stay.time), **_row("median_fs", stay.median),
            "edges_pooled": stay.edges_pooled, "same_law_probability": stay.same_law,
        }
        for stay in result.residences
    ]  # fmt: skip


def _survival(result: SiteAnalysis) -> list[dict[str, Any]]:
    rows = []
    for stay in result.residences:
        curve = stay.survival
        for k in range(len(curve.times)):
            row = {"sites": stay.label, "time_fs": float(curve.times[k]), "survival": float(curve.survival[k])}
            row |= {"low": float(curve.low[k]), "high": float(curve.high[k]), "at_risk": int(curve.at_risk[k])}
            rows.append(row)
    return rows


def _network(result: SiteAnalysis) -> list[dict[str, Any]]:
    edges = result.edges
    return [
        {
            "from": int(edges.sites_from[e]), "to": int(edges.sites_to[e]),
            "image_a": int(edges.images[e, 0]), "image_b": int(edges.images[e, 1]), "image_c": int(edges.images[e, 2]),
            "count": int(edges.counts[e]), "hop": result.rates.classes[int(edges.classes[e])].name,
        }
        for e in range(len(edges.counts))
    ]  # fmt: skip


def _arrays(result: SiteAnalysis) -> dict[str, NDArray[Any]]:
    sites, jumps = result.assignment.sites, result.jumps
    frames = result.assignment.block_frames.sum()
    return {
        "site_fractions": sites.fractional,
        "site_labels": sites.labels,
        "cell": sites.cell,
        "site_occupancies": result.assignment.inside.sum(axis=0) / frames,
        "jump_frames": jumps.frames,
        "jump_ions": jumps.ions,
        "jump_sites_from": jumps.sites_from,
        "jump_sites_to": jumps.sites_to,
        "jump_vectors": result.vectors,
    }
