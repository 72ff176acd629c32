"""How long a covalent bond may be: the one rule that gates, exploration and analysis share."""

from typing import Final

__all__ = ["BOND_REACH", "longest_bond"]

BOND_REACH: Final = 1.25
"""Of the sum of covalent radii: P-S bonds of 2.05 Å, and Ge-S of 2.25 Å, end well below."""


def longest_bond(one: str, other: str) -> float:
    """Return how long a bond of two elements may be, in Å: 1.25 times the sum of their covalent radii.

    References
    ----------
    B. Cordero et al., Dalton Trans. 2832 (2008), doi:10.1039/b801115j, as tabulated by ASE
    """
    from ase.data import atomic_numbers, covalent_radii

    return BOND_REACH * float(covalent_radii[atomic_numbers[one]] + covalent_radii[atomic_numbers[other]])
