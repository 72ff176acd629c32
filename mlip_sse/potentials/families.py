"""The recipe of each family: one line for each. Their classes are in `contract.FAMILIES`, imported only to load one."""

from collections.abc import Mapping
from types import MappingProxyType

from mlip_sse.potentials.allegro.specs import AllegroSpec
from mlip_sse.potentials.nequip.specs import NequipSpec
from mlip_sse.potentials.pod.specs import PodSpec
from mlip_sse.potentials.specs import LammpsPairSpec
from mlip_sse.specs import Spec

__all__ = ["POTENTIALS"]

POTENTIALS: Mapping[str, type[Spec]] = MappingProxyType(
    {"lammps_pair": LammpsPairSpec, "pod": PodSpec, "nequip": NequipSpec, "allegro": AllegroSpec}
)
"""The recipe of each family."""
