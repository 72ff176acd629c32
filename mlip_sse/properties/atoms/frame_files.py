"""Frames of trajectories as ASE's atoms, some of them: ``FILE@start:stop:step``."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.atoms.surroundings import formal_potentials

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.trajectory.model import Trajectory

__all__ = ["charges_of", "frames_of", "labelled_frames", "split_name"]

Floats = npt.NDArray[np.float64]


def split_name(text: str) -> tuple[str, slice]:
    """Return the file and the frames of ``FILE`` or ``FILE@start:stop:step``."""
    path, sign, which = text.rpartition("@")
    if not sign:
        return text, slice(None)
    try:
        numbers = [int(part) if part.strip() else None for part in which.split(":")]
    except ValueError:
        numbers = []
    if not 2 <= len(numbers) <= 3 or (len(numbers) == 3 and numbers[2] == 0):
        raise InputError(f"found frames {which!r}, expected start:stop:step such as {path}@0:1000:25")
    return path, slice(*numbers)


def charges_of(text: str) -> dict[str, float]:
    """Return the charges of ``Li=1,S=-2``."""
    found = {}
    for part in text.split(","):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        try:
            found[name] = float(value)
        except ValueError:
            sign = ""
        if not (name and sign):
            raise InputError(f"found charges {text!r}, expected a number for each element, such as Li=1,P=5,S=-2")
    return found


def frames_of(trajectory: "Trajectory", which: slice = slice(None)) -> Iterator["Atoms"]:
    """Yield some frames of a trajectory."""
    from ase import Atoms

    symbols = [str(each) for each in trajectory.species]
    for at in range(len(trajectory.positions))[which]:
        cell = trajectory.cells[at]
        yield Atoms(symbols, np.asarray(trajectory.positions[at], dtype=np.float64), cell=cell, pbc=True)


def labelled_frames(
    text: str, charges: Mapping[str, float] | None, column: str | None, spacing_fs: float | None
) -> "tuple[list[Atoms], list[Floats]]":
    """Return frames and the property of their atoms: of a column of an extended XYZ, or the potential of charges."""
    from mlip_sse.trajectory.reading import read_trajectory

    path, which = split_name(text)
    if column is not None:
        from ase.io import read

        frames = list(read(path, ":"))[which]
        if not frames or column not in frames[0].arrays:
            known = ", ".join(frames[0].arrays) if frames else "none"
            raise InputError(f"{path}: found no column {column!r}, expected one of those of its atoms: {known}")
        return frames, [np.asarray(atoms.arrays[column], dtype=np.float64) for atoms in frames]
    if charges is None:
        raise InputError("found neither a column nor charges, expected --column NAME or --charges Li=1,S=-2")
    frames = list(frames_of(read_trajectory(path, frame_spacing_fs=spacing_fs), which))
    if not frames:
        raise InputError(f"{text}: no frame, expected some: look at start:stop:step")
    return frames, [formal_potentials(atoms, charges) for atoms in frames]
