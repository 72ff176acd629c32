"""Plain XYZ files, above all those of CP2K: comments carry step and time, a second file carries the cell.

CP2K writes ``PROJECT-pos-1.xyz`` with comments ``i = 10, time = 5.000, E = …`` and ``PROJECT-1.cell`` beside it, with
the columns step, time, the nine components of the cell vectors, and volume.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.frames import Coordinates, FrameSource
from mlip_sse.trajectory.periodic_cells import cell_from_option, require_cells
from mlip_sse.trajectory.readers.chunking import Frame, in_chunks, note_cut
from mlip_sse.trajectory.readers.compressed import open_bytes, strip_compression_suffix
from mlip_sse.trajectory.readers.naming import Naming, name_labels

__all__ = ["open_xyz"]

_COMMENT = re.compile(rb"\bi\s*=\s*(\d+)\s*,\s*time\s*=\s*([-+.\deE]+)")
_LONGEST_LINE = 1 << 16


def open_xyz(
    path: Path,
    *,
    cell: ArrayLike | None = None,
    cell_file: str | Path | None = None,
    species: Naming = None,
) -> FrameSource:
    """Open an XYZ file, compressed or not.

    Parameters
    ----------
    path
        The file.
    cell
        The cell of all frames in Å: three lengths, a b c α β γ, or three vectors.
    cell_file
        A CP2K ``.cell`` file; taken from beside the trajectory where neither is given.
    species
        One symbol for each atom, or a mapping from label to symbol; not needed where the labels are symbols.

    Raises
    ------
    InputError
        When no cell is known.
    FormatError
        When a frame is damaged, or the atoms change their number or order.
    """
    notes: list[str] = []
    source = _cells(path, cell, cell_file, notes)
    tables = _tables(path, open_bytes(path), notes)
    first = next(tables, None)
    if first is None:
        raise FormatError(f"{path}: holds no frames; expected the number of atoms in the first line")
    labels = first.labels
    return FrameSource(
        chunks=in_chunks(_frames(path, chain([first], tables), labels, source), len(labels), path),
        n_atoms=len(labels),
        species=name_labels(path, [label.decode("latin-1") for label in labels], species),
        coordinates=Coordinates.CARTESIAN_UNKNOWN,
        notes=notes,
    )


class _Cells:
    """The cell of each step: one for all, or a table from a CP2K ``.cell`` file."""

    def __init__(self, fixed: NDArray[np.float64] | None, table: dict[int, NDArray[np.float64]], origin: Path) -> None:
        self._fixed, self._table, self._origin = fixed, table, origin

    def at(self, step: int | None, frame: int, path: Path) -> NDArray[np.float64]:
        """Return the cell of a frame."""
        if self._fixed is not None:
            return self._fixed
        if step is None or step not in self._table:
            where = f"step {step}" if step is not None else "no step in its comment"
            raise FormatError(f"{path}: frame {frame} has {where}, {self._origin.name} has no cell for it; pass cell=")
        return self._table[step]


def _cells(path: Path, cell: ArrayLike | None, cell_file: str | Path | None, notes: list[str]) -> _Cells:
    if cell is not None and cell_file is not None:
        raise InputError(f"{path}: both cell and cell_file were given; give one")
    if cell is not None:
        return _Cells(cell_from_option(cell), {}, path)
    if cell_file is None:
        found = _cell_file_beside(path)
        if found is None:
            raise InputError(
                f"{path}: XYZ stores no cell, and no CP2K .cell file lies beside it; pass cell= (3 lengths, "
                "a b c α β γ, or 3 vectors in Å) or cell_file="
            )
        notes.append(f"cells taken from {found.name}")
        cell_file = found
    return _Cells(None, _read_cell_file(Path(cell_file)), Path(cell_file))


def _cell_file_beside(path: Path) -> Path | None:
    """PROJECT-pos-1.xyz has its cells in PROJECT-1.cell."""
    match = re.fullmatch(r"(.+)-pos(-\d+)\.xyz", strip_compression_suffix(path.name))
    candidate = path.with_name(f"{match[1]}{match[2]}.cell") if match else path
    return candidate if match and candidate.is_file() else None


def _read_cell_file(path: Path) -> dict[int, NDArray[np.float64]]:
    if not path.is_file():
        raise InputError(f"{path}: no such cell file; give CP2K's .cell file, or cell=")
    steps, cells = [], []
    with open_bytes(path) as stream:
        number = 0
        while line := _line(stream, path):
            number += 1
            if line.lstrip().startswith(b"#") or not line.strip():
                continue
            try:
                words = [float(word) for word in line.split()]
                step = int(words[0])
            except (ValueError, OverflowError) as error:
                raise FormatError(f"{path}: line {number} is not made of numbers; give a CP2K .cell file") from error
            if len(words) not in (11, 12) or (len(words) == 11 and not line.endswith(b"\n")):
                raise FormatError(
                    f"{path}: line {number} has {len(words)} numbers, expected step, time, 9 of the cell, volume"
                )
            steps.append(step)
            cells.append(words[2:11])
    if not steps:
        raise FormatError(f"{path}: holds no cells; give CP2K's .cell file, or cell=")
    vectors = require_cells(np.array(cells).reshape(-1, 3, 3), 0, path)
    return dict(zip(steps, vectors, strict=True))


@dataclass(frozen=True, eq=False)
class _Table:
    """One frame as it stands in the file."""

    labels: NDArray[np.bytes_]
    positions: NDArray[np.float64]
    step: int | None
    time_fs: float | None


def _tables(path: Path, stream: BinaryIO, notes: list[str]) -> Iterator[_Table]:
    """Yield the frames of the file up to its end, or up to the one that is cut off."""
    n_frames = 0
    with stream:
        while True:
            head = _line(stream, path)
            while head and not head.strip():
                head = _line(stream, path)
            if not head:
                return
            table = _table(path, stream, head, n_frames)
            if table is None:
                if not n_frames:
                    raise FormatError(f"{path}: ends inside its first frame; the file is cut off")
                note_cut(notes, path, f"it ends inside frame {n_frames}", n_frames)
                return
            yield table
            n_frames += 1


def _table(path: Path, stream: BinaryIO, head: bytes, frame: int) -> _Table | None:
    """Read the rest of a frame; None where the file ends inside it."""
    if not head.strip().isdigit() or not 0 < int(head) < 10**9:
        if not head.endswith(b"\n"):
            return None
        raise FormatError(
            f"{path}: frame {frame} begins with {head.strip()[:40].decode('latin-1')!a}, expected its number of atoms"
        )
    n_atoms = int(head)
    comment = _line(stream, path)
    lines = []
    for _ in range(n_atoms):
        lines.append(_line(stream, path))
        if not lines[-1].endswith(b"\n"):
            return None
    n_columns = len(lines[0].split())
    words = b"".join(lines).split()
    if n_columns < 4 or len(words) != n_atoms * n_columns:
        raise FormatError(
            f"{path}: frame {frame} has rows of unequal length or fewer than 4 columns; expected label x y z"
        )
    table = np.array(words, dtype=np.bytes_).reshape(n_atoms, n_columns)
    try:
        positions = table[:, 1:4].astype(np.float64)
    except ValueError as error:
        raise FormatError(f"{path}: frame {frame} has a coordinate that is not a number ({str(error)[:80]})") from error
    stamp = _COMMENT.search(comment)
    try:
        step, time = (int(stamp[1]), float(stamp[2])) if stamp else (None, None)
    except ValueError as error:
        raise FormatError(
            f"{path}: the comment of frame {frame} has an unreadable time; expected i = …, time = …"
        ) from error
    return _Table(np.ascontiguousarray(table[:, 0]), positions, step, time)


def _frames(path: Path, tables: Iterator[_Table], labels: NDArray[np.bytes_], cells: _Cells) -> Iterator[Frame]:
    for number, table in enumerate(tables):
        if len(table.labels) == len(labels) and np.any(table.labels != labels):
            atom = int(np.argmax(table.labels != labels))
            raise FormatError(
                f"{path}: atom {atom} is {table.labels[atom].decode('latin-1')} in frame {number} and "
                f"{labels[atom].decode('latin-1')} in frame 0; atoms must keep their order"
            )
        cell = cells.at(table.step, number, path)
        yield Frame(table.positions, cell, time_fs=table.time_fs, step=table.step)


def _line(stream: BinaryIO, path: Path) -> bytes:
    line = stream.readline(_LONGEST_LINE)
    if len(line) >= _LONGEST_LINE:
        raise FormatError(f"{path}: a line of more than {_LONGEST_LINE} characters; the file is damaged or no XYZ")
    return line
