"""GROMACS TRR files: big-endian frames of a header, the box, positions, velocities and forces in nm and ps.

Frames may lack positions (velocities or forces alone): those are passed over. Single and double precision are
told apart by the sizes in each header.
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
from mlip_sse.trajectory.readers.chunking import Frame, in_chunks, note_cut, release_pages
from mlip_sse.trajectory.readers.naming import name_atoms

__all__ = ["open_trr"]

_MAGIC = 1993
_NM = 10.0
_NM_PER_PS = 0.01
_BEGINNING = struct.Struct(">3i")  # magic, length of the version string with and without its end
_SIZES = struct.Struct(">10i3i")  # of the sections, then atoms, step, an unused number
_BOX, _X, _V, _F = 2, 7, 8, 9
_LONGEST_HEADER = 256


class _FrameHeader(NamedTuple):
    n_atoms: int
    step: int
    time_ps: float
    real: np.dtype[np.floating]
    sizes: tuple[int, ...]
    end: int  # offset in the file of the first byte after the header

    @property
    def frame_end(self) -> int:
        return self.end + sum(self.sizes)


def open_trr(path: Path, *, species: Sequence[str] | None = None, topology: str | Path | None = None) -> FrameSource:
    """Open a TRR file.

    Parameters
    ----------
    path
        The file.
    species, topology
        Chemical symbols, or a structure file of the same atoms: a TRR names none.

    Raises
    ------
    FormatError
        When a header is damaged or the number of atoms changes.
    """
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    notes: list[str] = []
    scan = _Scan(path, data, notes)
    return FrameSource(
        chunks=_chunks(path, data, scan),
        n_atoms=scan.n_atoms,
        species=name_atoms(path, scan.n_atoms, "TRR", species, topology),
        coordinates=Coordinates.CARTESIAN_UNKNOWN,
        frame_spacing_fs=scan.times.spacing_fs,
        n_frames=len(scan.starts),
        notes=notes,
    )


class _Scan:
    """Where the complete frames with positions begin, and what their headers say."""

    def __init__(self, path: Path, data: mmap.mmap, notes: list[str]) -> None:
        self.starts, steps, times = array("q"), array("q"), array("d")
        self.n_atoms, offset, n_frames, width = 0, 0, 0, 4
        # GROMACS may write velocities less often than positions: then they are no series to work on
        self.with_velocities = True
        while offset < len(data):
            header = _header(path, data, offset, n_frames)
            if header is None or header.frame_end > len(data):
                if not n_frames:
                    raise FormatError(f"{path}: ends inside its first frame; the file is cut off")
                note_cut(notes, path, f"it ends inside frame {n_frames}", n_frames)
                break
            self.n_atoms = self.n_atoms or header.n_atoms
            if header.n_atoms != self.n_atoms:
                raise FormatError(
                    f"{path}: frame {n_frames} has {header.n_atoms} atoms, the first {self.n_atoms}; it must not change"
                )
            if header.sizes[_X]:
                self.starts.append(offset)
                steps.append(header.step)
                times.append(header.time_ps * 1000.0)
                self.with_velocities &= bool(header.sizes[_V])
                width = header.real.itemsize
            offset, n_frames = header.frame_end, n_frames + 1
        if not self.starts:
            raise FormatError(
                f"{path}: no complete frame with positions found; the file is cut off or holds only velocities"
            )
        resolution = float(np.finfo(np.float32 if width == 4 else np.float64).eps)
        self.times = StoredTimes.of(np.array(times), np.array(steps, dtype=np.int64), resolution, notes)


def _header(path: Path, data: mmap.mmap, offset: int, frame: int) -> _FrameHeader | None:
    """Read one frame's header; None where the file ends inside it."""
    start = data[offset : offset + _LONGEST_HEADER]
    if len(start) < 12:
        return None
    magic, _, n_chars = _BEGINNING.unpack_from(start)
    if magic != _MAGIC or not 0 <= n_chars <= 64:
        raise _damaged(path, offset, frame)
    at = _BEGINNING.size + (n_chars + 3) // 4 * 4
    if len(start) < at + _SIZES.size + 8:
        return None
    *sizes, n_atoms, step, _ = _SIZES.unpack_from(start, at)
    at += _SIZES.size
    counts = ((_BOX, 9), (_X, 3 * n_atoms), (_V, 3 * n_atoms))
    width = next((sizes[k] // count for k, count in counts if sizes[k] and count), 0)
    vectors = 3 * n_atoms * width
    if n_atoms <= 0 or width not in (4, 8) or any(sizes[k] not in (0, vectors) for k in (_X, _V, _F)) or min(sizes) < 0:
        raise _damaged(path, offset, frame)
    if any(sizes[k] not in (0, 9 * width) for k in (_BOX, _BOX + 1, _BOX + 2)):
        raise _damaged(path, offset, frame)
    if len(start) < at + 2 * width:
        return None
    (time,) = struct.unpack_from(">f" if width == 4 else ">d", start, at)
    real: np.dtype[np.floating] = np.dtype(f">f{width}")
    return _FrameHeader(n_atoms, step, time, real, tuple(sizes), offset + at + 2 * width)


def _damaged(path: Path, offset: int, frame: int) -> FormatError:
    return FormatError(f"{path}: the header of frame {frame} is damaged at byte {offset}; copy the file again")


def _chunks(path: Path, data: mmap.mmap, scan: _Scan) -> Iterator[FrameChunk]:
    def section(header: _FrameHeader, which: int) -> NDArray[np.float64]:
        start = header.end + sum(header.sizes[:which])
        numbers = np.frombuffer(data[start : start + header.sizes[which]], header.real)
        with np.errstate(invalid="ignore"):  # a damaged file may hold signalling NaNs, refused later by name
            return numbers.astype(np.float64).reshape(-1, 3)

    def frames() -> Iterator[Frame]:
        for number, start in enumerate(scan.starts):
            header = _header(path, data, start, number)
            if header is None:
                raise FormatError(f"{path}: became shorter while it was read; read it again when it is complete")
            box = section(header, _BOX) if header.sizes[_BOX] else np.zeros((3, 3))
            yield Frame(
                coordinates=section(header, _X) * _NM,
                cell=require_cells(box[None] * _NM, number, path)[0],
                velocities=section(header, _V) * _NM_PER_PS if scan.with_velocities else None,
                time_fs=None if scan.times.times_fs is None else float(scan.times.times_fs[number]),
                step=None if scan.times.steps is None else int(scan.times.steps[number]),
            )

    for chunk in in_chunks(frames(), scan.n_atoms, path):
        yield chunk
        release_pages(data)
