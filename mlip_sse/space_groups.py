"""The symmetry of a crystal: the one door to spglib, for builders and analyzers alike.

spglib says that it found nothing in one of two ways, by a switch that belongs to the whole process: it returns None and
warns, or it raises. Others turn that switch: phonopy by being imported, ASE by asking for a space group, the
environment by `SPGLIB_OLD_ERROR_HANDLING`. Here both ways mean the same.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["symmetry_dataset"]


def symmetry_dataset(
    cell: ArrayLike, scaled_positions: ArrayLike, numbers: Sequence[int], tolerance: float = 1e-3
) -> Any | None:
    """Return what spglib knows of a crystal (its ``SpglibDataset``), or None where it finds no symmetry.

    Parameters
    ----------
    cell : (3, 3) Å
        Lattice vectors as rows.
    scaled_positions : (n_sites, 3)
        Fractional positions.
    numbers
        What stands on each site, from 1.
    tolerance
        Distance in Å within which positions count as equal.

    References
    ----------
    A. Togo, K. Shinohara and I. Tanaka, Sci. Technol. Adv. Mater. Methods 4, 2384822 (2024),
    doi:10.1080/27660400.2024.2384822
    """
    import spglib

    crystal = (np.asarray(cell).tolist(), np.asarray(scaled_positions).tolist(), [int(each) for each in numbers])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # spglib announces the turn of the switch at each call
        try:
            return spglib.get_symmetry_dataset(crystal, symprec=tolerance)
        except spglib.SpglibError:
            return None
