"""Arrhenius analysis: activation energy, prefactor, the value at another temperature, each with a calibrated interval.

Diffusivities: ln D = ln D₀ − Ea/(k_B T). Conductivities: ln(σT) = ln A − Ea/(k_B T). The line is fitted to the
logarithms, so every interval of a value is asymmetric. Extrapolation uses the full covariance,
var ln D(T) = cᵀ C c with c = (1, 1/(k_B T)), and is refused across a transition.

References
----------
He, Zhu, Epstein and Mo, npj Comput. Mater. 4, 18 (2018), doi:10.1038/s41524-018-0074-y.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.analysis.results import Interval, Quality, Verdict, to_plain
from mlip_sse.analysis.transport.temperature.arrhenius_points import Observations, Quantity, Values, observe
from mlip_sse.analysis.transport.temperature.temperature_models import (
    ModelComparison,
    TemperatureModel,
    compare_temperature_models,
)
from mlip_sse.analysis.transport.temperature.weighted_line import WeightedLine, fit_weighted_line
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K

__all__ = ["ArrheniusCurve", "ArrheniusFit", "Regime", "fit_arrhenius"]

ROOM_TEMPERATURE_K = 300.0
_LOW_TEMPERATURE_K = 700.0
_USELESS_RATIO = 100.0


@dataclass(frozen=True, eq=False)
class ArrheniusCurve:
    """A line with its band, for plots.

    Parameters
    ----------
    temperatures_k : (n,) K
    value, low, high : (n,) cm²/s or mS/cm
    """

    temperatures_k: NDArray[np.float64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True)
class Regime:
    """One straight piece of an Arrhenius plot: the measured range and its own activation energy."""

    from_k: float
    to_k: float
    n_points: int
    activation_energy_ev: Interval | None


@dataclass(frozen=True, eq=False)
class ArrheniusFit:
    """A fitted Arrhenius line, or the reasons why there is none.

    Parameters
    ----------
    quantity
        What was fitted; `Quantity.form` states the logarithm.
    observations
        All points, sorted by temperature.
    used : (n,) which of them the line goes through
    line
        The fit in x = 1/(k_B T), slope −Ea; None where it was refused.
    comparison
        Arrhenius against VTF and two regimes.
    regimes
        The two pieces, where two were found.
    valid_k
        Temperatures at which the line may be read; a transition ends it.
    confidence
        Of every interval.
    verdict
        Quality and reasons.
    """

    quantity: Quantity
    observations: Observations
    used: NDArray[np.bool_]
    line: WeightedLine | None
    comparison: ModelComparison | None
    confidence: float
    regimes: tuple[Regime, ...] = ()
    valid_k: tuple[float, float] = (0.0, math.inf)
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def method(self) -> str:
        """How the intervals were obtained."""
        if self.line is None:
            return "refused"
        if self.observations.variances is None:
            how = "unweighted, scale from the scatter"
        else:
            how = "weighted" + (", errors scaled by the scatter" if self.line.scatter_sets_scale else "")
        return f"{self.quantity.form} against 1/T, {how}, Student t"

    @property
    def activation_energy_ev(self) -> Interval | None:
        """Activation energy in eV."""
        return self._read(np.array([0.0, -1.0]))

    @property
    def log_prefactor(self) -> Interval | None:
        """Natural logarithm of the prefactor: ln D₀ (D₀ in cm²/s) or ln A (A in mS K/cm)."""
        return self._read(np.array([1.0, 0.0]))

    @property
    def value_300k(self) -> Interval | None:
        """The quantity at 300 K; None where the line does not reach there."""
        reachable = self.line is not None and self.valid_k[0] <= ROOM_TEMPERATURE_K <= self.valid_k[1]
        return self.evaluate(ROOM_TEMPERATURE_K) if reachable else None

    def evaluate(self, temperature_k: float) -> Interval:
        """Return the quantity at a temperature, with the interval of the line.

        Raises
        ------
        InputError
            When there is no line, or a transition lies between it and the temperature.
        """
        curve = self.curve(np.array([temperature_k]))
        return Interval(float(curve.value[0]), float(curve.low[0]), float(curve.high[0]), self.confidence, self.method)

    def curve(self, temperatures_k: NDArray[np.float64]) -> ArrheniusCurve:
        """Return line and pointwise band at some temperatures."""
        t = np.asarray(temperatures_k, dtype=np.float64)
        if self.line is None:
            raise InputError("there is no Arrhenius line: " + "; ".join(self.verdict.reasons))
        outside = t[~((t > 0) & (t >= self.valid_k[0]) & (t <= self.valid_k[1]))]
        if outside.size:
            low, high = self.valid_k
            raise InputError(
                f"{outside[0]:g} K lies beyond a transition, expected a temperature from {low:g} to {high:g} K"
            )
        shift = np.log(t) if self.quantity is Quantity.CONDUCTIVITY else np.zeros_like(t)
        rows = [self.line.interval(np.array([1.0, x]), self.confidence) for x in 1.0 / (BOLTZMANN_EV_PER_K * t)]
        value, low_band, high_band = np.exp(np.array(rows, dtype=np.float64).T - shift)
        return ArrheniusCurve(t, value, low_band, high_band)

    def to_dict(self) -> dict[str, Any]:
        """Return plain Python data."""
        points = self.observations
        errors = None if points.variances is None else np.sqrt(points.variances)
        line = self.line
        return {
            "form": self.quantity.form,
            "activation_energy_ev": to_plain(self.activation_energy_ev),
            f"{self.quantity.value.replace('_', '_300k_', 1)}": to_plain(self.value_300k),
            "log_prefactor": to_plain(self.log_prefactor),
            "temperatures_k": points.temperatures_k.tolist(),
            self.quantity.value: points.values.tolist(),
            "log_standard_errors": to_plain(errors),
            "used": self.used.tolist(),
            "chi_squared": None if line is None else to_plain(float(line.chi_squared)),
            "p_value": None if line is None else to_plain(float(line.p_value)),
            "model_comparison": to_plain(self.comparison),
            "regimes": to_plain(self.regimes),
            "quality": str(self.verdict.quality),
            "reasons": list(self.verdict.reasons),
        }

    def _read(self, contrast: NDArray[np.float64]) -> Interval | None:
        if self.line is None:
            return None
        value, low, high = self.line.interval(contrast, self.confidence)
        return Interval(float(value), float(low), float(high), self.confidence, self.method)


def fit_arrhenius(
    temperatures_k: ArrayLike,
    values: Values,
    *,
    standard_errors: ArrayLike | None = None,
    quantity: Quantity | str = Quantity.DIFFUSIVITY,
    confidence: float = 0.95,
) -> ArrheniusFit:
    """Fit an Arrhenius line, test that it is one, and say how far it carries.

    Parameters
    ----------
    temperatures_k : (n,) K
    values : n estimates, or n lists of the estimates of replicas, or (n,) plain numbers in cm²/s or mS/cm
    standard_errors : (n,) of plain numbers; None leaves the fit unweighted and lets the scatter set the interval
    quantity
        ``diffusivity_cm2_s`` fits ln D, ``conductivity_ms_cm`` fits ln(σT).
    confidence
        Of all intervals.
    """
    kind = Quantity(quantity)
    points = observe(temperatures_k, values, standard_errors, kind)
    everything = np.ones(len(points.values), dtype=np.bool_)
    missing = _too_few(points)
    if missing is not None:
        return ArrheniusFit(kind, points, everything, None, None, confidence, verdict=Verdict().refuse(missing))
    comparison = compare_temperature_models(
        points.temperatures_k, points.log_values, points.variances, points.dof, points.common_scale
    )
    if comparison.is_straight:
        fit = ArrheniusFit(kind, points, everything, _line(points), comparison, confidence)
    else:
        fit = _fit_branch(kind, points, comparison, confidence)
    return _judged(fit)


def _too_few(points: Observations) -> str | None:
    n = points.n_temperatures
    if n < 2:
        return f"an Arrhenius line needs at least two temperatures, found {n}; simulate at more temperatures"
    if n == 2 and points.variances is None:
        return "two temperatures without errors give no interval; give errors or a third temperature"
    return None


def _line(points: Observations) -> WeightedLine:
    x = 1.0 / (BOLTZMANN_EV_PER_K * points.temperatures_k)
    return fit_weighted_line(x, points.log_values, points.variances, points.dof, points.common_scale)


def _fit_branch(kind: Quantity, points: Observations, comparison: ModelComparison, confidence: float) -> ArrheniusFit:
    t, nothing = points.temperatures_k, np.zeros(len(points.values), dtype=np.bool_)
    verdict = Verdict()
    if comparison.preferred is TemperatureModel.VTF or comparison.break_between_k is None:
        verdict = verdict.refuse(f"{comparison.reason}: there is no one activation energy, and no line to extrapolate")
        return ArrheniusFit(kind, points, nothing, None, comparison, confidence, verdict=verdict)
    last_low, first_high = comparison.break_between_k
    low, high = t <= last_low, t >= first_high
    regimes = tuple(_regime(kind, points.only(branch), confidence) for branch in (low, high))
    if points.only(low).n_temperatures >= 3:
        verdict = verdict.weaken(f"{comparison.reason}: only the {low.sum()} points up to {last_low:.0f} K were used")
        line = _line(points.only(low))
        return ArrheniusFit(kind, points, low, line, comparison, confidence, regimes, (0.0, last_low), verdict)
    verdict = verdict.refuse(
        f"{comparison.reason}: extrapolation would cross it, and {low.sum()} points below are too few for a line of "
        f"their own; simulate at more temperatures below {last_low:.0f} K"
    )
    return ArrheniusFit(kind, points, nothing, None, comparison, confidence, regimes, verdict=verdict)


def _regime(kind: Quantity, points: Observations, confidence: float) -> Regime:
    t = points.temperatures_k
    carries = _too_few(points) is None
    line = _line(points) if carries else None
    piece = ArrheniusFit(kind, points, np.ones(len(t), dtype=np.bool_), line, None, confidence)
    return Regime(float(t[0]), float(t[-1]), len(t), piece.activation_energy_ev)


def _judged(fit: ArrheniusFit) -> ArrheniusFit:
    if fit.line is None or fit.verdict.quality is Quality.REFUSED:
        return fit
    points, verdict, line = fit.observations.only(fit.used), fit.verdict, fit.line
    n, t = points.n_temperatures, points.temperatures_k
    for reason in points.reasons:
        verdict = verdict.weaken(reason)
    if n < 4:
        verdict = verdict.weaken(f"{n} temperatures, at least 4 are wanted: no bend could be seen")
    n_low = len(np.unique(t[t <= _LOW_TEMPERATURE_K]))
    if n_low < 2 and t[0] > ROOM_TEMPERATURE_K:
        verdict = verdict.weaken(
            f"{n_low} temperatures at or below {_LOW_TEMPERATURE_K:.0f} K, at least 2 are wanted to reach 300 K"
        )
    if points.variances is not None and line.scatter_sets_scale:
        verdict = verdict.weaken(
            f"the points scatter more than their errors allow (reduced chi-squared {float(line.scale):.2g}, p = "
            f"{float(line.p_value):.1g}): errors scaled by its root, t with {line.n_points - 2} degrees of freedom"
        )
    if points.variances is not None and points.dof.min() < 3:
        verdict = verdict.weaken(
            f"an error is known with only {points.dof.min():.2g} degrees of freedom; add blocks or replicas"
        )
    at_300k = fit.value_300k
    if at_300k is not None and at_300k.high > _USELESS_RATIO * at_300k.low:
        verdict = verdict.weaken(
            f"the data do not carry to 300 K: the {100 * fit.confidence:.0f} % interval spans a factor of "
            f"{at_300k.high / at_300k.low:.1g}"
        )
    return ArrheniusFit(
        fit.quantity,
        fit.observations,
        fit.used,
        line,
        fit.comparison,
        fit.confidence,
        fit.regimes,
        fit.valid_k,
        verdict,
    )
