"""The points of an Arrhenius plot: logarithms with their variances, ready for a line.

Diffusivities enter as ln D, conductivities as ln(σT), because σ = n z² e² D/(k_B T); a fit of ln σ itself would lower
the activation energy by about k_B T.

An `Estimate` with relative variance r is a scaled χ² variable with ν = 2/r: its logarithm is low by
ln(ν/2) − ψ(ν/2) ≈ r/2 and has the variance ψ′(ν/2). Both are taken into account. Plain values with standard errors
enter as printed: var(ln D) = (ΔD/D)².
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma

from mlip_sse.analysis.results import Estimate
from mlip_sse.analysis.transport.temperature.pooling import pool_over_temperatures
from mlip_sse.errors import InputError

__all__ = ["Observations", "Quantity", "Values", "observe"]

Values: TypeAlias = Sequence[Estimate] | Sequence[Sequence[Estimate]] | ArrayLike
"""What a caller may give: one estimate or several replicas for each temperature, or plain numbers."""


class Quantity(StrEnum):
    """What is fitted; the value is the name, with its unit, that results carry."""

    DIFFUSIVITY = "diffusivity_cm2_s"
    CONDUCTIVITY = "conductivity_ms_cm"

    @property
    def form(self) -> str:
        """The logarithm that is a straight line in 1/T."""
        return "ln D" if self is Quantity.DIFFUSIVITY else "ln(sigma T)"


@dataclass(frozen=True, eq=False)
class Observations:
    """Logarithms that a line can be fitted to, sorted by temperature.

    Parameters
    ----------
    temperatures_k : (n,) K
    values : (n,) cm²/s or mS/cm, as given
    log_values : (n,) ln D or ln(σT), free of the bias of the logarithm
    variances : (n,) of `log_values`; None where nobody gave errors
    dof : (n,) degrees of freedom of the variances
    common_scale
        Whether the variances share one estimated factor, as those of replicas pooled over temperatures do.
    reasons
        What pooling found wrong with the replicas.
    """

    temperatures_k: NDArray[np.float64]
    values: NDArray[np.float64]
    log_values: NDArray[np.float64]
    variances: NDArray[np.float64] | None
    dof: NDArray[np.float64]
    common_scale: bool = False
    reasons: tuple[str, ...] = ()

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Observations":
        """Return the chosen points, or all in a new order."""
        return replace(
            self,
            temperatures_k=self.temperatures_k[chosen],
            values=self.values[chosen],
            log_values=self.log_values[chosen],
            variances=None if self.variances is None else self.variances[chosen],
            dof=self.dof[chosen],
        )

    @property
    def n_temperatures(self) -> int:
        """Number of distinct temperatures."""
        return len(np.unique(self.temperatures_k))


def observe(
    temperatures_k: ArrayLike,
    values: Values,
    standard_errors: ArrayLike | None = None,
    quantity: Quantity = Quantity.DIFFUSIVITY,
) -> Observations:
    """Check the input and take logarithms.

    Parameters
    ----------
    temperatures_k : (n,) K
    values : n estimates, or n lists of the estimates of replicas, or (n,) plain numbers in cm²/s or mS/cm
        Replicas are pooled with one relative between-run spread for all temperatures.
    standard_errors : (n,) of plain numbers, same unit
    quantity
        Decides between ln D and ln(σT).

    Raises
    ------
    InputError
        Lengths that differ, temperatures or values that are not positive, errors that are not positive.
    """
    t = np.atleast_1d(np.asarray(temperatures_k, dtype=np.float64))
    estimates, common_scale, reasons = _pooled_estimates(t, values)
    variances: NDArray[np.float64] | None
    if estimates:
        if standard_errors is not None or len(estimates) != np.size(t):
            raise InputError(
                f"found {len(estimates)} estimates for {t.size} temperatures, expected one each and no errors beside"
            )
        v, bias, variances, dof = _from_estimates(estimates)
    else:
        v = np.atleast_1d(np.asarray(values, dtype=np.float64))
        bias, dof = np.zeros_like(v), np.full(v.shape, np.inf)
        errors = None if standard_errors is None else np.atleast_1d(np.asarray(standard_errors, dtype=np.float64))
        if errors is not None and errors.shape != v.shape:
            raise InputError(f"found {errors.size} standard errors for {v.size} values, expected one each")
        variances = None if errors is None else (errors / v) ** 2
    _check(t, v, variances)
    order = np.argsort(t, kind="stable")
    logs = np.log(v) - bias + (np.log(t) if quantity is Quantity.CONDUCTIVITY else 0.0)
    return Observations(t, v, logs, variances, dof, common_scale, reasons).only(order)


def _pooled_estimates(t: NDArray[np.float64], values: Values) -> tuple[list[Estimate], bool, tuple[str, ...]]:
    # One estimate for each temperature, out of estimates or of groups of replicas; none for plain numbers.
    if not isinstance(values, Sequence) or not any(isinstance(v, Estimate | Sequence) for v in values):
        return [], False, ()
    groups: list[list[Estimate]] = []
    for i, v in enumerate(values):
        group = [v] if isinstance(v, Estimate) else list(v) if isinstance(v, Sequence) else []
        if not group or not all(isinstance(e, Estimate) for e in group):
            raise InputError(f"entry {i} is {v!r}, expected an estimate or a list of the estimates of replicas")
        groups.append([e for e in group if isinstance(e, Estimate)])
    pooled = pool_over_temperatures(groups)
    reasons = tuple(
        f"{kelvin:g} K: {why}" for kelvin, one in zip(t, pooled, strict=False) for why in one.verdict.reasons
    )
    return [one.estimate for one in pooled], any(len(group) > 1 for group in groups), reasons


def _from_estimates(
    estimates: list[Estimate],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    half_nu = np.array([1.0 / e.relative_variance if e.relative_variance > 0 else math.inf for e in estimates])
    with np.errstate(invalid="ignore"):
        bias = np.where(np.isfinite(half_nu), digamma(half_nu) - np.log(half_nu), 0.0)  # E ln(χ²_ν/ν), negative
    sign = np.array([-1.0 if e.inverse else 1.0 for e in estimates])
    values = np.array([e.value for e in estimates])
    return values, sign * bias, np.array([e.log_variance for e in estimates]), np.array([e.dof for e in estimates])


def _check(t: NDArray[np.float64], v: NDArray[np.float64], variances: NDArray[np.float64] | None) -> None:
    if t.shape != v.shape or t.ndim != 1:
        raise InputError(f"found {t.size} temperatures and {v.size} values, expected one value for each temperature")
    for name, array in (("temperature", t), ("value", v)):
        bad = np.flatnonzero(~((array > 0) & np.isfinite(array)))
        if bad.size:
            raise InputError(f"{name} {int(bad[0])} is {array[bad[0]]:g}, expected it positive; leave the point out")
    if variances is not None:
        bad = np.flatnonzero(~((variances > 0) & np.isfinite(variances)))
        if bad.size:
            raise InputError(
                f"the error of point {int(bad[0])} is zero or no number, expected it positive; give no errors at all "
                f"where they are unknown"
            )
