"""The linear programme against scipy's, and the bends of its energy against a dense scan."""

import numpy as np
import pytest
from scipy.optimize import linprog

from mlip_sse.analysis.reactions.simplex import SOLVED, bends, least_energies, least_energy

N_ELEMENTS, N_PHASES = 4, 60


@pytest.fixture(scope="module")
def programme():
    """Draw phases of four elements with formation energies; the elements come last."""
    rng = np.random.default_rng(2)
    columns = rng.dirichlet(np.full(N_ELEMENTS, 0.6), N_PHASES)
    columns = np.round(8 * columns) + (np.arange(N_PHASES)[:, None] % N_ELEMENTS == np.arange(N_ELEMENTS))
    columns /= columns.sum(axis=1, keepdims=True)
    costs = -rng.uniform(0, 4, N_PHASES) * (1 - columns.max(axis=1))
    columns = np.concatenate([columns, np.eye(N_ELEMENTS)])
    return columns, np.concatenate([costs, np.zeros(N_ELEMENTS)]), np.arange(N_PHASES, N_PHASES + N_ELEMENTS)


def slow_twin(columns, costs, amounts):
    return linprog(costs, A_eq=columns.T, b_eq=amounts, bounds=(0, None)).fun


def test_least_energy_equals_scipys(programme):
    columns, costs, start = programme
    points = np.random.default_rng(3).dirichlet(np.ones(N_ELEMENTS), 40)
    points[:10, 0] = 0.0  # fewer elements: degenerate
    points /= points.sum(axis=1, keepdims=True)
    ours = least_energies(columns, costs, start, points)
    np.testing.assert_allclose(ours, [slow_twin(columns, costs, point) for point in points], atol=1e-9)


def test_the_solution_is_feasible_and_its_potentials_are_a_hyperplane_below(programme):
    columns, costs, start = programme
    amounts = np.array([0.4, 0.3, 0.2, 0.1])
    status, energy, basis, fractions, potentials = least_energy(columns, costs, start, amounts)
    assert status == SOLVED
    np.testing.assert_allclose(fractions @ columns[basis], amounts, atol=1e-12)
    assert fractions.min() >= 0
    assert potentials @ amounts == pytest.approx(energy, abs=1e-12)
    assert (costs - columns @ potentials).min() > -1e-9


def test_the_order_of_phases_and_elements_does_not_matter(programme):
    columns, costs, start = programme
    rng = np.random.default_rng(5)
    shuffled, turned = rng.permutation(len(columns)), rng.permutation(N_ELEMENTS)
    amounts = rng.dirichlet(np.ones(N_ELEMENTS))
    place = np.argsort(shuffled)
    again = np.ascontiguousarray(columns[shuffled][:, turned])
    energy = least_energy(columns, costs, start, amounts)[1]
    assert least_energy(again, costs[shuffled], place[start][turned], amounts[turned])[1] == pytest.approx(
        energy, abs=1e-12
    )


def test_bends_carry_the_whole_energy(programme):
    columns, costs, start = programme
    rng = np.random.default_rng(7)
    for _ in range(10):
        first, second = rng.dirichlet(np.full(N_ELEMENTS, 0.5), 2)
        status, at, energies, bases, amounts = bends(columns, costs, start, first, second)
        assert status == SOLVED
        assert (at[0], at[-1]) == (0.0, 1.0)
        dense = np.linspace(0, 1, 101)
        points = dense[:, None] * first + (1 - dense[:, None]) * second
        np.testing.assert_allclose(
            np.interp(dense, at, energies), least_energies(columns, costs, start, points), atol=1e-8
        )
        slopes = np.diff(energies) / np.diff(at)
        assert (np.diff(slopes) > 1e-9).all()  # convex, and no bend too many
        for t, basis, parts in zip(at, bases, amounts, strict=True):
            np.testing.assert_allclose(parts @ columns[basis], t * first + (1 - t) * second, atol=1e-9)


def test_one_compound_between_two_elements():
    """A, B and AB at −1 eV/atom: one bend, in the middle."""
    columns = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    status, at, energies, _, _ = bends(columns, np.array([0.0, 0.0, -1.0]), np.array([0, 1]), columns[0], columns[1])
    assert status == SOLVED
    np.testing.assert_allclose(at, [0.0, 0.5, 1.0])
    np.testing.assert_allclose(energies, [0.0, -1.0, 0.0])


def test_equal_energies_do_not_run_in_circles():
    """Many phases on one tie line: every pivot is degenerate."""
    t = np.linspace(0, 1, 41)
    columns = np.stack([t, 1 - t], axis=1)
    costs = -t * (1 - t) * 0.0
    assert least_energy(columns, costs, np.array([40, 0]), np.array([0.5, 0.5]))[0] == SOLVED
