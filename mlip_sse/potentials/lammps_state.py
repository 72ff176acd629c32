"""Where the atoms of a LAMMPS in this process are, seen in the axes of the structure that it was given."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["live_cell", "live_positions"]


def live_positions(engine: Any, prism: Any, n_atoms: int) -> NDArray[np.float64]:
    """Return (n_atoms, 3) Å, in the order of the structure, from the corner of the cell.

    Parameters
    ----------
    engine, prism
        What `LammpsCalculator.open_deck` returned.
    n_atoms
        How many there are.
    """
    positions = np.array(engine.gather_atoms("x", 1, 3), dtype=np.float64).reshape(n_atoms, 3)
    corner = np.array(engine.extract_box()[0])  # a barostat moves it
    turned: NDArray[np.float64] = prism.vector_to_ase(positions - corner)
    return turned


def live_cell(engine: Any, prism: Any) -> NDArray[np.float64]:
    """Return (3, 3) Å."""
    low, high, xy, yz, xz = engine.extract_box()[:5]
    x, y, z = (upper - lower for lower, upper in zip(low, high, strict=True))
    turned: NDArray[np.float64] = prism.vector_to_ase(np.array([[x, 0, 0], [xy, y, 0], [xz, yz, z]]))
    return turned
