"""Recipe `structure`: pairs, S(q), density of the mobile ion, polyanions, order and distortions of a sublattice."""

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, field_validator, model_validator

from mlip_sse.analysis.trajectory_settings import FindingRecipe, Symbol

if TYPE_CHECKING:
    from mlip_sse.analysis.findings import Finding
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["StructureRecipe"]


class StructureRecipe(FindingRecipe):
    """Pairs, S(q), density of the mobile ion, polyanions, order of a sublattice, distorted surroundings."""

    recipe: Literal["structure"] = Field(description="the kind of recipe")
    r_max: float | None = Field(
        None,
        gt=0,
        le=50,
        description="largest distance of g(r) in Å; 10, or half the smallest height of the cell",
        examples=[8.0],
    )
    n_bins: int = Field(200, ge=5, le=5000, description="shells of g(r)")
    most_frames: int = Field(1000, ge=1, description="at most about so many frames, evenly spaced, for g(r) and units")
    q_max: float | None = Field(8.0, gt=0, le=30, description="largest q of S(q) in 1/Å; null for no S(q)")
    radiation: Literal["none", "neutrons", "x-rays"] = Field(
        "none", description="what weighs the atoms in S(q); none: all alike"
    )
    density_resolution: float = Field(0.3, gt=0.02, le=2, description="distance of the density's grid planes in Å")
    density_smoothing: float = Field(
        0.3, ge=0, le=2, description="standard deviation of the Gaussian that smooths the density, Å"
    )
    polyhedra: tuple[str, ...] | None = Field(
        None,
        description="pairs of centre and ligand whose units are told apart; those that are bonded, [] for none",
        examples=[["P-S"]],
    )
    sublattice: tuple[Symbol, ...] | None = Field(
        None,
        description="species whose Steinhardt order is measured; anions that are not mobile",
        examples=[["S", "Cl"]],
    )
    degrees: tuple[int, ...] = Field((4, 6), description="l of the order parameters q_l; [] for none")
    vibration_fs: float = Field(
        1000.0, gt=0, description="time over which positions are averaged for order and distortions"
    )
    outliers: Literal["isolation_forest", "local_outlier_factor", "one_class_svm", "robust_covariance"] | None = Field(
        None, description="detector of distorted surroundings in the sublattice; null for no search"
    )
    false_alarm_rate: float = Field(
        0.01, gt=0, le=0.5, description="share of usual surroundings that the detector may call strange"
    )

    @field_validator("polyhedra")
    @classmethod
    def _are_pairs(cls, polyhedra: tuple[str, ...] | None) -> tuple[str, ...] | None:
        import re

        for pair in polyhedra or ():
            if not re.fullmatch("[A-Z][a-z]?-[A-Z][a-z]?", pair) or len(set(pair.split("-"))) == 1:
                raise ValueError(f"found {pair!r}, expected centre and ligand such as P-S")
        return polyhedra

    @field_validator("degrees")
    @classmethod
    def _are_degrees(cls, degrees: tuple[int, ...]) -> tuple[int, ...]:
        if not all(1 <= degree <= 20 for degree in degrees):
            raise ValueError(f"found {degrees}, expected degrees from 1 to 20")
        return degrees

    @model_validator(mode="after")
    def _sublattice_is_there(self) -> Self:
        if self.sublattice is not None and not self.sublattice:
            raise ValueError(
                "found an empty sublattice, expected species; leave it out, or set degrees: [] for no order"
            )
        return self

    def measure(self, trajectory: "Trajectory") -> "Finding":
        """Analyse one trajectory."""
        from mlip_sse.analysis.structure.outliers import OutlierDetector
        from mlip_sse.analysis.structure.pair_distributions import PairDistributions
        from mlip_sse.analysis.structure.structure_analysis import Structure
        from mlip_sse.analysis.structure.structure_factor import StructureFactors
        from mlip_sse.analysis.structure.structure_findings import structure_finding

        pairs = None
        if self.polyhedra is not None:
            pairs = tuple((pair.split("-")[0], pair.split("-")[1]) for pair in self.polyhedra)
        analyzer = Structure(
            mobile=self.mobile,
            pairs=PairDistributions(self.r_max, self.n_bins, self.most_frames),
            factors=None if self.q_max is None else StructureFactors(self.q_max),
            density_resolution=self.density_resolution,
            density_smoothing=self.density_smoothing,
            polyhedra=pairs,
            sublattice=self.sublattice,
            degrees=self.degrees,
            vibration_fs=self.vibration_fs,
            outliers=None if self.outliers is None else OutlierDetector(self.outliers, self.false_alarm_rate),
            confidence=self.confidence,
        )
        return structure_finding(analyzer.run(trajectory), self.radiation)
