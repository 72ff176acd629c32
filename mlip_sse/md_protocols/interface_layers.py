"""Where the sides of a two-sided cell meet, and the layers far from there that thermostats may hold.

Heat of an exothermic reaction must leave, but a thermostat that touches the atoms that react drives what is to be seen.
So each side is held in one layer alone: all of it that lies further than a given distance from every interface, in the
middle of its slab where the cell is periodic, at its free surface where there is vacuum.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.analysis.interphase.planes import VACUUM_A, side_ends
from mlip_sse.errors import FormatError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    from mlip_sse.structures.interfaces import Interface

__all__ = ["Layer", "Layers", "TwoSidedCell", "thermostat_layers"]

_MIN_ATOMS = 8
_MIN_THICKNESS_A = 3.0
_MIXED = 0.2
_MARGIN_A = 2.0


@dataclass(frozen=True, eq=False)
class TwoSidedCell:
    """Atoms of two sides in a cell with the normal along z.

    Parameters
    ----------
    atoms
        Periodic in three directions, its third vector along z, the others normal to it.
    side
        (n_atoms,) 0 for a, 1 for b.
    """

    atoms: Atoms
    side: NDArray[np.int8]

    def __post_init__(self) -> None:
        side, cell = np.asarray(self.side), self.atoms.cell.array
        if side.shape != (len(self.atoms),) or set(np.unique(side).tolist()) != {0, 1}:
            raise InputError(f"found sides {sorted(set(side.ravel().tolist()))}, expected 0 and 1, one for each atom")
        if not all(self.atoms.pbc) or np.abs([*cell[2, :2], *cell[:2, 2]]).max() > 1e-6 or cell[2, 2] <= 0:
            raise InputError("found a cell whose third vector is not normal to the others, expected it along z")

    @classmethod
    def of(cls, interface: "Interface") -> "TwoSidedCell":
        """Return the cell of an interface that was built."""
        return cls(interface.atoms, np.asarray(interface.side, dtype=np.int8))

    @classmethod
    def read(cls, path: "str | Path") -> "TwoSidedCell":
        """Read a file that holds ``side`` for each atom.

        Raises
        ------
        FormatError
            When ASE cannot read it, or there is no ``side`` in it.
        """
        from ase.io import read

        try:
            atoms = read(path)
        except Exception as error:  # ASE's readers raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise FormatError(f"configuration {path}: ASE cannot read it ({reason})") from error
        if not isinstance(atoms, Atoms) or "side" not in atoms.arrays:
            raise FormatError(f"configuration {path}: found no array side, expected 0 or 1 for each atom: use extxyz")
        atoms.calc = None
        return cls(atoms, np.asarray(atoms.arrays["side"], dtype=np.int8))


@dataclass(frozen=True)
class Layer:
    """A layer normal to z, in fractions of the cell; it may reach across the end of the cell.

    Parameters
    ----------
    low, high
        0 ≤ low < 1, low < high < low + 1.
    """

    low: float
    high: float

    def holds(self, fractions: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which of (n,) fractions along z lie in it."""
        inside: NDArray[np.bool_] = (fractions - self.low) % 1.0 <= self.high - self.low
        return inside

    @property
    def parts(self) -> tuple[tuple[float, float], ...]:
        """The layer in one or two pieces inside the cell."""
        return ((self.low, self.high),) if self.high <= 1 else ((self.low, 1.0), (0.0, self.high - 1))


@dataclass(frozen=True)
class Layers:
    """What thermostats hold, and where the interfaces are.

    Parameters
    ----------
    a, b
        The outer layer of each side.
    planes
        Fraction along z of each interface: two in a periodic cell, one where there is vacuum.
    n_a, n_b
        Atoms in each layer at the start.
    """

    a: Layer
    b: Layer
    planes: tuple[float, ...]
    n_a: int
    n_b: int

    @property
    def has_vacuum(self) -> bool:
        """Whether there is one interface alone."""
        return len(self.planes) == 1


def thermostat_layers(cell: TwoSidedCell, newtonian_a: float) -> Layers:
    """Return the layers of both sides that lie further than ``newtonian_a`` (Å) from every interface.

    Raises
    ------
    InputError
        When the sides are mixed, or one of them is too thin to have such a layer.
    """
    height = float(cell.atoms.cell[2, 2])
    ends = side_ends(cell.atoms.positions, cell.atoms.cell.array, cell.side)
    if ends.misplaced > _MIXED:
        raise InputError(
            f"found {ends.misplaced:.0%} of the atoms among those of the other side, expected one slab on the other"
        )
    gaps = (ends.gaps_a[0] / height, ends.gaps_a[1] / height)
    low_b, high_b = ends.atoms[0], ends.atoms[0] + (ends.atoms[1] - ends.atoms[0]) % 1.0
    low_a, high_a = high_b + gaps[1] - 1, low_b - gaps[0]
    vacuum = _vacuum_of([gap * height for gap in gaps])
    planes = (high_a + gaps[0] / 2, high_b + gaps[1] / 2)
    reach, edge = newtonian_a / height, _MARGIN_A / height
    bare = [vacuum == index for index in (0, 1)]
    reaches = (
        (low_a - edge if bare[1] else planes[1] - 1 + reach, high_a + edge if bare[0] else planes[0] - reach),
        (low_b - edge if bare[0] else planes[0] + reach, high_b + edge if bare[1] else planes[1] - reach),
    )
    spans = ((low_a, high_a), (low_b, high_b))
    fractions = cell.atoms.get_scaled_positions()[:, 2]
    found = [_layer(reaches[side], spans[side], fractions, side, height, newtonian_a) for side in (0, 1)]
    kept = tuple(plane % 1.0 for index, plane in enumerate(planes) if index != vacuum)
    return Layers(found[0][0], found[1][0], kept, found[0][1], found[1][1])


def _vacuum_of(gaps_a: list[float]) -> int | None:
    """Return which gap is vacuum, if any; refuse sides that meet nowhere."""
    wide = [index for index, gap in enumerate(gaps_a) if gap > VACUUM_A]
    if len(wide) == 2:
        raise InputError(f"found gaps of {gaps_a[0]:.1f} and {gaps_a[1]:.1f} Å, expected the sides to meet in one")
    return wide[0] if wide else None


def _layer(
    ends: tuple[float, float],
    span: tuple[float, float],
    fractions: NDArray[np.float64],
    side: int,
    height: float,
    newtonian_a: float,
) -> tuple[Layer, int]:
    """Return the layer of one side and its atoms, or refuse a side too thin for it."""
    low, high = ends
    thickness = max(0.0, (min(high, span[1]) - max(low, span[0])) * height)
    layer = Layer(low % 1.0, low % 1.0 + max(high - low, 0.0))
    n_inside = int(layer.holds(fractions).sum()) if high > low else 0
    if n_inside < _MIN_ATOMS or thickness < _MIN_THICKNESS_A:
        raise InputError(
            f"side {'ab'[side]} is too thin: found {n_inside} atoms in {thickness:.1f} Å beyond newtonian_a = "
            f"{newtonian_a:g} Å from the interfaces, expected {_MIN_ATOMS} in {_MIN_THICKNESS_A:g} Å: make it thicker"
        )
    return layer, n_inside
