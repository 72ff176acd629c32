"""How close atoms are, and what is too close."""

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.errors import InputError

__all__ = ["check_lattice", "check_separation", "close_pairs", "shortest_distances"]

_LONGEST, _FARTHEST = 1e4, 1e6
_FEW = 400
_OVERLAP = 0.5
"""Atoms nearer than this part of the sum of their covalent radii lie on top of each other."""


def close_pairs(atoms: Atoms, cutoff: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the pairs (i, j) within a cutoff, periodic images included, each once, and their distances in Å."""
    from ase.neighborlist import neighbor_list

    if (
        len(atoms) <= _FEW
        and all(atoms.pbc)
        and (1 / np.linalg.norm(atoms.cell.reciprocal(), axis=1)).min() > 2 * cutoff
    ):
        return _nearest_images(atoms, cutoff)
    first, second, distances = neighbor_list("ijd", atoms, cutoff)
    once = first <= second
    return np.asarray(first[once]), np.asarray(second[once]), np.asarray(distances[once])


def _nearest_images(atoms: Atoms, cutoff: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Compare all atoms with all in a cell so wide that one image at most is within the cutoff; fast for a few."""
    # A vector shorter than half of each width has fractions below one half: rounding finds it, in any cell.
    first, second = np.triu_indices(len(atoms), 1)
    fractions = (atoms.positions @ np.linalg.inv(atoms.cell.array)).T
    steps = np.take(fractions, second, axis=1) - np.take(fractions, first, axis=1)
    steps -= np.round(steps)
    distances = np.sqrt((np.einsum("kn,kc->cn", steps, atoms.cell.array) ** 2).sum(axis=0))
    near = distances < cutoff
    return first[near], second[near], distances[near]


def shortest_distances(atoms: Atoms, cutoff: float = 4.0) -> dict[tuple[str, str], float]:
    """Return the shortest distance in Å of each pair of elements that comes within the cutoff, names in order."""
    shortest: dict[tuple[str, str], float] = {}
    symbols = atoms.get_chemical_symbols()
    for i, j, distance in zip(*close_pairs(atoms, cutoff), strict=True):
        first, second = sorted((symbols[i], symbols[j]))
        shortest[first, second] = min(shortest.get((first, second), np.inf), float(distance))
    return shortest


def check_lattice(cell: NDArray[np.float64], positions: NDArray[np.float64], what: str) -> None:
    """Refuse a cell or positions (Å or fractions) that are not finite or absurd, and a cell without volume.

    Raises
    ------
    InputError
        Says what was found.
    """
    if not np.all(np.isfinite(cell)) or not np.all(np.abs(positions) < _FARTHEST):  # NaN fails too
        raise InputError(
            f"{what}: found positions or a cell that are not finite numbers below {_FARTHEST:g}, expected Å"
        )
    longest, volume = float(np.linalg.norm(cell, axis=1).max()), abs(float(np.linalg.det(cell)))
    if volume < 1e-3 or longest > _LONGEST:
        raise InputError(
            f"{what}: found no cell that is periodic in three directions (longest edge {longest:.3g} Å, volume "
            f"{volume:.3g} Å³), expected three lattice vectors"
        )


def check_separation(atoms: Atoms, what: str) -> None:
    """Refuse atoms that lie on top of each other.

    Raises
    ------
    InputError
        Names the closest pair, when it is nearer than half the sum of its covalent radii.
    """
    from ase.data import covalent_radii

    radii = np.asarray(covalent_radii)[atoms.numbers]
    first, second, distances = close_pairs(atoms, 2 * _OVERLAP * float(radii.max(initial=0.0)))
    limits = _OVERLAP * (radii[first] + radii[second])
    if not np.any(distances < limits):
        return
    worst = int(np.argmin(distances / limits))
    i, j = int(first[worst]), int(second[worst])
    raise InputError(
        f"{what}: atoms {i} ({atoms.symbols[i]}) and {j} ({atoms.symbols[j]}) are {distances[worst]:.2f} Å apart, "
        f"expected at least {limits[worst]:.2f} Å: look for doubled or wrongly scaled positions, or partial "
        "occupancies lost on the way"
    )
