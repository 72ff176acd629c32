"""The cell in three dimensions: atoms, bonds of the framework, and the density of the mobile ions as two surfaces."""

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.report.figure import INK, Figure, element_colours
from mlip_sse.report.production import Cell, Density

__all__ = ["cell_plot"]

_BOND_FACTOR = 1.2
"""Atoms are joined where they are nearer than this times the sum of their covalent radii."""

_SHARES = (0.5, 0.9)
"""The surfaces hold these shares of the mobile ions."""

_GRID_A = 0.45
_MOST_POINTS = 34
_MOST_BONDS = 4000


def cell_plot(cell: Cell, density: Density | None, mobile: str) -> Figure:
    """Draw a cell, from any side.

    Parameters
    ----------
    cell
        Atoms within it.
    density
        In the same cell; None: the places of the mobile ions are drawn.
    mobile
        Their symbol.
    """
    traces = [_edges(cell.vectors), _bonds(cell, mobile)]
    colours = element_colours(cell.symbols, mobile)
    traces += [_atoms(cell, symbol, colour) for symbol, colour in colours.items()]
    counts = {symbol: cell.symbols.count(symbol) for symbol in colours}
    sides = " × ".join(f"{length:.2f}" for length in np.linalg.norm(cell.vectors, axis=1))
    caption = f"{len(cell.symbols)} atoms, {sides} Å ({cell.source}). Drag to turn, pinch or scroll to zoom."
    words = f"Three-dimensional view of the cell, {sides} Å, with {', '.join(f'{n} {s}' for s, n in counts.items())}."
    if density is not None:
        levels = _levels(density.values)
        traces += _surfaces(cell.vectors, density.values, levels)
        shares = " and ".join(f"{100 * share:g} %" for share in _SHARES)
        note = f" The surfaces hold {shares} of the {mobile} density at {density.temperature_k:g} K."
        caption, words = caption + note + f" {density.n_frames} frames of one run.", words + note
    hidden = {"visible": False}
    return Figure(
        name="cell",
        caption=caption,
        words=words,
        data=traces,
        layout={
            "scene": {
                "xaxis": hidden,
                "yaxis": hidden,
                "zaxis": hidden,
                "aspectmode": "data",
                "camera": {"eye": {"x": 1.0, "y": 0.8, "z": 0.5}, "projection": {"type": "orthographic"}},
            },
            "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "legend": {"orientation": "h", "y": 1, "yanchor": "top", "x": 0, "itemsizing": "constant"},
        },
        height=520,
    )


def _atoms(cell: Cell, symbol: str, colour: str) -> dict[str, Any]:
    from ase.data import atomic_numbers, covalent_radii

    mine = np.array([one == symbol for one in cell.symbols])
    x, y, z = cell.positions[mine].T.round(3)
    return {
        "type": "scatter3d",
        "mode": "markers",
        "name": symbol,
        "x": x,
        "y": y,
        "z": z,
        "marker": {
            "size": float(np.clip(9.0 * covalent_radii[atomic_numbers[symbol]], 5, 14)),
            "color": colour,
            "line": {"color": "white", "width": 1},
            "opacity": 1.0,
        },
        "hovertemplate": f"{symbol} (%{{x:.2f}}, %{{y:.2f}}, %{{z:.2f}}) Å<extra></extra>",
    }


def _edges(vectors: NDArray[np.float64]) -> dict[str, Any]:
    corners = np.array(list(product((0.0, 1.0), repeat=3)))
    pairs = [(a, b) for a in corners for b in corners if (b - a).sum() == 1 and np.abs(b - a).sum() == 1]
    return _segments([(a @ vectors, b @ vectors) for a, b in pairs], "#7b8794", 3, "cell")


def _bonds(cell: Cell, mobile: str) -> dict[str, Any]:
    """Join near atoms of the framework; across a face of the cell each end gets its half."""
    from ase import Atoms
    from ase.data import covalent_radii
    from ase.neighborlist import neighbor_list

    atoms = Atoms(list(cell.symbols), positions=cell.positions, cell=cell.vectors, pbc=True)
    reach = [_BOND_FACTOR * covalent_radii[number] for number in atoms.numbers]
    first, vectors = neighbor_list("iD", atoms, reach)
    ends: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    partner = neighbor_list("j", atoms, reach)
    for i, j, vector in zip(first, partner, vectors, strict=True):
        if mobile in (cell.symbols[i], cell.symbols[j]) or len(ends) >= _MOST_BONDS:
            continue
        ends.append((cell.positions[i], cell.positions[i] + 0.5 * vector))
    return _segments(ends, "#9aa5b1", 5, "bonds")


def _segments(
    ends: list[tuple[NDArray[np.float64], NDArray[np.float64]]], colour: str, width: int, name: str
) -> dict[str, Any]:
    points = [point for a, b in ends for point in (a.round(3).tolist(), b.round(3).tolist(), [None] * 3)]
    x, y, z = zip(*points, strict=True) if points else ((), (), ())
    line = {"type": "scatter3d", "mode": "lines", "x": list(x), "y": list(y), "z": list(z)}
    return {**line, "name": name, "line": {"color": colour, "width": width}, "hoverinfo": "skip", "showlegend": False}


def _levels(values: NDArray[np.float64]) -> list[float]:
    """Return the densities above which the stated shares of all ions lie."""
    falling = np.sort(values.ravel())[::-1]
    held = np.cumsum(falling)
    if held[-1] <= 0:
        return []
    return [float(falling[int(np.searchsorted(held, share * held[-1]))]) for share in _SHARES]


def _surfaces(vectors: NDArray[np.float64], values: NDArray[np.float64], levels: list[float]) -> list[dict[str, Any]]:
    """Draw surfaces of equal density; plotly wants a straight grid, so a skewed cell is sampled on one."""
    from scipy.ndimage import map_coordinates

    corners = np.array(list(product((0.0, 1.0), repeat=3))) @ vectors
    low, high = corners.min(axis=0), corners.max(axis=0)
    counts = np.clip(np.ceil((high - low) / _GRID_A).astype(int) + 1, 4, _MOST_POINTS)
    grid = np.stack(
        np.meshgrid(*(np.linspace(a, b, n) for a, b, n in zip(low, high, counts, strict=True)), indexing="ij"), -1
    )
    points = grid.reshape(-1, 3)
    fractions = points @ np.linalg.inv(vectors)
    # A value stands for the middle of its voxel.
    sampled = map_coordinates(values, (fractions * values.shape - 0.5).T, order=1, mode="grid-wrap")
    sampled[((fractions < -1e-9) | (fractions > 1 + 1e-9)).any(axis=1)] = 0.0
    x, y, z = (encoded(column) for column in points.T)
    shared = {"type": "isosurface", "x": x, "y": y, "z": z, "value": encoded(sampled), "showscale": False}
    found = []
    for level, share, opacity, colour in zip(levels, _SHARES, (0.55, 0.18), ("#0072B2", "#56B4E9"), strict=False):
        found.append(
            {
                **shared,
                "isomin": level,
                "isomax": level,
                "surface": {"count": 1},
                "caps": {axis: {"show": False} for axis in "xyz"},
                "colorscale": [[0, colour], [1, colour]],
                "opacity": opacity,
                "name": f"{100 * share:g} % of the ions",
                "showlegend": True,
                "hoverinfo": "skip",
            }
        )
    return found


def encoded(column: NDArray[np.float64]) -> dict[str, str]:
    """Return (n,) numbers as plotly's typed array, float32: a third of the text."""
    import base64

    return {"dtype": "f4", "bdata": base64.b64encode(np.asarray(column, dtype="<f4").tobytes()).decode()}
