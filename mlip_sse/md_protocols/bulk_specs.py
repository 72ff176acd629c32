"""Spec of bulk diffusion: the mean cell at each temperature first, then dynamics in it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.md_protocols.protocol_spec import ProtocolSpec
from mlip_sse.specs import Spec

__all__ = ["BulkDiffusionSpec", "BulkDynamicsSpec"]

_TOLERANCE = 1e-6


class BulkDynamicsSpec(Spec):
    """How the mean cells are found and how long the ions then move in them, for whatever atoms and potential."""

    temperatures_k: tuple[Annotated[float, Field(gt=0, le=20000)], ...] = Field(
        min_length=1, description="temperatures in K", examples=[[600.0, 800.0]]
    )
    seeds: tuple[Annotated[int, Field(ge=1, le=899_999_999)], ...] = Field(
        (1,), min_length=1, description="one production run for each, at each temperature"
    )
    timestep_fs: float = Field(2.0, gt=0, le=20, description="MD time step in fs; 1 above 1200 K, 0.5 with hydrogen")
    pressure_gpa: float = Field(0.0, ge=-10, le=1000, description="pressure of the mean cell in GPa")
    cell: Literal["isotropic", "orthogonal", "triclinic"] = Field(
        "isotropic", description="what of the cell moves: the volume alone, three lengths, or lengths and angles"
    )
    cell_ps: float = Field(20.0, gt=0, description="time at constant pressure in ps; its second half is averaged")
    settle_ps: float = Field(10.0, ge=0, description="time at the mean cell before anything is written, in ps")
    production_ps: float = Field(gt=0, description="time that is written, in ps", examples=[200.0])
    segment_ps: float = Field(20.0, gt=0, description="time after which what is done is safe from a kill, in ps")
    dump_every_fs: float = Field(100.0, gt=0, description="time between stored frames in fs")
    current_every_fs: float | None = Field(
        None,
        gt=0,
        description="time between values of the charge current Σ q v, for Green-Kubo; with fixed charges only",
        examples=[4.0],
    )
    time_constant_fs: float = Field(200.0, ge=10, le=10000, description="of the thermostat (Bussi 2007) in fs")
    time_limit_hours: float = Field(24.0, gt=0, description="wall time after which one run is stopped, in hours")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key in ("temperatures_k", "seeds"):
            if len(set(getattr(self, key))) != len(getattr(self, key)):
                raise ValueError(f"{key}: found a value twice, expected each once")
        if not _is_multiple(self.dump_every_fs, self.timestep_fs):
            raise ValueError(
                f"dump_every_fs: found {self.dump_every_fs:g}, expected a multiple of {self.timestep_fs:g}"
            )
        if (often := self.current_every_fs) is not None and not (
            _is_multiple(often, self.timestep_fs) and _is_multiple(self.dump_every_fs, often)
        ):
            raise ValueError(
                f"current_every_fs: found {often:g}, expected a multiple of timestep_fs that divides dump_every_fs"
            )
        if self.production_ps * 1000 < 2 * self.dump_every_fs or self.segment_ps * 1000 < 2 * self.dump_every_fs:
            raise ValueError("production_ps, segment_ps: expected at least two times dump_every_fs")
        if self.steps(self.cell_ps) < 100:
            raise ValueError(f"cell_ps: found {self.cell_ps:g}, expected at least 100 steps")
        return self

    def steps(self, duration_ps: float) -> int:
        """Return the number of MD steps of a duration in ps."""
        return round(duration_ps * 1000 / self.timestep_fs)

    @property
    def dump_steps(self) -> int:
        """MD steps between stored frames."""
        return round(self.dump_every_fs / self.timestep_fs)

    @property
    def current_steps(self) -> int | None:
        """MD steps between values of the charge current."""
        return None if self.current_every_fs is None else round(self.current_every_fs / self.timestep_fs)

    @property
    def segments(self) -> tuple[int, ...]:
        """MD steps of each segment, whole frames each."""
        frames = self.steps(self.production_ps) // self.dump_steps
        each = max(1, self.steps(self.segment_ps) // self.dump_steps)
        whole, rest = divmod(frames, each)
        return (each * self.dump_steps,) * whole + ((rest * self.dump_steps,) if rest else ())


def _is_multiple(interval: float, step: float) -> bool:
    ratio = interval / step
    return round(ratio) >= 1 and abs(ratio - round(ratio)) <= _TOLERANCE * ratio


class BulkDiffusionSpec(BulkDynamicsSpec, ProtocolSpec):
    """The mean cell at each temperature and pressure, then dynamics at that volume, in segments that survive a kill."""

    protocol: Literal["bulk_diffusion"] = Field(description="the kind of protocol")

    @model_validator(mode="after")
    def _one_density(self) -> Self:
        densities = self.structure.density_g_cm3
        if densities is not None and len(densities) != 1:
            raise ValueError(f"structure.density_g_cm3: found {len(densities)} values, expected one, to start from")
        return self
