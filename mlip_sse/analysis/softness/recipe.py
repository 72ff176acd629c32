"""Recipe `softness`: which surroundings make an ion hop, and what that does to its barrier."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlip_sse.analysis.trajectory_settings import FindingRecipe, Symbol

if TYPE_CHECKING:
    from mlip_sse.analysis.findings import Finding
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["SoftnessRecipe"]


class SoftnessRecipe(FindingRecipe):
    """Hops from p_hop, a linear classifier of the surroundings of ions that hop, P_R(S, T) and barriers against S."""

    recipe: Literal["softness"] = Field(description="the kind of analysis")
    half_window_ps: float = Field(
        0.5, gt=0, lt=100, description="half window of p_hop in ps: five vibrations or more, a third of the residence"
    )
    hop_distance: float | None = Field(
        None,
        gt=0,
        lt=100,
        description="length of a jump in Å, from which p_c follows; chosen from the hops",
        examples=[3.0],
    )
    hop_threshold: float | None = Field(
        None, gt=0, lt=1000, description="p_c in Å² as it is wanted; from cage and jump length", examples=[2.5]
    )
    stable_ps: float | None = Field(
        None,
        gt=0,
        description="length of a stable span in ps; the longest of 3, 2, 1 residences that leaves enough",
        examples=[2.0],
    )
    average_ps: float = Field(
        0.2, ge=0, le=10, description="positions are averaged over this time in ps; 0 for inherent structures"
    )
    angular: bool = Field(True, description="whether angular structure functions are used beside the radial ones")
    max_samples: int = Field(5000, ge=30, le=100_000, description="largest number of samples in a class")
    n_folds: int = Field(5, ge=2, le=50, description="folds of the cross-validations")
    n_shuffles: int = Field(10, ge=3, le=1000, description="shuffles of the classes for the control")
    n_windows: int = Field(20_000, ge=100, le=10_000_000, description="windows of single ions to count hops in")
    coordination_cutoff: float = Field(
        3.2, gt=0, lt=20, description="longest contact of an ion and a neighbour in Å, for coordination numbers"
    )
    unit_centre: Symbol | None = Field(
        None, description="centre of polyanions, for softness by nearest unit; by nearest species", examples=["P"]
    )
    unit_ligand: Symbol = Field("S", description="ligand of these polyanions")
    softness: str | None = Field(
        None,
        min_length=1,
        description="a fitted softness (.json) to apply; one is fitted to each trajectory",
        examples=["fitted.json"],
    )
    seed: int = Field(0, ge=0, description="of everything that is drawn")

    def measure(self, trajectory: "Trajectory") -> "Finding":
        """Fit, or apply, a softness."""
        from mlip_sse.analysis.softness.analysis import SoftnessAnalysis
        from mlip_sse.analysis.softness.chemistry import unit_labels
        from mlip_sse.analysis.softness.classifier import Softness
        from mlip_sse.analysis.softness.findings import softness_finding

        analysis = SoftnessAnalysis(
            mobile=self.mobile,
            half_window_ps=self.half_window_ps,
            jump_length=self.hop_distance,
            hop_threshold=self.hop_threshold,
            stable_ps=self.stable_ps,
            average_ps=self.average_ps,
            angular=self.angular,
            max_samples=self.max_samples,
            n_folds=self.n_folds,
            n_shuffles=self.n_shuffles,
            n_windows=self.n_windows,
            coordination_cutoff=self.coordination_cutoff,
            confidence=self.confidence,
            seed=self.seed,
            softness=None if self.softness is None else Softness.load(self.softness),
        )
        labels = None
        if self.unit_centre is not None:
            labels = unit_labels(trajectory, self.mobile, self.unit_centre, self.unit_ligand)
        return softness_finding(analysis.run(trajectory, labels), self.confidence)

    def compare(self, findings: "Sequence[tuple[float, Finding]]") -> "Finding | None":
        """Count hops at all temperatures by one softness, and fit barriers and prefactors against it."""
        from mlip_sse.analysis.softness.findings import compare_softness

        return compare_softness([(kelvin, finding.result) for kelvin, finding in findings], self.confidence, self.seed)
