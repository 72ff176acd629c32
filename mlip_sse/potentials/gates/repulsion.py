"""Two atoms pressed together must push each other apart: a hole in the energy swallows atoms at high temperature."""

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from mlip_sse.errors import MlipSseError
from mlip_sse.potentials.contract import Potential
from mlip_sse.potentials.gates.result import GateResult

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

__all__ = ["contact_distances", "dimer_repulsion"]

_NEAREST, _FARTHEST, _N_POINTS = 0.70, 1.0, 31
_TOUCHING = 1.15  # of the sum of covalent radii: atoms farther apart are held there by others, not by each other
_RATIOS = np.linspace(_FARTHEST, _NEAREST, _N_POINTS)
_BOX = 30.0  # Å: images of the pair are out of reach of each other


def dimer_repulsion(potential: Potential, structures: Sequence[Atoms]) -> GateResult:
    """Press every pair of elements together, from its contact distance to 0.7 of it, two atoms alone in a box.

    Ions alone in a box sit closer than in their crystal, so that the pair may attract at first; but once it repels, it
    must repel to the end, and it must do so at the end. ``found`` is the weakest repulsion from there on.
    """
    contacts = contact_distances(potential.card.elements, structures)
    calculator = potential.calculator()
    lowest, where = np.inf, ""
    try:
        for (first, second), contact in contacts.items():
            forces = [_push(calculator, first, second, ratio * contact) for ratio in _RATIOS]
            begins = next((at for at, force in enumerate(forces) if force > 0), len(forces) - 1)
            weakest = begins + int(np.argmin(forces[begins:]))
            if forces[weakest] < lowest:
                lowest = forces[weakest]
                where = f"{first}-{second} at {_RATIOS[weakest] * contact:.2f} Å, {_RATIOS[weakest]:.2f} of its contact"
    except MlipSseError as error:
        return GateResult("dimer_repulsion", False, None, 0.0, "eV/Å", str(error))
    return GateResult(
        "dimer_repulsion", bool(lowest > 0), float(lowest), 0.0, "eV/Å", f"weakest repulsion between {where}"
    )


def _push(calculator: "Calculator", first: str, second: str, distance: float) -> float:
    """Return the force that drives two atoms apart, in eV/Å."""
    pair = Atoms([first, second], positions=[[0, 0, 0], [distance, 0, 0]], cell=[_BOX] * 3, pbc=True)
    forces = calculator.get_property("forces", pair)
    return 0.5 * float(forces[1, 0] - forces[0, 0])


def contact_distances(elements: Sequence[str], structures: Sequence[Atoms]) -> dict[tuple[str, str], float]:
    """Return the contact distance of each pair in Å: the shortest seen, at most 1.15 times the covalent radii."""
    from mlip_sse.structures.separation import shortest_distances

    seen: dict[tuple[str, str], float] = {}
    for atoms in structures:
        for pair, distance in shortest_distances(atoms).items():
            seen[pair] = min(distance, seen.get(pair, np.inf))
    contacts = {}
    for first, second in combinations_with_replacement(sorted(elements), 2):
        radii = float(covalent_radii[atomic_numbers[first]] + covalent_radii[atomic_numbers[second]])
        contacts[first, second] = min(_TOUCHING * radii, seen.get((first, second), np.inf))
    return contacts
