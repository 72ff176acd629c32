"""Competing phases from structures: each relaxed by whatever gives energies, all in one state."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlip_sse.analysis.reactions.phases import EnergyState, Phase, PhaseSet
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["RelaxedEnergy", "competing_phases"]


@dataclass(frozen=True)
class RelaxedEnergy:
    """Energy of a relaxed structure in eV, its standard deviation and a committee's energies where there are any."""

    energy: float
    uncertainty: float | None = None
    committee: tuple[float, ...] = ()


def competing_phases(
    structures: "Mapping[str, Atoms]", relax: "Callable[[Atoms], RelaxedEnergy]", state: EnergyState
) -> PhaseSet:
    """Return phases of structures.

    Parameters
    ----------
    structures
        By name.
    relax
        Relaxes a structure and returns its energy.
    state
        How these energies come to be; a surrogate trained on corrected energies has them baked in.

    Raises
    ------
    InputError
        Without a structure.
    """
    if not structures:
        raise InputError("found no crystal of these elements, expected some to relax: give entries of them instead")
    phases = []
    for name, atoms in structures.items():
        found, n_atoms = relax(atoms), len(atoms)
        phases.append(
            Phase(
                {element: float(n) for element, n in Counter(atoms.get_chemical_symbols()).items()},
                found.energy,
                name,
                state,
                None if found.uncertainty is None else found.uncertainty / n_atoms,
                tuple(energy / n_atoms for energy in found.committee),
            )
        )
    return PhaseSet(tuple(phases))
