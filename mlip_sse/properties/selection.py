"""Several candidates behind one contract: the best is chosen, or all are blended, by grouped inner folds.

Whoever evaluates this model on a split has nested the choice inside it: test rows have no part in it.

    chosen:   the least mean |ŷ − y| over rows by models that did not see their group (limits count where contradicted)
    blended:  weights w ≥ 0, Σ w = 1, that minimise Σ (Σ_m w_m ŷ_m − y)² over those rows

References
----------
Cawley and Talbot, J. Mach. Learn. Res. 11, 2079 (2010) (why the choice is nested); Breiman, Mach. Learn. 24, 49 (1996),
10.1007/BF00117832 (blending).
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from mlip_sse.errors import InputError
from mlip_sse.properties.censoring import hinge_errors, require_signs
from mlip_sse.properties.contract import Prediction
from mlip_sse.properties.regression import FittedRegressor, PropertyRegressor, with_interval
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
    scores
        (n_scores,) conformal scores of the exact rows, sorted.
    names
        Of all candidates.
    errors
        (n_candidates,) mean absolute error of each on unseen groups.
    """

    parts: tuple[FittedRegressor, ...]
    weights: Floats
    scores: Floats
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
        return with_interval(
            np.asarray(value), np.asarray(spread), guesses[heaviest][2], self.scores, domain, confidence
        )


@dataclass(frozen=True)
class SelectedRegressor:
    """Candidates of which one is chosen, or all are blended.

    Parameters
    ----------
    candidates
        At least one; they share seed and folds of the first.
    blends
        Whether weights are fitted, instead of the best chosen.
    """

    candidates: tuple[PropertyRegressor, ...]
    blends: bool = False

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
        errors = np.array([np.abs(hinge_errors(target, signs, value)).mean() for _, value, _ in asked])
        weights = self._weights(target, signs, np.array([value for _, value, _ in asked]), errors)
        value = weights @ np.array([value for _, value, _ in asked])
        # Spreads are comparable within a candidate alone: each is brought to the size of its errors first.
        exact = signs == 0
        kept = np.flatnonzero(weights > 0)
        scales = [np.mean(np.abs(target - asked[at][1])[exact]) / np.mean(asked[at][2][exact]) for at in kept]
        parts = tuple(replace(asked[at][0], spread_unit=float(scale)) for at, scale in zip(kept, scales, strict=True))
        spread = sum(weights[at] * scale * asked[at][2] for at, scale in zip(kept, scales, strict=True))
        return FittedSelection(
            parts=parts,
            weights=weights[kept],
            scores=np.sort((np.abs(target - value) / spread)[exact]),
            names=tuple(each.model for each in same),
            errors=errors,
        )

    def _weights(self, y: Floats, signs: npt.NDArray[np.int8], values: Floats, errors: Floats) -> Floats:
        best: Floats = (np.arange(len(errors)) == np.argmin(errors)).astype(np.float64)
        if not self.blends or len(errors) == 1:
            return best
        exact = signs == 0
        # A heavy last row asks for weights of sum 1.
        heavy = 1e3 * float(np.abs(y[exact]).max() + 1.0)
        matrix = np.vstack([values[:, exact].T - y[exact].mean(), heavy * np.ones(len(errors))])
        weights, _ = nnls(matrix, np.append(y[exact] - y[exact].mean(), heavy))
        total = float(weights.sum())
        found: Floats = weights / total if total > 0 else best
        return found
