"""Competing phases from structures: each relaxed by whatever gives energies, all in one state."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mlip_sse.analysis.reactions.phases import EnergyState, Phase, PhaseSet
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["competing_phases"]


def competing_phases(
    structures: "Mapping[str, Atoms]",
    energy_of: "Callable[[Atoms], float]",
    state: EnergyState,
    committee_of: "Callable[[Atoms], tuple[float, ...]] | None" = None,
) -> PhaseSet:
    """Return phases of structures.

    Parameters
    ----------
    structures
        By name.
    energy_of
        Relaxes a structure and returns its energy in eV.
    state
        How these energies come to be; a surrogate trained on corrected energies has them baked in.
    committee_of
        Returns what each member of a committee gives for the structure, in eV.

    Raises
    ------
    InputError
        Without a structure.
    """
    if not structures:
        raise InputError("found no crystal of these elements, expected some to relax: give entries of them instead")
    phases = []
    for name, atoms in structures.items():
        members = committee_of(atoms) if committee_of else ()
        phases.append(
            Phase(
                {element: float(n) for element, n in Counter(atoms.get_chemical_symbols()).items()},
                float(energy_of(atoms)),
                name,
                state,
                committee_ev_atom=tuple(energy / len(atoms) for energy in members),
            )
        )
    return PhaseSet(tuple(phases))
