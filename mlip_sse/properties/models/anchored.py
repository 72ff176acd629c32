"""A number that is known with its error, and ridge regression beside it: the two are weighed by their errors.

The first column is the anchor, an estimate of the target in its own units, and the second its standard error; both,
and the other columns, are features of the ridge. What the two answer together is

    ŷ = w anchor + (1 − w) ridge,   w = (τ² − ρ σ τ)/(σ² + τ² − 2 ρ σ τ), between 0 and 1

with the variance w² σ² + (1 − w)² τ² + 2 w (1 − w) ρ σ τ. σ is the error that the row's anchor gives itself, times a
factor by which anchors are wrong in training; τ is the error of the ridge on groups that it did not see, and ρ the
correlation of both errors there. So the answer falls back to the anchor in rows where that is well known, and wherever
the ridge does not carry over to other groups. With a single group nothing says whether it does: w is 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.conformal import inner_splits
from mlip_sse.properties.learner import Training
from mlip_sse.properties.splits import leave_one_group_out
from mlip_sse.properties.storage import storable

__all__ = ["Anchored", "FittedAnchored", "weight_of_anchor"]

Floats = npt.NDArray[np.float64]

_MEAN_OF_NORMAL = 0.8
"""Mean of |N(0, 1)|: errors are measured by their mean size, which a few large ones do not rule."""
_CLIP = 4.0


@storable
@dataclass(frozen=True, eq=False)
class FittedAnchored:
    """Ridge on columns that were filled, centred and scaled, and what is known of the errors of both.

    Parameters
    ----------
    fill, mean, scale, ridge_weights
        (n_columns,) each.
    offset
        Of the ridge.
    factor, tau, rho
        On the anchor's own error; error of the ridge, and their correlation; tau is infinite where nothing is known.
    unresolved
        Standard error of an anchor that gives none.
    """

    fill: Floats
    mean: Floats
    scale: Floats
    ridge_weights: Floats
    offset: float
    factor: float
    tau: float
    rho: float
    unresolved: float

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return what anchor and ridge say together, and its standard error; of the ridge alone without an anchor."""
        ridge = self.offset + self.standardised(features) @ self.ridge_weights
        anchor = features[:, 0]
        sigma = self.factor * _errors(features, self.unresolved)
        weight = np.where(np.isfinite(anchor), weight_of_anchor(sigma, self.tau, self.rho), 0.0)
        value = np.where(weight > 0, weight * np.nan_to_num(anchor), 0.0) + (1.0 - weight) * ridge
        tau = self.tau if np.isfinite(self.tau) else 0.0
        rest = 1.0 - weight
        variance = (weight * sigma) ** 2 + (rest * tau) ** 2 + 2.0 * weight * rest * self.rho * sigma * tau
        return value, np.sqrt(np.maximum(variance, 1e-4 * sigma**2 + 1e-24))

    def standardised(self, features: Floats) -> Floats:
        """Return the columns as the ridge sees them, (n_rows, n_columns)."""
        filled = np.where(np.isfinite(features), features, self.fill)
        found: Floats = np.clip((filled - self.mean) / self.scale, -_CLIP, _CLIP)
        return found


@dataclass(frozen=True)
class Anchored:
    """A ridge regression anchored to its first column, whose standard error is the second.

    Parameters
    ----------
    penalties
        Candidates, of which that is taken which errs least on groups left out.
    unresolved
        Standard error of an anchor that gives none, in units of the target: 0.3 is a factor of two in decades.
    n_folds
        Grouped inner folds; with fewer groups each is left out alone.
    """

    penalties: Sequence[float] = (0.1, 1.0, 10.0, 100.0)
    unresolved: float = 0.3
    n_folds: int = 5
    knows_limits: ClassVar[bool] = False

    def fit(self, training: Training) -> FittedAnchored:
        """Fit.

        Raises
        ------
        InputError
            When there is no anchor and error of it, or a setting is not positive.
        """
        if training.features.shape[1] < 2 or not np.isfinite(training.features[:, 0]).any():
            raise InputError("found no anchor, expected a first column that estimates the target, then its error")
        if not self.penalties or min(*self.penalties, self.unresolved) <= 0:
            raise InputError(
                f"found penalties {tuple(self.penalties)}, unresolved {self.unresolved}, expected positive"
            )
        x, y, anchor = training.features, training.y, training.features[:, 0]
        off = {penalty: np.zeros(len(y)) for penalty in self.penalties}
        n_groups = len(np.unique(training.groups))
        if n_groups < 2:
            return _ridge(x, y, self.penalties[-1], 1.0, np.inf, 0.0, self.unresolved)
        few = n_groups < max(3, self.n_folds)
        groups = training.groups
        splits = leave_one_group_out(groups) if few else inner_splits(groups, self.n_folds, training.seed)
        for split in splits:
            for penalty, errors in off.items():
                part = _ridge(x[split.train], y[split.train], penalty, 1.0, np.inf, 0.0, self.unresolved)
                errors[split.test] = part.offset + part.standardised(x[split.test]) @ part.ridge_weights - y[split.test]
        best = min(off, key=lambda penalty: float(np.abs(off[penalty]).mean()))
        has = np.isfinite(anchor)
        own, model = (anchor - y)[has], off[best][has]
        factor = float(np.abs(own).mean() / (_MEAN_OF_NORMAL * _errors(x[has], self.unresolved).mean()))
        tau = float(np.abs(off[best]).mean()) / _MEAN_OF_NORMAL
        varies = len(own) > 2 and np.std(own) > 0 and np.std(model) > 0
        rho = float(np.corrcoef(own, model)[0, 1]) if varies else 0.0
        return _ridge(x, y, best, max(factor, 1e-9), tau, rho, self.unresolved)


def weight_of_anchor(sigma: Floats, tau: float, rho: float) -> Floats:
    """Return the weight of an estimate of error sigma, (n_rows,), beside one of error tau; they correlate by rho."""
    if not np.isfinite(tau):
        return np.ones_like(sigma)
    both = rho * sigma * tau
    found: Floats = np.clip((tau**2 - both) / np.maximum(sigma**2 + tau**2 - 2.0 * both, 1e-24), 0.0, 1.0)
    return found


def _errors(features: Floats, unresolved: float) -> Floats:
    """Return the standard errors that the anchors give themselves, (n_rows,)."""
    found: Floats = np.where(features[:, 1] > 0, features[:, 1], unresolved)
    return found


def _ridge(
    x: Floats, y: Floats, penalty: float, factor: float, tau: float, rho: float, unresolved: float
) -> FittedAnchored:
    present = np.isfinite(x)
    fill = np.array([np.median(x[here, at]) if (here := present[:, at]).any() else 0.0 for at in range(x.shape[1])])
    filled = np.where(present, x, fill)
    mean, spread = filled.mean(axis=0), filled.std(axis=0)
    scale = np.where(spread > 1e-9 * (1.0 + np.abs(mean)), spread, np.inf)
    z = np.clip((filled - mean) / scale, -_CLIP, _CLIP)
    offset = float(y.mean())
    weights = np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ (y - offset))
    return FittedAnchored(fill, mean, scale, weights, offset, factor, tau, rho, unresolved)
