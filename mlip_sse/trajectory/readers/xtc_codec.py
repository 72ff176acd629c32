"""Decoder of the coordinate compression of XTC files, with every read and write inside its bounds.

Coordinates are integers (position × precision). An atom is stored in full, as one number in the mixed radix of
the box's three sizes; a run of up to ten following atoms is stored as small differences in a radix that adapts
as the frame goes on. The first two atoms of a run are stored exchanged, which suits water molecules. The stream
has the most significant bit first, but each mixed-radix number has its least significant byte first.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["decode_frame"]

_FIRST_SMALL, _LAST_SMALL = 9, 73  # the last is named by frames too coarse for runs, which never use it
_LARGEST_PACKED = 0xFFFFFF
_LARGEST_RUN_BITS = 5


def _small_sizes() -> NDArray[np.int64]:
    """Return the radices of small differences, 2^(k/3) rounded down, with the format's three exceptions."""
    sizes = np.floor(2.0 ** (np.arange(_LAST_SMALL + 1) / 3.0) + 1e-9).astype(np.int64)
    sizes[:_FIRST_SMALL] = 0
    sizes[37], sizes[57], sizes[69] = 5060, 524287, 8388607
    return sizes


_SMALL_SIZES = _small_sizes()


def decode_frame(
    body: NDArray[np.uint8],
    minima: NDArray[np.int64],
    maxima: NDArray[np.int64],
    small: int,
    scale: float,
    coordinates: NDArray[np.float32],
) -> bool:
    """Decode one frame.

    Parameters
    ----------
    body : (n_bytes,)
        The compressed bits.
    minima, maxima : (3,)
        Smallest and largest integer coordinate along each axis.
    small
        Index of the first radix of small differences.
    scale
        Å of one integer step.
    coordinates : (n_atoms, 3) Å
        Filled in place.

    Returns
    -------
    bool
        Whether the stream held exactly these atoms; False for a damaged one.
    """
    if not _FIRST_SMALL <= small <= _LAST_SMALL:
        return False
    sizes = [int(high) - int(low) + 1 for low, high in zip(minima, maxima, strict=True)]
    if max(sizes) >= 1 << 32:
        return False
    packed = max(sizes) <= _LARGEST_PACKED
    total = sizes[0] * sizes[1] * sizes[2]
    n_bits = total.bit_length() if packed else 0
    widths = np.array([size.bit_length() for size in sizes])
    return bool(_decode(body, minima, np.array(sizes), widths, n_bits, small, scale, _SMALL_SIZES, coordinates))


@njit(cache=True)
def _bits(body, position, n_bits):  # type: ignore[no-untyped-def]
    """Read up to 32 bits, the most significant first."""
    value = np.int64(0)
    while n_bits > 0:
        left = 8 - (position & 7)
        take = min(left, n_bits)
        byte = np.int64(body[position >> 3])
        value = (value << take) | ((byte >> (left - take)) & ((1 << take) - 1))
        position += take
        n_bits -= take
    return value


@njit(cache=True)
def _mixed_radix(body, position, n_bits, sizes, digits, numbers):  # type: ignore[no-untyped-def]
    """Read three integers stored as one number of ``n_bits``, the least significant byte first."""
    if n_bits <= 62:  # fits a word: two divisions instead of two for each byte
        value, shift = np.int64(0), 0
        byte, skew = position >> 3, position & 7
        while n_bits >= 8:
            bits = np.int64(body[byte]) << skew
            if skew:
                bits |= np.int64(body[byte + 1]) >> (8 - skew)
            value |= (bits & 255) << shift
            byte += 1
            shift += 8
            n_bits -= 8
        if n_bits:
            value |= _bits(body, 8 * byte + skew, n_bits) << shift
        numbers[2] = value % sizes[2]
        value //= sizes[2]
        numbers[1] = value % sizes[1]
        numbers[0] = value // sizes[1]
        return
    n_bytes = 0
    while n_bits > 0:
        take = min(8, n_bits)
        digits[n_bytes] = _bits(body, position, take)
        position += take
        n_bits -= take
        n_bytes += 1
    for axis in (2, 1):
        remainder = np.int64(0)
        for place in range(n_bytes - 1, -1, -1):
            remainder = (remainder << 8) | digits[place]
            digits[place] = remainder // sizes[axis]
            remainder -= digits[place] * sizes[axis]
        numbers[axis] = remainder
    first = np.int64(0)
    for place in range(min(n_bytes, 4) - 1, -1, -1):
        first = (first << 8) | digits[place]
    numbers[0] = first


@njit(cache=True)
def _decode(body, minima, sizes, widths, n_bits, small, scale, small_sizes, coordinates):  # type: ignore[no-untyped-def]
    n_atoms, end = coordinates.shape[0], 8 * body.size
    digits, full, step = np.zeros(12, np.int64), np.zeros(3, np.int64), np.zeros(3, np.int64)
    radix, previous = np.zeros(3, np.int64), np.zeros(3, np.int64)
    full_bits = n_bits if n_bits else widths.sum()
    position, atom, run = 0, 0, 0
    while atom < n_atoms:
        if position + full_bits + 1 > end:
            return False
        if n_bits:
            _mixed_radix(body, position, n_bits, sizes, digits, full)
        else:
            offset = position
            for axis in range(3):
                full[axis] = _bits(body, offset, widths[axis])
                offset += widths[axis]
        position += full_bits
        for axis in range(3):
            if full[axis] >= sizes[axis]:
                return False
            full[axis] += minima[axis]
            previous[axis] = full[axis]
        change = 0
        flag = _bits(body, position, 1)
        position += 1
        if flag:
            if position + _LARGEST_RUN_BITS > end:
                return False
            run = _bits(body, position, _LARGEST_RUN_BITS)
            position += _LARGEST_RUN_BITS
            change = run % 3
            run -= change
            change -= 1
        n_small = run // 3
        if atom + 1 + n_small > n_atoms or position + n_small * small > end or (n_small and small == _LAST_SMALL):
            return False
        if n_small == 0:
            for axis in range(3):
                coordinates[atom, axis] = full[axis] * scale
        radix[:] = small_sizes[small]
        for k in range(n_small):
            _mixed_radix(body, position, small, radix, digits, step)
            position += small
            for axis in range(3):
                previous[axis] += step[axis] - small_sizes[small] // 2
                # the run's first difference is written before the atom stored in full
                coordinates[atom + (0 if k == 0 else k + 1), axis] = previous[axis] * scale
                if k == 0:
                    coordinates[atom + 1, axis] = full[axis] * scale
        atom += 1 + n_small
        small += change
        if small < _FIRST_SMALL or small > _LAST_SMALL:
            return False
    return True
