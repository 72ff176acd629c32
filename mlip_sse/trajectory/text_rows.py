"""Rows of words and numbers, frame by frame and in parallel: what the text readers compile.

Whatever is not a number, is not finite, does not fill its columns, or belongs to another atom than in the first frame
stops its frame with a code, a row and a column. No kernel reads beyond the newline that ends a frame.
"""

from enum import IntEnum
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from mlip_sse.trajectory.numbers import byte_at, ends_word, read_number

__all__ = ["Column", "RowStatus", "pack_label", "parse_rows", "skip_lines"]

_NEWLINE = 10
_PARALLEL_FROM = 100_000
"""Numbers below which waking other threads costs more than they bring."""


class Column(IntEnum):
    """What a column is, where it is not a number to store (those have the index of their place, 0, 1, …)."""

    SKIP = -1
    IDENTIFIER = -2
    LABEL = -3


class RowStatus(IntEnum):
    """Why a frame's rows could not be read."""

    GOOD = 0
    NOT_A_NUMBER_WORD = 1
    NOT_FINITE = 2
    TOO_FEW_COLUMNS = 3
    TOO_MANY_COLUMNS = 4
    UNKNOWN_IDENTIFIER = 5
    REPEATED_IDENTIFIER = 6
    LABEL_CHANGED = 7


def pack_label(word: bytes) -> int:
    """Return the number that stands for a word in the kernels: its bytes, base 256, modulo 2⁶³."""
    packed = 0
    for byte in word:
        packed = (packed * 256 + byte) & 0x7FFFFFFFFFFFFFFF
    return packed


@nb.njit(cache=True, nogil=True, error_model="numpy")
def skip_lines(text: NDArray[np.uint8], start: int, n_lines: int, stop: int) -> Any:
    """Return the position after ``n_lines`` newlines from ``start``, or (-1, how many there were before ``stop``)."""
    found, p = 0, start
    while stop - p >= 128:
        block = text[p : p + 128]
        count = np.uint8(0)
        for byte in block:
            count += np.uint8(byte == _NEWLINE)
        if found + count >= n_lines:
            break
        found += int(count)
        p += 128
    while p < stop:
        if text[p] == _NEWLINE:
            found += 1
            if found == n_lines:
                return p + 1, found
        p += 1
    return -1, found


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _find_slot(identifiers: NDArray[np.int64], identifier: int) -> int:
    low, high = 0, identifiers.size
    while low < high:
        middle = (low + high) // 2
        if identifiers[middle] < identifier:
            low = middle + 1
        else:
            high = middle
    return low if low < identifiers.size and identifiers[low] == identifier else -1


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _read_row(
    text: NDArray[np.uint8], p: int, columns: NDArray[np.int64], values: NDArray[np.float64], keys: NDArray[np.int64]
) -> tuple[int, int, int]:
    """Read one line into ``values`` and ``keys`` = (identifier, label): (position after it, status, column)."""
    for column in range(columns.size):
        while byte_at(text, p) == 32 or byte_at(text, p) == 9 or byte_at(text, p) == 13:
            p += 1
        if byte_at(text, p) == _NEWLINE:
            return p, 3, column
        kind = columns[column]
        if kind >= 0 or kind == -2:
            value, p, code = read_number(text, p)
            if code != 0:
                return p, code, column
            if kind >= 0:
                values[kind] = value
            else:
                keys[0] = np.int64(value)
                if np.float64(keys[0]) != value:
                    return p, 1, column
        elif kind == -3:
            packed = np.int64(0)
            while not ends_word(byte_at(text, p)):
                packed = (packed * 256 + byte_at(text, p)) & 0x7FFFFFFFFFFFFFFF
                p += 1
            keys[1] = packed
        else:
            while not ends_word(byte_at(text, p)):
                p += 1
    while byte_at(text, p) == 32 or byte_at(text, p) == 9 or byte_at(text, p) == 13:
        p += 1
    if byte_at(text, p) != _NEWLINE:
        return p, 4, columns.size
    return p + 1, 0, 0


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _read_frame(
    text: NDArray[np.uint8],
    start: int,
    columns: NDArray[np.int64],
    identifiers: NDArray[np.int64],
    slots: NDArray[np.int64],
    labels: NDArray[np.int64],
    out: NDArray[np.float64],
    status: NDArray[np.int64],
) -> None:
    n_atoms, n_values = out.shape
    values, keys = np.empty(max(n_values, 1)), np.zeros(2, np.int64)
    by_identifier, with_labels = identifiers.size > 0, labels.size > 0
    seen = np.zeros(identifiers.size, np.uint8)
    p = start
    for row in range(n_atoms):
        p, code, column = _read_row(text, p, columns, values, keys)
        slot = row
        if code == 0 and by_identifier:
            slot = slots[row]
            if identifiers[slot] != keys[0]:
                slot = _find_slot(identifiers, keys[0])
            if slot < 0:
                code = 5
            elif seen[slot]:
                code = 6
            else:
                seen[slot] = 1
        if code == 0 and with_labels and labels[slot] != keys[1]:
            code = 7
        if code != 0:
            status[0], status[1], status[2] = code, row, column
            status[3] = p if code < 5 else p - 1  # a row that was read to its end has been left behind
            return
        target = out[slot]
        for k in range(n_values):
            target[k] = values[k]


@nb.njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def _read_frames(
    text: Any, starts: Any, columns: Any, identifiers: Any, slots: Any, labels: Any, out: Any, status: Any
) -> None:
    for frame in nb.prange(starts.size):
        _read_frame(text, starts[frame], columns, identifiers, slots, labels, out[frame], status[frame])


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _read_few_frames(
    text: Any, starts: Any, columns: Any, identifiers: Any, slots: Any, labels: Any, out: Any, status: Any
) -> None:
    for frame in range(starts.size):
        _read_frame(text, starts[frame], columns, identifiers, slots, labels, out[frame], status[frame])


def parse_rows(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    columns: NDArray[np.int64],
    identifiers: NDArray[np.int64],
    slots: NDArray[np.int64],
    labels: NDArray[np.int64],
    n_atoms: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Read the rows of several frames, in parallel over frames.

    Parameters
    ----------
    text : (n_bytes,)
        At least eight bytes longer than what is read of it. Every frame's ``n_atoms`` lines must be there and end
        with a newline (`skip_lines` has found them).
    starts : (n_frames,) where each frame's first row begins
    columns : (n_columns,)
        For each column the place of its number in the output, or a `Column`.
    identifiers : (n_atoms,) ascending, or empty when rows have no identifier
    slots : (n_atoms,)
        Place of each row of the first frame, tried before a search; not used without identifiers.
    labels : (n_atoms,) the label that each place must carry, packed by `pack_label`, or empty

    Returns
    -------
    values : (n_frames, n_atoms, n_values), in the order of ``identifiers`` or of the rows
    status : (n_frames, 4) `RowStatus`, row, column, position in ``text``
    """
    n_values = int(columns.max(initial=-1)) + 1
    out = np.empty((len(starts), n_atoms, n_values))
    status = np.zeros((len(starts), 4), np.int64)
    read = _read_frames if out.size > _PARALLEL_FROM else _read_few_frames
    read(text, starts, columns, identifiers, slots, labels, out, status)
    return out, status
