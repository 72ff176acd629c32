"""The mixtures of a grid."""

from math import comb

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.properties.optimize.grid import CompositionGrid


@pytest.mark.parametrize(("n_components", "n_steps"), [(2, 1), (2, 7), (3, 10), (4, 5)])
def test_points_are_all_mixtures_once(n_components, n_steps):
    grid = CompositionGrid(tuple("ABCD"[:n_components]), n_steps)
    assert len(grid) == comb(n_steps + n_components - 1, n_components - 1)
    assert len(np.unique(grid.points.round(9), axis=0)) == len(grid)
    np.testing.assert_allclose(grid.points.sum(axis=1), 1.0)
    np.testing.assert_allclose(grid.points * n_steps, np.rint(grid.points * n_steps), atol=1e-9)


def test_bounds_keep_what_they_allow():
    whole = CompositionGrid(("A", "B", "C"), 10)
    some = CompositionGrid(("A", "B", "C"), 10, {"B": (0.2, 0.5), "C": (0.0, 0.1)})
    by_hand = [
        point for point in whole.points.tolist() if 0.2 - 1e-9 <= point[1] <= 0.5 + 1e-9 and point[2] <= 0.1 + 1e-9
    ]
    np.testing.assert_allclose(some.points, by_hand)


def test_formula_of_a_mixture():
    grid = CompositionGrid(("Li2S", "P2S5", "LiCl"), 8)
    assert grid.formula([0.75, 0.25, 0.0]) == "Li3PS4"
    assert grid.formula([5 / 8, 1 / 8, 2 / 8]) == "Li6PS5Cl"


def test_place_of_a_mixture():
    grid = CompositionGrid(("A", "B"), 4)
    assert grid.points[grid.place([0.25, 0.75])].tolist() == [0.25, 0.75]
    assert grid.place([0.3, 0.7]) is None


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: CompositionGrid(("A",)), "expected at least two"),
        (lambda: CompositionGrid(("A", "A")), "each once"),
        (lambda: CompositionGrid(("A", "B"), 0), "between 1 and"),
        (
            lambda: CompositionGrid(("A", "B", "C"), 4, {"A": (0.6, 0.7)}),
            "no point of the 15 in steps of 1/4 is within",
        ),
        (lambda: CompositionGrid(("A", "B"), 4, {"C": (0.0, 1.0)}), "expected one of A, B"),
        (lambda: CompositionGrid(("A", "B"), 4, {"A": (0.6, 0.2)}), "expected 0 ≤ low ≤ high ≤ 1"),
        (lambda: CompositionGrid(("A", "B")).normalised([0.5, 0.7]), "add up to 1.2, expected 1"),
        (lambda: CompositionGrid(("A", "B")).normalised([1.5, -0.5]), "none negative"),
    ],
)
def test_bad_input_is_one_line(make, says):
    with pytest.raises(InputError, match=says) as found:
        make()
    assert "\n" not in str(found.value)
