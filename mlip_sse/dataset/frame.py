"""A labelled frame: atoms, energy, forces and stress that were checked, and an id made of its content."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.dataset.fingerprint import Fingerprint
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["CLOSEST_ATOMS", "RESOLUTION", "LabelledFrame", "require_apart"]

RESOLUTION = 1e-8
"""In Å: positions and cells are rounded to it, in the id and in the files."""

CLOSEST_ATOMS = 0.4
"""In Å: no bond is shorter (H-H is 0.74), so that atoms nearer than this are a mistake in the file."""

_LOWEST_CELL_HEIGHT = 0.9  # Å; below it the nearest image within CLOSEST_ATOMS is not found by rounding
_ROWS_AT_A_TIME = 256


@dataclass(frozen=True, eq=False)
class LabelledFrame:
    """One structure with its labels, in eV, Å, and eV/Å³ (positive = tension).

    Parameters
    ----------
    symbols
        Chemical symbol of each atom.
    cell
        (3, 3) Å, one vector a row; rounded to 1e-8 Å.
    positions
        (n_atoms, 3) Å; rounded to 1e-8 Å.
    energy
        eV, consistent with the forces (VASP's free energy).
    forces
        (n_atoms, 3) eV/Å.
    stress
        (6,) eV/Å³ in Voigt order xx, yy, zz, yz, xz, xy; None where the source has none.
    fingerprint
        How the labels were made; kept for the frame's elements only.
    group
        The trajectory it came from; frames of one group are never split between training and test.
    place
        Its number within the group.
    pbc
        Periodic directions.

    Raises
    ------
    InputError
        When an array has the wrong shape, a number is not finite, or atoms lie on top of each other.
    """

    symbols: tuple[str, ...]
    cell: NDArray[np.float64]
    positions: NDArray[np.float64]
    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64] | None
    fingerprint: Fingerprint
    group: str = ""
    place: int = 0
    pbc: tuple[bool, bool, bool] = (True, True, True)

    def __post_init__(self) -> None:
        if not self.symbols:
            raise InputError("found a frame without atoms, expected at least one")
        _require_symbols(self.symbols)
        shape = (len(self.symbols), 3)
        for name, wanted in (("cell", (3, 3)), ("positions", shape), ("forces", shape)):
            object.__setattr__(self, name, _numbers(name, getattr(self, name), wanted))
        if self.stress is not None:
            object.__setattr__(self, "stress", _numbers("stress", self.stress, (6,)))
        if not math.isfinite(self.energy):
            raise InputError(f"found an energy of {self.energy}, expected a finite number of eV")
        for name in ("cell", "positions"):
            object.__setattr__(self, name, _read_only(np.rint(getattr(self, name) * 1e8) / 1e8 + 0.0))
        if len(self.group) > 200 or not self.group.isprintable() or set(self.group) & set("\"'\\"):
            raise InputError(f"found the group {self.group[:60]!r}, expected up to 200 printable characters, no quotes")
        object.__setattr__(self, "energy", float(self.energy))
        object.__setattr__(self, "pbc", tuple(bool(flag) for flag in self.pbc))
        object.__setattr__(self, "fingerprint", self.fingerprint.restricted_to(self.symbols))
        require_apart(self.symbols, self.cell, self.positions, self.pbc)

    @cached_property
    def id(self) -> str:
        """The sha256 of species, cell, positions and fingerprint; the order of the atoms does not matter."""
        cells, positions = (np.rint(array * 1e8).astype(np.int64) for array in (self.cell, self.positions))
        rows = sorted(f"{s} {x} {y} {z}" for s, (x, y, z) in zip(self.symbols, positions.tolist(), strict=True))
        flags = "".join("T" if flag else "F" for flag in self.pbc)
        lines = [*rows, " ".join(map(str, cells.ravel().tolist())), flags, self.fingerprint.digest]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def n_atoms(self) -> int:
        """How many atoms."""
        return len(self.symbols)

    @property
    def volume(self) -> float:
        """Volume of the cell in Å³."""
        return float(abs(np.linalg.det(self.cell)))

    @cached_property
    def formula(self) -> str:
        """Chemical formula of the whole cell, elements in alphabetical order."""
        elements = sorted(set(self.symbols))
        return "".join(f"{element}{self.symbols.count(element)}" for element in elements)

    @classmethod
    def from_atoms(cls, atoms: "Atoms", fingerprint: Fingerprint, group: str = "", place: int = 0) -> "LabelledFrame":
        """Take atoms whose calculator holds the labels, as ASE's readers leave it.

        Raises
        ------
        InputError
            When energy or forces are missing, or anything is impossible.
        """
        results: dict[str, Any] = getattr(atoms.calc, "results", {})
        missing = [name for name in ("energy", "forces") if name not in results]
        if missing:
            raise InputError(f"found a frame without {' and '.join(missing)}, expected labels: label it first")
        energy = results.get("free_energy", results["energy"])
        return cls(
            symbols=tuple(atoms.get_chemical_symbols()),
            cell=atoms.cell.array,
            positions=atoms.positions,
            energy=float(energy),
            forces=results["forces"],
            stress=voigt(results["stress"]) if results.get("stress") is not None else None,
            fingerprint=fingerprint,
            group=group,
            place=place,
            pbc=tuple(atoms.pbc),
        )

    def to_atoms(self) -> "Atoms":
        """Return ASE atoms with the labels in a `SinglePointCalculator`."""
        from ase import Atoms
        from ase.calculators.singlepoint import SinglePointCalculator

        atoms = Atoms(list(self.symbols), positions=self.positions, cell=self.cell, pbc=self.pbc)
        labels = {"energy": self.energy, "free_energy": self.energy, "forces": self.forces.copy()}
        if self.stress is not None:
            labels["stress"] = self.stress.copy()
        atoms.calc = SinglePointCalculator(atoms, **labels)
        return atoms


def voigt(stress: ArrayLike) -> NDArray[np.float64]:
    """Return a stress as (6,) xx, yy, zz, yz, xz, xy from six, nine or (3, 3) numbers.

    Raises
    ------
    InputError
        When it is none of these, or a tensor that is not symmetric.
    """
    array = np.asarray(stress, dtype=float)
    if array.size == 6:
        return array.reshape(6)
    if array.size != 9:
        raise InputError(f"found a stress of shape {array.shape}, expected 6 numbers (Voigt) or 3 by 3")
    tensor = array.reshape(3, 3)
    if np.abs(tensor - tensor.T).max() > 1e-3 * max(1e-3, float(np.abs(tensor).max())):
        raise InputError("found a stress tensor that is not symmetric, expected a symmetric one")
    tensor = 0.5 * (tensor + tensor.T)
    components: NDArray[np.float64] = tensor[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    return components


def require_apart(
    symbols: Sequence[str], cell: NDArray[np.float64], positions: NDArray[np.float64], pbc: Sequence[bool]
) -> None:
    """Refuse atoms on top of each other and cells too flat to hold an atom.

    Raises
    ------
    InputError
        Naming the two atoms and their distance, or the cell.
    """
    periodic = np.asarray(pbc, dtype=bool)
    offsets = positions
    if periodic.any():
        volume = abs(np.linalg.det(cell))
        crosses = np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
        if volume <= 0 or (volume / crosses)[periodic].min() < _LOWEST_CELL_HEIGHT:
            raise InputError(f"found a cell of {volume:.3g} Å³ or flatter than {_LOWEST_CELL_HEIGHT} Å, expected room")
        offsets = positions @ np.linalg.inv(cell)
    for start in range(0, len(symbols), _ROWS_AT_A_TIME):
        steps = offsets[start : start + _ROWS_AT_A_TIME, None] - offsets[None]
        if periodic.any():
            # Two atoms closer than CLOSEST_ATOMS differ by less than half of every cell vector, whatever the shape.
            steps -= np.where(periodic, np.round(steps), 0.0)
            steps = steps @ cell
        squares = np.einsum("ijk,ijk->ij", steps, steps)
        rows = np.arange(len(squares))
        squares[rows, start + rows] = np.inf
        if squares.size and squares.min() < CLOSEST_ATOMS**2:
            i, j = np.unravel_index(int(squares.argmin()), squares.shape)
            first, second = int(start + i), int(j)
            raise InputError(
                f"found {symbols[first]} {first} and {symbols[second]} {second} at {math.sqrt(squares[i, j]):.3g} Å, "
                f"expected at least {CLOSEST_ATOMS} Å: atoms lie on top of each other"
            )


def _numbers(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    if array.shape != shape:
        raise InputError(f"found {name} of shape {array.shape}, expected {shape}")
    if not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))[0].tolist()
        raise InputError(f"found {array[tuple(bad)]} in {name} at {bad}, expected finite numbers")
    return _read_only(array)


def _read_only(array: NDArray[np.float64]) -> NDArray[np.float64]:
    array.setflags(write=False)
    return array


def _require_symbols(symbols: Sequence[str]) -> None:
    from ase.data import chemical_symbols

    if unknown := set(symbols) - set(chemical_symbols[1:]):
        raise InputError(f"found {sorted(map(str, unknown))[0]!r}, expected chemical symbols such as 'Li'")
