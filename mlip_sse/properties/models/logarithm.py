"""A learner of the logarithm of a positive property: what is learnt is ln y, what is answered is y.

    ŷ = e^f(x),   spread of ŷ = ŷ · spread of f

so that its intervals are wide where the property is large. Errors stay those of y itself, and such a candidate stands
beside others in a blend.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.learner import FittedLearner, Learner, Training
from mlip_sse.properties.storage import storable

__all__ = ["FittedLogarithm", "LogarithmOf"]

Floats = npt.NDArray[np.float64]


@storable
@dataclass(frozen=True, eq=False)
class FittedLogarithm:
    """What was fitted to ln y, and the largest ln y that it answers: one beyond the largest of training."""

    learner: FittedLearner
    largest: float

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return e to the value, and that times the spread."""
        value, spread = self.learner.predict(features, temperature_k)
        number = np.exp(np.minimum(value, self.largest))
        return number, number * spread


@dataclass(frozen=True)
class LogarithmOf:
    """A learner that is fitted to ln y."""

    learner: Learner

    @property
    def knows_limits(self) -> bool:
        """As the learner does."""
        return self.learner.knows_limits

    def fit(self, training: Training) -> FittedLogarithm:
        """Fit.

        Raises
        ------
        InputError
            When a target is not positive.
        """
        bad = np.flatnonzero(~(training.y > 0))
        if len(bad):
            raise InputError(
                f"found a target of {training.y[bad[0]]:g}, expected all positive: their logarithm is learnt "
                f"(logarithm: true); take the logarithm out of the recipe"
            )
        logarithms = np.log(training.y)
        return FittedLogarithm(self.learner.fit(replace(training, y=logarithms)), float(logarithms.max()) + 1.0)
