"""The covalent bonds inside polyanions, and whether a run has broken one."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from numpy.typing import NDArray

from mlip_sse.bond_lengths import BOND_REACH

__all__ = ["Bonds", "find_bonds", "find_contacts", "has_collapsed"]

_COVALENT = frozenset(
    {"H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Ge", "As", "Se", "Br", "Sn", "Sb", "Te", "I"}
)
_MADE = 1.15  # of the same sum: a new bond is shorter than what is left of an old one
_BROKEN = 1.5  # of the bond's length at the start
_COLLAPSED = 0.6  # of the sum of covalent radii; no bond of the Periodic Table is as short


@dataclass(frozen=True, eq=False)
class Bonds:
    """Pairs of atoms that are bonded in a structure.

    Parameters
    ----------
    pairs
        (n_bonds, 2) indices.
    lengths
        (n_bonds,) Å.
    """

    pairs: NDArray[np.intp]
    lengths: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.pairs)

    def broken(self, atoms: Atoms) -> NDArray[np.bool_]:
        """Return (n_bonds,) which bonds are longer than one and a half times their first length."""
        if not len(self):
            return np.zeros(0, dtype=bool)
        steps = atoms.positions[self.pairs[:, 1]] - atoms.positions[self.pairs[:, 0]]
        fractions = steps @ np.linalg.inv(atoms.cell.array)
        steps = (fractions - np.round(fractions)) @ atoms.cell.array
        longer: NDArray[np.bool_] = np.linalg.norm(steps, axis=1) > _BROKEN * self.lengths
        return longer


def find_bonds(atoms: Atoms) -> Bonds:
    """Return the bonds between non-metals and metalloids, such as P-S, Ge-S, P-O and B-H; ions have none."""
    pairs, distances = _covalent_pairs(atoms, BOND_REACH)
    return Bonds(pairs, distances)


def find_contacts(atoms: Atoms) -> NDArray[np.intp]:
    """Return (n_contacts, 2) pairs of the same elements as close as a bond that is made, the smaller index first."""
    return _covalent_pairs(atoms, _MADE)[0]


def _covalent_pairs(atoms: Atoms, reach: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    from mlip_sse.structures.separation import close_pairs

    radii = covalent_radii[atoms.numbers]
    covalent = np.array([symbol in _COVALENT for symbol in atoms.get_chemical_symbols()])
    if not covalent.any():
        return np.empty((0, 2), dtype=np.intp), np.empty(0)
    first, second, distances = close_pairs(atoms, 2 * reach * float(radii[covalent].max()))
    bonded = covalent[first] & covalent[second] & (distances < reach * (radii[first] + radii[second]))
    return np.stack([first[bonded], second[bonded]], axis=1).astype(np.intp), distances[bonded]


def has_collapsed(atoms: Atoms) -> str:
    """Return the two atoms that are closer than any bond, in words, or nothing."""
    from mlip_sse.structures.separation import close_pairs

    radii = covalent_radii[atoms.numbers]
    first, second, distances = close_pairs(atoms, 2 * _COLLAPSED * float(radii.max()))
    ratios = distances / (radii[first] + radii[second])
    if not len(ratios) or ratios.min() >= _COLLAPSED:
        return ""
    worst = int(ratios.argmin())
    symbols = atoms.get_chemical_symbols()
    return f"{symbols[first[worst]]} and {symbols[second[worst]]} at {distances[worst]:.2f} Å"
