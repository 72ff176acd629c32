"""Recipe `sites_and_jumps`: where ions sit, how they hop, how fast, and whether the hops lead through the crystal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.analysis.trajectory_settings import FindingRecipe, Symbol
from mlip_sse.specs import Spec

if TYPE_CHECKING:
    from mlip_sse.analysis.findings import Finding
    from mlip_sse.analysis.mechanism.sites import SiteTemplate
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["SitesAndJumpsRecipe", "WyckoffSites"]

Point = Annotated[tuple[float, float, float], Field(description="fractions of the unit cell")]


class WyckoffSites(Spec):
    """Sites as Wyckoff positions of the unit cell."""

    spacegroup: int | str = Field(description="number or symbol", examples=["F-43m"])
    positions: Mapping[str, Point] = Field(
        min_length=1, description="one position of each site class by its label", examples=[{"T5": [0.0, 0.183, 0.183]}]
    )
    framework: Mapping[Symbol, tuple[Point, ...]] = Field(
        {},
        description="positions of framework species, to lay the cell over the trajectory; its origin is kept without",
        examples=[{"P": [[0.5, 0.0, 0.0]]}],
    )
    repeats: tuple[int, int, int] = Field(
        (1, 1, 1), description="unit cells along the trajectory's cell vectors", examples=[[2, 2, 2]]
    )


class SitesAndJumpsRecipe(FindingRecipe):
    """Sites, occupancies, jumps, rates, residence times, correlation factor and the hop network."""

    recipe: Literal["sites_and_jumps"] = Field(description="the kind of recipe")
    sites: str = Field(
        "density",
        min_length=1,
        description="density for its peaks, wyckoff for the list below, or a CIF (any structure file) with the sites",
        examples=["sites.cif"],
    )
    site_species: Mapping[str, Symbol | tuple[Symbol, ...]] | None = Field(
        None,
        description="label of each site class and the element that marks it in the file; the mobile species",
        examples=[{"T5": "Li", "T2": "Na"}],
    )
    framework_species: Mapping[Symbol, tuple[Symbol, ...]] | None = Field(
        None,
        description="elements that mark the framework in the file and the species that may stand there; each itself",
        examples=[{"P": ["P"], "I": ["S", "Cl"]}],
    )
    wyckoff: WyckoffSites | None = Field(
        None,
        description="Wyckoff positions, for sites: wyckoff",
        examples=[{"spacegroup": "F-43m", "positions": {"T5": [0.0, 0.183, 0.183]}, "repeats": [2, 2, 2]}],
    )
    assignment: Literal["auto", "spheres", "nearest", "tetrahedra"] = Field(
        "auto",
        description="when an ion is on a site; auto: tetrahedra where corners are named, nearest for density, spheres",
    )
    corners: tuple[Symbol, ...] = Field(
        (), description="species whose atoms are the corners of tetrahedral sites", examples=[["S", "Cl"]]
    )
    radius: float | None = Field(
        None,
        gt=0,
        lt=10,
        description="outer radius of spheres in Å; half the closest distance of two sites",
        examples=[1.2],
    )
    inner_fraction: float = Field(
        0.6, gt=0, le=1, description="an ion arrives within this fraction of the radius (hysteresis)"
    )
    minimum_residence_fs: float | None = Field(
        None,
        ge=0,
        description="shorter visits do not count; none for spheres, three frames for the others",
        examples=[300.0],
    )
    cell_tolerance: float = Field(0.05, gt=0, lt=0.3, description="largest strain between the file's cell and the mean")

    @model_validator(mode="after")
    def _parts_belong_together(self) -> Self:
        if (self.sites == "wyckoff") != (self.wyckoff is not None):
            raise ValueError("sites: wyckoff and the key wyckoff go together, expected both or neither")
        if self.assignment == "tetrahedra" and not self.corners:
            raise ValueError("tetrahedra need corners, for example corners: [S, Cl]")
        if self.radius is not None and self._assignment != "spheres":
            raise ValueError(f"radius is of spheres, the assignment is {self._assignment}: leave out one of them")
        return self

    @property
    def _assignment(self) -> str:
        if self.assignment != "auto":
            return self.assignment
        if self.corners:
            return "tetrahedra"
        return "nearest" if self.sites == "density" and self.radius is None else "spheres"

    def measure(self, trajectory: "Trajectory") -> "Finding":
        """Analyse one trajectory."""
        from mlip_sse.analysis.mechanism.site_analysis import SitesAndJumps
        from mlip_sse.analysis.mechanism.site_findings import site_finding

        analyzer = SitesAndJumps(
            mobile=self.mobile,
            sites=self._template(trajectory),
            method=self._assignment,
            radius=self.radius,
            inner_fraction=self.inner_fraction,
            corners=self.corners,
            minimum_residence_fs=self.minimum_residence_fs,
            cell_tolerance=self.cell_tolerance,
            confidence=self.confidence,
        )
        return site_finding(analyzer.run(trajectory))

    def compare(self, findings: "Sequence[tuple[float, Finding]]") -> "Finding | None":
        """Fit activation energy and attempt frequency of each hop class over the temperatures."""
        from mlip_sse.analysis.mechanism.site_temperatures import compare_sites

        return compare_sites([(kelvin, finding.result) for kelvin, finding in findings], self.confidence)

    def _template(self, trajectory: "Trajectory") -> "SiteTemplate | None":
        import numpy as np

        from mlip_sse.analysis.mechanism.sites import template_from_file, template_from_wyckoff

        if self.sites == "density":
            return None
        if self.wyckoff is not None:
            cell = trajectory.mean_cell / np.array(self.wyckoff.repeats)[:, None]
            listed = self.wyckoff
            return template_from_wyckoff(listed.spacegroup, listed.positions, cell, listed.framework)
        marks = self.site_species or {symbol: symbol for symbol in self.mobile}
        return template_from_file(self.sites, marks, self.framework_species)
