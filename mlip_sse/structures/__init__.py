"""Structures to start from: shipped crystals, files, orderings of disorder, supercells, distortions."""

from mlip_sse.structures.crystals import CrystalEntry, crystal, crystal_entry, crystal_names, disordered_crystal
from mlip_sse.structures.disorder import OrderedStructure, OrderingSettings, resolve_disorder
from mlip_sse.structures.distortions import exchange_atoms, random_strain, rattle, remove_atoms, scale_volume, strain
from mlip_sse.structures.hops import VacancyHop, vacancy_hops
from mlip_sse.structures.lineage import lineage, provenance_of
from mlip_sse.structures.partial import DisorderedStructure
from mlip_sse.structures.reading import read_disordered, read_structure
from mlip_sse.structures.supercells import (
    compact_supercell,
    diagonal_supercell,
    perpendicular_widths,
    shortest_image_distance,
)

__all__ = [
    "CrystalEntry",
    "DisorderedStructure",
    "OrderedStructure",
    "OrderingSettings",
    "VacancyHop",
    "compact_supercell",
    "crystal",
    "crystal_entry",
    "crystal_names",
    "diagonal_supercell",
    "disordered_crystal",
    "exchange_atoms",
    "lineage",
    "perpendicular_widths",
    "provenance_of",
    "random_strain",
    "rattle",
    "read_disordered",
    "read_structure",
    "remove_atoms",
    "resolve_disorder",
    "scale_volume",
    "shortest_image_distance",
    "strain",
    "vacancy_hops",
]
