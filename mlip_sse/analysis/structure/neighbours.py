"""Neighbours within a cutoff, periodic images included: any cell, however small or skewed, at a cost linear in N."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from mlip_sse.analysis.structure.cells import box_rows, choose_boxes, require_cell, sort_into_boxes
from mlip_sse.errors import InputError

__all__ = ["Neighbours", "neighbour_list"]

_LANES = 8


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
    boxes = choose_boxes(box, cutoff, len(among), np.inf)  # few long rows are quicker than few candidates
    rows = box_rows(box, boxes, cutoff)
    sorted_points, order, starts = sort_into_boxes(np.ascontiguousarray(fractions[among]), box, boxes)
    padded = np.pad(sorted_points, [(0, 0), (0, _LANES)])
    room = int(1.1 * len(around) * len(among) * 4.19 * cutoff**3 / abs(float(np.linalg.det(box)))) + 64
    found = _find(
        np.ascontiguousarray(fractions[around]),
        around,
        padded,
        among[order],
        starts,
        box,
        boxes,
        rows,
        cutoff,
        room,
    )
    return Neighbours(found[0], found[1].copy(), found[2].copy(), found[3].copy())


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
def _wrapped(n: int, reach: int) -> NDArray[np.int64]:
    # for boxes from -reach to n + reach - 1: which box of the cell each is, and in which image
    table = np.empty((n + 2 * reach, 2), np.int64)
    for k in range(len(table)):
        table[k, 1] = (k - reach) // n
        table[k, 0] = k - reach - table[k, 1] * n
    return table


@njit(cache=True, nogil=True)
def _grown(
    indices: NDArray[np.int64], vectors: NDArray[np.float64], distances: NDArray[np.float64], room: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    more, longer, farther = np.empty(room, np.int64), np.empty((room, 3)), np.empty(room)
    for k in range(len(indices)):
        more[k], farther[k] = indices[k], distances[k]
        longer[k, 0], longer[k, 1], longer[k, 2] = vectors[k, 0], vectors[k, 1], vectors[k, 2]
    return more, longer, farther


@njit(cache=True, nogil=True)
def _longest_row(starts: NDArray[np.int64], boxes: NDArray[np.int64]) -> int:
    # how many points the fullest row of boxes along c holds
    longest = 0
    for flat in range(boxes[0] * boxes[1]):
        longest = max(longest, starts[(flat + 1) * boxes[2]] - starts[flat * boxes[2]])
    return longest


@njit(cache=True, nogil=True, fastmath=True)
def _go_home(
    fraction: NDArray[np.float64], boxes: NDArray[np.int64], inside: NDArray[np.float64], home: NDArray[np.int64]
) -> None:
    # the point wrapped into the cell, and the box it lies in, are filled, (3,) each
    for k in range(3):
        inside[k] = fraction[k] - np.floor(fraction[k])
        if inside[k] >= 1.0:
            inside[k] = 0.0
        home[k] = min(int(inside[k] * boxes[k]), boxes[k] - 1)


@njit(cache=True, nogil=True, fastmath=True)
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
    # names: place of each centre; others: place of each sorted point, behind the last of which there are some of no
    # meaning, so that a block of lanes may reach beyond it
    limit = cutoff * cutoff
    x_all, y_all, z_all = points[0], points[1], points[2]
    reach = np.abs(rows).max() if len(rows) else 0
    along_a, along_b, along_c = _wrapped(boxes[0], reach), _wrapped(boxes[1], reach), _wrapped(boxes[2], reach)
    longest = _longest_row(starts, boxes)
    squares, near = np.empty(longest + _LANES), np.empty(longest + 1, np.int64)
    offsets = np.zeros(len(fractions) + 1, np.int64)
    indices, vectors, distances = np.empty(room, np.int64), np.empty((room, 3)), np.empty(room)
    n_found = 0
    s, home = np.empty(3), np.empty(3, np.int64)
    for i in range(len(fractions)):
        _go_home(fractions[i], boxes, s, home)
        for row in range(len(rows)):
            a, b = home[0] + rows[row, 0] + reach, home[1] + rows[row, 1] + reach
            image_a, image_b = along_a[a, 1], along_b[b, 1]
            base = (along_a[a, 0] * boxes[1] + along_b[b, 0]) * boxes[2]
            first, last = home[2] + rows[row, 2], home[2] + rows[row, 3]
            while first <= last:  # the row, cut where it leaves the cell
                image_c, at = along_c[first + reach, 1], along_c[first + reach, 0]
                stop = min(last, first + boxes[2] - 1 - at)
                u, v, w = s[0] - image_a, s[1] - image_b, s[2] - image_c
                x = u * cell[0, 0] + v * cell[1, 0] + w * cell[2, 0]
                y = u * cell[0, 1] + v * cell[1, 1] + w * cell[2, 1]
                z = u * cell[0, 2] + v * cell[1, 2] + w * cell[2, 2]
                home_image = image_a == 0 and image_b == 0 and image_c == 0
                begin, end = starts[base + at], starts[base + at + stop - first + 1]
                first = stop + 1
                m = end - begin
                if n_found + m > len(indices):
                    indices, vectors, distances = _grown(indices, vectors, distances, n_found + n_found // 2 + m + 64)
                whole = (m + _LANES - 1) & ~(_LANES - 1)
                xs, ys, zs = x_all[begin : begin + whole], y_all[begin : begin + whole], z_all[begin : begin + whole]
                for j in range(whole):
                    dx, dy, dz = xs[j] - x, ys[j] - y, zs[j] - z
                    squares[j] = dx * dx + dy * dy + dz * dz
                n_near = 0
                for j in range(m):
                    near[n_near] = j
                    n_near += int(squares[j] <= limit)
                for k in range(n_near):
                    j = near[k]
                    if home_image and others[begin + j] == names[i]:
                        continue
                    indices[n_found] = others[begin + j]
                    vectors[n_found, 0], vectors[n_found, 1], vectors[n_found, 2] = xs[j] - x, ys[j] - y, zs[j] - z
                    distances[n_found] = np.sqrt(squares[j])
                    n_found += 1
        offsets[i + 1] = n_found
    return offsets, indices[:n_found], vectors[:n_found], distances[:n_found]
