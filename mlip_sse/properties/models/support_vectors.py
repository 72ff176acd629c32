"""Support vector machines with a Gaussian kernel, kept as their support vectors."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from mlip_sse.properties.learner import Training
from mlip_sse.properties.storage import storable

__all__ = ["FittedSupportVectors", "SupportVectorClassifier", "SupportVectors"]

Floats = npt.NDArray[np.float64]

_CHUNK = 4096


@storable
@dataclass(frozen=True, eq=False)
class FittedSupportVectors:
    """Σ_i weight_i exp(−γ |x − vector_i|²) + offset, times `unit`, plus `centre`."""

    vectors: Floats
    weights: Floats
    offset: float
    gamma: float
    centre: float
    unit: float

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return the sum and ones; for classes it is the signed margin."""
        value = np.empty(len(features))
        own = (self.vectors**2).sum(axis=1)
        for start in range(0, len(features), _CHUNK):
            part = features[start : start + _CHUNK]
            squared = (part**2).sum(axis=1)[:, None] + own[None, :] - 2.0 * part @ self.vectors.T
            value[start : start + _CHUNK] = np.exp(-self.gamma * np.maximum(squared, 0.0)) @ self.weights
        return self.centre + self.unit * (value + self.offset), np.ones(len(features))


@dataclass(frozen=True)
class SupportVectors:
    """Regression.

    Parameters
    ----------
    cost
        C, price of an error beyond the tube.
    tube
        Half-width of the tube, in standard deviations of the target.
    width
        γ times the number of columns.
    """

    cost: float = 10.0
    tube: float = 0.1
    width: float = 1.0
    knows_limits: ClassVar[bool] = False

    def fit(self, training: Training) -> FittedSupportVectors:
        """Fit."""
        from sklearn.svm import SVR

        centre, unit = float(np.mean(training.y)), float(np.std(training.y)) or 1.0
        gamma = self.width / training.features.shape[1]
        model = SVR(C=self.cost, epsilon=self.tube, gamma=gamma).fit(training.features, (training.y - centre) / unit)
        return FittedSupportVectors(
            model.support_vectors_, model.dual_coef_.ravel(), float(model.intercept_[0]), gamma, centre, unit
        )


@dataclass(frozen=True)
class SupportVectorClassifier:
    """Classification; `cost` and `width` as of `SupportVectors`."""

    cost: float = 10.0
    width: float = 1.0
    knows_limits: ClassVar[bool] = True

    def fit(self, training: Training) -> FittedSupportVectors:
        """Fit."""
        from sklearn.svm import SVC

        gamma = self.width / training.features.shape[1]
        model = SVC(C=self.cost, gamma=gamma, class_weight="balanced").fit(training.features, training.y)
        return FittedSupportVectors(
            model.support_vectors_, model.dual_coef_.ravel(), float(model.intercept_[0]), gamma, 0.0, 1.0
        )
