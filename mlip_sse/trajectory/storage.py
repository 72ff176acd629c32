"""Where frames are kept while a file is read: in memory up to a limit, beyond it in a nameless scratch file.

The scratch file is removed from its folder as soon as it is made (POSIX) and vanishes with the last reference to it,
also when the program is killed. Reads and writes keep the resident memory bounded: frames are written with `write`,
not through the map, and `release` hands pages of the map back once they have been read.
"""

import contextlib
import mmap
import tempfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError

__all__ = ["FrameStore", "release"]


class FrameStore:
    """Frames of (n_atoms, 3) numbers, appended one chunk after the other.

    Parameters
    ----------
    dtype
        Kept precision. float32 holds a coordinate of 100 Å to 4e-6 Å (half its spacing there), 1e-11 Å² in a
        mean-squared displacement, well below the last digit of any text format; increments are summed in float64
        before.
    limit_bytes
        Most memory to use.
    scratch
        Folder for the file beyond that; the system's temporary folder by default.
    """

    def __init__(self, n_atoms: int, dtype: type[np.floating], limit_bytes: int, scratch: Path | None = None) -> None:
        self._n_atoms, self._scratch = n_atoms, scratch
        self._dtype = np.dtype(dtype)
        frame_bytes = 3 * n_atoms * self._dtype.itemsize
        self._capacity = max(1, limit_bytes // frame_bytes)
        # pages of an empty array become resident only when written to, so the limit costs nothing until it is used
        self._memory: NDArray[np.floating] | None = np.empty(self._capacity * n_atoms * 3, self._dtype)
        self._file: IO[bytes] | None = None
        self._buffer: NDArray[np.floating] = np.empty((0, n_atoms, 3), self._dtype)
        self.n_frames = 0

    def room(self, n: int) -> NDArray[np.floating]:
        """Return (n, n_atoms, 3) to be filled and then kept by `keep`."""
        if self._memory is not None and self.n_frames + n > self._capacity:
            self._spill()
        if self._memory is not None:
            return self._memory.reshape(-1, self._n_atoms, 3)[self.n_frames : self.n_frames + n]
        if len(self._buffer) < n:
            self._buffer = np.empty((n, self._n_atoms, 3), self._dtype)
        return self._buffer[:n]

    def keep(self, frames: NDArray[np.floating]) -> None:
        """Append frames: the array that `room` returned, or another one."""
        if self._memory is None:
            self._write(np.ascontiguousarray(frames, dtype=self._dtype))
        else:
            place = self.room(len(frames))
            if self._memory is None:
                self._write(np.ascontiguousarray(frames, dtype=self._dtype))
            elif not np.shares_memory(place, frames):
                place[:] = frames
        self.n_frames += len(frames)

    def finish(self) -> NDArray[np.floating]:
        """Return all frames, (n_frames, n_atoms, 3), as an array or a read-only memory map."""
        shape = (self.n_frames, self._n_atoms, 3)
        if self._memory is not None:
            memory, self._memory = self._memory, None
            memory.resize(self.n_frames * self._n_atoms * 3, refcheck=False)
            return memory.reshape(shape)
        if self._file is None:
            raise InputError("this store has been finished already; make another")
        self._file.flush()
        mapped: NDArray[np.floating] = np.memmap(self._file, dtype=self._dtype, mode="r", shape=shape)
        self._file.close()  # the map keeps what it maps
        self._file = None
        return mapped

    def _spill(self) -> None:
        """Go over to a file."""
        memory, self._memory = self._memory, None
        try:
            self._file = tempfile.TemporaryFile(dir=self._scratch, prefix="mlip-sse-")  # noqa: SIM115
        except OSError as error:
            raise InputError(
                f"scratch folder {self._scratch}: {error.strerror}; pass scratch= a folder that can be written"
            ) from error
        if memory is not None:
            self._write(memory[: self.n_frames * self._n_atoms * 3])

    def _write(self, frames: NDArray[np.floating]) -> None:
        if self._file is None:
            raise InputError("this store has been finished already; make another")
        try:
            self._file.write(frames.data)
        except OSError as error:
            raise InputError(
                f"the scratch file cannot grow ({error.strerror}); pass scratch= a folder with more room, or step="
            ) from error


def release(array: NDArray[np.floating]) -> None:
    """Hand the pages of a memory-mapped array back to the system; nothing happens for an array in memory."""
    owner: object = array
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        with contextlib.suppress(OSError, ValueError):
            owner.madvise(mmap.MADV_DONTNEED)
