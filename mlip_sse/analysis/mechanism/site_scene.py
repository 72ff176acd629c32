"""The sites and their hops in three dimensions, to turn and to look into (plotly)."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.structure.density_display import cell_edges
from mlip_sse.analysis.transport.display.plots import COLOURS

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from mlip_sse.analysis.mechanism.site_analysis import SiteAnalysis

__all__ = ["network_scene"]

_HOP_COLOURS = ("#D55E00", "#000000", "#8C510A", "#7F3C8D", "#888888")
_MOST_CLASSES = 5
_MOST_EDGES = 6000


def network_scene(result: "SiteAnalysis") -> "Figure":
    """Return the cell with its sites, as large as they are occupied, and the hops that were seen.

    Parameters
    ----------
    result
        Of `mlip_sse.analysis.mechanism.site_analysis.SitesAndJumps.run`.
    """
    from plotly.graph_objects import Figure, Scatter3d

    sites = result.assignment.sites
    places = sites.fractional @ sites.cell
    occupancy = result.assignment.inside.sum(axis=0) / result.assignment.block_frames.sum()
    figure = Figure()
    figure.add_trace(
        Scatter3d(**_axes(cell_edges(sites.cell)), mode="lines", line={"color": "#999999", "width": 2}, name="cell",
                  hoverinfo="skip", showlegend=False)
    )  # fmt: skip
    _add_hops(figure, result, places)
    for k, label in enumerate(sites.classes):
        chosen = np.flatnonzero(sites.class_of == k)
        text = [f"site {site} ({label}): {occupancy[site]:.3f} ions" for site in chosen]
        marker = {
            "size": 3 + 9 * np.sqrt(np.clip(occupancy[chosen], 0, 1.2)),
            "color": COLOURS[k % len(COLOURS)],
            "opacity": 0.9,
            "line": {"width": 0},
        }
        figure.add_trace(
            Scatter3d(**_axes(places[chosen]), mode="markers", marker=marker, text=text, hoverinfo="text", name=label)
        )
    figure.update_layout(
        scene={
            "aspectmode": "data",
            **{f"{axis}axis": {"title": {"text": f"{axis} (Å)"}, "backgroundcolor": "white"} for axis in "xyz"},
        },
        margin={"l": 0, "r": 0, "t": 10, "b": 0},
        legend={"itemsizing": "constant", "x": 0, "y": 1},
        template="plotly_white",
    )
    return figure


def _add_hops(figure: "Figure", result: "SiteAnalysis", places: NDArray[np.float64]) -> None:
    """One trace for each hop class and its way back; thicker where more ions hop along each line."""
    from plotly.graph_objects import Scatter3d

    sites, edges = result.assignment.sites, result.edges
    if not len(edges.counts):
        return
    vectors = (sites.fractional[edges.sites_to] + edges.images - sites.fractional[edges.sites_from]) @ sites.cell
    hops = result.rates.classes
    names = [f"{'–'.join(sorted((hop.label_from, hop.label_to)))} {hop.length:.1f} Å" for hop in hops]
    totals: dict[str, int] = {}
    for name, count in zip(names, result.rates.counts, strict=True):
        totals[name] = totals.get(name, 0) + int(count)
    shown = sorted(totals, key=lambda name: -totals[name])[:_MOST_CLASSES]
    name_of = np.array(names)[edges.classes]
    for k, name in enumerate(shown):
        chosen = np.flatnonzero(name_of == name)
        chosen = chosen[np.argsort(-edges.counts[chosen], kind="stable")[:_MOST_EDGES]]
        start = places[edges.sites_from[chosen]]
        lines = np.full((len(chosen), 3, 3), np.nan)
        lines[:, 0], lines[:, 1] = start, start + vectors[chosen]
        width = float(np.clip(1.5 + np.log1p(edges.counts[chosen].mean()), 1.5, 7))
        line = {"color": _HOP_COLOURS[k], "width": width}
        figure.add_trace(
            Scatter3d(**_axes(lines.reshape(-1, 3)), mode="lines", line=line, opacity=0.7, hoverinfo="skip",
                      name=f"{name}: {totals[name]} hops")
        )  # fmt: skip


def _axes(points: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    return {"x": points[:, 0], "y": points[:, 1], "z": points[:, 2]}
