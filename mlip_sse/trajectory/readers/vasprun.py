"""VASP's vasprun.xml, read as a stream of XML events, so that a file of any length takes the memory of one chunk.

Every ``<calculation>`` holds one ``<structure>`` with the cell and the fractional positions of that ionic step. A job
that was killed leaves the XML unclosed: the structures that were closed are kept. Documents that declare entities are
refused, because they can expand without bound.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.frames import Coordinates, FrameChunk, FrameSource
from mlip_sse.trajectory.periodic_cells import require_cells
from mlip_sse.trajectory.readers.chunking import Frame, in_chunks, note_cut
from mlip_sse.trajectory.readers.compressed import open_bytes
from mlip_sse.trajectory.readers.naming import name_labels
from mlip_sse.trajectory.readers.vasp_tags import molecular_dynamics

__all__ = ["open_vasprun"]

_READ_BYTES = 1 << 20
_OLD_SYMBOLS = {"X": "Xe", "r": "Zr"}  # how VASP 4 and 5.2 cut two symbols short


def open_vasprun(path: Path) -> FrameSource:
    """Open a vasprun.xml, compressed or not.

    Raises
    ------
    FormatError
        When the XML is damaged, declares entities, or ends before the first ionic step.
    """
    notes: list[str] = []
    document = _Document(path, notes)
    frames = document.frames(open_bytes(path))
    first = next(frames, None)
    if first is None or not document.labels:
        raise FormatError(
            f"{path}: no complete ionic step found, expected <calculation> with <structure>; the run died early"
        )
    run = molecular_dynamics(document.tags)
    notes.extend(run.notes)
    n_atoms = len(document.labels)
    return FrameSource(
        chunks=_chunks(first, frames, n_atoms, path),
        n_atoms=n_atoms,
        species=name_labels(path, document.labels, None),
        coordinates=Coordinates.FRACTIONAL_UNKNOWN,
        masses=document.masses(),
        frame_spacing_fs=run.timestep_fs,
        timestep_fs=run.timestep_fs,
        temperature_k=run.temperature_k,
        notes=notes,
    )


def _chunks(first: Frame, rest: Iterator[Frame], n_atoms: int, path: Path) -> Iterator[FrameChunk]:
    def frames() -> Iterator[Frame]:
        yield first
        yield from rest

    return in_chunks(frames(), n_atoms, path)


class _Document:
    """What the XML has said so far: tags, atoms, and the structures that wait to be taken."""

    def __init__(self, path: Path, notes: list[str]) -> None:
        self.tags: dict[str, str] = {}
        self.labels: list[str] = []
        self._path, self._notes = path, notes
        self._types: list[int] = []
        self._type_masses: list[float] = []
        self._ready: deque[Frame] = deque()
        self._n_frames = 0
        self._n_structures = 0  # in the ionic step that is open
        self._parser = expat.ParserCreate()
        self._open: list[str] = []  # names of the open elements, with their name attribute
        self._text: list[str] = []
        self._row: list[str] = []
        self._basis: NDArray[np.float64] | None = None
        self._positions: NDArray[np.float64] | None = None

    def masses(self) -> NDArray[np.float64] | None:
        """Return the masses that the run used, in amu, where every type has one."""
        if len(self._types) != len(self.labels) or not all(1 <= t <= len(self._type_masses) for t in self._types):
            return None
        masses = np.array([self._type_masses[t - 1] for t in self._types])
        return masses if bool(np.all(np.isfinite(masses) & (masses > 0))) else None

    def frames(self, stream: BinaryIO) -> Iterator[Frame]:
        """Yield the structures of the ionic steps as the stream is parsed."""
        parser = self._parser
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = self._refuse_entities
        with stream:
            while block := stream.read(_READ_BYTES):
                self._feed(block, last=False)
                while self._ready:
                    yield self._ready.popleft()
            self._feed(b"", last=True)

    def _feed(self, block: bytes, last: bool) -> None:
        try:
            self._parser.Parse(block, last)
        except expat.ExpatError as error:
            if last:
                if self._n_frames:
                    note_cut(self._notes, self._path, f"the XML is unclosed in line {error.lineno}", self._n_frames)
                return
            raise FormatError(
                f"{self._path}: line {error.lineno} is not XML ({expat.ErrorString(error.code)}) after "
                f"{self._n_frames} complete ionic steps; the file is damaged, cut it before that line to read the rest"
            ) from error
        except FormatError:
            raise
        except (ValueError, LookupError) as error:
            raise FormatError(
                f"{self._path}: line {self._parser.CurrentLineNumber} cannot be read ({error})"
            ) from error

    def _refuse_entities(self, name: str, *_: object) -> None:
        raise FormatError(f"{self._path}: declares the XML entity {name!r}, which no vasprun.xml does; refused")

    def _start(self, element: str, attributes: dict[str, str]) -> None:
        name = f"{element}:{attributes['name']}" if "name" in attributes else element
        self._open.append(name)
        if element in ("i", "c") or name in ("varray:basis", "varray:positions"):
            self._text.clear()
            self._parser.CharacterDataHandler = self._text.append
        elif element == "rc":
            self._row = []
        elif element == "calculation":
            self._n_structures = 0

    def _end(self, element: str) -> None:
        name = self._open.pop()
        if element == "v":
            self._text.append(" ")  # else the last number of a row and the first of the next could join
        elif element == "i" and ("incar" in self._open or "parameters" in self._open):
            self.tags[name.partition(":")[2]] = self._taken().strip()
        elif element == "c":
            self._row.append(self._taken().strip())
        elif element == "rc":
            self._take_row()
        elif element == "varray" and "structure" in self._open and "calculation" in self._open:
            if name == "varray:basis":
                self._basis = self._rows(self._taken(), 3)
            elif name == "varray:positions":
                self._positions = self._rows(self._taken(), len(self.labels))
        elif element == "structure" and "calculation" in self._open:
            self._take_structure()

    def _taken(self) -> str:
        self._parser.CharacterDataHandler = None
        return "".join(self._text)

    def _take_row(self) -> None:
        if "array:atoms" in self._open:
            self.labels.append(_OLD_SYMBOLS.get(self._row[0], self._row[0]))
            self._types.append(int(self._row[1]))
        elif "array:atomtypes" in self._open:
            self._type_masses.append(float(self._row[2]))

    def _rows(self, text: str, n_rows: int) -> NDArray[np.float64]:
        numbers = np.array(text.split(), dtype=np.float64)
        if numbers.size != 3 * n_rows:
            raise ValueError(f"{numbers.size} numbers where {n_rows} rows of 3 were expected")
        return numbers.reshape(n_rows, 3)

    def _take_structure(self) -> None:
        self._n_structures += 1
        if self._basis is None or self._positions is None:
            raise ValueError("a structure without basis or positions")
        if self._n_structures > 1:
            raise ValueError("two structures in one ionic step")
        self._ready.append(Frame(self._positions, require_cells(self._basis[None], self._n_frames, self._path)[0]))
        self._basis = self._positions = None
        self._n_frames += 1
