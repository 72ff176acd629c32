"""Conformal intervals for new groups: the textbook rank where each row is a group, and coverage where it is not."""

import math

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.properties.conformal import group_weights, score_quantile
from mlip_sse.properties.regression import PropertyRegressor
from mlip_sse.properties.selection import SelectedRegressor


def test_one_row_a_group_is_the_nearest_rank():
    """⌈(n + ½)·c⌉-th of n scores, by sorting; it holds a new one with probability rank/(n + 1)."""
    rng = np.random.default_rng(0)
    for n_rows in (9, 15, 19, 50):
        scores = rng.permutation(np.arange(n_rows) + 1.0)
        weights = group_weights(rng.permutation(n_rows))
        for confidence in (0.5, 0.9):
            rank = math.ceil((n_rows + 0.5) * confidence - 1e-9)
            assert score_quantile(scores, weights, confidence) == rank
            assert abs(rank / (n_rows + 1) - confidence) < 1 / (n_rows + 1)
    assert score_quantile(np.ones(8), group_weights(np.arange(8)), 0.9) == math.inf
    assert score_quantile(np.ones(9), group_weights(np.arange(9)), 0.9) == 1.0


def test_a_large_group_weighs_no_more_than_a_small_one():
    groups = np.repeat([0, 1, 2], [96, 2, 2])
    weights = group_weights(groups)
    assert [weights[groups == each].sum() for each in range(3)] == pytest.approx([0.25] * 3)
    scores = np.where(groups == 0, 1.0, 2.0)
    assert score_quantile(scores, weights, 0.25) == 1.0
    assert score_quantile(scores, weights, 0.6) == 2.0
    with pytest.raises(InputError, match="confidence must lie between 0 and 1"):
        score_quantile(scores, weights, 1.0)


def test_new_groups_are_covered_as_promised():
    """400 times 30 groups of 1 to 40 rows with a spread of their own, one more asked; binomial error of 400: 1.5 %."""
    rng = np.random.default_rng(1)
    held = []
    for _ in range(400):
        sizes = rng.choice([1, 3, 40], 31)
        groups = np.repeat(np.arange(31), sizes)
        scores = np.abs(rng.normal(size=len(groups))) * np.exp(rng.normal(size=31))[groups]
        known = groups < 30
        edge = score_quantile(scores[known], group_weights(groups[known]), 0.9)
        held.append(np.mean(scores[~known] <= edge))
    assert np.mean(held) == pytest.approx(0.9, abs=0.045)  # three errors


def test_weights_of_a_blend_are_not_judged_on_what_they_were_fitted_to():
    """Thirty candidates of noise: weights fitted to the very rows make errors small that no new row will have."""
    rng = np.random.default_rng(2)
    features, y = rng.normal(size=(60, 60)), rng.normal(size=60)
    candidates = tuple(
        PropertyRegressor("linear", {"penalty": 0.1}, columns=(2 * at, 2 * at + 1), n_folds=4) for at in range(30)
    )
    fitted = SelectedRegressor(candidates, True, True).fit(features, y)
    assert np.mean(fitted.scores) > 1.0  # in units of the mean error of a candidate
