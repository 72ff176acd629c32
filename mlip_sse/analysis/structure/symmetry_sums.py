"""Sums over the neighbours of each atom behind the symmetry functions, in loops that become vector instructions.

Neighbours are ordered by species first, so that the inner loops have no branch; sums over the pairs of one neighbour
are kept apart by the other one and added up by species at the end.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.analysis.structure.exponentials import cosine_cutoff, negative_exponential

__all__ = ["sum_angular", "sum_radial"]


@njit(cache=True)
def _most(offsets: NDArray[np.int64]) -> int:
    longest = 0
    for i in range(len(offsets) - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    return longest


@njit(cache=True)
def _by_kind(
    indices: NDArray[np.int64], kinds: NDArray[np.int64], starts: NDArray[np.int64], order: NDArray[np.int64]
) -> None:
    # counting sort of one atom's neighbours: starts (n_kinds + 1,), order (n,) are filled
    for kind in range(len(starts)):
        starts[kind] = 0
    for j in range(len(indices)):
        starts[kinds[indices[j]] + 1] += 1
    for kind in range(len(starts) - 1):
        starts[kind + 1] += starts[kind]
    for j in range(len(indices)):
        kind = kinds[indices[j]]
        order[starts[kind]] = j
        starts[kind] += 1
    for kind in range(len(starts) - 1, 0, -1):
        starts[kind] = starts[kind - 1]
    starts[0] = 0


@njit(cache=True, fastmath=True)
def sum_radial(
    offsets: NDArray[np.int64],
    indices: NDArray[np.int64],
    distances: NDArray[np.float64],
    kinds: NDArray[np.int64],
    mu: NDArray[np.float64],
    steepness: NDArray[np.float64],
    cutoff: float,
    smooth: bool,
    out: NDArray[np.float64],
) -> None:
    """Add Σ_j exp(−((r_ij − μ) s)²) f(r_ij) up by species; see `symmetry_functions.radial_functions`.

    Parameters
    ----------
    offsets : (n_centres + 1,) where each centre's neighbours begin
    indices : (n_pairs,) atoms
    distances : (n_pairs,) Å
    kinds : (n_atoms,) species
    mu : (n_mu,) Å
    steepness : (n_mu,) s in Å⁻¹
    cutoff
        Å.
    smooth
        Whether f is the cosine cutoff, or one.
    out : (n_centres, n_kinds, n_mu), filled
    """
    longest = _most(offsets)
    order, starts = np.empty(longest, np.int64), np.empty(out.shape[1] + 1, np.int64)
    away, weights, gauss = np.empty(longest), np.ones(longest), np.empty(longest)
    scale = 1.0 / (cutoff * cutoff)
    for centre in range(len(offsets) - 1):
        first, n = offsets[centre], offsets[centre + 1] - offsets[centre]
        _by_kind(indices[first : first + n], kinds, starts, order)
        for j in range(n):
            away[j] = distances[first + order[j]]
        if smooth:
            for j in range(n):
                weights[j] = cosine_cutoff(away[j] * away[j] * scale)
        for k in range(len(mu)):
            middle, inverse = mu[k], steepness[k]
            for j in range(n):
                x = (away[j] - middle) * inverse
                gauss[j] = weights[j] * negative_exponential(x * x)
            for kind in range(out.shape[1]):
                part = gauss[starts[kind] : starts[kind + 1]]
                total = 0.0
                for j in range(len(part)):
                    total += part[j]
                out[centre, kind, k] = total


@njit(cache=True, fastmath=True)
def sum_angular(
    offsets: NDArray[np.int64],
    indices: NDArray[np.int64],
    vectors: NDArray[np.float64],
    kinds: NDArray[np.int64],
    decays: NDArray[np.float64],
    term_starts: NDArray[np.int64],
    terms: NDArray[np.int64],
    signs: NDArray[np.float64],
    sharpness: NDArray[np.float64],
    cutoff: float,
    smooth: bool,
    out: NDArray[np.float64],
) -> None:
    """Add the angular functions up by pair of species; see `symmetry_functions.angular_functions`.

    Parameters
    ----------
    offsets : (n_centres + 1,) where each centre's neighbours begin
    indices : (n_pairs,) atoms
    vectors : (n_pairs, 3) Å
    kinds : (n_atoms,) species
    decays : (n_decays,) distinct ξ⁻² in Å⁻²
    term_starts : (n_decays + 1,)
    terms : (n_terms,) those with the decay d are terms[term_starts[d] : term_starts[d + 1]]
    signs, sharpness : (n_terms,) λ and ζ
    cutoff
        Å.
    smooth
        Whether cosine cutoffs of all three distances weigh a pair.
    out : (n_centres, n_kinds (n_kinds + 1)/2, n_terms), filled
    """
    n_terms, n_kinds = len(signs), int((np.sqrt(8.0 * out.shape[1] + 1.0) - 1.0) / 2.0 + 0.5)
    longest = _most(offsets)
    order, starts = np.empty(longest, np.int64), np.empty(n_kinds + 1, np.int64)
    unit, away, weights = np.empty((3, longest)), np.empty(longest), np.ones(longest)
    cosines, spread, pair, powers = np.empty(longest), np.empty(longest), np.empty(longest), np.empty(longest)
    scale = 1.0 / (cutoff * cutoff)
    sums = np.empty((n_terms, longest))
    for centre in range(len(offsets) - 1):
        first, n = offsets[centre], offsets[centre + 1] - offsets[centre]
        _by_kind(indices[first : first + n], kinds, starts, order)
        _directions(vectors[first : first + n], order, scale, smooth, unit, away, weights)
        for later in range(n_kinds):
            for t in range(n_terms):
                for j in range(n):
                    sums[t, j] = 0.0
            for k in range(starts[later], starts[later + 1]):
                _pairs_with(k, unit, away, weights, scale, smooth, cosines, spread, pair)
                for d in range(len(decays)):
                    for j in range(k):
                        powers[j] = pair[j] * negative_exponential(decays[d] * spread[j])
                    for t in range(term_starts[d], term_starts[d + 1]):
                        _add_powers(cosines[:k], powers[:k], signs[terms[t]], sharpness[terms[t]], sums[terms[t], :k])
            for earlier in range(later + 1):
                place = earlier * n_kinds - earlier * (earlier - 1) // 2 + later - earlier
                for t in range(n_terms):
                    total = 0.0
                    for j in range(starts[earlier], starts[earlier + 1]):
                        total += sums[t, j]
                    out[centre, place, t] = total


@njit(cache=True, fastmath=True)
def _directions(
    vectors: NDArray[np.float64],
    order: NDArray[np.int64],
    scale: float,
    smooth: bool,
    unit: NDArray[np.float64],
    away: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> None:
    # of one atom's neighbours (n, 3) in their order by species: unit (3, n), away (n,) Å and weights (n,) are filled
    for j in range(len(vectors)):
        x, y, z = vectors[order[j], 0], vectors[order[j], 1], vectors[order[j], 2]
        squared = x * x + y * y + z * z
        away[j] = np.sqrt(squared)
        unit[0, j], unit[1, j], unit[2, j] = x / away[j], y / away[j], z / away[j]
        if smooth:
            weights[j] = cosine_cutoff(squared * scale)


@njit(cache=True, fastmath=True)
def _pairs_with(
    k: int,
    unit: NDArray[np.float64],
    away: NDArray[np.float64],
    weights: NDArray[np.float64],
    scale: float,
    smooth: bool,
    cosines: NDArray[np.float64],
    spread: NDArray[np.float64],
    pair: NDArray[np.float64],
) -> None:
    # of the pairs of neighbour k with those before it: cos θ, Σ r² in Å² and the weight are filled, (k,) each
    x, y, z, far = unit[0, k], unit[1, k], unit[2, k], away[k]
    for j in range(k):
        c = unit[0, j] * x + unit[1, j] * y + unit[2, j] * z
        around = away[j] * away[j] + far * far
        across = around - 2.0 * away[j] * far * c
        cosines[j] = c
        spread[j] = around + across
        pair[j] = weights[j] * weights[k]
        if smooth:
            pair[j] *= cosine_cutoff(across * scale)


@njit(cache=True, fastmath=True)
def _add_powers(
    cosines: NDArray[np.float64],
    weights: NDArray[np.float64],
    sign: float,
    power: float,
    sums: NDArray[np.float64],
) -> None:
    # sums += weights (1 + sign cosines)^power; the common powers without a call of pow
    n = len(cosines)
    if power == 1.0:
        for j in range(n):
            sums[j] += weights[j] * (1.0 + sign * cosines[j])
    elif power == 2.0:
        for j in range(n):
            base = 1.0 + sign * cosines[j]
            sums[j] += weights[j] * base * base
    elif power == 4.0:
        for j in range(n):
            base = 1.0 + sign * cosines[j]
            sums[j] += weights[j] * (base * base) * (base * base)
    else:
        for j in range(n):
            sums[j] += weights[j] * max(1.0 + sign * cosines[j], 0.0) ** power
