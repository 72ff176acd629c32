"""What all features of a structure share: one row at a time, nan where there is nothing to compute it from."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["StructureFeatures", "rows_of", "weighted_mean", "weighted_spread"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StructureFeatures(ABC):
    """Features of one structure at a time, about its mobile ions.

    Parameters
    ----------
    mobile
        The mobile element.
    """

    mobile: str = "Li"

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the features."""

    def featurize(self, compositions: Sequence[str], structures: Sequence["Structure | None"]) -> Floats:
        """Return the features, (n_rows, n_features); nan for a row without structure, or without the mobile ion."""
        return rows_of(structures, len(self.names), self._features)

    @abstractmethod
    def _features(self, structure: "Structure") -> Sequence[float]:
        """Return what ``names`` names."""


def rows_of(
    structures: Sequence["Structure | None"], n_features: int, compute: Callable[["Structure"], Sequence[float]]
) -> Floats:
    """Return features (n_rows, n_features); nan for a row without structure, or without what the features are about."""
    features = np.full((len(structures), n_features), np.nan)
    for row, structure in enumerate(structures):
        if structure is None:
            continue
        try:
            features[row] = compute(structure)
        except InputError:
            continue  # a crystal without the mobile ion has no value, as a row without structure has none
    return features


def weighted_mean(values: npt.NDArray[Any], weights: npt.NDArray[Any]) -> float:
    """Return Σ w x / Σ w over the finite values; nan where there is none."""
    known = np.isfinite(values) & (weights > 0)
    total = float(weights[known].sum())
    return float(weights[known] @ values[known]) / total if total > 0 else float("nan")


def weighted_spread(values: npt.NDArray[Any], weights: npt.NDArray[Any]) -> float:
    """Return the weighted standard deviation of the finite values; nan where there is none."""
    mean = weighted_mean(values, weights)
    return float(np.sqrt(max(weighted_mean((values - mean) ** 2, weights), 0.0)))
