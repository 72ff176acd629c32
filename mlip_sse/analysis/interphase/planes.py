"""Where two sides of a cell meet along c, and which atoms are near there."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.errors import InputError

__all__ = ["VACUUM_A", "SideEnds", "height_of", "interface_atoms", "interface_planes", "near_interface", "side_ends"]

VACUUM_A: Final = 6.0
"""A wider gap between the two sides is vacuum, no interface."""


@dataclass(frozen=True)
class SideEnds:
    """The two ends of side 1 along c, the lower one first.

    Parameters
    ----------
    atoms : fractional coordinates from 0 to 1 of its outermost atoms
    gaps_a : Å from there to the next atom of the other side
    misplaced : share of all atoms on the wrong side of a cut
    """

    atoms: tuple[float, float]
    gaps_a: tuple[float, float]
    misplaced: float


def interface_planes(
    positions: NDArray[np.floating], cell: NDArray[np.floating], side: ArrayLike, largest_gap: float = VACUUM_A
) -> NDArray[np.float64]:
    """Return where along c the two sides of a cell meet.

    The cell is cut into two parts at the two planes that leave the fewest atoms on the wrong side, so that atoms that
    have crossed do not matter; each plane lies midway between the atoms next to it. A cut through a gap wider than
    ``largest_gap`` is vacuum and left out.

    Parameters
    ----------
    positions : (n_atoms, 3) Å, wrapped or not
    cell : (3, 3) Å, rows are the cell vectors; the sides follow each other along c
    side : (n_atoms,) 0 or 1
    largest_gap
        Å.

    Returns
    -------
    (n_interfaces,) fractional coordinates from 0 to 1: the lower end of side 1 first, then its upper one

    Raises
    ------
    InputError
        When shapes do not fit, or one of the sides has no atom.
    """
    ends = side_ends(positions, cell, side)
    height = height_of(np.asarray(cell, dtype=np.float64))
    return np.array(
        [
            (atom + outwards * 0.5 * gap / height) % 1.0
            for atom, gap, outwards in zip(ends.atoms, ends.gaps_a, (-1.0, 1.0), strict=True)
            if gap <= largest_gap
        ]
    )


def side_ends(positions: NDArray[np.floating], cell: NDArray[np.floating], side: ArrayLike) -> SideEnds:
    """Return the two cuts of `interface_planes` by the atoms next to them.

    Parameters
    ----------
    positions : (n_atoms, 3) Å, wrapped or not
    cell : (3, 3) Å, rows are the cell vectors
    side : (n_atoms,) 0 or 1
    """
    points, box, label = _checked(positions, cell, side)
    fractions = (points @ np.linalg.inv(box))[:, 2] % 1.0
    order = np.argsort(fractions, kind="stable")
    signs = np.where(label[order] == 1, 1, -1)
    first, last = _best_arc(signs)
    n = len(points)
    z = fractions[order]
    gaps = [(z[above] - z[below]) % 1.0 for below, above in (((first - 1) % n, first), (last, (last + 1) % n))]
    inside = (np.arange(n) - first) % n <= (last - first) % n
    height = height_of(box)
    return SideEnds(
        (float(z[first]), float(z[last])),
        (float(gaps[0]) * height, float(gaps[1]) * height),
        float(np.mean(inside != (signs == 1))),
    )


def near_interface(
    positions: NDArray[np.floating], cell: NDArray[np.floating], side: ArrayLike, depth: float
) -> NDArray[np.bool_]:
    """Return which atoms are within a depth in Å of an interface, on either side of it; see `interface_planes`."""
    if not 0 < depth < math.inf:
        raise InputError(f"found a depth of {depth!r} Å, expected a positive one")
    planes = interface_planes(positions, cell, side)
    points, box, _ = _checked(positions, cell, side)
    apart = (points @ np.linalg.inv(box))[:, 2, None] - planes
    return np.asarray((np.abs(apart - np.rint(apart)) * height_of(box) <= depth).any(axis=1))


def interface_atoms(positions: NDArray[np.floating], cell: NDArray[np.floating], side: ArrayLike, depth: float) -> int:
    """Return how many atoms are within a depth in Å of an interface, each counted once; see `near_interface`."""
    return int(near_interface(positions, cell, side, depth).sum())


def _best_arc(signs: NDArray[np.int64]) -> tuple[int, int]:
    """Return first and last place of the circular run with the largest sum (Kadane, on the circle)."""
    best, where = _best_run(signs)
    worst, gap = _best_run(-signs)
    if int(signs.sum()) + worst <= best:  # the run does not cross the border
        return where
    return (gap[1] + 1) % len(signs), (gap[0] - 1) % len(signs)


def _best_run(signs: NDArray[np.int64]) -> tuple[int, tuple[int, int]]:
    sums = np.concatenate([[0], np.cumsum(signs)])
    lowest = np.minimum.accumulate(sums[:-1])
    last = int(np.argmax(sums[1:] - lowest))
    # of equally good beginnings the latest: the shortest run
    first = int(np.flatnonzero(sums[: last + 1] == lowest[last])[-1])
    return int(sums[last + 1] - lowest[last]), (first, last)


def _checked(
    positions: NDArray[np.floating], cell: NDArray[np.floating], side: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    points, box = np.asarray(positions, dtype=np.float64), np.asarray(cell, dtype=np.float64)
    label = np.asarray(side)
    if points.ndim != 2 or points.shape[1] != 3 or box.shape != (3, 3) or label.shape != points.shape[:1]:
        raise InputError(
            f"found positions {points.shape}, cell {box.shape} and side {label.shape}, expected (n, 3), (3, 3) and (n,)"
        )
    if not np.isin(label, (0, 1)).all() or label.min() == label.max():
        found = ", ".join(str(value) for value in np.unique(label))
        raise InputError(f"found sides {found}, expected 0 and 1, both of them")
    return points, box, label.astype(np.int64)


def height_of(box: NDArray[np.float64]) -> float:
    """Return the height of a cell in Å across its planes of a and b."""
    return float(1.0 / np.linalg.norm(np.linalg.inv(box)[:, 2]))
