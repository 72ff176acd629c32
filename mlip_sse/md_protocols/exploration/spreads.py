"""How far the committee disagrees on the forces of a few frames."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.potentials import Potential
    from mlip_sse.potentials.pod.potential import PodPotential

__all__ = ["committee_spreads"]


def committee_spreads(potential: "Potential", frames: "Sequence[Atoms]") -> NDArray[np.float64]:
    """Return (n_frames, n_atoms) eV/Å: length of the standard deviation of each force over the committee.

    It is the calculator's ``forces_std``; NaN for a potential that has none.

    Parameters
    ----------
    potential
        Any potential.
    frames
        Of the same atoms; one or more.
    """
    from mlip_sse.potentials.pod.potential import PodPotential

    if isinstance(potential, PodPotential):
        return _of_members(potential, frames)
    found = np.full((len(frames), len(frames[0])), np.nan)
    calculator = potential.calculator()
    if "forces_std" not in calculator.implemented_properties:
        return found
    try:
        for row, atoms in zip(found, frames, strict=True):
            row[:] = np.linalg.norm(calculator.get_property("forces_std", atoms), axis=1)
    except InputError:  # a committee of one has no spread
        found[:] = np.nan
    return found


def _of_members(potential: "PodPotential", frames: "Sequence[Atoms]") -> NDArray[np.float64]:
    """Let each member run in its own LAMMPS: a third of the time of the derivatives of all descriptors."""
    if len(potential.committee) < 2:
        return np.full((len(frames), len(frames[0])), np.nan)
    forces = np.empty((len(potential.committee), len(frames), len(frames[0]), 3))
    for number, of_member in enumerate(forces):
        calculator = potential.member(number).calculator()
        try:
            for place, atoms in enumerate(frames):
                of_member[place] = calculator.get_property("forces", atoms)
        finally:
            calculator.close()
    spreads: NDArray[np.float64] = np.linalg.norm(forces.std(axis=0, ddof=1), axis=-1)
    return spreads
