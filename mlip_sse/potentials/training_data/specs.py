"""The section ``data`` of a recipe: which structures are labelled, and by which reference."""

from typing import TYPE_CHECKING, Annotated, Any, Self, Union

from pydantic import Field, model_validator

from mlip_sse.references.specs import AseSpec, ChgnetSpec, Cp2kSpec, EspressoSpec, GpawSpec, VaspSpec
from mlip_sse.specs import Spec

if TYPE_CHECKING:
    from mlip_sse.structures import OrderingSettings

__all__ = [
    "AnyReference",
    "ContactSpec",
    "DistortionSpec",
    "ExchangeSpec",
    "MdSpec",
    "OrderingSpec",
    "RelaxSpec",
    "StructureSpec",
    "TrainingDataSpec",
]

AnyReference = Annotated[
    Union[ChgnetSpec, GpawSpec, VaspSpec, EspressoSpec, Cp2kSpec, AseSpec],  # noqa: UP007  # a tagged union
    Field(discriminator="kind"),
]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$", max_length=60)]
Count = Annotated[int, Field(ge=1, le=1000)]
VolumeChange = Annotated[float, Field(ge=-0.3, le=0.3)]


class OrderingSpec(Spec):
    """How partial occupancies are resolved."""

    n_structures: int = Field(1, ge=1, le=100, description="orderings to take, the lowest Ewald energies first")
    seed: int = Field(0, ge=0, description="of the sampling")
    max_cells: int = Field(1, ge=1, le=64, description="largest supercell, in cells, that may meet the occupancies")
    occupancy_tolerance: float = Field(5e-3, ge=0, lt=0.5, description="how far an occupancy may be off")

    def settings(self) -> "OrderingSettings":
        """Return the settings of `mlip_sse.structures.resolve_disorder`."""
        from mlip_sse.structures import OrderingSettings

        return OrderingSettings(**self.model_dump())


class ExchangeSpec(Spec):
    """Antisite pairs: atoms of two elements change places at random."""

    elements: tuple[str, str] = Field(description="the two elements", examples=[["S", "Cl"]])
    n_pairs: int = Field(1, ge=1, description="how many pairs")


class RelaxSpec(Spec):
    """Relaxation with the reference before anything is sampled."""

    force_ev_a: float = Field(0.1, gt=0, le=5, description="longest force to stop at, in eV/Å")
    max_steps: int = Field(100, ge=1, le=5000, description="steps after which it goes on with what it has")
    cell: bool = Field(False, description="whether the cell relaxes too")


class DistortionSpec(Spec):
    """Frames drawn around the start: strain, defects, then a rattle."""

    name: Name = Field(description="what they are called in the group's name", examples=["rattled"])
    n_frames: Count = Field(description="how many frames")
    rattle_a: float = Field(0.0, ge=0, lt=1, description="standard deviation of the displacements in Å")
    max_strain: float = Field(0.0, ge=0, le=0.2, description="strain components are drawn up to this size")
    volume_changes: tuple[VolumeChange, ...] = Field(
        (0.0,), min_length=1, description="changes of volume, taken in turn (-0.1 is 10 % smaller)"
    )
    vacancies: dict[str, Count] = Field(default_factory=dict, description="atoms of each element to take away")
    exchange: ExchangeSpec | None = Field(None, description="antisite pairs")

    @model_validator(mode="after")
    def _moves_something(self) -> Self:
        if not (self.rattle_a or self.max_strain or self.vacancies or self.exchange) and self.n_frames > len(
            set(self.volume_changes)
        ):
            raise ValueError(
                f"{self.name}: found {self.n_frames} frames but nothing random in them, expected at most "
                f"{len(set(self.volume_changes))}: set rattle_a"
            )
        return self


class ContactSpec(Spec):
    """Frames in which one pair of atoms is pushed together along its connection, each pair of elements in turn."""

    name: Name = Field("contacts", description="what they are called in the group's name")
    n_frames: Count = Field(description="how many frames")
    ratios: tuple[float, float] = Field(
        (0.75, 0.95), description="the pair's distance over the shortest of its elements in the start, drawn evenly"
    )
    rattle_a: float = Field(0.05, ge=0, lt=1, description="standard deviation of all atoms' displacements in Å")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0.4 <= self.ratios[0] < self.ratios[1] <= 1:
            raise ValueError(f"ratios: found {self.ratios[0]:g} to {self.ratios[1]:g}, expected 0.4 to 1, rising")
        return self


class MdSpec(Spec):
    """One trajectory of molecular dynamics with the reference itself, Langevin at fixed volume."""

    temperature_k: float = Field(gt=0, le=10000, description="temperature in K", examples=[600.0])
    n_frames: Count = Field(description="frames to keep; their labels cost nothing more")
    every: int = Field(8, ge=1, le=1000, description="steps from one kept frame to the next")
    warm_up_steps: int = Field(60, ge=0, le=100000, description="steps before the first of them")
    timestep_fs: float = Field(2.0, gt=0, le=10, description="time step in fs")
    friction_per_fs: float = Field(0.005, gt=0, le=1, description="friction of the Langevin thermostat in 1/fs")
    volume_change: VolumeChange = Field(0.0, description="change of volume of the start (0.03 is 3 % larger)")
    repeats: int = Field(1, ge=1, le=100, description="trajectories from the same start with other random numbers")

    def titles(self) -> tuple[str, ...]:
        """Return the name of each of its trajectories, as groups are called behind the start's name."""
        name = f"MD {self.temperature_k:g} K"
        if self.volume_change:
            name += f" volume {100 * self.volume_change:+g} %"
        return (name,) if self.repeats == 1 else tuple(f"{name} run {number + 1}" for number in range(self.repeats))


class StructureSpec(Spec):
    """A start structure and what is drawn from it; each line of it becomes groups that are never split."""

    name: Name = Field(description="what its groups begin with", examples=["ordered"])
    crystal: str | None = Field(None, description="a crystal of the package", examples=["li6ps5cl"])
    file: str | None = Field(None, description="or a structure file, seen from where the command runs")
    ordering: OrderingSpec = Field(
        OrderingSpec(), description="where occupancies are partial; each ordering is a start"
    )
    min_width_a: float | None = Field(None, gt=0, le=100, description="least width of the supercell in Å")
    volume_change: VolumeChange = Field(0.0, description="change of volume before anything else")
    vacancies: dict[str, Count] = Field(default_factory=dict, description="atoms of each element to take away")
    exchange: ExchangeSpec | None = Field(None, description="antisite pairs")
    relax: RelaxSpec | None = Field(None, description="relaxation; left out: none")
    distortions: tuple[DistortionSpec, ...] = Field((), description="strained, rattled and defective frames")
    contacts: tuple[ContactSpec, ...] = Field((), description="frames with two atoms close together")
    md: tuple[MdSpec, ...] = Field((), description="trajectories with the reference")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.crystal is None) == (self.file is None):
            raise ValueError(
                f"{self.name}: found crystal {self.crystal!r} and file {self.file!r}, expected one of them"
            )
        if not (self.distortions or self.contacts or self.md):
            raise ValueError(f"{self.name}: found nothing to draw from it, expected distortions, contacts or md")
        titles = [each.name for each in self.distortions] + [each.name for each in self.contacts]
        titles += [title for md in self.md for title in md.titles()]
        if twice := sorted({title for title in titles if titles.count(title) > 1}):
            raise ValueError(f"{self.name}: found {twice[0]!r} twice, expected each once: for md use repeats")
        return self


class TrainingDataSpec(Spec):
    """How the labelled frames of a recipe are made."""

    reference: AnyReference = Field(
        default_factory=lambda: ChgnetSpec(), description="what labels them, by its kind", examples=[{"kind": "chgnet"}]
    )
    seed: int = Field(0, ge=0, description="all random numbers follow from it and from what they are for")
    structures: tuple[StructureSpec, ...] = Field(min_length=1, description="start structures")

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [structure.name for structure in self.structures]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"structures: found the name {twice[0]!r} twice, expected each once")
        return self

    def identity(self) -> dict[str, Any]:
        """Return what decides the numbers of the reference."""
        return self.reference.identity()
