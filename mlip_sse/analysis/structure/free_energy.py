"""Free energy of an ion in space, and how high it must climb to cross the crystal.

F(s) = -kBT ln(ρ(s)/max ρ)

Counting alone leaves δF = kBT/√n for a point that n counts tell about; counts of frames that follow each other closely
are fewer than they seem. The percolation level along an axis is the lowest F below which the visited points connect to
a channel that leads on for ever along it. Points are taken from the densest down and joined to their neighbours across
faces; each remembers by how many cells its cluster's first point lies away, so that a cluster that meets itself in
another cell has percolated, along the vector between both cells (union-find with offsets).

References
----------
M. E. J. Newman, R. M. Ziff, Phys. Rev. E 64, 016706 (2001), doi:10.1103/PhysRevE.64.016706
J. Machta et al., Phys. Rev. E 54, 1332 (1996), doi:10.1103/PhysRevE.54.1332 (wrapping detected by offsets)
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import gammaincinv

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K

if TYPE_CHECKING:
    from mlip_sse.analysis.structure.density import IonDensity

__all__ = ["FreeEnergyMap", "Percolation", "free_energy_map", "percolation"]


@dataclass(frozen=True, eq=False)
class FreeEnergyMap:
    """Free energy of an ion on the grid of a density.

    Parameters
    ----------
    values : (n_a, n_b, n_c) eV above the densest point; infinite where no ion has been
    errors : (n_a, n_b, n_c) eV, standard error of the counting; infinite where no ion has been
    effective_counts : (n_a, n_b, n_c) on how many counts each value rests
    cell : (3, 3) Å
    temperature_k
        In K.
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    effective_counts: NDArray[np.float64]
    cell: NDArray[np.float64]
    temperature_k: float


@dataclass(frozen=True, eq=False)
class Percolation:
    """How high an ion must climb to cross the crystal.

    Parameters
    ----------
    axes_ev
        Barrier in eV along a, b and c; None where the visited points do not connect.
    dimensions_ev
        Barrier in eV to a channel that leads on in one, in two and in three dimensions.
    bottlenecks : (3, 3) fractions of the point that completes the channel along each axis; NaN without a channel
    verdict
        Weak where an axis has no channel, or its bottleneck rests on few counts.
    """

    axes_ev: tuple[Interval | None, Interval | None, Interval | None]
    dimensions_ev: tuple[Interval | None, Interval | None, Interval | None]
    bottlenecks: NDArray[np.float64]
    verdict: Verdict


def free_energy_map(density: "IonDensity", temperature_k: float) -> FreeEnergyMap:
    """Return the free energy that belongs to a density.

    Parameters
    ----------
    density
        With its smoothing, which bounds the height of narrow barriers from above.
    temperature_k
        In K.

    Raises
    ------
    InputError
        When the temperature is not positive, or no ion has been counted.
    """
    if not 0 < temperature_k < np.inf:
        raise InputError(f"found a temperature of {temperature_k!r} K, expected a positive number")
    if not density.counts.any():
        raise InputError("found a density of no ion at all, expected at least one count")
    thermal = BOLTZMANN_EV_PER_K * temperature_k
    seen = density.values >= density.least_density * (1 - 1e-9)
    counts = np.where(seen, density.effective_counts(), 0.0)
    values, errors = np.full(density.shape, np.inf), np.full(density.shape, np.inf)
    values[seen] = -thermal * np.log(density.values[seen] / density.values.max())
    errors[seen] = thermal / np.sqrt(counts[seen])
    return FreeEnergyMap(values, errors, counts, density.cell, float(temperature_k))


def percolation(free_energy: FreeEnergyMap, confidence: float = 0.95, least_counts: float = 10.0) -> Percolation:
    """Find the barriers to cross the crystal along each axis and in one, two and three dimensions.

    Parameters
    ----------
    free_energy
        Of any grid.
    confidence
        Of the intervals, exact Poisson for the counts at the bottleneck.
    least_counts
        Bottlenecks that rest on fewer counts make the verdict weak.
    """
    values = free_energy.values.ravel()
    order = np.argsort(values, kind="stable")
    order = order[: int(np.isfinite(values).sum())]
    axes, dimensions = _percolate(order, np.array(free_energy.values.shape))
    verdict = Verdict()
    bottlenecks = np.full((3, 3), np.nan)
    for k, point in enumerate(axes):
        if point < 0:
            verdict = verdict.weaken(f"no channel along {'abc'[k]}: the points that ions visited do not connect")
            continue
        place = np.unravel_index(int(point), free_energy.values.shape)
        bottlenecks[k] = np.array(place) / free_energy.values.shape
        counts = float(free_energy.effective_counts[place])
        if counts < least_counts:
            verdict = verdict.weaken(
                f"the bottleneck along {'abc'[k]} rests on {counts:.1f} counts, fewer than {least_counts:g}"
            )
    along = [_barrier(free_energy, int(point), confidence) for point in axes]
    among = [_barrier(free_energy, int(point), confidence) for point in dimensions]
    return Percolation((along[0], along[1], along[2]), (among[0], among[1], among[2]), bottlenecks, verdict)


def _barrier(free_energy: FreeEnergyMap, point: int, confidence: float) -> Interval | None:
    if point < 0:
        return None
    thermal = BOLTZMANN_EV_PER_K * free_energy.temperature_k
    value = float(free_energy.values.ravel()[point])
    counts = float(free_energy.effective_counts.ravel()[point])
    tail = 0.5 * (1.0 - confidence)
    fewest, most = float(gammaincinv(counts, tail)), float(gammaincinv(counts + 1.0, 1.0 - tail))
    low = max(0.0, value - thermal * float(np.log(most / counts)))
    high = value + thermal * float(np.log(counts / max(fewest, 1e-300)))
    return Interval(
        value, low, high, confidence, f"percolation of the density, Poisson of {counts:.1f} counts at the top"
    )


@njit(cache=True, nogil=True)
def _rank(vectors: NDArray[np.int64], n: int) -> int:
    # of the first n of three vectors of whole numbers
    if n == 3:
        determinant = (
            vectors[0, 0] * (vectors[1, 1] * vectors[2, 2] - vectors[1, 2] * vectors[2, 1])
            - vectors[0, 1] * (vectors[1, 0] * vectors[2, 2] - vectors[1, 2] * vectors[2, 0])
            + vectors[0, 2] * (vectors[1, 0] * vectors[2, 1] - vectors[1, 1] * vectors[2, 0])
        )
        if determinant != 0:
            return 3
        n = 2
    if n == 2:
        for k in range(3):
            m = (k + 1) % 3
            if vectors[0, k] * vectors[1, m] != vectors[0, m] * vectors[1, k]:
                return 2
        n = 1
    return 1 if n == 1 and (vectors[0, 0] != 0 or vectors[0, 1] != 0 or vectors[0, 2] != 0) else 0


@njit(cache=True, nogil=True)
def _top(parents: NDArray[np.int64], offsets: NDArray[np.int64], at: int, total: NDArray[np.int64]) -> int:
    # total: by how many cells the top of the cluster lies away
    for k in range(3):
        total[k] = 0
    while parents[at] != at:
        up = parents[at]
        for k in range(3):
            offsets[at, k] += offsets[up, k]  # half the path, so that the next walk is shorter; the top's own is zero
            total[k] += offsets[at, k]
        parents[at] = parents[up]
        at = parents[at]
    return at


@njit(cache=True, nogil=True)
def _include(vectors: NDArray[np.int64], n: int, vector: NDArray[np.int64]) -> int:
    # how many independent vectors there are with one more
    if n == 3:
        return 3
    for k in range(3):
        vectors[n, k] = vector[k]
    return n + 1 if _rank(vectors, n + 1) == n + 1 else n


@njit(cache=True, nogil=True)
def _percolate(order: NDArray[np.int64], shape: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    n_a, n_b, n_c = shape
    size = n_a * n_b * n_c
    parents = np.full(size, -1, np.int64)
    offsets = np.zeros((size, 3), np.int64)
    ranks = np.ones(size, np.int64)  # sizes of the clusters
    wraps, n_wraps = np.zeros((size, 3, 3), np.int64), np.zeros(size, np.int64)
    axes, dimensions = np.full(3, -1, np.int64), np.full(3, -1, np.int64)
    mine, theirs, between = np.empty(3, np.int64), np.empty(3, np.int64), np.empty(3, np.int64)
    here, there = np.empty(3, np.int64), np.empty(3, np.int64)
    for point in order:
        parents[point] = point
        here[0], here[1], here[2] = point // (n_b * n_c), point // n_c % n_b, point % n_c
        for face in range(6):
            k, way = face // 2, 2 * (face % 2) - 1
            for m in range(3):
                there[m] = here[m]
            there[k] += way
            image = there[k] // shape[k]
            there[k] -= image * shape[k]
            other = (there[0] * n_b + there[1]) * n_c + there[2]
            if parents[other] < 0:
                continue
            one, two = _top(parents, offsets, point, mine), _top(parents, offsets, other, theirs)
            # by how many cells the second top lies from the first, through this face
            for m in range(3):
                between[m] = mine[m] - theirs[m]
            between[k] += image
            if one == two:
                if between[0] == 0 and between[1] == 0 and between[2] == 0:
                    continue
                n_wraps[one] = _include(wraps[one], n_wraps[one], between)
            else:
                if ranks[one] < ranks[two]:
                    one, two = two, one
                    for m in range(3):
                        between[m] = -between[m]
                parents[two] = one
                for m in range(3):
                    offsets[two, m] = between[m]
                ranks[one] += ranks[two]
                for m in range(n_wraps[two]):
                    n_wraps[one] = _include(wraps[one], n_wraps[one], wraps[two, m])
            for m in range(n_wraps[one]):
                if dimensions[m] < 0:
                    dimensions[m] = point
                for axis in range(3):
                    if axes[axis] < 0 and wraps[one, m, axis] != 0:
                        axes[axis] = point
        if dimensions[2] >= 0:
            break
    return axes, dimensions
