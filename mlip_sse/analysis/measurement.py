"""One row of an analysis: transport at one temperature, wherever its numbers came from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlip_sse.analysis.results import Estimate, Interval, Quality, Verdict, to_plain

if TYPE_CHECKING:
    from mlip_sse.analysis.transport.charge.cluster_conductivity import ClusterConductivity
    from mlip_sse.analysis.transport.transport_result import TransportResult

__all__ = ["SUMMARY_NAMES", "Measurement"]

_INTERVALS = (
    "tracer_diffusivity_cm2_s",
    "charge_diffusivity_cm2_s",
    "haven_ratio",
    "conductivity_ms_cm",
    "nernst_einstein_conductivity_ms_cm",
)
SUMMARY_NAMES = ("path", "temperature_k", "mobile", *_INTERVALS, "quality", "reasons")
"""The names that scripts rely on, in order."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """Transport at one temperature.

    Parameters
    ----------
    path
        The file it came from.
    temperature_k
        None where nobody said.
    mobile
        Mobile species, joined by commas; None where a table does not say.
    intervals
        The printed numbers by their stable names; a missing one is None.
    verdict
        Quality and reasons.
    diffusivity, conductivity
        Tracer diffusivity in cm²/s and conductivity in mS/cm, for pooling and fitting.
    tracer_quality
        Quality of the diffusivity alone; a conductivity may be weak beside a good diffusivity.
    duration_fs
        Simulated time; None where it is not known.
    printed
        Value and standard error as a table printed them; such rows are fitted as they stand.
    result, clusters
        What was computed from a trajectory.
    failed
        True where the file could not be analysed; the reasons say why.
    composition
        All atoms of the trajectory by element; "" where there was none.
    """

    path: str
    temperature_k: float | None
    mobile: str | None
    intervals: Mapping[str, Interval | None] = field(default_factory=dict)
    verdict: Verdict = field(default_factory=Verdict)
    diffusivity: Estimate | None = None
    conductivity: Estimate | None = None
    tracer_quality: Quality = Quality.PASS
    duration_fs: float | None = None
    printed: tuple[float, float | None] | None = None
    result: "TransportResult | None" = None
    clusters: "ClusterConductivity | None" = None
    failed: bool = False
    composition: str = ""

    @classmethod
    def of_result(
        cls,
        path: str,
        result: "TransportResult",
        clusters: "ClusterConductivity | None" = None,
        composition: str = "",
    ) -> "Measurement":
        """Make a row of the analysis of a trajectory."""
        first, summary = result.species[0].diffusion, result.summary()
        return cls(
            path=path,
            temperature_k=result.temperature_k,
            mobile=result.mobile,
            intervals={name: summary[name] for name in _INTERVALS},
            verdict=result.verdict,
            diffusivity=first.diffusivity_cm2_s,
            conductivity=result.conductivity,
            tracer_quality=first.verdict.quality,
            duration_fs=result.duration_fs,
            result=result,
            clusters=clusters,
            composition=composition,
        )

    @classmethod
    def of_failure(cls, path: str, temperature_k: float | None, mobile: str | None, reason: str) -> "Measurement":
        """Make a refused row of a file that could not be analysed."""
        refused = Verdict().refuse(reason)
        return cls(path, temperature_k, mobile, verdict=refused, tracer_quality=Quality.REFUSED, failed=True)

    @classmethod
    def of_printed(
        cls, path: str, temperature_k: float, value: float, error: float | None, confidence: float
    ) -> "Measurement":
        """Make a row of a printed diffusivity in cm²/s with its standard error, if it has one."""
        estimate: Estimate | None = None
        if error is None:
            interval = Interval(value, math.nan, math.nan, confidence, "as printed, without an error")
        else:
            estimate = Estimate(value, (error / value) ** 2, method="as printed, with its standard error")
            interval = estimate.interval(confidence)
        named = {"tracer_diffusivity_cm2_s": interval}
        return cls(path, temperature_k, None, named, diffusivity=estimate, printed=(value, error))

    @property
    def refused(self) -> bool:
        """Whether the row stays out of a fit."""
        return self.verdict.quality is Quality.REFUSED

    @property
    def label(self) -> str:
        """Temperature and path, for reasons."""
        return self.path if self.temperature_k is None else f"{self.temperature_k:g} K, {self.path}"

    def interval(self, name: str) -> Interval | None:
        """Return a printed number by its stable name."""
        return self.intervals.get(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the names that scripts rely on, and nothing else."""
        row = {
            "path": self.path,
            "temperature_k": self.temperature_k,
            "mobile": self.mobile,
            **{name: self.intervals.get(name) for name in _INTERVALS},
            "quality": self.verdict.quality,
            "reasons": self.verdict.reasons,
        }
        plain: dict[str, Any] = to_plain(row)
        return plain

    def details(self) -> dict[str, Any]:
        """Return everything: the row, the estimates that a later fit needs, and the whole result."""
        whole = {} if self.result is None else to_plain(self.result.to_dict())
        estimates = {"tracer_diffusivity_cm2_s": self.diffusivity, "conductivity_ms_cm": self.conductivity}
        return {
            **whole,
            **self.to_dict(),
            **({"composition": self.composition} if self.composition else {}),
            "duration_fs": self.duration_fs,
            "tracer_quality": str(self.tracer_quality),
            "estimates": to_plain(estimates),
            **({} if self.clusters is None else {"clusters": to_plain(self.clusters)}),
        }
