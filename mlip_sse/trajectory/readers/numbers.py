"""Decimal numbers in text: the compiled core of the LAMMPS, XDATCAR and extended-XYZ readers.

A number with up to 15 significant digits and a decimal exponent within ±22 is read exactly (the nearest double:
mantissa and power of ten are both exact, and one correctly rounded operation joins them); one with 16 to 19 digits to
within 1.5 units in the last place, further digits are dropped. Whatever is not a number, is not finite or does not
fill its columns stops the frame with a code, a row and a column; nothing behind the newline that ends a frame counts.

There are two ways to a number. `read_fixed` and `read_whole` take the usual words, "12.345678" and "-17", whose ends
are known from the bit masks of `classify`; they never say what is wrong. `read_number` takes every word, and says.
"""

from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

__all__ = [
    "PADDING",
    "byte_at",
    "classify",
    "ends_word",
    "lowest_bit",
    "pack_short",
    "pointer_to",
    "read_fixed",
    "read_number",
    "read_whole",
]

PADDING = 64
"""Bytes that must follow the last newline: rows are looked at 64 bytes at a time."""

_GOOD, _BAD, _NOT_FINITE = 0, 1, 2
_NEWLINE, _MINUS, _PLUS, _POINT = 10, 45, 43, 46
_POWERS_OF_TEN = np.array([10.0**i for i in range(23)])
_WHOLE_POWERS = np.array([10**i for i in range(9)], dtype=np.int64)


@intrinsic
def pointer_to(typing_context: Any, array: Any) -> Any:
    """Return the address of an array's first number.

    The kernels hand addresses on, because each array that a function takes costs it two atomic counts of references,
    together more than reading a row. Whoever takes the address keeps the array.
    """
    if not (isinstance(array, nb.types.Array) and array.layout == "C"):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return nb.types.CPointer(array.dtype)(array), generate


def _are_text_and_position(text: Any, position: Any) -> bool:
    return text == nb.types.CPointer(nb.types.uint8) and isinstance(position, nb.types.Integer)


@intrinsic
def byte_at(typing_context: Any, text: Any, position: Any) -> Any:
    """Return the byte at ``position``."""
    if not _are_text_and_position(text, position):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.zext(builder.load(builder.gep(arguments[0], [arguments[1]])), ir.IntType(64))

    return nb.types.int64(text, position), generate


@nb.njit(cache=True, nogil=True, error_model="numpy")
def ends_word(byte: int) -> bool:
    """Say whether a byte is a blank, a tab, a carriage return or a newline."""
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
def _read_long(text: Any, p: int) -> tuple[float, int, int]:
    """Read a number of any length, its sign already taken: up to 19 digits count, leading zeros do not."""
    mantissa, kept, dropped, n_digits, fraction = np.uint64(0), 0, 0, 0, 0
    after_point = False
    while True:
        digit = byte_at(text, p) - 48
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
        elif byte_at(text, p) == _POINT and not after_point:
            after_point = True
        else:
            break
        p += 1
    byte = byte_at(text, p)
    if n_digits == 0:
        if byte == 78 or byte == 110 or byte == 73 or byte == 105:  # nan, inf
            return 0.0, p, _NOT_FINITE
        return 0.0, p, _BAD
    exponent = 0
    if byte == 69 or byte == 101 or byte == 68 or byte == 100:  # e, and Fortran's d
        p += 1
        negative = byte_at(text, p) == _MINUS
        if negative or byte_at(text, p) == _PLUS:
            p += 1
        first = p
        while 48 <= byte_at(text, p) <= 57:
            if exponent < 100000:
                exponent = exponent * 10 + (byte_at(text, p) - 48)
            p += 1
        if p == first:
            return 0.0, p, _BAD
        if negative:
            exponent = -exponent
    value = _scale(mantissa, exponent - fraction + dropped)
    if not ends_word(byte_at(text, p)):
        return 0.0, p, _BAD
    return value, p, _GOOD if value < np.inf else _NOT_FINITE


@intrinsic
def _load_eight(typing_context: Any, text: Any, position: Any) -> Any:
    """Return the eight bytes from ``position`` as one little-endian number, wherever they lie."""
    if not _are_text_and_position(text, position):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.gep(arguments[0], [arguments[1]])
        return builder.load(builder.bitcast(pointer, ir.IntType(64).as_pointer()), align=1)

    return nb.types.uint64(text, position), generate


@intrinsic
def classify(typing_context: Any, text: Any, position: Any) -> Any:
    """Return three masks of the 64 bytes from ``position``, lowest bit first: separators, newlines, digits."""
    if not _are_text_and_position(text, position):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, word = ir.VectorType(ir.IntType(8), 64), ir.IntType(64)
        pointer = builder.bitcast(builder.gep(arguments[0], [arguments[1]]), vector.as_pointer())
        block = builder.load(pointer, align=1)

        def all_of(byte: int) -> Any:
            return ir.Constant(vector, [byte] * 64)

        blank, tab, carriage, newline = (builder.icmp_unsigned("==", block, all_of(byte)) for byte in (32, 9, 13, 10))
        digit = builder.icmp_unsigned("<", builder.sub(block, all_of(48)), all_of(10))
        separator = builder.or_(builder.or_(blank, tab), carriage)
        masks = [builder.bitcast(mask, word) for mask in (separator, newline, digit)]
        return context.make_tuple(builder, signature.return_type, masks)

    return nb.types.UniTuple(nb.types.uint64, 3)(text, position), generate


@intrinsic
def _swap_bytes(typing_context: Any, word: Any) -> Any:
    """Return a word with its eight bytes in the opposite order."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bswap(arguments[0])

    return nb.types.uint64(nb.types.uint64), generate


@intrinsic
def lowest_bit(typing_context: Any, word: Any) -> Any:
    """Return the place of the lowest set bit; 64 for zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return nb.types.uint64(nb.types.uint64), generate


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _join_digits(digits: np.uint64) -> Any:
    """Return the number of eight digits, the first in the lowest byte.

    All eight are turned at once: pairs, then fours, then eight, in the bytes of one 64-bit word (the method of
    D. Lemire, Softw. Pract. Exp. 51, 1700 (2021), doi:10.1002/spe.2984).
    """
    digits = digits * np.uint64(10) + (digits >> np.uint64(8))
    pairs = np.uint64(0x000000FF000000FF)
    low = (digits & pairs) * np.uint64(0x000F424000000064)
    high = ((digits >> np.uint64(16)) & pairs) * np.uint64(0x0000271000000001)
    return np.int64((low + high) >> np.uint64(32))


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _few_digits(text: Any, p: Any, n: Any) -> Any:
    """Return the number made by the ``n`` digits at ``p``, 1 to 8 (another n gives some other number)."""
    digits = _load_eight(text, p) ^ np.uint64(0x3030303030303030)
    return _join_digits(digits << ((np.uint64(64) - (n << np.uint64(3))) & np.uint64(63)))


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _eight_digits(text: Any, p: int) -> Any:
    """Return the number made by the digits at ``p``, eight at most, and how many there are."""
    digits = _load_eight(text, p) ^ np.uint64(0x3030303030303030)
    others = ((digits + np.uint64(0x7676767676767676)) | digits) & np.uint64(0x8080808080808080)
    n = lowest_bit(others) >> np.uint64(3)
    if n == np.uint64(0):
        return 0, 0
    return _join_digits(digits << (np.uint64(64) - np.uint64(8) * n)), np.int64(n)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def read_number(text: Any, p: int) -> tuple[float, int, int]:
    """Read the number that starts at ``p``: (value, position after it, 0 good, 1 not a number, 2 not finite)."""
    negative = byte_at(text, p) == _MINUS
    if negative or byte_at(text, p) == _PLUS:
        p += 1
    start = p
    mantissa, n_whole = _eight_digits(text, p)
    p += n_whole
    if byte_at(text, p) == _POINT and n_whole < 8:
        p += 1
        part, n_fraction = _eight_digits(text, p)
        mantissa = mantissa * _WHOLE_POWERS[n_fraction] + part
        p += n_fraction
        if n_fraction == 8:
            part, more = _eight_digits(text, p)
            mantissa = mantissa * _WHOLE_POWERS[more] + part
            p += more
            n_fraction += more
        if 0 < n_whole + n_fraction <= 18 and ends_word(byte_at(text, p)):
            value = np.float64(mantissa) / _POWERS_OF_TEN[n_fraction]
            return -value if negative else value, p, _GOOD
    elif 0 < n_whole < 8 and ends_word(byte_at(text, p)):
        return np.float64(-mantissa if negative else mantissa), p, _GOOD
    value, p, code = _read_long(text, start)
    return -value if negative else value, p, code


@nb.njit(cache=True, nogil=True, error_model="numpy")
def read_fixed(text: Any, base: Any, start: Any, end: Any, digits: Any) -> Any:
    """Read a word of 1 to 8 digits, a point and 1 to 8 digits, with or without a minus: (value, whether it is one).

    Parameters
    ----------
    base, start, end
        The word is text[base + start : base + end], end < 64; all three unsigned.
    digits
        Mask of the digits from ``base``, see `classify`.
    """
    one, eight = np.uint64(1), np.uint64(8)
    negative = byte_at(text, base + start) == _MINUS
    start += np.uint64(negative)
    others = ~digits & (~np.uint64(0) << start)
    point = lowest_bit(others)
    n_whole, n_fraction = point - start, end - point - one
    good = lowest_bit(others & (others - one)) == end and n_whole - one < eight and n_fraction - one < eight
    if not good or byte_at(text, base + point) != _POINT:
        return 0.0, False
    whole = _few_digits(text, base + start, n_whole)
    mantissa = whole * _WHOLE_POWERS[n_fraction] + _few_digits(text, base + point + one, n_fraction)
    value = np.float64(mantissa) / _POWERS_OF_TEN[n_fraction]
    return -value if negative else value, True


@nb.njit(cache=True, nogil=True, error_model="numpy")
def read_whole(text: Any, base: Any, start: Any, end: Any, digits: Any) -> Any:
    """Read a word of 1 to 8 digits, with or without a minus: (value, whether it is one); see `read_fixed`."""
    one = np.uint64(1)
    negative = byte_at(text, base + start) == _MINUS
    start += np.uint64(negative)
    if lowest_bit(~digits & (~np.uint64(0) << start)) != end or end - start - one >= np.uint64(8):
        return 0, False
    value = _few_digits(text, base + start, end - start)
    return -value if negative else value, True


@nb.njit(cache=True, nogil=True, error_model="numpy")
def pack_short(text: Any, p: Any, n: Any) -> Any:
    """Return the ``n`` bytes at ``p``, 1 to 8, as one number to base 256, modulo 2⁶³."""
    packed = _swap_bytes(_load_eight(text, p)) >> ((np.uint64(64) - (n << np.uint64(3))) & np.uint64(63))
    return np.int64(packed & np.uint64(0x7FFFFFFFFFFFFFFF))
