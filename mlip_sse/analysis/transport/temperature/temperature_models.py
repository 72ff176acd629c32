"""Is it one straight line? Arrhenius against a bend (Vogel-Tammann-Fulcher) and against two regimes.

With y = ln D or ln(σT) and its variances s²:

- Arrhenius     y = a − E/(k_B T)                          2 parameters
- VTF           y = a − B/(T − T₀), T₀ > 0, B > 0          3 parameters
- two regimes   two independent lines, the break between two measured temperatures   5 parameters (the break counts)

They are ranked by BIC = χ² + k ln n (n ln(RSS/n) + k ln n where the errors are unknown); AICc stands beside it. BIC is
the judge because the small-sample term of AICc diverges at n = k + 1, where Arrhenius plots live. Neither has a known
false-alarm rate with so few points, so the margin by which the best bent model wins is compared with the margins
that straight lines with the same temperatures, errors and degrees of freedom give (parametric bootstrap, fixed seed).

References
----------
Schwarz, Ann. Stat. 6, 461 (1978), doi:10.1214/aos/1176344136.
Hurvich and Tsai, Biometrika 76, 297 (1989), doi:10.1093/biomet/76.2.297.
Qi et al., Mater. Today Phys. 21, 100463 (2021), doi:10.1016/j.mtphys.2021.100463: two regimes in fast conductors.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import to_plain
from mlip_sse.units import BOLTZMANN_EV_PER_K

__all__ = ["FALSE_ALARM_RATE", "ModelComparison", "TemperatureModel", "compare_temperature_models"]

FALSE_ALARM_RATE = 0.03
"""A bent model is believed when straight lines would look as bent in fewer than this fraction of cases."""

_N_BOOTSTRAP = 8000
_T0_FRACTIONS = np.linspace(0.05, 0.95, 37)  # of the lowest measured temperature
_NULL_ACTIVATION_ENERGY_EV = 0.3  # of the straight lines of the bootstrap; 0.15 to 0.6 give the same false-alarm rate
_NULL_LOG_ERROR = 0.1  # of its points where the errors are unknown; their size drops out unless it hides the slope
_N_PARAMETERS = {"arrhenius": 2, "vtf": 3, "two_regimes": 5}


class TemperatureModel(StrEnum):
    """The shapes that ln D against 1/T may take."""

    ARRHENIUS = "arrhenius"
    VTF = "vtf"
    TWO_REGIMES = "two_regimes"


@dataclass(frozen=True)
class ModelComparison:
    """Which model the data ask for, and how strongly.

    Parameters
    ----------
    preferred
        Arrhenius unless a bent model wins by a margin that straight lines rarely give.
    bic, aicc
        Per model; None where there are too few points.
    points_needed
        Distinct temperatures each model needs here.
    evidence
        BIC of Arrhenius minus BIC of the best bent model; None where no bent model could be tried.
    p_value
        How often straight lines with these temperatures and errors give at least this evidence.
    break_between_k
        The measured temperatures between which the best two-regime model breaks.
    vtf_temperature_k
        T₀ of the best VTF model.
    reason
        The verdict in words.
    """

    preferred: TemperatureModel
    bic: dict[str, float | None]
    aicc: dict[str, float | None]
    points_needed: dict[str, int]
    evidence: float | None
    p_value: float | None
    break_between_k: tuple[float, float] | None
    vtf_temperature_k: float | None
    reason: str

    @property
    def is_straight(self) -> bool:
        """True where nothing speaks against one Arrhenius line."""
        return self.preferred is TemperatureModel.ARRHENIUS

    def to_dict(self) -> dict[str, Any]:
        """Return plain Python data."""
        return {name: to_plain(getattr(self, name)) for name in self.__dataclass_fields__}


def compare_temperature_models(
    temperatures_k: NDArray[np.float64],
    log_values: NDArray[np.float64],
    variances: NDArray[np.float64] | None = None,
    dof: NDArray[np.float64] | float = math.inf,
    common_scale: bool = False,
) -> ModelComparison:
    """Compare Arrhenius, VTF and two regimes on one data set.

    Parameters
    ----------
    temperatures_k : (n,) K, any order
    log_values : (n,) ln D or ln(σT)
    variances : (n,) variances of `log_values`; None where unknown
    dof : (n,) or one number, degrees of freedom of the variances
    common_scale
        Whether the variances share one estimated factor, as those of replicas pooled over temperatures do.
    """
    order = np.argsort(temperatures_k, kind="stable")
    t, y = np.asarray(temperatures_k, dtype=np.float64)[order], np.asarray(log_values, dtype=np.float64)[order]
    known = variances is not None
    s2 = np.ones_like(t) if variances is None else np.asarray(variances, dtype=np.float64)[order]
    f = np.broadcast_to(np.asarray(dof, dtype=np.float64), t.shape)[order]
    needed = {"arrhenius": 2 if known else 3, "vtf": 4 if known else 5, "two_regimes": 4 if known else 6}
    losses = _losses(t, y[None, :], s2[None, :], known)
    n = len(t)
    bic = {name: _finite(loss[0] + _N_PARAMETERS[name] * math.log(n)) for name, (loss, _) in losses.items()}
    aicc = {name: _aicc(float(loss[0]), _N_PARAMETERS[name], n) for name, (loss, _) in losses.items()}
    evidence = _finite(_evidence(losses, n)[0])
    if evidence is None:
        reason = (
            f"{n} temperatures cannot show a bend, which takes at least {min(needed['vtf'], needed['two_regimes'])}"
        )
        return ModelComparison(TemperatureModel.ARRHENIUS, bic, aicc, needed, None, None, None, None, reason)
    null = _null_evidence(tuple(t), tuple(s2 if known else s2 * _NULL_LOG_ERROR**2), tuple(f), known, common_scale)
    p_value = float((1 + np.count_nonzero(null >= evidence)) / (1 + len(null)))
    best_bent = min((value, name) for name, value in bic.items() if name != "arrhenius" and value is not None)[1]
    bent = evidence > 0 and p_value < FALSE_ALARM_RATE
    between = _break_temperatures(t, losses["two_regimes"])
    t0 = _vtf_temperature(t, losses["vtf"])
    reason = _reason(bent, best_bent, evidence, p_value, between, t0)
    preferred = TemperatureModel(best_bent) if bent else TemperatureModel.ARRHENIUS
    return ModelComparison(preferred, bic, aicc, needed, evidence, p_value, between, t0, reason)


Losses = dict[str, tuple[NDArray[np.float64], NDArray[np.intp]]]
"""Per model −2 ln L up to a constant, (batch,), and the index of the best T₀ or break, (batch,)."""


def _losses(t: NDArray[np.float64], y: NDArray[np.float64], s2: NDArray[np.float64], known: bool) -> Losses:
    n = len(t)
    weights = 1.0 / s2
    straight = _line_residuals(1.0 / t, y, weights)
    sums: Losses = {"arrhenius": (straight, np.zeros(len(y), dtype=np.intp))}
    never = (np.full(len(y), np.inf), np.zeros(len(y), dtype=np.intp))
    sums["vtf"] = _vtf_residuals(t, y, weights) if _distinct(t) >= (4 if known else 5) else never
    sums["two_regimes"] = _two_line_residuals(t, y, weights, 2 if known else 3)
    if known:
        return sums
    return {name: (n * np.log(np.maximum(rss, 1e-300) / n), index) for name, (rss, index) in sums.items()}


def _line_residuals(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    # Weighted residual sum of squares about the best line; x (n,), y and weights (batch, n).
    return _residuals_and_slopes(x, y, weights)[0]


def _residuals_and_slopes(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    total = weights.sum(axis=-1, keepdims=True)
    dx = x - (weights * x).sum(axis=-1, keepdims=True) / total
    dy = y - (weights * y).sum(axis=-1, keepdims=True) / total
    sxy, sxx, syy = ((weights * p * q).sum(axis=-1) for p, q in ((dx, dy), (dx, dx), (dy, dy)))
    return np.maximum(syy - sxy**2 / sxx, 0.0), sxy / sxx


def _vtf_residuals(
    t: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    # For a given T₀ the model is a line in 1/(T − T₀); T₀ runs over a grid, B > 0 is enforced.
    candidates = np.empty((len(_T0_FRACTIONS), len(y)))
    for k, fraction in enumerate(_T0_FRACTIONS):
        rss, slope = _residuals_and_slopes(1.0 / (t - fraction * t[0]), y, weights)
        candidates[k] = np.where(slope < 0, rss, np.inf)
    return candidates.min(axis=0), candidates.argmin(axis=0)


def _two_line_residuals(
    t: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64], at_least: int
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    # index: number of points in the low-temperature branch
    best, index = np.full(len(y), np.inf), np.zeros(len(y), dtype=np.intp)
    for low in range(at_least, len(t) - at_least + 1):
        if t[low - 1] == t[low] or _distinct(t[:low]) < at_least or _distinct(t[low:]) < at_least:
            continue
        rss = sum(
            _line_residuals(1.0 / t[part], y[:, part], weights[:, part]) for part in (slice(low), slice(low, None))
        )
        better = rss < best
        best, index = np.where(better, rss, best), np.where(better, low, index)
    return best, index


def _evidence(losses: Losses, n: int) -> NDArray[np.float64]:
    bic = {name: loss + _N_PARAMETERS[name] * math.log(n) for name, (loss, _) in losses.items()}
    evidence: NDArray[np.float64] = bic["arrhenius"] - np.minimum(bic["vtf"], bic["two_regimes"])
    return evidence


@lru_cache(maxsize=64)
def _null_evidence(
    t: tuple[float, ...], s2: tuple[float, ...], dof: tuple[float, ...], known: bool, common_scale: bool
) -> NDArray[np.float64]:
    # A constant leaves no trace in the evidence and the slope nearly none, so one line stands for all of them.
    rng = np.random.default_rng(2026)
    temperatures, variances = np.array(t), np.array(s2)
    noise = rng.standard_normal((_N_BOOTSTRAP, len(t))) * np.sqrt(variances)
    f = np.array(dof)
    finite = np.isfinite(f)
    spread = np.ones(noise.shape)
    n_factors = 1 if common_scale else int(finite.sum())
    spread[:, finite] = rng.chisquare(f[finite][:n_factors], (_N_BOOTSTRAP, n_factors)) / f[finite][:n_factors]
    line = -_NULL_ACTIVATION_ENERGY_EV / (BOLTZMANN_EV_PER_K * temperatures)
    return _evidence(_losses(temperatures, line + noise, variances * spread, known), len(t))


def _distinct(t: NDArray[np.float64]) -> int:
    return len(np.unique(t))


def _finite(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None


def _aicc(loss: float, k: int, n: int) -> float | None:
    return None if n <= k + 1 else _finite(loss + 2 * k + 2 * k * (k + 1) / (n - k - 1))


def _break_temperatures(
    t: NDArray[np.float64], two_regimes: tuple[NDArray[np.float64], NDArray[np.intp]]
) -> tuple[float, float] | None:
    low = int(two_regimes[1][0])
    return None if low == 0 else (float(t[low - 1]), float(t[low]))


def _vtf_temperature(t: NDArray[np.float64], vtf: tuple[NDArray[np.float64], NDArray[np.intp]]) -> float | None:
    return float(_T0_FRACTIONS[vtf[1][0]] * t[0]) if math.isfinite(vtf[0][0]) else None


def _reason(
    bent: bool, best: str, evidence: float, p_value: float, between: tuple[float, float] | None, t0: float | None
) -> str:
    odds = f"ΔBIC {evidence:.1f}, straight lines do as well in {100 * p_value:.1f} % of cases"
    if not bent:
        return f"one Arrhenius line suffices ({odds}; a bend needs ΔBIC > 0 and < {100 * FALSE_ALARM_RATE:.0f} %)"
    if best == "vtf":
        return f"the Arrhenius plot bends downwards towards low temperature (VTF, T0 near {t0:.0f} K; {odds})"
    low, high = between or (math.nan, math.nan)
    return f"two regimes with a break between {low:.0f} and {high:.0f} K ({odds})"
