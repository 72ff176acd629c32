"""A classifier of any learner: prepared features, calibrated probabilities, a domain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.calibration import Calibration, as_log_odds
from mlip_sse.properties.conformal import inner_splits, out_of_fold
from mlip_sse.properties.contract import (
    CLASSIFIERS,
    Classification,
    ModelEntry,
    entry_of,
    require_matrix,
    require_target,
)
from mlip_sse.properties.domain import Domain
from mlip_sse.properties.learner import FittedLearner, Training
from mlip_sse.properties.preparation import Preparation
from mlip_sse.properties.regression import asker, require_kelvin, row_groups, seen_by
from mlip_sse.properties.storage import storable

__all__ = ["FittedPropertyClassifier", "PropertyClassifier", "classes_of"]

Floats = npt.NDArray[np.float64]


@storable
@dataclass(frozen=True, eq=False)
class FittedPropertyClassifier:
    """What `PropertyClassifier.fit` returns; fields as of `FittedRegressor`.

    Parameters
    ----------
    calibration
        From the learner's score to a probability, fitted on unseen groups.
    """

    model: str
    learner: FittedLearner
    preparation: Preparation
    columns: npt.NDArray[np.intp]
    calibration: Calibration
    domain: Domain
    n_features: int
    with_temperature: bool

    def predict(self, features: Floats, *, temperature_k: npt.ArrayLike | None = None) -> Classification:
        """Predict rows of features (n_rows, n_features), nan where missing."""
        found = require_matrix(features, self.n_features)[:, self.columns]
        kelvin = require_kelvin(temperature_k, len(found), self.with_temperature)
        entry = entry_of(CLASSIFIERS, self.model)
        standardised = self.preparation.apply(found)
        value, _ = self.learner.predict(*seen_by(entry, found, standardised, kelvin))
        distance = self.domain.distances(standardised)
        return Classification(self.calibration.probability(_score(entry, value)), distance, distance > self.domain.edge)


@dataclass(frozen=True)
class PropertyClassifier:
    """A learner of the registry as a classifier; parameters as of `PropertyRegressor`."""

    model: str
    settings: Mapping[str, Any]
    seed: int = 0
    n_folds: int = 5
    columns: tuple[int, ...] | None = None
    calibrates: bool = True

    def fit(
        self,
        features: Floats,
        y: npt.ArrayLike,
        *,
        groups: npt.ArrayLike | None = None,
        temperature_k: npt.ArrayLike | None = None,
    ) -> FittedPropertyClassifier:
        """Fit to rows (n_rows, n_features) and classes 0 and 1; see `mlip_sse.properties.contract.Classifier`."""
        given = require_matrix(features)
        columns = np.arange(given.shape[1]) if self.columns is None else np.array(self.columns, dtype=np.intp)
        found, target = given[:, columns], require_target(y, len(given))
        if not np.isin(target, (0.0, 1.0)).all():
            raise InputError(
                "found a class other than 0 and 1, expected these two: compare the target with a threshold"
            )
        entry, kelvin = entry_of(CLASSIFIERS, self.model), require_kelvin(temperature_k, len(found), False)
        learner = entry.learner(**self.settings)
        preparation = Preparation.fitted_to(found)
        standardised = preparation.apply(found)
        numbers = row_groups(groups, len(found))
        seen, own_kelvin = seen_by(entry, found, standardised, kelvin)
        exact = np.zeros(len(target), dtype=np.int8)
        training = Training(seen, target, exact, numbers, own_kelvin, self.seed)
        calibration = Calibration(1.0, 0.0)
        if self.calibrates:
            splits = inner_splits(numbers, self.n_folds, self.seed)
            value, _ = out_of_fold(splits, len(found), asker(learner, training))
            calibration = Calibration.fitted_to(_score(entry, value), target)
        return FittedPropertyClassifier(
            model=self.model,
            learner=learner.fit(training),
            preparation=preparation,
            columns=columns,
            calibration=calibration,
            domain=Domain.fitted_to(standardised, numbers, self.seed),
            n_features=given.shape[1],
            with_temperature=kelvin is not None,
        )


def classes_of(
    y: npt.ArrayLike, censored: npt.ArrayLike | None, threshold: float
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the class of each row (1 at or above the threshold) and whether it is known.

    A limit decides only on its own side: ``<x`` with x at or below the threshold is 0, ``>x`` with x at or above it 1.
    """
    target = np.asarray(y, dtype=np.float64)
    signs = np.zeros(len(target), dtype=np.int8) if censored is None else np.asarray(censored)
    known = (signs == 0) | ((signs < 0) & (target <= threshold)) | ((signs > 0) & (target >= threshold))
    return np.where(signs < 0, 0.0, (target >= threshold).astype(np.float64)), known & np.isfinite(target)


def _score(entry: ModelEntry, value: Floats) -> Floats:
    return as_log_odds(value) if entry.answers == "share" else value
