"""Spec of thermal expansion by quasi-harmonic phonons."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.md_protocols.static_specs import StaticSpec

__all__ = ["QuasiHarmonicSpec"]


class QuasiHarmonicSpec(StaticSpec):
    """Phonons at several volumes of a relaxed crystal, and the volume of the lowest free energy over temperatures."""

    protocol: Literal["quasi_harmonic"] = Field(description="the kind of protocol")
    temperatures_k: tuple[Annotated[float, Field(ge=0, le=20000)], ...] = Field(
        (100.0, 200.0, 300.0, 400.0, 500.0, 600.0), min_length=1, description="temperatures in K"
    )
    reference_k: float = Field(300.0, ge=0, le=20000, description="temperature at which the coefficient is given, in K")
    compression: float = Field(
        0.03, ge=0, le=0.2, description="smallest volume below that of the relaxed cell, as a part of it"
    )
    expansion: float = Field(
        0.09, gt=0.005, le=0.4, description="largest volume above that of the relaxed cell, as a part of it"
    )
    n_volumes: int = Field(7, ge=5, le=31, description="how many volumes")
    relax: Literal["positions", "shape"] = Field(
        "shape", description="what relaxes at each volume: positions, or positions and the shape of the cell"
    )
    min_width_a: float = Field(9.0, gt=0, le=60, description="least width of the supercell of the forces, in Å")
    displacement_a: float = Field(
        0.03, gt=0, le=0.3, description="displacement of an atom in Å; 0.01 is enough where the energy is smooth"
    )
    mesh_a: float = Field(
        40.0, gt=0, le=400, description="points q: as many along a vector of the cell as it fits into this length, in Å"
    )
    fmax: float = Field(0.001, gt=0, le=1, description="largest force on an atom that is left, in eV/Å")

    @model_validator(mode="after")
    def _distinct_temperatures(self) -> Self:
        if len(set(self.temperatures_k)) != len(self.temperatures_k):
            raise ValueError("temperatures_k: found a value twice, expected each once")
        return self
