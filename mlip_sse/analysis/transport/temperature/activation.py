"""The Arrhenius answer of a set of simulations: from D(T) and σ(T) to Ea, D(300 K) and σ(300 K), with one verdict."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from mlip_sse.analysis.results import Interval, Quality, Verdict, to_plain
from mlip_sse.analysis.transport.temperature.arrhenius import ArrheniusFit, fit_arrhenius
from mlip_sse.analysis.transport.temperature.arrhenius_points import Quantity, Values
from mlip_sse.errors import InputError
from mlip_sse.provenance import Provenance

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ArrheniusResult", "analyze_arrhenius"]


@dataclass(frozen=True, eq=False)
class ArrheniusResult:
    """Activation energy and 300 K values, as the table and the JSON print them.

    Parameters
    ----------
    diffusivity
        Fit of ln D, where diffusivities were given.
    conductivity
        Fit of ln(σT), where conductivities were given.
    nernst_einstein_factor_300k
        σ/D in (mS/cm)/(cm²/s) at 300 K. Used only where no conductivities were given.
    provenance
        Where the numbers came from.
    """

    diffusivity: ArrheniusFit | None
    conductivity: ArrheniusFit | None
    nernst_einstein_factor_300k: float | None = None
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def activation_energy_ev(self) -> Interval | None:
        """Of the tracer diffusivity where there is one (its error is the smaller), else of the conductivity."""
        fit = self.diffusivity or self.conductivity
        return None if fit is None else fit.activation_energy_ev

    @property
    def diffusivity_300k_cm2_s(self) -> Interval | None:
        """Tracer diffusivity at 300 K."""
        return None if self.diffusivity is None else self.diffusivity.value_300k

    @property
    def conductivity_300k_ms_cm(self) -> Interval | None:
        """Conductivity at 300 K from ln(σT), or by Nernst-Einstein from D(300 K) where only diffusivities are known."""
        if self.conductivity is not None:
            return self.conductivity.value_300k
        at_300k = self.diffusivity_300k_cm2_s
        if at_300k is None or self.nernst_einstein_factor_300k is None:
            return None
        sigma = at_300k.scaled(self.nernst_einstein_factor_300k)
        return Interval(sigma.value, sigma.low, sigma.high, sigma.confidence, f"Nernst-Einstein from {sigma.method}")

    @property
    def verdict(self) -> Verdict:
        """The worse of the two fits; each reason says which it belongs to."""
        order = [Quality.PASS, Quality.WEAK, Quality.REFUSED]
        fits = [fit for fit in (self.diffusivity, self.conductivity) if fit is not None]
        worst = max((fit.verdict.quality for fit in fits), key=order.index)
        reasons = [f"{fit.quantity.form}: {reason}" for fit in fits for reason in fit.verdict.reasons]
        return Verdict(worst, tuple(reasons))

    def to_dict(self) -> dict[str, Any]:
        """Return plain Python data under the stable names."""
        verdict = self.verdict
        return {
            "activation_energy_ev": to_plain(self.activation_energy_ev),
            "conductivity_300k_ms_cm": to_plain(self.conductivity_300k_ms_cm),
            "diffusivity_300k_cm2_s": to_plain(self.diffusivity_300k_cm2_s),
            "quality": str(verdict.quality),
            "reasons": list(verdict.reasons),
            "fits": {
                fit.quantity.value: fit.to_dict() for fit in (self.diffusivity, self.conductivity) if fit is not None
            },
            "provenance": to_plain(self.provenance),
        }

    def plot(self) -> "Figure":
        """Draw points, line, band and the values at 300 K as a matplotlib figure."""
        from mlip_sse.analysis.transport.display.plots import plot_arrhenius

        return plot_arrhenius(self)


def analyze_arrhenius(
    temperatures_k: ArrayLike,
    diffusivities_cm2_s: Values | None = None,
    conductivities_ms_cm: Values | None = None,
    *,
    diffusivity_errors_cm2_s: ArrayLike | None = None,
    conductivity_errors_ms_cm: ArrayLike | None = None,
    nernst_einstein_factor_300k: float | None = None,
    confidence: float = 0.95,
    provenance: Provenance | None = None,
) -> ArrheniusResult:
    """Fit ln D and ln(σT) against 1/T, whichever are given.

    Parameters
    ----------
    temperatures_k : (n,) K
    diffusivities_cm2_s : n estimates, n lists of replicas, or n numbers
    conductivities_ms_cm : n estimates, n lists of replicas, or n numbers
    diffusivity_errors_cm2_s, conductivity_errors_ms_cm : (n,) standard errors of plain numbers
    nernst_einstein_factor_300k
        See `mlip_sse.analysis.transport.temperature.reported.nernst_einstein_factor`; turns D(300 K) into σ(300 K)
        where no conductivities are given.
    confidence
        Of all intervals.
    """
    if diffusivities_cm2_s is None and conductivities_ms_cm is None:
        raise InputError("found neither diffusivities nor conductivities, expected at least one of them")
    diffusivity = conductivity = None
    if diffusivities_cm2_s is not None:
        diffusivity = fit_arrhenius(
            temperatures_k, diffusivities_cm2_s, standard_errors=diffusivity_errors_cm2_s, confidence=confidence
        )
    if conductivities_ms_cm is not None:
        conductivity = fit_arrhenius(
            temperatures_k,
            conductivities_ms_cm,
            standard_errors=conductivity_errors_ms_cm,
            quantity=Quantity.CONDUCTIVITY,
            confidence=confidence,
        )
    return ArrheniusResult(diffusivity, conductivity, nernst_einstein_factor_300k, provenance or Provenance())
