"""Interfaces of two crystals, slabs and grain boundaries: cut, matched, strained and joined.

The names below load on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlip_sse.structures.interfaces.building import InterfaceSettings, build_interfaces
    from mlip_sse.structures.interfaces.energies import GapScan, StrainEnergy, gap_scan, strain_energy
    from mlip_sse.structures.interfaces.grain_boundaries import GrainBoundary, GrainBoundarySettings, grain_boundaries
    from mlip_sse.structures.interfaces.interface import Interface
    from mlip_sse.structures.interfaces.lattice_planes import low_index_planes
    from mlip_sse.structures.interfaces.matching import LatticeMatch, MatchSettings, matches
    from mlip_sse.structures.interfaces.slabs import Slab, SlabSettings, slabs

__all__ = [
    "GapScan",
    "GrainBoundary",
    "GrainBoundarySettings",
    "Interface",
    "InterfaceSettings",
    "LatticeMatch",
    "MatchSettings",
    "Slab",
    "SlabSettings",
    "StrainEnergy",
    "build_interfaces",
    "gap_scan",
    "grain_boundaries",
    "low_index_planes",
    "matches",
    "slabs",
    "strain_energy",
]

_HOME = {
    "GapScan": "energies",
    "GrainBoundary": "grain_boundaries",
    "GrainBoundarySettings": "grain_boundaries",
    "Interface": "interface",
    "InterfaceSettings": "building",
    "LatticeMatch": "matching",
    "MatchSettings": "matching",
    "Slab": "slabs",
    "SlabSettings": "slabs",
    "StrainEnergy": "energies",
    "build_interfaces": "building",
    "gap_scan": "energies",
    "grain_boundaries": "grain_boundaries",
    "low_index_planes": "lattice_planes",
    "matches": "matching",
    "slabs": "slabs",
    "strain_energy": "energies",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
