"""Simulated annealing of charges on sites: exchange two occupants, cool, then descend to where no exchange helps."""

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["anneal", "exchange_energies"]

_COLDEST = 1e-3
"""Last temperature over the first."""


def anneal(
    start: NDArray[np.int64],
    groups: Sequence[NDArray[np.int64]],
    charges: NDArray[np.float64],
    matrix: NDArray[np.float64],
    n_sweeps: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return an arrangement of low energy, reached from a random one.

    Metropolis exchanges within a group while the temperature falls geometrically, starting where a typical exchange
    costs as much as the thermal energy; then steepest descent over all exchanges.

    Parameters
    ----------
    start : (n_sites,)
        Occupant of each site, as index into ``charges``.
    groups
        Sites within which occupants may change places.
    charges : (n_kinds,) e
        Charge of each kind of occupant; index -1 is a vacancy.
    matrix : (n_sites, n_sites) eV/e²
        Interaction of unit charges.
    n_sweeps
        Exchanges tried, per site of the groups.
    rng
        Source of randomness.

    References
    ----------
    S. Kirkpatrick, C. D. Gelatt, M. P. Vecchi, Science 220, 671 (1983), doi:10.1126/science.220.4598.671.
    """
    occupants = start.copy()
    for sites in groups:
        occupants[sites] = rng.permutation(occupants[sites])
    potential = matrix @ charges[occupants]
    costs = np.concatenate(
        [exchange_energies(occupants, sites, charges, matrix, potential).ravel() for sites in groups]
    )
    costs = np.abs(costs[np.isfinite(costs)])
    n_steps = n_sweeps * sum(len(sites) for sites in groups)
    temperatures = (float(costs.mean()) if len(costs) else 1.0) * np.geomspace(1, _COLDEST, n_steps)
    flat, ends = np.concatenate(list(groups)), np.cumsum([len(sites) for sites in groups])
    _cool(occupants, potential, flat, ends, charges, matrix, temperatures, rng.random((n_steps, 3)))
    _descend(occupants, groups, charges, matrix)
    return occupants


@njit(cache=True)
def _cool(
    occupants: NDArray[np.int64],
    potential: NDArray[np.float64],
    flat: NDArray[np.int64],
    ends: NDArray[np.int64],
    charges: NDArray[np.float64],
    matrix: NDArray[np.float64],
    temperatures: NDArray[np.float64],
    draws: NDArray[np.float64],
) -> None:
    """Exchange occupants in place, one try for each temperature; three numbers in [0, 1) decide each try."""
    for step in range(len(temperatures)):
        pick = int(draws[step, 0] * len(flat))
        group = 0
        while pick >= ends[group]:
            group += 1
        first = ends[group - 1] if group else 0
        i, j = flat[pick], flat[first + int(draws[step, 1] * (ends[group] - first))]
        if occupants[i] == occupants[j]:
            continue
        change = charges[occupants[j]] - charges[occupants[i]]  # of the charge on i; j changes by the opposite
        cost = change * (potential[i] - potential[j])
        cost += 0.5 * change**2 * (matrix[i, i] + matrix[j, j] - 2 * matrix[i, j])
        if cost <= 0 or draws[step, 2] < np.exp(-cost / temperatures[step]):
            occupants[i], occupants[j] = occupants[j], occupants[i]
            if change != 0:
                for k in range(len(potential)):
                    potential[k] += change * (matrix[i, k] - matrix[j, k])


def exchange_energies(
    occupants: NDArray[np.int64],
    sites: NDArray[np.int64],
    charges: NDArray[np.float64],
    matrix: NDArray[np.float64],
    potential: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the energy change in eV of exchanging any two occupants of a group.

    ΔE_ij = δ (φ_i - φ_j) + ½ δ² (M_ii + M_jj - 2 M_ij), δ = q_j - q_i, φ = M q; infinite where nothing changes.

    Returns
    -------
    (n, n) eV
        Symmetric over the n sites of the group.
    """
    q = charges[occupants[sites]]
    delta = q[None, :] - q[:, None]
    field = potential[sites]
    inner = matrix[np.ix_(sites, sites)]
    own = np.diag(inner)
    energies = delta * (field[:, None] - field[None, :]) + 0.5 * delta**2 * (own[:, None] + own[None, :] - 2 * inner)
    same = occupants[sites][:, None] == occupants[sites][None, :]
    return np.where(same, np.inf, energies)


def _descend(
    occupants: NDArray[np.int64],
    groups: Sequence[NDArray[np.int64]],
    charges: NDArray[np.float64],
    matrix: NDArray[np.float64],
) -> None:
    while True:
        potential = matrix @ charges[occupants]
        best_cost, pair = -1e-9, None
        for sites in groups:
            energies = exchange_energies(occupants, sites, charges, matrix, potential)
            lowest = int(energies.argmin())
            if energies.flat[lowest] < best_cost:
                row, column = divmod(lowest, len(sites))
                best_cost, pair = float(energies.flat[lowest]), (sites[row], sites[column])
        if pair is None:
            return
        i, j = pair
        occupants[i], occupants[j] = occupants[j], occupants[i]
