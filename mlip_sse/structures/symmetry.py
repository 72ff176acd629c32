"""Which sites of a cell are equivalent."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlip_sse.space_groups import symmetry_dataset

__all__ = ["site_orbits", "site_permutations", "symmetry_operations"]


def symmetry_operations(
    cell: NDArray[np.float64], scaled_positions: NDArray[np.float64], kinds: Sequence[int], tolerance: float = 1e-3
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the space group as x → W x + w in fractional coordinates; the identity alone where none is found.

    Parameters
    ----------
    cell : (3, 3) Å
        Lattice vectors as rows.
    scaled_positions : (n_sites, 3)
        Fractional positions.
    kinds
        What stands on each site.
    tolerance
        Distance in Å within which positions count as equal.

    Returns
    -------
    rotations : (n_operations, 3, 3)
    translations : (n_operations, 3)
    """
    found = symmetry_dataset(cell, scaled_positions, (np.asarray(kinds) + 1).tolist(), tolerance)
    if found is None:
        return np.eye(3, dtype=np.int64)[None], np.zeros((1, 3))
    return np.asarray(found.rotations, dtype=np.int64), np.asarray(found.translations, dtype=np.float64)


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
    kinds_array = np.asarray(kinds)
    rotations, translations = symmetry_operations(cell, scaled_positions, kinds, tolerance)
    forbidden = np.where(kinds_array[:, None] == kinds_array[None, :], 0.0, np.inf)
    permutations = []
    for rotation, translation in zip(rotations, translations, strict=True):
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
