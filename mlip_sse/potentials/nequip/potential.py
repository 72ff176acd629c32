"""NequIP potentials."""

from typing import ClassVar

from mlip_sse.errors import InputError
from mlip_sse.potentials.equivariant.network import Architecture
from mlip_sse.potentials.equivariant.potential import EquivariantPotential
from mlip_sse.potentials.nequip.network import ARCHITECTURE
from mlip_sse.potentials.nequip.specs import NequipSpec
from mlip_sse.specs import Spec

__all__ = ["NequipPotential"]


class NequipPotential(EquivariantPotential):
    """A NequIP potential, from `NequipSpec`."""

    family: ClassVar[str] = "nequip"
    architecture: ClassVar[Architecture] = ARCHITECTURE

    @classmethod
    def _checked(cls, recipe: Spec) -> NequipSpec:
        if not isinstance(recipe, NequipSpec):
            raise InputError(f"found a {type(recipe).__name__}, expected a NequipSpec")
        return recipe
