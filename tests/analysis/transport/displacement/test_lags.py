"""Lags: unique, increasing, even in log time, and refused where they do not fit."""

import numpy as np
import pytest

from mlip_sse.analysis.transport.displacement.lags import checked_lags, log_lags
from mlip_sse.errors import InputError


@pytest.mark.parametrize(
    ("n_frames", "n_lags", "longest"),
    [(2, 100, None), (3, 100, None), (30, 100, None), (200, 10, None), (2000, 100, 1999), (20000, 100, None)]
    + [(150, 100, last) for last in (99, 100, 101, 102, 149)],
)
def test_lags_are_as_many_as_asked_and_increase_to_the_longest(n_frames, n_lags, longest):
    lags = log_lags(n_frames, n_lags, longest)
    last = longest or max(1, n_frames // 2)
    assert lags.dtype == np.int64
    assert len(lags) == min(n_lags, last)
    assert lags[0] == 1
    assert lags[-1] == last
    assert np.all(np.diff(lags) > 0)


def test_long_lags_are_evenly_spaced_in_log_time():
    lags = log_lags(20000, 100)
    ratios = (lags[1:] / lags[:-1])[lags[:-1] > 200]
    # rounding to whole frames moves a ratio of two lags above 200 by at most (0.5 + 0.5 * 1.1) / 200 = 0.6 %
    assert np.ptp(ratios) < 2 * 0.006


def test_log_lags_refuses_what_holds_no_lag():
    with pytest.raises(InputError, match="1 frames hold no displacement"):
        log_lags(1)
    with pytest.raises(InputError, match="longest lag is 10, expected 1 to 9"):
        log_lags(10, longest=10)
    with pytest.raises(InputError, match="n_lags is 1, expected at least 2"):
        log_lags(10, n_lags=1)


@pytest.mark.parametrize(
    ("lags", "message"),
    [
        ([0, 1], "lags run from 0 to 1, expected 1 to 9"),
        ([1, 10], "lags run from 1 to 10, expected 1 to 9"),
        ([1, 3, 3], "found 3 after 3"),
        ([1, 7, 3], "found 3 after 7"),
        ([1.0, 2.0], "expected .n_lags,. integers"),
        ([[1, 2]], "expected .n_lags,. integers"),
        ([], "expected .n_lags,. integers"),
    ],
)
def test_lags_that_do_not_fit_are_refused(lags, message):
    with pytest.raises(InputError, match=message) as refusal:
        checked_lags(lags, 10)
    assert "\n" not in str(refusal.value)


def test_checked_lags_keeps_the_values():
    assert checked_lags(np.array([1, 5], dtype=np.int32), 10).tolist() == [1, 5]
