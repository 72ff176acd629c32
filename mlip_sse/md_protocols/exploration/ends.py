"""Why a segment ends: what no potential should do, whatever it was fitted to."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlip_sse.md_protocols.exploration.polyanions import PolyanionWatch
from mlip_sse.potentials.gates.bonds import has_collapsed

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.md_protocols.exploration.dynamics import State

__all__ = ["KINDS", "SPOILED", "End", "PhysicalAlarms"]

KINDS = ("error_bound", "grade", "exploded", "lost_atoms", "broken_polyanion", "too_close")

SPOILED = 1
"""Looks before a physical end that are not kept either.

In eight segments of Li6PS5Cl that blew up or made a bond, the last look before was off by up to 20 eV/Å and 0.4 eV/atom
from the reference; the one before that by 0.7 to 4.7 eV/Å, at forces below 4.5 eV/Å: no frames teach more.
"""

_HOT, _HOT_BY_K = 3.0, 1500.0
_DROP_EV = 1.0  # per atom below the start: no rearrangement of a solid gains as much
_SWOLLEN = 1.5  # of the volume at the start


@dataclass(frozen=True)
class End:
    """The end of a segment.

    Parameters
    ----------
    kind
        One of `KINDS`.
    reason
        In words.
    spoiled
        How many looks before this one are dropped with it.
    """

    kind: str
    reason: str
    spoiled: int = 0


class PhysicalAlarms:
    """Temperature, energy, volume, distances and bonds of each look, against those of the start.

    Parameters
    ----------
    start
        The start structure.
    is_reactive
        Whether bonds may break and be made, as at an interface that reacts.
    """

    def __init__(self, start: "Atoms", is_reactive: bool = False) -> None:
        self._polyanions = None if is_reactive else PolyanionWatch(start)
        self._volume = float(start.get_volume())
        self._energy_ev: float | None = None

    def look(self, atoms: "Atoms", state: "State", target_k: float) -> End | None:
        """Return why the segment ends at this look, or None.

        Parameters
        ----------
        atoms
            The structure at this look.
        state
            The numbers of this look.
        target_k
            What the thermostat aims at.
        """
        if reason := self._exploded(atoms, state, target_k):
            return End("exploded", reason, SPOILED)
        if collapsed := has_collapsed(atoms):
            return End("too_close", collapsed, SPOILED)
        if self._polyanions is not None and (changed := self._polyanions.look(atoms)):
            return End("broken_polyanion", changed, SPOILED)
        return None

    def _exploded(self, atoms: "Atoms", state: "State", target_k: float) -> str:
        if not np.isfinite(state.positions).all() or not math.isfinite(state.energy_ev):
            return "positions or energy are not finite"
        limit = max(_HOT * target_k, target_k + _HOT_BY_K)
        if not state.temperature_k <= limit:
            return f"found {state.temperature_k:.0f} K, expected about {target_k:.0f} K"
        per_atom = state.energy_ev / len(atoms)
        if self._energy_ev is None:
            self._energy_ev = per_atom
        if per_atom < self._energy_ev - _DROP_EV:
            return f"the energy fell by {self._energy_ev - per_atom:.2f} eV/atom: a hole in the potential"
        swollen = float(atoms.get_volume()) / self._volume
        if not 1 / _SWOLLEN < swollen < _SWOLLEN:
            return f"the volume became {swollen:.2f} times that of the start"
        return ""
