"""What a learner is: the part of a model that knows one method; preparation, intervals and domain are shared.

A learner sees prepared features without gaps and returns what it fitted, which predicts a value and a spread: how wide
its own error is there compared with elsewhere. Conformal calibration turns that spread into an interval, so it need not
be a standard deviation; learners that know nothing of it return ones.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mlip_sse.properties.censoring import Signs

__all__ = ["FittedLearner", "Learner", "Training"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Training:
    """What a learner is fitted to.

    Parameters
    ----------
    features
        (n_rows, n_columns), prepared, without gaps; or element fractions, (n_rows, 103).
    y
        (n_rows,) targets; for classification 0 and 1.
    signs
        (n_rows,) censoring; learners whose class says ``knows_limits = False`` never see another sign than 0.
    groups
        (n_rows,) whole numbers.
    temperature_k
        (n_rows,) where the learner has its own dependence on temperature, else None.
    seed
        Of everything that is drawn.
    """

    features: Floats
    y: Floats
    signs: Signs
    groups: npt.NDArray[np.intp]
    temperature_k: Floats | None
    seed: int

    def part(self, rows: npt.NDArray[np.intp]) -> "Training":
        """Return some rows."""
        kelvin = None if self.temperature_k is None else self.temperature_k[rows]
        return Training(self.features[rows], self.y[rows], self.signs[rows], self.groups[rows], kelvin, self.seed)


class FittedLearner(Protocol):
    """A learner after `fit`; a storable dataclass."""

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return value (a log-odds for classifiers) and spread, each (n_rows,)."""
        ...


class Learner(Protocol):
    """Settings of a method; a frozen dataclass."""

    knows_limits: bool

    def fit(self, training: Training) -> FittedLearner:
        """Fit."""
        ...
