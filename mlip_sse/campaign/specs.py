"""The spec of a campaign: a material, a reference, a question, and how far to go for the answer.

What all questions share is in `LearningSpec`; each question has a spec of its own, under its name in `CAMPAIGNS`.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.errors import SpecError
from mlip_sse.md_protocols.neb_specs import BandSpec
from mlip_sse.potentials.training_data.specs import AnyReference
from mlip_sse.references.specs import ChgnetSpec
from mlip_sse.specs import EntrySpec, Spec, load_spec

if TYPE_CHECKING:
    from mlip_sse.structures import OrderingSettings

__all__ = [
    "CAMPAIGNS",
    "BarrierCampaignSpec",
    "BarrierDecisionSpec",
    "BudgetSpec",
    "CampaignSpec",
    "DecisionSpec",
    "ExplorationSpec",
    "LearningSpec",
    "MaterialSpec",
    "ProductionSpec",
    "SeedsSpec",
    "SelectionSpec",
    "load_campaign",
]

Symbol = Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]
Temperature = Annotated[float, Field(gt=0, le=5000)]
Count = Annotated[int, Field(ge=1, le=1000)]


class MaterialSpec(Spec):
    """The structure that the campaign is about."""

    crystal: str | None = Field(None, description="a crystal of the package", examples=["li6ps5cl_disordered"])
    file: str | None = Field(None, description="or a structure file, beside the spec or seen from where it runs")
    min_width_a: float | None = Field(None, gt=0, le=100, description="least width of the supercell in Å")
    orderings: int = Field(1, ge=1, le=20, description="arrangements of partial occupancies, lowest Ewald energies")
    max_cells: int = Field(1, ge=1, le=64, description="largest supercell, in cells, that may meet the occupancies")
    occupancy_tolerance: float = Field(5e-3, ge=0, lt=0.5, description="how far an occupancy may be off")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.crystal is None) == (self.file is None):
            raise ValueError(f"found crystal {self.crystal!r} and file {self.file!r}, expected one of them")
        return self

    def ordering(self, seed: int) -> "OrderingSettings":
        """Return the settings of `mlip_sse.structures.resolve_disorder`."""
        from mlip_sse.structures import OrderingSettings

        return OrderingSettings(
            n_structures=self.orderings,
            seed=seed,
            max_cells=self.max_cells,
            occupancy_tolerance=self.occupancy_tolerance,
        )


class SeedsSpec(Spec):
    """The first frames, drawn around the structure without any dynamics; numbers are for each arrangement."""

    relax_steps: int = Field(30, ge=0, le=1000, description="relaxation with the reference, where it is a force field")
    strained: int = Field(9, ge=1, le=500, description="frames at volumes from -8 to +8 %, rattled a little")
    rattled: int = Field(12, ge=1, le=500, description="frames with all atoms displaced by 0.05 to 0.15 Å")
    displaced: int = Field(10, ge=0, le=500, description="frames with the mobile ions displaced by 0.3 to 0.6 Å")
    contacts: int = Field(20, ge=0, le=500, description="frames with one pair of atoms pushed together")
    units: int = Field(12, ge=0, le=500, description="frames with two polyanions pushed together, where any are near")

    @property
    def n_frames(self) -> int:
        """Frames of each arrangement beside the relaxation, and beside ``units``, which few structures have."""
        return self.strained + self.rattled + self.displaced + self.contacts


class RunsSpec(Spec):
    """Dynamics with the potential as it is, stopped where it stops being trusted."""

    segments: int = Field(4, ge=1, le=100, description="runs in a round, each with other random numbers")
    segment_ps: float = Field(6.0, gt=0, le=1000, description="length of each in ps, at first")
    longest_ps: float = Field(
        48.0, gt=0, le=10000, description="they get twice as long after a round that all came through, up to this in ps"
    )
    timestep_fs: float = Field(2.0, gt=0, le=10, description="MD time step in fs")
    look_every_fs: float = Field(40.0, gt=0, description="time between two looks at the grade in fs")
    stop_error_ev_a: float = Field(
        1.5, gt=0, description="a run ends where a force may be off by more than this in eV/Å, nine atoms in ten"
    )


class ExplorationSpec(RunsSpec):
    """Runs that go hotter than the answer."""

    overheat: float = Field(1.2, ge=1, le=2, description="the ramps end at this times the highest temperature")


class ModerateExplorationSpec(RunsSpec):
    """Runs warm enough to show how ions and lattice give way."""

    top_k: Temperature = Field(600.0, description="the ramps end at this temperature in K")


class SelectionSpec(Spec):
    """Which frames of a round are labelled."""

    strategy: Literal["committee", "random"] = Field("committee", description="random: the control arm")
    frames: Count = Field(32, description="frames labelled in a round to train on")
    held_out: int = Field(8, ge=2, le=500, description="and frames drawn at random that never train")
    per_segment: Count = Field(12, description="most frames of one run")
    shell_a: float = Field(3.0, gt=0, le=10, description="the spread counts on mobile ions and within this of them, Å")


class DecisionSpec(Spec):
    """When the answer stands."""

    rounds: int = Field(2, ge=2, le=10, description="rounds over which nothing may move")
    error_change: float = Field(0.1, gt=0, le=1, description="largest relative change of the held-out force error")
    alarms: float = Field(
        0.1,
        ge=0,
        le=1,
        description="largest share of looks above the alarm, at temperatures of the answer; of familiar ones 0.05",
    )


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


class BudgetSpec(Spec):
    """Where the campaign ends even without an answer."""

    labels: int = Field(400, ge=10, le=1_000_000, description="labels in all")
    rounds: int = Field(12, ge=1, le=1000, description="rounds after the seeds")
    hours: float = Field(24.0, gt=0, le=10000, description="wall time of learning, over all calls, in hours")


class LearningSpec(EntrySpec):
    """What every campaign says: what it is about, what labels, how it explores, when it ends."""

    question: str
    structure: MaterialSpec = Field(
        description="what it is about: a crystal of the package or a file",
        examples=[{"crystal": "li6ps5cl", "min_width_a": 9.0}],
    )
    mobile: Symbol = Field("Li", description="the ion that moves")
    reference: AnyReference = Field(
        default_factory=lambda: ChgnetSpec(), description="what labels: chgnet is a surrogate, not DFT"
    )
    potential: str = Field("pod_campaign", description="the recipe that is fitted, of family pod")
    seeds: SeedsSpec = Field(default_factory=SeedsSpec, description="the first labelled frames")
    explore: RunsSpec
    select: SelectionSpec = Field(default_factory=SelectionSpec, description="which of them are labelled")
    decide: DecisionSpec
    budget: BudgetSpec = Field(default_factory=BudgetSpec, description="where it ends without an answer")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="all random numbers follow from it")

    @property
    def least_labels(self) -> int:
        """Labels of the seeds and of one round."""
        return self.structure.orderings * self.seeds.n_frames + self.select.frames + self.select.held_out

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.budget.labels < self.least_labels:
            raise ValueError(
                f"budget.labels: found {self.budget.labels}, expected at least {self.least_labels}, for the seeds and "
                "one round"
            )
        return self

    def beside(self, folder: Path) -> Self:
        """Return the spec with the structure file found beside it, where it lies there."""
        file = self.structure.file
        if file is None or Path(file).is_absolute() or not (folder / file).is_file():
            return self
        return self.model_copy(update={"structure": self.structure.model_copy(update={"file": str(folder / file)})})

    def identity(self) -> dict[str, Any]:
        """Return what decides the campaign's numbers: everything but the words."""
        return self.model_dump(mode="json", exclude={"description"})


class CampaignSpec(LearningSpec):
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


class BarrierCampaignSpec(LearningSpec):
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


CAMPAIGNS: Mapping[str, type[Spec]] = MappingProxyType({"conductivity": CampaignSpec, "barrier": BarrierCampaignSpec})
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
