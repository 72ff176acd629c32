"""Spec of the barriers of vacancy hops."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.md_protocols.protocol_spec import ProtocolSpec
from mlip_sse.specs import Spec

__all__ = ["BandSpec", "NebSettings", "NebVacancySpec"]


class BandSpec(Spec):
    """Which hops there are and how well bands are converged."""

    max_distance_a: float | None = Field(
        None, gt=0, le=20, description="longest hop in Å; 1.5 times the shortest if not given", examples=[4.5]
    )
    max_hops: int = Field(20, ge=1, le=1000, description="more symmetry-distinct hops than that are refused")
    cell: Literal["free", "isotropic", "fixed"] = Field(
        "free", description="what of the crystal's cell relaxes before: all, the volume alone, or nothing"
    )
    n_images: int = Field(5, ge=1, le=51, description="images between the ends; odd, so that one can be in the middle")
    fmax: float = Field(0.01, gt=0, le=1, description="largest force on an atom left in crystal and ends, in eV/Å")
    band_fmax: float = Field(0.02, gt=0, le=1, description="largest force on an atom left in the band, in eV/Å")
    climb_below: float = Field(0.3, gt=0, le=10, description="the highest image climbs once the band is at this, eV/Å")
    max_steps: int = Field(500, ge=1, le=100_000, description="steps after which a relaxation is refused")
    band_steps: int = Field(500, ge=1, le=100_000, description="steps after which a band is refused")
    n_neighbours: int = Field(6, ge=0, le=200, description="neighbours of the ion in the curvatures at the top")

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if self.n_images % 2 == 0:
            raise ValueError(f"n_images: found {self.n_images}, expected an odd number")
        return self


class NebSettings(BandSpec):
    """How hops are found and bands are converged."""

    mobile: Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")] = Field("Li", description="the element that hops")
    min_width_a: float = Field(10.0, gt=0, le=100, description="least width of the cell with the vacancy in Å")


class NebVacancySpec(ProtocolSpec, NebSettings):
    """Barriers of the symmetry-distinct hops of a vacancy in a crystal, by climbing-image elastic bands."""

    protocol: Literal["neb_vacancy"] = Field(description="the kind of protocol")
    time_limit_hours: float = Field(24.0, gt=0, description="wall time after which one hop is stopped, in hours")

    @model_validator(mode="after")
    def _one_density(self) -> Self:
        densities = self.structure.density_g_cm3
        if densities is not None and len(densities) != 1:
            raise ValueError(f"structure.density_g_cm3: found {len(densities)} values, expected one")
        return self

    @property
    def settings(self) -> NebSettings:
        """What bears on the hops alone."""
        return NebSettings.model_validate({name: getattr(self, name) for name in NebSettings.model_fields})
