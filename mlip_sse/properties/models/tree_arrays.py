"""Trees as arrays: what any ensemble of trees comes down to, predicted by one kernel and stored as numbers.

A tree is a run of nodes; node i asks whether feature[i] ≤ threshold[i] and goes on at left[i] or right[i], a leaf (left
−1) answers value[i]. Features are compared as 32-bit floats, as scikit-learn grows its trees.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from mlip_sse.properties.storage import storable

__all__ = ["TreeArrays", "trees_of"]

Floats = npt.NDArray[np.float64]


@storable
@dataclass(frozen=True, eq=False)
class TreeArrays:
    """Trees one behind the other.

    Parameters
    ----------
    roots
        (n_trees,) index of the first node of each tree.
    left, right
        (n_nodes,) index of the next node, −1 in a leaf.
    feature
        (n_nodes,) column that is asked.
    threshold, value
        (n_nodes,) what it is compared with, and what a leaf answers.
    """

    roots: npt.NDArray[np.int32]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int16]
    threshold: Floats
    value: Floats

    def answers(self, features: Floats) -> Floats:
        """Return the answer of each tree to each row, (n_rows, n_trees)."""
        rows = np.ascontiguousarray(features, dtype=np.float32)
        found: Floats = _walk(rows, self.roots, self.left, self.right, self.feature, self.threshold, self.value)
        return found

    def moments(self, features: Floats) -> tuple[Floats, Floats]:
        """Return mean and variance over the trees, each (n_rows,)."""
        rows = np.ascontiguousarray(features, dtype=np.float32)
        mean, variance = _moments(rows, self.roots, self.left, self.right, self.feature, self.threshold, self.value)
        return mean, variance


def trees_of(estimators: Sequence[Any], scale: float = 1.0) -> TreeArrays:
    """Return fitted scikit-learn trees as arrays; of a classification tree the share of the last class."""
    roots, parts = [], []
    start = 0
    for estimator in estimators:
        tree = estimator.tree_
        leaf = tree.children_left < 0
        value = tree.value[:, 0, :]
        answer = value[:, 0] if value.shape[1] == 1 else value[:, -1] / value.sum(axis=1)
        parts.append(
            (
                np.where(leaf, -1, tree.children_left + start),
                np.where(leaf, -1, tree.children_right + start),
                np.where(leaf, 0, tree.feature),
                np.where(leaf, 0.0, tree.threshold),
                scale * answer,
            )
        )
        roots.append(start)
        start += tree.node_count
    left, right, feature, threshold, value = (np.concatenate([part[at] for part in parts]) for at in range(5))
    return TreeArrays(
        np.array(roots, dtype=np.int32),
        left.astype(np.int32),
        right.astype(np.int32),
        feature.astype(np.int16),
        threshold.astype(np.float64),
        value.astype(np.float64),
    )


@njit(cache=True)
def _walk(rows, roots, left, right, feature, threshold, value):  # type: ignore[no-untyped-def]
    found = np.empty((len(rows), len(roots)))
    for row in range(len(rows)):
        asked = rows[row]
        for tree in range(len(roots)):
            node = roots[tree]
            while left[node] >= 0:
                node = left[node] if asked[feature[node]] <= threshold[node] else right[node]
            found[row, tree] = value[node]
    return found


@njit(cache=True)
def _moments(rows, roots, left, right, feature, threshold, value):  # type: ignore[no-untyped-def]
    mean, variance = np.empty(len(rows)), np.empty(len(rows))
    for row in range(len(rows)):
        asked = rows[row]
        total, squares = 0.0, 0.0
        for tree in range(len(roots)):
            node = roots[tree]
            while left[node] >= 0:
                node = left[node] if asked[feature[node]] <= threshold[node] else right[node]
            total += value[node]
            squares += value[node] ** 2
        mean[row] = total / len(roots)
        variance[row] = max(squares / len(roots) - mean[row] ** 2, 0.0)
    return mean, variance
