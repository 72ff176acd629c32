"""Sums of plane waves over atoms, for all reciprocal vectors of a cell.

exp(2πi (h x + k y + l z)) is a product of three factors; tables of each for one block of atoms stay in the cache, and
vectors that share h and k share the product of two.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.errors import InputError

__all__ = ["amplitudes", "reciprocal_vectors"]

_MOST_VECTORS = 5_000_000
_ATOMS_A_BLOCK = 128


def reciprocal_vectors(cell: NDArray[np.float64], q_max: float) -> NDArray[np.int64]:
    """Return the whole numbers (h, k, l) of all vectors up to a length, one of each two opposite ones, without zero.

    Parameters
    ----------
    cell : (3, 3) Å
    q_max
        In Å⁻¹.

    Returns
    -------
    (n, 3) in lexicographic order

    Raises
    ------
    InputError
        When there would be more than 5·10⁶.
    """
    reach = np.floor(q_max * np.linalg.norm(cell, axis=1) / (2.0 * np.pi) + 1e-9).astype(np.int64)
    expected = q_max**3 * abs(float(np.linalg.det(cell))) / (12.0 * np.pi**2)
    if expected > _MOST_VECTORS:
        raise InputError(
            f"found about {expected:.1e} reciprocal vectors up to {q_max:.3g} Å⁻¹, expected at most "
            f"{_MOST_VECTORS:.0e}: choose a smaller q_max"
        )
    reciprocal = 2.0 * np.pi * np.linalg.inv(cell).T
    k, m = np.meshgrid(np.arange(-reach[1], reach[1] + 1), np.arange(-reach[2], reach[2] + 1), indexing="ij")
    planes = []
    for h in range(reach[0] + 1):
        plane = np.column_stack([np.full(k.size, h), k.ravel(), m.ravel()])
        if h == 0:
            plane = plane[(plane[:, 1] > 0) | ((plane[:, 1] == 0) & (plane[:, 2] > 0))]
        planes.append(plane[((plane @ reciprocal) ** 2).sum(axis=1) <= q_max**2 * (1 + 1e-12)])
    return np.ascontiguousarray(np.concatenate(planes), dtype=np.int64)


def amplitudes(
    fractions: NDArray[np.float64], bounds: NDArray[np.int64], triples: NDArray[np.int64]
) -> NDArray[np.complex128]:
    """Return Σ exp(-2πi (h, k, l)·s) over the atoms of each kind.

    Parameters
    ----------
    fractions : (3, n_atoms) sorted by kind
    bounds : (n_kinds + 1,) where each kind begins
    triples : (n_vectors, 3) h, k, l, in lexicographic order for speed

    Returns
    -------
    (n_kinds, n_vectors)
    """
    parts = np.zeros((2, len(bounds) - 1, len(triples)))
    _add_waves(fractions, bounds, triples, np.abs(triples).max(axis=0), parts)
    return np.asarray(parts[0] - 1j * parts[1])


@njit(cache=True, nogil=True, fastmath=True)
def _powers(s: NDArray[np.float64], n: int, table: NDArray[np.float64]) -> None:
    # table (2 n + 1, 2, n_atoms): cos and sin of 2π m s for m from -n to n
    for i in range(len(s)):
        turn = 2.0 * np.pi * (s[i] - np.floor(s[i]))
        table[n, 0, i], table[n, 1, i] = 1.0, 0.0
        c, d = np.cos(turn), np.sin(turn)
        for m in range(1, n + 1):
            x, y = table[n + m - 1, 0, i], table[n + m - 1, 1, i]
            x, y = x * c - y * d, x * d + y * c
            table[n + m, 0, i], table[n + m, 1, i] = x, y
            table[n - m, 0, i], table[n - m, 1, i] = x, -y


@njit(cache=True, nogil=True, fastmath=True)
def _add_waves(
    fractions: NDArray[np.float64],
    bounds: NDArray[np.int64],
    triples: NDArray[np.int64],
    reach: NDArray[np.int64],
    parts: NDArray[np.float64],
) -> None:
    # a block of atoms at a time, so that the tables of their waves stay in the cache
    for kind in range(len(bounds) - 1):
        for first in range(bounds[kind], bounds[kind + 1], _ATOMS_A_BLOCK):
            n = min(_ATOMS_A_BLOCK, bounds[kind + 1] - first)
            along = (
                np.empty((2 * reach[0] + 1, 2, n)),
                np.empty((2 * reach[1] + 1, 2, n)),
                np.empty((2 * reach[2] + 1, 2, n)),
            )
            for k in range(3):
                _powers(fractions[k, first : first + n], reach[k], along[k])
            real, imaginary = np.empty(n), np.empty(n)
            h, k_before = -1, 0
            for v in range(len(triples)):
                if triples[v, 0] != h or triples[v, 1] != k_before:
                    h, k_before = triples[v, 0], triples[v, 1]
                    a, b = along[0][h + reach[0]], along[1][k_before + reach[1]]
                    a_cos, a_sin, b_cos, b_sin = a[0], a[1], b[0], b[1]
                    for i in range(n):
                        real[i] = a_cos[i] * b_cos[i] - a_sin[i] * b_sin[i]
                        imaginary[i] = a_cos[i] * b_sin[i] + a_sin[i] * b_cos[i]
                c_cos, c_sin = along[2][triples[v, 2] + reach[2], 0], along[2][triples[v, 2] + reach[2], 1]
                x = y = 0.0
                for i in range(n):
                    x += real[i] * c_cos[i] - imaginary[i] * c_sin[i]
                    y += real[i] * c_sin[i] + imaginary[i] * c_cos[i]
                parts[0, kind, v] += x
                parts[1, kind, v] += y
