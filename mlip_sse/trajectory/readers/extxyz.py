"""Extended XYZ: ``Lattice`` and ``Properties`` in the comment line, one row an atom."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.frames import Coordinates, FrameSource
from mlip_sse.trajectory.model import masses_of
from mlip_sse.trajectory.periodic_cells import possible_cells
from mlip_sse.trajectory.readers.compressed import open_bytes
from mlip_sse.trajectory.readers.text_frames import FrameHeader, RowLayout, TextWindow, header_is_cut, stream_frames
from mlip_sse.trajectory.readers.text_rows import Column, pack_label, skip_lines

__all__ = ["open_extxyz"]

_HEADER = re.compile(rb"[ \t]*(?P<atoms>\d+)[ \t\r]*\n(?P<comment>[^\n]*)\n")
_VALUE = rb"\s*=\s*(?:\"(?P<a>[^\"]*)\"|'(?P<b>[^']*)'|\{(?P<c>[^}]*)\}|(?P<d>\[[^=]*\])|(?P<e>[^\s\"'{\[]+))"
_KEYS = {
    name: re.compile(rb"(?:^|(?<=[\s]))(?i:" + name.encode() + rb")" + _VALUE)
    for name in ("lattice", "properties", "time", "temperature")
}
_VELOCITIES = ("velo", "vel", "velocities", "velocity")
_ASE_TIME_FS = 10.180505710774743
"""Å √(amu/eV) in fs, the unit of time behind ASE's momenta and velocities."""


def open_extxyz(path: Path) -> FrameSource:
    """Open an extended XYZ file.

    Times (``Time=``) are taken in fs, as GPUMD and QUIP write them; velocities (``velo``, ``vel``, ``velocities``) in
    Å/fs, and ``momenta`` in ASE's unit.
    """
    window = TextWindow(open_bytes(path))
    window.refill()
    reader = _HeaderReader(path)
    while (first := reader.header(window, 0, 0)) is None or (
        skip_lines(window.array, first.rows, reader.n_atoms, window.filled)[0] < 0
    ):
        if not window.refill():
            break
    if first is None:
        raise FormatError(f"{path}: no complete frame: the file ends within the first header; give the whole file")
    end, found = skip_lines(window.array, first.rows, reader.n_atoms, window.filled)
    if end < 0:
        raise FormatError(
            f"{path}: no complete frame: the first holds {found} of {reader.n_atoms} atoms; give the whole file"
        )
    rows = [line.split() for line in bytes(window.data[first.rows : end - 1]).split(b"\n")]
    layout, species, masses = _layout(path, reader, rows)
    notes: list[str] = []
    if first.time_fs is not None:
        notes.append(f"{path}: Time taken in fs")
    chunks = stream_frames(path, window, layout, reader.header, notes)
    return FrameSource(
        chunks=chunks,
        n_atoms=reader.n_atoms,
        species=species,
        coordinates=Coordinates.CARTESIAN_UNKNOWN,
        masses=masses,
        notes=notes,
    )


@dataclass
class _HeaderReader:
    """Reads the two lines above a frame's atoms; most runs repeat them to the byte."""

    path: Path
    n_atoms: int = 0
    properties: bytes | None = None
    _lattice: bytes = b""
    _cell: NDArray[np.float64] | None = None
    _with_time: bool = False
    _last: bytes = b""

    def header(self, window: TextWindow, position: int, frame: int) -> FrameHeader | None:
        """Read one header; see `text_frames.HeaderReader`."""
        while window.data[position : position + 1].isspace():
            position += 1
        if self._last and self._cell is not None and window.data.startswith(self._last, position, window.filled):
            return FrameHeader(position + len(self._last), self._cell)
        match = _HEADER.match(window.data, position, window.filled)
        if match is None:
            return self._unread(window, position, frame)
        n_atoms, comment = int(match["atoms"]), match["comment"]
        properties = _value(comment, "properties") or b"species:S:1:pos:R:3"
        if self.properties is None:
            self.n_atoms, self.properties = n_atoms, properties
            self._with_time = _value(comment, "time") is not None
            if n_atoms == 0:
                raise FormatError(f"{self.path}: frame 0 has no atoms; give the frames of a run")
        if n_atoms != self.n_atoms:
            raise FormatError(
                f"{self.path}: frame {frame} has {n_atoms} atoms, the first had {self.n_atoms}; every frame must "
                "hold the same atoms"
            )
        if properties != self.properties:
            raise FormatError(
                f"{self.path}: frame {frame} has Properties={_text(properties)}, the first had "
                f"{_text(self.properties)}; every frame must have the same"
            )
        header = FrameHeader(match.end(), self._read_cell(comment, frame), time_fs=self._read_time(comment, frame))
        if not self._with_time:
            self._last = match[0]
        return header

    def _read_cell(self, comment: bytes, frame: int) -> NDArray[np.float64]:
        lattice = _value(comment, "lattice")
        if lattice is None:
            raise FormatError(
                f"{self.path}: frame {frame} has no Lattice; a cell is needed to unwrap: write extended XYZ with "
                "Lattice="
            )
        if self._cell is None or lattice != self._lattice:
            words = re.sub(rb"[\[\],]", b" ", lattice).split()
            try:
                cell = np.array([float(word) for word in words])
            except ValueError as error:
                raise FormatError(
                    f"{self.path}: frame {frame}: Lattice={_text(lattice)} holds a word: {str(error)[:80]}"
                ) from error
            if cell.size == 3:
                cell = np.diag(cell).ravel()
            if cell.size != 9 or not possible_cells(cell.reshape(1, 3, 3))[0]:
                raise FormatError(
                    f"{self.path}: frame {frame}: Lattice={_text(lattice)} is no cell; expected nine numbers, three "
                    "vectors"
                )
            self._lattice, self._cell = lattice, cell.reshape(3, 3)
        return self._cell

    def _read_time(self, comment: bytes, frame: int) -> float | None:
        if not self._with_time:
            return None
        word = _value(comment, "time")
        try:
            return float(word or b"")
        except ValueError as error:
            raise FormatError(f"{self.path}: frame {frame}: Time={_text(word or b'')} is not a number of fs") from error

    def _unread(self, window: TextWindow, position: int, frame: int) -> FrameHeader | None:
        rest = bytes(window.data[position : min(window.filled, position + 4096)])
        first = rest.split(b"\n")[0].strip()
        if header_is_cut(window, position) or (window.at_end and first.isdigit() and rest.count(b"\n") < 2):
            return None
        raise FormatError(
            f"{self.path}: frame {frame}: expected the number of atoms and a comment line, found "
            f"{_text(first[:60])}; the file is damaged there, or a frame has more atoms than it says"
        )


def _value(comment: bytes, key: str) -> bytes | None:
    match = _KEYS[key].search(comment)
    return None if match is None else next(group for group in match.group(*"abcde") if group is not None)


def _text(raw: bytes) -> str:
    return ascii(raw[:120].decode("latin-1"))


def _fields(path: Path, properties: bytes) -> dict[str, tuple[str, int, int]]:
    """Return for each property its kind (S, R, I, L), first column and number of columns."""
    parts = properties.decode("latin-1").split(":")
    fields: dict[str, tuple[str, int, int]] = {}
    column = 0
    if len(parts) % 3 or not all(width.isdigit() and int(width) > 0 for width in parts[2::3]):
        raise FormatError(
            f"{path}: frame 0: Properties={_text(properties)} cannot be read; expected name:kind:columns:…"
        )
    for name, kind, width in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        fields[name.lower()] = kind, column, int(width)
        column += int(width)
    fields[""] = "", column, 0
    return fields


def _layout(
    path: Path, reader: _HeaderReader, rows: list[list[bytes]]
) -> tuple[RowLayout, NDArray[np.str_], NDArray[np.float64] | None]:
    fields = _fields(path, reader.properties or b"")
    position = fields.get("pos") or fields.get("positions")
    element = fields.get("species") or fields.get("element") or fields.get("symbols")
    if position is None or position[2] != 3 or element is None or element[2] != 1:
        raise FormatError(
            f"{path}: frame 0: Properties={_text(reader.properties or b'')} needs species:S:1 and pos:R:3; write both"
        )
    width = fields[""][1]
    for i, row in enumerate(rows):
        if len(row) != width:
            raise FormatError(
                f"{path}: frame 0, atom {i}: found {len(row)} columns, expected {width} by Properties, in "
                f"{_text(b' '.join(row)[:60])}"
            )
    kinds = np.full(width, Column.SKIP, dtype=np.int64)
    kinds[position[1] : position[1] + 3] = 0, 1, 2
    kinds[element[1]] = Column.LABEL
    words = [row[element[1]] for row in rows]
    species = np.array([word.decode("latin-1") for word in words])
    moving = next((fields[name] for name in (*_VELOCITIES, "momenta") if name in fields), None)
    masses = _masses(path, fields, rows)
    velocities, unit = None, np.ones((1, 1))
    if moving is not None and moving[2] == 3:
        velocities = 3
        kinds[moving[1] : moving[1] + 3] = 3, 4, 5
        if moving is fields.get("momenta"):
            unit = 1.0 / (_ASE_TIME_FS * (masses_of(species) if masses is None else masses)[:, None])
    labels = np.array([pack_label(word) for word in words], dtype=np.int64)
    return RowLayout(reader.n_atoms, kinds, labels=labels, velocities=velocities, velocity_unit=unit), species, masses


def _masses(path: Path, fields: dict[str, tuple[str, int, int]], rows: list[list[bytes]]) -> NDArray[np.float64] | None:
    column = fields.get("masses") or fields.get("mass")
    if column is None or column[2] != 1:
        return None
    try:
        masses = np.array([float(row[column[1]]) for row in rows])
    except ValueError as error:
        raise FormatError(f"{path}: frame 0: a mass cannot be read ({error}); expected numbers in amu") from error
    if not (np.isfinite(masses).all() and (masses > 0).all()):
        raise FormatError(f"{path}: frame 0: a mass is not positive; expected numbers in amu")
    return masses
