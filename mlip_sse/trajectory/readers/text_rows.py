"""Rows of words and numbers, frame by frame and in parallel: what the text readers compile.

Whatever is not a number, is not finite, does not fill its columns, or belongs to another atom than in the first frame
stops its frame with a code, a row and a column. No kernel reads beyond the newline that ends a frame.
"""

from enum import IntEnum
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from mlip_sse.trajectory.readers.numbers import (
    byte_at,
    classify,
    ends_word,
    lowest_bit,
    pack_short,
    pointer_to,
    read_fixed,
    read_number,
    read_whole,
)

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
    text: Any, p: int, columns: NDArray[np.int64], values: NDArray[np.float64], keys: NDArray[np.int64]
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
def _bounds(text: Any, base: Any) -> Any:
    """Return of the 64 bytes from ``base``, up to the newline: where words start, where they end, newlines, digits."""
    separators, newlines, digits = classify(text, base)
    words = ~(separators | newlines)
    line = newlines ^ (newlines - np.uint64(1))  # the bits up to the newline, all where there is none
    before = words << np.uint64(1)
    return words & ~before & line, before & ~words & line, newlines, digits


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _scan_row(text: Any, p: int, columns: Any, n_columns: int, values: Any) -> Any:
    """Read one line of usual words: (position after it, identifier, label), or -1 for the position: see `_read_row`.

    Ends of words come from bit masks, 64 bytes at a time, so that no word waits for the one before.
    """
    identifier, label, one = 0, 0, np.uint64(1)
    base = np.uint64(p)
    starts, ends, newlines, digits = _bounds(text, base)
    for column in range(n_columns):
        if ends == np.uint64(0):
            if newlines != np.uint64(0) or starts == one:
                return -1, identifier, label
            base += lowest_bit(starts)
            starts, ends, newlines, digits = _bounds(text, base)
            if ends == np.uint64(0):
                return -1, identifier, label
        start, end = lowest_bit(starts), lowest_bit(ends)
        starts, ends = starts & (starts - one), ends & (ends - one)
        kind, good = columns[column], True
        if kind >= 0:
            values[kind], good = read_fixed(text, base, start, end, digits)
            if not good:
                whole, good = read_whole(text, base, start, end, digits)
                values[kind] = whole
            if not good:
                values[kind], after, code = read_number(text, np.int64(base + start))
                good = code == 0 and np.uint64(after) == base + end
        elif kind == -2:
            identifier, good = read_whole(text, base, start, end, digits)
        elif kind == -3:
            label, good = pack_short(text, base + start, end - start), end - start <= np.uint64(8)
        if not good:
            return -1, identifier, label
    stop = base + lowest_bit(newlines)
    if newlines == np.uint64(0):
        stop = base + lowest_bit(starts)  # 64 where no word is left
        while byte_at(text, stop) == 32 or byte_at(text, stop) == 9 or byte_at(text, stop) == 13:
            stop += one
    if starts != np.uint64(0) or byte_at(text, stop) != _NEWLINE:
        return -1, identifier, label
    return np.int64(stop) + 1, identifier, label


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
    characters, kinds, numbers = pointer_to(text), pointer_to(columns), pointer_to(values)
    p = start
    for row in range(n_atoms):
        after, identifier, label = _scan_row(characters, p, kinds, columns.size, numbers)
        code, column = 0, 0
        if after < 0:
            after, code, column = _read_row(characters, p, columns, values, keys)
            identifier, label = keys[0], keys[1]
        p = after
        slot = row
        if code == 0 and by_identifier:
            slot = slots[row]
            if identifiers[slot] != identifier:
                slot = _find_slot(identifiers, identifier)
            if slot < 0:
                code = 5
            elif seen[slot]:
                code = 6
            else:
                seen[slot] = 1
        if code == 0 and with_labels and labels[slot] != label:
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
        At least `numbers.PADDING` bytes longer than what is read of it. Every frame's ``n_atoms`` lines must be there
        and end with a newline (`skip_lines` has found them).
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
