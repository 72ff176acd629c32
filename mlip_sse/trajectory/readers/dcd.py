"""DCD files of NAMD, CHARMM, OpenMM, LAMMPS and MDAnalysis: Fortran records of single-precision coordinates in Å.

Frames have one size, so that the file is mapped as an array of records and every record marker is checked; a
damaged file cannot reach further than that. The unit cell is stored in three ways: [A, cos γ, B, cos β, cos α,
C], the same with angles in degrees (NAMD before 2.6), or the lower triangle of CHARMM's symmetric shape matrix.
"""

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.frames import Coordinates, FrameChunk, FrameSource
from mlip_sse.trajectory.periodic_cells import cells_from_lengths_angles, require_cells
from mlip_sse.trajectory.readers.chunking import frames_per_chunk, note_cut, release_pages
from mlip_sse.trajectory.readers.naming import name_atoms

__all__ = ["open_dcd"]

_AKMA_TIME_FS = 48.88821
"""CHARMM's unit of time, sqrt(amu Å² mol/kcal), in fs."""

_TIME_UNITS_FS = {"akma": _AKMA_TIME_FS, "fs": 1.0, "ps": 1000.0}


@dataclass(frozen=True)
class _Header:
    n_atoms: int
    n_frames_stated: int
    interval: int
    delta: float
    remarks: str
    frame: np.dtype[np.void]
    start: int


def open_dcd(
    path: Path,
    *,
    species: Sequence[str] | None = None,
    topology: str | Path | None = None,
    time_unit: str | None = None,
) -> FrameSource:
    """Open a DCD file.

    Parameters
    ----------
    path
        The file.
    species, topology
        Chemical symbols, or a structure file of the same atoms: a DCD names none.
    time_unit
        ``akma`` (the standard), ``fs`` or ``ps``. LAMMPS writes its own time unit, which the file does not name: there
        the frame spacing stays unknown until this, or the spacing itself, is given.

    Raises
    ------
    FormatError
        When the file is damaged, or of a kind that is not read (fixed atoms, a fourth dimension).
    """
    header = _read_header(path)
    notes: list[str] = []
    data, frames = _map(path, header, notes)
    return FrameSource(
        chunks=_chunks(path, data, frames, frames_per_chunk(header.n_atoms)),
        n_atoms=header.n_atoms,
        species=name_atoms(path, header.n_atoms, "DCD", species, topology),
        coordinates=Coordinates.CARTESIAN_UNKNOWN,
        frame_spacing_fs=_frame_spacing(header, time_unit, notes),
        n_frames=len(frames),
        notes=notes,
    )


def _frame_spacing(header: _Header, time_unit: str | None, notes: list[str]) -> float | None:
    if time_unit is not None and time_unit not in _TIME_UNITS_FS:
        raise InputError(f"time_unit {time_unit!r} is unknown; expected one of {', '.join(_TIME_UNITS_FS)}")
    if time_unit is None and "LAMMPS" in header.remarks.upper():
        notes.append(
            "LAMMPS wrote this DCD in a time unit that the file does not name; give time_unit or the frame spacing"
        )
        return None
    spacing = header.delta * header.interval * _TIME_UNITS_FS[time_unit or "akma"]
    return spacing if np.isfinite(spacing) and spacing > 0 else None


def _read_header(path: Path) -> _Header:
    with path.open("rb") as file:
        head = file.read(1 << 16)
    order = "<" if head[:4] == b"\x54\x00\x00\x00" else ">"
    integer = np.dtype(order + "i4")

    def record(offset: int, what: str) -> tuple[bytes, int]:
        length = int(np.frombuffer(head, integer, 1, offset)[0]) if len(head) >= offset + 4 else -1
        end = offset + 4 + length
        if length < 0 or len(head) < end + 4 or int(np.frombuffer(head, integer, 1, end)[0]) != length:
            raise FormatError(f"{path}: the {what} record of the DCD header is damaged or cut off; copy the file again")
        return head[offset + 4 : end], end + 4

    control, offset = record(0, "control")
    if len(control) != 84:
        raise FormatError(f"{path}: the control record of the DCD header has {len(control)} bytes, expected 84")
    numbers = np.frombuffer(control, integer, 20, 4)
    title, offset = record(offset, "title")
    atoms, offset = record(offset, "atom count")
    n_atoms = int(np.frombuffer(atoms, integer, 1)[0]) if len(atoms) == 4 else 0
    if not 0 < n_atoms <= path.stat().st_size:
        raise FormatError(
            f"{path}: the DCD header gives {n_atoms} atoms, more than the file can hold or none; it is damaged"
        )
    is_charmm = bool(numbers[19])
    if numbers[8]:
        raise FormatError(
            f"{path}: has {numbers[8]} fixed atoms, whose frames are incomplete; write the DCD without fixed atoms"
        )
    if is_charmm and numbers[11]:
        raise FormatError(f"{path}: has a fourth dimension, which is not read; write the DCD in three dimensions")
    if not (is_charmm and numbers[10]):
        raise FormatError(f"{path}: has no unit cell; a periodic cell in every frame is needed")
    delta = np.frombuffer(control, order + "f4", 1, 40)[0]
    remarks = title[4:].decode("latin-1")
    frame = _frame_type(n_atoms, order)
    return _Header(n_atoms, int(numbers[0]), int(numbers[2]), float(delta), remarks, frame, offset)


def _frame_type(n_atoms: int, order: str) -> np.dtype[np.void]:
    integer, real, double = order + "i4", order + "f4", order + "f8"
    fields: list[tuple[str, str] | tuple[str, str, tuple[int, ...]]]
    fields = [("cell_head", integer), ("cell", double, (6,)), ("cell_tail", integer)]
    for axis in "xyz":
        fields += [(axis + "_head", integer), (axis, real, (n_atoms,)), (axis + "_tail", integer)]
    return np.dtype(fields)


def _map(path: Path, header: _Header, notes: list[str]) -> tuple[mmap.mmap, NDArray[np.void]]:
    n_bytes = path.stat().st_size - header.start
    n_frames, rest = divmod(n_bytes, header.frame.itemsize)
    if n_frames < 1:
        raise FormatError(f"{path}: ends inside its first frame of {header.n_atoms} atoms; the file is cut off")
    if rest:
        note_cut(notes, path, f"{rest} of {header.frame.itemsize} bytes of a frame", n_frames)
    elif header.n_frames_stated > n_frames:
        note_cut(notes, path, f"the header states {header.n_frames_stated} frames", n_frames)
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return data, np.frombuffer(data, dtype=header.frame, count=n_frames, offset=header.start)


def _chunks(path: Path, data: mmap.mmap, frames: NDArray[np.void], size: int) -> Iterator[FrameChunk]:
    n_atoms = frames.dtype["x"].shape[0]
    for start in range(0, len(frames), size):
        part = frames[start : start + size]
        for name, length in (("cell", 48), ("x", 4 * n_atoms), ("y", 4 * n_atoms), ("z", 4 * n_atoms)):
            good = (part[name + "_head"] == length) & (part[name + "_tail"] == length)
            if not good.all():
                bad = start + int(np.argmin(good))
                raise FormatError(f"{path}: the {name} record of frame {bad} has damaged markers; copy the file again")
        coordinates = np.empty((len(part), n_atoms, 3), dtype=np.float32)
        with np.errstate(invalid="ignore"):  # signalling NaNs of a damaged file, refused by name when it is unwrapped
            for axis, name in enumerate("xyz"):
                coordinates[:, :, axis] = part[name]
        cells = require_cells(_cells(part["cell"].astype(np.float64), path, start), start, path)
        yield FrameChunk(coordinates=coordinates, cells=cells)
        release_pages(data)


def _cells(stored: NDArray[np.float64], path: Path, first_frame: int) -> NDArray[np.float64]:
    """Turn (n, 6) stored numbers into (n, 3, 3) cell vectors in Å, by the one convention that fits all frames."""
    lengths, angles = stored[:, [0, 2, 5]], stored[:, [4, 3, 1]]
    with np.errstate(invalid="ignore"):
        if np.all(np.abs(angles) <= 1.0):
            return cells_from_lengths_angles(lengths, 90.0 - np.degrees(np.arcsin(angles)))
        if np.all((angles > 20.0) & (angles < 160.0)):
            return cells_from_lengths_angles(lengths, angles)
    shape = stored[:, [0, 1, 3, 1, 2, 4, 3, 4, 5]].reshape(-1, 3, 3)
    eigenvalues = np.linalg.eigvalsh(np.where(np.isfinite(shape), shape, 0.0))
    good = np.isfinite(shape).all(axis=(1, 2)) & (eigenvalues[:, 0] > 0)
    if not good.all():
        bad = int(np.argmin(good))
        raise FormatError(
            f"{path}: the cell of frame {first_frame + bad} is {stored[bad].tolist()}, which is neither lengths with "
            "angles or cosines nor a shape matrix; the file is damaged"
        )
    return shape
