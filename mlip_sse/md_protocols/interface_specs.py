"""Specs of interfaces: two materials that meet in one cell, what they cost, and what becomes of them in time."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.errors import InputError
from mlip_sse.md_protocols.protocol_spec import AnyProtocolSpec, StructureSpec
from mlip_sse.specs import Spec

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.structures.interfaces import Interface

__all__ = [
    "InterfaceAnnealSpec",
    "InterfaceDynamicsSpec",
    "InterfaceEnergySettings",
    "InterfaceEnergySpec",
    "InterfaceProtocolSpec",
    "InterfaceSpec",
    "MaterialSpec",
]

_TOLERANCE = 1e-6

Temperature = Annotated[float, Field(gt=0, le=20000)]
MillerIndex = Annotated[int, Field(ge=-9, le=9)]


class MaterialSpec(Spec):
    """One side of an interface: a crystal of the package, a file or a metal, and how it is cut."""

    crystal: str | None = Field(
        None, min_length=1, description="an ordered crystal of the package, by name", examples=["li6ps5cl"]
    )
    file: str | None = Field(
        None,
        min_length=1,
        description="structure file of the bulk that ASE reads; relative to the protocol's folder",
        examples=["bulk.cif"],
    )
    metal: str | None = Field(
        None, pattern=r"^[A-Z][a-z]?$", description="an elemental metal in its own lattice", examples=["Li"]
    )
    miller: tuple[MillerIndex, MillerIndex, MillerIndex] | None = Field(
        None,
        description="Miller indices of the face that meets the other side; the best of all up to 1 if not given",
        examples=[[1, 0, 0]],
    )
    thickness_a: float = Field(15.0, ge=3, le=500, description="least thickness of the slab in Å; 15 to 20 or more")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        found = [name for name in ("crystal", "file", "metal") if getattr(self, name) is not None]
        if len(found) != 1:
            raise ValueError(f"found {' and '.join(found) or 'none'} of crystal, file and metal, expected one")
        if self.miller == (0, 0, 0):
            raise ValueError("miller: found 0 0 0, expected the indices of a plane")
        return self

    def bulk(self) -> "Atoms":
        """Return the bulk it is cut from.

        Raises
        ------
        CatalogueError
            When there is no crystal of that name.
        InputError
            When it is disordered, no metal ASE has a lattice of, or the file cannot be used.
        """
        from mlip_sse.md_protocols.structure import build_structure

        if self.metal is None:
            return build_structure(StructureSpec(crystal=self.crystal, file=self.file), None)
        from ase.build import bulk

        try:
            return bulk(self.metal, cubic=True)
        except (ValueError, KeyError, RuntimeError) as error:
            raise InputError(f"metal: found {self.metal!r}, expected one with a cubic lattice: give a file") from error


class InterfaceSpec(Spec):
    """Two materials in one cell, cut, matched and put together."""

    a: MaterialSpec = Field(
        description="the side that comes first along z", examples=[{"crystal": "licl", "miller": [1, 0, 0]}]
    )
    b: MaterialSpec = Field(
        description="the other side, at best the softer one", examples=[{"crystal": "licl", "miller": [1, 0, 0]}]
    )
    relax: Literal["isotropic", "free", "none"] = Field(
        "isotropic",
        description="what of each bulk's cell relaxes with the potential before it is cut: the volume alone, all, or "
        "nothing, which is right for a file that is at rest already",
    )
    max_strain: float = Field(0.05, gt=0, le=0.2, description="largest strain in the plane of any side")
    max_area_a2: float = Field(300.0, gt=0, le=1e5, description="largest area of the common cell in Å²")
    min_width_a: float = Field(
        9.0, ge=0, le=100, description="least width of the common cell in Å; images of an atom should not meet"
    )
    max_atoms: int = Field(1000, ge=2, le=10_000_000, description="most atoms of the whole cell")
    gap_a: float = Field(2.5, ge=0.5, le=10, description="distance between the outermost planes before they relax, Å")
    strained: Literal["a", "b", "both"] = Field("b", description="which side takes the strain; the softer one")
    vacuum_a: float | None = Field(
        None,
        ge=10,
        le=200,
        description="vacuum in Å with one interface; two interfaces in a periodic cell if not given",
        examples=[20.0],
    )
    shift: tuple[float, float] = Field((0.0, 0.0), description="b moved along the plane, in fractions of the cell")
    rank: int = Field(1, ge=1, le=100, description="which of the interfaces that fit, fewest atoms first")

    def bulks(self) -> "tuple[Atoms, Atoms]":
        """Return both bulks as they come from their sources.

        Raises
        ------
        InputError
            When one cannot be had.
        """
        return self.a.bulk(), self.b.bulk()

    def build(self, bulks: "tuple[Atoms, Atoms] | None" = None) -> "Interface":
        """Return the interface.

        Parameters
        ----------
        bulks
            Both at rest in the potential that will be used; as they come from their sources if not given.

        Raises
        ------
        InputError
            When a bulk cannot be had or cut, or no match lies within the limits.
        """
        from mlip_sse.structures.interfaces import InterfaceSettings, build_interfaces

        a, b = self.bulks() if bulks is None else bulks
        settings = InterfaceSettings(
            miller_a=self.a.miller,
            miller_b=self.b.miller,
            thickness_a=self.a.thickness_a,
            thickness_b=self.b.thickness_a,
            max_strain=self.max_strain,
            max_area=self.max_area_a2,
            min_width=self.min_width_a,
            max_atoms=self.max_atoms,
            gap_a=self.gap_a,
            strained=self.strained,
            vacuum=self.vacuum_a,
            shift=self.shift,
            max_interfaces=self.rank,
        )
        found = build_interfaces(a, b, settings)
        if len(found) < self.rank:
            raise InputError(f"rank: found {len(found)} interfaces within the limits, expected {self.rank} or more")
        return found[self.rank - 1]

    def beside(self, folder: Path) -> Self:
        """Return the spec with its files looked for in a folder."""
        return self.model_copy(update={name: _beside(getattr(self, name), folder) for name in ("a", "b")})


def _beside(material: MaterialSpec, folder: Path) -> MaterialSpec:
    if material.file is None:
        return material
    return material.model_copy(update={"file": str(folder / Path(material.file).expanduser())})


class InterfaceDynamicsSpec(Spec):
    """How an interface is relaxed, settled, heated and then left alone, its outer layers held at the temperature."""

    temperatures_k: tuple[Temperature, ...] = Field(
        min_length=1, description="temperatures in K", examples=[[300.0, 450.0]]
    )
    seeds: tuple[Annotated[int, Field(ge=1, le=899_999_999)], ...] = Field(
        (1,), min_length=1, description="one run for each, at each temperature"
    )
    timestep_fs: float = Field(1.0, gt=0, le=2, description="MD time step in fs; 1 while it reacts")
    relax_fmax: float = Field(0.05, gt=0, le=1, description="largest force that the relaxation leaves, in eV/Å")
    relax_steps: int = Field(2000, ge=1, le=100_000, description="steps after which each relaxation goes on as it is")
    settle_temperature_k: float = Field(
        200.0, gt=0, le=300, description="temperature in K at which it settles in a fixed cell"
    )
    settle_ps: float = Field(10.0, gt=0, description="time of that in ps")
    heat_ps: float = Field(5.0, gt=0, description="time in ps of the ramp to the temperature, the cell free along z")
    production_ps: float = Field(gt=0, description="time that is written, in ps", examples=[100.0])
    segment_ps: float = Field(10.0, gt=0, description="time after which what is done is safe from a kill, in ps")
    dump_every_fs: float = Field(100.0, gt=0, description="time between stored frames in fs")
    height: Literal["free", "fixed"] = Field(
        "free", description="fixed: the cell stays as built, where a side would not hold together at the pressure"
    )
    pressure_gpa: float = Field(0.0, ge=-10, le=100, description="pressure along z in GPa")
    newtonian_a: float = Field(
        5.0, ge=2, le=200, description="distance from an interface in Å up to which no thermostat touches an atom"
    )
    time_constant_fs: float = Field(100.0, ge=10, le=10000, description="of the thermostat of the outer layers in fs")
    time_limit_hours: float = Field(24.0, gt=0, description="wall time after which one run is stopped, in hours")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key in ("temperatures_k", "seeds"):
            if len(set(getattr(self, key))) != len(getattr(self, key)):
                raise ValueError(f"{key}: found a value twice, expected each once")
        if self.settle_temperature_k > min(self.temperatures_k):
            raise ValueError(
                f"settle_temperature_k: found {self.settle_temperature_k:g}, expected at most the lowest of "
                f"temperatures_k, {min(self.temperatures_k):g}"
            )
        ratio = self.dump_every_fs / self.timestep_fs
        if round(ratio) < 1 or abs(ratio - round(ratio)) > _TOLERANCE * ratio:
            raise ValueError(
                f"dump_every_fs: found {self.dump_every_fs:g}, expected a multiple of {self.timestep_fs:g}"
            )
        for key, wanted in (("settle_ps", 1), ("heat_ps", 1), ("production_ps", 2), ("segment_ps", 2)):
            if getattr(self, key) * 1000 < wanted * self.dump_every_fs * (1 - _TOLERANCE):
                raise ValueError(f"{key}: found {getattr(self, key):g}, expected at least {wanted} times dump_every_fs")
        return self

    def is_fixed(self, has_vacuum: bool) -> bool:
        """Return whether the height of a cell stays, as it does with vacuum in any case."""
        return has_vacuum or self.height == "fixed"

    @property
    def dump_steps(self) -> int:
        """MD steps between stored frames."""
        return round(self.dump_every_fs / self.timestep_fs)

    def steps(self, duration_ps: float) -> int:
        """Return the MD steps of a duration in ps, whole frames."""
        return max(1, round(duration_ps * 1000 / self.dump_every_fs)) * self.dump_steps

    @property
    def segments(self) -> tuple[int, ...]:
        """MD steps of each segment of production, whole frames each."""
        frames = self.steps(self.production_ps) // self.dump_steps
        each = max(1, self.steps(self.segment_ps) // self.dump_steps)
        whole, rest = divmod(frames, each)
        return (each * self.dump_steps,) * whole + ((rest * self.dump_steps,) if rest else ())

    @property
    def labels(self) -> list[dict[str, Any]]:
        """Temperature and seed of each run, in their order."""
        return [{"temperature_k": t, "seed": seed} for t in self.temperatures_k for seed in self.seeds]


class InterfaceEnergySettings(Spec):
    """How well bulks, slabs and interface are relaxed, and which gaps are tried."""

    optimizer: Literal["lbfgs", "fire"] = Field("lbfgs", description="how; fire is slower and harder to upset")
    fmax: float = Field(0.02, gt=0, le=1, description="largest force on an atom that is left, in eV/Å")
    stress_tolerance_gpa: float = Field(0.02, gt=0, le=10, description="largest stress left along z, in GPa")
    max_steps: int = Field(500, ge=1, le=100_000, description="steps after which a relaxation is refused")
    gaps_a: tuple[Annotated[float, Field(ge=0.5, le=10)], ...] = Field(
        (1.5, 2.0, 2.5, 3.0, 3.5), description="gaps in Å tried without relaxation; the best one is relaxed from"
    )
    interface_depth_a: float = Field(
        5.0, gt=0, le=100, description="distance from an interface in Å up to which atoms count in its reaction energy"
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.gaps_a)) != len(self.gaps_a):
            raise ValueError("gaps_a: found a value twice, expected each once")
        return self


class InterfaceProtocolSpec(AnyProtocolSpec):
    """What protocols of an interface have in common: its two materials, and the potential."""

    interface: InterfaceSpec = Field(description="the two materials and how they are put together")
    configuration: str | None = Field(
        None,
        min_length=1,
        description="a file with such a cell, side 0 or 1 of each atom in its array side: to start from instead of the "
        "one that is built, or whose reaction energy is wanted; relative to the protocol's folder",
        examples=["annealed.extxyz"],
    )

    def with_structure(self, file: str | Path) -> Self:
        """Return the protocol with a file as its configuration."""
        return self.model_copy(update={"configuration": os.path.abspath(Path(file).expanduser())})

    def beside(self, folder: Path) -> Self:
        """Return the protocol with its files looked for in a folder."""
        update: dict[str, Any] = {"interface": self.interface.beside(folder)}
        if self.configuration is not None:
            update["configuration"] = str(folder / Path(self.configuration).expanduser())
        return self.model_copy(update=update)


class InterfaceAnnealSpec(InterfaceDynamicsSpec, InterfaceProtocolSpec):
    """An interface in time: relaxed, settled, heated, then left to itself between thermostats at both ends."""

    protocol: Literal["interface_anneal"] = Field(description="the kind of protocol")


class InterfaceEnergySpec(InterfaceEnergySettings, InterfaceProtocolSpec):
    """Work of adhesion, formation energy, strain energy and explicit reaction energy of an interface."""

    protocol: Literal["interface_energy"] = Field(description="the kind of protocol")
    time_limit_hours: float = Field(24.0, gt=0, description="wall time after which one relaxation is stopped, in hours")

    @property
    def settings(self) -> InterfaceEnergySettings:
        """What bears on the energies alone."""
        names = InterfaceEnergySettings.model_fields
        return InterfaceEnergySettings.model_validate({name: getattr(self, name) for name in names})
