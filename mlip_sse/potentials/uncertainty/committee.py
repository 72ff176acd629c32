"""How far the members of a committee disagree: the quantity that ranks frames for labelling.

References
----------
Y. Zhang et al., Comput. Phys. Commun. 253, 107206 (2020), doi:10.1016/j.cpc.2020.107206 (DP-GEN).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.errors import InputError

__all__ = ["energy_spread", "force_spreads"]


def force_spreads(forces: ArrayLike) -> NDArray[np.float64]:
    """Return for each atom σ = (⟨|F_k - ⟨F⟩|²⟩_k)^½ over the members k.

    Parameters
    ----------
    forces
        (n_members, n_atoms, 3) eV/Å.

    Returns
    -------
    (n_atoms,) eV/Å

    Raises
    ------
    InputError
        When there are fewer than two members, or a number is not finite.
    """
    members = _members(forces, 3, "(n_members, n_atoms, 3)")
    spreads: NDArray[np.float64] = np.sqrt(((members - members.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0))
    return spreads


def energy_spread(energies: ArrayLike) -> float:
    """Return the standard deviation of the energies of one frame over the members.

    Parameters
    ----------
    energies
        (n_members,) eV.

    Raises
    ------
    InputError
        When there are fewer than two members, or a number is not finite.
    """
    return float(_members(energies, 1, "(n_members,)").std())


def _members(values: ArrayLike, n_dimensions: int, shape: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != n_dimensions or (n_dimensions == 3 and array.shape[2] != 3) or len(array) < 2:
        raise InputError(f"found predictions of shape {array.shape}, expected {shape} with two members or more")
    if not np.isfinite(array).all():
        raise InputError("found a prediction that is not finite, expected finite numbers: leave that member out")
    return array
