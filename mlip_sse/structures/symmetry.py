"""Which sites of a cell are equivalent: a thin door to spglib."""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["site_orbits", "site_permutations"]


def site_permutations(
    cell: NDArray[np.float64], scaled_positions: NDArray[np.float64], kinds: Sequence[int], tolerance: float = 1e-3
) -> NDArray[np.int64]:
    """Return the permutations of sites that the symmetry of the cell makes.

    Parameters
    ----------
    cell : (3, 3) Å
        Lattice vectors as rows.
    scaled_positions : (n_sites, 3)
        Fractional positions.
    kinds
        What stands on each site; only equal kinds are exchanged.
    tolerance
        Distance in Å within which positions count as equal.

    Returns
    -------
    (n_operations, n_sites)
        Distinct permutations, the identity among them.
    """
    import spglib

    kinds_array = np.asarray(kinds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # spglib announces another way to report errors
        found = spglib.get_symmetry(
            (cell.tolist(), scaled_positions.tolist(), (kinds_array + 1).tolist()), symprec=tolerance
        )
    if found is None:
        return np.arange(len(scaled_positions))[None]
    forbidden = np.where(kinds_array[:, None] == kinds_array[None, :], 0.0, np.inf)
    permutations = []
    for rotation, translation in zip(found["rotations"], found["translations"], strict=True):
        difference = (scaled_positions @ rotation.T + translation)[:, None, :] - scaled_positions[None, :, :]
        difference -= np.rint(difference)
        permutations.append((np.linalg.norm(difference @ cell, axis=2) + forbidden).argmin(axis=1))
    return np.unique(np.array(permutations), axis=0)


def site_orbits(
    cell: NDArray[np.float64], scaled_positions: NDArray[np.float64], kinds: Sequence[int], tolerance: float = 1e-2
) -> NDArray[np.int64]:
    """Return for each site the first one that it is equivalent to, (n_sites,)."""
    permutations = site_permutations(cell, scaled_positions, kinds, tolerance)
    return np.asarray(permutations.min(axis=0))
