"""Cell lists in fractional coordinates: which boxes of atoms can hold a pair closer than a cutoff.

The cell is cut into n₁ × n₂ × n₃ equal boxes. Boxes that differ by d along the three vectors hold pairs at a distance
of at least min |(d + u) h|, u in [-1, 1]³, with h the vectors of one box; those beyond the cutoff are left out. What
remains is kept as rows along the third vector, where atoms of neighbouring boxes lie side by side in memory. A box
beyond the edge is one from the other side with its image, so that a cutoff may exceed the cell.

References
----------
M. P. Allen, D. J. Tildesley, Computer Simulation of Liquids, 2nd ed. (2017), doi:10.1093/oso/9780198803195.001.0001
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.errors import InputError

__all__ = ["box_rows", "cell_widths", "choose_boxes", "require_cell", "sort_into_boxes"]

_MOST_BOXES_A_CUTOFF = 4
_SLACK = 1e-9
_SWEEPS = 12


def cell_widths(cell: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the three distances between opposite faces of a cell in Å, (3,), or of many cells, (..., 3)."""
    inverse = np.linalg.inv(np.asarray(cell, dtype=np.float64))
    widths: NDArray[np.float64] = 1.0 / np.linalg.norm(inverse, axis=-2)
    return widths


def require_cell(cell: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return a cell as float64, C-contiguous.

    Parameters
    ----------
    cell : (3, 3) Å, rows are the cell vectors

    Raises
    ------
    InputError
        When it has another shape, is not finite or spans no volume.
    """
    box = np.ascontiguousarray(cell, dtype=np.float64)
    if box.shape != (3, 3) or not np.isfinite(box).all():
        raise InputError(f"found a cell {np.asarray(cell).tolist()}, expected (3, 3) finite numbers in Å")
    volume, edges = abs(float(np.linalg.det(box))), np.linalg.norm(box, axis=1)
    if not volume > 1e-9 * float(edges.prod()):
        raise InputError(
            f"found a cell of volume {volume:.3g} Å³: {box.tolist()}; three vectors that span one are needed"
        )
    return box


def choose_boxes(cell: NDArray[np.float64], cutoff: float, n_atoms: int, atoms_in_a_box: float) -> NDArray[np.int64]:
    """Return into how many boxes to cut the cell along each vector, (3,) whole numbers.

    A box is as wide as holds the given number of atoms, never wider than the cutoff nor thinner than a quarter of it;
    with an infinite number it is as wide as the cutoff.
    """
    widths = cell_widths(cell)
    volume = abs(float(np.linalg.det(cell)))
    crowded = (atoms_in_a_box * volume / max(n_atoms, 1)) ** (1.0 / 3.0)
    wanted = min(max(crowded, cutoff / _MOST_BOXES_A_CUTOFF), cutoff)
    boxes: NDArray[np.int64] = np.maximum(1, np.floor(widths / wanted)).astype(np.int64)
    most = max(8, 2 * n_atoms)  # an almost empty cell has no need of more
    while boxes.prod() > most:
        boxes[boxes.argmax()] = max(1, boxes.max() // 2)
    return boxes


def box_rows(cell: NDArray[np.float64], boxes: NDArray[np.int64], cutoff: float) -> NDArray[np.int64]:
    """Return the rows of boxes around one that can hold atoms within the cutoff.

    Parameters
    ----------
    cell : (3, 3) Å
    boxes : (3,) number of boxes along each vector
    cutoff
        In Å.

    Returns
    -------
    (n_rows, 4) steps along the first two vectors, and the first and last step along the third; ordered
    """
    reach = np.ceil(cutoff * boxes / cell_widths(cell) + _SLACK).astype(np.int64)
    box = np.ascontiguousarray(cell / boxes[:, None])
    return np.ascontiguousarray(_box_rows(box, np.ascontiguousarray(box @ box.T), reach, float(cutoff)))


def sort_into_boxes(
    fractions: NDArray[np.float64], cell: NDArray[np.float64], boxes: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Sort atoms by box.

    Parameters
    ----------
    fractions : (n_atoms, 3), of any image
    cell : (3, 3) Å
    boxes : (3,)

    Returns
    -------
    points : (3, n_atoms) Å, wrapped into the cell, in the order of the boxes
    order : (n_atoms,) whose place in the input each has
    starts : (n_boxes + 1,) where each box begins; boxes along the third vector follow each other
    """
    points, order, starts = _sort_into_boxes(fractions, cell, boxes)
    return points, order, starts


@njit(cache=True, nogil=True)
def _least_distance(step: NDArray[np.float64], box: NDArray[np.float64], gram: NDArray[np.float64]) -> float:
    # a lower bound of |(step + u) box| over u in [-1, 1]³: descend one coordinate at a time, and project the two
    # boxes on the direction found, which bounds the distance from below however far the descent has come
    at = np.empty(3)
    for k in range(3):
        at[k] = min(max(0.0, step[k] - 1.0), step[k] + 1.0)
    for _ in range(_SWEEPS):
        for k in range(3):
            slope = 0.0
            for m in range(3):
                if m != k:
                    slope += gram[k, m] * at[m]
            at[k] = min(max(-slope / gram[k, k], step[k] - 1.0), step[k] + 1.0)
    x = at[0] * box[0, 0] + at[1] * box[1, 0] + at[2] * box[2, 0]
    y = at[0] * box[0, 1] + at[1] * box[1, 1] + at[2] * box[2, 1]
    z = at[0] * box[0, 2] + at[1] * box[1, 2] + at[2] * box[2, 2]
    length = np.sqrt(x * x + y * y + z * z)
    if length == 0.0:
        return 0.0
    bound = 0.0
    for k in range(3):
        along = (box[k, 0] * x + box[k, 1] * y + box[k, 2] * z) / length
        bound += step[k] * along - abs(along)
    return bound


@njit(cache=True, nogil=True)
def _box_rows(
    box: NDArray[np.float64], gram: NDArray[np.float64], reach: NDArray[np.int64], cutoff: float
) -> NDArray[np.int64]:
    rows = np.empty(((2 * reach[0] + 1) * (2 * reach[1] + 1), 4), np.int64)
    n_rows = 0
    step = np.empty(3)
    for a in range(-reach[0], reach[0] + 1):
        for b in range(-reach[1], reach[1] + 1):
            first, last = reach[2] + 1, -reach[2] - 1
            for c in range(-reach[2], reach[2] + 1):
                step[0], step[1], step[2] = a, b, c
                if _least_distance(step, box, gram) <= cutoff * (1.0 + _SLACK):
                    first, last = min(first, c), max(last, c)
            if first <= last:
                rows[n_rows, 0], rows[n_rows, 1], rows[n_rows, 2], rows[n_rows, 3] = a, b, first, last
                n_rows += 1
    return rows[:n_rows]


@njit(cache=True, nogil=True)
def _sort_into_boxes(
    fractions: NDArray[np.float64], cell: NDArray[np.float64], boxes: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    n_atoms = fractions.shape[0]
    home = np.empty(n_atoms, np.int64)
    wrapped = np.empty((n_atoms, 3))
    starts = np.zeros(boxes[0] * boxes[1] * boxes[2] + 1, np.int64)
    for i in range(n_atoms):
        flat = 0
        for k in range(3):
            s = fractions[i, k] - np.floor(fractions[i, k])
            if s >= 1.0:  # a tiny negative number rounds up to one
                s = 0.0
            wrapped[i, k] = s
            flat = flat * boxes[k] + min(int(s * boxes[k]), boxes[k] - 1)
        home[i] = flat
        starts[flat + 1] += 1
    for m in range(len(starts) - 1):
        starts[m + 1] += starts[m]
    filled = starts[:-1].copy()
    points, order = np.empty((3, n_atoms)), np.empty(n_atoms, np.int64)
    for i in range(n_atoms):
        at = filled[home[i]]
        filled[home[i]] += 1
        order[at] = i
        for k in range(3):
            points[k, at] = wrapped[i, 0] * cell[0, k] + wrapped[i, 1] * cell[1, k] + wrapped[i, 2] * cell[2, k]
    return points, order, starts
