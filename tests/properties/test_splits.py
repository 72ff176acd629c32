"""Splits: every row is asked once, no group lies on both sides, and the rules of the plan hold."""

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.properties.splits import SplitPlan, grouped_folds, stratified_folds


@pytest.fixture
def many():
    """Make 300 rows of 120 groups of uneven size, eight families, and a target."""
    rng = np.random.default_rng(3)
    groups = np.concatenate([np.arange(120), rng.integers(0, 20, 180)])
    families = [f"family {group % 8}" for group in groups]
    return [f"g{group}" for group in groups], families, groups * 0.1 + rng.normal(size=300)


@pytest.mark.parametrize("by", ["composition", "family", "family_out", "stratified"])
def test_no_group_lies_on_both_sides_and_each_row_is_asked_once(many, by):
    groups, families, y = many
    named = np.array(groups)
    for repeat in SplitPlan(by=by, n_repeats=2, seed=1).splits(groups, y, families):
        assert sorted(np.concatenate([split.test for split in repeat])) == list(range(300))
        for split in repeat:
            assert not set(named[split.train]) & set(named[split.test])
            if by.startswith("family"):
                assert not {families[row] for row in split.train} & {families[row] for row in split.test}


def test_folds_are_of_nearly_equal_size_and_depend_on_the_seed(many):
    groups, _, y = many
    first, second = SplitPlan(n_repeats=2).splits(groups, y)
    sizes = [len(split.test) for split in first]
    assert max(sizes) - min(sizes) <= 4
    assert any(not np.array_equal(a.test, b.test) for a, b in zip(first, second, strict=True))
    again = SplitPlan(n_repeats=2).splits(groups, y)
    assert all(np.array_equal(a.test, b.test) for a, b in zip(first, again[0], strict=True))


def test_below_sixty_rows_each_group_is_left_out_alone():
    groups = [f"g{row // 2}" for row in range(58)]
    (only,) = SplitPlan(n_folds=5, n_repeats=3).splits(groups, np.zeros(58))
    assert [len(split.test) for split in only] == [2] * 29
    assert len(SplitPlan(n_folds=5).splits([f"g{row}" for row in range(60)], np.zeros(60))[0]) == 5


def test_a_small_family_is_never_left_out(many):
    groups, families, y = many
    families = ["rare" if group == "g7" else family for group, family in zip(groups, families, strict=True)]
    (splits,) = SplitPlan(by="family_out", min_rows=12).splits(groups, y, families)
    assert "rare" not in {split.name for split in splits}
    assert {split.name for split in splits} == {f"family {number}" for number in range(8)}


def test_strata_share_the_range_of_the_target(many):
    groups, _, y = many
    numbers = np.unique(groups, return_inverse=True)[1]
    target = np.bincount(numbers, weights=y) / np.bincount(numbers)
    bins = np.searchsorted(np.quantile(target, [0.2, 0.4, 0.6, 0.8]), target, side="right")
    for split in stratified_folds(numbers, y, 5, np.random.default_rng(0), n_bins=5):
        counts = np.bincount(bins[np.unique(numbers[split.test])], minlength=5)
        assert counts.min() >= 4  # 24 groups of each bin, dealt to five folds
        assert counts.max() <= 5


def test_kept_extremes_are_always_trained_on_and_never_asked(many):
    groups, _, y = many
    numbers = np.unique(groups, return_inverse=True)[1]
    target = np.bincount(numbers, weights=y) / np.bincount(numbers)
    splits = stratified_folds(numbers, y, 5, np.random.default_rng(0), n_bins=5, keep_extremes=True)
    asked = np.unique(np.concatenate([numbers[split.test] for split in splits]))
    low, high = np.quantile(target, [0.2, 0.8])
    assert ((target[asked] >= low) & (target[asked] <= high)).all()
    for split in splits:
        assert {int(np.argmin(target)), int(np.argmax(target))} <= set(numbers[split.train])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SplitPlan(by="family").splits(["a"] * 70, np.zeros(70)), "needs a column 'family'"),
        (lambda: grouped_folds([0, 1, 1], 5, np.random.default_rng(0)), "found 2 groups for 5 folds"),
        (
            lambda: SplitPlan(by="family_out").splits(list("abcdef") * 2, np.zeros(12), ["x"] * 12),
            "found 1 families of 5 rows",
        ),
        (
            lambda: stratified_folds(np.arange(9), np.arange(9.0), 3, np.random.default_rng(0), 2, keep_extremes=True),
            "expected at least 3",
        ),
    ],
)
def test_what_cannot_be_parted_is_one_line(call, message):
    with pytest.raises(InputError, match=message):
        call()
