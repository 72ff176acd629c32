"""Linear models: ridge regression by the Tobit likelihood, so that limits count as limits, and logistic regression.

    y = x·w + b + s ε,   minimise  −Σ ln p(y | x·w + b, s) + α |w|²/2 · n/100

with ε normal; for limits p is the probability beyond them. Features are standardised, so that α means
the same in all columns. The search runs in u, w = V (S² + α n/100)^(−½) u with X = U S Vᵀ, where the curvature is
nearly that of a sphere.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from mlip_sse.properties.censoring import Signs, tobit_log_likelihood, tobit_slopes
from mlip_sse.properties.learner import Training
from mlip_sse.properties.storage import storable

__all__ = ["Constant", "FittedLinear", "Linear", "Logistic"]

Floats = npt.NDArray[np.float64]


@storable
@dataclass(frozen=True, eq=False)
class FittedLinear:
    """Coefficients of standardised features, (n_columns,), and an offset; log-odds where it is logistic.

    Features beyond ±`clip`, where there is one, count as ±`clip`.
    """

    coefficients: Floats
    offset: float
    clip: float | None = None

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return x·w + b and ones."""
        return _clipped(features, self.clip) @ self.coefficients + self.offset, np.ones(len(features))


@dataclass(frozen=True)
class Linear:
    """Ridge regression.

    Parameters
    ----------
    penalty
        α.
    clip
        Features beyond so many standard deviations count as there: a material unlike all others is not carried off by
        one feature.
    floor_share
        The lowest share of the exact targets is told apart no further: each counts as a limit at that quantile.
    """

    penalty: float = 1.0
    clip: float | None = None
    floor_share: float = 0.0
    knows_limits: ClassVar[bool] = True

    def fit(self, training: Training) -> FittedLinear:
        """Fit by L-BFGS on coefficients, offset and ln s, of the standardised target."""
        x = _clipped(training.features, self.clip)
        target, signs = _with_floor(training.y, training.signs, self.floor_share)
        centre, unit = float(np.mean(target)), float(np.std(target)) or 1.0
        y, strength = (target - centre) / unit, self.penalty * len(target) / 100.0
        _, singular, right = np.linalg.svd(x, full_matrices=False)
        basis = right.T / np.sqrt(singular**2 + max(strength, 1e-8))
        z = x @ basis
        size = strength * (basis**2).sum(axis=0)

        def loss(packed: Floats) -> tuple[float, Floats]:
            u, b, spread = packed[:-2], packed[-2], np.exp(packed[-1])
            fitted = z @ u + b
            first, _ = tobit_slopes(y, signs, fitted, spread)
            value = -float(tobit_log_likelihood(y, signs, fitted, spread).sum()) + 0.5 * float(size @ u**2)
            by_spread = -float(first @ (y - fitted)) + np.count_nonzero(signs == 0)
            return value, np.concatenate([-(z.T @ first) + size * u, [-float(first.sum()), by_spread]])

        start = np.concatenate([z.T @ (y - y.mean()), [0.0, 0.0]])
        bounds = [(None, None)] * (len(start) - 1) + [(-6.0, 3.0)]
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}).x
        return FittedLinear(unit * (basis @ found[:-2]), float(unit * found[-2] + centre), self.clip)


@dataclass(frozen=True)
class Constant:
    """The median of the training values: what a blend falls back to where nothing carries over."""

    knows_limits: ClassVar[bool] = False

    def fit(self, training: Training) -> FittedLinear:
        """Fit."""
        return FittedLinear(np.zeros(training.features.shape[1]), float(np.median(training.y)))


@dataclass(frozen=True)
class Logistic:
    """Logistic regression; `penalty` as of `Linear`."""

    penalty: float = 1.0
    knows_limits: ClassVar[bool] = True

    def fit(self, training: Training) -> FittedLinear:
        """Fit by L-BFGS."""
        y, x = training.y, training.features
        strength = self.penalty * len(y) / 100.0

        def loss(packed: Floats) -> tuple[float, Floats]:
            w = packed[:-1]
            z = x @ w + packed[-1]
            value = float(np.sum(np.logaddexp(0.0, z) - y * z)) + 0.5 * strength * float(w @ w)
            miss = expit(z) - y
            return value, np.concatenate([x.T @ miss + strength * w, [float(miss.sum())]])

        found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
        return FittedLinear(found[:-1], float(found[-1]))


def _clipped(features: Floats, clip: float | None) -> Floats:
    return features if clip is None else np.clip(features, -clip, clip)


def _with_floor(y: Floats, signs: Signs, share: float) -> tuple[Floats, Signs]:
    """Return targets and signs with the lowest share of the exact ones, and upper limits below, as limits there."""
    exact = signs == 0
    if share <= 0.0 or not exact.any():
        return y, signs
    floor = float(np.quantile(y[exact], share))
    below = (signs <= 0) & (y < floor)
    return np.where(below, floor, y), np.where(below, np.int8(-1), signs)
