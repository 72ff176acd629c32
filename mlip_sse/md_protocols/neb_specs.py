"""Specs of barriers: vacancy hops, interstitial hops, given ends, and many compounds at once."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, model_validator

from mlip_sse.md_protocols.protocol_spec import AnyProtocolSpec, ProtocolSpec
from mlip_sse.specs import Spec

__all__ = [
    "BandSpec",
    "BesideBandSpec",
    "InterstitialSettings",
    "NebBatchSpec",
    "NebImagesSpec",
    "NebInterstitialSpec",
    "NebSettings",
    "NebVacancySpec",
    "PairSettings",
    "VibrationSpec",
    "is_file_name",
]

MobileElement = Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]
Repeat = Annotated[int, Field(ge=1, le=20)]
SomeSettings = TypeVar("SomeSettings", bound=Spec)


class BandSpec(Spec):
    """Which hops there are and how well bands are converged."""

    max_distance_a: float | None = Field(
        None, gt=0, le=20, description="longest hop in Å; reach times the shortest if not given", examples=[4.5]
    )
    reach: float = Field(1.5, ge=1, le=5, description="longest hop as a multiple of the shortest")
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
    symmetrise: bool = Field(
        True,
        description="compute half of a band that symmetry maps on its way back; the other half is its mirror image",
    )
    n_neighbours: int = Field(6, ge=0, le=200, description="neighbours of the ion in the curvatures at the top")

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if self.n_images % 2 == 0:
            raise ValueError(f"n_images: found {self.n_images}, expected an odd number")
        return self


class VibrationSpec(Spec):
    """How the attempt frequency is found from vibrations at the minimum and the saddle."""

    n_neighbours: int = Field(
        12,
        ge=0,
        le=5000,
        description="atoms beside the ion that move, the rest held; all of them where there are fewer",
    )
    steps_a: tuple[Annotated[float, Field(gt=0, le=0.2)], ...] = Field(
        (0.015, 0.03),
        min_length=1,
        max_length=4,
        description="steps of the finite differences in Å; their scatter is part of the interval",
    )
    temperature_k: float = Field(300.0, gt=0, le=3000, description="temperature of the rate ν* exp(-E/kT) in K")


class PairSettings(BandSpec):
    """How the band between two ends is computed."""

    vibrations: VibrationSpec | None = Field(
        None, description="attempt frequency (Vineyard); none unless given", examples=[{"n_neighbours": 12}]
    )


class NebSettings(PairSettings):
    """How hops are found and bands are converged."""

    mobile: MobileElement = Field("Li", description="the element that hops")
    min_width_a: float = Field(10.0, gt=0, le=100, description="least width of the cell with the vacancy in Å")
    repeats: tuple[Repeat, Repeat, Repeat] | None = Field(
        None,
        description="repeats of the crystal's own cell, instead of min_width_a: the hop keeps the crystal's symmetry",
        examples=[[2, 2, 2]],
    )
    held_beyond: float | None = Field(
        None,
        ge=1,
        le=20,
        description="atoms further than so many lengths of the hop from both of its ends stay where the crystal has "
        "them; all move if not given. For crystals that would tilt as a whole once a vacancy breaks their symmetry",
        examples=[1.5],
    )


class InterstitialSettings(PairSettings):
    """How interstitial sites and hops between them are found."""

    mobile: MobileElement = Field("Li", description="the element that hops")
    min_width_a: float = Field(10.0, gt=0, le=100, description="least width of the cell with the interstitial in Å")
    sites: tuple[tuple[float, float, float], ...] | None = Field(
        None,
        min_length=1,
        description="interstitial sites in fractions of the crystal's cell; its largest voids if not given",
        examples=[[[0.25, 0.25, 0.25]]],
    )
    max_sites: int = Field(2, ge=1, le=20, description="how many symmetry-distinct voids, the widest first")
    min_clearance_a: float = Field(1.5, gt=0, le=5, description="least distance of a void from every nucleus, in Å")
    mechanisms: tuple[Literal["interstitialcy", "direct"], ...] = Field(
        ("interstitialcy", "direct"),
        min_length=1,
        description="interstitialcy: the ion takes a lattice site and pushes its ion on; direct: from void to void",
    )


class BesideBandSpec(Spec):
    """What is computed beside a band."""

    reference: str | None = Field(
        None,
        min_length=1,
        description="a reference whose energies of the same images are set beside the potential's",
        examples=["chgnet"],
    )
    reference_band: bool = Field(
        False, description="converge a band with the reference as well: what of the difference is due to the path"
    )
    time_limit_hours: float = Field(24.0, gt=0, description="wall time after which one hop is stopped, in hours")

    @model_validator(mode="after")
    def _reference_first(self) -> Self:
        if self.reference_band and self.reference is None:
            raise ValueError("reference_band: found true without a reference, expected reference: chgnet or another")
        return self


class _OneCrystalSpec(ProtocolSpec, BesideBandSpec):
    """What the protocols with one crystal have."""

    @model_validator(mode="after")
    def _one_density(self) -> Self:
        densities = self.structure.density_g_cm3
        if densities is not None and len(densities) != 1:
            raise ValueError(f"structure.density_g_cm3: found {len(densities)} values, expected one")
        return self


class NebVacancySpec(_OneCrystalSpec, NebSettings):
    """Barriers of the symmetry-distinct hops of a vacancy in a crystal, by climbing-image elastic bands."""

    protocol: Literal["neb_vacancy"] = Field(description="the kind of protocol")

    @model_validator(mode="after")
    def _same_surroundings(self) -> Self:
        if self.reference_band and self.held_beyond is not None:
            raise ValueError(
                f"held_beyond: found {self.held_beyond:g} beside reference_band, whose ends all relax, expected one"
            )
        return self

    @property
    def settings(self) -> NebSettings:
        """What bears on the hops alone."""
        return _part(self, NebSettings)


class NebInterstitialSpec(_OneCrystalSpec, InterstitialSettings):
    """Barriers of an interstitial ion: direct hops between voids, and those that push a lattice ion on."""

    protocol: Literal["neb_interstitial"] = Field(description="the kind of protocol")

    @property
    def settings(self) -> InterstitialSettings:
        """What bears on the hops alone."""
        return _part(self, InterstitialSettings)


class NebImagesSpec(AnyProtocolSpec, BesideBandSpec, PairSettings):
    """Barriers between minima that a user brings, each structure with the next."""

    protocol: Literal["neb_images"] = Field(description="the kind of protocol")
    files: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        min_length=1,
        description="two structure files or more, or one that holds several frames; relative to the protocol's folder",
        examples=[["start.cif", "end.cif"]],
    )
    match: Literal["auto", "order"] = Field(
        "auto",
        description="auto: like atoms are matched so that the way is shortest, where the order does not do; "
        "order: as they stand",
    )

    def with_structure(self, file: str | Path) -> Self:
        """Return the protocol with one file, of several frames, in the place of its own."""
        return self.model_copy(update={"files": (os.path.abspath(Path(file).expanduser()),)})

    def beside(self, folder: Path) -> Self:
        """Return the protocol with its files looked for in a folder."""
        return self.model_copy(update={"files": tuple(str(folder / Path(file).expanduser()) for file in self.files)})

    @property
    def settings(self) -> PairSettings:
        """What bears on the bands alone."""
        return _part(self, PairSettings)


class NebBatchSpec(AnyProtocolSpec, NebSettings):
    """Vacancy barriers of many compounds, and one table of barriers and features."""

    protocol: Literal["neb_batch"] = Field(description="the kind of protocol")
    structures: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        min_length=1,
        max_length=10_000,
        description="crystals of the package by name, structure files (./mine.cif), or a prototype and a formula "
        "(antiperovskite:Li3OCl) whose lattice constant is guessed from ionic radii",
        examples=[["licl", "antiperovskite:Li3OCl"]],
    )
    mobile: Literal["auto"] | MobileElement = Field(
        "auto", description="the element that hops; auto: the alkali metal, or Mg, Ca, Zn, Ag, Cu, of each compound"
    )
    time_limit_hours: float = Field(24.0, gt=0, description="wall time after which one hop is stopped, in hours")

    @model_validator(mode="after")
    def _no_twins(self) -> Self:
        if len(set(self.structures)) != len(self.structures):
            twins = sorted({each for each in self.structures if self.structures.count(each) > 1})
            raise ValueError(f"structures: found {', '.join(twins)} twice")
        return self

    def beside(self, folder: Path) -> Self:
        """Return the protocol with its structure files looked for in a folder."""
        placed = (str(folder / Path(each).expanduser()) if is_file_name(each) else each for each in self.structures)
        return self.model_copy(update={"structures": tuple(placed)})

    def settings_for(self, mobile: str) -> NebSettings:
        """Return what bears on the hops of one compound."""
        given = {name: getattr(self, name) for name in NebSettings.model_fields}
        return NebSettings.model_validate({**given, "mobile": mobile})


def _part(spec: Spec, settings: type[SomeSettings]) -> SomeSettings:
    return settings.model_validate({name: getattr(spec, name) for name in settings.model_fields})


def is_file_name(name: str) -> bool:
    """Return whether a structure is named by its file."""
    return "/" in name or "\\" in name
