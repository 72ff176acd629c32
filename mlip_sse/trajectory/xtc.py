"""GROMACS XTC files: the frame headers and the boxes; the compressed coordinates are decoded by `xtc_codec`.

Lengths are in nm, times in ps. The headers are walked once when the file is opened, which finds the frames, a
cut-off end and any change in the number of atoms before a coordinate is decoded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.chunking import frames_per_chunk, note_cut
from mlip_sse.trajectory.even_times import StoredTimes
from mlip_sse.trajectory.frames import Coordinates, FrameChunk, FrameSource
from mlip_sse.trajectory.naming import name_atoms
from mlip_sse.trajectory.periodic_cells import require_cells
from mlip_sse.trajectory.xtc_codec import decode_frame

__all__ = ["open_xtc"]

_MAGIC, _MAGIC_LONG = 1995, 2023  # the second has 64-bit lengths, for more than 298 million atoms
_NM = 10.0
_INTEGER, _REAL = np.dtype(">i4"), np.dtype(">f4")
_HEADER_BYTES = 56  # magic, atoms, step, time, box, atoms again
_FEW_ATOMS = 9  # up to which coordinates are stored as they are


@dataclass(frozen=True)
class _FrameHeader:
    n_atoms: int
    start: int  # of the frame
    body: int  # of the compressed bits, or of the plain coordinates
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
    data = np.memmap(path, dtype=np.uint8, mode="r")
    notes: list[str] = []
    headers = list(_headers(path, data, notes))
    n_atoms = headers[0].n_atoms
    times = _times(data, headers, notes)
    return FrameSource(
        chunks=_chunks(path, data, headers, times),
        n_atoms=n_atoms,
        species=name_atoms(path, n_atoms, "XTC", species, topology),
        coordinates=Coordinates.CARTESIAN_UNKNOWN,
        frame_spacing_fs=times.spacing_fs,
        n_frames=len(headers),
        notes=notes,
    )


def _headers(path: Path, data: NDArray[np.uint8], notes: list[str]) -> Iterator[_FrameHeader]:
    offset, n_frames, n_atoms = 0, 0, 0
    while offset < len(data):
        header = _header(path, data, offset, n_frames)
        if header is None or header.body + header.n_bytes > len(data):
            if not n_frames:
                raise FormatError(f"{path}: ends inside its first frame; the file is cut off")
            note_cut(notes, path, f"it ends inside frame {n_frames}", n_frames)
            return
        n_atoms = n_atoms or header.n_atoms
        if header.n_atoms != n_atoms:
            raise FormatError(
                f"{path}: frame {n_frames} has {header.n_atoms} atoms, the first has {n_atoms}; it must not change"
            )
        yield header
        offset, n_frames = header.body + (header.n_bytes + 3) // 4 * 4, n_frames + 1


def _header(path: Path, data: NDArray[np.uint8], offset: int, frame: int) -> _FrameHeader | None:
    """Read one frame's header; None where the file ends inside it."""
    start = bytes(data[offset : offset + 100])
    damaged = FormatError(f"{path}: the header of frame {frame} is damaged at byte {offset}; copy the file again")
    if len(start) < _HEADER_BYTES:
        return None
    words = np.frombuffer(start[: len(start) // 4 * 4], _INTEGER)
    magic, n_atoms = int(words[0]), int(words[1])
    if magic not in (_MAGIC, _MAGIC_LONG) or n_atoms <= 0 or int(words[13]) != n_atoms or n_atoms > 8 * len(data):
        raise damaged
    if n_atoms <= _FEW_ATOMS:
        return _FrameHeader(n_atoms, offset, offset + _HEADER_BYTES, 12 * n_atoms, None)
    after = _HEADER_BYTES + 32 + (8 if magic == _MAGIC_LONG else 4)
    if len(start) < after:
        return None
    precision = float(np.frombuffer(start, _REAL, 1, _HEADER_BYTES)[0])
    minima, maxima = (tuple(int(word) for word in words[first : first + 3]) for first in (15, 18))
    small, n_bytes = int(words[21]), int.from_bytes(start[_HEADER_BYTES + 32 : after], "big", signed=True)
    if not 0 < precision < 1e9 or any(low > high for low, high in zip(minima, maxima, strict=True)) or n_bytes < 0:
        raise damaged
    return _FrameHeader(n_atoms, offset, offset + after, n_bytes, (precision, minima, maxima, small))


def _times(data: NDArray[np.uint8], headers: list[_FrameHeader], notes: list[str]) -> StoredTimes:
    heads = np.stack([data[header.start + 8 : header.start + 16] for header in headers])
    with np.errstate(invalid="ignore"):
        times = heads[:, 4:].copy().view(_REAL)[:, 0].astype(np.float64) * 1000.0
    steps = heads[:, :4].copy().view(_INTEGER)[:, 0].astype(np.int64)
    return StoredTimes.of(times, steps, float(np.finfo(np.float32).eps), notes)


def _chunks(
    path: Path, data: NDArray[np.uint8], headers: list[_FrameHeader], times: StoredTimes
) -> Iterator[FrameChunk]:
    n_atoms = headers[0].n_atoms
    size = frames_per_chunk(n_atoms)
    for first in range(0, len(headers), size):
        part = headers[first : first + size]
        coordinates = np.empty((len(part), n_atoms, 3), dtype=np.float32)
        heads = np.stack([data[header.start + 16 : header.start + 52] for header in part])
        for row, header in enumerate(part):
            _decode(path, data, header, coordinates[row], first + row)
        with np.errstate(invalid="ignore"):  # a damaged file may hold signalling NaNs, refused in the next lines
            boxes = heads.view(_REAL).astype(np.float64).reshape(-1, 3, 3) * _NM
        stored_times, steps = times.part(first, first + len(part))
        yield FrameChunk(
            coordinates=coordinates,
            cells=require_cells(boxes, first, path),
            times_fs=stored_times,
            steps=steps,
        )


def _decode(
    path: Path, data: NDArray[np.uint8], header: _FrameHeader, coordinates: NDArray[np.float32], frame: int
) -> None:
    body = np.ascontiguousarray(data[header.body : header.body + header.n_bytes])
    if header.packing is None:
        coordinates[:] = body.view(_REAL).reshape(-1, 3).astype(np.float32) * np.float32(_NM)
        return
    precision, minima, maxima, small = header.packing
    good = decode_frame(body, np.array(minima), np.array(maxima), small, _NM / precision, coordinates)
    if not good:
        raise FormatError(f"{path}: the compressed coordinates of frame {frame} are damaged; copy the file again")
