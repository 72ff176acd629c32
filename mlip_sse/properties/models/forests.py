"""Forests: means over trees of random splits (extra trees) or of resampled rows (random forest).

References
----------
Geurts, Ernst and Wehenkel, Mach. Learn. 63, 3 (2006), 10.1007/s10994-006-6226-1; Breiman, Mach. Learn. 45, 5 (2001),
10.1023/A:1010933404324.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mlip_sse.properties.learner import Training
from mlip_sse.properties.models.tree_arrays import TreeArrays, trees_of
from mlip_sse.properties.storage import storable

__all__ = ["ExtraTrees", "FittedForest", "RandomForest"]

Floats = npt.NDArray[np.float64]

_CHUNK = 8192


@storable
@dataclass(frozen=True, eq=False)
class FittedForest:
    """Trees and the variance between them that is usual.

    Parameters
    ----------
    trees
        All trees.
    usual_variance
        A tenth of the variance of the target: what the spread between trees is shrunk to.
    takes_median
        Whether the answer is the median of the trees, which errs least by absolute value, or their mean.
    """

    trees: TreeArrays
    usual_variance: float
    takes_median: bool = False

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return mean or median of the trees, and the spread between them shrunk half-way to the usual one."""
        value, variance = self.trees.moments(features)
        if self.takes_median:
            for start in range(0, len(features), _CHUNK):
                part = slice(start, start + _CHUNK)
                value[part] = np.median(self.trees.answers(features[part]), axis=1)
        return value, np.sqrt(0.5 * (variance + self.usual_variance))


@dataclass(frozen=True)
class ExtraTrees:
    """Extremely randomised trees.

    Parameters
    ----------
    n_trees
        Number of trees.
    max_features
        Share of the features that each node chooses from.
    min_leaf
        Fewest rows in a leaf.
    takes_median
        Answer with the median of the trees; of classes it is the mean always.
    """

    n_trees: int = 300
    max_features: float = 0.5
    min_leaf: int = 1
    takes_median: bool = False
    knows_limits: ClassVar[bool] = False

    def fit(self, training: Training) -> FittedForest:
        """Fit."""
        from sklearn.ensemble import ExtraTreesRegressor

        return _fitted(ExtraTreesRegressor, self, training, bootstrap=False)


@dataclass(frozen=True)
class RandomForest:
    """Bagged trees; settings as of `ExtraTrees`."""

    n_trees: int = 300
    max_features: float = 0.33
    min_leaf: int = 1
    takes_median: bool = False
    knows_limits: ClassVar[bool] = False

    def fit(self, training: Training) -> FittedForest:
        """Fit."""
        from sklearn.ensemble import RandomForestRegressor

        return _fitted(RandomForestRegressor, self, training, bootstrap=True)


def _fitted(kind: Any, settings: "ExtraTrees | RandomForest", training: Training, bootstrap: bool) -> FittedForest:
    forest = kind(
        n_estimators=settings.n_trees,
        max_features=settings.max_features,
        min_samples_leaf=settings.min_leaf,
        bootstrap=bootstrap,
        random_state=training.seed,
        n_jobs=1,
    )
    trees = trees_of(forest.fit(training.features, training.y).estimators_)
    return FittedForest(trees, max(0.1 * float(np.var(training.y)), 1e-24), settings.takes_median)
