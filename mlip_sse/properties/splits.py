"""Who may be trained on and who is asked: folds in which no material lies on both sides.

Every split is of groups, never of rows: rows of one reduced composition, and rows that the structure matcher takes for
one material, share a group. A split that breaks this is refused (`require_disjoint`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError

__all__ = [
    "Split",
    "SplitPlan",
    "family_splits",
    "group_numbers",
    "grouped_folds",
    "leave_one_group_out",
    "stratified_folds",
]

Index = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]

_LEAVE_ONE_OUT_BELOW = 60


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train on and rows to ask, each an index array; rows of neither are in nobody's hand."""

    train: Index
    test: Index
    name: str = ""


@dataclass(frozen=True)
class SplitPlan:
    """How rows are parted, as a recipe says it.

    Parameters
    ----------
    by
        ``composition``: folds of groups; ``family``: whole families in each fold; ``family_out``: each family of at
        least ``min_rows`` rows alone; ``stratified``: folds of groups with like targets, over ``n_bins`` quantiles.
    n_folds
        Below 60 rows ``composition`` leaves out one group at a time instead, whatever this says.
    n_repeats
        Folds are drawn anew so many times.
    seed
        Of the first repeat; the others count on from it.
    n_bins
        Bins of the target of ``stratified``.
    keep_extremes
        ``stratified`` alone: groups of the first and the last bin are always trained on and never asked.
    min_rows
        ``family_out`` alone: a smaller family is always trained on.
    """

    by: Literal["composition", "family", "family_out", "stratified"] = "composition"
    n_folds: int = 5
    n_repeats: int = 1
    seed: int = 0
    n_bins: int = 5
    keep_extremes: bool = False
    min_rows: int = 5

    def splits(self, groups: Sequence[str], y: Floats, families: Sequence[str] | None = None) -> list[list[Split]]:
        """Return the splits of each repeat.

        Parameters
        ----------
        groups
            (n_rows,) names; rows of one name stay together.
        y
            (n_rows,) target.
        families
            (n_rows,) names; a row without a name is a family of its own group.

        Raises
        ------
        InputError
            When there are fewer groups or families than folds.
        """
        numbers = group_numbers(groups)
        if self.by in ("family", "family_out"):
            families = self._require_families(families)
            own = _own_family(families, groups)
            if self.by == "family_out":
                return [family_splits(numbers, own, self.min_rows)]
            numbers = group_numbers(self.kept_together(groups, families))
        if self.by == "composition" and len(numbers) < _LEAVE_ONE_OUT_BELOW:
            return [leave_one_group_out(numbers)]
        repeats = []
        for repeat in range(self.n_repeats):
            rng = np.random.default_rng(self.seed + repeat)
            if self.by == "stratified":
                repeats.append(stratified_folds(numbers, y, self.n_folds, rng, self.n_bins, self.keep_extremes))
            else:
                repeats.append(grouped_folds(numbers, self.n_folds, rng))
        return repeats

    def kept_together(self, groups: Sequence[str], families: Sequence[str] | None = None) -> Sequence[str]:
        """Return a name for each row; rows of one name are never parted, neither here nor inside a training set.

        Where families are left out it stands for a family with all that shares a group with it; else it is the group.
        """
        if self.by not in ("family", "family_out"):
            return groups
        return _joined(_own_family(self._require_families(families), groups), groups)

    def _require_families(self, families: Sequence[str] | None) -> Sequence[str]:
        if families is None:
            raise InputError(f"a split by {self.by} needs a column 'family', which is missing; or split by composition")
        return families


def group_numbers(names: Sequence[str]) -> Index:
    """Return a whole number for each row, one for each name, in the order of first appearance."""
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(name, len(seen)) for name in names], dtype=np.intp)


def grouped_folds(groups: npt.ArrayLike, n_folds: int, rng: np.random.Generator) -> list[Split]:
    """Deal the groups to folds of nearly equal rows, in random order, and return one split a fold.

    Groups are drawn at random and each goes to the fold that has the fewest rows so far; those larger than a tenth of a
    fold go first.
    """
    numbers = np.asarray(groups)
    unique, counts = np.unique(numbers, return_counts=True)
    _require_groups(len(unique), n_folds)
    order = rng.permutation(len(unique))
    large = counts[order] > 0.1 * len(numbers) / n_folds
    by_size = order[large][np.argsort(-counts[order][large], kind="stable")]
    fold_of = np.empty(len(unique), dtype=np.intp)
    filled = np.zeros(n_folds)
    for group in (*by_size, *order[~large]):
        fold = int(np.argmin(filled))
        fold_of[group] = fold
        filled[fold] += counts[group]
    return _splits_of(fold_of[np.searchsorted(unique, numbers)], n_folds)


def stratified_folds(
    groups: npt.ArrayLike,
    y: Floats,
    n_folds: int,
    rng: np.random.Generator,
    n_bins: int = 5,
    keep_extremes: bool = False,
) -> list[Split]:
    """Deal the groups of each quantile bin of the target to folds in turn, and return one split a fold.

    Parameters
    ----------
    groups, y
        (n_rows,); a group's target is the mean of its rows.
    n_bins
        Quantile bins.
    keep_extremes
        Groups of the first and the last bin are in every training set and in no test set.
    """
    numbers = np.asarray(groups)
    unique, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    _require_groups(len(unique), n_folds)
    if n_bins < (3 if keep_extremes else 1):
        raise InputError(f"found {n_bins} bins, expected at least {3 if keep_extremes else 1}")
    target = np.bincount(inverse, weights=y) / counts
    edges = np.quantile(target, np.linspace(0, 1, n_bins + 1)[1:-1])
    bins = np.searchsorted(edges, target, side="right")
    fold_of = np.full(len(unique), -1, dtype=np.intp)
    following = int(rng.integers(n_folds))
    for each in range(n_bins):
        if keep_extremes and each in (0, n_bins - 1):
            continue
        members = rng.permutation(np.flatnonzero(bins == each))
        fold_of[members] = (following + np.arange(len(members))) % n_folds
        following += len(members)
    return _splits_of(fold_of[inverse], n_folds)


def leave_one_group_out(groups: npt.ArrayLike) -> list[Split]:
    """Return one split a group, in which it alone is asked."""
    numbers = np.asarray(groups)
    unique = np.unique(numbers)
    _require_groups(len(unique), 2)
    return [Split(np.flatnonzero(numbers != each), np.flatnonzero(numbers == each), str(each)) for each in unique]


def family_splits(groups: npt.ArrayLike, families: Sequence[str], min_rows: int) -> list[Split]:
    """Return one split for each family of at least ``min_rows`` rows, in which it alone is asked.

    A group of two families is asked with the first, and is trained on with neither.
    """
    numbers, names = np.asarray(groups), np.asarray(families, dtype=object)
    splits = []
    for name in dict.fromkeys(families):
        mine = names == name
        if mine.sum() >= min_rows:
            shared = np.isin(numbers, numbers[mine])
            splits.append(Split(np.flatnonzero(~shared), np.flatnonzero(mine), str(name)))
    if len(splits) < 2:
        raise InputError(
            f"found {len(splits)} families of {min_rows} rows or more, expected at least 2 to leave one out"
        )
    return splits


def _splits_of(fold: Index, n_folds: int) -> list[Split]:
    return [
        Split(np.flatnonzero(fold != each), np.flatnonzero(fold == each), str(each))
        for each in range(n_folds)
        if (fold == each).any()
    ]


def _own_family(families: Sequence[str], groups: Sequence[str]) -> list[str]:
    return [family or f"(none) {group}" for family, group in zip(families, groups, strict=True)]


def _joined(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Return names of the connected components of rows that share a name of either kind."""
    n_rows = len(first)
    parent = list(range(n_rows))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for names in (first, second):
        leader: dict[str, int] = {}
        for row, name in enumerate(names):
            parent[root(row)] = root(leader.setdefault(name, row))
    return [str(root(row)) for row in range(n_rows)]


def _require_groups(n_groups: int, n_folds: int) -> None:
    if n_folds < 2 or n_groups < n_folds:
        raise InputError(
            f"found {n_groups} groups for {n_folds} folds, expected at least 2 folds and as many groups: "
            f"ask for fewer folds, or bring more materials"
        )
