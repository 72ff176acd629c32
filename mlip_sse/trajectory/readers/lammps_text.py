"""LAMMPS text dumps (``dump atom``, ``dump custom``), any column order, any order of atoms, any box."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.frames import FrameSource
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
from mlip_sse.trajectory.readers.text_frames import FrameHeader, RowLayout, TextWindow, header_is_cut, stream_frames
from mlip_sse.trajectory.readers.text_rows import Column, pack_label, skip_lines

__all__ = ["open_lammps_text"]

_HEADER = re.compile(
    rb"\s*(?:ITEM: UNITS[ \t\r]*\n[ \t]*(?P<units>\w+)[ \t\r]*\n)?"
    rb"(?:ITEM: TIME[ \t\r]*\n[ \t]*(?P<time>[^\s]+)[ \t\r]*\n)?"
    rb"ITEM: TIMESTEP[ \t\r]*\n[ \t]*(?P<step>-?\d+)[ \t\r]*\n"
    rb"ITEM: NUMBER OF ATOMS[ \t\r]*\n[ \t]*(?P<atoms>\d+)[ \t\r]*\n"
    rb"(?P<box>ITEM: BOX BOUNDS[^\n]*\n[^\n]*\n[^\n]*\n[^\n]*\n)"
    rb"ITEM: ATOMS(?P<columns>[^\n]*)\n"
)


def open_lammps_text(
    path: Path,
    species: Mapping[int, str] | Sequence[str] | None = None,
    timestep_fs: float | None = None,
    units: str | None = None,
) -> FrameSource:
    """Open a LAMMPS text dump.

    Parameters
    ----------
    species
        Type to symbol, or the symbols of types 1, 2, …; not needed with an ``element`` or ``mass`` column.
    timestep_fs
        The run's timestep, which makes times of the steps; not needed where the dump has ``ITEM: TIME``.
    units
        ``metal`` (taken where neither the file nor the caller says) or ``real``.
    """
    window = TextWindow(open_bytes(path))
    window.refill()
    reader = _HeaderReader(path, units)
    first = reader.read(window, 0)
    while first is None or skip_lines(window.array, first.rows, reader.n_atoms, window.filled)[0] < 0:
        if not window.refill():
            break
        first = reader.read(window, 0)
    if first is None or reader.columns is None:
        raise FormatError(f"{path}: no complete frame: the file ends within the first header; give the whole file")
    columns = reader.columns
    table = _first_table(path, window, first.rows, reader.n_atoms, columns)
    order = np.arange(reader.n_atoms)
    identifiers = np.empty(0, np.int64)
    if columns.identifier is not None:
        identifiers, order = _sorted_identifiers(path, table, columns.identifier)
    words = _labels(columns, table, order)
    masses = None if columns.mass is None else _numbers(path, table[order, columns.mass], "mass").astype(np.float64)
    notes = [] if columns.identifier is not None else [f"{path}: no id column, atoms are taken to keep their order"]
    if reader.units_assumed:
        notes.append(f"{path}: LAMMPS units taken as metal")
    return FrameSource(
        chunks=stream_frames(path, window, _layout(columns, reader, identifiers, order, words), reader.header, notes),
        n_atoms=reader.n_atoms,
        species=_species(path, columns, table, order, species, masses),
        coordinates=columns.coordinates,
        masses=masses,
        timestep_fs=timestep_fs,
        notes=notes,
    )


@dataclass
class _HeaderReader:
    """Reads the lines above a frame's atoms; remembers the last box, for most runs keep theirs."""

    path: Path
    asked_units: str | None
    n_atoms: int = 0
    columns: Columns | None = None
    units: Units = field(default_factory=lambda: Units("metal", 1000.0, 1e-3))
    units_assumed: bool = False
    _column_line: bytes = b""
    _box_text: bytes = b""
    _box: tuple[NDArray[np.float64], tuple[float, float, float]] | None = None

    def read(self, window: TextWindow, frame: int) -> FrameHeader | None:
        """Read the first header, which says what the others must say too."""
        match = _HEADER.match(window.data, 0, window.filled)
        if match is None:
            return self._unread(window, 0, frame)
        self.n_atoms = int(match["atoms"])
        if self.n_atoms == 0:
            raise FormatError(f"{self.path}: frame 0 has no atoms; dump a group that holds some")
        self._column_line = match["columns"]
        self.columns = choose_columns([name.decode("latin-1") for name in match["columns"].split()], self.path)
        written = match["units"].decode() if match["units"] else None
        if written and self.asked_units and written != self.asked_units:
            raise InputError(f"{self.path}: the file says units {written}, units={self.asked_units!r} was asked for")
        self.units_assumed = not (written or self.asked_units)
        self.units = units_named(written or self.asked_units or "metal", self.path)
        return self.header(window, 0, frame)

    def header(self, window: TextWindow, position: int, frame: int) -> FrameHeader | None:
        """Read one header; see `text_frames.HeaderReader`."""
        match = _HEADER.match(window.data, position, window.filled)
        if match is None:
            return self._unread(window, position, frame)
        if int(match["atoms"]) != self.n_atoms:
            raise FormatError(
                f"{self.path}: frame {frame} has {int(match['atoms'])} atoms, the first had {self.n_atoms}; every "
                "frame must hold the same atoms"
            )
        if match["columns"] != self._column_line:
            raise FormatError(
                f"{self.path}: frame {frame} has columns {_text(match['columns'])}, the first had "
                f"{_text(self._column_line)}; every frame must have the same"
            )
        if self._box is None or match["box"] != self._box_text:
            self._box_text, self._box = match["box"], self._read_box(match["box"], frame)
        cell, origin = self._box
        time_fs = None
        if match["time"] is not None:
            time_fs = float(_numbers(self.path, [match["time"]], f"frame {frame}: the time")[0]) * self.units.time_fs
        fractional = self.columns is not None and self.columns.coordinates.name.startswith("FRACTIONAL")
        return FrameHeader(match.end(), cell, None if fractional else origin, int(match["step"]), time_fs)

    def _read_box(self, text: bytes, frame: int) -> tuple[NDArray[np.float64], tuple[float, float, float]]:
        lines = text.split(b"\n")
        words = lines[0].split()[3:]
        kind, width = "orthogonal", 2
        if words[:2] == [b"abc", b"origin"]:
            kind, width, words = "general", 4, words[2:]
        elif words[:3] == [b"xy", b"xz", b"yz"]:
            kind, width, words = "restricted", 3, words[3:]
        rows = [line.split() for line in lines[1:4]]
        if any(len(row) != width for row in rows):
            raise FormatError(
                f"{self.path}: frame {frame}: {kind} box bounds need {width} numbers a line, found {_text(text)}"
            )
        for axis, word in zip("xyz", words, strict=False):
            if b"s" in word or b"m" in word:
                raise FormatError(
                    f"{self.path}: frame {frame}: the box is shrink-wrapped along {axis} "
                    f"({word.decode('latin-1')}), its size means nothing; run with a fixed boundary (f or p)"
                )
        numbers = _numbers(self.path, [word for row in rows for word in row], f"frame {frame}: box bounds")
        cell, origin = box_from_bounds(kind, numbers.reshape(3, width))
        if not possible_cells(cell[None])[0]:
            raise FormatError(f"{self.path}: frame {frame}: the box has no volume: {_text(text)}")
        return cell, origin

    def _unread(self, window: TextWindow, position: int, frame: int) -> FrameHeader | None:
        rest = bytes(window.data[position : min(window.filled, position + 64)]).lstrip()
        if header_is_cut(window, position) or (window.at_end and _may_begin_header(window, position)):
            return None
        raise FormatError(
            f"{self.path}: frame {frame}: expected a frame that begins with ITEM: TIMESTEP, found "
            f"{_text(rest[:40])}; the file is damaged there, or a frame has more atoms than it says"
        )


def _may_begin_header(window: TextWindow, position: int) -> bool:
    """Say whether the file's last bytes may be a header that was cut off."""
    rest = bytes(window.data[position : window.filled]).lstrip()
    if rest.count(b"\n") > 13:
        return False
    return all(b"ITEM:".startswith(line[:5]) for line in rest.split(b"\n")[:1])


def _text(raw: bytes) -> str:
    return ascii(b" ".join(raw.split())[:80].decode("latin-1"))


def _numbers(path: Path, words: object, what: str) -> NDArray[np.float64]:
    try:
        values = np.array(words, dtype="S").astype(np.float64)
    except ValueError as error:
        raise FormatError(f"{path}: {what}: {error}; expected numbers") from error
    if not np.isfinite(values).all():
        raise FormatError(f"{path}: {what}: not finite; expected finite numbers")
    return values


def _first_table(path: Path, window: TextWindow, start: int, n_atoms: int, columns: Columns) -> NDArray[np.bytes_]:
    """Return the first frame's words, (n_atoms, n_columns)."""
    end, found = skip_lines(window.array, start, n_atoms, window.filled)
    if end < 0:
        raise FormatError(f"{path}: no complete frame: the first holds {found} of {n_atoms} atoms; give the whole file")
    rows = [line.split() for line in bytes(window.data[start : end - 1]).split(b"\n")]
    width = len(columns.names)
    for i, row in enumerate(rows):
        if len(row) != width:
            raise FormatError(
                f"{path}: frame 0, row {i + 1}: found {len(row)} columns, expected {width} "
                f"({' '.join(columns.names)}), in {_text(b' '.join(row))}"
            )
    return np.array(rows, dtype="S")


def _sorted_identifiers(
    path: Path, table: NDArray[np.bytes_], column: int
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    try:
        identifiers = table[:, column].astype(np.int64)
    except ValueError as error:
        raise FormatError(f"{path}: frame 0: the id column holds {error}; expected whole numbers") from error
    order = np.argsort(identifiers, kind="stable")
    ordered = identifiers[order]
    repeated = np.flatnonzero(np.diff(ordered) == 0)
    if repeated.size:
        raise FormatError(
            f"{path}: frame 0, atom id {ordered[repeated[0]]}: this id is there twice; expected each atom once"
        )
    return ordered, order


def _labels(columns: Columns, table: NDArray[np.bytes_], order: NDArray[np.intp]) -> NDArray[np.int64]:
    column = columns.element if columns.element is not None else columns.type
    if column is None:
        return np.empty(0, np.int64)
    return np.array([pack_label(bytes(word)) for word in table[order, column]], dtype=np.int64)


def _layout(
    columns: Columns,
    reader: _HeaderReader,
    identifiers: NDArray[np.int64],
    order: NDArray[np.intp],
    labels: NDArray[np.int64],
) -> RowLayout:
    kinds = np.full(len(columns.names), Column.SKIP, dtype=np.int64)
    kinds[list(columns.position)] = 0, 1, 2
    place = 3
    velocities = images = None
    if columns.velocity:
        velocities, place = place, place + 3
        kinds[list(columns.velocity)] = velocities, velocities + 1, velocities + 2
    if columns.image:
        images = place
        kinds[list(columns.image)] = images, images + 1, images + 2
    if columns.identifier is not None:
        kinds[columns.identifier] = Column.IDENTIFIER
    label = columns.element if columns.element is not None else columns.type
    if label is not None:
        kinds[label] = Column.LABEL
    slots = np.empty(reader.n_atoms, np.int64)
    slots[order] = np.arange(reader.n_atoms)
    return RowLayout(
        reader.n_atoms, kinds, identifiers, slots, labels, velocities, images, velocity_unit=reader.units.velocity
    )


def _species(
    path: Path,
    columns: Columns,
    table: NDArray[np.bytes_],
    order: NDArray[np.intp],
    species: Mapping[int, str] | Sequence[str] | None,
    masses: NDArray[np.float64] | None,
) -> NDArray[np.str_]:
    if columns.element is not None and species is None:
        return np.char.decode(table[order, columns.element], "latin-1")
    if columns.type is None:
        raise InputError(f"{path}: the dump has neither an element nor a type column; dump one of them")
    types = _numbers(path, table[order, columns.type], "the type column").astype(np.int64)
    return species_of_types(types, species, masses, path)
