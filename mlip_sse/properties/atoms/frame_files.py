"""Frames of trajectories as ASE's atoms, some of them: ``FILE@start:stop:step``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.atoms.site_energies import surrogate_site_energies
from mlip_sse.properties.atoms.surroundings import formal_potentials

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.trajectory.model import Trajectory

__all__ = ["Truth", "charges_of", "frames_of", "labelled_frames", "plain_frames", "split_name", "truth_of"]

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


@dataclass(frozen=True)
class Truth:
    """Where the property of atoms comes from: one of a column, formal charges, or the site energies of a surrogate."""

    column: str | None = None
    charges: Mapping[str, float] | None = None
    surrogate: str | None = None

    @property
    def what(self) -> str:
        """Name of the property."""
        return self.column or ("potential" if self.charges is not None else "site energy")

    def unit(self, of_column: str) -> str:
        """Return the unit; that of a column is told."""
        return of_column if self.column is not None else "V" if self.charges is not None else "eV"


def truth_of(column: str | None, charges: str | None, surrogate: str | None, needed: bool = True) -> Truth | None:
    """Return what the options say; None where they say nothing and need not.

    Raises
    ------
    InputError
        When they say more than one thing, or nothing where something is needed.
    """
    given = [each for each in (column, charges, surrogate) if each is not None]
    if not given and not needed:
        return None
    if len(given) != 1:
        raise InputError(
            f"found {len(given)} of --column, --charges and --site-energies, expected one of them, such as "
            f"--charges Li=1,S=-2"
        )
    return Truth(column, None if charges is None else charges_of(charges), surrogate)


def plain_frames(text: str, spacing_fs: float | None) -> "list[Atoms]":
    """Return the frames of ``FILE`` or ``FILE@start:stop:step``."""
    from mlip_sse.trajectory.reading import read_trajectory

    path, which = split_name(text)
    frames = list(frames_of(read_trajectory(path, frame_spacing_fs=spacing_fs), which))
    if not frames:
        raise InputError(f"{text}: no frame, expected some: look at start:stop:step")
    return frames


def labelled_frames(text: str, truth: Truth, spacing_fs: float | None) -> "tuple[list[Atoms], list[Floats]]":
    """Return frames and the property of their atoms."""
    if truth.column is not None:
        from ase.io import read

        path, which = split_name(text)
        frames = list(read(path, ":"))[which]
        if not frames or truth.column not in frames[0].arrays:
            known = ", ".join(frames[0].arrays) if frames else "none"
            raise InputError(f"{path}: found no column {truth.column!r}, expected one of those of its atoms: {known}")
        return frames, [np.asarray(atoms.arrays[truth.column], dtype=np.float64) for atoms in frames]
    frames = plain_frames(text, spacing_fs)
    if truth.charges is not None:
        charges = truth.charges
        return frames, [formal_potentials(atoms, charges) for atoms in frames]
    return frames, surrogate_site_energies(frames, truth.surrogate or "")
