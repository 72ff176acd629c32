"""Numbers of pairs by species and distance in one frame: the kernel under every radial distribution function.

Each pair is met once: boxes of atoms look at the boxes in one half of the directions. Distances of a row of boxes are
taken together, sixteen by sixteen, so that the compiler vectorises all of them, and turned into places of the
histogram; those beyond the cutoff are dropped without a branch, and four histograms are filled in turn, so that one
increment does not wait for the one before it.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.analysis.structure.cells import box_rows, choose_boxes, sort_into_boxes
from mlip_sse.analysis.structure.frames import map_in_threads

__all__ = ["count_pairs", "count_pairs_of_frames"]

_ATOMS_IN_A_BOX = 9.0
"""Measured: rows of boxes long enough for vector instructions, few pairs beyond the cutoff."""

_WAYS = 4
_LANES = 16


def count_pairs(
    positions: NDArray[np.floating],
    cell: NDArray[np.float64],
    kinds: NDArray[np.int64],
    n_kinds: int,
    r_max: float,
    n_bins: int,
) -> NDArray[np.int64]:
    """Count the pairs of one frame, images included.

    Parameters
    ----------
    positions : (n_atoms, 3) Å, wrapped or not
    cell : (3, 3) Å, rows are the cell vectors
    kinds : (n_atoms,) from 0 to n_kinds - 1
    r_max
        Distance in Å below which pairs are counted.
    n_bins
        Number of shells of equal thickness.

    Returns
    -------
    (n_kinds, n_kinds, n_bins) each pair once, where its first kind is not the larger
    """
    boxes = choose_boxes(cell, r_max, len(kinds), _ATOMS_IN_A_BOX)
    rows = _half_rows(cell.tobytes(), tuple(boxes.tolist()), r_max)
    fractions = np.ascontiguousarray(np.asarray(positions, dtype=np.float64) @ np.linalg.inv(cell))
    points, order, starts = sort_into_boxes(fractions, cell, boxes)
    padded = np.pad(points, [(0, 0), (0, _LANES)])
    ordered = np.zeros((_WAYS, n_kinds * n_kinds * n_bins), dtype=np.int64)
    _count(padded, kinds[order], n_kinds, starts, cell, boxes, rows, r_max, n_bins, ordered)
    counts = ordered.sum(axis=0).reshape(n_kinds, n_kinds, n_bins)
    both = counts + counts.transpose(1, 0, 2)
    upper = np.triu(np.ones((n_kinds, n_kinds), dtype=bool), 1)
    folded: NDArray[np.int64] = np.where(upper[:, :, None], both, 0)
    diagonal = np.arange(n_kinds)
    folded[diagonal, diagonal] = counts[diagonal, diagonal]
    return folded


def count_pairs_of_frames(
    frames: Iterable[tuple[NDArray[np.floating], NDArray[np.float64]]],
    kinds: NDArray[np.int64],
    n_kinds: int,
    r_max: float,
    n_bins: int,
) -> Iterator[NDArray[np.int64]]:
    """Yield the counts of each frame in their order, several frames at a time on as many threads as numba may use.

    The numbers are whole, so that they do not depend on the number of threads. See `count_pairs`.
    """

    def count(frame: tuple[NDArray[np.floating], NDArray[np.float64]]) -> NDArray[np.int64]:
        return count_pairs(frame[0], frame[1], kinds, n_kinds, r_max, n_bins)

    return map_in_threads(count, frames)


@lru_cache(maxsize=16)
def _half_rows(cell: bytes, boxes: tuple[int, ...], cutoff: float) -> NDArray[np.int64]:
    # one of each two opposite directions; the row of the box itself begins with the box
    rows = box_rows(np.frombuffer(cell).reshape(3, 3), np.array(boxes), cutoff)
    first, second = rows[:, 0], rows[:, 1]
    half: NDArray[np.int64] = rows[(first > 0) | ((first == 0) & (second >= 0))].copy()
    half[(half[:, 0] == 0) & (half[:, 1] == 0), 2] = 0
    return half


@njit(cache=True, nogil=True)
def _fill(keys: NDArray[np.int32], n: int, counts: NDArray[np.int64]) -> None:
    kept = 0
    for k in range(n):
        keys[kept] = keys[k]
        kept += int(keys[k] >= 0)
    one, two, three, four = counts[0], counts[1], counts[2], counts[3]
    for k in range(0, kept - 3, 4):
        one[keys[k]] += 1
        two[keys[k + 1]] += 1
        three[keys[k + 2]] += 1
        four[keys[k + 3]] += 1
    for k in range(kept - kept % 4, kept):
        one[keys[k]] += 1


@njit(cache=True, nogil=True, fastmath=True)
def _count(
    points: NDArray[np.float64],
    kinds: NDArray[np.int64],
    n_kinds: int,
    starts: NDArray[np.int64],
    cell: NDArray[np.float64],
    boxes: NDArray[np.int64],
    rows: NDArray[np.int64],
    r_max: float,
    n_bins: int,
    counts: NDArray[np.int64],
) -> None:
    # counts (4, n_kinds * n_kinds * n_bins)
    x_all, y_all, z_all = points[0], points[1], points[2]  # longer by the lanes than there are atoms
    scale, beyond = n_bins / r_max, float(n_bins)
    shift = np.zeros(len(x_all), np.int32)
    for i in range(len(kinds)):
        shift[i] = kinds[i] * n_bins
    longest = 0
    for box in range(boxes[0] * boxes[1]):
        longest = max(longest, starts[(box + 1) * boxes[2]] - starts[box * boxes[2]])
    room = max(1024, longest)
    keys = np.empty(room + _LANES, np.int32)
    n = 0
    for box in range(len(starts) - 1):
        if starts[box] == starts[box + 1]:
            continue
        a0, b0, c0 = box // (boxes[1] * boxes[2]), box // boxes[2] % boxes[1], box % boxes[2]
        for row in range(len(rows)):
            a, b = a0 + rows[row, 0], b0 + rows[row, 1]
            image_a, image_b = a // boxes[0], b // boxes[1]
            base = ((a - image_a * boxes[0]) * boxes[1] + b - image_b * boxes[1]) * boxes[2]
            first, last = c0 + rows[row, 2], c0 + rows[row, 3]
            while first <= last:  # the row, cut where it leaves the cell
                image_c = first // boxes[2]
                stop = min(last, image_c * boxes[2] + boxes[2] - 1)
                begin = starts[base + first - image_c * boxes[2]]
                end = starts[base + stop - image_c * boxes[2] + 1]
                home = rows[row, 0] == 0 and rows[row, 1] == 0 and first == c0
                x_image = image_a * cell[0, 0] + image_b * cell[1, 0] + image_c * cell[2, 0]
                y_image = image_a * cell[0, 1] + image_b * cell[1, 1] + image_c * cell[2, 1]
                z_image = image_a * cell[0, 2] + image_b * cell[1, 2] + image_c * cell[2, 2]
                first = stop + 1
                for i in range(starts[box], starts[box + 1]):
                    if home:
                        begin = i + 1
                    m = end - begin
                    if n + m > room:
                        _fill(keys, n, counts)
                        n = 0
                    x, y, z = x_all[i] - x_image, y_all[i] - y_image, z_all[i] - z_image
                    mine = shift[i] * n_kinds
                    whole = (m + _LANES - 1) & ~(_LANES - 1)  # what is too much is written over by the next row
                    xs, ys, zs = (
                        x_all[begin : begin + whole],
                        y_all[begin : begin + whole],
                        z_all[begin : begin + whole],
                    )
                    others, out = shift[begin : begin + whole], keys[n : n + whole]
                    for j in range(whole):
                        dx, dy, dz = xs[j] - x, ys[j] - y, zs[j] - z
                        place = np.sqrt(dx * dx + dy * dy + dz * dz) * scale
                        out[j] = np.int32(place) + others[j] + np.int32(mine) if place < beyond else np.int32(-1)
                    n += m
    _fill(keys, n, counts)
