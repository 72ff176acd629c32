"""VASP's XDATCAR: fixed cell or one header a frame, VASP 4 and 5, continued runs in one file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.frames import Coordinates, FrameSource
from mlip_sse.trajectory.periodic_cells import possible_cells
from mlip_sse.trajectory.readers.compressed import open_bytes
from mlip_sse.trajectory.readers.text_frames import FrameHeader, RowLayout, TextWindow, header_is_cut, stream_frames
from mlip_sse.trajectory.readers.text_rows import Column

__all__ = ["open_xdatcar"]

_NUMBER = rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?"
_THREE = rb"[ \t]*" + rb"[ \t]+".join([_NUMBER] * 3) + rb"[ \t\r]*\n"
_CELL_HEADER = re.compile(
    rb"(?P<title>[^\n]*)\n"
    rb"[ \t]*(?P<scale>" + _NUMBER + rb")[ \t\r]*\n"
    rb"(?P<cell>(?:" + _THREE + rb"){3})"
    rb"(?:[ \t]*(?P<symbols>[A-Za-z][^\n]*?)[ \t\r]*\n)?"
    rb"[ \t]*(?P<counts>\d+(?:[ \t]+\d+)*)[ \t\r]*\n"
)
_CONFIGURATION = re.compile(rb"[ \t]*(?:(?P<mode>Direct|Konfig|Cartesian)[^\n]*|[ \t\r]*)\n")


def open_xdatcar(path: Path, species: Sequence[str] | None = None) -> FrameSource:
    """Open an XDATCAR. It holds no time, so the caller has to give the frame spacing (POTIM times NBLOCK).

    Parameters
    ----------
    species
        The symbol of each atom, or of each of the file's groups of atoms; needed where the file has no symbols (VASP
        4).
    """
    window = TextWindow(open_bytes(path))
    window.refill()
    reader = _HeaderReader(path)
    first = reader.header(window, 0, 0)
    while first is None and window.refill():
        first = reader.header(window, 0, 0)
    if first is None:
        raise FormatError(f"{path}: no complete frame: the file ends within the first header; give the whole file")
    notes: list[str] = []
    chunks = stream_frames(path, window, reader.layout(window, first), reader.header, notes)
    return FrameSource(
        chunks=chunks,
        n_atoms=reader.n_atoms,
        species=reader.species(species),
        coordinates=Coordinates.FRACTIONAL_UNKNOWN,
        notes=notes,
    )


@dataclass
class _HeaderReader:
    """Reads the lines above a frame's atoms; the cell stays until another header gives a new one."""

    path: Path
    symbols: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    _header_text: bytes = b""
    _cell: NDArray[np.float64] | None = None

    @property
    def n_atoms(self) -> int:
        """Number of atoms in each frame."""
        return sum(self.counts)

    def header(self, window: TextWindow, position: int, frame: int) -> FrameHeader | None:
        """Read one header; see `text_frames.HeaderReader`."""
        start = position
        line = _CONFIGURATION.match(window.data, position, window.filled)
        if line is None or self._cell is None:
            match = _CELL_HEADER.match(window.data, position, window.filled)
            if match is None:
                return self._unread(window, start, frame)
            self._take_cell(match, frame)
            position = match.end()
            line = _CONFIGURATION.match(window.data, position, window.filled)
            if line is None:
                return self._unread(window, start, frame)
        if line["mode"] == b"Cartesian":
            raise FormatError(f"{self.path}: frame {frame}: Cartesian coordinates; an XDATCAR of VASP has Direct ones")
        if self._cell is None:
            return None
        return FrameHeader(line.end(), self._cell)

    def layout(self, window: TextWindow, first: FrameHeader) -> RowLayout:
        """Return what the rows hold: three coordinates, and flags of selective dynamics where a program wrote them."""
        words = window.line(first.rows).split()
        columns = [0, 1, 2] + [int(Column.SKIP)] * (3 if words[3:] and set(words[3:]) <= {b"T", b"F"} else 0)
        return RowLayout(self.n_atoms, np.array(columns, dtype=np.int64))

    def species(self, given: Sequence[str] | None) -> NDArray[np.str_]:
        """Return the symbol of each atom."""
        symbols = self.symbols if given is None else [str(symbol) for symbol in given]
        if given is not None and len(symbols) == self.n_atoms:
            return np.array(symbols)
        if len(symbols) != len(self.counts):
            found = f"{len(symbols)} symbols" if symbols else "no symbols (VASP 4)"
            raise InputError(
                f"{self.path}: {found} for groups of {self.counts} atoms; pass species= with one symbol for each group"
            )
        return np.repeat(np.array(symbols), self.counts)

    def _take_cell(self, match: re.Match[bytes], frame: int) -> None:
        text = match["scale"] + b"\n" + match["cell"]
        counts = [int(word) for word in match["counts"].split()]
        symbols = [word.decode("latin-1").split("_")[0].split("/")[0] for word in (match["symbols"] or b"").split()]
        if not self.counts:
            self.counts, self.symbols = counts, symbols
            if self.n_atoms == 0:
                raise FormatError(f"{self.path}: frame 0 has no atoms; give an XDATCAR of a run")
        elif counts != self.counts or symbols != self.symbols:
            raise FormatError(
                f"{self.path}: frame {frame} has {' '.join(symbols)} {counts}, the first had "
                f"{' '.join(self.symbols)} {self.counts}; every frame must hold the same atoms in the same order"
            )
        if text != self._header_text:
            self._cell = self._read_cell(match, frame)
            self._header_text = text

    def _read_cell(self, match: re.Match[bytes], frame: int) -> NDArray[np.float64]:
        scale = float(match["scale"].replace(b"D", b"e").replace(b"d", b"e"))
        words = match["cell"].replace(b"D", b"e").replace(b"d", b"e").split()
        cell = np.array([float(word) for word in words]).reshape(3, 3)
        with np.errstate(all="ignore"):  # what is not finite is refused in the next lines
            # a negative scale is the volume
            length = scale if scale > 0 else (-scale / abs(np.linalg.det(cell))) ** (1 / 3)
            scaled: NDArray[np.float64] = cell * length
        if not possible_cells(scaled[None])[0]:
            raise FormatError(f"{self.path}: frame {frame}: the cell has no volume: scale {scale:g}, {cell.tolist()}")
        return scaled

    def _unread(self, window: TextWindow, position: int, frame: int) -> FrameHeader | None:
        if header_is_cut(window, position) or (window.at_end and frame > 0 and self._may_be_cut(window, position)):
            return None
        found = ascii(window.line(position)[:60].decode("latin-1"))
        raise FormatError(
            f"{self.path}: frame {frame}: expected 'Direct configuration=' or a new header, found {found}; the file "
            "is damaged there, or a frame has more atoms than its header says"
        )

    def _may_be_cut(self, window: TextWindow, position: int) -> bool:
        """Say whether the file's last bytes may be the beginning of a header."""
        lines = bytes(window.data[position : window.filled]).split(b"\n")
        if len(lines) == 1 and b"Direct configuration=".startswith(lines[0].strip()[:21]):
            return True
        whole = self._header_text.split(b"\n")
        return len(lines) <= len(whole) + 4 and (len(lines) < 3 or _is_number(lines[1]))


def _is_number(line: bytes) -> bool:
    return re.fullmatch(rb"[ \t]*" + _NUMBER + rb"[ \t\r]*", line) is not None
