"""A model beside an answer that the table holds already, such as an extrapolation: how much better it is.

The recipe's ``target: {known: COLUMN}`` names the column, whose numbers are in units of what is learnt. Both are judged
on the same rows, the model by folds that did not see their material; the interval resamples materials.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.splits import group_numbers

__all__ = ["KnownAnswer", "known_answer"]

Floats = npt.NDArray[np.float64]

_N_DRAWS = 1000
_FEWEST_GROUPS = 5


@dataclass(frozen=True)
class KnownAnswer:
    """Mean absolute errors of the model and of a column of the table, and how much less the model's is.

    `low` and `high` are the 95 % interval of the gain, None with fewer than five materials.
    """

    column: str
    n_rows: int
    model_mae: float
    known_mae: float
    gain: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        said = (
            f"{self.column} alone errs by {self.known_mae:.3g} on {self.n_rows} rows, the model by {self.model_mae:.3g}"
        )
        if self.low is None or self.high is None:
            return f"{said}; with so few materials nothing says whether that holds for others"
        verdict = "better" if self.low > 0 else "worse" if self.high < 0 else "no better that could be shown"
        return f"{said}: {verdict}, by {self.gain:.3g} ({self.low:.3g} … {self.high:.3g})"


def known_answer(
    column: str, known: Floats, value: Floats, y: Floats, groups: Sequence[str], seed: int = 0
) -> KnownAnswer:
    """Return how a model compares with what is known.

    Parameters
    ----------
    column
        Its name.
    known, y
        (n_rows,) the known answers, nan where missing, and the truth.
    value
        (n_repeats, n_rows) predictions of models that did not see the material, nan where a row was not asked.
    groups
        (n_rows,) names of the materials.

    Raises
    ------
    InputError
        When no row has both.
    """
    asked = np.isfinite(value).any(axis=0) & np.isfinite(known)
    if not asked.any():
        raise InputError(f"found no row with {column!r} and a prediction, expected some: take known out of the target")
    ours = np.nanmean(np.abs(value[:, asked] - y[asked]), axis=0)
    theirs = np.abs(known[asked] - y[asked])
    member = np.unique(group_numbers(groups)[asked], return_inverse=True)[1]
    counts, sums = np.bincount(member), np.bincount(member, weights=theirs - ours)
    low = high = None
    if len(counts) >= _FEWEST_GROUPS:
        drawn = np.random.default_rng(seed).integers(len(counts), size=(_N_DRAWS, len(counts)))
        ends = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
        low, high = float(ends[0]), float(ends[1])
    return KnownAnswer(
        column, int(asked.sum()), float(ours.mean()), float(theirs.mean()), float((theirs - ours).mean()), low, high
    )
