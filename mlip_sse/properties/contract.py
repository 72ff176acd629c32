"""What every property model is: fit on arrays, predict with an interval, say how far the question is from the answers.

A model is a frozen dataclass of settings; `fit` returns another object, and changes nothing. What was fitted is plain
data (numbers, texts, arrays), so that it can be stored without a pickle.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError, did_you_mean

__all__ = [
    "CLASSIFIERS",
    "MODELS",
    "Classification",
    "Classifier",
    "Fitted",
    "FittedClassifier",
    "ModelEntry",
    "Prediction",
    "Regressor",
    "classifier",
    "entry_of",
    "regressor",
    "require_matrix",
    "require_target",
]

Floats = npt.NDArray[np.float64]
Eats = Literal["features", "numbers", "fractions"]
Answers = Literal["number", "share", "log_odds"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a regressor says of some rows, each array (n_rows,).

    Parameters
    ----------
    value
        The best guess, in the unit that was fitted.
    low, high
        The interval; infinite where the model was fitted on too few rows for its confidence.
    confidence
        Of that interval.
    distance
        To the nearest training rows in standardised features, in units of the median between training materials: at 1 a
        row has a neighbour as near as half of them have.
    outside
        Where the distance is beyond the model's domain; the interval is widened by the distance there.
    """

    value: Floats
    low: Floats
    high: Floats
    confidence: float
    distance: Floats
    outside: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Classification:
    """What a classifier says of some rows: the calibrated probability of the positive class, distance as above."""

    probability: Floats
    distance: Floats
    outside: npt.NDArray[np.bool_]


@runtime_checkable
class Fitted(Protocol):
    """A regressor after `fit`."""

    def predict(
        self, features: Floats, *, temperature_k: npt.ArrayLike | None = None, confidence: float = 0.9
    ) -> Prediction:
        """Predict rows of features (n_rows, n_features), nan where missing."""
        ...


@runtime_checkable
class FittedClassifier(Protocol):
    """A classifier after `fit`."""

    def predict(self, features: Floats, *, temperature_k: npt.ArrayLike | None = None) -> Classification:
        """Predict rows of features (n_rows, n_features), nan where missing."""
        ...


class Regressor(Protocol):
    """A model of a number.

    Its `fit` takes features (n_rows, n_features) with nan where missing; y (n_rows,) with the limit where censored;
    censored (n_rows,) of −1 (upper limit), 0, +1; groups (n_rows,), rows of which never lie on both sides of an inner
    split; temperature_k (n_rows,) where σ(T) is learnt.
    """

    def fit(
        self,
        features: Floats,
        y: npt.ArrayLike,
        *,
        censored: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
        temperature_k: npt.ArrayLike | None = None,
    ) -> Fitted:
        """Fit and calibrate the intervals on grouped inner folds."""
        ...


class Classifier(Protocol):
    """A model of a probability; as `Regressor`, y of 0 and 1."""

    def fit(
        self,
        features: Floats,
        y: npt.ArrayLike,
        *,
        groups: npt.ArrayLike | None = None,
        temperature_k: npt.ArrayLike | None = None,
    ) -> FittedClassifier:
        """Fit and calibrate the probabilities on grouped inner folds."""
        ...


@dataclass(frozen=True)
class ModelEntry:
    """Where a learner lies, what it eats and what it is.

    Parameters
    ----------
    at
        ``module:Class`` of its settings; imported on first use.
    eats
        ``features``, filled and standardised; ``numbers``, the same as they stand, nan where missing; or ``fractions``,
        the 103 element fractions of `element_fractions`.
    description
        In a line.
    temperature
        True where the learner has its own dependence on temperature; the others get 1000/T as a feature.
    answers
        What its value is before calibration: a number, a share between 0 and 1, or log-odds.
    preset
        Settings that make it this model, which nobody can change.
    """

    at: str
    eats: Eats
    description: str
    temperature: bool = False
    answers: Answers = "number"
    preset: Mapping[str, Any] = field(default_factory=dict)

    def learner(self, **settings: Any) -> Any:
        """Return the learner with its settings.

        Raises
        ------
        InputError
            When there is no such setting; the message lists those that are.
        """
        module, name = self.at.split(":")
        made = getattr(import_module(module), name)
        known = [key for key in getattr(made, "__dataclass_fields__", ()) if key not in self.preset]
        for key in settings:
            if key not in known:
                raise InputError(
                    f"{name}: no setting {key!r}, expected one of {', '.join(known)}{did_you_mean(key, known)}"
                )
        return made(**self.preset, **settings)


def _entries(
    *rows: tuple[str, str, Eats, str, bool, Answers], networks: Mapping[str, ModelEntry]
) -> Mapping[str, ModelEntry]:
    made = {
        name: ModelEntry(f"mlip_sse.properties.models.{at}", eats, about, kelvin, answers)
        for name, at, eats, about, kelvin, answers in rows
    }
    return MappingProxyType({**made, **networks})


_NETWORKS: tuple[tuple[str, Eats, str, str, bool], ...] = (
    ("network", "features", "small networks", "mlp", False),
    ("arrhenius_network", "features", "the same with ln A and Ea", "mlp", True),
    ("composition_network", "fractions", "learnt element vectors", "composition", False),
    ("arrhenius_composition", "fractions", "the same with ln A and Ea", "composition", True),
    ("set_network", "fractions", "three numbers an element, attention", "set", False),
    ("arrhenius_set", "fractions", "the same with ln A and Ea", "set", True),
    ("pair_network", "fractions", "elements begin as what is known of them, and see each other", "pairs", False),
)


def _networks(answers: Answers, *, classify: bool) -> Mapping[str, ModelEntry]:
    at, loss = "mlip_sse.properties.models.network:Network", {"loss": "entropy"} if classify else {}
    return {
        name: ModelEntry(at, eats, about, True, answers, {"encoding": encoding, "arrhenius": arrhenius, **loss})
        for name, eats, about, encoding, arrhenius in _NETWORKS
        if not (classify and arrhenius)
    }


MODELS: Mapping[str, ModelEntry] = _entries(
    ("constant", "linear:Constant", "features", "the median, for blends to fall back to", False, "number"),
    ("linear", "linear:Linear", "features", "ridge regression by the Tobit likelihood", False, "number"),
    ("pls", "pls:PartialLeastSquares", "features", "partial least squares with VIP scores", False, "number"),
    ("gaussian_process", "gaussian_process:GaussianProcess", "features", "Matérn process, Tobit", False, "number"),
    ("svm", "support_vectors:SupportVectors", "features", "support vectors, Gaussian kernel", False, "number"),
    ("random_forest", "forests:RandomForest", "features", "bagged trees", False, "number"),
    ("extra_trees", "forests:ExtraTrees", "features", "extremely randomised trees", False, "number"),
    ("gradient_boosting", "boosting:GradientBoosting", "features", "boosted trees", False, "number"),
    ("xgboost", "boosting:XGBoost", "features", "boosted trees, limits by likelihood", False, "number"),
    ("lightgbm", "boosting:LightGBM", "features", "boosted trees grown leaf by leaf", False, "number"),
    ("adaboost", "adaboost:AdaBoost", "features", "AdaBoost over extremely randomised trees", False, "number"),
    ("anchored", "anchored:Anchored", "numbers", "a number known with its error, and ridge", False, "number"),
    ("arrhenius_trees", "arrhenius_trees:ArrheniusTrees", "features", "forests of value and slope", True, "number"),
    ("arrhenius_beyond", "arrhenius_beyond:ArrheniusBeyond", "features", "any, with lines beyond", True, "number"),
    networks=_networks("number", classify=False),
)
"""Regressors by name."""

CLASSIFIERS: Mapping[str, ModelEntry] = _entries(
    ("logistic", "linear:Logistic", "features", "logistic regression", False, "log_odds"),
    ("svm", "support_vectors:SupportVectorClassifier", "features", "support vectors", False, "log_odds"),
    ("random_forest", "forests:RandomForest", "features", "bagged trees", False, "share"),
    ("extra_trees", "forests:ExtraTrees", "features", "extremely randomised trees", False, "share"),
    ("gradient_boosting", "boosting:GradientBoostingClassifier", "features", "boosted trees", False, "log_odds"),
    ("xgboost", "boosting:XGBoostClassifier", "features", "boosted trees", False, "log_odds"),
    ("lightgbm", "boosting:LightGBMClassifier", "features", "boosted trees", False, "log_odds"),
    ("adaboost", "adaboost:AdaBoostClassifier", "features", "AdaBoost over random trees", False, "log_odds"),
    networks=_networks("log_odds", classify=True),
)
"""Classifiers by name."""


def entry_of(models: Mapping[str, ModelEntry], name: str) -> ModelEntry:
    """Return the entry of a model.

    Raises
    ------
    InputError
        When there is none of that name; the message lists those that are.
    """
    if name not in models:
        raise InputError(f"no model {name!r}, expected one of {', '.join(models)}{did_you_mean(name, models)}")
    return models[name]


def regressor(name: str, seed: int = 0, n_folds: int = 5, **settings: Any) -> Regressor:
    """Return a regressor of the registry, with conformal intervals of ``n_folds`` grouped inner folds.

    Raises
    ------
    InputError
        When there is no such model or setting; the message lists those that are.
    """
    from mlip_sse.properties.regression import PropertyRegressor

    entry_of(MODELS, name).learner(**settings)
    return PropertyRegressor(name, MappingProxyType(dict(settings)), seed, n_folds)


def classifier(name: str, seed: int = 0, n_folds: int = 5, **settings: Any) -> Classifier:
    """Return a classifier of the registry, calibrated on ``n_folds`` grouped inner folds."""
    from mlip_sse.properties.classification import PropertyClassifier

    entry_of(CLASSIFIERS, name).learner(**settings)
    return PropertyClassifier(name, MappingProxyType(dict(settings)), seed, n_folds)


def require_matrix(features: npt.ArrayLike, n_features: int | None = None) -> Floats:
    """Return features as (n_rows, n_features) floats, infinities taken as missing."""
    found = np.asarray(features, dtype=np.float64)
    if found.ndim != 2 or found.shape[0] == 0:
        raise InputError(f"found features of shape {found.shape}, expected (n_rows, n_features)")
    if n_features is not None and found.shape[1] != n_features:
        raise InputError(f"found {found.shape[1]} features, expected the {n_features} that the model was fitted on")
    return np.where(np.isfinite(found), found, np.nan)


def require_target(y: npt.ArrayLike, n_rows: int) -> Floats:
    """Return a target as (n_rows,) finite floats."""
    found = np.asarray(y, dtype=np.float64)
    if found.shape != (n_rows,):
        raise InputError(f"found a target of shape {found.shape}, expected ({n_rows},), one value a row of features")
    if not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found))[0])
        raise InputError(f"the target of row {row} (counted from 0) is {found[row]}, expected it finite: leave it out")
    return found
