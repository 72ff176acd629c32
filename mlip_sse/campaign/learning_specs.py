"""What the spec of every campaign says: seeds, exploration, selection, when it ends.

Each question has a spec of its own, in `mlip_sse.campaign.specs`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.potentials.training_data.specs import AnyReference
from mlip_sse.references.specs import ChgnetSpec
from mlip_sse.specs import EntrySpec, Spec

if TYPE_CHECKING:
    from mlip_sse.structures import OrderingSettings

__all__ = [
    "BudgetSpec",
    "Count",
    "CrystalLearningSpec",
    "DecisionSpec",
    "LearningSpec",
    "MaterialSpec",
    "RunsSpec",
    "SeedsSpec",
    "SelectionSpec",
    "Symbol",
    "Temperature",
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


class BudgetSpec(Spec):
    """Where the campaign ends even without an answer."""

    labels: int = Field(400, ge=10, le=1_000_000, description="labels in all")
    rounds: int = Field(12, ge=1, le=1000, description="rounds after the seeds")
    hours: float = Field(24.0, gt=0, le=10000, description="wall time of learning, over all calls, in hours")


class LearningSpec(EntrySpec):
    """What every campaign says: what labels, how it explores, when it ends."""

    question: str
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
        """Labels of the seeds around one structure and of one round."""
        return self.seeds.n_frames + self.select.frames + self.select.held_out

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.budget.labels < self.least_labels:
            raise ValueError(
                f"budget.labels: found {self.budget.labels}, expected at least {self.least_labels}, for the seeds and "
                "one round"
            )
        return self

    @property
    def files(self) -> dict[str, str]:
        """The structure files that the spec names, by their keys with dots in between."""
        return {}

    def beside(self, folder: Path) -> Self:
        """Return the spec with the structure files found beside it, where they lie there."""
        plain, found = self.model_dump(mode="json"), False
        for key, file in self.files.items():
            if Path(file).is_absolute() or not (folder / file).is_file():
                continue
            *sections, name = key.split(".")
            section = plain
            for each in sections:
                section = section[each]
            section[name], found = str(folder / file), True
        return self.parse(plain) if found else self

    def identity(self) -> dict[str, Any]:
        """Return what decides the campaign's numbers: everything but the words."""
        return self.model_dump(mode="json", exclude={"description"})


class AboutCrystal(EntrySpec):
    """What a question about one crystal asks about."""

    question: str
    structure: MaterialSpec = Field(
        description="what it is about: a crystal of the package or a file",
        examples=[{"crystal": "li6ps5cl", "min_width_a": 9.0}],
    )


class CrystalLearningSpec(LearningSpec, AboutCrystal):
    """A campaign about one crystal."""

    @property
    def least_labels(self) -> int:
        """Labels of the seeds around each arrangement and of one round."""
        return (self.structure.orderings - 1) * self.seeds.n_frames + super().least_labels

    @property
    def files(self) -> dict[str, str]:
        """The structure file."""
        return {} if self.structure.file is None else {"structure.file": self.structure.file}
