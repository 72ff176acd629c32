"""GROMACS TRR files: big-endian frames of a header, the box, positions, velocities and forces in nm and ps.

Frames may lack positions (velocities or forces alone): those are passed over. Single and double precision are
told apart by the sizes in each header.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.chunking import Frame, in_chunks, note_cut
from mlip_sse.trajectory.even_times import StoredTimes
from mlip_sse.trajectory.frames import Coordinates, FrameChunk, FrameSource
from mlip_sse.trajectory.naming import name_atoms
from mlip_sse.trajectory.periodic_cells import require_cells

__all__ = ["open_trr"]

_MAGIC = 1993
_NM = 10.0
_NM_PER_PS = 0.01
_HEADER = np.dtype(">i4")
_N_SIZES = 10  # ir, e, box, vir, pres, top, sym, x, v, f


@dataclass(frozen=True)
class _FrameHeader:
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
    data = np.memmap(path, dtype=np.uint8, mode="r")
    notes: list[str] = []
    headers = [header for header in _headers(path, data, notes) if header.sizes[7]]
    if not headers:
        raise FormatError(
            f"{path}: no complete frame with positions found; the file is cut off or holds only velocities"
        )
    n_atoms = headers[0].n_atoms
    # GROMACS may write velocities less often than positions: then they are no series to work on
    with_velocities = all(header.sizes[8] for header in headers)
    times = StoredTimes.of(
        np.array([header.time_ps for header in headers]) * 1000.0,
        np.array([header.step for header in headers]),
        float(np.finfo(headers[0].real).eps),
        notes,
    )
    return FrameSource(
        chunks=_chunks(path, data, headers, with_velocities, times),
        n_atoms=n_atoms,
        species=name_atoms(path, n_atoms, "TRR", species, topology),
        coordinates=Coordinates.CARTESIAN_UNKNOWN,
        frame_spacing_fs=times.spacing_fs,
        n_frames=len(headers),
        notes=notes,
    )


def _headers(path: Path, data: NDArray[np.uint8], notes: list[str]) -> Iterator[_FrameHeader]:
    offset, n_frames, n_atoms = 0, 0, 0
    while offset < len(data):
        header = _header(path, data, offset, n_frames)
        if header is None or header.frame_end > len(data):
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
        offset, n_frames = header.frame_end, n_frames + 1


def _header(path: Path, data: NDArray[np.uint8], offset: int, frame: int) -> _FrameHeader | None:
    """Read one frame's header; None where the file ends inside it."""
    start = bytes(data[offset : offset + 256])
    damaged = FormatError(f"{path}: the header of frame {frame} is damaged at byte {offset}; copy the file again")
    if len(start) < 12:
        return None
    magic, _, n_chars = (int(word) for word in np.frombuffer(start, _HEADER, 3))
    if magic != _MAGIC or not 0 <= n_chars <= 64:
        raise damaged
    fixed = 12 + (n_chars + 3) // 4 * 4
    integers_end = fixed + 4 * (_N_SIZES + 3)
    if len(start) < integers_end + 8:
        return None
    integers = [int(word) for word in np.frombuffer(start, _HEADER, _N_SIZES + 3, fixed)]
    sizes, (n_atoms, step, _) = tuple(integers[:_N_SIZES]), integers[_N_SIZES:]
    width = next(
        (sizes[k] // count for k, count in ((2, 9), (7, 3 * n_atoms), (8, 3 * n_atoms)) if sizes[k] and count), 0
    )
    vectors = 3 * n_atoms * width
    if n_atoms <= 0 or width not in (4, 8) or any(sizes[k] not in (0, vectors) for k in (7, 8, 9)) or min(sizes) < 0:
        raise damaged
    if any(sizes[k] not in (0, 9 * width) for k in (2, 3, 4)):
        raise damaged
    real: np.dtype[np.floating] = np.dtype(f">f{width}")
    end = integers_end + 2 * width
    if len(start) < end:
        return None
    time = float(np.frombuffer(start, real, 1, integers_end)[0])
    return _FrameHeader(n_atoms, step, time, real, sizes, offset + end)


def _chunks(
    path: Path, data: NDArray[np.uint8], headers: list[_FrameHeader], with_velocities: bool, times: StoredTimes
) -> Iterator[FrameChunk]:
    def section(header: _FrameHeader, which: int) -> NDArray[np.float64]:
        start = header.end + sum(header.sizes[:which])
        numbers = np.frombuffer(data[start : start + header.sizes[which]].tobytes(), header.real)
        with np.errstate(invalid="ignore"):  # a damaged file may hold signalling NaNs, refused later by name
            return numbers.astype(np.float64).reshape(-1, 3)

    def frames() -> Iterator[Frame]:
        for number, header in enumerate(headers):
            box = section(header, 2) if header.sizes[2] else np.zeros((3, 3))
            yield Frame(
                coordinates=section(header, 7) * _NM,
                cell=require_cells(box[None] * _NM, number, path)[0],
                velocities=section(header, 8) * _NM_PER_PS if with_velocities else None,
                time_fs=None if times.times_fs is None else float(times.times_fs[number]),
                step=None if times.steps is None else int(times.steps[number]),
            )

    return in_chunks(frames(), headers[0].n_atoms, path)
