"""The recipe of an Allegro potential."""

from typing import Literal

from pydantic import Field

from mlip_sse.potentials.equivariant.specs import EquivariantSpec

__all__ = ["AllegroSpec"]


class AllegroSpec(EquivariantSpec):
    """A strictly local equivariant network: no message leaves the cutoff, so that LAMMPS may use many ranks.

    References
    ----------
    A. Musaelian et al., Nat. Commun. 14, 579 (2023), doi:10.1038/s41467-023-36329-y
    """

    family: Literal["allegro"] = Field(description="the potential family")
    layers: int = Field(2, ge=1, le=6, description="Allegro layers")
    l_max: int = Field(1, ge=1, le=6, description="highest rotation order; 2 is better and slower")
    parity: bool = Field(True, description="whether features of odd mirror parity are kept too")
    scalar_features: int = Field(32, ge=1, le=1024, description="number of scalar features of each pair")
    tensor_features: int = Field(8, ge=1, le=512, description="number of tensor features of each pair")
    width: int = Field(32, ge=1, le=1024, description="neurons of the hidden layers")
