"""One score in eV/Å from grade and committee: the expected force error, growing with both.

σ = c₀ + Σ_k c_k s_k with c ≥ 0, where s_k are the grade, the committee's spread, or whatever else rises with the
error. The coefficients maximise the likelihood of exponentially distributed errors, -Σ (ln σ + e/σ), in which an atom
counts by its relative deviation: neither the few largest errors nor the many small ones decide alone. c₀ is what
remains where everything looks familiar; without it a committee that agrees by chance would promise an error of zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.errors import FormatError, InputError

__all__ = ["ErrorScale", "fit_error_scale"]

_SMALLEST = 1e-6  # eV/Å; smaller errors are not known from labels


@dataclass(frozen=True)
class ErrorScale:
    """σ = floor + Σ weights·indicators.

    Parameters
    ----------
    floor
        eV/Å.
    weights
        For each indicator by its name, eV/Å for one unit of it; zero or more.
    """

    floor: float
    weights: Mapping[str, float]

    def scores(self, indicators: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """Return (n_atoms,) eV/Å from the indicators, each (n_atoms,).

        Raises
        ------
        InputError
            When an indicator is missing.
        """
        if missing := sorted(set(self.weights) - set(indicators)):
            raise InputError(f"found no {', '.join(missing)}, expected the indicators {', '.join(self.weights)}")
        parts = [weight * np.asarray(indicators[name], dtype=np.float64) for name, weight in self.weights.items()]
        scores: NDArray[np.float64] = self.floor + np.sum(parts, axis=0)
        return scores

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the card."""
        return {"floor_ev_a": self.floor, "weights": dict(self.weights)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "ErrorScale":
        """Return what `to_dict` wrote.

        Raises
        ------
        FormatError
            When it did not.
        """
        try:
            return cls(float(plain["floor_ev_a"]), {str(k): float(v) for k, v in plain["weights"].items()})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"found a scale of errors without {error}, expected floor_ev_a and weights") from error


def fit_error_scale(force_errors: ArrayLike, indicators: Mapping[str, ArrayLike]) -> ErrorScale:
    """Fit floor and weights to errors that are known.

    Parameters
    ----------
    force_errors
        (n_atoms,) length of the error of the force on each atom, eV/Å.
    indicators
        (n_atoms,) each, not negative; at least one.

    Raises
    ------
    InputError
        When lengths differ, or a number is negative or not finite.
    """
    from scipy.optimize import minimize

    errors = np.maximum(_not_negative("force_errors", force_errors), _SMALLEST)
    if not indicators or not errors.size:
        raise InputError(f"found {len(indicators)} indicators of {errors.size} atoms, expected at least one of each")
    columns = np.stack([_not_negative(name, values) for name, values in indicators.items()], axis=-1)
    if len(columns) != len(errors):
        raise InputError(f"found {len(errors)} errors and {len(columns)} indicators, expected one for each atom")
    # Each column is scaled to the mean error, so that the coefficients are of order one.
    mean, units = float(errors.mean()), np.maximum(columns.mean(axis=0), 1e-300)
    features, targets = np.c_[np.ones(len(errors)), columns / units], errors / mean

    def cost(coefficients: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        sigma = features @ coefficients
        slope = (1.0 - targets / sigma) / sigma
        return float((np.log(sigma) + targets / sigma).mean()), features.T @ slope / len(targets)

    n = features.shape[1]
    start, bounds = np.full(n, 1.0 / n), [(1e-3, None), *[(0.0, None)] * (n - 1)]
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds).x * mean
    weights = {name: float(value) for name, value in zip(indicators, found[1:] / units, strict=True)}
    return ErrorScale(float(found[0]), weights)


def _not_negative(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all() or (array < 0).any():
        raise InputError(f"found {name} of shape {array.shape} or with numbers below zero, expected (n_atoms,) ≥ 0")
    return array
