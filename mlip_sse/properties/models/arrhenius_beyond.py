"""The Arrhenius readout where a model has no data: beyond the temperatures that it was fitted to, it goes on in lines.

    y(x, T) = f(x, T′) − b(x) (1000/T − 1000/T′),   T′ = T, but no lower and no higher than the temperatures of training

f is any model that takes 1000/T as one more input. b is the slope that a forest learnt from the lines of the
formulations, as `arrhenius_trees` fits them; it is their logarithm that is learnt, so that b > 0 and a few steep lines
do not rule. Inside the temperatures the answer is that of f. There a readout that takes T away from f loses
something: materials are measured where there is something to measure, so that T says what is measured at it. Beyond
them f knows nothing, and the line within a material is what carries over.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.learner import FittedLearner, Training
from mlip_sse.properties.models.arrhenius_trees import formulation_lines
from mlip_sse.properties.models.tree_arrays import TreeArrays, trees_of
from mlip_sse.properties.storage import storable

__all__ = ["ArrheniusBeyond", "FittedArrheniusBeyond"]

Floats = npt.NDArray[np.float64]

_LEAST_SLOPE = 0.05
"""Of the pooled slope: what a formulation whose line rises the wrong way is given."""


@storable
@dataclass(frozen=True, eq=False)
class FittedArrheniusBeyond:
    """The model within, forest of ln b(x), least and largest 1000/T in 1/K, and whether the model takes T itself."""

    within: FittedLearner
    slope_trees: TreeArrays
    least: float
    largest: float
    own_temperature: bool

    def slopes(self, features: Floats) -> Floats:
        """Return b of rows, (n_rows,)."""
        found: Floats = np.exp(self.slope_trees.moments(features)[0])
        return found

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return f at the nearest temperature of training with the line from there on, and the spread of f there."""
        inverse = 1000.0 / _required(temperature_k)
        nearest = np.clip(inverse, self.least, self.largest)
        value, spread = self.within.predict(*_seen(features, 1000.0 / nearest, self.own_temperature))
        beyond = inverse != nearest
        if beyond.any():
            value = value.copy()
            value[beyond] -= self.slopes(features[beyond]) * (inverse - nearest)[beyond]
        return value, spread


@dataclass(frozen=True)
class ArrheniusBeyond:
    """A model of the registry that goes on along lines in 1/T.

    Parameters
    ----------
    base, base_settings
        Name and settings of the model within, which sees features, not element fractions.
    tail
        Share of the rows on either side that lie beyond the temperatures of training: those at the very ends are few.
    n_trees
        Of the forest of slopes.
    """

    base: str = "extra_trees"
    base_settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({"takes_median": True}))
    tail: float = 0.02
    n_trees: int = 60
    knows_limits: ClassVar[bool] = False

    def fit(self, training: Training) -> FittedArrheniusBeyond:
        """Fit.

        Raises
        ------
        InputError
            When there are no temperatures, one a material alone, or no such model to go within.
        """
        from mlip_sse.properties.contract import MODELS, entry_of

        entry = entry_of(MODELS, self.base)
        if entry.eats != "features" or self.base.startswith("arrhenius"):
            raise InputError(f"found {self.base!r} as base, expected a model of features without a readout of its own")
        if not 0.0 <= self.tail < 0.5:
            raise InputError(f"found a tail of {self.tail:g}, expected 0 or more and less than 0.5")
        kelvin = _required(training.temperature_k)
        inverse = 1000.0 / kelvin
        seen, own = _seen(training.features, kelvin, entry.temperature)
        within = entry.learner(**self.base_settings).fit(replace(training, features=seen, temperature_k=own))
        least, largest = (float(each) for each in np.quantile(inverse, [self.tail, 1.0 - self.tail]))
        return FittedArrheniusBeyond(within, self._slope_trees(training, inverse), least, largest, entry.temperature)

    def _slope_trees(self, training: Training, inverse: Floats) -> TreeArrays:
        from sklearn.ensemble import ExtraTreesRegressor

        rows, member = np.unique(training.features, axis=0, return_inverse=True)
        _, slopes, weights = formulation_lines(member.ravel(), inverse, training.y)
        pooled = float(np.average(slopes, weights=weights))
        if pooled <= 0:
            raise InputError(
                f"found lines that fall with temperature (pooled slope {pooled:.3g}), expected a property that rises "
                f"with it, as the logarithm of a conductivity does"
            )
        forest = ExtraTreesRegressor(
            n_estimators=self.n_trees, max_features=0.35, min_samples_leaf=2, random_state=training.seed, n_jobs=1
        )
        target = np.log(np.maximum(slopes, _LEAST_SLOPE * pooled))
        return trees_of(forest.fit(rows, target, sample_weight=weights).estimators_)


def _seen(features: Floats, kelvin: Floats, own: bool) -> tuple[Floats, Floats | None]:
    """Return what the model within sees: temperature as its own input, or as one more feature."""
    return (features, kelvin) if own else (np.hstack([features, 1000.0 / kelvin[:, None] - 3.0]), None)


def _required(temperature_k: Floats | None) -> Floats:
    if temperature_k is None:
        raise InputError("found no temperatures, expected one a row (in K): the readout of Arrhenius needs them")
    return temperature_k
