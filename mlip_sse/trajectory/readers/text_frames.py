"""Frames of a text file through a bounded window: what the LAMMPS, XDATCAR and extended-XYZ readers share.

A file is read in windows of a few megabytes. Within one, a format says where a frame's header ends (`HeaderReader`),
the number of lines says where its rows end, and the rows of all frames in the window are read at once, in parallel.
"""

import os
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.frames import FrameChunk, TrajectoryWarning
from mlip_sse.trajectory.readers.numbers import PADDING
from mlip_sse.trajectory.readers.text_rows import Column, RowStatus, parse_rows, skip_lines

__all__ = ["FrameHeader", "HeaderReader", "RowLayout", "TextWindow", "stream_frames"]

_WINDOW_BYTES = 8 << 20
_HEADER_BYTES = 1 << 16
_NOT_BLANK = re.compile(rb"\S")


@dataclass(frozen=True, eq=False)
class FrameHeader:
    """What stands above a frame's rows, and where those begin in the window."""

    rows: int
    cell: NDArray[np.float64]
    origin: tuple[float, float, float] | None = None
    step: int | None = None
    time_fs: float | None = None


@dataclass(frozen=True, eq=False)
class RowLayout:
    """What the rows hold; the same in all frames.

    Parameters
    ----------
    columns : (n_columns,)
        Place of each column's number in the output, or a `Column`; coordinates are places 0 to 2.
    identifiers : (n_atoms,) ascending, or empty where rows have none
    slots : (n_atoms,) place of each row of the first frame
    labels : (n_atoms,) packed label of each place, or empty
    velocities, images
        Place of the first of three columns, or None.
    velocity_unit : a number, or (n_atoms, 1)
        Å/fs in the file's unit of velocity, or of momentum.
    """

    n_atoms: int
    columns: NDArray[np.int64]
    identifiers: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    slots: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    labels: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    velocities: int | None = None
    images: int | None = None
    velocity_unit: float | NDArray[np.float64] = 1.0


class TextWindow:
    """A part of a file in memory, moved forward as it is used up; a newline always stands behind its last byte."""

    def __init__(self, stream: BinaryIO, size: int | None = None) -> None:
        self._stream = stream
        self.start = 0
        self.filled = 0
        self.at_end = False
        self._allocate(_window_size(stream) if size is None else size)

    def _allocate(self, size: int) -> None:
        self._capacity = size
        self.data = bytearray(size + 1 + PADDING)
        self.array = np.frombuffer(self.data, dtype=np.uint8)

    @property
    def rest(self) -> int:
        """Number of bytes not yet used."""
        return self.filled - self.start

    def refill(self) -> bool:
        """Move what is left to the front and read on, in a window twice as long where it is full; False at the end."""
        if self.at_end:
            return False
        left = self.data[self.start : self.filled]
        if self.rest > self._capacity // 2:
            self._allocate(2 * self._capacity)
        self.data[: len(left)] = left
        self.start, self.filled = 0, len(left)
        capacity = self._capacity
        view = memoryview(self.data)
        while self.filled < capacity:
            count = self._stream.readinto(view[self.filled : capacity])  # type: ignore[attr-defined]
            if not count:
                self.at_end = True
                break
            self.filled += count
        self.data[self.filled] = 10
        return self.filled > len(left)

    def is_blank(self, position: int) -> bool:
        """Say whether nothing but blanks and line ends follows."""
        return _NOT_BLANK.search(self.data, position, self.filled) is None

    def line(self, position: int) -> bytes:
        """Return the line that begins at ``position``, without its end."""
        end = self.data.find(b"\n", position, self.filled)
        return bytes(self.data[position : self.filled if end < 0 else end]).rstrip(b"\r")


def _window_size(stream: BinaryIO) -> int:
    """Return the default size, or that of a smaller file."""
    try:
        return max(1, min(_WINDOW_BYTES, os.fstat(stream.fileno()).st_size + 1))
    except OSError:  # a stream that decompresses has no file of its own
        return _WINDOW_BYTES


HeaderReader = Callable[[TextWindow, int, int], FrameHeader | None]
"""(window, position, frame number) → the header there, None when the window ends within it, or a FormatError."""


def header_is_cut(window: TextWindow, position: int) -> bool:
    """Say whether a header that cannot be read may only be cut off by the window's end."""
    return not window.at_end and window.filled - position < _HEADER_BYTES


@dataclass
class _Reading:
    """State of one pass over a file."""

    path: Path
    window: TextWindow
    layout: RowLayout
    read_header: HeaderReader
    notes: list[str]
    n_frames: int = 0
    pending: list[FrameHeader] = field(default_factory=list)


def stream_frames(
    path: Path,
    window: TextWindow,
    layout: RowLayout,
    read_header: HeaderReader,
    notes: list[str],
) -> Iterator[FrameChunk]:
    """Yield the frames of a window's file, a window at a time, from the window's start.

    Parameters
    ----------
    notes
        Receives a sentence when the last frame is cut off and dropped.
    """
    reading = _Reading(path, window, layout, read_header, notes)
    while True:
        position, cut = _index(reading)
        if reading.pending:
            yield _parse(reading)
            reading.n_frames += len(reading.pending)
            reading.pending.clear()
        window.start = position
        if not cut:
            return
        if not window.refill():
            _end_of_file(reading, position)
            return


def _index(reading: _Reading) -> tuple[int, bool]:
    """Collect the complete frames of the window: (where they end, whether more must be read)."""
    window, position = reading.window, reading.window.start
    n_rows = reading.layout.n_atoms
    while True:
        if window.at_end and window.is_blank(position):
            return position, False
        try:
            header = reading.read_header(window, position, reading.n_frames + len(reading.pending))
        except FormatError:
            if reading.pending:  # the fault may lie in the rows before
                return position, True
            raise
        if header is None:
            return position, True
        end, _ = skip_lines(window.array, header.rows, n_rows, window.filled)
        if end < 0:
            return position, True
        reading.pending.append(header)
        position = end


def _end_of_file(reading: _Reading, position: int) -> None:
    """Warn of a last frame that is cut off."""
    window, frame = reading.window, reading.n_frames
    if window.is_blank(position):
        return
    header = reading.read_header(window, position, frame)
    if header is None:
        what = f"frame {frame} ends within its header"
    else:
        _, n_lines = skip_lines(window.array, header.rows, reading.layout.n_atoms, window.filled)
        if _holds_header(reading, header.rows):
            raise FormatError(
                f"{reading.path}: frame {frame} has fewer than {reading.layout.n_atoms} atoms and is followed by "
                "another; the file is damaged there: cut it before that frame, or copy it again"
            )
        what = f"frame {frame} holds {n_lines} of {reading.layout.n_atoms} atoms"
        if n_lines == reading.layout.n_atoms - 1:
            what += ", or the last number is cut short, for its line has no end"
    if frame == 0:
        raise FormatError(f"{reading.path}: no complete frame: {what}; give the whole file")
    note = f"{reading.path}: cut off at its end ({what}): that last frame is dropped, {frame} are kept"
    reading.notes.append(note)
    warnings.warn(note, TrajectoryWarning, stacklevel=2)


def _holds_header(reading: _Reading, position: int) -> bool:
    rest = bytes(reading.window.data[position : reading.window.filled])
    return any(mark in rest for mark in (b"ITEM:", b"onfiguration=", b"Lattice="))


def _parse(reading: _Reading) -> FrameChunk:
    layout, frames = reading.layout, reading.pending
    starts = np.array([frame.rows for frame in frames], dtype=np.int64)
    values, status = parse_rows(
        reading.window.array, starts, layout.columns, layout.identifiers, layout.slots, layout.labels, layout.n_atoms
    )
    bad = np.flatnonzero(status[:, 0])
    if bad.size:
        _refuse(reading, int(bad[0]), status[bad[0]])
    plain = values.shape[2] == 3
    coordinates = values if plain else np.ascontiguousarray(values[:, :, :3])
    origins = np.array([frame.origin or (0.0, 0.0, 0.0) for frame in frames])
    if origins.any():
        coordinates -= origins[:, None, :]
    cells = np.array([frame.cell for frame in frames])
    velocities, images = None, None
    if layout.velocities is not None:
        velocities = values[:, :, layout.velocities : layout.velocities + 3] * layout.velocity_unit
    if layout.images is not None:
        images = _whole_flags(reading, values[:, :, layout.images : layout.images + 3])
    times = None if frames[0].time_fs is None else np.array([frame.time_fs for frame in frames], dtype=np.float64)
    steps = None if frames[0].step is None else np.array([frame.step for frame in frames], dtype=np.int64)
    return FrameChunk(coordinates, cells, images, velocities, times, steps)


def _whole_flags(reading: _Reading, flags: NDArray[np.float64]) -> NDArray[np.int64]:
    good = ((np.abs(flags) < 2.0**31) & (flags == np.rint(flags))).all(axis=2)
    if not good.all():
        frame, atom = (int(where) for where in np.argwhere(~good)[0])
        raise FormatError(
            f"{reading.path}: frame {reading.n_frames + frame}, atom {atom} (counted from 0): its image flags are "
            f"{flags[frame, atom].tolist()}, expected whole numbers; the file is damaged there"
        )
    return flags.astype(np.int64)


def _refuse(reading: _Reading, index: int, status: NDArray[np.int64]) -> NoReturn:
    """Raise the one-line error for a frame whose rows cannot be read."""
    layout, window = reading.layout, reading.window
    code, row, column, position = (int(value) for value in status)
    words = window.line(window.data.rfind(b"\n", 0, position) + 1).split()
    where = f"{reading.path}: frame {reading.n_frames + index}"
    if words and words[0] in (b"ITEM:", b"Direct"):
        raise FormatError(
            f"{where}: ends after {row} of {layout.n_atoms} atoms; the file is damaged there: cut it before this frame"
        )
    shown = ascii(b" ".join(words)[:60].decode("latin-1"))
    n_columns = len(layout.columns)
    said = {
        RowStatus.NOT_A_NUMBER_WORD: f"column {column + 1} is not a number in {shown}; the file is damaged there",
        RowStatus.NOT_FINITE: f"column {column + 1} is not finite in {shown}; the run has blown up: cut it before that",
        RowStatus.TOO_FEW_COLUMNS: f"found {column} columns, expected {n_columns}, in {shown}",
        RowStatus.TOO_MANY_COLUMNS: f"found {len(words)} columns, expected {n_columns}, in {shown}",
        RowStatus.UNKNOWN_IDENTIFIER: "this id is not in the first frame; every frame must hold the same atoms",
        RowStatus.REPEATED_IDENTIFIER: "this id is there twice; every frame must hold each atom once",
        RowStatus.LABEL_CHANGED: f"the atom's type or element is another than in the first frame, in {shown}; atoms "
        "must keep their order",
    }[RowStatus(code)]
    raise FormatError(f"{where}, {_name_row(layout, words, row)}: {said}")


def _name_row(layout: RowLayout, words: list[bytes], row: int) -> str:
    if layout.identifiers.size:
        column = int(np.flatnonzero(layout.columns == Column.IDENTIFIER)[0])
        if column < len(words):
            return f"atom id {ascii(words[column][:40].decode('latin-1'))[1:-1]}"
    return f"atom {row} (counted from 0)"
