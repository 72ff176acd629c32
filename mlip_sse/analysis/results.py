"""What every analysis returns: numbers with intervals, verdicts with reasons, one JSON encoding.

An `Estimate` is what the statistics know (a value, its relative variance, how well that variance is known); an
`Interval` is what is printed. A positive, skewed quantity such as a diffusivity is treated as a scaled χ² variable:
with ν = 2/(relative variance) degrees of freedom, D̂/D ~ χ²_ν/ν. This is exact for an average of ν periodogram
ordinates, right in shape for every mean-squared displacement, and tends to the normal interval as ν grows.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import gammainccinv, gammaincinv, ndtr, stdtrit

from mlip_sse.errors import InputError

__all__ = ["Estimate", "Interval", "Quality", "Verdict", "to_json", "to_plain"]


class Quality(StrEnum):
    """How far a result can be relied on."""

    PASS = "pass"
    WEAK = "weak"
    REFUSED = "refused"


@dataclass(frozen=True)
class Verdict:
    """A quality and, in words, the reasons for it (empty when it passes)."""

    quality: Quality = Quality.PASS
    reasons: tuple[str, ...] = ()

    def weaken(self, reason: str) -> "Verdict":
        """Return the verdict lowered to at least *weak*, with one more reason."""
        quality = Quality.REFUSED if self.quality is Quality.REFUSED else Quality.WEAK
        return Verdict(quality, (*self.reasons, reason))

    def refuse(self, reason: str) -> "Verdict":
        """Return the verdict lowered to *refused*, with one more reason."""
        return Verdict(Quality.REFUSED, (*self.reasons, reason))


@dataclass(frozen=True)
class Interval:
    """A value with its interval; ``value`` is None where the data only bound it (a detection limit)."""

    value: float | None
    low: float
    high: float
    confidence: float
    method: str

    def scaled(self, factor: float) -> "Interval":
        """Return the same interval in another unit (``factor`` > 0)."""
        value = None if self.value is None else self.value * factor
        return Interval(value, self.low * factor, self.high * factor, self.confidence, self.method)


@dataclass(frozen=True)
class Estimate:
    """A positive estimate with its sampling distribution.

    Parameters
    ----------
    value
        The estimate, > 0, in whatever unit its name says.
    relative_variance
        Var(value)/value².
    dof
        Degrees of freedom with which that variance is known; infinite where a model gives it.
    method
        How value and variance were obtained, in words.
    inverse
        True for the reciprocal of a χ²-like quantity (a Haven ratio, whose denominator fluctuates).
    """

    value: float
    relative_variance: float
    dof: float = math.inf
    method: str = ""
    inverse: bool = False

    def __post_init__(self) -> None:
        if not (self.value > 0 and math.isfinite(self.value)):
            raise InputError(f"found an estimate of {self.value!r}, expected positive and finite; refuse the result")
        if not (self.relative_variance >= 0 and self.dof > 0):
            found = f"relative variance {self.relative_variance!r} and dof {self.dof!r}"
            raise InputError(f"found {found}, out of range: expected ≥ 0 and > 0")

    @property
    def log_variance(self) -> float:
        """Variance of ln(value), ψ′(ν/2) ≈ 2/ν · (1 + 1/ν + …) for a scaled χ²_ν variable."""
        return self.relative_variance if self.relative_variance < 1e-12 else _trigamma(1.0 / self.relative_variance)

    def interval(self, confidence: float = 0.95) -> Interval:
        """Return the equal-tailed confidence interval of the scaled-χ² model, widened by the t quantile of ``dof``."""
        if not 0.0 < confidence < 1.0:
            raise InputError(f"confidence must lie between 0 and 1, found {confidence!r}")
        if self.relative_variance < 1e-12:
            return Interval(self.value, self.value, self.value, confidence, self.method)
        tail = 0.5 * (1.0 - confidence)
        if math.isfinite(self.dof):
            tail = float(ndtr(stdtrit(self.dof, tail)))  # the normal tail that lies as far out as Student's
        half = 1.0 / self.relative_variance  # ν/2
        big, small = float(gammainccinv(half, tail)) / half, max(float(gammaincinv(half, tail)) / half, 1e-300)
        factors = (small, big) if self.inverse else (1.0 / big, 1.0 / small)
        return Interval(self.value, self.value * factors[0], self.value * factors[1], confidence, self.method)

    def scaled(self, factor: float) -> "Estimate":
        """Return the same estimate in another unit (``factor`` > 0)."""
        return dataclasses.replace(self, value=self.value * factor)


def _trigamma(x: float) -> float:
    from scipy.special import polygamma

    return float(polygamma(1, x))


def to_plain(thing: Any) -> Any:
    """Turn a result into plain dicts, lists, strings and numbers; not-a-number and infinities become None."""
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        if hasattr(thing, "to_dict"):
            return to_plain(thing.to_dict())
        return {f.name: to_plain(getattr(thing, f.name)) for f in dataclasses.fields(thing)}
    if isinstance(thing, Mapping):
        return {str(key): to_plain(value) for key, value in thing.items()}
    if isinstance(thing, np.ndarray):
        return to_plain(thing.tolist())
    if isinstance(thing, list | tuple | set | frozenset):
        return [to_plain(item) for item in thing]
    if isinstance(thing, bool | np.bool_):
        return bool(thing)
    if isinstance(thing, int | np.integer):
        return int(thing)
    if isinstance(thing, float | np.floating):
        return float(thing) if math.isfinite(thing) else None
    if isinstance(thing, Path | StrEnum):
        return str(thing)
    return thing


def to_json(thing: Any) -> str:
    """Encode a result as JSON: two-space indent, keys in the order of the fields, no NaN."""
    return json.dumps(to_plain(thing), indent=2, allow_nan=False, ensure_ascii=False)
