"""Decimal numbers in text, row by row: the compiled core of the LAMMPS, XDATCAR and extended-XYZ readers.

A number with up to 15 significant digits and a decimal exponent within ±22 is read exactly (the nearest double:
mantissa and power of ten are both exact, and one correctly rounded operation joins them); one with 16 to 19 digits to
within 1.5 units in the last place, further digits are dropped. Whatever is not a number, is not finite or does not
fill its columns stops the frame with a code, a row and a column; no kernel reads beyond the newline that ends a
frame.
"""

from enum import IntEnum
from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["PADDING", "Column", "RowStatus", "pack_label", "parse_rows", "skip_lines"]


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


PADDING = 8
"""Bytes that must follow the last newline: digits are loaded eight at a time."""

_GOOD, _BAD, _NOT_FINITE = 0, 1, 2
_NEWLINE, _MINUS, _PLUS, _POINT = 10, 45, 43, 46
_POWERS_OF_TEN = np.array([10.0**i for i in range(23)])
_WHOLE_POWERS = np.array([10**i for i in range(9)], dtype=np.int64)


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


@intrinsic
def _byte(typing_context: Any, text: Any, position: Any) -> Any:
    """Return the byte at ``position`` without the test for negative indices, which doubles the time of a scan."""
    if not (isinstance(text, nb.types.Array) and isinstance(position, nb.types.Integer)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.zext(builder.load(builder.gep(array.data, [arguments[1]])), ir.IntType(64))

    return nb.types.int64(text, position), generate


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _ends_word(byte: int) -> bool:
    return byte == 32 or byte == _NEWLINE or byte == 9 or byte == 13


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _scale(mantissa: np.uint64, exponent: int) -> Any:
    value = np.float64(mantissa)
    if exponent == 0 or mantissa == 0:
        return value
    if -22 <= exponent < 0:
        return value / _POWERS_OF_TEN[-exponent]
    if 0 < exponent <= 22:
        return value * _POWERS_OF_TEN[exponent]
    if exponent > 330:
        return np.inf
    if exponent < -360:
        return 0.0
    if exponent < -290:  # in two steps, or the power itself would underflow
        return value / 1e150 / 10.0 ** (-150 - exponent)
    return value * 10.0**exponent


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _read_long(text: NDArray[np.uint8], p: int) -> tuple[float, int, int]:
    """Read a number of any length, its sign already taken: up to 19 digits count, leading zeros do not."""
    mantissa, kept, dropped, n_digits, fraction = np.uint64(0), 0, 0, 0, 0
    after_point = False
    while True:
        digit = _byte(text, p) - 48
        if 0 <= digit <= 9:
            n_digits += 1
            if after_point:
                fraction += 1
            if kept < 19:
                mantissa = mantissa * np.uint64(10) + np.uint64(digit)
                if mantissa != 0:
                    kept += 1
            else:
                dropped += 1
        elif _byte(text, p) == _POINT and not after_point:
            after_point = True
        else:
            break
        p += 1
    byte = _byte(text, p)
    if n_digits == 0:
        if byte == 78 or byte == 110 or byte == 73 or byte == 105:  # nan, inf
            return 0.0, p, _NOT_FINITE
        return 0.0, p, _BAD
    exponent = 0
    if byte == 69 or byte == 101 or byte == 68 or byte == 100:  # e, and Fortran's d
        p += 1
        negative = _byte(text, p) == _MINUS
        if negative or _byte(text, p) == _PLUS:
            p += 1
        first = p
        while 48 <= _byte(text, p) <= 57:
            if exponent < 100000:
                exponent = exponent * 10 + (_byte(text, p) - 48)
            p += 1
        if p == first:
            return 0.0, p, _BAD
        if negative:
            exponent = -exponent
    value = _scale(mantissa, exponent - fraction + dropped)
    if not _ends_word(_byte(text, p)):
        return 0.0, p, _BAD
    return value, p, _GOOD if value < np.inf else _NOT_FINITE


@intrinsic
def _load_eight(typing_context: Any, text: Any, position: Any) -> Any:
    """Return the eight bytes from ``position`` as one little-endian number, wherever they lie."""
    if not (isinstance(text, nb.types.Array) and isinstance(position, nb.types.Integer)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(array.data, [arguments[1]])
        word = ir.IntType(64)
        return builder.load(builder.bitcast(pointer, word.as_pointer()), align=1)

    return nb.types.uint64(text, position), generate


@intrinsic
def _trailing_zeros(typing_context: Any, word: Any) -> Any:
    """Return the number of zero bits below the lowest set one; 64 for zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return nb.types.uint64(nb.types.uint64), generate


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _eight_digits(text: NDArray[np.uint8], p: int) -> Any:
    """Return the number made by the digits at ``p``, eight at most, and how many there are.

    All eight are turned at once: pairs, then fours, then eight, in the bytes of one 64-bit word (the method of
    D. Lemire, Softw. Pract. Exp. 51, 1700 (2021), doi:10.1002/spe.2984).
    """
    digits = _load_eight(text, p) ^ np.uint64(0x3030303030303030)
    others = ((digits + np.uint64(0x7676767676767676)) | digits) & np.uint64(0x8080808080808080)
    n = _trailing_zeros(others) >> np.uint64(3)
    if n == np.uint64(0):
        return 0, 0
    digits = digits << (np.uint64(64) - np.uint64(8) * n)
    digits = digits * np.uint64(10) + (digits >> np.uint64(8))
    pairs = np.uint64(0x000000FF000000FF)
    low = (digits & pairs) * np.uint64(0x000F424000000064)
    high = ((digits >> np.uint64(16)) & pairs) * np.uint64(0x0000271000000001)
    return np.int64((low + high) >> np.uint64(32)), np.int64(n)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _read_number(text: NDArray[np.uint8], p: int) -> tuple[float, int, int]:
    """Read the number that starts at ``p``: (value, position after it, 0 good, 1 not a number, 2 not finite)."""
    negative = _byte(text, p) == _MINUS
    if negative or _byte(text, p) == _PLUS:
        p += 1
    start = p
    mantissa, n_whole = _eight_digits(text, p)
    p += n_whole
    if _byte(text, p) == _POINT and n_whole < 8:
        p += 1
        part, n_fraction = _eight_digits(text, p)
        mantissa = mantissa * _WHOLE_POWERS[n_fraction] + part
        p += n_fraction
        if n_fraction == 8:
            part, more = _eight_digits(text, p)
            mantissa = mantissa * _WHOLE_POWERS[more] + part
            p += more
            n_fraction += more
        if 0 < n_whole + n_fraction <= 18 and _ends_word(_byte(text, p)):
            value = np.float64(mantissa) / _POWERS_OF_TEN[n_fraction]
            return -value if negative else value, p, _GOOD
    elif 0 < n_whole < 8 and _ends_word(_byte(text, p)):
        return np.float64(-mantissa if negative else mantissa), p, _GOOD
    value, p, code = _read_long(text, start)
    return -value if negative else value, p, code


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
        while _byte(text, p) == 32 or _byte(text, p) == 9 or _byte(text, p) == 13:
            p += 1
        if _byte(text, p) == _NEWLINE:
            return p, 3, column
        kind = columns[column]
        if kind >= 0 or kind == -2:
            value, p, code = _read_number(text, p)
            if code != _GOOD:
                return p, code, column
            if kind >= 0:
                values[kind] = value
            else:
                keys[0] = np.int64(value)
                if np.float64(keys[0]) != value:
                    return p, 1, column
        elif kind == -3:
            packed = np.int64(0)
            while not _ends_word(_byte(text, p)):
                packed = (packed * 256 + _byte(text, p)) & 0x7FFFFFFFFFFFFFFF
                p += 1
            keys[1] = packed
        else:
            while not _ends_word(_byte(text, p)):
                p += 1
    while _byte(text, p) == 32 or _byte(text, p) == 9 or _byte(text, p) == 13:
        p += 1
    if _byte(text, p) != _NEWLINE:
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
            status[0], status[1], status[2], status[3] = code, row, column, p
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
    _read_frames(text, starts, columns, identifiers, slots, labels, out, status)
    return out, status
