"""AUC within folds, against scikit-learn, with an interval that knows that ions are not independent samples."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlip_sse.analysis.softness.auc import FoldScores, auc_interval, roc_curve


def scores_of(seed, n=400, n_ions=50, shift=1.0, n_folds=1, own=0.0):
    """Return normal scores with hops ``shift`` higher, and a part that all samples of an ion share."""
    rng = np.random.default_rng(seed)
    groups, hops = rng.integers(0, n_ions, n), rng.random(n) < 0.5
    scores = rng.normal(size=n) + shift * hops + own * rng.normal(size=n_ions)[groups]
    return FoldScores(scores, hops, groups % n_folds, groups)


def test_equals_scikit_learn_in_one_fold_ties_included():
    scores = scores_of(0)
    rounded = FoldScores(np.round(scores.scores, 1), scores.hops, scores.folds, scores.groups)
    assert rounded.auc == pytest.approx(roc_auc_score(rounded.hops, rounded.scores), abs=1e-12)


def test_only_pairs_of_one_fold_are_compared():
    scores = scores_of(1, n_folds=5)
    moved = FoldScores(scores.scores + 100.0 * scores.folds, scores.hops, scores.folds, scores.groups)
    assert moved.auc == pytest.approx(scores.auc, abs=1e-12)


def test_the_order_of_samples_does_not_matter():
    scores = scores_of(2, n_folds=3)
    order = np.random.default_rng(0).permutation(len(scores.scores))
    mixed = FoldScores(*(part[order] for part in (scores.scores, scores.hops, scores.folds, scores.groups)))
    assert mixed.auc == pytest.approx(scores.auc, abs=1e-12)
    assert auc_interval(mixed, 0.95, 200, 0).low == pytest.approx(auc_interval(scores, 0.95, 200, 0).low)


def test_the_interval_covers_and_widens_with_what_ions_share():
    # Φ(shift/√(2 (1 + own²))): 0.7602 for independent samples; 60 intervals of 95 %, at least 52 expected to 3σ
    truth = 0.76025
    intervals = [auc_interval(scores_of(seed, n=200), 0.95, 200, 0) for seed in range(60)]
    assert sum(part.low <= truth <= part.high for part in intervals) >= 52
    shared = [auc_interval(scores_of(seed, n=200, n_ions=10, own=1.0), 0.95, 200, 0) for seed in range(10)]
    width = np.mean([part.high - part.low for part in shared])
    assert width > 1.3 * np.mean([part.high - part.low for part in intervals])


def test_perfect_and_useless_scores_stay_between_zero_and_one():
    scores = scores_of(3, shift=100.0)
    perfect = auc_interval(scores, 0.95, 100, 0)
    assert perfect.value == 1.0
    assert 0.9 < perfect.low <= perfect.high <= 1.0


def test_roc_encloses_the_auc():
    scores = scores_of(4)
    false, true = roc_curve(scores)
    assert np.trapezoid(true, false) == pytest.approx(scores.auc, abs=5e-3)  # 201 points
    assert (np.diff(true) >= 0).all()
