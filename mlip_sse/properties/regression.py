"""A regressor of any learner: prepared features, limits used, conformal intervals, a domain."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.censoring import censored_mean, require_signs
from mlip_sse.properties.conformal import Predict, group_weights, inner_splits, out_of_fold, score_quantile
from mlip_sse.properties.contract import MODELS, ModelEntry, Prediction, entry_of, require_matrix, require_target
from mlip_sse.properties.domain import Domain
from mlip_sse.properties.learner import FittedLearner, Learner, Training
from mlip_sse.properties.models.logarithm import LogarithmOf
from mlip_sse.properties.preparation import Preparation
from mlip_sse.properties.splits import Split, group_numbers
from mlip_sse.properties.storage import storable

__all__ = [
    "FittedRegressor",
    "PropertyRegressor",
    "asker",
    "require_kelvin",
    "row_groups",
    "seen_by",
    "with_interval",
]

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
        Of the features.
    columns
        (n_used,) columns of the features that the model is given.
    scores, score_weights
        (n_scores,) conformal scores of the exact rows and their weights; empty where it was not calibrated.
    error
        Mean absolute error of the exact rows on unseen groups; None where it was not calibrated.
    domain
        Where the training rows lie.
    n_features
        Columns that `predict` expects.
    with_temperature
        Whether `predict` needs temperatures.
    spread_unit
        What the learner's spread is multiplied by.
    """

    model: str
    learner: FittedLearner
    preparation: Preparation
    columns: npt.NDArray[np.intp]
    scores: Floats
    score_weights: Floats
    error: float | None
    domain: Domain
    n_features: int
    with_temperature: bool
    spread_unit: float = 1.0

    def guess(self, features: npt.ArrayLike, temperature_k: npt.ArrayLike | None) -> tuple[Floats, Floats, Floats]:
        """Return value, spread and distance of rows, each (n_rows,)."""
        found = require_matrix(features, self.n_features)[:, self.columns]
        kelvin = require_kelvin(temperature_k, len(found), self.with_temperature)
        standardised = self.preparation.apply(found)
        value, spread = self.learner.predict(*seen_by(entry_of(MODELS, self.model), found, standardised, kelvin))
        return value, self.spread_unit * spread, self.domain.distances(standardised)

    def predict(
        self, features: npt.ArrayLike, *, temperature_k: npt.ArrayLike | None = None, confidence: float = 0.9
    ) -> Prediction:
        """Predict rows of features (n_rows, n_features), nan where missing."""
        value, spread, distance = self.guess(features, temperature_k)
        half = score_quantile(self.scores, self.score_weights, confidence)
        return with_interval(value, half * spread, distance, self.domain, confidence)


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
    columns
        Columns of the features that the model is given; None for all.
    calibrates
        False for a model without intervals and without imputed limits, at a sixth of the cost: a null needs no more.
    logarithm
        Whether the learner is given ln y; values, errors and intervals are of y all the same.
    """

    model: str
    settings: Mapping[str, Any]
    seed: int = 0
    n_folds: int = 5
    columns: tuple[int, ...] | None = None
    calibrates: bool = True
    logarithm: bool = False

    def fit(
        self,
        features: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        censored: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
        temperature_k: npt.ArrayLike | None = None,
    ) -> FittedRegressor:
        """Fit to rows (n_rows, n_features); see `mlip_sse.properties.contract.Regressor`."""
        return self.fit_and_ask(features, y, censored=censored, groups=groups, temperature_k=temperature_k)[0]

    def fit_and_ask(
        self,
        features: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        censored: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
        temperature_k: npt.ArrayLike | None = None,
    ) -> tuple[FittedRegressor, Floats, Floats]:
        """Fit, and return with it value and spread of each row by a model that did not see its group."""
        given = require_matrix(features)
        target, signs = require_target(y, len(given)), require_signs(censored, len(given))
        exact = signs == 0
        if np.count_nonzero(exact) < 3:
            raise InputError(f"found {np.count_nonzero(exact)} exact values, expected at least 3 beside the limits")
        columns = np.arange(given.shape[1]) if self.columns is None else np.array(self.columns, dtype=np.intp)
        found, kelvin = given[:, columns], require_kelvin(temperature_k, len(given), False)
        entry = entry_of(MODELS, self.model)
        learner = entry.learner(**self.settings)
        if self.logarithm:
            _refuse_limits(signs)
            learner = LogarithmOf(learner)
        preparation = Preparation.fitted_to(found)
        standardised = preparation.apply(found)
        numbers = row_groups(groups, len(found))
        seen, own_kelvin = seen_by(entry, found, standardised, kelvin)
        training = Training(seen, target, signs, numbers, own_kelvin, self.seed)
        value = spread = np.full(len(target), np.nan)
        if self.calibrates:
            splits = inner_splits(numbers, self.n_folds, self.seed)
            if not learner.knows_limits and signs.any():
                training = _with_limits_imputed(learner, training, splits)
            value, spread = out_of_fold(splits, len(found), asker(learner, training))
        elif not learner.knows_limits:
            training = replace(training, signs=np.zeros_like(signs))
        errors = np.abs(target - value)[exact]
        fitted = FittedRegressor(
            model=self.model,
            learner=learner.fit(training),
            preparation=preparation,
            columns=columns,
            scores=errors / spread[exact] if self.calibrates else np.empty(0),
            score_weights=group_weights(numbers[exact]) if self.calibrates else np.empty(0),
            error=float(errors.mean()) if self.calibrates else None,
            domain=Domain.fitted_to(standardised, numbers, self.seed),
            n_features=given.shape[1],
            with_temperature=kelvin is not None,
        )
        return fitted, value, spread


def _refuse_limits(signs: npt.NDArray[np.int8]) -> None:
    if signs.any():
        raise InputError(
            f"found {np.count_nonzero(signs)} limits for a model with logarithm: true, expected exact values; let the "
            f"target have the transform log10 instead"
        )


def with_interval(value: Floats, half: Floats, distance: Floats, domain: Domain, confidence: float) -> Prediction:
    """Return a prediction with an interval of some half-width, which is widened outside the domain."""
    wide = half * domain.widening(distance)
    return Prediction(value, value - wide, value + wide, confidence, distance, distance > domain.edge)


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
        filled = replace(training, y=y, signs=np.zeros_like(training.signs))
        value, _ = out_of_fold(splits, len(y), asker(learner, filled))
        spread = float(np.sqrt(np.mean((target - value)[exact] ** 2)))
        y = censored_mean(target, training.signs, value, max(spread, 1e-12))
    return replace(training, y=y, signs=np.zeros_like(training.signs))


def row_groups(groups: npt.ArrayLike | None, n_rows: int) -> npt.NDArray[np.intp]:
    """Return a whole number for the group of each row; each row its own where there are no groups."""
    named = np.arange(n_rows) if groups is None else np.asarray(groups)
    if named.shape != (n_rows,):
        raise InputError(f"found groups of shape {named.shape}, expected ({n_rows},), one a row")
    return group_numbers([str(name) for name in named])


def seen_by(
    entry: ModelEntry, features: Floats, standardised: Floats, kelvin: Floats | None
) -> tuple[Floats, Floats | None]:
    """Return what the learner sees: its features and, where it has its own dependence on it, the temperature."""
    given = {"features": standardised, "numbers": features, "fractions": np.nan_to_num(features)}
    seen = given[entry.eats]
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
