"""What `analyze` returns: a row for each file, the Arrhenius answer, and what to run next."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlip_sse.analysis.measurement import Measurement
from mlip_sse.analysis.recipes import Recipe
from mlip_sse.analysis.results import to_json, to_plain
from mlip_sse.analysis.temperature_series import TemperatureSeries
from mlip_sse.analysis.transport.temperature.activation import ArrheniusResult
from mlip_sse.provenance import Provenance

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["AnalysisReport"]

_ARRHENIUS_NAMES = ("activation_energy_ev", "conductivity_300k_ms_cm", "diffusivity_300k_cm2_s")


@dataclass(frozen=True, eq=False)
class AnalysisReport:
    """The result of a recipe.

    Parameters
    ----------
    recipe
        With the options that overruled it.
    measurements
        One row for each trajectory, or for each temperature of earlier results, in the order given.
    series
        The Arrhenius answer, replicas and plans.
    provenance
        Version, settings and time; each row's result has its own with the sha256 of its file.
    """

    recipe: Recipe
    measurements: tuple[Measurement, ...]
    series: TemperatureSeries
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def arrhenius(self) -> ArrheniusResult | None:
        """Activation energy and 300 K values; None where there is no line, and ``series.absent`` says why."""
        return self.series.arrhenius

    def to_dict(self) -> dict[str, Any]:
        """Return the names that scripts rely on, and nothing else."""
        return {"trajectories": [row.to_dict() for row in self.measurements], "arrhenius": self._arrhenius()}

    def details(self) -> dict[str, Any]:
        """Return everything, plots excepted."""
        fitted = self.series.arrhenius
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "trajectories": [row.details() for row in self.measurements],
            "pooled": to_plain(self.series.pooled),
            "arrhenius": None if fitted is None else {**fitted.to_dict(), **(self._arrhenius() or {})},
            "arrhenius_absent": self.series.absent or None,
            "plans": list(self.series.plans),
            "provenance": to_plain(self.provenance),
        }

    def to_json(self) -> str:
        """Return the stable names as JSON."""
        return to_json(self.to_dict())

    def save(self, folder: str | Path) -> list[Path]:
        """Write JSON, CSV, plots and the interactive page into a folder; see `report_files.write_report`."""
        from mlip_sse.analysis.report_files import write_report

        return write_report(self, folder)

    def plot(self) -> "Figure":
        """Draw the Arrhenius plot, or the mean squared displacements where there is one trajectory only."""
        from mlip_sse.analysis.transport.display.plots import plot_arrhenius, plot_transport
        from mlip_sse.errors import InputError

        if self.series.arrhenius is not None:
            return plot_arrhenius(self.series.arrhenius, self.detection_limits())
        results = [row.result for row in self.measurements if row.result is not None]
        if not results:
            raise InputError("there is nothing to draw: no trajectory was analysed and no line was fitted")
        return plot_transport(results[0])

    def detection_limits(self) -> list[tuple[float, float]]:
        """Return (temperature in K, upper limit of D in cm²/s) of the rows that only bound the diffusivity."""
        limits = []
        for row in self.measurements:
            interval = row.interval("tracer_diffusivity_cm2_s")
            if interval is not None and interval.value is None and row.temperature_k is not None:
                limits.append((row.temperature_k, interval.high))
        return limits

    def _arrhenius(self) -> dict[str, Any] | None:
        fitted, verdict = self.series.arrhenius, self.series.verdict
        if fitted is None:
            return None
        numbers = {name: to_plain(getattr(fitted, name)) for name in _ARRHENIUS_NAMES}
        return {**numbers, "quality": str(verdict.quality), "reasons": list(verdict.reasons)}
