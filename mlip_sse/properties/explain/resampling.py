"""Intervals by drawing materials, nulls by dealing their targets to others: whole materials, never rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mlip_sse.properties.evaluation import Sample
from mlip_sse.properties.splits import group_numbers

__all__ = ["Score", "dealt_sample", "scores_of"]

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

_N_DRAWS = 400


@dataclass(frozen=True)
class Score:
    """A number of one feature or group of features.

    Parameters
    ----------
    name
        Of the feature or group.
    value, low, high
        Mean over rows and repeats, with the 95 % interval.
    null, null_high
        Mean of the same number over models of dealt targets, and the largest of any name in any of them; None without.
    p_value
        (1 + nulls whose largest number of any name reaches the value)/(1 + nulls): holds for all names at once.
    """

    name: str
    value: float
    low: float
    high: float
    null: float | None = None
    null_high: float | None = None
    p_value: float | None = None


def dealt_sample(sample: Sample, seed: Sequence[int]) -> Sample:
    """Return the sample with targets (and their limits) dealt to other materials, those of one material together."""
    numbers = group_numbers(sample.groups)
    rng = np.random.default_rng(list(seed))
    received = np.argsort(numbers, kind="stable")
    given = np.concatenate([np.flatnonzero(numbers == each) for each in rng.permutation(numbers.max() + 1)])
    order = np.empty(len(numbers), dtype=np.intp)
    order[received] = given
    signs = None if sample.signs is None else sample.signs[order]
    return replace(sample, y=sample.y[order], signs=signs)


def scores_of(
    names: Sequence[str], rows: Floats, groups: Sequence[str], nulls: Floats | None = None, seed: int = 0
) -> tuple[Score, ...]:
    """Return the score of each name from numbers of single rows.

    Parameters
    ----------
    names
        (n_names,).
    rows
        (n_repeats, n_rows, n_names), nan where a row was not asked.
    groups
        (n_rows,) names of the materials, which are drawn whole.
    nulls
        (n_nulls, n_names) means of models of dealt targets.
    seed
        Of the draws; each is of a random repeat.
    """
    numbers = group_numbers(groups)
    rng = np.random.default_rng(seed)
    n_groups = int(numbers.max()) + 1
    sums, counts = [], []
    for repeat in rows:
        asked = np.isfinite(repeat).all(axis=1)
        totals = np.zeros((n_groups, len(names)))
        np.add.at(totals, numbers[asked], repeat[asked])
        sums.append(totals)
        counts.append(np.bincount(numbers[asked], minlength=n_groups).astype(np.float64))
    draws = np.empty((_N_DRAWS, len(names)))
    for draw in range(_N_DRAWS):
        repeat_at = int(rng.integers(len(rows)))
        weights = np.bincount(rng.integers(n_groups, size=n_groups), minlength=n_groups).astype(np.float64)
        draws[draw] = weights @ sums[repeat_at] / max(float(weights @ counts[repeat_at]), 1e-300)
    value = np.mean([total.sum(axis=0) / count.sum() for total, count in zip(sums, counts, strict=True)], axis=0)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    found = []
    for at, name in enumerate(names):
        score = Score(name, float(value[at]), float(low[at]), float(high[at]))
        if nulls is not None and len(nulls):
            largest = nulls.max(axis=1)
            p_value = (1 + int((largest >= value[at]).sum())) / (1 + len(nulls))
            score = replace(score, null=float(nulls[:, at].mean()), null_high=float(largest.max()), p_value=p_value)
        found.append(score)
    return tuple(found)
