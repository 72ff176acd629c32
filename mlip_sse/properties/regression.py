"""A regressor of any learner: prepared features, limits used, conformal intervals, a domain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.censoring import censored_mean, require_signs
from mlip_sse.properties.conformal import Predict, inner_splits, out_of_fold, score_quantile
from mlip_sse.properties.contract import MODELS, ModelEntry, Prediction, entry_of, require_matrix, require_target
from mlip_sse.properties.domain import Domain
from mlip_sse.properties.learner import FittedLearner, Learner, Training
from mlip_sse.properties.preparation import Preparation
from mlip_sse.properties.splits import Split, group_numbers
from mlip_sse.properties.storage import storable

__all__ = ["FittedRegressor", "PropertyRegressor", "asker", "require_kelvin", "seen_by"]

Floats = npt.NDArray[np.float64]

_IMPUTATION_ROUNDS = 2


@storable
@dataclass(frozen=True, eq=False)
class FittedRegressor:
    """What `PropertyRegressor.fit` returns.

    Parameters
    ----------
    model
        Name in the registry.
    learner
        What was fitted to all rows.
    preparation
        Of the features; None where the learner eats element fractions as they are.
    scores
        (n_scores,) conformal scores of the exact rows, sorted.
    error
        Mean absolute error of the exact rows on unseen groups.
    domain
        Where the training rows lie.
    with_temperature
        Whether `predict` needs temperatures.
    """

    model: str
    learner: FittedLearner
    preparation: Preparation
    scores: Floats
    error: float
    domain: Domain
    with_temperature: bool

    def predict(
        self, features: Floats, *, temperature_k: npt.ArrayLike | None = None, confidence: float = 0.9
    ) -> Prediction:
        """Predict rows of features (n_rows, n_features), nan where missing."""
        found = require_matrix(features, self.preparation.n_features)
        kelvin = require_kelvin(temperature_k, len(found), self.with_temperature)
        entry = entry_of(MODELS, self.model)
        standardised = self.preparation.apply(found)
        value, spread = self.learner.predict(*seen_by(entry, found, standardised, kelvin))
        distance = self.domain.distances(standardised)
        half = score_quantile(self.scores, confidence) * spread * self.domain.widening(distance)
        return Prediction(value, value - half, value + half, confidence, distance, distance > self.domain.edge)


@dataclass(frozen=True)
class PropertyRegressor:
    """A learner of the registry as a regressor.

    Parameters
    ----------
    model
        Name in `MODELS`.
    settings
        Of the learner.
    seed
        Of the learner and of the inner folds.
    n_folds
        Grouped inner folds, on which errors are measured.
    """

    model: str
    settings: Mapping[str, Any]
    seed: int = 0
    n_folds: int = 5

    def fit(
        self,
        features: Floats,
        y: npt.ArrayLike,
        *,
        censored: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
        temperature_k: npt.ArrayLike | None = None,
    ) -> FittedRegressor:
        """Fit to rows (n_rows, n_features); see `mlip_sse.properties.contract.Regressor`."""
        found = require_matrix(features)
        target, signs = require_target(y, len(found)), require_signs(censored, len(found))
        if np.count_nonzero(signs == 0) < 3:
            raise InputError(
                f"found {np.count_nonzero(signs == 0)} exact values, expected at least 3 beside the limits"
            )
        entry, kelvin = entry_of(MODELS, self.model), require_kelvin(temperature_k, len(found), False)
        learner = entry.learner(**self.settings)
        preparation = Preparation.fitted_to(found)
        standardised = preparation.apply(found)
        names = [str(name) for name in (np.arange(len(found)) if groups is None else np.asarray(groups))]
        seen, own_kelvin = seen_by(entry, found, standardised, kelvin)
        training = Training(seen, target, signs, group_numbers(names), own_kelvin, self.seed)
        splits = inner_splits(groups, len(found), self.n_folds, self.seed)
        if not learner.knows_limits and signs.any():
            training = _with_limits_imputed(learner, training, splits)
        value, spread = out_of_fold(splits, len(found), asker(learner, training))
        exact = signs == 0
        errors = np.abs(target - value)[exact]
        return FittedRegressor(
            model=self.model,
            learner=learner.fit(training),
            preparation=preparation,
            scores=np.sort(errors / spread[exact]),
            error=float(errors.mean()),
            domain=Domain.fitted_to(standardised, training.groups, self.seed),
            with_temperature=kelvin is not None,
        )


def asker(learner: Learner, training: Training) -> Predict:
    """Return what `out_of_fold` calls: fit to some rows of a training, predict others."""

    def ask(train: npt.NDArray[np.intp], test: npt.NDArray[np.intp]) -> tuple[Floats, Floats]:
        asked = training.part(test)
        return learner.fit(training.part(train)).predict(asked.features, asked.temperature_k)

    return ask


def _with_limits_imputed(learner: Learner, training: Training, splits: list[Split]) -> Training:
    """Return the training with each limit replaced by the mean of what may lie beyond it (Buckley and James).

    The mean is that of a normal about the prediction of a model that did not see the row's group.
    """
    target, y = training.y, training.y
    exact = training.signs == 0
    for _ in range(_IMPUTATION_ROUNDS):
        filled = Training(
            training.features, y, np.zeros_like(training.signs), training.groups, training.temperature_k, training.seed
        )
        value, _ = out_of_fold(splits, len(y), asker(learner, filled))
        spread = float(np.sqrt(np.mean((target - value)[exact] ** 2)))
        y = censored_mean(target, training.signs, value, max(spread, 1e-12))
    return Training(
        training.features, y, np.zeros_like(training.signs), training.groups, training.temperature_k, training.seed
    )


def seen_by(
    entry: ModelEntry, features: Floats, standardised: Floats, kelvin: Floats | None
) -> tuple[Floats, Floats | None]:
    """Return what the learner sees: its features and, where it has its own dependence on it, the temperature."""
    seen = np.nan_to_num(features) if entry.eats == "fractions" else standardised
    if kelvin is None or entry.temperature:
        return seen, kelvin
    return np.hstack([seen, 1000.0 / kelvin[:, None] - 3.0]), None


def require_kelvin(temperature_k: npt.ArrayLike | None, n_rows: int, needed: bool) -> Floats | None:
    """Return temperatures as (n_rows,) positive floats, or None where there are none and none are needed."""
    if temperature_k is None:
        if needed:
            raise InputError("found no temperatures, expected one a row (in K): the model was fitted to σ(T)")
        return None
    found = np.asarray(temperature_k, dtype=np.float64)
    if found.shape != (n_rows,) or not (np.isfinite(found) & (found > 0)).all():
        raise InputError(f"found temperatures of shape {found.shape}, expected {n_rows} positive numbers in K")
    return found
