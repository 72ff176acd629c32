"""One event a hop, rattles apart, stable spans, and storage judged by the residence time."""

import numpy as np
import pytest

from mlip_sse.analysis.results import Quality
from mlip_sse.analysis.softness.hop_indicator import Thresholds
from mlip_sse.analysis.softness.hops import find_hops, find_stable_spans, judge_storage
from tests.analysis.softness.test_hop_indicator import hopping, indicator

THRESHOLDS = Thresholds(2.25, 0.5, 0.27, 3.0, "by hand")


def stepping(*steps, n_frames=300):
    """One ion that jumps along x: (frame, length) each."""
    path = np.zeros((1, 3, n_frames))
    for frame, length in steps:
        path[0, 0, frame:] += length
    return path + np.random.default_rng(0).normal(0, 0.05, path.shape)


def hops_of(path, return_frames=20):
    return find_hops(indicator(path), THRESHOLDS, path, return_frames)


def test_one_event_a_hop_and_the_sample_lies_before_it():
    hops = hops_of(stepping((100, 3.0), (200, 3.0)))
    assert len(hops) == 2
    np.testing.assert_allclose(hops.peaks, [100, 200], atol=1)
    np.testing.assert_allclose(hops.shifts, 3.0, atol=0.15)
    # x^1.5 a² > p_c with x the part of the later half window beyond the jump: 2 of 5 frames
    np.testing.assert_allclose(hops.starts, [97, 197], atol=1)
    assert (hops.ends > hops.peaks).all()
    assert hops.sampled.all()


def test_noise_at_the_threshold_is_no_second_hop():
    paths = hopping(7, 40, 3000, 0.004)
    hops = find_hops(indicator(paths), THRESHOLDS, paths, 0)
    same = hops.ions[1:] == hops.ions[:-1]
    assert (hops.starts[1:][same] >= hops.ends[:-1][same]).all()
    # 40 × 3000 × 0.004 = 480 jumps, ± √480, less those within a window of another (4 %)
    assert 400 < len(hops) < 530


def test_back_and_forth_is_a_rattle_and_onwards_is_not():
    there_and_back = hops_of(stepping((100, 3.0), (112, -3.0)))
    assert there_and_back.rattling.tolist() == [True, True]
    assert not there_and_back.sampled.any()
    assert not hops_of(stepping((100, 3.0), (112, 3.0))).rattling.any()
    assert not hops_of(stepping((100, 3.0), (200, -3.0))).rattling.any()


def test_a_hop_cut_by_the_beginning_is_not_sampled():
    hops = hops_of(stepping((5, 3.0), (150, 3.0)))
    assert hops.whole.tolist() == [False, True]


def test_stable_spans_avoid_hops():
    spans = find_stable_spans(indicator(stepping((150, 3.0))), THRESHOLDS, 40)
    assert len(spans) == 6
    assert (np.abs(spans.centres - 150) > 20).all()
    assert find_stable_spans(indicator(stepping((150, 3.0))), THRESHOLDS, 200).centres.size == 0


def test_a_wide_cage_is_not_stable():
    wide = np.random.default_rng(1).normal(0, 0.55, (3, 3, 400))  # u² = 0.9, above p_0
    assert len(find_stable_spans(indicator(wide), THRESHOLDS, 20)) == 0


@pytest.mark.parametrize(("rate", "quality"), [(0.005, Quality.PASS), (0.1, Quality.WEAK), (0.4, Quality.REFUSED)])
def test_storage_is_judged_by_the_residence_time(rate, quality):
    paths = hopping(3, 50, 1000, rate)
    data = indicator(paths)
    hops = find_hops(data, THRESHOLDS, paths, 0)
    # hops that run together do not hide how fast they are: 1/rate frames of 0.1 ps
    assert hops.residence_ps == pytest.approx(0.1 / rate, rel=0.25)
    verdict = judge_storage(data, hops, THRESHOLDS)
    assert verdict.quality is quality
    assert (not verdict.reasons) == (quality is Quality.PASS)
