"""The Arrhenius readout on trees: one forest for the value at a reference temperature, one for the slope in 1/T.

Rows of equal features are one formulation i, measured at n_i temperatures. With τ = 1000/T − 1000/T₀, its line

    y = a_i − b_i τ,   b_i = (λ b_pooled − Σ δτ δy)/(λ + Σ δτ²)

is fitted with its slope drawn towards the pooled one, δ being what is off the
mean of the formulation; λ is the ratio of the variance about the lines to that
between the slopes, by moments. The forests learn a_i (weight n_i) and b_i (weight Σ δτ² + λ) from the features,
and answer with a line for every temperature.

With a shift θ, T is T − θ throughout, which is the form of Vogel, Tammann and Fulcher: in melts of polymers the lines
bend, and 1/(T − θ) straightens them.

References
----------
Vogel, Phys. Z. 22, 645 (1921); Fulcher, J. Am. Ceram. Soc. 8, 339 (1925), 10.1111/j.1151-2916.1925.tb16731.x; Tammann
and Hesse, Z. Anorg. Allg. Chem. 156, 245 (1926), 10.1002/zaac.19261560121.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.learner import Training
from mlip_sse.properties.models.tree_arrays import TreeArrays, trees_of
from mlip_sse.properties.storage import storable

__all__ = ["ArrheniusTrees", "FittedArrheniusTrees", "formulation_lines"]

Floats = npt.NDArray[np.float64]


@storable
@dataclass(frozen=True, eq=False)
class FittedArrheniusTrees:
    """Forests of a(x) and b(x), 1000/T₀ in 1/K, and the variance that the spread between trees is shrunk to."""

    value_trees: TreeArrays
    slope_trees: TreeArrays
    reference: float
    usual_variance: float
    shift_k: float = 0.0

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return a − b τ, and the spread between the trees shrunk half-way to the usual one."""
        if temperature_k is None:
            raise InputError("found no temperatures, expected one a row (in K): the readout of Arrhenius needs them")
        reduced = _inverse(temperature_k, self.shift_k) - self.reference
        value, variance = self.value_trees.moments(features)
        slope, slope_variance = self.slope_trees.moments(features)
        total = variance + reduced**2 * slope_variance
        return value - slope * reduced, np.sqrt(0.5 * (total + self.usual_variance))


@dataclass(frozen=True)
class ArrheniusTrees:
    """Extremely randomised trees with the readout of Arrhenius; settings as of `ExtraTrees`, and the shift θ in K."""

    n_trees: int = 200
    max_features: float = 0.5
    min_leaf: int = 1
    shift_k: float = 0.0
    knows_limits: ClassVar[bool] = False

    def fit(self, training: Training) -> FittedArrheniusTrees:
        """Fit."""
        from sklearn.ensemble import ExtraTreesRegressor

        if training.temperature_k is None:
            raise InputError("found no temperatures, expected one a row (in K): the readout of Arrhenius needs them")
        inverse = _inverse(training.temperature_k, self.shift_k)
        reference = float(inverse.mean())
        rows, member = np.unique(training.features, axis=0, return_inverse=True)
        values, slopes, weights = formulation_lines(member.ravel(), inverse - reference, training.y)
        forests = []
        for target, weight in ((values, np.bincount(member.ravel())), (slopes, weights)):
            forest = ExtraTreesRegressor(
                n_estimators=self.n_trees,
                max_features=self.max_features,
                min_samples_leaf=self.min_leaf,
                random_state=training.seed,
                n_jobs=1,
            )
            forests.append(trees_of(forest.fit(rows, target, sample_weight=weight).estimators_))
        usual = max(0.1 * float(np.var(training.y)), 1e-24)
        return FittedArrheniusTrees(forests[0], forests[1], reference, usual, self.shift_k)


def _inverse(temperature_k: Floats, shift_k: float) -> Floats:
    """Return 1000/(T − θ) in 1/K."""
    coldest = float(temperature_k.min())
    if not 0.0 <= shift_k < coldest:
        raise InputError(
            f"found a shift of {shift_k:g} K and a row at {coldest:g} K, expected the shift below each row"
        )
    found: Floats = 1000.0 / (temperature_k - shift_k)
    return found


def formulation_lines(member: npt.NDArray[np.intp], tau: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Return value at τ = 0, slope and weight of the slope of each formulation, each (n_formulations,).

    Parameters
    ----------
    member
        (n_rows,) formulation of each row, counted from 0.
    tau, y
        (n_rows,) reduced inverse temperatures and targets.

    Raises
    ------
    InputError
        When no formulation has two temperatures.
    """
    counts = np.bincount(member)
    mean_tau, mean_y = np.bincount(member, weights=tau) / counts, np.bincount(member, weights=y) / counts
    off_tau, off_y = tau - mean_tau[member], y - mean_y[member]
    spread = np.bincount(member, weights=off_tau**2)
    product = -np.bincount(member, weights=off_tau * off_y)
    if spread.sum() <= 0:
        raise InputError("found one temperature a material, expected some materials at two or more: Ea cannot be told")
    pooled = float(product.sum() / spread.sum())
    known = (counts >= 3) & (spread > 0)
    own = np.where(known, product / np.where(spread > 0, spread, 1.0), pooled)
    left = off_y + own[member] * off_tau
    freedom = max(int((counts - 2)[known].sum()), 1)
    noise = float(np.sum(left[known[member]] ** 2)) / freedom
    between = float(np.var(own[known])) - float(np.mean(noise / spread[known])) if known.any() else 0.0
    drawn = noise / max(between, 0.05 * pooled**2, 1e-12)
    slopes: Floats = np.asarray((product + drawn * pooled) / (spread + drawn), dtype=np.float64)
    return mean_y + slopes * mean_tau, slopes, np.asarray(spread + drawn, dtype=np.float64)
