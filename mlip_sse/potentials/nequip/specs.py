"""The recipe of a NequIP potential."""

from typing import Literal

from pydantic import Field

from mlip_sse.potentials.equivariant.specs import EquivariantSpec

__all__ = ["NequipSpec"]


class NequipSpec(EquivariantSpec):
    """A message-passing equivariant network: accurate from few frames, one rank in LAMMPS.

    References
    ----------
    S. Batzner et al., Nat. Commun. 13, 2453 (2022), doi:10.1038/s41467-022-29939-5
    """

    family: Literal["nequip"] = Field(description="the potential family")
    layers: int = Field(3, ge=1, le=12, description="message-passing layers; an atom feels up to layers times cutoff")
    l_max: int = Field(1, ge=0, le=6, description="highest rotation order of the features; 2 is better and slower")
    parity: bool = Field(False, description="whether features of odd mirror parity are kept too")
    features: int = Field(16, ge=1, le=512, description="number of features of each rotation order")
    radial_layers: int = Field(1, ge=0, le=8, description="hidden layers of the radial network")
    radial_width: int = Field(32, ge=1, le=1024, description="neurons of each of them")
