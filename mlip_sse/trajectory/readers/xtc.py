"""GROMACS XTC files: the frame headers and the boxes; the compressed coordinates are decoded by `xtc_codec`.

Lengths are in nm, times in ps. The headers are walked once when the file is opened, which finds the frames, a
cut-off end and any change in the number of atoms before a coordinate is decoded.
"""

import mmap
import struct
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.even_times import StoredTimes
from mlip_sse.trajectory.frames import Coordinates, FrameChunk, FrameSource
from mlip_sse.trajectory.periodic_cells import require_cells
from mlip_sse.trajectory.readers.chunking import frames_per_chunk, note_cut, release_pages
from mlip_sse.trajectory.readers.naming import name_atoms
from mlip_sse.trajectory.readers.xtc_codec import decode_frame

__all__ = ["open_xtc"]

_NM = 10.0
_REAL = np.dtype(">f4")
_FRAME = struct.Struct(">3if9fi")  # magic, atoms, step, time, box, atoms again
_PACKING = struct.Struct(">f3i3ii")  # precision, minima, maxima, small index
_LENGTHS = {1995: struct.Struct(">i"), 2023: struct.Struct(">q")}
"""Size of the compressed bits, by magic number; the second is for more than 298 million atoms."""

_FEW_ATOMS = 9  # up to which coordinates are stored as they are


class _FrameHeader(NamedTuple):
    n_atoms: int
    step: int
    time_ps: float
    box: tuple[float, ...]  # nine numbers in nm
    body: int  # where the compressed bits, or the plain coordinates, begin
    n_bytes: int
    packing: tuple[float, tuple[int, ...], tuple[int, ...], int] | None  # precision, minima, maxima, small index


def open_xtc(path: Path, *, species: Sequence[str] | None = None, topology: str | Path | None = None) -> FrameSource:
    """Open an XTC file.

    Parameters
    ----------
    path
        The file.
    species, topology
        Chemical symbols, or a structure file of the same atoms: an XTC names none.

    Raises
    ------
    FormatError
        When a header or the compressed stream is damaged, or the number of atoms changes.
    """
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    notes: list[str] = []
    starts, n_atoms, times = _scan(path, data, notes)
    return FrameSource(
        chunks=_chunks(path, data, starts, n_atoms, times),
        n_atoms=n_atoms,
        species=name_atoms(path, n_atoms, "XTC", species, topology),
        coordinates=Coordinates.CARTESIAN_UNKNOWN,
        frame_spacing_fs=times.spacing_fs,
        n_frames=len(starts),
        notes=notes,
    )


def _scan(path: Path, data: mmap.mmap, notes: list[str]) -> tuple[NDArray[np.int64], int, StoredTimes]:
    """Walk the headers; return where the complete frames begin, the number of atoms, and the times."""
    starts, steps, times = array("q"), array("q"), array("d")
    offset, n_atoms = 0, 0
    while offset < len(data):
        header = _header(path, data, offset, len(starts))
        if header is None or header.body + header.n_bytes > len(data):
            if not starts:
                raise FormatError(f"{path}: ends inside its first frame; the file is cut off")
            note_cut(notes, path, f"it ends inside frame {len(starts)}", len(starts))
            break
        n_atoms = n_atoms or header.n_atoms
        if header.n_atoms != n_atoms:
            raise FormatError(
                f"{path}: frame {len(starts)} has {header.n_atoms} atoms, the first {n_atoms}; it must not change"
            )
        starts.append(offset)
        steps.append(header.step)
        times.append(header.time_ps * 1000.0)
        offset = header.body + (header.n_bytes + 3) // 4 * 4
    resolution = float(np.finfo(np.float32).eps)
    stored = StoredTimes.of(np.array(times), np.array(steps, dtype=np.int64), resolution, notes)
    return np.array(starts, dtype=np.int64), n_atoms, stored


def _header(path: Path, data: mmap.mmap, offset: int, frame: int) -> _FrameHeader | None:
    """Read one frame's header; None where the file ends inside it."""
    if offset + _FRAME.size > len(data):
        return None
    magic, n_atoms, step, time_ps, *box, repeated = _FRAME.unpack_from(data, offset)
    body = offset + _FRAME.size
    if magic not in _LENGTHS or n_atoms <= 0 or repeated != n_atoms or n_atoms > 8 * len(data):
        raise _damaged(path, offset, frame)
    if n_atoms <= _FEW_ATOMS:
        return _FrameHeader(n_atoms, step, time_ps, tuple(box), body, 12 * n_atoms, None)
    length = _LENGTHS[magic]
    if body + _PACKING.size + length.size > len(data):
        return None
    precision, *limits, small = _PACKING.unpack_from(data, body)
    (n_bytes,) = length.unpack_from(data, body + _PACKING.size)
    minima, maxima = tuple(limits[:3]), tuple(limits[3:])
    if not 0 < precision < 1e9 or any(low > high for low, high in zip(minima, maxima, strict=True)) or n_bytes < 0:
        raise _damaged(path, offset, frame)
    body += _PACKING.size + length.size
    return _FrameHeader(n_atoms, step, time_ps, tuple(box), body, n_bytes, (precision, minima, maxima, small))


def _damaged(path: Path, offset: int, frame: int) -> FormatError:
    return FormatError(f"{path}: the header of frame {frame} is damaged at byte {offset}; copy the file again")


def _chunks(
    path: Path, data: mmap.mmap, starts: NDArray[np.int64], n_atoms: int, times: StoredTimes
) -> Iterator[FrameChunk]:
    size = frames_per_chunk(n_atoms)
    for first in range(0, len(starts), size):
        part = starts[first : first + size].tolist()
        coordinates = np.empty((len(part), n_atoms, 3), dtype=np.float32)
        boxes = np.empty((len(part), 3, 3))
        for row, start in enumerate(part):
            header = _header(path, data, start, first + row)
            if header is None:
                raise FormatError(f"{path}: became shorter while it was read; read it again when it is complete")
            boxes[row].flat = header.box
            _decode(path, data, header, coordinates[row], first + row)
        stored_times, steps = times.part(first, first + len(part))
        yield FrameChunk(
            coordinates=coordinates,
            cells=require_cells(boxes * _NM, first, path),
            times_fs=stored_times,
            steps=steps,
        )
        release_pages(data)


def _decode(path: Path, data: mmap.mmap, header: _FrameHeader, coordinates: NDArray[np.float32], frame: int) -> None:
    body = np.frombuffer(data[header.body : header.body + header.n_bytes], np.uint8)
    if header.packing is None:
        coordinates[:] = body.view(_REAL).reshape(-1, 3).astype(np.float32) * np.float32(_NM)
        return
    precision, minima, maxima, small = header.packing
    good = decode_frame(body, np.array(minima), np.array(maxima), small, _NM / precision, coordinates)
    if not good:
        raise FormatError(f"{path}: the compressed coordinates of frame {frame} are damaged; copy the file again")
