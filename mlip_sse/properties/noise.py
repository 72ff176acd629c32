"""The noise ceiling: how far apart measurements of one material are, and what that leaves for a model to explain."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.censoring import Signs, require_signs
from mlip_sse.properties.splits import group_numbers

if TYPE_CHECKING:
    from mlip_sse.properties.evaluation import Sample

__all__ = ["noise_ceiling", "noise_of"]

Floats = npt.NDArray[np.float64]


def noise_ceiling(y: Floats, groups: Sequence[str], signs: Signs | None = None) -> Mapping[str, float]:
    """Return how well any model of the material alone could do, from repeated measurements of one material.

    The pooled standard deviation within materials, s² = Σ (y − ȳ_g)²/Σ (n_g − 1), bounds R² by 1 − s²/Var(y), and the
    mean absolute error, for normal noise, by √(2/π) s.

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
    return {
        "noise_sd": float(np.sqrt(variance)),
        "best_r2": 1.0 - variance / float(np.var(values, ddof=1)),
        "best_mae": float(np.sqrt(2 * variance / np.pi)),
        "n_materials": float(repeated.sum()),
        "n_measurements": float(counts[repeated].sum()),
    }


def noise_of(sample: "Sample") -> Mapping[str, float]:
    """Return the ceiling by repeated measurements; empty where there are none, for classes, or over temperatures."""
    if sample.classifies or sample.temperature_k is not None:
        return {}
    try:
        return noise_ceiling(sample.y, sample.groups, sample.signs)
    except InputError:
        return {}
