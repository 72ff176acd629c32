"""Allegro potentials."""

from typing import ClassVar

from mlip_sse.errors import InputError
from mlip_sse.potentials.allegro.network import ARCHITECTURE
from mlip_sse.potentials.allegro.specs import AllegroSpec
from mlip_sse.potentials.equivariant.network import Architecture
from mlip_sse.potentials.equivariant.potential import EquivariantPotential
from mlip_sse.specs import Spec

__all__ = ["AllegroPotential"]


class AllegroPotential(EquivariantPotential):
    """A Allegro potential, from `AllegroSpec`."""

    family: ClassVar[str] = "allegro"
    architecture: ClassVar[Architecture] = ARCHITECTURE

    @classmethod
    def _checked(cls, recipe: Spec) -> AllegroSpec:
        if not isinstance(recipe, AllegroSpec):
            raise InputError(f"found a {type(recipe).__name__}, expected a AllegroSpec")
        return recipe
