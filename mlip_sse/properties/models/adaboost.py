"""AdaBoost over forests of extremely randomised trees.

Each forest is fitted to rows drawn with weights that grow where the last one erred; a regression answers with the
weighted median of the forests (AdaBoost.R2), a classification with the weighted mean of their shares (SAMME).

References
----------
Drucker, ICML 1997, 107; Hastie et al., Stat. Interface 2, 349 (2009), 10.4310/SII.2009.v2.n3.a8.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from mlip_sse.properties.learner import Training
from mlip_sse.properties.models.tree_arrays import TreeArrays, trees_of
from mlip_sse.properties.storage import storable

__all__ = ["AdaBoost", "AdaBoostClassifier", "FittedAdaBoost"]

Floats = npt.NDArray[np.float64]

_CHUNK = 8192


@storable
@dataclass(frozen=True, eq=False)
class FittedAdaBoost:
    """Forests of `n_trees` trees each, their weights (n_forests,), and whether they vote or their median is taken."""

    trees: TreeArrays
    n_trees: int
    weights: Floats
    votes: bool

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return the weighted median of the forests, or their vote of shares in −1…1, and ones."""
        value, spread = np.empty(len(features)), np.ones(len(features))
        for start in range(0, len(features), _CHUNK):
            part = slice(start, start + _CHUNK)
            answers = self.trees.answers(features[part])
            forests = answers.reshape(len(answers), -1, self.n_trees).mean(axis=2)
            if self.votes:
                value[part] = (2.0 * forests - 1.0) @ self.weights / self.weights.sum()
            else:
                value[part] = _weighted_median(forests, self.weights)
        return value, spread


@dataclass(frozen=True)
class AdaBoost:
    """Regression.

    Parameters
    ----------
    n_forests, n_trees
        Forests that follow each other, and trees in each.
    max_features
        Share of the features that each node chooses from.
    """

    n_forests: int = 30
    n_trees: int = 20
    max_features: float = 0.5
    knows_limits: ClassVar[bool] = False

    def fit(self, training: Training) -> FittedAdaBoost:
        """Fit."""
        from sklearn.ensemble import AdaBoostRegressor, ExtraTreesRegressor

        base = ExtraTreesRegressor(n_estimators=self.n_trees, max_features=self.max_features)
        model = AdaBoostRegressor(base, n_estimators=self.n_forests, random_state=training.seed)
        model.fit(training.features, training.y)
        trees = trees_of([tree for forest in model.estimators_ for tree in forest.estimators_])
        weights = np.maximum(model.estimator_weights_[: len(model.estimators_)], 1e-12)
        return FittedAdaBoost(trees, self.n_trees, weights, votes=False)


@dataclass(frozen=True)
class AdaBoostClassifier:
    """Classification; settings as of `AdaBoost`, the trees at most `depth` deep, so that a forest errs at all."""

    n_forests: int = 30
    n_trees: int = 20
    max_features: float = 0.5
    depth: int = 4
    knows_limits: ClassVar[bool] = True

    def fit(self, training: Training) -> FittedAdaBoost:
        """Fit."""
        from sklearn.ensemble import AdaBoostClassifier as Model
        from sklearn.ensemble import ExtraTreesClassifier

        base = ExtraTreesClassifier(n_estimators=self.n_trees, max_features=self.max_features, max_depth=self.depth)
        model = Model(base, n_estimators=self.n_forests, random_state=training.seed)
        model.fit(training.features, training.y)
        trees = trees_of([tree for forest in model.estimators_ for tree in forest.estimators_])
        weights = np.maximum(model.estimator_weights_[: len(model.estimators_)], 1e-12)
        return FittedAdaBoost(trees, self.n_trees, weights, votes=True)


def _weighted_median(answers: Floats, weights: Floats) -> Floats:
    """Return, for each row of (n_rows, n_forests), the smallest answer with at least half of the weight at or below."""
    order = np.argsort(answers, axis=1)
    reached = np.cumsum(weights[order], axis=1) >= 0.5 * weights.sum()
    chosen = order[np.arange(len(answers)), reached.argmax(axis=1)]
    found: Floats = answers[np.arange(len(answers)), chosen]
    return found
