"""Spec of thermal expansion by dynamics at constant pressure."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.md_protocols.protocol_spec import ProtocolSpec

__all__ = ["ThermalExpansionSpec"]

_MIN_SAMPLES = 100


class ThermalExpansionSpec(ProtocolSpec):
    """The cell of a crystal over temperatures at constant pressure: how it expands, and how stiff it is while hot."""

    protocol: Literal["thermal_expansion"] = Field(description="the kind of protocol")
    temperatures_k: tuple[Annotated[float, Field(gt=0, le=20000)], ...] = Field(
        min_length=3, description="temperatures in K, five or more for a verdict", examples=[[300.0, 400.0, 500.0]]
    )
    reference_k: float = Field(300.0, gt=0, le=20000, description="temperature at which the coefficient is given, in K")
    order: Literal["auto", "linear", "quadratic"] = Field(
        "auto", description="how strains follow the temperature: straight, bent, or as the data ask for"
    )
    cell: Literal["isotropic", "orthogonal", "triclinic"] = Field(
        "triclinic", description="what of the cell moves; only triclinic gives all elastic constants"
    )
    pressure_gpa: float = Field(0.0, ge=-10, le=1000, description="pressure in GPa")
    timestep_fs: float = Field(2.0, gt=0, le=20, description="MD time step in fs; 1 above 1200 K, 0.5 with hydrogen")
    equilibration_ps: float = Field(10.0, ge=0, description="time at the temperature before the cell is read, in ps")
    sampling_ps: float = Field(50.0, gt=0, description="time during which the cell is read, in ps")
    sample_every_fs: float = Field(20.0, gt=0, description="time between readings of the cell in fs")
    seed: int = Field(1, ge=1, le=899_999_999, description="of the velocities; no two temperatures share numbers")
    symmetry_tolerance_a: float = Field(
        0.01, gt=0, le=0.5, description="distance within which positions of the start count as equal, in Å"
    )
    time_limit_hours: float = Field(24.0, gt=0, description="wall time after which one run is stopped, in hours")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.temperatures_k)) != len(self.temperatures_k):
            raise ValueError("temperatures_k: found a value twice, expected each once")
        if self.sampling_ps * 1000 < _MIN_SAMPLES * self.sample_every_fs:
            raise ValueError(f"sampling_ps: expected at least {_MIN_SAMPLES} times sample_every_fs")
        densities = self.structure.density_g_cm3
        if densities is not None and len(densities) != 1:
            raise ValueError(f"structure.density_g_cm3: found {len(densities)} values, expected one, to start from")
        return self

    def steps(self, duration_ps: float) -> int:
        """Return the number of MD steps of a duration in ps."""
        return round(duration_ps * 1000 / self.timestep_fs)

    @property
    def every(self) -> int:
        """MD steps between readings of the cell."""
        return max(1, round(self.sample_every_fs / self.timestep_fs))
