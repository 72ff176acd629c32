"""The protocols whose work is tasks of an engine: the function that runs each, and its table for people."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlip_sse.cli.barrier_table import barrier_table, batch_table
from mlip_sse.cli.elastic_table import heated_table
from mlip_sse.cli.glass_table import glass_table
from mlip_sse.cli.interface_table import anneal_table, interface_energy_table

if TYPE_CHECKING:
    from mlip_sse.md_protocols.bulk_run import BulkDiffusionResult

__all__ = ["TASK_PROTOCOLS", "bulk_table"]

_BULK_MEANS = ("mean_temperature_k", "mean_pressure_gpa")


def bulk_table(result: "BulkDiffusionResult") -> str:
    """Return a line for each run of bulk diffusion, with the mean cell it ran in."""
    lines = [f"{'T (K)':>8} {'V (Å³)':>12} {'± ':>8} {'mean T':>8} {'P (GPa)':>8} {'frames':>7}  trajectory"]
    volumes = {cell["temperature_k"]: cell for cell in result.cells}
    for run in result.runs:
        cell, ended = volumes[run["temperature_k"]], run["ended"]
        means = [f"{run[key]:8.3f}" if run[key] is not None else f"{'-':>8}" for key in _BULK_MEANS]
        lines.append(
            f"{run['temperature_k']:8g} {cell['volume_a3']:12.3f} {cell['volume_error_a3']:8.3f} {' '.join(means)} "
            f"{run['n_frames']:7d}  {run['trajectory']}"
        )
        if ended is not None:
            lines.append(f"{'':8} ended in segment {ended['segment']}: {ended['kind']}: {ended['reason']}")
    return "\n".join(lines)


TASK_PROTOCOLS: Mapping[str, tuple[str, Callable[[Any], str]]] = MappingProxyType(
    {
        "bulk_diffusion": ("run_bulk_diffusion", bulk_table),
        "melt_quench": ("run_melt_quench", glass_table),
        "thermal_expansion": ("run_thermal_expansion", heated_table),
        "neb_vacancy": ("run_neb_vacancy", barrier_table),
        "neb_interstitial": ("run_neb_interstitial", barrier_table),
        "neb_images": ("run_neb_images", barrier_table),
        "neb_batch": ("run_neb_batch", batch_table),
        "interface_anneal": ("run_interface_anneal", anneal_table),
        "interface_energy": ("run_interface_energy", interface_energy_table),
    }
)
"""For each kind of protocol, the name in `mlip_sse.md_protocols` of what runs it, and what prints its result."""
