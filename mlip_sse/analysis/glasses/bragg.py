"""Whether a cell scatters like a glass: single reciprocal vectors held against the smooth part of S(q).

A(q) = Σ_i Z_i exp(-i q·r_i),   I(q) = |⟨A(q)⟩|² / Σ_i Z_i²

Without order the phases of a frozen structure are random: I of each vector is exponentially distributed about a smooth
S(q) ("speckle"), however long it is watched. The largest of M vectors then stays below S(q) ln(M/α), but for one glass
in 1/α. A crystal of m cells has nothing at all but at one vector in m, where I is of the order of N: it is far above.

S(q) is the median of I over the vectors nearest in length, divided by ln 2: no peak moves a median. The amplitudes are
averaged over time first, so that what moves, ions that diffuse and all vibration, leaves the peaks. Atomic numbers
weigh, as for X-rays: the framework is seen first.

A crystal of one single cell cannot be told from a glass, which repeats as well; give two cells along some direction.

References
----------
Speckle: J. W. Goodman, J. Opt. Soc. Am. 66, 1145 (1976), doi:10.1364/JOSA.66.001145.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.structure.frames import fractional_frames
from mlip_sse.analysis.structure.reciprocal_sums import amplitudes, reciprocal_vectors
from mlip_sse.errors import InputError
from mlip_sse.trajectory.fractional_positions import consistent_cells

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["BraggTest", "Intensities", "bragg_tests", "intensities"]

_Q_MAX = 6.0
_MOST_FRAMES = 50
_FALSE_ALARMS = 1e-3
_SLOPE = 2.0
_NEAREST = 60
_FEWEST = 200
_NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class Intensities:
    """Scattered intensity at each reciprocal vector of one cell.

    Parameters
    ----------
    q : (n_vectors,) Å⁻¹, in rising order
    values : (n_vectors,) over that of atoms without order
    """

    q: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class BraggTest:
    """The sharpest peak of one cell.

    Parameters
    ----------
    sharpest
        Largest intensity over the smooth part.
    limit
        What a glass stays below, but for one in a thousand.
    q
        Where it is, Å⁻¹.
    n_vectors
        That were looked at.
    """

    sharpest: float
    limit: float
    q: float
    n_vectors: int

    @property
    def is_crystalline(self) -> bool:
        """Whether there is a Bragg peak."""
        return self.sharpest > self.limit


def intensities(trajectory: "Trajectory", q_max: float = _Q_MAX) -> Intensities:
    """Return the intensity at each reciprocal vector up to a length, from amplitudes averaged over about 50 frames.

    Parameters
    ----------
    trajectory
        Of a glass, or of anything.
    q_max
        Å⁻¹.

    Raises
    ------
    InputError
        When the cell has fewer than 200 reciprocal vectors up to there.
    """
    names, kinds = np.unique(trajectory.species, return_inverse=True)
    order = np.argsort(kinds, kind="stable")
    bounds = np.concatenate([[0], np.cumsum(np.bincount(kinds))]).astype(np.int64)
    weights = _atomic_numbers([str(name) for name in names])
    cell = consistent_cells(trajectory.cells).mean(axis=0)
    triples = reciprocal_vectors(cell, q_max)
    if len(triples) < _FEWEST:
        raise InputError(
            f"found {len(triples)} reciprocal vectors up to {q_max:g} Å⁻¹, expected {_FEWEST} or more to tell a glass "
            "from a crystal: take a larger cell"
        )
    step = -(-trajectory.n_frames // _MOST_FRAMES)
    total = np.zeros(len(triples), dtype=np.complex128)
    n_frames = 0
    masses = trajectory.masses[order] / trajectory.masses.sum()
    first: NDArray[np.float64] | None = None
    for fractions, _ in fractional_frames(trajectory, step):
        places = np.asarray(fractions)[order]
        middle = masses @ places
        first = middle if first is None else first
        waves = amplitudes(np.ascontiguousarray((places - middle + first).T), bounds, triples)
        total += weights @ waves
        n_frames += 1
    norm = float((weights**2 * np.diff(bounds)).sum())
    lengths = np.linalg.norm(triples @ (2.0 * np.pi * np.linalg.inv(cell).T), axis=1)
    rising = np.argsort(lengths, kind="stable")
    return Intensities(lengths[rising], (np.abs(total / n_frames) ** 2 / norm)[rising])


def bragg_tests(found: Sequence[Intensities]) -> list[BraggTest]:
    """Return the sharpest peak of each glass against the smooth part of all together.

    Parameters
    ----------
    found
        Of glasses of one composition; one alone is held against its own smooth part. Of three or more one that
        crystallised does not spoil the others' median.
    """
    if not found:
        raise InputError("found no glass, expected the intensities of one or more")
    together = found if len(found) > 2 else None
    return [_test(each, together or [each]) for each in found]


def _test(one: Intensities, all_of_them: Sequence[Intensities]) -> BraggTest:
    smooth = _smooth(one.q, all_of_them)
    ratio = one.values / np.maximum(smooth, _NOTHING)
    sharpest = int(np.argmax(ratio))
    # S(q) rises within the stretch that a median is taken of, and units are no points: twice as much is granted
    limit = _SLOPE * float(np.log(len(one.q) / _FALSE_ALARMS))
    return BraggTest(float(ratio[sharpest]), limit, float(one.q[sharpest]), len(one.q))


def _smooth(q: NDArray[np.float64], found: Sequence[Intensities]) -> NDArray[np.float64]:
    """Return the median intensity of the vectors of about the same length as each q, over ln 2, (n,)."""
    lengths = np.concatenate([each.q for each in found])
    values = np.concatenate([each.values for each in found])
    rising = np.argsort(lengths, kind="stable")
    lengths, values = lengths[rising], values[rising]
    # stretches of some sixty vectors a glass; those of equal length, as many are in a cube, stay together
    new = np.diff(np.round(lengths, 6), prepend=-1.0) > 0
    firsts = np.maximum.accumulate(np.where(new, np.arange(len(lengths)), 0))
    stretch = firsts // (_NEAREST * len(found))
    bounds = np.flatnonzero(np.diff(stretch, prepend=-1))
    parts = np.split(np.arange(len(lengths)), bounds[1:])
    middles = [float(lengths[part].mean()) for part in parts]
    medians = [float(np.median(values[part])) for part in parts]
    return np.asarray(np.interp(q, middles, medians) / np.log(2.0), dtype=np.float64)


def _atomic_numbers(symbols: Sequence[str]) -> NDArray[np.float64]:
    from ase.data import atomic_numbers

    return np.array([float(atomic_numbers[symbol]) for symbol in symbols])
