"""Reactions at interfaces: phases with energies of one state, convex hulls, voltage windows, pseudo-binaries, tables.

>>> from mlip_sse.analysis.reactions import ConvexHull, react, read_phases
>>> hull = ConvexHull(read_phases("entries.json"))  # doctest: +SKIP
>>> react(hull, "Li3PO4", "LiFePO4").reaction_energy_ev_atom.value  # doctest: +SKIP
0.0
"""

from mlip_sse.analysis.reactions.buffers import Buffer, CoatingScreen, find_buffers, screen_coatings
from mlip_sse.analysis.reactions.competing import RelaxedEnergy, competing_phases
from mlip_sse.analysis.reactions.electrochemistry import (
    PhaseStability,
    VoltageProfile,
    phase_stability,
    voltage_profile,
)
from mlip_sse.analysis.reactions.entries import read_phases, write_entries
from mlip_sse.analysis.reactions.hull import ConvexHull
from mlip_sse.analysis.reactions.interfaces import InterfaceReaction, Kink, react, reservoir_of
from mlip_sse.analysis.reactions.phases import EnergyState, Phase, PhaseSet, Scheme, formula_of, read_formula
from mlip_sse.analysis.reactions.screening import ScreeningTable, screen
from mlip_sse.analysis.reactions.uncertainty import with_uncertainty

__all__ = [
    "Buffer",
    "CoatingScreen",
    "ConvexHull",
    "EnergyState",
    "InterfaceReaction",
    "Kink",
    "Phase",
    "PhaseSet",
    "PhaseStability",
    "RelaxedEnergy",
    "Scheme",
    "ScreeningTable",
    "VoltageProfile",
    "competing_phases",
    "find_buffers",
    "formula_of",
    "phase_stability",
    "react",
    "read_formula",
    "read_phases",
    "reservoir_of",
    "screen",
    "screen_coatings",
    "voltage_profile",
    "with_uncertainty",
    "write_entries",
]
