"""VASP's OUTCAR, read line by line: lattice vectors, ``POSITION`` tables, species and run parameters."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.frames import Coordinates, FrameSource
from mlip_sse.trajectory.periodic_cells import require_cells
from mlip_sse.trajectory.readers.chunking import Frame, in_chunks, note_cut
from mlip_sse.trajectory.readers.compressed import open_bytes
from mlip_sse.trajectory.readers.naming import name_labels
from mlip_sse.trajectory.readers.vasp_tags import molecular_dynamics

__all__ = ["open_outcar"]

_TAG = re.compile(r"\b(IBRION|POTIM|TEBEG|TEEND|SMASS|MDALGO|ANDERSEN_PROB|ML_LMLFF|ML_MODE|ML_ISTART)\s*=\s*([^\s;]+)")
_LONGEST_LINE = 1 << 16


def open_outcar(path: Path) -> FrameSource:
    """Open an OUTCAR, compressed or not. Positions have five decimals there: prefer vasprun.xml or XDATCAR.

    Raises
    ------
    FormatError
        When the header names no species, the file ends before the first ionic step, or a table is damaged.
    """
    notes: list[str] = []
    stream = open_bytes(path)
    header = _Header(path)
    cell = header.read(stream)
    labels = header.labels()
    run = molecular_dynamics(header.tags)
    notes.extend(run.notes)
    return FrameSource(
        chunks=in_chunks(_frames(stream, cell, len(labels), path, notes), len(labels), path),
        n_atoms=len(labels),
        species=name_labels(path, labels, None),
        coordinates=Coordinates.CARTESIAN_UNKNOWN,
        frame_spacing_fs=run.timestep_fs,
        timestep_fs=run.timestep_fs,
        temperature_k=run.temperature_k,
        notes=notes,
    )


class _Header:
    """Everything before the first electronic iteration: species, counts, tags and the starting lattice."""

    def __init__(self, path: Path) -> None:
        self.tags: dict[str, str] = {}
        self._path = path
        self._elements: list[str] = []
        self._titles: list[str] = []
        self._potentials: list[str] = []
        self._counts: list[int] = []

    def read(self, stream: BinaryIO) -> NDArray[np.float64]:
        """Read up to the first iteration and return the starting cell."""
        cell: NDArray[np.float64] | None = None
        for line in _lines(stream, self._path):
            if "Iteration " in line:
                break
            if "VRHFIN =" in line:
                self._elements.append(line.split("=", 1)[1].split(":")[0].strip())
            elif "TITEL  =" in line:
                self._titles.append(_element_of_title(line.split("=", 1)[1]))
            elif line.lstrip().startswith("POTCAR:"):
                self._potentials.append(_element_of_title(line.split(":", 1)[1]))
            elif "ions per type =" in line:
                self._counts = _integers(line.split("=", 1)[1], self._path)
            elif "direct lattice vectors" in line:
                cell = _lattice(stream, self._path)
            else:
                self.tags.update(_TAG.findall(line))
        if cell is None:
            raise FormatError(
                f"{self._path}: no lattice vectors before the first ionic step; the file is cut off or no OUTCAR"
            )
        return cell

    def labels(self) -> list[str]:
        """Return the species of every ion."""
        n_types = len(self._counts)
        if not n_types or min(self._counts) < 1 or sum(self._counts) > 10**8:
            raise FormatError(f"{self._path}: 'ions per type' gives {self._counts}, expected a count for each species")
        # VASP lists the potentials once, and once more as it reads them
        named = (self._elements, self._titles, self._potentials, self._potentials[: len(self._potentials) // 2])
        elements = next((names for names in named if len(names) == n_types), None)
        if elements is None:
            raise FormatError(
                f"{self._path}: {len(self._elements)} potentials named for {n_types} ion types; the header is damaged"
            )
        return [element for element, count in zip(elements, self._counts, strict=True) for _ in range(count)]


def _frames(stream: BinaryIO, cell: NDArray[np.float64], n_atoms: int, path: Path, notes: list[str]) -> Iterator[Frame]:
    n_frames = 0
    with stream:
        for line in _lines(stream, path):
            if "direct lattice vectors" in line:
                lattice = _rows(stream, 3, path)
                cell = cell if lattice is None else require_cells(lattice[None], n_frames, path)[0]
            elif "POSITION" in line and "TOTAL-FORCE" in line:
                _line(stream, path)  # the rule under the heading
                positions = _rows(stream, n_atoms, path)
                if positions is None:
                    note_cut(notes, path, f"it ends inside ionic step {n_frames + 1}", n_frames)
                    return
                if not _line(stream, path).lstrip().startswith("---"):
                    raise FormatError(
                        f"{path}: the positions of ionic step {n_frames + 1} do not end after {n_atoms} ions"
                    )
                yield Frame(positions, cell)
                n_frames += 1
    if not n_frames:
        raise FormatError(f"{path}: no POSITION table found; the run died before its first ionic step was finished")


def _lattice(stream: BinaryIO, path: Path) -> NDArray[np.float64]:
    rows = _rows(stream, 3, path)
    if rows is None:
        raise FormatError(f"{path}: the file ends inside the lattice vectors")
    cell: NDArray[np.float64] = require_cells(rows[None], 0, path)[0]
    return cell


def _rows(stream: BinaryIO, n_rows: int, path: Path) -> NDArray[np.float64] | None:
    """Read the first three numbers of some lines of six; None where the file ends first."""
    rows = []
    for _ in range(n_rows):
        line = _line(stream, path)
        if not line.endswith("\n"):
            return None
        words = line.split()
        try:
            numbers = [float(word) for word in words]
        except ValueError as error:
            raise FormatError(f"{path}: {line.strip()[:60]!r} should hold six numbers; the file is damaged") from error
        if len(numbers) != 6:
            raise FormatError(
                f"{path}: {line.strip()[:60]!r} holds {len(numbers)} numbers, expected six; the file is damaged"
            )
        rows.append(numbers[:3])
    return np.array(rows)


def _element_of_title(title: str) -> str:
    """Return the element of a title such as ``PAW_PBE Li_sv 10Sep2004``."""
    words = title.split()
    return words[1 if len(words) > 1 else 0].split("_")[0] if words else ""


def _integers(text: str, path: Path) -> list[int]:
    try:
        return [int(word) for word in text.split()]
    except ValueError as error:
        raise FormatError(
            f"{path}: 'ions per type' should be followed by counts, found {text.strip()[:60]!r}"
        ) from error


def _line(stream: BinaryIO, path: Path) -> str:
    line = stream.readline(_LONGEST_LINE)
    if len(line) >= _LONGEST_LINE:
        raise FormatError(f"{path}: a line of more than {_LONGEST_LINE} characters; the file is damaged or no OUTCAR")
    return line.decode("latin-1")


def _lines(stream: BinaryIO, path: Path) -> Iterator[str]:
    while line := _line(stream, path):
        yield line
