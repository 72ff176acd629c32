"""LAMMPS binary dumps (``dump … custom file.bin``), the format since 2021 with its names, and the older one without.

A frame is: [since 2021: minus the length of a magic word, the word, byte order, revision]; step; number of atoms;
kind of box; boundaries; bounds; number of columns; [since revision 2: units, time, names of columns]; number of
blocks; blocks, each a count of numbers and the numbers.
"""

import struct
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.frames import FrameChunk, FrameSource, TrajectoryWarning
from mlip_sse.trajectory.periodic_cells import possible_cells
from mlip_sse.trajectory.readers.compressed import open_bytes
from mlip_sse.trajectory.readers.lammps_units import (
    Columns,
    Units,
    box_from_bounds,
    choose_columns,
    species_of_types,
    units_named,
)

__all__ = ["open_lammps_binary"]

_CHUNK_BYTES = 8 << 20
"""Of frames that are held at a time."""

_MOST_COLUMNS = 1000
"""More are taken for damage."""


@dataclass(frozen=True)
class _Frame:
    step: int
    time: float | None
    cell: NDArray[np.float64]
    origin: tuple[float, float, float]
    table: NDArray[np.float64]
    units: str
    names: str


class _CutOffError(Exception):
    """The file ends within a frame."""


def open_lammps_binary(
    path: Path,
    species: Mapping[int, str] | Sequence[str] | None = None,
    timestep_fs: float | None = None,
    units: str | None = None,
    columns: str | None = None,
) -> FrameSource:
    """Open a LAMMPS binary dump.

    Parameters
    ----------
    species
        Type to symbol, or the symbols of types 1, 2, …; not needed with a ``mass`` column.
    timestep_fs
        The run's timestep, which makes times of the steps; not needed where the dump holds times.
    units
        ``metal`` (taken where neither the file nor the caller says) or ``real``.
    columns
        Names as in the dump command, such as ``"id type x y z"``, for files from before 2021.

    Raises
    ------
    FormatError
        When the file is damaged or no binary dump; the message names the frame.
    InputError
        When columns have no names, or too few or too many, or there is no type.
    """
    notes: list[str] = []
    frames = _frames(path, open_bytes(path), notes)
    first = next(frames, None)
    if first is None:
        raise FormatError(f"{path}: no complete frame; give the whole file")
    names = (first.names or columns or "").split()
    if not names:
        raise InputError(
            f"{path}: a binary dump of {first.table.shape[1]} columns from before 2021, which holds no names; pass "
            'columns= as in the dump command, for example columns="id type x y z"'
        )
    if len(names) != first.table.shape[1]:
        raise InputError(f"{path}: {len(names)} column names for {first.table.shape[1]} columns; give one for each")
    chosen = choose_columns(names, path)
    unit_system = units_named(first.units or units or "metal", path)
    if not (first.units or units):
        notes.append(f"{path}: LAMMPS units taken as metal")
    sorter = _Sorter(path, chosen, first.table)
    table = sorter.arrange(first.table, 0)
    masses = None if chosen.mass is None else np.ascontiguousarray(table[:, chosen.mass])
    if chosen.type is None and chosen.element is None:
        raise InputError(f"{path}: the dump has no type column; dump one")
    types = table[:, chosen.type if chosen.type is not None else chosen.element or 0]
    return FrameSource(
        chunks=_chunks(path, first, frames, chosen, unit_system, sorter),
        n_atoms=len(table),
        species=species_of_types(_whole(path, 0, "atom type", types[None])[0], species, masses, path),
        coordinates=chosen.coordinates,
        masses=masses,
        timestep_fs=timestep_fs,
        notes=notes,
    )


class _Sorter:
    """Puts each frame's rows in the order of the first frame's ascending ids."""

    def __init__(self, path: Path, columns: Columns, table: NDArray[np.float64]) -> None:
        self._path, self._columns = path, columns
        self._identifiers = None if columns.identifier is None else np.sort(table[:, columns.identifier])
        self._types: NDArray[np.float64] | None = None

    def arrange(self, table: NDArray[np.float64], frame: int) -> NDArray[np.float64]:
        """Return the rows in order, after checking that they are the same atoms."""
        if self._identifiers is not None and self._columns.identifier is not None:
            found = table[:, self._columns.identifier]
            order = np.argsort(found, kind="stable")
            table = table[order]
            repeated = np.flatnonzero(found[order][1:] == found[order][:-1])
            if repeated.size:
                raise FormatError(
                    f"{self._path}: frame {frame}, atom id {found[order][repeated[0]]:.0f}: this id is there twice; "
                    "every frame must hold each atom once"
                )
            wrong = np.flatnonzero(found[order] != self._identifiers)
            if wrong.size:
                raise FormatError(
                    f"{self._path}: frame {frame}, atom id {found[order][wrong[0]]:.0f}: this id is not in the first "
                    "frame; every frame must hold the same atoms"
                )
        if self._columns.type is not None:
            types = table[:, self._columns.type]
            if self._types is None:
                self._types = types.copy()
            wrong = np.flatnonzero(types != self._types)
            if wrong.size:
                raise FormatError(
                    f"{self._path}: frame {frame}, atom {wrong[0]}: its type is {types[wrong[0]]:.0f}, in the first "
                    f"frame {self._types[wrong[0]]:.0f}; atoms must keep their order"
                )
        return table


def _chunks(
    path: Path, first: _Frame, rest: Iterator[_Frame], columns: Columns, units: Units, sorter: _Sorter
) -> Iterator[FrameChunk]:
    per_chunk = max(1, _CHUNK_BYTES // max(1, first.table.nbytes))
    pending, n_done = [first], 0
    for frame in rest:
        if len(pending) == per_chunk:
            yield _chunk(path, pending, columns, units, sorter, n_done)
            n_done += len(pending)
            pending = []
        pending.append(frame)
    yield _chunk(path, pending, columns, units, sorter, n_done)


def _chunk(
    path: Path, frames: list[_Frame], columns: Columns, units: Units, sorter: _Sorter, n_done: int
) -> FrameChunk:
    expected = frames[0].table.shape
    for t, frame in enumerate(frames):
        if frame.table.shape != expected:
            raise FormatError(
                f"{path}: frame {n_done + t} has {frame.table.shape[0]} atoms and {frame.table.shape[1]} columns, "
                f"the one before {expected[0]} and {expected[1]}; every frame must hold the same"
            )
    tables = np.array([sorter.arrange(frame.table, n_done + t) for t, frame in enumerate(frames)])
    coordinates = np.ascontiguousarray(tables[:, :, list(columns.position)])
    if columns.coordinates.name.startswith("CARTESIAN"):
        with np.errstate(all="ignore"):  # what is not finite is refused by name when it is unwrapped
            coordinates -= np.array([frame.origin for frame in frames])[:, None, :]
    times = None
    if all(frame.time is not None for frame in frames):
        times = np.array([frame.time for frame in frames], dtype=np.float64) * units.time_fs
    return FrameChunk(
        coordinates,
        np.array([frame.cell for frame in frames]),
        None if columns.image is None else _whole(path, n_done, "image flag", tables[:, :, list(columns.image)]),
        None if columns.velocity is None else tables[:, :, list(columns.velocity)] * units.velocity,
        times,
        np.array([frame.step for frame in frames], dtype=np.int64),
    )


def _whole(path: Path, n_done: int, what: str, numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return numbers (n_frames, ...) that the file keeps as floating-point numbers as the whole numbers they are."""
    good = (np.abs(numbers) < 2.0**31).reshape(len(numbers), -1).all(axis=1)
    if not good.all():
        raise FormatError(
            f"{path}: frame {n_done + int(np.argmin(good))} has an impossible {what}; the file is damaged"
        )
    return numbers.astype(np.int64)


def _frames(path: Path, stream: BinaryIO, notes: list[str]) -> Iterator[_Frame]:
    """Yield the frames one by one; the last is dropped with a warning where the file ends within it."""
    n_frames, length, size = 0, 0, path.stat().st_size
    with stream:
        while (start := stream.tell()) < size:
            try:
                frame = _read_frame(path, stream, n_frames, size)
            except _CutOffError:
                if n_frames == 0:
                    raise FormatError(
                        f"{path}: no complete frame, or not a LAMMPS binary dump; give the whole file"
                    ) from None
                if size - start >= length:
                    raise FormatError(
                        f"{path}: frame {n_frames} claims more than the file holds; the file is damaged there: copy "
                        "it again"
                    ) from None
                note = f"{path}: cut off at its end: its last frame, {n_frames}, is dropped, {n_frames} are kept"
                notes.append(note)
                warnings.warn(note, TrajectoryWarning, stacklevel=2)
                return
            yield frame
            n_frames, length = n_frames + 1, stream.tell() - start


def _read_frame(path: Path, stream: BinaryIO, frame: int, size: int) -> _Frame:
    def read(layout: str) -> tuple[int, ...]:
        raw = stream.read(struct.calcsize("=" + layout))
        if len(raw) < struct.calcsize("=" + layout):
            raise _CutOffError
        return struct.unpack("=" + layout, raw)

    def read_text(length: int) -> str:
        require(0 <= length <= 10000, f"a text of {length} bytes")
        raw = stream.read(length)
        if len(raw) < length:
            raise _CutOffError
        return raw.decode("latin-1")

    def require(good: bool, found: str) -> None:
        if not good:
            raise FormatError(
                f"{path}: frame {frame}: found {found}; the file is damaged there, or no LAMMPS binary dump"
            )

    (step,) = read("q")
    revision = 0
    if step < 0:
        require(-step <= 64, f"a magic word of {-step} bytes")
        magic = read_text(-step)
        require(magic.startswith("DUMP"), f"the magic word {magic!a}")
        endian, revision = read("ii")
        require(endian == 1, "another byte order")
        (step,) = read("q")
    n_atoms, box = read("qi")
    require(0 < n_atoms < 2**40, f"{n_atoms} atoms")
    require(box in (0, 1, 2), f"box kind {box}")
    boundaries = read("6i")
    require(all(kind in (0, 1, 2, 3) for kind in boundaries), f"boundaries {boundaries}")
    if max(boundaries) > 1:
        raise FormatError(f"{path}: frame {frame}: the box is shrink-wrapped; run with fixed or periodic boundaries")
    with np.errstate(all="ignore"):  # what is not finite is refused in the next line
        cell, origin = _read_box(box, np.array(read({0: "6d", 1: "9d", 2: "12d"}[box])))
    require(bool(possible_cells(cell[None])[0]), f"a box without volume {cell.tolist()}")
    (width,) = read("i")
    require(0 < width <= _MOST_COLUMNS, f"{width} columns")
    units, names, time = "", "", None
    if revision > 1:
        units = read_text(read("i")[0])
        if read("b")[0]:
            time = float(read("d")[0])
        names = read_text(read("i")[0])
    table = _read_blocks(stream, size, read("i")[0], n_atoms, width, require)
    return _Frame(step, time, cell, origin, table, units.strip("\0"), names.strip("\0"))


def _read_box(kind: int, numbers: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[float, float, float]]:
    if kind == 2:
        return box_from_bounds("general", np.column_stack([numbers[:9].reshape(3, 3), numbers[9:]]))
    bounds = numbers[:6].reshape(3, 2)
    return (
        box_from_bounds("orthogonal", bounds)
        if kind == 0
        else box_from_bounds("restricted", np.column_stack([bounds, numbers[6:]]))
    )


def _read_blocks(
    stream: BinaryIO, size: int, n_blocks: int, n_atoms: int, width: int, check: Callable[[bool, str], None]
) -> NDArray[np.float64]:
    total, parts = n_atoms * width, []
    found = 0
    for _ in range(n_blocks):
        raw = stream.read(4)
        if len(raw) < 4:
            raise _CutOffError
        (count,) = struct.unpack("=i", raw)
        check(0 <= count <= total - found, f"a block of {count} numbers, {total - found} are missing")
        if 8 * count > size - stream.tell():
            raise _CutOffError
        data = stream.read(8 * count)
        parts.append(np.frombuffer(data, dtype=np.float64))
        found += count
    check(found == total, f"{found} numbers, expected {total}")
    return np.concatenate(parts).reshape(n_atoms, width)
