"""The least energy of a mixture of phases, and where it bends along a line of compositions.

The convex hull at a composition b is the linear programme

    E(b) = min Σ_j c_j y_j   with   Σ_j a_j y_j = b,  y ≥ 0,

a_j being the composition of phase j and c_j its energy, both per atom. Its dual π are the chemical potentials. The
elements are phases themselves and make the first basis, so that no search for a feasible start is needed. Along the
line b(t) = t b₁ + (1 − t) b₂ the energy is convex and piecewise linear; each solution gives a line below it that
touches it, and two neighbouring lines meet where to look next (Eisner and Severance, J. ACM 23, 619 (1976),
https://doi.org/10.1145/321978.321982).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["SOLVED", "bends", "least_energies", "least_energy"]

SOLVED = 0
"""Status of a solution; anything else means that pivots or lines ran out, and is how many there were."""

_TOLERANCE = 1e-10
"""Reduced costs and pivots below it count as zero; energies are a few eV, fractions at most one."""

_RESOLUTION = 1e-9
"""Energies in eV/atom and fractions that differ by less are the same."""

_MAX_LINES = 512
"""Below the energy along one line of compositions; where they run out, the status says so."""

_PIVOTS_PER_COLUMN = 50
"""After which the status says that there is no solution; the method is known to take a few for each row."""

_STALLED = 30
"""Pivots in a row without a step, after which they are chosen so that they cannot go round in circles (Bland)."""


@njit(cache=True)
def least_energy(
    columns: NDArray[np.float64], costs: NDArray[np.float64], start: NDArray[np.int64], amounts: NDArray[np.float64]
) -> tuple[int, float, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Solve the programme by the revised simplex method.

    Parameters
    ----------
    columns : (n_phases, n_elements)
        Composition of each phase.
    costs : (n_phases,) eV/atom
        Energy of each phase.
    start : (n_elements,)
        For each element the phase that consists of it alone.
    amounts : (n_elements,)
        The composition b ≥ 0.

    Returns
    -------
    status
        `SOLVED`, or the number of pivots after which it gave up.
    energy
        E(b) in eV/atom.
    basis : (n_elements,)
        The phases that may take part.
    fractions : (n_elements,)
        Their amounts; zeros where fewer phases do.
    potentials : (n_elements,) eV
        Chemical potentials π.
    """
    n_phases, n_elements = columns.shape
    basis, fractions = start.copy(), amounts.copy()
    inverse = np.eye(n_elements)
    potentials, direction = np.empty(n_elements), np.empty(n_elements)
    max_pivots = _PIVOTS_PER_COLUMN * (n_phases + n_elements)
    stalled = 0
    for _ in range(max_pivots):
        for k in range(n_elements):
            total = 0.0
            for i in range(n_elements):
                total += costs[basis[i]] * inverse[i, k]
            potentials[k] = total
        careful = stalled > _STALLED
        entering = _entering(columns, costs, potentials, careful)
        if entering < 0:
            energy = 0.0
            for i in range(n_elements):
                fractions[i] = max(fractions[i], 0.0)
                energy += costs[basis[i]] * fractions[i]
            return SOLVED, energy, basis, fractions, potentials
        for i in range(n_elements):
            total = 0.0
            for k in range(n_elements):
                total += inverse[i, k] * columns[entering, k]
            direction[i] = total
        leaving, step = _leaving(direction, fractions, basis, careful)
        if leaving < 0:
            return max_pivots, -np.inf, basis, fractions, potentials
        stalled = stalled + 1 if step < 1e-13 else 0
        for k in range(n_elements):
            inverse[leaving, k] /= direction[leaving]
        for i in range(n_elements):
            if i != leaving:
                fractions[i] -= step * direction[i]
                for k in range(n_elements):
                    inverse[i, k] -= direction[i] * inverse[leaving, k]
        fractions[leaving] = step
        basis[leaving] = entering
    return max_pivots, np.nan, basis, fractions, potentials


@njit(cache=True)
def _entering(
    columns: NDArray[np.float64], costs: NDArray[np.float64], potentials: NDArray[np.float64], careful: bool
) -> int:
    """Return the phase of the most negative reduced cost (the first negative one if ``careful``), or −1."""
    entering, steepest = -1, -_TOLERANCE
    for j in range(len(costs)):
        reduced = costs[j]
        for k in range(len(potentials)):
            reduced -= potentials[k] * columns[j, k]
        if reduced < steepest:
            entering = j
            if careful:
                break
            steepest = reduced
    return entering


@njit(cache=True)
def _leaving(
    direction: NDArray[np.float64], fractions: NDArray[np.float64], basis: NDArray[np.int64], careful: bool
) -> tuple[int, float]:
    """Return the row that reaches zero first and the step to there; of equals the largest pivot, or the first phase."""
    leaving, step = -1, np.inf
    for i in range(len(direction)):
        if direction[i] > _TOLERANCE:
            ratio = max(fractions[i], 0.0) / direction[i]
            if ratio < step - 1e-14:
                leaving, step = i, ratio
            elif ratio < step + 1e-14:
                preferred = basis[i] < basis[leaving] if careful else direction[i] > direction[leaving]
                if preferred:
                    leaving, step = i, min(step, ratio)
    return leaving, step


@njit(cache=True)
def least_energies(
    columns: NDArray[np.float64], costs: NDArray[np.float64], start: NDArray[np.int64], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return E(b) in eV/atom for each row of ``points``, (n_points, n_elements); NaN where the pivots ran out."""
    energies = np.empty(len(points))
    for i in range(len(points)):
        status, energy, _, _, _ = least_energy(columns, costs, start, points[i])
        energies[i] = energy if status == SOLVED else np.nan
    return energies


@njit(cache=True)
def bends(
    columns: NDArray[np.float64],
    costs: NDArray[np.float64],
    start: NDArray[np.int64],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
) -> tuple[int, NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Find where the energy bends along t · first + (1 − t) · second, the two ends among them.

    Parameters
    ----------
    columns, costs, start
        As of `least_energy`.
    first, second : (n_elements,)
        Composition at t = 1 and at t = 0.

    Returns
    -------
    status
        `SOLVED` or not.
    fractions : (n_bends,)
        t, ascending, from 0 to 1.
    energies : (n_bends,) eV/atom
        E there.
    bases : (n_bends, n_elements)
        The phases there.
    amounts : (n_bends, n_elements)
        Their amounts.
    """
    status, at_first, at_second = _touching_lines(columns, costs, start, first, second)
    fractions = _upper_envelope(at_first, at_second)
    energies = np.empty(len(fractions))
    bases = np.empty((len(fractions), len(first)), dtype=np.int64)
    amounts = np.empty((len(fractions), len(first)))
    for i in range(len(fractions)):
        t = fractions[i]
        found, energy, basis, parts, _ = least_energy(columns, costs, start, t * first + (1.0 - t) * second)
        status = max(status, found)
        energies[i] = energy
        bases[i] = basis
        amounts[i] = parts
    return status, fractions, energies, bases, amounts


@njit(cache=True)
def _touching_lines(
    columns: NDArray[np.float64],
    costs: NDArray[np.float64],
    start: NDArray[np.int64],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """Return lines under the energy, by their values at both ends, whose upper envelope is the energy."""
    at_first, at_second = np.empty(_MAX_LINES), np.empty(_MAX_LINES)  # π·b₁ and π·b₂ of each line
    todo = np.empty((_MAX_LINES, 2), dtype=np.int64)
    status, n_lines, n_todo = SOLVED, 0, 1
    for t in (0.0, 1.0):
        found, _, _, _, potentials = least_energy(columns, costs, start, t * first + (1.0 - t) * second)
        status = max(status, found)
        at_first[n_lines], at_second[n_lines] = np.dot(potentials, first), np.dot(potentials, second)
        n_lines += 1
    todo[0, 0], todo[0, 1] = 0, 1
    while n_todo > 0 and n_lines < _MAX_LINES and status == SOLVED:
        n_todo -= 1
        left, right = todo[n_todo, 0], todo[n_todo, 1]
        steeper = (at_first[right] - at_second[right]) - (at_first[left] - at_second[left])
        if steeper < _RESOLUTION:
            continue
        t = (at_second[left] - at_second[right]) / steeper
        if t < _RESOLUTION or t > 1.0 - _RESOLUTION:
            continue
        found, energy, _, _, potentials = least_energy(columns, costs, start, t * first + (1.0 - t) * second)
        status = max(status, found)
        if energy - (t * at_first[left] + (1.0 - t) * at_second[left]) < _RESOLUTION:
            continue
        at_first[n_lines], at_second[n_lines] = np.dot(potentials, first), np.dot(potentials, second)
        todo[n_todo, 0], todo[n_todo, 1] = left, n_lines
        todo[n_todo + 1, 0], todo[n_todo + 1, 1] = n_lines, right
        n_todo += 2
        n_lines += 1
    if n_lines == _MAX_LINES:
        status = _MAX_LINES
    return status, at_first[:n_lines], at_second[:n_lines]


@njit(cache=True)
def _upper_envelope(at_first: NDArray[np.float64], at_second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 0, the t in (0, 1) where the highest of the lines changes, and 1."""
    found = [0.0]
    slopes = at_first - at_second
    current = 0
    for i in range(len(slopes)):
        higher = at_second[i] - at_second[current]
        if higher > _RESOLUTION or (higher > -_RESOLUTION and slopes[i] > slopes[current]):
            current = i
    while True:
        nearest, following = 1.0 - _RESOLUTION, -1
        for i in range(len(slopes)):
            steeper = slopes[i] - slopes[current]
            if steeper > _RESOLUTION:
                t = (at_second[current] - at_second[i]) / steeper
                if t < nearest - _RESOLUTION or (
                    following >= 0 and t < nearest + _RESOLUTION and slopes[i] > slopes[following]
                ):
                    nearest, following = min(t, nearest), i
        if following < 0:
            break
        if nearest > found[-1] + 1e-7:
            found.append(nearest)
        current = following
    if found[-1] > 1.0 - 1e-7 and len(found) > 1:
        found.pop()
    found.append(1.0)
    return np.array(found)
