"""Figure of regions: squared displacements of ions followed to their exit, and D and density along the axis."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlip_sse.analysis.results import Interval
from mlip_sse.analysis.transport.display.plots import COLOURS, new_figure, styled
from mlip_sse.units import A2_PER_FS_TO_CM2_PER_S

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlip_sse.analysis.mechanism.regions import RegionDiffusion, RegionsResult

__all__ = ["plot_regions"]

_GREY = "#666666"


@styled
def plot_regions(result: "RegionsResult", axis: str) -> "Figure":
    """Draw how far ions come in each region before they leave, and D∥, D⊥ and density along the axis.

    Parameters
    ----------
    result
        Of `mlip_sse.analysis.mechanism.regions.Regions.run`.
    axis
        Name of the cell vector, for the label.
    """
    figure, (left, right) = new_figure((9.2, 3.8), 1, 2, {})
    _draw_displacements(left, result.regions)
    if result.profile:
        _draw_profile(right, result.profile, result, axis)
    else:
        _draw_profile(right, result.regions[1:] or result.regions, result, axis)
    return figure


def _draw_displacements(axes: "Axes", regions: "Sequence[RegionDiffusion]") -> None:
    for k, region in enumerate(regions):
        colour = COLOURS[k % len(COLOURS)]
        shown = region.lags_fs <= (region.lags_fs[-1] if region.window is None else region.window[1])
        times, name = region.times_fs[shown] / 1000.0, region.region.name
        axes.plot(times, region.msd[shown, 0] / 2, color=colour, label=f"{name}, along")
        axes.plot(times, region.msd[shown, 1], color=colour, linestyle=(0, (3, 1.5)), label=f"{name}, across")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("time in the region (ps)")
    axes.set_ylabel("squared displacement by direction (Å²)")
    axes.legend(loc="upper left")


def _draw_profile(axes: "Axes", parts: "Sequence[RegionDiffusion]", result: "RegionsResult", axis: str) -> None:
    density = axes.twinx()
    for part in parts:
        for low, high in part.region.slabs:
            height = part.n_ions / part.width
            density.fill_between(
                [low * result.height, high * result.height], 0, height, color=_GREY, alpha=0.15, linewidth=0
            )
    density.set_ylabel("mobile ions by length (1/Å)", color=_GREY)
    density.set_ylim(0, None)
    axes.set_zorder(density.get_zorder() + 1)
    axes.patch.set_visible(False)
    for colour, shift, name in ((COLOURS[0], -0.1, "along"), (COLOURS[4], 0.1, "across")):
        points = [
            ((0.5 + shift) * high + (0.5 - shift) * low, _chosen(part, name))
            for part in parts
            for low, high in part.region.slabs
        ]
        shown = [(x * result.height, found) for x, found in points if found is not None and found.value is not None]
        if shown:
            x = np.array([place for place, _ in shown])
            values = np.array([found.value for _, found in shown], dtype=np.float64) * A2_PER_FS_TO_CM2_PER_S
            below = values - np.array([found.low for _, found in shown]) * A2_PER_FS_TO_CM2_PER_S
            above = np.array([found.high for _, found in shown]) * A2_PER_FS_TO_CM2_PER_S - values
            axes.errorbar(x, values, [below, above], fmt="o", color=colour, markersize=4, capsize=2, label=f"D {name}")
        for place, found in points:
            if found is not None and found.value is None:
                limit = found.high * A2_PER_FS_TO_CM2_PER_S
                axes.plot([place * result.height], [limit], "v", color=colour, markersize=4)
    for region in result.regions[1:]:
        for low, high in region.region.slabs:
            for border in (low, high):
                axes.axvline((border % 1.0) * result.height, color=_GREY, linewidth=0.8, linestyle=(0, (2, 2)))
    axes.set_xlabel(f"position across the planes of {axis} (Å)")
    axes.set_ylabel("D (cm²/s)")
    axes.set_yscale("log")
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(handles, labels, loc="best")


def _chosen(part: "RegionDiffusion", name: str) -> Interval | None:
    return part.parallel if name == "along" else part.perpendicular
