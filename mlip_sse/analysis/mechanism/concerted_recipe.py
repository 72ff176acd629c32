"""Recipe `concerted`: do ions move together, how far, along which directions, and what changes with temperature."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlip_sse.analysis.trajectory_settings import FindingRecipe

if TYPE_CHECKING:
    from mlip_sse.analysis.findings import Finding
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["ConcertedRecipe"]


class ConcertedRecipe(FindingRecipe):
    """Concerted hops, strings and van Hove functions of the first mobile species; modes over temperature."""

    recipe: Literal["concerted"] = Field(description="the kind of recipe")
    hops: Literal["positions", "density"] = Field(
        "positions",
        description="where hops come from: positions (maxima of p_hop) or jumps between the peaks of the density",
    )
    half_window_ps: float = Field(
        0.5, gt=0, lt=100, description="half window of p_hop in ps: several vibrations, a third of the residence time"
    )
    hop_threshold: float | None = Field(
        2.0, gt=0, lt=100, description="p_hop in Å² above which an ion hops; null chooses it from each trajectory"
    )
    window_fs: float = Field(200.0, gt=0, le=1e5, description="hops this close in time may be concerted, fs")
    distance: float = Field(
        3.5, gt=0, lt=50, description="and their ends this close in space, Å: a site spacing, beyond neighbouring ions"
    )
    replacement: bool = Field(
        False, description="only an end that was left and one that was reached count as close: ions that follow"
    )
    drop_back_jumps: bool = Field(True, description="leave out hops that the ion undoes within the window")
    n_null: int = Field(199, ge=19, le=100_000, description="random shifts that make up chance")
    n_lags: int = Field(10, ge=2, le=200, description="log-spaced lags of van Hove functions and strings")
    refill_radius: float = Field(1.0, gt=0, lt=10, description="a site is refilled by another ion this close, Å")
    mobile_fraction: float = Field(0.05, gt=0, le=1, description="share of the ions that strings are made of")
    replacement_distance: float = Field(
        1.0, gt=0, lt=10, description="an ion replaces another within this distance in a string, Å"
    )
    least_excess: float = Field(
        0.1, ge=0, lt=1, description="concerted fraction beyond chance that separates concerted from single-ion motion"
    )
    least_ratio: float = Field(
        1 / 3, gt=0, lt=1, description="a direction carries diffusion where D_k/D_1 exceeds this: 3-D, 2-D or 1-D"
    )
    hop_distance: float = Field(3.0, gt=0, lt=100, description="distance of sites in Å, for the verdict on D only")

    def measure(self, trajectory: "Trajectory") -> "Finding":
        """Analyse one trajectory."""
        from mlip_sse.analysis.mechanism.concerted_findings import measure_concerted

        return measure_concerted(self, trajectory)

    def compare(self, findings: "Sequence[tuple[float, Finding]]") -> "Finding | None":
        """Classify the modes and follow them over temperature."""
        from mlip_sse.analysis.mechanism.concerted_findings import compare_modes

        return compare_modes(self, findings)
