"""Partial least squares, and how important each feature is in the projection (VIP).

    VIP_j² = n · Σ_a (w_ja/|w_a|)² S_a / Σ_a S_a,   S_a = q_a² t_a·t_a

over the components a, with weights w, loadings q of the target and scores t; the mean of VIP² over the features is 1.

References
----------
Wold, Sjöström and Eriksson, Chemom. Intell. Lab. Syst. 58, 109 (2001), 10.1016/S0169-7439(01)00155-1.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from mlip_sse.properties.learner import Training
from mlip_sse.properties.storage import storable

__all__ = ["FittedPLS", "PartialLeastSquares"]

Floats = npt.NDArray[np.float64]


@storable
@dataclass(frozen=True, eq=False)
class FittedPLS:
    """Coefficients of standardised features, an offset, and the VIP score of each feature, (n_columns,)."""

    coefficients: Floats
    offset: float
    vip: Floats

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return x·w + b and ones."""
        return features @ self.coefficients + self.offset, np.ones(len(features))


@dataclass(frozen=True)
class PartialLeastSquares:
    """PLS with at most `n_components` components (fewer where there are fewer features or rows)."""

    n_components: int = 5
    knows_limits: ClassVar[bool] = False

    def fit(self, training: Training) -> FittedPLS:
        """Fit."""
        from sklearn.cross_decomposition import PLSRegression

        x, y = training.features, training.y
        n_components = max(1, min(self.n_components, x.shape[1], len(y) - 1))
        model = PLSRegression(n_components=n_components, scale=False).fit(x, y)
        coefficients = np.asarray(model.coef_, dtype=np.float64).ravel()
        scores, weights = model.x_scores_, model.x_weights_
        explained = np.asarray(model.y_loadings_).ravel() ** 2 * (scores**2).sum(axis=0)
        share = weights**2 / np.maximum((weights**2).sum(axis=0), 1e-300)
        vip = np.sqrt(x.shape[1] * (share @ explained) / max(float(explained.sum()), 1e-300))
        offset = float(np.mean(y) - np.mean(x, axis=0) @ coefficients)
        return FittedPLS(coefficients, offset, vip)
