"""Visits, jumps between them, shortest residence, back-jumps."""

import numpy as np
import pytest

from mlip_sse.analysis.mechanism.jumps import Jumps
from mlip_sse.analysis.mechanism.visits import Visits
from mlip_sse.errors import InputError


def visits(*paths, n_frames=100):
    """Visits of ions given as lists of (site, first frame)."""
    rows = [(ion, site, start) for ion, path in enumerate(paths) for site, start in path]
    ions, sites, starts = np.array(rows).T
    return Visits.from_arrivals(ions, sites, starts, np.zeros((len(rows), 3), int), len(paths), n_frames, 5)


def test_stops_are_the_next_arrival_or_the_end():
    found = visits([(0, 0), (1, 30)], [(2, 5)])
    assert found.stops.tolist() == [30, 100, 100]
    assert found.is_first.tolist() == [True, False, True]
    assert found.is_last.tolist() == [False, True, True]
    assert found.time_on_sites().tolist() == [30, 70, 95, 0, 0]


def test_jumps_come_in_time_order():
    jumps = visits([(0, 0), (1, 30), (2, 60)], [(2, 0), (3, 40)]).jumps()
    assert jumps.frames.tolist() == [30, 40, 60]
    assert jumps.ions.tolist() == [0, 1, 0]
    assert (jumps.sites_from.tolist(), jumps.sites_to.tolist()) == ([0, 2, 1], [1, 3, 2])


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ([(0, 0), (1, 30), (0, 32)], [0]),  # a short stay elsewhere and back is none
        ([(0, 0), (1, 30), (2, 32)], [0, 2]),  # a short stay on the way is passed over
        ([(0, 0), (1, 2), (2, 50)], [0, 1, 2]),  # the first visit began before the trajectory
        ([(0, 0), (1, 98)], [0]),  # not yet an arrival
        ([(0, 0), (1, 30), (0, 32), (1, 34), (1, 35)], [0, 1]),
    ],
)
def test_short_visits_are_no_arrivals(path, wanted):
    found = visits(path).lasting(5)
    assert found.sites.tolist() == wanted
    assert found.durations.sum() == 100


def test_back_jumps_return_to_the_same_image():
    rows = visits([(0, 0), (1, 10), (0, 20), (1, 30), (2, 40)])
    assert [int(part.sum()) for part in rows.back_jumps()] == [2, 3]
    images = np.array([[0, 0, 0], [0, 0, 0], [1, 0, 0]])
    other = Visits.from_arrivals(np.zeros(3, int), np.array([0, 1, 0]), np.array([0, 10, 20]), images, 1, 100, 5)
    assert [int(part.sum()) for part in other.back_jumps()] == [0, 1]


def test_a_window_shows_what_a_shorter_trajectory_would():
    found = visits([(0, 0), (1, 30), (2, 60)]).between(20, 50)
    assert found.starts.tolist() == [0, 10]
    assert found.stops.tolist() == [10, 30]
    assert found.n_frames == 30


def test_jumps_out_of_order_and_of_wrong_shape_are_refused():
    ones = np.ones(2, dtype=np.int64)
    with pytest.raises(InputError, match="jump 1 is in frame 3, the one before it in frame 7"):
        Jumps(np.array([7, 3]), ones, ones, ones)
    with pytest.raises(InputError, match=r"ions has shape \(3,\), expected \(2,\)"):
        Jumps(np.array([3, 7]), np.ones(3, dtype=np.int64), ones, ones)
    with pytest.raises(InputError, match="no image vectors"):
        Jumps(np.array([3, 7]), ones, ones, ones).vectors(np.zeros((2, 3)), np.eye(3))
