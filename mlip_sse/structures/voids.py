"""The voids of a crystal, where an interstitial ion may sit: corners of Voronoi cells, sorted by symmetry."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.structures.symmetry import symmetry_operations

__all__ = ["InterstitialSite", "crystal_operations", "distances_from", "equivalent_points", "interstitial_sites"]

_TOLERANCE = 1e-2
_SAME_VOID = 1.2
"""Å; corners this near to each other are of one void."""


@dataclass(frozen=True)
class InterstitialSite:
    """A sort of void.

    Parameters
    ----------
    position
        Fractional, of one of the equivalent ones.
    clearance
        Å to the nearest nucleus.
    multiplicity
        How many there are in the cell.
    """

    position: tuple[float, float, float]
    clearance: float
    multiplicity: int


def interstitial_sites(
    atoms: Atoms, *, max_sites: int = 2, min_clearance: float = 1.5, tolerance: float = _TOLERANCE
) -> tuple[InterstitialSite, ...]:
    """Return the symmetry-distinct voids of a crystal, widest first: corners of Voronoi cells, by qhull.

    Parameters
    ----------
    atoms
        The perfect crystal.
    max_sites
        How many sorts.
    min_clearance
        Least distance of a void from every nucleus in Å.
    tolerance
        Distance in Å within which positions count as equal.

    Raises
    ------
    InputError
        When there is no void that wide.

    References
    ----------
    C. B. Barber et al., ACM Trans. Math. Softw. 22, 469 (1996), doi:10.1145/235815.235821
    """
    corners, clearances = _corners(atoms)
    found: list[InterstitialSite] = []
    taken = np.empty((0, 3))
    for corner, clearance in zip(corners, clearances, strict=True):
        if clearance < min_clearance or len(found) == max_sites:
            break
        if len(taken) and distances_from(atoms, taken, corner).min() < _SAME_VOID:
            continue
        orbit = equivalent_points(atoms, corner, tolerance)
        middle = _middle(atoms, corner, orbit)
        wide = float(distances_from(atoms, atoms.get_scaled_positions(), middle).min())
        if wide >= min_clearance:  # corners around one void: it lies between them
            orbit, clearance = equivalent_points(atoms, middle, tolerance), wide
        taken = np.concatenate([taken, orbit])
        x, y, z = (float(value) for value in np.round(orbit[0], 9) % 1.0)
        found.append(InterstitialSite((x, y, z), float(clearance), len(orbit)))
    if not found:
        raise InputError(
            f"found no void {min_clearance:g} Å from every nucleus (the widest: {clearances.max():.2f} Å), "
            "expected one: lower min_clearance_a, or give sites"
        )
    return tuple(found)


def _corners(atoms: Atoms) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners (k, 3) of all Voronoi cells, fractional, and their distance to the nuclei, widest first."""
    from scipy.spatial import Voronoi

    cell = np.asarray(atoms.cell.array)
    widths = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    reach = 1 + np.ceil(8.0 / widths).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    scaled = atoms.get_scaled_positions()
    points = (scaled[None] + grid[:, None]).reshape(-1, 3) @ cell
    corners = Voronoi(points).vertices @ np.linalg.inv(cell)
    corners = corners[np.all((corners > -1e-6) & (corners < 1 - 1e-6), axis=1)]
    distances = np.array([distances_from(atoms, scaled, corner).min() for corner in corners])
    order = np.lexsort((*np.round(corners.T[::-1], 6), -np.round(distances, 4)))
    return corners[order], distances[order]


def distances_from(atoms: Atoms, scaled: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distances in Å of points (k, 3) from a point, all fractional, nearest images."""
    from ase.geometry import find_mic

    return np.asarray(find_mic((scaled - point) @ atoms.cell.array, atoms.cell, True)[1])


def crystal_operations(atoms: Atoms, tolerance: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the space group of a crystal, as `symmetry.symmetry_operations` does."""
    kinds = [int(number) for number in atoms.numbers]
    return symmetry_operations(np.asarray(atoms.cell.array), atoms.get_scaled_positions(wrap=False), kinds, tolerance)


def equivalent_points(atoms: Atoms, point: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """Return the equivalent points (k, 3) of a point, fractional, itself first."""
    rotations, translations = crystal_operations(atoms, tolerance)
    orbit = np.empty((0, 3))
    for moved in rotations @ point + translations:
        if not len(orbit) or distances_from(atoms, orbit, moved).min() > 5 * tolerance:
            orbit = np.concatenate([orbit, [moved % 1.0]])
    return orbit


def _middle(atoms: Atoms, corner: NDArray[np.float64], orbit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of a corner and its equivalents around it."""
    apart = orbit - corner
    apart -= np.rint(apart)
    near = np.linalg.norm(apart @ atoms.cell.array, axis=1) < _SAME_VOID
    return np.asarray(corner + apart[near].mean(axis=0))
