"""Walkers whose transport coefficients are known, for the coverage of intervals.

All return coordinates (n_ions, 3, n_frames) in Å, one frame a time unit.
"""

import numpy as np
from numba import njit

CUBIC = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
BODY_CENTRED = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])
FACE_CENTRED = np.array(
    [[i, j, 0] for i in (-1, 1) for j in (-1, 1)]
    + [[i, 0, k] for i in (-1, 1) for k in (-1, 1)]
    + [[0, j, k] for j in (-1, 1) for k in (-1, 1)]
)


def brownian(rng, n_ions, n_frames, step=1.0):
    """Independent Gaussian steps; D = step²/2."""
    return np.cumsum(rng.standard_normal((n_ions, 3, n_frames)) * step, axis=2)


def strings(rng, n_ions, n_frames, length, step=1.0):
    """Move groups of ``length`` ions as one: D = step²/2, Haven ratio 1/length."""
    return np.repeat(brownian(rng, n_ions // length, n_frames, step), length, axis=0)


def caged(rng, n_ions, n_frames, rate, hop=3.0, vibration=0.35, memory=2.0):
    """Poisson hops of length ``hop`` at ``rate`` per frame, and a vibration with correlation time ``memory`` frames.

    D = rate hop²/6; the vibration (standard deviation per axis) is an Ornstein-Uhlenbeck process.
    """
    hops = _poisson_hops(rng.integers(1 << 31), n_ions, n_frames, rate) * hop
    noise = rng.standard_normal((n_ions, 3, n_frames)) * vibration
    return hops + _ornstein_uhlenbeck(noise, np.exp(-1.0 / memory))


@njit(cache=True)
def _poisson_hops(seed, n_ions, n_frames, rate):
    np.random.seed(seed)
    out = np.zeros((n_ions, 3, n_frames))
    for i in range(n_ions):
        site = np.zeros(3)
        for t in range(n_frames):
            for _ in range(np.random.poisson(rate)):
                site[np.random.randint(3)] += 2 * np.random.randint(2) - 1
            out[i, :, t] = site
    return out


@njit(cache=True)
def _ornstein_uhlenbeck(noise, memory):
    out = noise.copy()
    for i in range(noise.shape[0]):
        for axis in range(3):
            for t in range(1, noise.shape[2]):
                out[i, axis, t] = memory * out[i, axis, t - 1] + np.sqrt(1 - memory**2) * noise[i, axis, t]
    return out


def lattice_gas(rng, edge, n_vacancies, n_frames, moves, neighbours=CUBIC, warm_up=200):
    """Vacancies on a periodic lattice, on average ``moves`` attempted exchanges a frame, at random times.

    Body- and face-centred lattices (8 and 12 neighbours) are the cubic grid's points of one parity class. The charge
    displacement is minus that of the vacancies, so that
    D_σ = moves (1 - (n_vacancies - 1)/(n_sites - 1)) |neighbour|²/(6 n_ions).
    """
    return _exchange(int(rng.integers(1 << 31)), edge, n_vacancies, n_frames, moves, neighbours, warm_up)


@njit(cache=True)
def _exchange(seed, edge, n_vacancies, n_frames, moves, neighbours, warm_up):
    np.random.seed(seed)
    parity = 1 if len(neighbours) <= 6 else (2 if len(neighbours) == 8 else 3)
    sites = np.empty(edge**3, np.int64)
    n_sites = 0
    for s in range(edge**3):
        a, b, c = s // edge**2, (s // edge) % edge, s % edge
        if parity == 1 or (parity == 2 and a % 2 == b % 2 == c % 2) or (parity == 3 and (a + b + c) % 2 == 0):
            sites[n_sites] = s
            n_sites += 1
    order = np.random.permutation(n_sites)
    ion_at = np.full(edge**3, -1)
    n_ions = n_sites - n_vacancies
    for i in range(n_ions):
        ion_at[sites[order[i]]] = i
    vacancies = np.empty(n_vacancies, np.int64)
    for v in range(n_vacancies):
        vacancies[v] = sites[order[n_ions + v]]
    moved = np.zeros((n_ions, 3))
    out = np.empty((n_ions, 3, n_frames))
    for t in range(-warm_up, n_frames):
        for _ in range(np.random.poisson(moves)):
            v = np.random.randint(n_vacancies)
            step = neighbours[np.random.randint(len(neighbours))]
            here = vacancies[v]
            a = (here // edge**2 + step[0]) % edge
            b = ((here // edge) % edge + step[1]) % edge
            c = (here % edge + step[2]) % edge
            there = (a * edge + b) * edge + c
            ion = ion_at[there]
            if ion >= 0:
                ion_at[here], ion_at[there], vacancies[v] = ion, -1, there
                for axis in range(3):
                    moved[ion, axis] -= step[axis]
        if t >= 0:
            out[:, :, t] = moved
    return out
