"""Spherical harmonics of bonds, summed over the neighbours of each atom, and their rotational invariants.

Y_lm = P̄_lm(cos θ) (x + iy)^m for a unit vector, with P̄_lm the normalised associated Legendre function without its sinᵐθ
and with the phase (−1)^m. Recurrences in l make it stable and free of angles, so the poles are points like any others.
Negative m follow from Y_l,−m = (−1)^m Y_lm*.
"""

from functools import lru_cache
from math import comb, factorial, prod, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["bond_harmonics", "power_invariants", "third_invariants", "wigner_3j_triples"]


@njit(cache=True, fastmath={"contract", "reassoc", "nsz", "arcp"})
def bond_harmonics(
    offsets: NDArray[np.int64], vectors: NDArray[np.float64], weights: NDArray[np.float64], l_max: int
) -> NDArray[np.complex128]:
    """Return q_lm(i) = Σ_j w_ij Y_lm(r_ij) / Σ_j w_ij of every atom, not-a-number where it has no neighbour.

    Parameters
    ----------
    offsets : (n_atoms + 1,) where each atom's neighbours begin
    vectors : (n_pairs, 3) Å, of any length
    weights : (n_pairs,) not negative
    l_max
        Highest degree.

    Returns
    -------
    (n_atoms, l_max + 1, l_max + 1), indices l and m ≥ 0
    """
    n_atoms = len(offsets) - 1
    found = np.zeros((n_atoms, l_max + 1, l_max + 1), np.complex128)
    longest = 0
    for i in range(n_atoms):
        longest = max(longest, offsets[i + 1] - offsets[i])
    x, y, z, share = np.empty(longest), np.empty(longest), np.empty(longest), np.empty(longest)
    real, imaginary = np.empty(longest), np.empty(longest)
    below, here = np.empty(longest), np.empty(longest)
    for i in range(n_atoms):
        first, n = offsets[i], offsets[i + 1] - offsets[i]
        total = 0.0
        for j in range(n):
            total += weights[first + j]
        if not total > 0.0:
            for degree in range(l_max + 1):
                for m in range(degree + 1):
                    found[i, degree, m] = np.nan
            continue
        for j in range(n):
            a, b, c = vectors[first + j, 0], vectors[first + j, 1], vectors[first + j, 2]
            length = 1.0 / np.sqrt(a * a + b * b + c * c)
            x[j], y[j], z[j], share[j] = a * length, b * length, c * length, weights[first + j] / total
            real[j], imaginary[j] = share[j], 0.0
        diagonal = np.sqrt(0.25 / np.pi)
        for m in range(l_max + 1):
            if m:
                diagonal *= -np.sqrt((2.0 * m + 1.0) / (2.0 * m))
                for j in range(n):
                    old = real[j]
                    real[j] = old * x[j] - imaginary[j] * y[j]
                    imaginary[j] = old * y[j] + imaginary[j] * x[j]
            for j in range(n):
                below[j], here[j] = 0.0, diagonal
            for degree in range(m, l_max + 1):
                if degree > m:
                    square = 1.0 * degree * degree
                    scale = np.sqrt((4.0 * square - 1.0) / (square - m * m))
                    minus = (degree - 1.0) * (degree - 1.0)
                    last = np.sqrt((minus - m * m) / (4.0 * minus - 1.0))  # 0 for l = m + 1
                    for j in range(n):
                        higher = scale * (z[j] * here[j] - last * below[j])
                        below[j] = here[j]
                        here[j] = higher
                real_sum, imaginary_sum = 0.0, 0.0
                for j in range(n):
                    real_sum += here[j] * real[j]
                    imaginary_sum += here[j] * imaginary[j]
                found[i, degree, m] = complex(real_sum, imaginary_sum)
    return found


def power_invariants(harmonics: NDArray[np.complex128], degrees: tuple[int, ...]) -> NDArray[np.float64]:
    """Return q_l = √(4π/(2l + 1) Σ_m |q_lm|²), (n_atoms, n_degrees)."""
    found = np.empty((len(harmonics), len(degrees)))
    for place, degree in enumerate(degrees):
        found[:, place] = np.sqrt(4.0 * np.pi / (2 * degree + 1) * _norms(harmonics, degree))
    return found


def third_invariants(harmonics: NDArray[np.complex128], degrees: tuple[int, ...]) -> NDArray[np.float64]:
    """Return ŵ_l = Σ_{m₁+m₂+m₃=0} (l l l; m₁ m₂ m₃) q_lm₁ q_lm₂ q_lm₃ / (Σ_m |q_lm|²)^{3/2}, (n_atoms, n_degrees).

    Zero for odd l, by the symmetry of the 3j symbols; not-a-number where all q_lm vanish.
    """
    found = np.empty((len(harmonics), len(degrees)))
    for place, degree in enumerate(degrees):
        positive = harmonics[:, degree, : degree + 1]
        signs = (-1.0) ** np.arange(degree, 0, -1)
        each = np.concatenate([signs * positive[:, :0:-1].conj(), positive], axis=1)
        rows, symbols = wigner_3j_triples(degree)
        total = np.zeros(len(harmonics))
        for (one, two, three), symbol in zip(rows, symbols, strict=True):
            total += symbol * (each[:, one] * each[:, two] * each[:, three]).real
        norms = _norms(harmonics, degree)
        with np.errstate(invalid="ignore", divide="ignore"):
            found[:, place] = np.where(norms > 1e-20, total / norms**1.5, np.nan)
    return found


@lru_cache(maxsize=32)
def wigner_3j_triples(degree: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return all (l + m₁, l + m₂, l + m₃) with m₁ + m₂ + m₃ = 0, and the 3j symbols (l l l; m₁ m₂ m₃).

    Racah's formula in whole numbers up to the last step, so that large l lose no digits.
    """
    rows, symbols = [], []
    for m1 in range(-degree, degree + 1):
        for m2 in range(max(-degree, -degree - m1), min(degree, degree - m1) + 1):
            rows.append((degree + m1, degree + m2, degree - m1 - m2))
            symbols.append(_wigner_3j(degree, m1, m2))
    return np.array(rows, dtype=np.int64), np.array(symbols)


def _wigner_3j(degree: int, m1: int, m2: int) -> float:
    # all three l are equal: Racah's sum is one of products of binomial coefficients
    terms = range(max(0, -m1, m2), min(degree, degree - m1, degree + m2) + 1)
    total = sum((-1) ** k * comb(degree, k) * comb(degree, k + m1) * comb(degree, k - m2) for k in terms)
    weight = prod(factorial(degree + m) * factorial(degree - m) for m in (m1, m2, m1 + m2))
    square = total * total * weight / (factorial(degree) ** 3 * factorial(3 * degree + 1))
    sign = -1.0 if (total < 0) != ((m1 + m2) % 2 == 1) else 1.0
    return sign * sqrt(square)


def _norms(harmonics: NDArray[np.complex128], degree: int) -> NDArray[np.float64]:
    squares = np.abs(harmonics[:, degree, : degree + 1]) ** 2
    norms: NDArray[np.float64] = squares[:, 0] + 2.0 * squares[:, 1:].sum(axis=1)
    return norms
