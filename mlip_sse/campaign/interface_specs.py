"""The spec of a campaign about an interface: two materials, what they may form, and the anneal that answers."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.analysis.interphase.recipe import UnitSettings
from mlip_sse.campaign.learning_specs import (
    BudgetSpec,
    Count,
    DecisionSpec,
    LearningSpec,
    RunsSpec,
    SeedsSpec,
    SelectionSpec,
    Temperature,
)
from mlip_sse.md_protocols.interface_specs import InterfaceSpec
from mlip_sse.specs import EntrySpec, Spec

__all__ = ["AnnealSpec", "InterfaceCampaignSpec", "InterfaceDecisionSpec", "InterfaceExplorationSpec"]


Amount = Annotated[float, Field(gt=0)]
Thickness = Annotated[float, Field(ge=3, le=500)]


class InterfaceExplorationSpec(RunsSpec):
    """Runs in which the interface may react; the ramps end hotter than the answer, so that more of it is seen."""

    longest_ps: float = Field(
        48.0, gt=0, le=10000, description="they get twice as long after a round that all came through, up to this in ps"
    )
    overheat: float = Field(1.5, ge=1, le=3, description="the ramps end at this times the temperature of the anneal")


class InterfaceDecisionSpec(DecisionSpec):
    """When a reaction energy stands."""

    tolerance_ev_atom: float = Field(
        0.02,
        gt=0,
        le=1,
        description="mean error of the reaction energy on frames that never train, in eV by atom of the interface",
    )
    explored_ps: float = Field(
        150.0, ge=0, description="time that the runs of each of these rounds came to in all, in ps"
    )
    depth_a: float = Field(
        5.0, gt=0, le=30, description="atoms this near to an interface at the start are those of the interface, in Å"
    )


class AnnealSpec(Spec):
    """The dynamics that the answer is read from."""

    temperatures_k: tuple[Temperature, ...] = Field((300.0,), min_length=1, description="of the anneal in K")
    seeds: Count = Field(2, description="runs at each temperature")
    production_ps: float = Field(100.0, gt=0, description="length of each in ps")
    relax_steps: int = Field(50, ge=1, le=100_000, description="steps of the relaxation before: it may react already")
    settle_k: float = Field(100.0, gt=0, le=300, description="temperature in K at which it settles first")
    settle_ps: float = Field(1.0, gt=0, description="time of that in ps, in a fixed cell")
    heat_ps: float = Field(1.0, gt=0, description="time in ps of the ramp to the temperature")
    timestep_fs: float = Field(2.0, gt=0, le=2, description="MD time step in fs")
    dump_every_fs: float = Field(250.0, gt=0, description="time between stored frames in fs")
    thickness_a: tuple[Thickness, Thickness] | None = Field(
        None, description="of a and b in Å, where they are to be thicker than in learning", examples=[[40.0, 25.0]]
    )


class AboutInterface(EntrySpec):
    """What a question about an interface asks about."""

    question: str
    interface: InterfaceSpec = Field(
        description="the two materials and how they are joined",
        examples=[{"a": {"crystal": "li6ps5cl"}, "b": {"crystal": "li"}}],
    )
    products: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (), max_length=12, description="crystals of the package that may form; the potential learns them too"
    )


class InterfaceCampaignSpec(LearningSpec, AboutInterface):
    """Learn a potential for two materials and what they form, until the reaction energy of their interface stands."""

    question: Literal["interface"] = Field("interface", description="does the interface react, how fast, to what")
    potential: str = Field("pod_campaign_interface", description="the recipe that is fitted, of family pod")
    seeds: SeedsSpec = Field(
        default_factory=lambda: SeedsSpec(strained=4, rattled=6, displaced=6, contacts=12, units=4),
        description="the first labelled frames; fewer around slabs and products",
    )
    mixed: int = Field(
        12, ge=0, le=500, description="seeds in which atoms of the interface changed places, and as many with a contact"
    )
    explore: InterfaceExplorationSpec = Field(
        default_factory=InterfaceExplorationSpec, description="dynamics that finds new frames"
    )
    select: SelectionSpec = Field(
        default_factory=lambda: SelectionSpec(frames=24, held_out=8, per_segment=8, shell_a=6.0),
        description="which of them are labelled",
    )
    decide: InterfaceDecisionSpec = Field(default_factory=InterfaceDecisionSpec, description="when the answer stands")
    height: Literal["free", "fixed"] = Field(
        "free", description="of the cell in all dynamics; fixed where a side would not hold together at no pressure"
    )
    units: tuple[UnitSettings, ...] = Field(
        (UnitSettings(centre="P", ligand="S", count=4),), min_length=1, description="what of the electrolyte is intact"
    )
    expected: Mapping[str, Amount] | None = Field(
        None,
        min_length=1,
        description="what a phase diagram predicts, formula to amount, as mlip-sse react prints it",
        examples=[{"Li2S": 5, "Li3P": 1, "LiCl": 1}],
    )
    anneal: AnnealSpec = Field(default_factory=AnnealSpec, description="dynamics for the answer")
    budget: BudgetSpec = Field(
        default_factory=lambda: BudgetSpec(labels=600), description="where it ends without an answer"
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.anneal.temperatures_k)) != len(self.anneal.temperatures_k):
            raise ValueError("anneal.temperatures_k: found a value twice, expected each once")
        return self

    @property
    def long_interface(self) -> InterfaceSpec:
        """The interface of the anneals."""
        if (wanted := self.anneal.thickness_a) is None:
            return self.interface
        sides = zip("ab", wanted, strict=True)
        thicker = {name: getattr(self.interface, name).model_copy(update={"thickness_a": each}) for name, each in sides}
        return self.interface.model_copy(update=thicker)

    @property
    def asked_k(self) -> float:
        """The hottest of the anneals."""
        return max(self.anneal.temperatures_k)

    @property
    def hottest_k(self) -> float:
        """The highest temperature that exploration reaches."""
        return self.asked_k * self.explore.overheat

    @property
    def least_labels(self) -> int:
        """Labels of the seeds around the interface and both bulks, and of one round."""
        return 2 * self.seeds.n_frames + super().least_labels

    @property
    def files(self) -> dict[str, str]:
        """The structure files of the two materials."""
        named = {f"interface.{side}.file": getattr(self.interface, side).file for side in ("a", "b")}
        return {key: file for key, file in named.items() if file is not None}
