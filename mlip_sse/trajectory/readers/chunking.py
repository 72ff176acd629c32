"""Gather frames, which most formats yield one by one, into chunks of bounded memory."""

import mmap
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.frames import FrameChunk, TrajectoryWarning

__all__ = ["Frame", "frames_per_chunk", "in_chunks", "note_cut", "release_pages"]

_CHUNK_BYTES = 32 << 20


def release_pages(data: mmap.mmap) -> None:
    """Hand the pages of a mapped file back, so that a file longer than memory does not fill it."""
    if hasattr(mmap, "MADV_DONTNEED"):
        data.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame.

    Parameters
    ----------
    coordinates : (n_atoms, 3) Å or fractional
    cell : (3, 3) Å, rows are the cell vectors
    velocities : (n_atoms, 3) Å/fs, where the file has them
    time_fs
        Time in fs, where the file has it.
    step
        MD step, where the file has it.
    """

    coordinates: NDArray[np.float64]
    cell: NDArray[np.float64]
    velocities: NDArray[np.float64] | None = None
    time_fs: float | None = None
    step: int | None = None


def note_cut(notes: list[str], path: Path, what: str, n_kept: int) -> None:
    """Warn, and write into the notes, that the last frame was incomplete and left out."""
    note = f"{path}: cut off at its end ({what}): that last frame is dropped, {n_kept} are kept"
    notes.append(note)
    warnings.warn(note, TrajectoryWarning, stacklevel=2)


def frames_per_chunk(n_atoms: int) -> int:
    """Return how many frames of double-precision coordinates make a chunk (about 32 MB)."""
    return max(1, _CHUNK_BYTES // (24 * max(1, n_atoms)))


def in_chunks(frames: Iterable[Frame], n_atoms: int, path: Path) -> Iterator[FrameChunk]:
    """Yield chunks of consecutive frames.

    Raises
    ------
    FormatError
        When a frame has another number of atoms than the first, or lacks the velocities or times that others have.
    """
    size = frames_per_chunk(n_atoms)
    held: list[Frame] = []
    first: Frame | None = None
    for number, frame in enumerate(frames):
        first = first or frame
        _same_kind(frame, first, n_atoms, number, path)
        held.append(frame)
        if len(held) == size:
            yield _chunk(held)
            held = []
    if held:
        yield _chunk(held)


def _same_kind(frame: Frame, first: Frame, n_atoms: int, number: int, path: Path) -> None:
    if frame.coordinates.shape != (n_atoms, 3):
        raise FormatError(
            f"{path}: frame {number} has {len(frame.coordinates)} atoms, the first has {n_atoms}; "
            "the number of atoms must not change"
        )
    for name in ("velocities", "time_fs", "step"):
        if (getattr(frame, name) is None) != (getattr(first, name) is None):
            lacks, other = ("lacks", "has") if getattr(frame, name) is None else ("has", "lacks")
            raise FormatError(
                f"{path}: frame {number} {lacks} the {name} that frame 0 {other}; the file is mixed or damaged"
            )


def _chunk(frames: list[Frame]) -> FrameChunk:
    velocities = [frame.velocities for frame in frames if frame.velocities is not None]
    times = [frame.time_fs for frame in frames if frame.time_fs is not None]
    steps = [frame.step for frame in frames if frame.step is not None]
    return FrameChunk(
        coordinates=np.stack([frame.coordinates for frame in frames]),
        cells=np.stack([frame.cell for frame in frames]).astype(np.float64),
        velocities=np.stack(velocities) if velocities else None,
        times_fs=np.array(times, dtype=np.float64) if times else None,
        steps=np.array(steps, dtype=np.int64) if steps else None,
    )
