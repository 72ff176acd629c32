"""The spec of a campaign: a material, a reference, a question, and how far to go for the answer.

What all questions share is in `mlip_sse.campaign.learning_specs`; each question has a spec of its own, under its name
in `CAMPAIGNS`.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Self

from pydantic import Field, model_validator

from mlip_sse.campaign.interface_specs import InterfaceCampaignSpec
from mlip_sse.campaign.learning_specs import (
    Count,
    CrystalLearningSpec,
    DecisionSpec,
    LearningSpec,
    MaterialSpec,
    RunsSpec,
    SeedsSpec,
    SelectionSpec,
    Temperature,
)
from mlip_sse.errors import SpecError
from mlip_sse.md_protocols.neb_specs import BandSpec
from mlip_sse.specs import Spec, load_spec

__all__ = [
    "CAMPAIGNS",
    "BarrierCampaignSpec",
    "BarrierDecisionSpec",
    "CampaignSpec",
    "ConductivityDecisionSpec",
    "ExplorationSpec",
    "ProductionSpec",
    "load_campaign",
]


class ExplorationSpec(RunsSpec):
    """Runs that go hotter than the answer."""

    overheat: float = Field(1.2, ge=1, le=2, description="the ramps end at this times the highest temperature")


class ModerateExplorationSpec(RunsSpec):
    """Runs warm enough to show how ions and lattice give way."""

    top_k: Temperature = Field(600.0, description="the ramps end at this temperature in K")


class ConductivityDecisionSpec(DecisionSpec):
    """When a conductivity stands."""

    explored_ps: float = Field(
        40.0, ge=0, description="time that the runs of a round came to in all before the answer is looked at, in ps"
    )
    factor_300k: float = Field(3.0, gt=1, description="the interval of sigma(300 K) must lie within this factor")


class BarrierDecisionSpec(DecisionSpec):
    """When barriers stand."""

    tolerance_ev: float = Field(
        0.02, gt=0, le=1, description="barriers may move by this, and be off the reference's energies by this, in eV"
    )
    within_ev: float = Field(0.06, gt=0, le=1, description="the interval of each must lie within this of it, in eV")


class ProductionSpec(Spec):
    """The dynamics that the answer is read from."""

    seeds: Count = Field(2, description="runs at each temperature")
    production_ps: float = Field(100.0, gt=0, description="length of each in ps")
    cell_ps: float = Field(10.0, gt=0, description="time for the mean cell at each temperature in ps")
    settle_ps: float = Field(5.0, ge=0, description="time before anything is written in ps")
    dump_every_fs: float = Field(50.0, gt=0, description="time between stored frames in fs")
    members: int = Field(4, ge=0, le=16, description="committee members that run too; their spread enters the error")
    member_ps: float = Field(20.0, gt=0, description="length of each of their runs in ps")
    probe_ps: float = Field(20.0, gt=0, description="length of the runs by which a round judges the answer in ps")
    teacher_ps: float = Field(
        5.0, ge=0, description="MD with the reference itself at the highest temperature in ps, where it can"
    )


class CampaignSpec(CrystalLearningSpec):
    """Learn a potential for a material until its conductivity and activation energy stand."""

    question: Literal["conductivity"] = Field("conductivity", description="sigma(300 K), Ea and D(T)")
    temperatures_k: tuple[Temperature, ...] = Field(
        min_length=4, description="temperatures of the answer in K", examples=[[450.0, 500.0, 550.0, 620.0]]
    )
    final: str | None = Field(
        None,
        description="a recipe fitted to all labels at the end instead, of nequip or allegro",
        examples=["my_nequip"],
    )
    explore: ExplorationSpec = Field(default_factory=ExplorationSpec, description="dynamics that finds new frames")
    decide: ConductivityDecisionSpec = Field(
        default_factory=ConductivityDecisionSpec, description="when the answer stands"
    )
    production: ProductionSpec = Field(default_factory=ProductionSpec, description="dynamics for the answer")

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.temperatures_k)) != len(self.temperatures_k):
            raise ValueError("temperatures_k: found a value twice, expected each once")
        return self

    @property
    def hottest_k(self) -> float:
        """The highest temperature that exploration reaches."""
        return max(self.temperatures_k) * self.explore.overheat


class BarrierCampaignSpec(CrystalLearningSpec):
    """Learn a potential for a crystal until the barriers of its vacancy hops stand."""

    question: Literal["barrier"] = Field("barrier", description="barriers of all symmetry-distinct vacancy hops")
    structure: MaterialSpec = Field(
        description="a crystal of the package or a file, without disorder; min_width_a: of the cell with the vacancy",
        examples=[{"crystal": "li3ocl", "min_width_a": 7.5}],
    )
    seeds: SeedsSpec = Field(
        default_factory=lambda: SeedsSpec(strained=7, rattled=8, displaced=8, contacts=4, units=0),
        description="the first labelled frames, as many of the crystal and of each cell with a vacancy",
    )
    explore: ModerateExplorationSpec = Field(
        default_factory=ModerateExplorationSpec, description="dynamics that finds new frames"
    )
    select: SelectionSpec = Field(
        default_factory=lambda: SelectionSpec(frames=16, held_out=6, per_segment=6),
        description="which of them are labelled, images of the bands among them",
    )
    bands: BandSpec = Field(default_factory=BandSpec, description="the elastic bands")
    decide: BarrierDecisionSpec = Field(default_factory=BarrierDecisionSpec, description="when the answer stands")

    @model_validator(mode="after")
    def _one_arrangement(self) -> Self:
        if self.structure.orderings != 1:
            raise ValueError(
                f"structure.orderings: found {self.structure.orderings}, expected 1: hops are those of one arrangement"
            )
        return self

    @property
    def least_labels(self) -> int:
        """Labels of the seeds, of the crystal and one cell with a vacancy, and of one round."""
        return self.seeds.n_frames + self.bands.n_images + super().least_labels


CAMPAIGNS: Mapping[str, type[Spec]] = MappingProxyType(
    {"conductivity": CampaignSpec, "barrier": BarrierCampaignSpec, "interface": InterfaceCampaignSpec}
)
"""The spec of each question."""


def load_campaign(name_or_path: str | Path) -> LearningSpec:
    """Load a campaign's spec from `md_protocols/campaigns/` or from a file.

    Raises
    ------
    CatalogueError
        When there is no such spec.
    SpecError
        When it has an unknown key or an impossible value.
    """
    from mlip_sse.catalogue import resolve

    path = resolve("md_protocols/campaigns", name_or_path)
    spec = load_spec(path, "campaign")
    if not isinstance(spec, LearningSpec):
        raise SpecError(f"{path}: found a {type(spec).__name__}, expected a campaign")
    return spec.beside(path.parent)
