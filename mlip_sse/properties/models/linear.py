"""Linear models: ridge regression by the Tobit likelihood, so that limits count as limits, and logistic regression.

    y = x·w + b + s ε,   minimise  −Σ ln p(y | x·w + b, s) + α |w|²/2 · n/100

with ε normal; for limits p is the probability beyond them. Features are standardised, so that α means
the same in all columns.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from mlip_sse.properties.censoring import tobit_log_likelihood, tobit_slopes
from mlip_sse.properties.learner import Training
from mlip_sse.properties.storage import storable

__all__ = ["Constant", "FittedLinear", "Linear", "Logistic"]

Floats = npt.NDArray[np.float64]


@storable
@dataclass(frozen=True, eq=False)
class FittedLinear:
    """Coefficients of standardised features, (n_columns,), and an offset; log-odds where it is logistic."""

    coefficients: Floats
    offset: float

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return x·w + b and ones."""
        return features @ self.coefficients + self.offset, np.ones(len(features))


@dataclass(frozen=True)
class Linear:
    """Ridge regression; `penalty` is α."""

    penalty: float = 1.0
    knows_limits: ClassVar[bool] = True

    def fit(self, training: Training) -> FittedLinear:
        """Fit by L-BFGS on coefficients, offset and ln s, of the standardised target."""
        centre, unit = float(np.mean(training.y)), float(np.std(training.y)) or 1.0
        y, x, signs = (training.y - centre) / unit, training.features, training.signs
        strength = self.penalty * len(y) / 100.0

        def loss(packed: Floats) -> tuple[float, Floats]:
            w, b, spread = packed[:-2], packed[-2], np.exp(packed[-1])
            fitted = x @ w + b
            first, _ = tobit_slopes(y, signs, fitted, spread)
            value = -float(tobit_log_likelihood(y, signs, fitted, spread).sum()) + 0.5 * strength * float(w @ w)
            by_spread = -float(first @ (y - fitted)) + np.count_nonzero(signs == 0)
            return value, np.concatenate([-(x.T @ first) + strength * w, [-float(first.sum()), by_spread]])

        start = np.concatenate([np.zeros(x.shape[1]), [0.0, 0.0]])
        bounds = [(None, None)] * (x.shape[1] + 1) + [(-6.0, 3.0)]
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}).x
        return FittedLinear(unit * found[:-2], float(unit * found[-2] + centre))


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
