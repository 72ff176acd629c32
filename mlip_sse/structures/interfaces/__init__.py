"""Interfaces of two crystals, slabs and grain boundaries: cut, matched, strained and joined.

The names below load on first use.
"""

from typing import TYPE_CHECKING

from mlip_sse.lazy_names import lazy_names

if TYPE_CHECKING:
    from mlip_sse.structures.interfaces.building import InterfaceSettings, build_interfaces
    from mlip_sse.structures.interfaces.cutting import Slab, SlabSettings, slabs
    from mlip_sse.structures.interfaces.energies import GapScan, StrainEnergy, gap_scan, strain_energy
    from mlip_sse.structures.interfaces.grains import GrainBoundary, GrainBoundarySettings, grain_boundaries
    from mlip_sse.structures.interfaces.interface import Interface
    from mlip_sse.structures.interfaces.lattice_planes import low_index_planes
    from mlip_sse.structures.interfaces.matching import LatticeMatch, MatchSettings, matches

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
    "GrainBoundary": "grains",
    "GrainBoundarySettings": "grains",
    "Interface": "interface",
    "InterfaceSettings": "building",
    "LatticeMatch": "matching",
    "MatchSettings": "matching",
    "Slab": "cutting",
    "SlabSettings": "cutting",
    "StrainEnergy": "energies",
    "build_interfaces": "building",
    "gap_scan": "energies",
    "grain_boundaries": "grains",
    "low_index_planes": "lattice_planes",
    "matches": "matching",
    "slabs": "cutting",
    "strain_energy": "energies",
}

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
