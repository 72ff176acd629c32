"""Glasses to start from: rigid units by composition, packed at random."""

from mlip_sse.structures.glasses.composition import GlassUnits, unit_counts, units_from_shares
from mlip_sse.structures.glasses.packing import PackingSettings, pack_units
from mlip_sse.structures.glasses.units import UNIT_NAMES, RigidUnit, ion, rigid_unit

__all__ = [
    "UNIT_NAMES",
    "GlassUnits",
    "PackingSettings",
    "RigidUnit",
    "ion",
    "pack_units",
    "rigid_unit",
    "unit_counts",
    "units_from_shares",
]
