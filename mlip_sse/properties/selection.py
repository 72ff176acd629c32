"""Several candidates behind one contract: the best is chosen, or all are blended, by grouped inner folds.

Whoever evaluates this model on a split has nested the choice inside it: test rows have no part in it.

    chosen:   the least mean |ŷ − y| over rows by models that did not see their group (limits count where contradicted)
    blended:  weights w ≥ 0, Σ w = 1, that minimise Σ (Σ_m w_m ŷ_m − y)² over those rows,
              or Σ |Σ_m w_m ŷ_m − y|, where a few large errors shall not rule

References
----------
Cawley and Talbot, J. Mach. Learn. Res. 11, 2079 (2010) (why the choice is nested); Breiman, Mach. Learn. 24, 49 (1996),
10.1007/BF00117832 (blending).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog, nnls
from scipy.sparse import csr_array, eye_array, hstack, vstack

from mlip_sse.errors import InputError
from mlip_sse.properties.censoring import Signs, hinge_errors, require_signs
from mlip_sse.properties.conformal import group_weights, inner_splits, score_quantile
from mlip_sse.properties.contract import Prediction
from mlip_sse.properties.regression import FittedRegressor, PropertyRegressor, row_groups, with_interval
from mlip_sse.properties.storage import storable

__all__ = ["FittedSelection", "SelectedRegressor"]

Floats = npt.NDArray[np.float64]


@storable
@dataclass(frozen=True, eq=False)
class FittedSelection:
    """What `SelectedRegressor.fit` returns.

    Parameters
    ----------
    parts
        The candidates with a weight.
    weights
        (n_parts,), of sum 1.
    scores, score_weights
        (n_scores,) conformal scores of the exact rows, by weights that were fitted without their fold, and their own
        weights.
    names
        Of all candidates.
    errors
        (n_candidates,) mean absolute error of each on unseen groups.
    """

    parts: tuple[FittedRegressor, ...]
    weights: Floats
    scores: Floats
    score_weights: Floats
    names: tuple[str, ...]
    errors: Floats

    def predict(
        self, features: npt.ArrayLike, *, temperature_k: npt.ArrayLike | None = None, confidence: float = 0.9
    ) -> Prediction:
        """Predict rows of features (n_rows, n_features), nan where missing."""
        guesses = [part.guess(features, temperature_k) for part in self.parts]
        value = sum(w * guess[0] for w, guess in zip(self.weights, guesses, strict=True))
        spread = sum(w * guess[1] for w, guess in zip(self.weights, guesses, strict=True))
        heaviest = int(np.argmax(self.weights))
        domain = self.parts[heaviest].domain
        half = score_quantile(self.scores, self.score_weights, confidence) * np.asarray(spread)
        return with_interval(np.asarray(value), half, guesses[heaviest][2], domain, confidence)


@dataclass(frozen=True)
class SelectedRegressor:
    """Candidates of which one is chosen, or all are blended.

    Parameters
    ----------
    candidates
        At least one; they share seed and folds of the first.
    blends
        Whether weights are fitted, instead of the best chosen.
    absolute
        Whether the weights minimise absolute errors instead of squared ones.
    """

    candidates: tuple[PropertyRegressor, ...]
    blends: bool = False
    absolute: bool = False

    def fit(
        self,
        features: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        censored: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
        temperature_k: npt.ArrayLike | None = None,
    ) -> FittedSelection:
        """Fit all candidates, choose or weigh; see `mlip_sse.properties.contract.Regressor`."""
        if not self.candidates:
            raise InputError("found no candidate model, expected at least one")
        first = self.candidates[0]
        same = [replace(each, seed=first.seed, n_folds=first.n_folds, calibrates=True) for each in self.candidates]
        asked = [
            each.fit_and_ask(features, y, censored=censored, groups=groups, temperature_k=temperature_k)
            for each in same
        ]
        target = np.asarray(y, dtype=np.float64)
        signs = require_signs(censored, len(target))
        values, spreads = (np.array([each[at] for each in asked]) for at in (1, 2))
        errors = np.array([np.abs(hinge_errors(target, signs, value)).mean() for value in values])
        exact = signs == 0
        # Spreads are comparable within a candidate alone: each is brought to the size of its errors first.
        scales = np.abs(target - values)[:, exact].mean(axis=1) / spreads[:, exact].mean(axis=1)
        spreads = scales[:, None] * spreads
        weights = self._weights(target, signs, values, errors)
        kept = np.flatnonzero(weights > 0)
        numbers = row_groups(groups, len(target))
        by_row = self._weights_without(numbers, target, signs, values)
        scores = np.abs(target - (by_row * values).sum(axis=0)) / (by_row * spreads).sum(axis=0)
        return FittedSelection(
            parts=tuple(replace(asked[at][0], spread_unit=float(scales[at])) for at in kept),
            weights=weights[kept],
            scores=scores[exact],
            score_weights=group_weights(numbers[exact]),
            names=tuple(f"{each.model} of logarithm" if each.logarithm else each.model for each in same),
            errors=errors,
        )

    def _weights_without(self, numbers: npt.NDArray[np.intp], y: Floats, signs: Signs, values: Floats) -> Floats:
        """Return weights (n_candidates, n_rows), for each row those that its own inner fold had no part in."""
        found = np.empty_like(values)
        for split in inner_splits(numbers, self.candidates[0].n_folds, self.candidates[0].seed):
            seen = split.train
            errors = np.abs(hinge_errors(y[seen], signs[seen], values[:, seen])).mean(axis=1)
            found[:, split.test] = self._weights(y[seen], signs[seen], values[:, seen], errors)[:, None]
        return found

    def _weights(self, y: Floats, signs: Signs, values: Floats, errors: Floats) -> Floats:
        best: Floats = (np.arange(len(errors)) == np.argmin(errors)).astype(np.float64)
        if not self.blends or len(errors) == 1:
            return best
        exact = signs == 0
        if self.absolute:
            return _least_absolute(values[:, exact].T, y[exact])
        # A heavy last row asks for weights of sum 1.
        heavy = 1e3 * float(np.abs(y[exact]).max() + 1.0)
        matrix = np.vstack([values[:, exact].T - y[exact].mean(), heavy * np.ones(len(errors))])
        weights, _ = nnls(matrix, np.append(y[exact] - y[exact].mean(), heavy))
        total = float(weights.sum())
        found: Floats = weights / total if total > 0 else best
        return found


def _least_absolute(values: Floats, y: Floats) -> Floats:
    """Return weights w ≥ 0 of sum 1 that minimise Σ |values·w − y|, by linear programming; values (n_rows, n_models).

    With positive u and v, values·w + u − v = y and Σ (u + v) is least.
    """
    n_rows, n_models = values.shape
    unit = float(np.abs(y).max()) or 1.0
    parts: Any = hstack([csr_array(values / unit), eye_array(n_rows), -eye_array(n_rows)])
    total: Any = csr_array(np.append(np.ones(n_models), np.zeros(2 * n_rows))[None, :])
    cost = np.append(np.zeros(n_models), np.ones(2 * n_rows))
    rows: Any = vstack([parts, total])
    found: Any = linprog(cost, A_eq=rows, b_eq=np.append(y / unit, 1.0), method="highs")
    weights = np.where(found.x[:n_models] > 1e-9, found.x[:n_models], 0.0)
    return np.asarray(weights / weights.sum())
