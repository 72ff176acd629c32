"""Fronts and hypervolumes against definitions written out."""

import itertools

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.properties.optimize.front import Objective, hypervolume, oriented, pareto_front, reference_of


def area_by_strips(points, reference):
    """Return the exact area that points dominate above a reference: one strip for each step of the staircase."""
    above = [tuple(point) for point in points if (np.array(point) > reference).all()]
    area, floor = 0.0, reference[1]
    for x, y in sorted(above, key=lambda point: (-point[0], -point[1])):
        if y > floor:
            area += (x - reference[0]) * (y - floor)
            floor = y
    return area


def front_by_definition(points):
    """Return the rows that no other row dominates; of equal rows the first."""
    kept = []
    for i, mine in enumerate(points):
        beaten = any(
            (other >= mine).all() and ((other > mine).any() or j < i) for j, other in enumerate(points) if j != i
        )
        kept += [] if beaten else [i]
    return kept


@pytest.mark.parametrize("n_objectives", [1, 2, 3])
def test_front_is_that_of_the_definition(n_objectives):
    rng = np.random.default_rng(n_objectives)
    for n_rows in (1, 2, 7, 40):
        points = rng.integers(0, 6, (n_rows, n_objectives)).astype(float)  # whole numbers, so that some are equal
        assert pareto_front(points).tolist() == front_by_definition(points)


def test_two_dimensional_hypervolume_is_the_area_by_strips():
    pytest.importorskip("botorch")
    rng = np.random.default_rng(5)
    for n_rows in (1, 3, 25):
        points, reference = rng.normal(size=(n_rows, 2)), np.array([-0.4, -0.1])
        assert hypervolume(points, reference) == pytest.approx(area_by_strips(points, reference), abs=1e-12)


def test_hypervolume_of_boxes_and_of_nothing():
    pytest.importorskip("botorch")
    assert hypervolume([[2.0, 3.0, 4.0]], [0.0, 1.0, 2.0]) == pytest.approx(8.0)
    # Two boxes that share a cube of side 1.
    assert hypervolume([[2.0, 1.0, 1.0], [1.0, 1.0, 2.0]], [0.0, 0.0, 0.0]) == pytest.approx(3.0)
    assert hypervolume([[0.0, 5.0]], [0.0, 0.0]) == 0.0


def test_hypervolume_does_not_depend_on_order_or_on_dominated_rows():
    pytest.importorskip("botorch")
    points = np.random.default_rng(2).random((12, 3))
    whole = hypervolume(points, np.zeros(3))
    for order in itertools.islice(itertools.permutations(range(12)), 0, 300, 100):
        assert hypervolume(points[list(order)], np.zeros(3)) == pytest.approx(whole)
    assert hypervolume(np.vstack([points, points * 0.5]), np.zeros(3)) == pytest.approx(whole)


def test_directions_and_logarithms():
    objectives = (Objective("conductivity", is_log=True, reference=1e-6), Objective("cost", "minimize"))
    better = oriented([[1e-3, 5.0], [1e-4, 2.0]], objectives)
    np.testing.assert_allclose(better, [[-3.0, -5.0], [-4.0, -2.0]])
    np.testing.assert_allclose(reference_of(better, objectives), [-6.0, -5.0])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Objective("sigma", "maximise"), "found the direction 'maximise', expected maximize or minimize"),
        (lambda: Objective("sigma", is_log=True).learnt([0.0]), "found 0.0, expected a positive number"),
        (lambda: Objective("sigma", is_log=True, reference=-1.0), "expected it positive"),
        (lambda: oriented([[1.0]], (Objective("a"), Objective("b"))), r"expected \(n_rows, 2\)"),
        (lambda: pareto_front([[np.nan, 1.0]]), "without gaps"),
    ],
)
def test_bad_input_is_one_line(make, says):
    with pytest.raises(InputError, match=says) as found:
        make()
    assert "\n" not in str(found.value)
