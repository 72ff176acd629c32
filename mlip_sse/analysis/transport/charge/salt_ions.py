"""The ions of a salt in a trajectory: which atoms touch each other, and which ion each of them belongs to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.transport.charge.connectivity import molecular_ions
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory

__all__ = ["SaltIons", "salt_ions"]

_CHUNK = 64  # frames read at once from a memory map


@dataclass(frozen=True, eq=False)
class SaltIons:
    """Which atoms make contacts, and the ion each belongs to.

    Parameters
    ----------
    cation_sites, anion_sites : (n,) and (m,) atoms
    cation_of_site, anion_of_site : (n,) and (m,) ion of each, from 0
    """

    cation_sites: NDArray[np.intp]
    anion_sites: NDArray[np.intp]
    cation_of_site: NDArray[np.int64]
    anion_of_site: NDArray[np.int64]

    def frames(
        self, trajectory: Trajectory, stride: int = 1
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
        """Yield cation sites, anion sites and cell of every ``stride``-th frame, in Å."""
        n_cations = len(self.cation_sites)
        both = np.concatenate([self.cation_sites, self.anion_sites])
        for start in range(0, trajectory.n_frames, stride * _CHUNK):
            stop = min(start + stride * _CHUNK, trajectory.n_frames)
            part = np.asarray(trajectory.positions[start:stop:stride, both], dtype=np.float64)
            for sites, cell in zip(part, trajectory.cells[start:stop:stride], strict=True):
                yield sites[:n_cations], sites[n_cations:], np.asarray(cell, dtype=np.float64)


def salt_ions(
    trajectory: Trajectory,
    cation: str,
    anion: str | Sequence[str] | NDArray[np.integer],
    *,
    binding: str | Sequence[str] | None = None,
    bond_length: float | None = None,
) -> SaltIons:
    """Find the ions of a salt.

    Parameters
    ----------
    trajectory
        Only its first frame is used, for the molecules.
    cation
        Species of the monatomic cation.
    anion : species, or atoms (needed where the solvent shares the anion's elements)
        All atoms of the anions.
    binding
        Species of the anion that a cation touches; all of them unless given.
    bond_length
        Å; atoms of the anion closer than this are one molecule. None for monatomic anions.
    """
    cations = trajectory.indices(cation)
    members = np.asarray(anion) if isinstance(anion, np.ndarray) else trajectory.indices(anion)
    if len(members) == 0 or np.isin(members, cations).any():
        raise InputError(f"found {len(members)} anion atoms, expected some, none of them a {cation}")
    if bond_length is None:
        ion = np.arange(len(members))
    else:
        ion = molecular_ions(trajectory.positions[0, members], trajectory.cells[0], bond_length)
    touching = np.ones(len(members), dtype=np.bool_)
    if binding is not None:
        touching = np.isin(members, trajectory.indices(binding))
    if len(np.unique(ion[touching])) != len(np.unique(ion)):
        raise InputError(
            f"some anions hold none of the binding species {binding!r}, expected one in each; name another"
        )
    return SaltIons(cations, members[touching], np.arange(len(cations)), ion[touching])
