"""Active sets against brute force, under changes of units and order, and where the data are poor."""

from itertools import combinations

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.potentials.uncertainty import (
    ActiveSet,
    extrapolation_grades,
    merge_active_sets,
    select_active_set,
)

ROUNDING = 1e-8  # of grades: the condition of the whitened rows (below 1e6) times the rounding of a double


@pytest.fixture
def environments() -> np.ndarray:
    """Correlated descriptors of very different size, one constant, one repeated, as a potential has them."""
    rng = np.random.default_rng(7)
    hidden = rng.normal(size=(400, 6))
    x = np.exp(0.5 * hidden @ rng.normal(size=(6, 25))) * 10.0 ** rng.uniform(-5, 5, 25)
    x[:, 3] = 4.2
    x[:, 11] = x[:, 4]
    x[:, 17] = 0.0
    return x


def volume(x: np.ndarray, rows: tuple[int, ...]) -> float:
    """Return |det [1, x]| of some rows, the definition."""
    return abs(np.linalg.det(np.c_[np.ones(len(rows)), x[list(rows)]]))


def test_no_training_environment_has_a_grade_above_the_tolerance(environments: np.ndarray) -> None:
    active = select_active_set(environments, tolerance=1.01)
    assert active.rank == 1 + 25 - 3  # the constants and the repeated column are no directions
    assert extrapolation_grades(environments, active).max() <= 1.01 + ROUNDING


def test_the_chosen_environments_have_grade_one(environments: np.ndarray) -> None:
    active = select_active_set(environments)
    np.testing.assert_allclose(extrapolation_grades(active.rows, active), 1.0, atol=ROUNDING)


def test_no_single_exchange_gains_more_than_the_tolerance() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(30, 3))
    active = select_active_set(x, tolerance=1.01)
    chosen = [int(np.flatnonzero((x == row).all(axis=1))[0]) for row in active.rows]
    found = volume(x, tuple(chosen))
    exchanged = [
        volume(x, (*chosen[:place], other, *chosen[place + 1 :])) for place in range(4) for other in range(len(x))
    ]
    assert max(exchanged) <= 1.01 * found * (1 + ROUNDING)


@pytest.mark.parametrize("seed", range(12))
def test_volume_is_near_the_largest_of_all(seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(12, 2))
    active = select_active_set(x, tolerance=1.0001)
    chosen = tuple(int(np.flatnonzero((x == row).all(axis=1))[0]) for row in active.rows)
    largest = max(volume(x, rows) for rows in combinations(range(12), 3))
    # A local optimum over single exchanges has at least 1/r^(r/2) of the best (Goreinov); in the plane it is close.
    assert volume(x, chosen) >= 0.7 * largest


def test_grade_is_the_largest_coefficient_of_the_combination() -> None:
    rng = np.random.default_rng(2)
    x, new = rng.normal(size=(60, 5)), 3 * rng.normal(size=(40, 5))
    active = select_active_set(x)
    square = np.c_[np.ones(active.rank), active.rows]
    slow = [np.abs(np.linalg.solve(square.T, np.r_[1.0, row])).max() for row in new]
    np.testing.assert_allclose(extrapolation_grades(new, active), slow, rtol=ROUNDING)


def test_interval_of_the_line() -> None:
    """In one dimension the active set is the two ends, and the grade is linear beyond them."""
    active = select_active_set(np.linspace(2.0, 4.0, 9)[:, None])
    np.testing.assert_allclose(np.sort(active.rows[:, 0]), [2.0, 4.0])
    np.testing.assert_allclose(
        extrapolation_grades([[2.0], [3.0], [4.0], [5.0], [8.0], [0.0]], active), [1.0, 0.5, 1.0, 1.5, 3.0, 2.0]
    )


def test_convex_combinations_never_extrapolate(environments: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    active = select_active_set(environments)
    mixed = rng.dirichlet(np.full(len(environments), 0.05), size=200) @ environments
    assert extrapolation_grades(mixed, active).max() <= 1.01 + ROUNDING


def test_units_and_offsets_of_columns_do_not_matter(environments: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    factors, offsets = 10.0 ** rng.uniform(-3, 3, 25) * rng.choice([-1, 1], 25), rng.normal(size=25)
    factors[[3, 17]] = 1.0  # a column without spread has no scale of its own
    new = 1.5 * environments[:50]
    new[:, [3, 17]] = environments[:50][:, [3, 17]]
    other = select_active_set(environments * factors + offsets * factors * environments.std(axis=0))
    grades = extrapolation_grades(new * factors + offsets * factors * environments.std(axis=0), other)
    np.testing.assert_allclose(grades, extrapolation_grades(new, select_active_set(environments)), rtol=1e-6)


def test_order_of_environments_does_not_matter(environments: np.ndarray) -> None:
    order = np.random.default_rng(5).permutation(len(environments))
    first, second = select_active_set(environments), select_active_set(environments[order])
    new = 1.3 * environments[:80]
    np.testing.assert_allclose(extrapolation_grades(new, first), extrapolation_grades(new, second), rtol=1e-6)


def test_repeated_environments_change_nothing(environments: np.ndarray) -> None:
    first, second = select_active_set(environments), select_active_set(np.repeat(environments, 3, axis=0))
    assert second.rank == first.rank
    assert len(np.unique(second.rows, axis=0)) == second.rank
    assert extrapolation_grades(environments, second).max() <= 1.01 + ROUNDING


def test_fewer_environments_than_descriptors() -> None:
    x = np.random.default_rng(6).normal(size=(8, 40))
    active = select_active_set(x)
    assert active.rank == 8
    np.testing.assert_allclose(extrapolation_grades(x, active), 1.0, atol=ROUNDING)


def test_one_environment() -> None:
    active = select_active_set([[1.0, 0.0, 5.0]])
    assert active.rank == 1
    np.testing.assert_allclose(extrapolation_grades([[1.0, 0.0, 5.0], [1.0, 7.0, 5.0]], active), [1.0, 7.0])


def test_a_neighbour_never_seen_is_extrapolation(environments: np.ndarray) -> None:
    """A column that was zero throughout the training and is not any more cannot hide in the cut directions."""
    new = environments[:5].copy()
    new[:, 17] = 100 * np.median(np.delete(environments, [3, 17], axis=1).std(axis=0))
    assert extrapolation_grades(new, select_active_set(environments)).min() > 50


def test_rounding_of_a_constant_column_is_no_direction() -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(size=(50, 3))
    x[:, 1] = 7.0 * (1 + 1e-14 * rng.normal(size=50))
    active = select_active_set(x)
    assert active.rank == 3
    assert extrapolation_grades(x, active).max() <= 1.01 + ROUNDING


def test_merged_set_spans_both() -> None:
    rng = np.random.default_rng(9)
    first, second = rng.normal(size=(300, 6)), rng.normal(size=(300, 6)) + np.r_[20.0, np.zeros(5)]
    merged = merge_active_sets(select_active_set(first), select_active_set(second))
    union = select_active_set(np.vstack([first, second]))
    assert extrapolation_grades(second, select_active_set(first)).max() > 2.5
    both = extrapolation_grades(np.vstack([first, second]), merged)
    assert both.max() < 2.0  # the bound is rank · tolerance² ≈ 7; of the union's own set it is 1.01
    assert np.median(both) == pytest.approx(np.median(extrapolation_grades(np.vstack([first, second]), union)), rel=0.2)


def test_merging_with_itself_changes_no_grade(environments: np.ndarray) -> None:
    active = select_active_set(environments)
    merged = merge_active_sets(active, active)
    varied = np.delete(np.arange(25), [3, 17])
    new = environments.copy()
    new[:, varied] *= 1.1
    np.testing.assert_allclose(extrapolation_grades(new, merged), extrapolation_grades(new, active), rtol=1e-4)


def test_no_environments_have_no_grades() -> None:
    active = select_active_set(np.eye(3))
    assert extrapolation_grades(np.empty((0, 3)), active).shape == (0,)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: select_active_set(np.empty((0, 4))), r"\(0, 4\)"),
        (lambda: select_active_set([1.0, 2.0]), r"\(2,\)"),
        (lambda: select_active_set([[1.0], [np.nan]]), "environment 1 that is not finite"),
        (lambda: select_active_set(np.eye(3), tolerance=1.0), "tolerance of 1.0"),
        (lambda: select_active_set(np.eye(3), relative_cutoff=0.0), "relative_cutoff of 0.0"),
        (lambda: extrapolation_grades(np.eye(2), select_active_set(np.eye(3))), "2 descriptors, expected the 3"),
        (lambda: merge_active_sets(select_active_set(np.eye(3)), select_active_set(np.eye(4))), "3 and 4 descriptors"),
        (lambda: ActiveSet(np.eye(3), np.eye(3)), r"\(4, 3 or more\)"),
        (lambda: ActiveSet(np.full((1, 1), np.inf), np.eye(2)), "expected a finite matrix"),
    ],
)
def test_what_cannot_be_used_is_refused(call, words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()


def test_a_column_that_hardly_ever_differs_from_zero_counts_in_units_of_the_others():
    """Two ions came to the end of the cutoff once: a spread of 1e-40 is no unit to measure in."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(200, 3))
    x = np.c_[x, np.zeros(200)]
    x[17, 3] = 1e-38
    active = select_active_set(x)
    assert np.abs(active.projection).max() < 1e3
    assert extrapolation_grades(x, active).max() < 1.1
    near, far = [[0.0, 0.0, 0.0, 1e-6]], [[0.0, 0.0, 0.0, 50.0]]
    assert extrapolation_grades(near, active)[0] < 1.0
    assert extrapolation_grades(far, active)[0] > 10.0
