"""Specs of the protocols without time: relaxation and equation of state."""

from typing import Literal, Self

from pydantic import Field, model_validator

from mlip_sse.md_protocols.protocol_spec import ProtocolSpec

__all__ = ["EquationOfStateSpec", "RelaxSpec", "StaticSpec"]

_MAX_DENSITIES = 1


class StaticSpec(ProtocolSpec):
    """What all of them have: when a structure counts as relaxed."""

    optimizer: Literal["lbfgs", "fire"] = Field("lbfgs", description="how; fire is slower and harder to upset")
    fmax: float = Field(0.01, gt=0, le=1, description="largest force on an atom that is left, in eV/Å")
    stress_tolerance_gpa: float = Field(
        0.02, gt=0, le=10, description="largest stress that is left where the cell relaxes, in GPa"
    )
    max_steps: int = Field(500, ge=1, le=100_000, description="steps after which a relaxation is refused")

    @model_validator(mode="after")
    def _one_density(self) -> Self:
        densities = self.structure.density_g_cm3
        if densities is not None and len(densities) > _MAX_DENSITIES:
            raise ValueError(f"structure.density_g_cm3: found {len(densities)} values, expected one")
        return self


class RelaxSpec(StaticSpec):
    """Relax positions, or positions and cell, to the nearest minimum of the energy."""

    protocol: Literal["relax"] = Field(description="the kind of protocol")
    cell: Literal["free", "isotropic", "shape", "fixed"] = Field(
        "free", description="what of the cell relaxes: all, the volume alone, the shape at this volume, or nothing"
    )
    pressure_gpa: float = Field(0.0, ge=-100, le=1000, description="pressure it relaxes under, in GPa")


class EquationOfStateSpec(StaticSpec):
    """Energies over volumes, relaxed at each, and the Birch-Murnaghan equation through them."""

    protocol: Literal["equation_of_state"] = Field(description="the kind of protocol")
    volume_strain: float = Field(0.08, gt=0.005, le=0.3, description="largest relative change of the volume")
    n_volumes: int = Field(9, ge=7, le=51, description="how many volumes")
    centre: Literal["relaxed", "given"] = Field(
        "relaxed", description="volume in the middle: that of the relaxed cell, or of the cell as given"
    )
    relax: Literal["positions", "shape"] = Field(
        "positions", description="what relaxes at each volume: positions, or positions and the shape of the cell"
    )
