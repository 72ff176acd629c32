"""Recipe `mechanics`: how stiff a crystal is while hot, and how it expands, from its cell at constant pressure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mlip_sse.analysis.trajectory_settings import FindingRecipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlip_sse.analysis.findings import Finding
    from mlip_sse.analysis.mechanics.expansion import ThermalExpansion
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["MechanicsRecipe"]

_NAMES = ("bulk", "shear", "young", "poisson", "anisotropy")


class MechanicsRecipe(FindingRecipe):
    """Isothermal moduli from the fluctuations of the cell, and the expansion tensor of several temperatures."""

    recipe: Literal["mechanics"] = Field(description="the kind of recipe")
    skip_ps: float = Field(0.0, ge=0, description="time at the beginning of each trajectory that is left out, in ps")
    reference_k: float = Field(300.0, gt=0, le=20000, description="temperature at which the expansion is given, in K")
    order: Literal["auto", "linear", "quadratic"] = Field(
        "auto", description="how strains follow the temperature: straight, bent, or as the data ask for"
    )
    n_blocks: int = Field(20, ge=4, le=200, description="blocks of time of the moduli's jackknife")

    def measure(self, trajectory: "Trajectory") -> "Finding":
        """Return the moduli of one trajectory."""
        from mlip_sse.analysis.findings import Finding
        from mlip_sse.analysis.mechanics.strain_fluctuations import fluctuation_stiffness
        from mlip_sse.errors import InputError

        if trajectory.temperature_k is None:
            raise InputError("found no temperature, expected one: moduli from fluctuations are proportional to it")
        cells = trajectory.cells[round(self.skip_ps * 1000 / trajectory.frame_spacing_fs) :]
        found = fluctuation_stiffness(
            cells, trajectory.temperature_k, n_blocks=self.n_blocks, confidence=self.confidence
        )
        units = {name: f"{name}_gpa" for name in _NAMES[:3]}
        numbers = {units.get(name, name): found.moduli.get(name) for name in _NAMES}
        return Finding(
            {**numbers, "cell_moves": found.moves, "n_independent_frames": found.n_independent},
            found.verdict,
            details={"stiffness_gpa": found.stiffness_gpa, "low_gpa": found.low_gpa, "high_gpa": found.high_gpa},
            arrays={"cells": cells},
            result=found,
        )

    def compare(self, findings: "Sequence[tuple[float, Finding]]") -> "Finding | None":
        """Return the expansion tensor, where there are at least three temperatures."""
        from mlip_sse.analysis.findings import Finding
        from mlip_sse.analysis.mechanics.expansion import thermal_expansion

        if len({kelvin for kelvin, _ in findings}) < 3:
            return None
        kelvins = [kelvin for kelvin, _ in findings]
        cells = [finding.arrays["cells"] for _, finding in findings]
        found = thermal_expansion(
            kelvins, cells, reference_k=self.reference_k, order=self.order, confidence=self.confidence
        )
        rows = [
            {
                "temperature_k": kelvin,
                **{f"strain_{axis}": value for axis, value in zip("123456", strains, strict=True)},
            }
            for kelvin, strains in zip(found.temperatures_k.tolist(), found.strains.tolist(), strict=True)
        ]
        return Finding(
            {
                "volumetric_expansion_per_k": found.volumetric,
                "linear_expansion_per_k": found.linear,
                "reference_k": self.reference_k,
                "order": found.order,
            },
            found.verdict,
            details={"tensor_per_k": found.tensor_per_k, "error_per_k": found.error_per_k},
            tables={"strains": rows},
            plot=lambda: _plot(found),
            result=found,
        )


def _plot(found: "ThermalExpansion") -> "Figure":
    """Draw the logarithmic strains over temperature."""
    from mlip_sse.analysis.transport.display.plots import COLOURS, new_figure

    figure, axes = new_figure((5.0, 3.6), 1, 1, {})
    for index, name in enumerate(("xx", "yy", "zz")):
        axes.errorbar(
            found.temperatures_k,
            100 * found.strains[:, index],
            100 * found.strain_errors[:, index],
            marker="o",
            linewidth=1.0,
            color=COLOURS[index],
            label=name,
        )
    axes.set(xlabel="T (K)", ylabel="strain (%)")
    axes.legend()
    figure.tight_layout()
    return figure
