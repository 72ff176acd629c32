"""Classes of equal size without leakage, and folds that share neither ions nor time."""

import numpy as np
import pytest

from mlip_sse.analysis.softness.hop_indicator import choose_thresholds
from mlip_sse.analysis.softness.hops import Hops, StableSpans, find_hops
from mlip_sse.analysis.softness.training_set import Samples, Split, choose_stable_spans, draw_samples, make_folds
from mlip_sse.errors import InputError
from tests.analysis.softness.test_hop_indicator import hopping, indicator


@pytest.fixture(scope="module")
def mobility():
    paths = hopping(0, 40, 2000, 0.01)
    data = indicator(paths)
    thresholds = choose_thresholds(data)
    hops = find_hops(data, thresholds, paths, 20)
    return data, hops, choose_stable_spans(data, thresholds, hops, 200)


def some_samples(seed=0, n=200, n_ions=30, n_frames=1000):
    rng = np.random.default_rng(seed)
    return Samples(rng.integers(0, n_frames, 2 * n), rng.integers(0, n_ions, 2 * n), np.repeat([True, False], n))


def test_one_sample_a_hop_and_equal_classes(mobility):
    data, hops, spans = mobility
    samples = draw_samples(hops, spans, 5000, seed=3)
    assert samples.hops.sum() == (~samples.hops).sum() == min(hops.sampled.sum(), len(spans))
    chosen = list(zip(samples.ions[samples.hops], samples.frames[samples.hops], strict=True))
    assert len(set(chosen)) == len(chosen)
    before = set(zip(hops.ions[hops.sampled], hops.starts[hops.sampled] - 1, strict=True))
    assert set(chosen) <= before
    ions, columns = samples.ions, samples.frames - data.half
    assert (data.values[ions, columns][samples.hops] < choose_thresholds(data).hop).all()


def test_equal_seeds_draw_equal_samples(mobility):
    _, hops, spans = mobility
    one, two, other = (draw_samples(hops, spans, 100, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.frames, two.frames)
    assert not np.array_equal(one.frames, other.frames)


def test_the_longest_stable_span_that_leaves_enough_is_taken(mobility):
    data, hops, spans = mobility
    thresholds = choose_thresholds(data)
    assert spans.length >= 2 * data.half
    assert choose_stable_spans(data, thresholds, hops, 10**6).length == 2 * data.half
    assert choose_stable_spans(data, thresholds, hops, 0, stable_ps=2.5).length == 25


@pytest.mark.parametrize("split", list(Split))
def test_folds_share_nothing_and_test_every_sample_once(split):
    samples, guard = some_samples(), 20
    folds = make_folds(samples, split, 5, guard, seed=0)
    tested = np.sort(np.concatenate([fold.test for fold in folds]))
    np.testing.assert_array_equal(tested, np.arange(len(samples)))
    assert len(folds) == (9 if split is Split.BOTH else 5)
    for fold in folds:
        if split is not Split.TIME:
            assert not set(samples.ions[fold.train]) & set(samples.ions[fold.test])
        if split is not Split.IONS:
            low, high = samples.frames[fold.test].min(), samples.frames[fold.test].max()
            learned = samples.frames[fold.train]
            assert ((learned < low - guard) | (learned > high + guard)).all()


def test_a_fold_of_one_class_is_refused():
    samples = some_samples(n=50)
    by_class = Samples(np.where(samples.hops, 10, 900), samples.ions, samples.hops)
    with pytest.raises(InputError, match="0 hops and"):
        make_folds(by_class, Split.TIME, 2, 5, seed=0)


def test_too_few_ions_for_the_folds_are_refused():
    with pytest.raises(InputError, match="samples of 4 ions, expected at least 10"):
        make_folds(some_samples(n_ions=4), Split.IONS, 5, 0, seed=0)


@pytest.mark.parametrize(
    ("n_hops", "n_stable", "text"), [(12, 400, "12 hops.*too few hops"), (400, 3, "too few stable")]
)
def test_too_few_of_a_class_is_refused_with_the_numbers(n_hops, n_stable, text):
    each = np.arange(n_hops)
    no, yes = np.zeros(n_hops, bool), np.ones(n_hops, bool)
    hops = Hops(each, each + 50, each + 52, each + 55, each + 1.0, no, yes, 1.0)
    with pytest.raises(InputError, match=text):
        draw_samples(hops, StableSpans(np.arange(n_stable), np.arange(n_stable), 10), 1000, seed=0)
