"""Pictures of a density: a plane through the free energy for print, isosurfaces to turn and look into."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.structure.isosurface import isosurface
from mlip_sse.analysis.transport.display.plots import COLOURS
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as Scene

    from mlip_sse.analysis.structure.density import IonDensity
    from mlip_sse.analysis.structure.density_analysis import DensityMapResult
    from mlip_sse.analysis.structure.density_peaks import DensityPeaks

__all__ = ["cell_edges", "channel_scene", "plot_slice"]

_MOST_TRIANGLES = 60_000
"""A surface for a page: 3 MB of it."""


def plot_slice(result: "DensityMapResult", normal: int = 2, height: float | None = None) -> "Figure":
    """Draw the free energy, or the density where the temperature is not known, in a plane through the cell.

    Parameters
    ----------
    result
        Of `mlip_sse.analysis.structure.density_analysis.DensityMaps.run`.
    normal
        Which cell vector the plane cuts: 0, 1 or 2; the plane is spanned by the other two.
    height
        Where it cuts it, as a fraction; through the densest grid point by default.
    """
    from matplotlib.figure import Figure

    if normal not in (0, 1, 2):
        raise InputError(f"found normal {normal!r}, expected 0, 1 or 2")
    density = result.density
    n = density.shape[normal]
    densest = int(np.unravel_index(int(density.values.argmax()), density.shape)[normal])
    layer = densest if height is None else round(height * n) % n
    field = density.values if result.free_energy is None else result.free_energy.values
    plane = np.take(field, layer, axis=normal)
    one, other = (axis for axis in range(3) if axis != normal)
    x, y, edges = _plane(density.cell[one], density.cell[other], plane.shape)
    figure = Figure(figsize=(4.6, 3.9), layout="constrained")
    axes = figure.add_subplot()
    shown = np.ma.masked_invalid(plane)
    colours = axes.pcolormesh(x, y, shown, cmap="viridis_r" if result.free_energy else "viridis", rasterized=True)
    axes.plot(*edges, color="#444444", linewidth=0.8)
    _mark_peaks(axes, result, normal, layer / n)
    label = "F (eV)" if result.free_energy else "density (Å⁻³)"
    figure.colorbar(colours, ax=axes, label=f"{label} of {', '.join(result.species)}", shrink=0.85)
    axes.set_aspect("equal")
    axes.set_xlabel(f"along {'abc'[one]} (Å)")
    axes.set_ylabel(f"across {'abc'[one]}, towards {'abc'[other]} (Å)")
    axes.set_title(f"plane at {layer / n:.3f} {'abc'[normal]}, smoothed by {density.smoothing_a:g} Å", fontsize=9)
    return figure


def channel_scene(result: "DensityMapResult", level: float | None = None) -> "Scene":
    """Return the cell with the isosurface at which channels close up, a denser one, and the peaks of the density.

    Parameters
    ----------
    result
        Of `mlip_sse.analysis.structure.density_analysis.DensityMaps.run`.
    level
        Density of the outer surface in Å⁻³; that of the percolation by default.
    """
    from plotly.graph_objects import Figure

    density = result.density
    outer = result.isosurface_level if level is None else level
    lowest, highest = float(density.values.min()), float(density.values.max())
    if not lowest < outer <= highest:
        raise InputError(f"found the level {outer:.4g} Å⁻³, expected one between {lowest:.4g} and {highest:.4g} Å⁻³")
    inner = float(np.sqrt(outer * highest))
    figure = Figure()
    figure.add_trace(_outline(density.cell))
    figure.add_trace(_surface(density, outer, COLOURS[3], 0.35))
    figure.add_trace(_surface(density, inner, COLOURS[0], 1.0))
    if result.peaks is not None:
        figure.add_trace(_marks(result.peaks))
    figure.update_layout(
        scene={"aspectmode": "data", "xaxis_title": "x (Å)", "yaxis_title": "y (Å)", "zaxis_title": "z (Å)"},
        margin={"l": 0, "r": 0, "t": 10, "b": 0},
        legend={"x": 0, "y": 1},
        template="plotly_white",
    )
    return figure


def _outline(cell: NDArray[np.float64]) -> Any:
    """Return the edges of a cell (3, 3) Å as lines."""
    from plotly.graph_objects import Scatter3d

    x, y, z = cell_edges(cell).T
    line = {"color": "#666666", "width": 2}
    return Scatter3d(x=x, y=y, z=z, mode="lines", line=line, name="cell", hoverinfo="skip", showlegend=False)


def _surface(density: "IonDensity", level: float, colour: str, opacity: float) -> Any:
    """Return the surface of equal density at a level in Å⁻³."""
    from plotly.graph_objects import Mesh3d

    fractions, triangles = _light_surface(density.values, level)
    x, y, z = np.round(fractions @ density.cell, 3).T
    i, j, k = triangles.T
    look = {"color": colour, "opacity": opacity, "hoverinfo": "name", "showlegend": True}
    return Mesh3d(x=x, y=y, z=z, i=i, j=j, k=k, name=f"{level:.3g} Å⁻³", **look)


def _marks(peaks: "DensityPeaks") -> Any:
    """Return the peaks of the density as balls, larger where more of an ion stands."""
    from plotly.graph_objects import Scatter3d

    x, y, z = peaks.positions.T
    marker = {"size": 3 + 5 * np.sqrt(np.minimum(peaks.occupancies, 1.5)), "color": COLOURS[4]}
    said = [f"{occupancy:.2f} ions" for occupancy in peaks.occupancies]
    return Scatter3d(x=x, y=y, z=z, mode="markers", marker=marker, text=said, hoverinfo="text", name="peaks")


def _light_surface(values: NDArray[np.float64], level: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the isosurface on a grid coarse enough for a page to show it."""
    field = values
    while True:
        points, triangles = isosurface(field, level)
        coarser = [max(8, int(0.8 * n)) for n in field.shape]
        if len(triangles) <= _MOST_TRIANGLES or coarser == list(field.shape):
            return points, triangles
        field = _resampled(values, coarser)


def _resampled(values: NDArray[np.float64], shape: list[int]) -> NDArray[np.float64]:
    """Return a periodic field on a coarser grid, from its longest waves."""
    field = values
    for axis, n in enumerate(shape):
        waves = np.fft.rfft(field, axis=axis)
        kept = np.take(waves, range(n // 2 + 1), axis=axis)
        field = np.fft.irfft(kept, n=n, axis=axis) * (n / values.shape[axis])
    return field


def _plane(
    one: NDArray[np.float64], other: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return corners of the voxels in the plane, first vector along x, and the outline of the cell."""
    length = float(np.linalg.norm(one))
    along = float(other @ one) / length
    across = float(np.sqrt(max(float(other @ other) - along**2, 0.0)))
    u, v = ((np.arange(n + 1) - 0.5) / n for n in shape)
    x = u[:, None] * length + v[None] * along
    y = np.broadcast_to(v[None] * across, x.shape)
    edges = (np.array([0, length, length + along, along, 0]), np.array([0, 0, across, across, 0]))
    return x, y, edges


def _mark_peaks(axes: "object", result: "DensityMapResult", normal: int, height: float) -> None:
    """Mark the peaks within half an ångström of the plane."""
    if result.peaks is None:
        return
    cell = result.density.cell
    off = result.peaks.fractions[:, normal] - height
    width = abs(float(np.linalg.det(cell))) / float(np.linalg.norm(np.cross(cell[normal - 1], cell[normal - 2])))
    near = np.abs(off - np.rint(off)) * width < 0.5
    one, other = (cell[axis] for axis in range(3) if axis != normal)
    s = np.delete(result.peaks.fractions[near], normal, axis=1)
    length = float(np.linalg.norm(one))
    along = float(other @ one) / length
    across = float(np.sqrt(max(float(other @ other) - along**2, 0.0)))
    axes.plot(  # type: ignore[attr-defined]
        s[:, 0] * length + s[:, 1] * along, s[:, 1] * across, "o", markersize=4, fillstyle="none", color="#D55E00"
    )


def cell_edges(cell: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the twelve edges of a cell, (3, 3) Å, as one broken line: (36, 3) Å with gaps of NaN."""
    points = []
    for axis in range(3):
        for corner in np.ndindex(2, 2):
            start = np.insert(np.array(corner, dtype=np.float64), axis, 0.0)
            stop = np.insert(np.array(corner, dtype=np.float64), axis, 1.0)
            points += [start @ cell, stop @ cell, np.full(3, np.nan)]
    return np.array(points)
