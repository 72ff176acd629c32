"""What it costs to ask a model about rows that lack features: by how much their intervals must grow.

A training median stands for a feature that a row lacks, and the intervals, which were calibrated on rows that have it,
are too short then. So each fold's materials are asked a second time with whole sets of features blanked. With r = |y −
ŷ|/h, h the half-width of the usual interval about ŷ, the factor of a set is the c-quantile of r over unseen materials,
each with the same weight, and never below 1: so many times as wide, the intervals would have held a share c of them.
A row is widened by the factor of the smallest set that holds all it lacks; where none does, by the largest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mlip_sse.properties.censoring import require_signs
from mlip_sse.properties.evaluation import Sample
from mlip_sse.properties.splits import Split, group_numbers

__all__ = ["GapCosts", "gap_factors", "named_gaps"]

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]


def named_gaps(structure: Sequence[int], columns: Sequence[int]) -> dict[str, Index]:
    """Return sets of features that go missing together: those of a structure, of a table's columns, and both."""
    parts = {"structure": structure, "feature columns": columns}
    found = {name: np.array(part, dtype=np.intp) for name, part in parts.items() if len(part)}
    if len(found) == 2:
        found["structure and feature columns"] = np.union1d(found["structure"], found["feature columns"])
    return found


@dataclass(eq=False)
class GapCosts:
    """Asks each fold's materials again without some features; `collect` is what `evaluate` calls on each fold.

    Parameters
    ----------
    sample
        The rows; of a number, not of classes.
    kept_together
        (n_rows,) names; rows of one name share the weight of one.
    gaps
        Sets of columns by name.
    confidence
        Of the intervals.
    """

    sample: Sample
    kept_together: Sequence[str]
    gaps: Mapping[str, Index]
    confidence: float
    _ratios: dict[str, list[Floats]] = field(default_factory=dict, init=False)
    _groups: dict[str, list[Index]] = field(default_factory=dict, init=False)

    def collect(self, fitted: Any, split: Split) -> None:
        """Ask the exact test rows with each set blanked."""
        sample = self.sample
        rows = split.test[require_signs(sample.signs, len(sample.y))[split.test] == 0]
        if not len(rows):
            return
        numbers = group_numbers(self.kept_together)[rows]
        kelvin = None if sample.temperature_k is None else sample.temperature_k[rows]
        for name, columns in self.gaps.items():
            asked = sample.features[rows].copy()
            asked[:, columns] = np.nan
            found = fitted.predict(asked, temperature_k=kelvin, confidence=self.confidence)
            half = 0.5 * (found.high - found.low)
            known = np.isfinite(half) & (half > 0)
            ratio = np.abs(sample.y[rows] - found.value)[known] / half[known]
            self._ratios.setdefault(name, []).append(ratio)
            self._groups.setdefault(name, []).append(numbers[known])

    def factors(self) -> list[dict[str, Any]]:
        """Return name, columns, factor and number of materials of each set that could be asked, as plain data."""
        found = []
        for name, columns in self.gaps.items():
            ratios = np.concatenate(self._ratios.get(name, [np.empty(0)]))
            if not len(ratios):
                continue
            _, inverse, counts = np.unique(np.concatenate(self._groups[name]), return_inverse=True, return_counts=True)
            order = np.argsort(ratios, kind="stable")
            reached = np.cumsum((1.0 / counts[inverse])[order]) / len(counts)
            at = min(int(np.searchsorted(reached, self.confidence - 1e-9)), len(order) - 1)
            factor = max(1.0, float(ratios[order][at]))
            found.append({"name": name, "columns": columns.tolist(), "factor": factor, "n_materials": len(counts)})
        return found


def gap_factors(lacking: npt.NDArray[np.bool_], known: Sequence[Mapping[str, Any]]) -> Floats:
    """Return by how much the interval of each row grows, (n_rows,); nan where it lacks something and nothing is known.

    Parameters
    ----------
    lacking
        (n_rows, n_features), of those that the model looks at.
    known
        What `GapCosts.factors` returned.
    """
    some = lacking.any(axis=1)
    found = np.where(some, np.nan, 1.0)
    if not known or not some.any():
        return found
    found[some] = max(float(each["factor"]) for each in known)
    for each in sorted(known, key=lambda one: len(one["columns"]), reverse=True):
        outside = np.ones(lacking.shape[1], dtype=bool)
        outside[np.asarray(each["columns"], dtype=np.intp)] = False
        held = some & ~lacking[:, outside].any(axis=1)
        found[held] = float(each["factor"])
    return found
