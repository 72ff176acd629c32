"""What the transport analysis returns: every number with its interval, and one verdict."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlip_sse.analysis.results import Estimate, Interval, Verdict
from mlip_sse.analysis.transport.charge.charges import Charges
from mlip_sse.analysis.transport.charge.green_kubo import Agreement, GreenKuboConductivity
from mlip_sse.analysis.transport.charge.onsager import OnsagerMatrix
from mlip_sse.analysis.transport.charge.spectrum import SpectralDensity
from mlip_sse.analysis.transport.displacement.diffusion import Diffusion
from mlip_sse.analysis.transport.displacement.displacements import DisplacementMoments
from mlip_sse.analysis.transport.displacement.tensor import DiffusionTensor
from mlip_sse.analysis.transport.displacement.time_bins import TimeBins
from mlip_sse.provenance import Provenance

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SpeciesTransport", "TransportResult"]


@dataclass(frozen=True, eq=False)
class SpeciesTransport:
    """Displacement statistics and tracer diffusion of one mobile species."""

    name: str
    n_ions: int
    moments: DisplacementMoments
    bins: TimeBins
    diffusion: Diffusion
    tensor: DiffusionTensor | None

    def to_dict(self, confidence: float) -> dict[str, Any]:
        """Return the species' numbers under stable names."""
        d = self.diffusion
        return {
            "n_ions": self.n_ions,
            "tracer_diffusivity_cm2_s": d.interval(confidence),
            "onset_fs": d.onset_fs,
            "fit_start_fs": d.fit_start_fs,
            "exponent": d.exponent,
            "model_relative_error": d.model_error,
            "block_relative_error": d.block_error,
            "effective_jumps": d.jumps.effective,
            "he_zhu_mo_relative_standard_deviation": d.jumps.relative_standard_deviation,
            "detection_limit_cm2_s": d.jumps.detection_limit_cm2_s,
            "tensor": self.tensor,
            "quality": d.verdict.quality,
            "reasons": d.verdict.reasons,
        }


@dataclass(frozen=True, eq=False)
class TransportResult:
    """Transport of one trajectory; every public number is an `Interval` of the stated confidence.

    Attributes
    ----------
    species
        One entry a mobile species.
    charge
        Charge diffusion D_σ of all mobile species together.
    haven, conductivity, nernst_einstein
        Estimates, None where the data or a missing temperature do not allow them.
    spectrum
        D_σ in cm²/s from the low-frequency spectrum of the charge's increments.
    green_kubo
        Conductivity from velocities, where there are any.
    agreement
        Test between the estimators of the charge diffusivity.
    onsager
        Onsager matrix and transference numbers, for two or more charged mobile species.
    """

    confidence: float
    temperature_k: float | None
    frame_spacing_fs: float
    duration_fs: float
    volume: float
    reference: str
    charges: Charges
    species: tuple[SpeciesTransport, ...]
    charge: Diffusion
    charge_moments: DisplacementMoments
    sum_of_squared_charges: float
    haven: Estimate | None
    conductivity: Estimate | None
    nernst_einstein: Estimate | None
    spectrum: SpectralDensity
    green_kubo: GreenKuboConductivity | None
    agreement: Agreement | None
    onsager: OnsagerMatrix | None
    verdict: Verdict
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def mobile(self) -> str:
        """Names of the mobile species, joined by commas."""
        return ",".join(part.name for part in self.species)

    @property
    def tracer_diffusivity_cm2_s(self) -> Interval:
        """Tracer diffusivity of the first mobile species in cm²/s; a limit where it was not resolved."""
        return self.species[0].diffusion.interval(self.confidence)

    @property
    def charge_diffusivity_cm2_s(self) -> Interval:
        """Charge diffusivity in cm²/s."""
        return self.charge.interval(self.confidence)

    @property
    def haven_ratio(self) -> Interval | None:
        """H_R = σ_NE/σ."""
        return self._interval(self.haven)

    @property
    def conductivity_ms_cm(self) -> Interval | None:
        """Conductivity from the charge displacement in mS/cm."""
        return self._interval(self.conductivity)

    @property
    def nernst_einstein_conductivity_ms_cm(self) -> Interval | None:
        """Conductivity by Nernst-Einstein in mS/cm."""
        return self._interval(self.nernst_einstein)

    def _interval(self, estimate: Estimate | None) -> Interval | None:
        return None if estimate is None else estimate.interval(self.confidence)

    def summary(self) -> dict[str, Any]:
        """Return the names that scripts rely on, and nothing else."""
        inputs = self.provenance.inputs
        return {
            "path": inputs[0].path if inputs else None,
            "temperature_k": self.temperature_k,
            "mobile": self.mobile,
            "tracer_diffusivity_cm2_s": self.tracer_diffusivity_cm2_s,
            "charge_diffusivity_cm2_s": self.charge_diffusivity_cm2_s,
            "haven_ratio": self.haven_ratio,
            "conductivity_ms_cm": self.conductivity_ms_cm,
            "nernst_einstein_conductivity_ms_cm": self.nernst_einstein_conductivity_ms_cm,
            "quality": self.verdict.quality,
            "reasons": self.verdict.reasons,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything: the summary, each species, each estimator, settings and provenance."""
        return {
            **self.summary(),
            "confidence": self.confidence,
            "frame_spacing_fs": self.frame_spacing_fs,
            "duration_fs": self.duration_fs,
            "volume_a3": self.volume,
            "reference": self.reference,
            "charges": self.charges.statement,
            "species": {part.name: part.to_dict(self.confidence) for part in self.species},
            "charge_diffusivity_from_spectrum": self.spectrum,
            "green_kubo": self.green_kubo,
            "agreement": self.agreement,
            "onsager": self.onsager,
            "provenance": self.provenance,
        }

    def plot(self) -> "Figure":
        """Draw the mean squared displacements with their fits, and the local exponent, as a matplotlib figure."""
        from mlip_sse.analysis.transport.display.plots import plot_transport

        return plot_transport(self)
