"""A permutation null: what a metric is where features and target have nothing to do with each other.

Targets are dealt to other materials, whole groups at a time, and the model is fitted anew. Of n nulls that have a
value, m of them at least as good as the metric, p = (1 + m)/(1 + n). A null without a value (the precision of a
classifier that calls nothing positive) is no null; where none has one, neither null nor p is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from mlip_sse.properties.evaluation import Metric

__all__ = ["beside_nulls", "dealt_order"]

_SMALLER_IS_BETTER = {"mae", "rmse", "limit_violation", "width", "brier"}
_NO_NULL = {"coverage", "coverage_by_group", "width", "base_rate"}


def dealt_order(numbers: npt.NDArray[np.intp], rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return from which row each row gets its target, (n_rows,): groups laid out in another order, kept together."""
    by_group = np.argsort(numbers, kind="stable")
    shuffled = np.concatenate([np.flatnonzero(numbers == group) for group in rng.permutation(numbers.max() + 1)])
    order = np.empty(len(numbers), dtype=np.intp)
    order[by_group] = shuffled
    return order


def beside_nulls(metrics: Mapping[str, "Metric"], nulls: Mapping[str, Sequence[float]]) -> dict[str, "Metric"]:
    """Return the metrics with mean null, best null and p, where they have one.

    Parameters
    ----------
    metrics
        By name.
    nulls
        The values that each took on dealt targets; nan where it had none.
    """
    found = {}
    for name, metric in metrics.items():
        values = np.array(nulls.get(name, []))
        values = values[np.isfinite(values)]
        if not len(values) or name in _NO_NULL or not np.isfinite(metric.value):
            found[name] = metric
            continue
        sign = -1.0 if name in _SMALLER_IS_BETTER else 1.0
        as_good = int(np.sum(sign * values >= sign * metric.value))
        found[name] = replace(
            metric,
            null=float(values.mean()),
            null_best=float(sign * np.max(sign * values)),
            p_value=(1 + as_good) / (1 + len(values)),
        )
    return found
