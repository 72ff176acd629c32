"""Recipe `regions`: diffusion in slabs of a cell, near grain boundaries and along an axis."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from mlip_sse.analysis.trajectory_settings import FindingRecipe

if TYPE_CHECKING:
    from mlip_sse.analysis.findings import Finding
    from mlip_sse.analysis.mechanism.slabs import Region
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["RegionsRecipe"]

Slab = Annotated[tuple[float, float], Field(description="lower and upper fractional coordinate")]
_AXES = ("a", "b", "c")


class RegionsRecipe(FindingRecipe):
    """D along and across slabs, and D(z), with ions that cross."""

    recipe: Literal["regions"] = Field(description="the kind of recipe")
    axis: Literal["a", "b", "c"] = Field("c", description="cell vector whose planes bound the regions")
    slabs: Mapping[str, tuple[Slab, ...]] = Field(
        {},
        description="regions by name, each one or several slabs; [0.9, 1.1] reaches across the border of the cell",
        examples=[{"oxide": [[0.0, 0.5]], "sulfide": [[0.5, 1.0]]}],
    )
    planes: tuple[float, ...] = Field(
        (), description="fractional coordinates of grain boundaries; makes the regions near planes and elsewhere"
    )
    within: float = Field(5.0, gt=0, lt=1000, description="distance from these planes in Å")
    bin_width: float | None = Field(5.0, gt=0.5, description="of the profile D(z) in Å, about; null leaves it out")
    cage_ps: float = Field(1.0, gt=0, le=1000, description="shortest lag of a slope: vibration is over by then")
    intact: str | None = Field(
        None,
        min_length=1,
        description="region whose framework is at rest, where the other side melts or slides; all of it",
        examples=["oxide"],
    )

    @field_validator("planes", mode="before")
    @classmethod
    def _one_plane_is_a_list(cls, planes: Any) -> Any:
        return [planes] if isinstance(planes, int | float) else planes

    @model_validator(mode="after")
    def _regions_fit(self) -> Self:
        if self.slabs and self.planes:
            raise ValueError("slabs and planes are two ways to name regions, expected one of them")
        names = set(self.slabs) | ({"near planes", "elsewhere"} if self.planes else set())
        if self.intact is not None and self.intact not in names:
            raise ValueError(f"intact: found {self.intact!r}, expected one of the regions {', '.join(sorted(names))}")
        for name, slabs in self.slabs.items():
            if not slabs or any(not 0 < high - low <= 1 for low, high in slabs):
                raise ValueError(f"slabs of {name!r}: expected low < high, at most 1 apart, for each of them")
        return self

    def measure(self, trajectory: "Trajectory") -> "Finding":
        """Analyse one trajectory."""
        from mlip_sse.analysis.mechanism.regions import Regions, intact_reference
        from mlip_sse.analysis.mechanism.regions_findings import regions_finding

        axis = _AXES.index(self.axis)
        named = self._named(trajectory)
        if self.intact is not None:
            trajectory = intact_reference(trajectory, named[self.intact], axis, self.mobile)
        regions = Regions(
            mobile=self.mobile,
            axis=axis,
            regions=tuple(named.values()),
            bin_width=self.bin_width,
            cage_ps=self.cage_ps,
            confidence=self.confidence,
        )
        return regions_finding(regions.run(trajectory), self.axis)

    def _named(self, trajectory: "Trajectory") -> "Mapping[str, Region]":
        from mlip_sse.analysis.mechanism.slabs import Region, frame_of_axis, slabs_near_planes

        if self.planes:
            _, height = frame_of_axis(trajectory.mean_cell, _AXES.index(self.axis))
            return slabs_near_planes(self.planes, self.within, height)
        return {name: Region(name, tuple(slabs)) for name, slabs in self.slabs.items()}
