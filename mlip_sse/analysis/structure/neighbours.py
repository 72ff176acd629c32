"""Neighbours within a cutoff, periodic images included: any cell, however small or skewed, at a cost linear in N."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from mlip_sse.analysis.structure.cells import box_rows, choose_boxes, require_cell, sort_into_boxes
from mlip_sse.errors import InputError

__all__ = ["Neighbours", "neighbour_list"]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Neighbours of some atoms, one atom after the other.

    Parameters
    ----------
    offsets : (n_centres + 1,)
        The neighbours of centre ``k`` stand at ``offsets[k]:offsets[k + 1]``, in no particular order.
    indices : (n_pairs,)
        Whose image each is, as a place in the positions.
    vectors : (n_pairs, 3) Å, from the centre to the neighbour
    distances : (n_pairs,) Å
    """

    offsets: NDArray[np.int64]
    indices: NDArray[np.int64]
    vectors: NDArray[np.float64]
    distances: NDArray[np.float64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of neighbours of each centre, (n_centres,)."""
        return np.diff(self.offsets)

    @property
    def centres(self) -> NDArray[np.int64]:
        """Which centre each neighbour belongs to, (n_pairs,) places in the list of centres."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.counts)


def neighbour_list(
    positions: NDArray[np.floating],
    cell: NDArray[np.floating],
    cutoff: float,
    centres: ArrayLike | None = None,
    others: ArrayLike | None = None,
) -> Neighbours:
    """Find the atoms, and images of atoms, within a cutoff of each centre.

    An atom is no neighbour of itself, but its images in a small cell are. The cutoff may exceed the cell.

    Parameters
    ----------
    positions : (n_atoms, 3) Å, wrapped or not
    cell : (3, 3) Å, rows are the cell vectors
    cutoff
        Largest distance in Å.
    centres : (n_centres,), optional
        Atoms whose neighbours are wanted, as places in the positions; all by default.
    others : (n_others,), optional
        Atoms that count as neighbours, each once; all by default.

    Raises
    ------
    InputError
        When a position is not finite, the cell spans no volume, the cutoff is not positive, or an atom does not exist.
    """
    box = require_cell(cell)
    points = np.asarray(positions, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise InputError(f"found positions of shape {points.shape}, expected (n_atoms, 3), all of them finite")
    if not 0 < cutoff < np.inf:
        raise InputError(f"found a cutoff of {cutoff!r} Å, expected a positive number")
    around = _chosen(centres, len(points), "centres")
    among = _chosen(others, len(points), "others")
    fractions = np.ascontiguousarray(points @ np.linalg.inv(box))
    boxes = choose_boxes(box, cutoff, len(among))
    rows = box_rows(box, boxes, cutoff)
    sorted_points, order, starts = sort_into_boxes(np.ascontiguousarray(fractions[among]), box, boxes)
    room = int(1.1 * len(around) * len(among) * 4.19 * cutoff**3 / abs(float(np.linalg.det(box)))) + 64
    found = _find(
        np.ascontiguousarray(fractions[around]),
        around,
        sorted_points,
        among[order],
        starts,
        box,
        boxes,
        rows,
        cutoff,
        room,
    )
    return Neighbours(*found)


def _chosen(atoms: ArrayLike | None, n_atoms: int, name: str) -> NDArray[np.int64]:
    if atoms is None:
        return np.arange(n_atoms, dtype=np.int64)
    chosen = np.asarray(atoms)
    if chosen.size == 0:
        return np.empty(0, dtype=np.int64)
    if chosen.ndim != 1 or not np.issubdtype(chosen.dtype, np.integer):
        raise InputError(
            f"found {name} of shape {chosen.shape} and type {chosen.dtype}, expected a list of atoms' places"
        )
    if chosen.min() < 0 or chosen.max() >= n_atoms:
        raise InputError(f"found {name} from {chosen.min()} to {chosen.max()}, expected places from 0 to {n_atoms - 1}")
    return np.ascontiguousarray(chosen, dtype=np.int64)


@njit(cache=True, nogil=True)
def _longer(old: NDArray[np.float64]) -> NDArray[np.float64]:
    new = np.empty((len(old) + len(old) // 2 + 64, old.shape[1]))
    new[: len(old)] = old
    return new


@njit(cache=True, nogil=True)
def _find(
    fractions: NDArray[np.float64],
    names: NDArray[np.int64],
    points: NDArray[np.float64],
    others: NDArray[np.int64],
    starts: NDArray[np.int64],
    cell: NDArray[np.float64],
    boxes: NDArray[np.int64],
    rows: NDArray[np.int64],
    cutoff: float,
    room: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    # names: place of each centre; others: place of each sorted point. A pair is kept as (vector, distance) in a table
    # that grows when the density is uneven.
    limit = cutoff * cutoff
    offsets = np.zeros(len(fractions) + 1, np.int64)
    table, indices = np.empty((room, 4)), np.empty(room, np.int64)
    x_all, y_all, z_all = points[0], points[1], points[2]
    n_found = 0
    s, home = np.empty(3), np.empty(3, np.int64)
    for i in range(len(fractions)):
        for k in range(3):
            s[k] = fractions[i, k] - np.floor(fractions[i, k])
            if s[k] >= 1.0:
                s[k] = 0.0
            home[k] = min(int(s[k] * boxes[k]), boxes[k] - 1)
        for row in range(len(rows)):
            a, b = home[0] + rows[row, 0], home[1] + rows[row, 1]
            image_a, image_b = a // boxes[0], b // boxes[1]
            base = ((a - image_a * boxes[0]) * boxes[1] + b - image_b * boxes[1]) * boxes[2]
            first, last = home[2] + rows[row, 2], home[2] + rows[row, 3]
            while first <= last:  # the row, cut where it leaves the cell
                image_c = first // boxes[2]
                stop = min(last, image_c * boxes[2] + boxes[2] - 1)
                u, v, w = s[0] - image_a, s[1] - image_b, s[2] - image_c
                x = u * cell[0, 0] + v * cell[1, 0] + w * cell[2, 0]
                y = u * cell[0, 1] + v * cell[1, 1] + w * cell[2, 1]
                z = u * cell[0, 2] + v * cell[1, 2] + w * cell[2, 2]
                home_image = image_a == 0 and image_b == 0 and image_c == 0
                begin = starts[base + first - image_c * boxes[2]]
                end = starts[base + stop - image_c * boxes[2] + 1]
                if n_found + end - begin > len(indices):
                    while n_found + end - begin > len(table):
                        table = _longer(table)
                    grown = np.empty(len(table), np.int64)
                    grown[:n_found] = indices[:n_found]
                    indices = grown
                for j in range(begin, end):
                    dx, dy, dz = x_all[j] - x, y_all[j] - y, z_all[j] - z
                    squared = dx * dx + dy * dy + dz * dz
                    if squared <= limit and not (home_image and others[j] == names[i]):
                        indices[n_found] = others[j]
                        table[n_found, 0], table[n_found, 1], table[n_found, 2] = dx, dy, dz
                        table[n_found, 3] = np.sqrt(squared)
                        n_found += 1
                first = stop + 1
        offsets[i + 1] = n_found
    return offsets, indices[:n_found].copy(), table[:n_found, :3].copy(), table[:n_found, 3].copy()
