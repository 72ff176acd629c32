"""The figure of the recipe `structure`: g(r), coordination, S(q), units, order and the density from above."""

from typing import TYPE_CHECKING

import numpy as np

from mlip_sse.analysis.results import Quality
from mlip_sse.analysis.structure.structure_factor import Radiation
from mlip_sse.analysis.transport.display.plots import COLOURS, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlip_sse.analysis.structure.structure_analysis import StructureResult

__all__ = ["plot_structure"]

_LINES = (*COLOURS, "#D55E00", "#444444", "#999999")
_QUALITY = {Quality.PASS: "#2E7D32", Quality.WEAK: "#B26A00", Quality.REFUSED: "#B71C1C"}
_SHOWN_HEIGHT = 3.0
"""A first peak may be so many times higher than everything else before the axis is cut."""


@styled
def plot_structure(result: "StructureResult", radiation: Radiation = "none") -> "Figure":
    """Draw six panels; those whose part was not asked for are left out.

    Parameters
    ----------
    result
        Of the recipe `structure`.
    radiation
        What weighs the atoms in S(q).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [_draw_pairs, _draw_coordination]
    if result.structure_factor is not None:
        panels.append(lambda axes, result: _draw_factor(axes, result, radiation))
    if result.speciation:
        panels.append(_draw_bonds)
    if result.order is not None:
        panels.append(_draw_order)
    panels.append(_draw_density)
    rows = (len(panels) + 1) // 2
    figure = Figure(figsize=(7.2, 2.7 * rows), dpi=150)
    FigureCanvasAgg(figure)
    places = np.atleast_1d(figure.subplots(rows, 2)).ravel()
    for axes, draw in zip(places, panels, strict=False):
        draw(axes, result)
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    kelvin = "temperature not known" if result.temperature_k is None else f"{result.temperature_k:g} K"
    places[0].set_title(kelvin, loc="left")
    places[1].set_title(str(result.verdict.quality), loc="right", color=_QUALITY[result.verdict.quality])
    return figure


def _main_pairs(result: "StructureResult") -> list[str]:
    names = dict.fromkeys("-".join(sorted((s.centre, s.neighbour))) for s in result.main_shells.values())
    return list(names)[: len(_LINES)]


def _draw_pairs(axes: "Axes", result: "StructureResult") -> None:
    tops = []
    for name, colour in zip(_main_pairs(result), _LINES, strict=False):
        partial = result.pairs.partials[name]
        axes.plot(partial.radii, partial.values, color=colour, label=name)
        known = np.isfinite(partial.errors)
        low, high = (partial.values - partial.errors)[known], (partial.values + partial.errors)[known]
        axes.fill_between(partial.radii[known], low, high, color=colour, alpha=0.25, linewidth=0)
        tops.append(float(partial.values.max()))
    axes.axhline(1.0, color="#666666", linewidth=0.6, linestyle=":")
    tops.sort()
    limit = tops[-1]
    if len(tops) > 1 and tops[-1] > _SHOWN_HEIGHT * tops[-2]:
        limit = tops[-2] * 1.6
        axes.set_title(f"highest peak {tops[-1]:.0f}", loc="right", fontsize=7)
    axes.set(xlabel="r (Å)", ylabel="g(r)", xlim=(1.0, None), ylim=(0, 1.05 * limit))
    axes.legend(loc="upper right")


def _draw_coordination(axes: "Axes", result: "StructureResult") -> None:
    highest = 0.0
    for (name, shell), colour in zip(result.main_shells.items(), _LINES, strict=False):
        partial = result.pairs.partial(shell.centre, shell.neighbour)
        axes.plot(partial.edges, partial.running_coordination(shell.centre), color=colour, label=name)
        if shell.minimum_a is not None and shell.coordination is not None and shell.coordination.value is not None:
            axes.plot(shell.minimum_a, shell.coordination.value, "o", color=colour, ms=4)
            highest = max(highest, shell.coordination.value)
    axes.set(xlabel="r (Å)", ylabel="neighbours within r", xlim=(1.0, None), ylim=(0, max(2.0, 1.6 * highest)))
    axes.legend(loc="upper left")


def _draw_factor(axes: "Axes", result: "StructureResult", radiation: Radiation) -> None:
    factor = result.structure_factor
    if factor is None:
        return
    values = factor.weighted(radiation)
    axes.plot(factor.q, values, color=COLOURS[0])
    if radiation == "none":
        known = np.isfinite(factor.total_errors)
        low, high = (values - factor.total_errors)[known], (values + factor.total_errors)[known]
        axes.fill_between(factor.q[known], low, high, color=COLOURS[0], alpha=0.25, linewidth=0)
    axes.axhline(1.0, color="#666666", linewidth=0.6, linestyle=":")
    seen = "all atoms alike" if radiation == "none" else radiation
    axes.set(xlabel="q (1/Å)", ylabel="S(q)", xlim=(0, None), ylim=(0, None))
    axes.set_title(seen, loc="right")


def _draw_bonds(axes: "Axes", result: "StructureResult") -> None:
    titles = []
    for (name, units), colour in zip(result.speciation.items(), _LINES, strict=False):
        lengths, density = units.bond_histogram
        kinds = ", ".join(f"{kind} {share.value:.0%}" for kind, share in list(units.centre_shares.items())[:3])
        titles.append(f"{name}: {kinds}")
        axes.fill_between(lengths, density, color=colour, alpha=0.4, step="mid", label=name)
        axes.axvline(units.lengths.ligand, color=colour, linewidth=0.8, linestyle="--")
    filled = [units.bond_histogram[0][units.bond_histogram[1] > 0] for units in result.speciation.values()]
    low = min((float(lengths.min()) for lengths in filled if lengths.size), default=1.0) - 0.1
    high = max(units.lengths.ligand for units in result.speciation.values()) + 0.05
    axes.set(xlabel="bond length in intact units (Å)", ylabel="density (1/Å)", xlim=(low, high))
    axes.set_ylim(0, None)
    axes.set_title("; ".join(titles), loc="left")
    if len(titles) > 1:
        axes.legend(loc="upper right")


def _draw_order(axes: "Axes", result: "StructureResult") -> None:
    order = result.order
    if order is None:
        return
    bins = np.linspace(0.0, 1.05 * float(np.nanmax(order.q)), 100).tolist()
    for k, (degree, colour) in enumerate(zip(order.degrees, _LINES, strict=False)):
        values = order.q[:, :, k].ravel()
        label = f"q$_{{{degree}}}$"
        axes.hist(values[np.isfinite(values)], bins=bins, density=True, color=colour, alpha=0.45, label=label)
    axes.set(xlabel=f"order of {'+'.join(result.sublattice)}", ylabel="density")
    axes.legend(loc="upper right")


def _draw_density(axes: "Axes", result: "StructureResult") -> None:
    """Draw the density summed along c, on the plane of a and b seen along c."""
    density = result.density_map.density
    a, b, c = density.cell
    flat = density.values.sum(axis=2) * np.linalg.norm(c) / density.shape[2]
    along = a / np.linalg.norm(a)
    normal = np.cross(a, b)
    across = np.cross(normal / np.linalg.norm(normal), along)
    s, t = np.meshgrid(*(np.arange(n + 1) / n - 0.5 / n for n in density.shape[:2]), indexing="ij")
    x, y = s * (a @ along) + t * (b @ along), t * (b @ across)
    mesh = axes.pcolormesh(x, y, flat, cmap="magma_r", vmin=0, rasterized=True)
    axes.figure.colorbar(mesh, ax=axes, label=f"{', '.join(result.mobile)} along c (1/Å²)", pad=0.02)
    places, symbols = result.framework
    for symbol, colour in zip(dict.fromkeys(symbols.tolist()), ("#009E73", "#56B4E9", "#CC79A7"), strict=False):
        chosen = places[symbols == symbol]
        axes.plot(chosen @ along, chosen @ across, ".", color=colour, ms=2.5, label=symbol)
    axes.set(xlabel="x (Å)", ylabel="y (Å)", aspect="equal")
    if len(symbols):
        axes.legend(loc="upper left", bbox_to_anchor=(0.0, 1.14), ncols=3, markerscale=2.5, handletextpad=0.1)
