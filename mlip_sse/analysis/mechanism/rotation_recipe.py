"""Recipe `rotation`: how polyatomic ions turn, and whether cations hop when they do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from mlip_sse.analysis.trajectory_settings import FindingRecipe, Symbol

if TYPE_CHECKING:
    from mlip_sse.analysis.findings import Finding
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["RotationRecipe"]


class RotationRecipe(FindingRecipe):
    """Rotation of polyatomic ions and its coupling to the hops of cations."""

    recipe: Literal["rotation"] = Field(description="the kind of recipe")
    centre: Symbol = Field("P", description="species at the centre of a unit")
    ligand: Symbol = Field("S", description="species bound to it")
    bond_length: float = Field(2.6, gt=0, lt=5, description="longest bond in the first frame in Å")
    n_ligands: int | None = Field(
        None, ge=2, le=12, description="ligands of a unit; what most centres have", examples=[4]
    )
    breaking_factor: float = Field(
        1.25, ge=1, le=2, description="a unit is broken where a bond grows beyond this many bond lengths"
    )
    jump_angle_deg: float = Field(60.0, gt=0, lt=180, description="a unit has reoriented beyond this angle")
    settling_angle_deg: float = Field(
        30.0, gt=0, lt=90, description="a unit has settled while it stays within this angle"
    )
    residence_ps: float = Field(1.0, gt=0, le=100, description="for at least this time")
    libration_ps: float = Field(1.0, ge=0, le=100, description="libration is over at this lag")
    near: float = Field(5.0, gt=0, lt=20, description="a hop within this distance of a unit's centre is near it, Å")
    hop_distance: float = Field(
        2.0, gt=0, lt=10, description="a cation has hopped where its averages before and after are so far apart, Å"
    )
    hop_window_ps: float = Field(0.5, gt=0, le=100, description="time of each average")
    coincidence_ps: float = Field(
        1.0, gt=0, le=100, description="largest time between a reorientation and a hop that count as one"
    )
    interval_ps: float = Field(1.0, gt=0, le=100, description="over which rates of turning and moving are taken")

    @model_validator(mode="after")
    def _angles_fit(self) -> Self:
        if self.settling_angle_deg >= self.jump_angle_deg:
            raise ValueError(
                f"settling_angle_deg {self.settling_angle_deg:g} must be smaller than jump_angle_deg "
                f"{self.jump_angle_deg:g}"
            )
        return self

    def measure(self, trajectory: "Trajectory") -> "Finding":
        """Analyse one trajectory."""
        from mlip_sse.analysis.mechanism.paddle_wheel import PaddleWheel
        from mlip_sse.analysis.mechanism.rotation import Rotation
        from mlip_sse.analysis.mechanism.rotation_findings import rotation_finding

        rotation = Rotation(
            centre=self.centre,
            ligand=self.ligand,
            bond_length=self.bond_length,
            n_ligands=self.n_ligands,
            breaking_factor=self.breaking_factor,
            jump_angle_deg=self.jump_angle_deg,
            settling_angle_deg=self.settling_angle_deg,
            residence_ps=self.residence_ps,
            libration_ps=self.libration_ps,
            confidence=self.confidence,
        ).run(trajectory)
        wheel = PaddleWheel(
            cations=self.mobile,
            near=self.near,
            hop_distance=self.hop_distance,
            hop_window_ps=self.hop_window_ps,
            coincidence_ps=self.coincidence_ps,
            interval_ps=self.interval_ps,
            confidence=self.confidence,
        )
        return rotation_finding(rotation, wheel.attempt(trajectory, rotation))

    def compare(self, findings: "Sequence[tuple[float, Finding]]") -> "Finding | None":
        """Fit activation energy and attempt frequency of the reorientations."""
        from mlip_sse.analysis.mechanism.rotation_findings import compare_rotations

        return compare_rotations(findings, self.confidence)
