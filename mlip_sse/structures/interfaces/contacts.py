"""How close two slabs may come: limits from the crystal itself, and the gap that they allow."""

from collections.abc import Mapping

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.structures.interfaces.covalent_units import unit_labels
from mlip_sse.structures.separation import close_pairs

__all__ = ["contact_limits", "densest_shift", "narrowest_gap"]

_REACH = 4.0
"""Å: elements that are farther apart than this in the crystal are kept apart as if at this distance."""


def contact_limits(crystal: Atoms, ratio: float) -> dict[tuple[str, str], float]:
    """Return how close atoms of two elements may come, Å: a part of the shortest distance between units of the crystal.

    Parameters
    ----------
    crystal
        Periodic.
    ratio
        The part.

    Returns
    -------
    dict
        From both orders of every pair of the crystal's elements.
    """
    repeated = crystal.repeat(2)  # so that a unit and its image have different labels
    labels, *_ = unit_labels(repeated)
    first, second, distances = close_pairs(repeated, _REACH)
    apart = labels[first] != labels[second]
    symbols = repeated.get_chemical_symbols()
    elements = sorted(set(symbols))
    limits = {(one, other): ratio * _REACH for one in elements for other in elements}
    for i, j, distance in zip(first[apart], second[apart], distances[apart], strict=True):
        pair = symbols[i], symbols[j]
        limits[pair] = limits[pair[::-1]] = min(limits[pair], ratio * float(distance))
    return limits


def narrowest_gap(
    slab_a: Atoms,
    slab_b: Atoms,
    shift: tuple[float, float],
    limits: Mapping[tuple[str, str], float],
    is_periodic: bool,
) -> float:
    """Return the smallest gap in Å at which no atom of b is closer to one of a than the limit of their elements.

    Two atoms at r apart along the plane need a height √(limit² - r²) between them.

    Parameters
    ----------
    slab_a, slab_b
        In the same plane cell.
    shift
        Fractions of the plane cell that b is moved by.
    limits
        Å for each pair of elements.
    is_periodic
        Whether a lies on top of b as well.
    """
    offset = np.asarray(shift) @ slab_a.cell.array[:2, :2]
    gap = _needed(slab_a, slab_b, offset, limits)
    return max(gap, _needed(slab_b, slab_a, -offset, limits)) if is_periodic else gap


def densest_shift(
    slab_a: Atoms, slab_b: Atoms, limits: Mapping[tuple[str, str], float], is_periodic: bool, n_shifts: int
) -> tuple[tuple[float, float], float]:
    """Return the shift along the plane that allows the narrowest gap, in fractions of the cell, and that gap in Å.

    A grid of ``n_shifts`` times ``n_shifts`` is tried, then finer ones around its three best points.
    """

    def gap_at(shift: tuple[float, float]) -> float:
        return round(narrowest_gap(slab_a, slab_b, shift, limits, is_periodic), 6)

    grid = sorted((gap_at((i / n_shifts, j / n_shifts)), i, j) for i in range(n_shifts) for j in range(n_shifts))
    best = (grid[0][0], (grid[0][1] / n_shifts, grid[0][2] / n_shifts))
    for _, i, j in grid[:3]:
        place, step = (i / n_shifts, j / n_shifts), 0.5 / n_shifts
        lowest = gap_at(place)
        while step > 1e-4:
            around = [
                ((place[0] + k * step) % 1.0, (place[1] + m * step) % 1.0)
                for k in (-1, 0, 1)
                for m in (-1, 0, 1)
                if k or m
            ]
            gap, nearest = min((gap_at(shift), shift) for shift in around)
            if gap < lowest:
                lowest, place = gap, nearest
            else:
                step /= 2
        best = min(best, (lowest, place))
    return best[1], best[0]


def _needed(lower: Atoms, upper: Atoms, offset: NDArray[np.float64], limits: Mapping[tuple[str, str], float]) -> float:
    """Return the gap that the upper slab, moved along the plane by ``offset`` Å, needs above the lower one."""
    depths = lower.positions[:, 2].max() - lower.positions[:, 2]
    heights = upper.positions[:, 2] - upper.positions[:, 2].min()
    reach = max(limits.values())
    near, far = np.flatnonzero(depths < reach), np.flatnonzero(heights < reach)
    plane = lower.cell.array[:2, :2]
    steps = upper.positions[far, None, :2] + offset - lower.positions[None, near, :2]
    fractions = steps @ np.linalg.inv(plane)
    steps = (fractions - np.rint(fractions)) @ plane
    widths = np.linalg.det(plane) / np.linalg.norm(plane, axis=1)
    span = [np.arange(-n, n + 1) for n in np.ceil(reach / widths[::-1] + 0.5).astype(int)]
    cells = np.stack(np.meshgrid(*span, indexing="ij"), axis=-1).reshape(-1, 2) @ plane
    squares = np.sum((steps[:, :, None] + cells) ** 2, axis=-1).min(axis=2)
    symbols = lower.get_chemical_symbols(), upper.get_chemical_symbols()
    least = np.array([[limits[symbols[0][i], symbols[1][j]] for i in near] for j in far])
    needed = np.sqrt(np.maximum(least**2 - squares, 0.0)) - heights[far][:, None] - depths[near][None, :]
    return float(max(0.0, np.where(squares < least**2, needed, 0.0).max(initial=0.0)))
