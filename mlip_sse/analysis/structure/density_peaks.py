"""Peaks of a density with their basins: where ions sit, and how many on average.

Points are taken from the densest down. One that touches no point taken before starts a peak; any other joins the basin
of its densest neighbour. Where two basins meet, the lower peak joins the higher one if it stands out too little,
ln(ρ_peak/ρ_pass) below the persistence, or lies too near. This is the watershed with persistence (union-find).

References
----------
H. Edelsbrunner, D. Letscher, A. Zomorodian, Discrete Comput. Geom. 28, 511 (2002), doi:10.1007/s00454-002-2885-2
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.analysis.structure.density import IonDensity

__all__ = ["DensityPeaks", "density_peaks"]

_MOST_SHIFTS = 100
_SMALL_SHIFT_A = 1e-3
_GAUSSIAN_REACH = 4.0


@dataclass(frozen=True, eq=False)
class DensityPeaks:
    """Maxima of a density, those with most ions first.

    Parameters
    ----------
    fractions : (n_peaks, 3) centre of the density around each maximum, in [0, 1)
    positions : (n_peaks, 3) Å
    heights : (n_peaks,) Å⁻³, the density at the maximum
    occupancies : (n_peaks,) mean number of ions in the basin
    basins : (n_a, n_b, n_c) which peak each grid point belongs to, -1 where no ion has been
    """

    fractions: NDArray[np.float64]
    positions: NDArray[np.float64]
    heights: NDArray[np.float64]
    occupancies: NDArray[np.float64]
    basins: NDArray[np.int64]


def density_peaks(
    density: "IonDensity",
    least_separation_a: float = 1.0,
    persistence: float = 0.5,
    least_occupancy: float = 0.02,
) -> DensityPeaks:
    """Find the peaks of a density and the mean number of ions in each.

    Parameters
    ----------
    density
        Smoothed, else every voxel with a count more than its neighbours is a peak.
    least_separation_a
        Peaks closer than this are one, in Å.
    persistence
        Peaks whose density exceeds that of the pass to a higher one by less than this factor's logarithm are one;
        a barrier in units of kBT.
    least_occupancy
        Peaks with fewer ions on average are left out, and their points belong to none.

    Raises
    ------
    InputError
        When a setting is negative, or no peak is left.
    """
    if min(least_separation_a, persistence, least_occupancy) < 0:
        raise InputError(
            f"found separation {least_separation_a:g} Å, persistence {persistence:g}, occupancy {least_occupancy:g}, "
            "expected none of them negative"
        )
    values = density.values.ravel()
    order = np.argsort(-values, kind="stable")
    order = order[: int(np.searchsorted(-values[order], -density.least_density, side="right"))]
    if not len(order):
        raise InputError("found no density above that of a single visit, expected a longer run or a wider smoothing")
    labels = _watershed(
        values, order, np.array(density.shape), density.cell, float(least_separation_a), float(persistence)
    )
    tops, places = np.unique(labels[labels >= 0], return_inverse=True)
    occupancies = np.asarray(np.bincount(places, weights=values[labels >= 0]), dtype=np.float64) * density.voxel_volume
    ranking = np.argsort(-occupancies, kind="stable")
    ranking = ranking[occupancies[ranking] >= least_occupancy]
    if not len(ranking):
        raise InputError(
            f"found no peak with more than {least_occupancy:g} ions, the largest has {occupancies.max():.3g}: lower "
            "least_occupancy or smooth more"
        )
    renamed = np.full(len(values), -1, dtype=np.int64)
    rank_of_top = np.full(len(tops), -1, dtype=np.int64)
    rank_of_top[ranking] = np.arange(len(ranking))
    renamed[labels >= 0] = rank_of_top[places]
    basins = renamed.reshape(density.shape)
    fractions = _centres(density, basins, tops[ranking], 0.5 * least_separation_a)
    return DensityPeaks(fractions, fractions @ density.cell, values[tops[ranking]], occupancies[ranking], basins)


def _centres(
    density: "IonDensity", basins: NDArray[np.int64], tops: NDArray[np.int64], width_a: float
) -> NDArray[np.float64]:
    """Return the mean position of the density under a Gaussian around itself, within its basin; (n_peaks, 3).

    The mean is sought from the maximum on (mean shift), so that the grid and the noise of the top do not decide.
    """
    shape = np.array(density.shape)
    summits = np.column_stack(np.unravel_index(tops, density.shape)) / shape
    where = np.argwhere(basins >= 0)
    peak = basins[tuple(where.T)]
    apart = where / shape - summits[peak]
    vectors = (apart - np.rint(apart)) @ density.cell
    near = (vectors**2).sum(axis=1) <= (_GAUSSIAN_REACH * width_a) ** 2 + 1e-9
    peak, vectors, weights = peak[near], vectors[near], density.values[tuple(where[near].T)]
    shifts = np.zeros((len(tops), 3))
    for _ in range(_MOST_SHIFTS):
        squared = ((vectors - shifts[peak]) ** 2).sum(axis=1)
        heavy = weights * np.exp(-0.5 * squared / max(width_a, 1e-9) ** 2)
        total = np.bincount(peak, weights=heavy, minlength=len(tops))
        moments = [np.bincount(peak, weights=heavy * vectors[:, k], minlength=len(tops)) for k in range(3)]
        before, shifts = shifts, np.column_stack(moments) / np.maximum(total, 1e-300)[:, None]
        if np.abs(shifts - before).max() < _SMALL_SHIFT_A:
            break
    return np.asarray((summits + shifts @ np.linalg.inv(density.cell)) % 1.0 % 1.0)  # -1e-20 % 1 is one


@njit(cache=True, nogil=True)
def _root(parents: NDArray[np.int64], at: int) -> int:
    while parents[at] != at:
        parents[at] = parents[parents[at]]
        at = parents[at]
    return at


@njit(cache=True, nogil=True)
def _distance(one: int, other: int, shape: NDArray[np.int64], cell: NDArray[np.float64]) -> float:
    # nearest of the images around the rounded one
    s = np.empty(3)
    for k in range(2, -1, -1):
        s[k] = (one % shape[k] - other % shape[k]) / shape[k]
        s[k] -= np.rint(s[k])
        one, other = one // shape[k], other // shape[k]
    nearest = np.inf
    for a in range(-1, 2):
        for b in range(-1, 2):
            for c in range(-1, 2):
                squared = 0.0
                for k in range(3):
                    squared += ((s[0] + a) * cell[0, k] + (s[1] + b) * cell[1, k] + (s[2] + c) * cell[2, k]) ** 2
                nearest = min(nearest, squared)
    return float(np.sqrt(nearest))


@njit(cache=True, nogil=True)
def _watershed(
    values: NDArray[np.float64],
    order: NDArray[np.int64],
    shape: NDArray[np.int64],
    cell: NDArray[np.float64],
    separation: float,
    persistence: float,
) -> NDArray[np.int64]:
    # labels: the grid point that is the top of each point's basin, -1 where none; tops are joined in `parents`
    n_a, n_b, n_c = shape
    labels = np.full(len(values), -1, np.int64)
    parents = np.arange(len(values))
    met = np.empty(26, np.int64)
    for point in order:
        a, b, c = point // (n_b * n_c), point // n_c % n_b, point % n_c
        n_met, densest = 0, -1
        for step in range(27):
            if step == 13:
                continue
            other = ((a + step // 9 - 1) % n_a * n_b + (b + step // 3 % 3 - 1) % n_b) * n_c + (c + step % 3 - 1) % n_c
            if labels[other] < 0 or other == point:
                continue
            if densest < 0 or values[other] > values[densest]:
                densest = other
            met[n_met] = _root(parents, labels[other])
            n_met += 1
        if densest < 0:
            labels[point] = point
            continue
        home = _root(parents, labels[densest])
        labels[point] = home
        for m in range(n_met):
            one, other = _root(parents, home), _root(parents, met[m])
            if one == other:
                continue
            low = one if values[one] < values[other] else other
            high = one + other - low
            if np.log(values[low] / values[point]) < persistence or _distance(one, other, shape, cell) < separation:
                parents[low] = high
    for point in order:
        labels[point] = _root(parents, labels[point])
    return labels
