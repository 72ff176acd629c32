"""Open HDF5 files without trusting them: heaps are checked first, and what h5py raises becomes one line.

The library follows the objects of a heap by their stated sizes and never returns from one whose free space states a
size of zero. Strings in attributes lie in these heaps, so that one damaged byte would hang the program for good.

References
----------
HDF5 File Format Specification, III.E: Disk Format: Level 1E - Global Heap,
https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlip_sse.errors import FormatError, InputError

__all__ = ["explained", "require_sound_heaps"]

_DAMAGED = (OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, MemoryError, OverflowError)
"""What h5py raises on a damaged file."""

_START = b"GCOL\x01\x00\x00\x00"
_SEARCHED_BYTES = 64 << 20
"""At either end of the file; strings are written when a file is made or closed."""


@contextmanager
def explained(path: Path, what: str) -> Iterator[None]:
    """Turn what h5py raises on a damaged file into a one-line error that says what could not be read."""
    try:
        yield
    except InputError:
        raise
    except _DAMAGED as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise FormatError(f"{path}: {what} cannot be read ({reason}); it is damaged or cut off") from error


def require_sound_heaps(path: Path) -> None:
    """Walk the heaps near both ends of a file.

    Raises
    ------
    FormatError
        When the objects of a heap do not fill it exactly.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        starts = {0, max(0, len(data) - _SEARCHED_BYTES)}
        for start in starts:
            at = data.find(_START, start, start + _SEARCHED_BYTES)
            while at >= 0:
                if not _is_sound(data, at):
                    raise FormatError(f"{path}: the HDF5 heap at byte {at} is damaged or cut off; copy the file again")
                at = data.find(_START, at + len(_START), start + _SEARCHED_BYTES)


def _is_sound(data: mmap.mmap, start: int) -> bool:
    size = int(struct.unpack_from("<Q", data, start + 8)[0]) if start + 16 <= len(data) else 0
    end = start + size
    if size < 32 or end > len(data):
        return False
    at = start + 16
    while at + 16 <= end:
        index, _, _, n_bytes = (int(number) for number in struct.unpack_from("<HHIQ", data, at))
        if index == 0:  # the free space, which includes its own header and is the last
            return n_bytes >= 16 and at + n_bytes <= end
        at += 16 + (n_bytes + 7) // 8 * 8
    return at <= end
