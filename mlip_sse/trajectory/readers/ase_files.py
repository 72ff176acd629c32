"""ASE's .traj files: frames of `ase.Atoms`, with momenta where the run had them.

An MD run of ASE leaves its time step and interval in the file's description, which give the frame spacing. Nothing in a
.traj is unpickled.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.frames import Coordinates, FrameSource
from mlip_sse.trajectory.periodic_cells import require_cells
from mlip_sse.trajectory.readers.chunking import Frame, in_chunks
from mlip_sse.trajectory.readers.compressed import open_bytes
from mlip_sse.trajectory.readers.naming import name_labels

__all__ = ["open_ase"]

_DAMAGED = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    RecursionError,
    EOFError,
    SyntaxError,  # NumPy, of the name of a type
    AssertionError,
)
"""What ASE's reader raises on a damaged file."""


def open_ase(path: Path) -> FrameSource:
    """Open an ASE .traj file.

    Raises
    ------
    FormatError
        When the file is damaged, holds no frame, has a frame without a cell, or atoms that change.
    """
    from ase.data import atomic_masses, chemical_symbols

    reader = _Reader(path)
    numbers, masses = reader.numbers, reader.masses
    spacing, temperature = _run(reader.description)
    return FrameSource(
        chunks=in_chunks(_frames(reader), len(numbers), path),
        n_atoms=len(numbers),
        species=name_labels(path, [chemical_symbols[number] for number in numbers], None),
        coordinates=Coordinates.CARTESIAN_UNKNOWN,
        masses=atomic_masses[numbers] if masses is None else masses,
        frame_spacing_fs=spacing,
        temperature_k=temperature,
        n_frames=reader.n_frames,
    )


class _Reader:
    """The frames of the file, by ASE's own reader, whose complaints about damage become one-line errors."""

    def __init__(self, path: Path) -> None:
        from ase.io import ulm

        _check_offsets(path)
        self._path = path
        with self._explained(0):
            self._file = ulm.Reader(open_bytes(path))
            self.n_frames = len(self._file)
            self.description = dict(self._file.get("description") or {})
        if not self.n_frames:
            raise FormatError(f"{path}: holds no frames; was the run killed before the first was written?")
        with self._explained(0):
            self.numbers = np.asarray(self._file.numbers, dtype=np.int64)
            self.masses = self._optional(self._file, "masses", (len(self.numbers),))
            if (
                self.numbers.ndim != 1
                or not len(self.numbers)
                or not np.all((self.numbers >= 0) & (self.numbers < 119))
            ):
                raise ValueError("the atomic numbers are impossible")

    def frame(self, index: int) -> Frame:
        """Return one frame."""
        from ase.units import fs

        with self._explained(index):
            item = self._file[index]
            shape = (len(self.numbers), 3)
            positions = np.asarray(item.positions, dtype=np.float64)
            numbers = np.asarray(item.get("numbers", self.numbers))
            cell = np.asarray(item.get("cell", np.zeros((3, 3))), dtype=np.float64)
            cell = np.diag(cell) if cell.shape == (3,) else cell.reshape(3, 3)
            momenta = self._optional(item, "momenta", shape)
        if positions.shape == shape and numbers.shape == self.numbers.shape and np.any(numbers != self.numbers):
            atom = int(np.argmax(numbers != self.numbers))
            raise FormatError(
                f"{self._path}: frame {index}: atom {atom} has atomic number {numbers[atom]}, in frame 0 "
                f"{self.numbers[atom]}; atoms must keep their order"
            )
        cell = require_cells(cell[None], index, self._path)[0]
        return Frame(positions, cell, None if momenta is None else momenta / self._mass_column() * fs)

    def _mass_column(self) -> NDArray[np.float64]:
        from ase.data import atomic_masses

        masses: NDArray[np.float64] = atomic_masses[self.numbers] if self.masses is None else self.masses
        return masses[:, None]

    @staticmethod
    def _optional(item: Any, name: str, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
        if name not in item:
            return None
        array = np.asarray(item.get(name), dtype=np.float64)
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
        return array

    @contextmanager
    def _explained(self, frame: int) -> Iterator[None]:
        try:
            yield
        except _DAMAGED as error:
            reason = " ".join(str(error).split())[:100] or type(error).__name__
            raise FormatError(
                f"{self._path}: frame {frame} of the ASE file cannot be read ({reason}); it is damaged or cut off"
            ) from error


def _check_offsets(path: Path) -> None:
    """Refuse a file whose table of frames points outside of it, before ASE allocates what the table says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(48)
        if len(head) < 48:
            raise FormatError(f"{path}: ends inside its header of 48 bytes; the file is cut off")
        version, n_items, table = struct.unpack("<3q", head[24:48])
        if not (0 <= n_items <= size // 8 and 48 <= table <= size - 8 * n_items):
            raise FormatError(
                f"{path}: the header states version {version}, {n_items} frames and a table at byte {table} of {size}; "
                "the file is damaged or cut off"
            )


def _frames(reader: _Reader) -> Iterator[Frame]:
    for index in range(reader.n_frames):
        yield reader.frame(index)


def _run(description: dict[str, Any]) -> tuple[float | None, float | None]:
    """Return frame spacing in fs and temperature in K as the description of an ASE MD run has them."""
    from ase.units import fs

    if description.get("type") != "molecular-dynamics":
        return None, None

    def positive(name: str) -> float | None:
        value = description.get(name)
        usable = isinstance(value, int | float) and np.isfinite(value) and value > 0
        return float(value) if usable and value is not None else None

    timestep, interval = positive("timestep"), positive("interval")
    spacing = timestep / fs * interval if timestep and interval else None
    return spacing, positive("temperature_K")
