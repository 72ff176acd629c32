"""Boosted trees: gradient boosting of scikit-learn, XGBoost and LightGBM, and AdaBoost over extremely randomised trees.

XGBoost takes limits as they are, by the likelihood of an accelerated-failure-time model with normal errors; the others
see them imputed. XGBoost's and LightGBM's own models are kept as the text in which they write themselves.

References
----------
Friedman, Ann. Stat. 29, 1189 (2001), 10.1214/aos/1013203451; Chen and Guestrin, KDD 2016, 785,
10.1145/2939672.2939785; Ke et al., NeurIPS 30 (2017); Drucker, ICML 1997, 107 (AdaBoost.R2).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import MissingExtraError
from mlip_sse.properties.learner import Training
from mlip_sse.properties.models.tree_arrays import TreeArrays, trees_of
from mlip_sse.properties.storage import storable

__all__ = [
    "FittedBoosting",
    "FittedLightGBM",
    "FittedXGBoost",
    "GradientBoosting",
    "GradientBoostingClassifier",
    "LightGBM",
    "LightGBMClassifier",
    "XGBoost",
    "XGBoostClassifier",
]

Floats = npt.NDArray[np.float64]


@storable
@dataclass(frozen=True, eq=False)
class FittedBoosting:
    """A sum of trees upon an offset."""

    trees: TreeArrays
    offset: float

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return the sum and ones."""
        mean, _ = self.trees.moments(features)
        return self.offset + mean * len(self.trees.roots), np.ones(len(features))


@storable
@dataclass(frozen=True, eq=False)
class FittedXGBoost:
    """XGBoost's own JSON, of the standardised target."""

    text: str
    centre: float
    unit: float

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return the margin in the unit of the target, and ones."""
        xgboost = _xgboost()
        booster = xgboost.Booster(params={"nthread": 1})
        booster.load_model(bytearray(self.text.encode()))
        margin = booster.predict(xgboost.DMatrix(features), output_margin=True)
        return self.centre + self.unit * margin.astype(np.float64), np.ones(len(features))


@storable
@dataclass(frozen=True, eq=False)
class FittedLightGBM:
    """LightGBM's own text."""

    text: str

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return the raw score and ones."""
        booster = _lightgbm().Booster(model_str=self.text)
        return np.asarray(booster.predict(features, raw_score=True, num_threads=1)), np.ones(len(features))


@dataclass(frozen=True)
class _BoostingSettings:
    """Settings that all boosters share.

    Parameters
    ----------
    n_trees, learning_rate, depth
        Number of trees, the share of each that counts, and questions from root to leaf.
    row_share, feature_share
        Of the rows and of the features that each tree sees.
    """

    n_trees: int = 300
    learning_rate: float = 0.05
    depth: int = 4
    row_share: float = 0.8
    feature_share: float = 0.5
    knows_limits: ClassVar[bool] = False


@dataclass(frozen=True)
class GradientBoosting(_BoostingSettings):
    """Gradient boosting of squared errors."""

    def fit(self, training: Training) -> FittedBoosting:
        """Fit."""
        from sklearn.ensemble import GradientBoostingRegressor

        model = _sklearn(GradientBoostingRegressor, self, training)
        trees = trees_of([each[0] for each in model.estimators_], self.learning_rate)
        return FittedBoosting(trees, float(np.mean(training.y)))


@dataclass(frozen=True)
class GradientBoostingClassifier(_BoostingSettings):
    """Gradient boosting of the logistic loss; log-odds."""

    def fit(self, training: Training) -> FittedBoosting:
        """Fit."""
        from sklearn.ensemble import GradientBoostingClassifier as Model

        model = _sklearn(Model, self, training)
        trees = trees_of([each[0] for each in model.estimators_], self.learning_rate)
        share = float(np.mean(training.y))
        return FittedBoosting(trees, float(np.log(share / (1 - share))))


@dataclass(frozen=True)
class XGBoost(_BoostingSettings):
    """XGBoost; `limit_spread` is the spread of the errors about a limit, in standard deviations of the target."""

    limit_spread: float = 0.5
    knows_limits: ClassVar[bool] = True

    def fit(self, training: Training) -> FittedXGBoost:
        """Fit squared errors, or where there are limits the accelerated-failure-time likelihood."""
        xgboost = _xgboost()
        centre, unit = float(np.mean(training.y)), float(np.std(training.y)) or 1.0
        y = (training.y - centre) / unit
        data = xgboost.DMatrix(training.features)
        if training.signs.any():
            data.set_float_info("label_lower_bound", np.where(training.signs < 0, 0.0, np.exp(y)))
            data.set_float_info("label_upper_bound", np.where(training.signs > 0, np.inf, np.exp(y)))
            aft = {"aft_loss_distribution": "normal", "aft_loss_distribution_scale": self.limit_spread}
            objective = {"objective": "survival:aft", **aft}
        else:
            data.set_label(y)
            objective = {"objective": "reg:squarederror", "base_score": 0.0}
        booster = xgboost.train({**_xgboost_settings(self, training), **objective}, data, self.n_trees)
        return FittedXGBoost(booster.save_raw("json").decode(), centre, unit)


@dataclass(frozen=True)
class XGBoostClassifier(_BoostingSettings):
    """XGBoost of the logistic loss; log-odds."""

    def fit(self, training: Training) -> FittedXGBoost:
        """Fit."""
        xgboost = _xgboost()
        data = xgboost.DMatrix(training.features, label=training.y)
        settings = {**_xgboost_settings(self, training), "objective": "binary:logistic"}
        return FittedXGBoost(xgboost.train(settings, data, self.n_trees).save_raw("json").decode(), 0.0, 1.0)


@dataclass(frozen=True)
class LightGBM(_BoostingSettings):
    """LightGBM of squared errors."""

    def fit(self, training: Training) -> FittedLightGBM:
        """Fit."""
        return _lightgbm_fitted(self, training, "regression")


@dataclass(frozen=True)
class LightGBMClassifier(_BoostingSettings):
    """LightGBM of the logistic loss; log-odds."""

    def fit(self, training: Training) -> FittedLightGBM:
        """Fit."""
        return _lightgbm_fitted(self, training, "binary")


def _sklearn(kind: Any, settings: _BoostingSettings, training: Training) -> Any:
    model = kind(
        n_estimators=settings.n_trees,
        learning_rate=settings.learning_rate,
        max_depth=settings.depth,
        subsample=settings.row_share,
        max_features=settings.feature_share,
        random_state=training.seed,
    )
    return model.fit(training.features, training.y)


def _xgboost_settings(settings: _BoostingSettings, training: Training) -> dict[str, Any]:
    return {
        "eta": settings.learning_rate,
        "max_depth": settings.depth,
        "subsample": settings.row_share,
        "colsample_bytree": settings.feature_share,
        "tree_method": "hist",
        "seed": training.seed,
        "nthread": 1,
        "verbosity": 0,
    }


def _lightgbm_fitted(settings: _BoostingSettings, training: Training, objective: str) -> FittedLightGBM:
    lightgbm = _lightgbm()
    chosen = {
        "objective": objective,
        "learning_rate": settings.learning_rate,
        "num_leaves": 2**settings.depth,
        "min_data_in_leaf": max(1, min(10, len(training.y) // 20)),
        "bagging_fraction": settings.row_share,
        "bagging_freq": 1,
        "feature_fraction": settings.feature_share,
        "seed": training.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
    data = lightgbm.Dataset(training.features, label=training.y)
    return FittedLightGBM(lightgbm.train(chosen, data, num_boost_round=settings.n_trees).model_to_string())


def _xgboost() -> Any:
    try:
        import xgboost
    except ImportError as error:
        raise MissingExtraError("XGBoost", "properties") from error
    return xgboost


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtraError("LightGBM", "properties") from error
    return lightgbm
