"""The protocols in `md_protocols/`: every number of a simulation, checked before the first step."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.catalogue import resolve
from mlip_sse.errors import SpecError
from mlip_sse.md_protocols.bulk_specs import BulkDiffusionSpec
from mlip_sse.md_protocols.elastic_specs import ElasticSpec
from mlip_sse.md_protocols.expansion_specs import ThermalExpansionSpec
from mlip_sse.md_protocols.interface_specs import InterfaceAnnealSpec, InterfaceEnergySpec
from mlip_sse.md_protocols.melt_specs import MeltQuenchSpec
from mlip_sse.md_protocols.neb_specs import NebBatchSpec, NebImagesSpec, NebInterstitialSpec, NebVacancySpec
from mlip_sse.md_protocols.protocol_spec import AnyProtocolSpec, ProtocolSpec, StructureSpec
from mlip_sse.md_protocols.quasi_harmonic_specs import QuasiHarmonicSpec
from mlip_sse.md_protocols.static_specs import EquationOfStateSpec, RelaxSpec
from mlip_sse.specs import Spec, load_spec

__all__ = [
    "PROTOCOLS",
    "DiffusionSpec",
    "MeltSpec",
    "ProtocolSpec",
    "StructureSpec",
    "ThermostatSpec",
    "load_protocol",
]

_MAX_STEPS = 10**10
_TOLERANCE = 1e-6

Temperature = Annotated[float, Field(gt=0, le=20000)]
Seed = Annotated[int, Field(ge=1, le=899_999_999)]


class MeltSpec(Spec):
    """A hot start that destroys the crystal, before the temperature asked for."""

    temperature_k: Temperature = Field(description="temperature of the melt in K")
    duration_ps: float = Field(gt=0, description="time at that temperature in ps")
    cooling_ps: float = Field(gt=0, description="time of the linear ramp to the temperature asked for in ps")


class ThermostatSpec(Spec):
    """How the temperature is held during production."""

    kind: Literal["csvr", "nose_hoover", "none"] = Field(
        "csvr",
        description="csvr: stochastic velocity rescaling (Bussi 2007), nose_hoover: a chain of three, none: NVE",
    )
    time_constant_fs: float = Field(200.0, ge=10, le=10000, description="relaxation time in fs")


class DiffusionSpec(ProtocolSpec):
    """Molecular dynamics at constant volume over temperatures, for diffusion and conductivity."""

    protocol: Literal["diffusion"] = Field(description="the kind of protocol")
    temperatures_k: tuple[Temperature, ...] = Field(
        min_length=1, description="temperatures in K, each with a folder of its own", examples=[[94.4, 110.0]]
    )
    seeds: tuple[Seed, ...] = Field(
        (1,),
        min_length=1,
        description="seeds of velocities and thermostat, one run for each; no two temperatures share numbers",
    )
    timestep_fs: float = Field(2.0, gt=0, le=20, description="MD time step in fs; 1 above 1200 K, 0.5 with hydrogen")
    melt: MeltSpec | None = Field(
        None, description="hot start", examples=[{"temperature_k": 300.0, "duration_ps": 5.0, "cooling_ps": 5.0}]
    )
    equilibration_ps: float = Field(20.0, ge=0, description="time at the temperature before anything is written, in ps")
    production_ps: float = Field(description="time that is written, in ps", gt=0, examples=[200.0])
    dump_every_fs: float = Field(100.0, gt=0, description="time between stored frames in fs; 5 or less for velocities")
    dump_velocities: bool = Field(False, description="store velocities as well (Å/ps)")
    current_every_fs: float | None = Field(
        None,
        gt=0,
        description="time between values of the charge current Σ q v, for Green-Kubo; 5 or less is fine enough",
        examples=[4.0],
    )
    thermostat: ThermostatSpec = Field(
        default_factory=ThermostatSpec, description="how the temperature is held during production"
    )
    time_limit_hours: float = Field(24.0, gt=0, description="wall time after which one run is stopped, in hours")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key in ("temperatures_k", "seeds"):
            values = getattr(self, key)
            if len(set(values)) != len(values):
                raise ValueError(f"{key}: found a value twice in {', '.join(f'{value:g}' for value in values)}")
        densities = self.structure.density_g_cm3
        if densities is not None and len(densities) not in (1, len(self.temperatures_k)):
            raise ValueError(
                f"structure.density_g_cm3: found {len(densities)} values for {len(self.temperatures_k)} temperatures, "
                "expected one, or one for each"
            )
        for key in ("dump_every_fs", "current_every_fs"):
            every = getattr(self, key)
            if every is not None and not _is_multiple(every, self.timestep_fs):
                raise ValueError(
                    f"{key}: found {every:g} fs, expected a multiple of timestep_fs = {self.timestep_fs:g}"
                )
        if self.production_ps * 1000 < 2 * self.dump_every_fs:
            raise ValueError(f"production_ps: found {self.production_ps:g}, expected at least two times dump_every_fs")
        if self.total_steps > _MAX_STEPS:
            raise ValueError(f"found {self.total_steps:.3g} steps for one run, expected at most {_MAX_STEPS:.0e}")
        return self

    def steps(self, duration_ps: float) -> int:
        """Return the number of MD steps of a duration in ps."""
        return round(duration_ps * 1000 / self.timestep_fs)

    def every(self, interval_fs: float) -> int:
        """Return an interval in fs in MD steps."""
        return round(interval_fs / self.timestep_fs)

    @property
    def preparation_steps(self) -> int:
        """MD steps before production."""
        melt = 0 if self.melt is None else self.steps(self.melt.duration_ps) + self.steps(self.melt.cooling_ps)
        return melt + self.steps(self.equilibration_ps)

    @property
    def production_steps(self) -> int:
        """MD steps of production, up to the last stored frame."""
        every = self.every(self.dump_every_fs)
        return self.steps(self.production_ps) // every * every

    @property
    def total_steps(self) -> int:
        """MD steps of one run."""
        return self.preparation_steps + self.production_steps

    def density_at(self, index: int) -> float | None:
        """Return the density (g/cm³) for the temperature with that index, or None where the file's cell holds."""
        densities = self.structure.density_g_cm3
        if densities is None:
            return None
        return densities[index if len(densities) > 1 else 0]


PROTOCOLS: Mapping[str, type[Spec]] = MappingProxyType(
    {
        "diffusion": DiffusionSpec,
        "bulk_diffusion": BulkDiffusionSpec,
        "relax": RelaxSpec,
        "equation_of_state": EquationOfStateSpec,
        "elastic": ElasticSpec,
        "quasi_harmonic": QuasiHarmonicSpec,
        "thermal_expansion": ThermalExpansionSpec,
        "neb_vacancy": NebVacancySpec,
        "neb_interstitial": NebInterstitialSpec,
        "neb_images": NebImagesSpec,
        "neb_batch": NebBatchSpec,
        "melt_quench": MeltQuenchSpec,
        "interface_anneal": InterfaceAnnealSpec,
        "interface_energy": InterfaceEnergySpec,
    }
)
"""The spec of each kind of protocol."""


def load_protocol(name_or_path: str | Path) -> AnyProtocolSpec:
    """Load a protocol from the catalogue or from a file; a structure file is looked for beside it.

    Raises
    ------
    CatalogueError
        When there is no such protocol; the message lists those that are.
    SpecError
        When the protocol has an unknown key or an impossible value.
    """
    path = resolve("md_protocols", name_or_path)
    spec = load_spec(path, "md_protocol")
    if not isinstance(spec, AnyProtocolSpec):
        raise SpecError(f"{path}: found a {type(spec).__name__}, expected a protocol")
    return spec.beside(path.parent)


def _is_multiple(interval: float, step: float) -> bool:
    ratio = interval / step
    return round(ratio) >= 1 and abs(ratio - round(ratio)) < _TOLERANCE * ratio
