"""Spec of glasses: a crystal is melted, or units are packed, then quenched."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.md_protocols.bulk_specs import BulkDynamicsSpec
from mlip_sse.md_protocols.protocol_spec import ProtocolSpec

__all__ = ["MeltQuenchSpec", "StageSegment"]

_TOLERANCE = 1e-6
_MIN_FRAMES = 4
_MIN_BLOCKS = 8

Symbol = Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]
StageName = Literal["melt", "quench", "anneal"]


@dataclass(frozen=True)
class StageSegment:
    """A part of a stage that is safe from a kill when it is done.

    Parameters
    ----------
    stage
        Which stage it belongs to.
    first_k, last_k
        Temperatures in K that its thermostat goes between, linearly.
    n_steps
        MD steps, whole frames.
    """

    stage: StageName
    first_k: float
    last_k: float
    n_steps: int


class MeltQuenchSpec(ProtocolSpec):
    """Glasses, one for each seed: a crystal or packed units, molten, quenched at a rate and annealed at a pressure."""

    protocol: Literal["melt_quench"] = Field(description="the kind of protocol")
    melt_temperature_k: float = Field(gt=0, le=20000, description="temperature of the melt in K", examples=[1200.0])
    melt_ps: float = Field(50.0, gt=0, description="time at that temperature in ps")
    quench_rate_k_ps: float = Field(5.0, gt=0, le=1e4, description="cooling rate in K/ps; 1 or less is good practice")
    end_temperature_k: float = Field(300.0, gt=0, le=20000, description="temperature of the glass in K")
    anneal_ps: float = Field(50.0, gt=0, description="time at that temperature in ps; its second half is averaged")
    start_volume: float = Field(
        1.1, ge=0.8, le=2.0, description="volume a crystal is scaled to before it melts, over its own; not for a glass"
    )
    melted_a: float | None = Field(
        None,
        gt=0,
        le=50,
        description="distance in Å that each element must have gone in half of melt_ps; not given, the shortest bond "
        "of a crystal, and none for packed units",
        examples=[2.5],
    )
    seeds: tuple[Annotated[int, Field(ge=1, le=899_999_999)], ...] = Field(
        (1, 2, 3), min_length=1, description="one glass for each, packed anew where units are packed"
    )
    mobile: Symbol = Field("Li", description="the ion whose surroundings, and whose diffusion, are looked at")
    diffusion: BulkDynamicsSpec | None = Field(
        None,
        description="dynamics of each glass at constant volume, at each temperature in its own mean cell",
        examples=[{"temperatures_k": [300.0, 400.0, 500.0], "cell_ps": 5.0, "settle_ps": 2.0, "production_ps": 50.0}],
    )
    timestep_fs: float = Field(2.0, gt=0, le=20, description="MD time step in fs; 1 above 1200 K, 0.5 with hydrogen")
    pressure_gpa: float = Field(0.0, ge=-10, le=1000, description="pressure in GPa")
    segment_ps: float = Field(20.0, gt=0, description="time after which what is done is safe from a kill, in ps")
    dump_every_fs: float = Field(100.0, gt=0, description="time between stored frames in fs")
    time_limit_hours: float = Field(24.0, gt=0, description="wall time after which one glass is stopped, in hours")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds: found a value twice, expected each once")
        if self.end_temperature_k >= self.melt_temperature_k:
            raise ValueError(
                f"end_temperature_k: found {self.end_temperature_k:g}, expected less than melt_temperature_k"
            )
        if self.diffusion is not None and (hot := max(self.diffusion.temperatures_k)) > self.melt_temperature_k:
            raise ValueError(
                f"diffusion.temperatures_k: found {hot:g}, expected at most melt_temperature_k: it is no glass then"
            )
        densities = self.structure.density_g_cm3
        if densities is not None and len(densities) != 1:
            raise ValueError(f"structure.density_g_cm3: found {len(densities)} values, expected one, to start from")
        ratio = self.dump_every_fs / self.timestep_fs
        if round(ratio) < 1 or abs(ratio - round(ratio)) > _TOLERANCE * ratio:
            raise ValueError(
                f"dump_every_fs: found {self.dump_every_fs:g}, expected a multiple of {self.timestep_fs:g}"
            )
        for key, wanted in (("segment_ps", 1), ("melt_ps", _MIN_FRAMES), ("anneal_ps", 2 * _MIN_BLOCKS)):
            if getattr(self, key) * 1000 < wanted * self.dump_every_fs * (1 - _TOLERANCE):
                raise ValueError(f"{key}: found {getattr(self, key):g}, expected at least {wanted} times dump_every_fs")
        return self

    @property
    def dump_steps(self) -> int:
        """MD steps between stored frames."""
        return round(self.dump_every_fs / self.timestep_fs)

    @property
    def quench_ps(self) -> float:
        """Time of the quench in ps."""
        return (self.melt_temperature_k - self.end_temperature_k) / self.quench_rate_k_ps

    @property
    def segments(self) -> tuple[StageSegment, ...]:
        """All segments of a glass, in their order."""
        hot, cold = self.melt_temperature_k, self.end_temperature_k
        stages: tuple[tuple[StageName, float, float, float], ...] = (
            ("melt", hot, hot, self.melt_ps),
            ("quench", hot, cold, self.quench_ps),
            ("anneal", cold, cold, self.anneal_ps),
        )
        return tuple(part for name, first, last, ps in stages for part in self._parts(name, first, last, ps))

    def _parts(self, stage: StageName, first_k: float, last_k: float, duration_ps: float) -> list[StageSegment]:
        """Return a stage in segments of whole frames, at least one; the ramp goes on from one to the next."""
        frames = max(1, round(duration_ps * 1000 / self.dump_every_fs))
        each = max(1, round(self.segment_ps * 1000 / self.dump_every_fs))
        parts, done = [], 0
        while done < frames:
            now = min(each, frames - done)
            begin, end = (first_k + (last_k - first_k) * part / frames for part in (done, done + now))
            parts.append(StageSegment(stage, begin, end, now * self.dump_steps))
            done += now
        return parts
