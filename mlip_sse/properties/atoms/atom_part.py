"""The regressors of one element, and how wide an interval is at each of its atoms.

    s_i² = σ_i² + ⟨(x_i − x′_i)²⟩

σ is the standard deviation that a regressor gives itself there (a Gaussian process; where none does, the mean error on
unseen blocks), x and x′ are what two regressors of unlike kind say, the mean over the element's atoms of one frame:
what lies beyond the reach of the descriptor moves all of them. Errors on unseen blocks over s are the scores, and
their quantile times s is the half-width (normalised conformal intervals).

References
----------
Papadopoulos, Gammerman and Vovk, Proc. IASTED AIA 64 (2008); Lei et al., J. Am. Stat. Assoc. 113, 1094 (2018),
10.1080/01621459.2017.1307116 (locally weighted conformal intervals).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlip_sse.properties.conformal import group_weights, inner_splits, score_quantile
from mlip_sse.properties.contract import Prediction, regressor
from mlip_sse.properties.domain import Domain
from mlip_sse.properties.regression import FittedRegressor, PropertyRegressor, row_groups
from mlip_sse.properties.storage import storable

__all__ = ["AtomPart", "PartSettings", "fit_part"]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

_FAR_QUANTILE = 0.9
_LEAST = 1e-9


@storable
@dataclass(frozen=True, eq=False)
class AtomPart:
    """What was fitted for one element.

    Parameters
    ----------
    tried
        The regressors; that with the smallest error on unseen blocks comes first, and its values are used.
    knows_spread
        Whether each has a standard deviation of its own.
    residuals : (n_rows,) truth less value on unseen blocks, over the scale of the atom
    blocks : (n_rows,) block of each residual, from 0
    far
        Distance, in units of the domain, beyond which a tenth of the unseen atoms lay.
    """

    tried: tuple[FittedRegressor, ...]
    knows_spread: tuple[bool, ...]
    residuals: Floats
    blocks: Indices
    far: float

    @property
    def kept(self) -> FittedRegressor:
        """The regressor whose values are used."""
        return self.tried[0]

    def ask(self, features: Floats, frames: Indices, confidence: float) -> tuple[Prediction, Floats]:
        """Return a prediction for rows of features and its scale, (n_rows,); ``frames`` is the frame of each row."""
        guesses = [each.guess(features, None) for each in self.tried]
        scale = self._scale([each[0] for each in guesses], [each[1] for each in guesses], frames)
        value, _, distance = guesses[0]
        weights = group_weights(self.blocks)
        half = score_quantile(np.abs(self.residuals), weights, confidence) * scale
        if not any(self.knows_spread):  # a deviation that grows with the distance needs no widening
            half = half * self.kept.domain.widening(distance)
        outside = distance > self.kept.domain.edge
        return Prediction(value, value - half, value + half, confidence, distance, outside), scale

    def _scale(self, values: Sequence[Floats], spreads: Sequence[Floats], frames: Indices) -> Floats:
        error = self.kept.error
        return _scales(values, spreads, self.knows_spread, 1.0 if error is None else error, frames)


def fit_part(features: Floats, target: Floats, blocks: Indices, frames: Indices, settings: "PartSettings") -> AtomPart:
    """Fit the regressors of one element to rows (n_rows, n_features).

    Parameters
    ----------
    features, target
        Of each row, an atom in a frame.
    blocks, frames
        (n_rows,) block of frames, which is left out whole, and frame.
    settings
        Which regressors, the seed and the number of folds.
    """
    found: list[tuple[FittedRegressor, Floats, Floats]] = []
    for name in settings.models:
        each = regressor(name, settings.seed, settings.n_folds)
        if not isinstance(each, PropertyRegressor):
            raise TypeError(f"found {type(each).__name__} for {name!r}, expected PropertyRegressor")
        found.append(each.fit_and_ask(features, target, groups=blocks))
    found.sort(key=lambda each: np.inf if each[0].error is None else each[0].error)
    tried = tuple(each for each, _, _ in found)
    values, spreads = tuple(each for _, each, _ in found), tuple(each for _, _, each in found)
    knows = tuple(bool(np.ptp(spread) > 0) for spread in spreads)
    error = float(np.mean(np.abs(target - values[0])))
    scale = _scales(values, spreads, knows, error, frames)
    numbers = row_groups(blocks, len(target))
    far = _far(tried[0].preparation.apply(features), numbers, tried[0].domain.unit, settings)
    return AtomPart(tried, knows, (target - values[0]) / scale, numbers, far)


@dataclass(frozen=True)
class PartSettings:
    """Regressors that are tried, seed, and folds of blocks."""

    models: tuple[str, ...]
    seed: int = 0
    n_folds: int = 5


def _scales(
    values: Sequence[Floats], spreads: Sequence[Floats], knows: Sequence[bool], error: float, frames: Indices
) -> Floats:
    """Return s of each row, (n_rows,); the first of the values are those that are used."""
    own = [spread for spread, known in zip(spreads, knows, strict=True) if known]
    base = own[0] if own else np.full(len(frames), error)
    count = np.maximum(np.bincount(frames), 1)
    apart = np.zeros(len(frames))
    for other in values[1:]:
        apart += (np.bincount(frames, (values[0] - other) ** 2) / count)[frames] / (len(values) - 1)
    found: Floats = np.maximum(np.sqrt(base**2 + apart), _LEAST)
    return found


def _far(standardised: Floats, blocks: Indices, unit: float, settings: PartSettings) -> float:
    """Return the distance to the training that a tenth of the unseen rows exceeds, in units of ``unit``."""
    distances = np.empty(len(blocks))
    for split in inner_splits(blocks, settings.n_folds, settings.seed):
        domain = Domain.fitted_to(standardised[split.train], blocks[split.train], settings.seed)
        distances[split.test] = domain.distances(standardised[split.test]) * domain.unit / unit
    return float(np.quantile(distances, _FAR_QUANTILE))
