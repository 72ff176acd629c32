"""Means over time with their intervals, and frames as structures."""

import numpy as np
import pytest

from mlip_sse.analysis.results import Quality
from mlip_sse.analysis.structure.snapshots import snapshots
from mlip_sse.analysis.structure.time_averages import mean_over_time
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory


def correlated(n, time, rng):
    """First-order autoregressive series of mean 3 and variance 1; its integrated correlation time is given."""
    keep = (2 * time - 1) / (2 * time + 1)
    noise = rng.normal(size=n)
    series = np.empty(n)
    series[0] = noise[0]
    for k in range(1, n):
        series[k] = keep * series[k - 1] + np.sqrt(1 - keep**2) * noise[k]
    return 3.0 + series


@pytest.mark.parametrize("time", [0.5, 2.0, 10.0])
def test_intervals_cover_the_mean_of_correlated_frames(time):
    rng = np.random.default_rng(0)
    found = [mean_over_time(correlated(800, time, rng)) for _ in range(200)]
    covered = np.mean([each.interval.low <= 3.0 <= each.interval.high for each in found])
    assert covered >= 0.90  # 95 % less three standard errors of 200 repeats
    assert np.median([each.correlation_frames for each in found]) == pytest.approx(time, rel=0.3)


def test_a_series_that_is_shorter_than_its_correlation_is_weak():
    drifting = np.linspace(0, 1, 40)
    found = mean_over_time(drifting)
    assert found.verdict.quality is Quality.WEAK
    assert "40 frames are" in found.verdict.reasons[0]
    few = mean_over_time(np.arange(5.0), lowest=0.0, highest=4.0)
    assert few.verdict.reasons == ("5 frames are too few for an interval, which takes 10",)
    assert (few.interval.low, few.interval.high) == (0.0, 4.0)
    with pytest.raises(InputError, match="expected at least one value"):
        mean_over_time(np.array([1.0, np.nan]))


def test_structures_of_a_breathing_cell_have_its_fractions():
    """Unwrapped coordinates are sums of steps; the structure is the fractions times the cell of the frame."""
    rng = np.random.default_rng(1)
    base = np.array([[9.0, 0, 0], [3, 8, 0], [-2, 2, 9]])
    cells = base * (1 + 0.05 * rng.normal(size=(30, 1, 1)))
    fractions = rng.random((1, 6, 3)) + np.cumsum(rng.normal(0, 0.03, (30, 6, 3)), axis=0)
    trajectory = Trajectory.from_arrays(["Li"] * 6, fractions, cells, 100.0, fractional=True)
    assert np.abs(trajectory.positions[-1] - fractions[-1] @ cells[-1]).max() > 0.05
    found = list(snapshots(trajectory, 7))
    assert [each.frame for each in found] == [0, 7, 14, 21, 28]
    for each in found:
        apart = each.positions @ np.linalg.inv(each.cell) - fractions[each.frame]
        np.testing.assert_allclose(apart, np.rint(apart), atol=1e-9)
    for each in snapshots(trajectory, 10, 4):
        rows = slice(each.frame, each.frame + 4)
        np.testing.assert_allclose(each.cell, cells[rows].mean(axis=0))
        apart = each.positions @ np.linalg.inv(each.cell) - fractions[rows].mean(axis=0)
        np.testing.assert_allclose(apart, np.rint(apart), atol=1e-9)


def test_averages_that_overlap_are_refused():
    trajectory = Trajectory.from_arrays(["Li"], np.zeros((5, 1, 3)), 9 * np.eye(3), 100.0)
    with pytest.raises(InputError, match="found stride 2 and 3 frames averaged"):
        list(snapshots(trajectory, 2, 3))
    with pytest.raises(InputError, match="found 5 frames, expected at least the 8"):
        list(snapshots(trajectory, 8, 8))
    assert [each.frame for each in snapshots(trajectory, 3, 3)] == [0]
