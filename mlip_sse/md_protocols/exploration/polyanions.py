"""Whether the polyanions of the start structure are still whole, and no new ones were made."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.potentials.gates.bonds import find_bonds, find_contacts

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["N_LOOKS", "PolyanionWatch"]

N_LOOKS = 3
"""A bond counts as broken, or made, when it is so at this many looks in a row: a vibration is over by then."""


class PolyanionWatch:
    """Bonds such as P-S, S-O, B-H and N-H of a start structure, followed from look to look.

    A bond is broken beyond one and a half times its first length. One is made where two atoms of non-metals or
    metalloids that were none at the start come within 1.15 times the sum of their covalent radii.

    Parameters
    ----------
    start
        The structure, its polyanions whole.
    """

    def __init__(self, start: "Atoms") -> None:
        self._bonds = find_bonds(start)
        self._known = {(int(one), int(other)) for one, other in self._bonds.pairs}
        self._broken: NDArray[np.intp] = np.zeros(len(self._bonds), dtype=np.intp)
        self._made: dict[tuple[int, int], int] = {}

    def look(self, atoms: "Atoms") -> str:
        """Return which bond changed for good, in words, or nothing."""
        self._broken = np.where(self._bonds.broken(atoms), self._broken + 1, 0)
        contacts = {(int(one), int(other)) for one, other in find_contacts(atoms)} - self._known
        self._made = {pair: self._made.get(pair, 0) + 1 for pair in sorted(contacts)}
        if len(self._broken) and self._broken.max() >= N_LOOKS:
            one, other = self._bonds.pairs[int(self._broken.argmax())]
            return f"the bond of {_named(atoms, one)} and {_named(atoms, other)} broke"
        for (one, other), n_looks in self._made.items():
            if n_looks >= N_LOOKS:
                return f"{_named(atoms, one)} and {_named(atoms, other)} made a bond"
        return ""


def _named(atoms: "Atoms", place: int) -> str:
    return f"{atoms.symbols[place]} {place}"
