"""The noise ceiling: how far apart measurements of one material are, and what that leaves for a model to explain."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.censoring import Signs, require_signs
from mlip_sse.properties.splits import group_numbers

if TYPE_CHECKING:
    from mlip_sse.properties.evaluation import Sample

__all__ = ["noise_ceiling", "noise_of"]

Floats = npt.NDArray[np.float64]

_N_BOOTSTRAP = 1000


def noise_ceiling(y: Floats, groups: Sequence[str], signs: Signs | None = None) -> Mapping[str, float]:
    """Return how well any model of the material alone could do, from repeated measurements of one material.

    The pooled standard deviation within materials, s² = Σ (y − ȳ_g)²/Σ (n_g − 1), bounds R² by 1 − s²/Var(y). The mean
    absolute error is bounded by the mean of |y − ȳ_g| √(n_g/(n_g − 1)) over repeated measurements; for normal noise
    that is √(2/π) s, and unlike s it is not ruled by the few pairs that are decades apart. Its 95 % interval
    (`best_mae_low`, `best_mae_high`) is a bootstrap over materials. Both hold for materials as noisy as those that were
    measured twice.

    Raises
    ------
    InputError
        When no material was measured twice.
    """
    exact = require_signs(signs, len(y)) == 0
    numbers, values = group_numbers([name for name, kept in zip(groups, exact, strict=True) if kept]), y[exact]
    counts = np.bincount(numbers)
    freedom = int((counts - 1).sum())
    if freedom < 1:
        raise InputError("found no material with two measurements, expected at least one: the noise cannot be told")
    means = np.bincount(numbers, weights=values) / counts
    variance = float(np.sum((values - means[numbers]) ** 2) / freedom)
    repeated = counts > 1
    unbiased = np.sqrt(counts / np.maximum(counts - 1, 1))
    shifts = np.bincount(numbers, np.abs(values - means[numbers]) * unbiased[numbers])[repeated].astype(np.float64)
    low, high = _drawn_ends(shifts, counts[repeated])
    return {
        "noise_sd": float(np.sqrt(variance)),
        "best_r2": 1.0 - variance / float(np.var(values, ddof=1)),
        "best_mae": float(shifts.sum() / counts[repeated].sum()),
        "best_mae_low": low,
        "best_mae_high": high,
        "n_materials": float(repeated.sum()),
        "n_measurements": float(counts[repeated].sum()),
    }


def _drawn_ends(sums: Floats, counts: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the ends of a 95 % bootstrap interval of Σ sums/Σ counts over materials."""
    drawn = np.random.default_rng(0).integers(len(sums), size=(_N_BOOTSTRAP, len(sums)))
    ends = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
    return float(ends[0]), float(ends[1])


def noise_of(sample: "Sample") -> Mapping[str, float]:
    """Return the ceiling by repeated measurements; empty where there are none, for classes, or over temperatures."""
    if sample.classifies or sample.temperature_k is not None:
        return {}
    try:
        return noise_ceiling(sample.y, sample.groups, sample.signs)
    except InputError:
        return {}
