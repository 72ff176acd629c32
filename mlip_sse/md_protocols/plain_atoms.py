"""Atoms as plain data, for the inputs and results of tasks."""

from collections.abc import Mapping
from typing import Any

from ase import Atoms

__all__ = ["atoms_from_plain", "atoms_to_plain"]


def atoms_to_plain(atoms: Atoms) -> dict[str, Any]:
    """Return species, cell and positions as plain data, every digit kept."""
    return {
        "symbols": atoms.get_chemical_symbols(),
        "cell": atoms.cell.array.tolist(),
        "positions": atoms.positions.tolist(),
    }


def atoms_from_plain(plain: Mapping[str, Any]) -> Atoms:
    """Return the periodic structure that `atoms_to_plain` was given."""
    return Atoms(plain["symbols"], positions=plain["positions"], cell=plain["cell"], pbc=True)
