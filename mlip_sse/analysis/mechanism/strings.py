"""String-like motion after Donati: mobile ions that replace each other, and how long the strings are.

Between t₀ and t₀ + t the mobile ions are the given fraction with the largest displacements. Two of them, i and j, are
linked where one replaces the other,

    min(|r_i(t₀ + t) - r_j(t₀)|, |r_j(t₀ + t) - r_i(t₀)|) < δ,

and the connected groups are the strings; a mobile ion that replaces nobody is a string of one. The mean length is over
strings. Ions of a dense crystal share sites, so that some replace each other by chance; the null hypothesis gives every
ion a time origin of its own, shifted around the circle, which keeps what single ions do. The p-value of a scan over
lags is that of its largest deviation in standard deviations of the null, so that looking at many lags costs no false
positives.

References
----------
C. Donati, J. F. Douglas, W. Kob, S. J. Plimpton, P. H. Poole, S. C. Glotzer, Phys. Rev. Lett. 80, 2338 (1998),
doi:10.1103/PhysRevLett.80.2338
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.mechanism.van_hove_counts import refuse_long_radius
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.transport.displacement.lags import checked_lags, log_lags
from mlip_sse.errors import InputError
from mlip_sse.trajectory.fractional_positions import consistent_cells, fractional_chunks
from mlip_sse.trajectory.model import Trajectory

__all__ = ["StringCounts", "StringMotion", "StringResult", "string_counts"]

_LARGEST = 50
_MIN_BLOCKS = 4
_MAX_BLOCKS = 16
_MIN_MOBILE = 5
_MIN_WINDOWS = 10
_BUDGET = 3e8


@dataclass(frozen=True, eq=False)
class StringCounts:
    """Strings at one lag.

    Parameters
    ----------
    by_length : (n_rows, largest + 1)
        Number of strings of n ions, a row for each set of shifts; the last entry holds the longer ones too.
    by_origin : (n_origins,) number of strings at each origin, in the first row
    n_mobile
        Mobile ions at each origin.
    """

    by_length: NDArray[np.int64]
    by_origin: NDArray[np.int64]
    n_mobile: int

    @property
    def mean_lengths(self) -> NDArray[np.float64]:
        """Ions over strings, (n_rows,)."""
        n_strings = self.by_length.sum(axis=1)
        return np.asarray(self.n_mobile * len(self.by_origin) / np.maximum(n_strings, 1))


@dataclass(frozen=True, eq=False)
class StringResult:
    """Strings of one trajectory.

    Parameters
    ----------
    lags : (n_lags,) frames
    times_fs : (n_lags,) fs
    lengths : one for each lag
        Mean length.
    null_lengths : one for each lag
        Mean of the null and its central range.
    p_value
        Of the largest deviation over all lags.
    peak
        Which lag has the largest excess of the mean length over the null.
    distribution, null_distribution : (largest + 1,) share of strings of n ions at the peak
    n_mobile
        Mobile ions at each origin.
    verdict
        Quality and reasons.
    """

    lags: NDArray[np.int64]
    times_fs: NDArray[np.float64]
    lengths: tuple[Interval, ...]
    null_lengths: tuple[Interval, ...]
    p_value: float
    peak: int
    distribution: NDArray[np.float64]
    null_distribution: NDArray[np.float64]
    n_mobile: int
    verdict: Verdict

    @property
    def table(self) -> list[dict[str, Any]]:
        """Rows of the lag scan."""
        names = ("time_fs", "mean_length", "low", "high", "chance_mean", "chance_low", "chance_high")
        rows = zip(self.times_fs.tolist(), self.lengths, self.null_lengths, strict=True)
        columns = ((t, one.value, one.low, one.high, null.value, null.low, null.high) for t, one, null in rows)
        return [dict(zip(names, row, strict=True)) for row in columns]


@dataclass(frozen=True)
class StringMotion:
    """String-like motion over a scan of lags.

    Parameters
    ----------
    species
        Whose motion.
    mobile_fraction
        Share of the ions that is called mobile at each origin, at least two.
    replacement_distance
        δ in Å.
    n_lags
        Log-spaced lags up to half of the trajectory.
    n_origins
        Evenly spaced time origins of each lag, fewer in large systems.
    n_null
        Sets of shifted origins.
    confidence
        Of intervals and central ranges.
    seed
        Of the shifts.
    """

    species: str = "Li"
    mobile_fraction: float = 0.05
    replacement_distance: float = 1.0
    n_lags: int = 10
    n_origins: int = 100
    n_null: int = 99
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if not (0 < self.mobile_fraction <= 1 and self.replacement_distance > 0 and self.n_null >= 19):
            raise InputError(
                f"found mobile_fraction {self.mobile_fraction:g}, replacement_distance {self.replacement_distance:g} "
                f"and n_null {self.n_null}, expected a share up to 1, a positive distance and at least 19 shifts"
            )

    def run(self, trajectory: Trajectory) -> StringResult:
        """Analyse a trajectory, seen from the reference frame it is given in.

        Raises
        ------
        InputError
            When the species is missing, has fewer than two ions or never moves, or δ is beyond half the cell.
        """
        ions = trajectory.indices(self.species)
        lags = log_lags(trajectory.n_frames, self.n_lags)
        cells = np.ascontiguousarray(consistent_cells(trajectory.cells))
        fractions = np.concatenate([part for _, part in fractional_chunks(trajectory, ions, cells)])
        if np.ptp(fractions, axis=0).max(initial=0.0) < 1e-7:
            raise InputError(f"{self.species} never moves, expected a mobile species")
        affordable = int(_BUDGET / (len(lags) * (1 + self.n_null) * len(ions)))
        n_origins = max(2 * _MIN_BLOCKS, min(self.n_origins, affordable))
        generator = np.random.default_rng(self.seed)
        counts = []
        for lag in lags.tolist():
            shifts = generator.integers(0, trajectory.n_frames - lag, (1 + self.n_null, len(ions)))
            shifts[0] = 0
            counts.append(
                string_counts(fractions, cells, lag, shifts, self.mobile_fraction, self.replacement_distance, n_origins)
            )
        return self._result(trajectory, lags, counts)

    def _result(self, trajectory: Trajectory, lags: NDArray[np.int64], counts: list[StringCounts]) -> StringResult:
        means = np.stack([one.mean_lengths for one in counts])  # (n_lags, 1 + n_null)
        null = means[:, 1:]
        tails = [50 * (1 - self.confidence), 50 * (1 + self.confidence)]
        ranges = np.percentile(null, tails, axis=1).T
        excess = means - null.mean(axis=1, keepdims=True)
        largest = (excess / np.maximum(null.std(axis=1, ddof=1, keepdims=True), 1e-12)).max(axis=0)
        peak = int(excess[:, 0].argmax())
        said = f"range of {self.n_null} shifts"
        lengths = tuple(self._length(one, trajectory.n_frames, int(lag)) for lag, one in zip(lags, counts, strict=True))
        at_peak = counts[peak].by_length
        verdict = Verdict()
        if counts[0].n_mobile < _MIN_MOBILE:
            verdict = verdict.weaken(
                f"{counts[0].n_mobile} mobile ions at a time, fewer than {_MIN_MOBILE}: strings cannot be longer, use "
                "a larger cell or mobile_fraction"
            )
        n_windows = trajectory.n_frames / lags[peak]
        if n_windows < _MIN_WINDOWS:
            verdict = verdict.weaken(
                f"strings are longest at {lags[peak] * trajectory.frame_spacing_fs:g} fs, of which the trajectory "
                f"spans {n_windows:.1f}, fewer than {_MIN_WINDOWS}: run longer"
            )
        return StringResult(
            lags=lags,
            times_fs=np.asarray(lags * trajectory.frame_spacing_fs),
            lengths=lengths,
            null_lengths=tuple(
                Interval(float(row.mean()), float(low), float(high), self.confidence, said)
                for row, (low, high) in zip(null, ranges, strict=True)
            ),
            p_value=float((1 + np.sum(largest[1:] >= largest[0] - 1e-12)) / (1 + self.n_null)),
            peak=peak,
            distribution=at_peak[0] / max(at_peak[0].sum(), 1),
            null_distribution=at_peak[1:].sum(axis=0) / max(at_peak[1:].sum(), 1),
            n_mobile=counts[0].n_mobile,
            verdict=verdict,
        )

    def _length(self, counts: StringCounts, n_frames: int, lag: int) -> Interval:
        value, by_origin = float(counts.mean_lengths[0]), counts.by_origin
        n_blocks = min(_MAX_BLOCKS, (n_frames - lag) // max(lag, 1), len(by_origin) // 2)
        if n_blocks < _MIN_BLOCKS:
            said = f"no interval: {n_blocks} time blocks"
            return Interval(value, 1.0, float(counts.n_mobile), self.confidence, said)
        blocks = np.array([counts.n_mobile / part.mean() for part in np.array_split(by_origin, n_blocks)])
        error = float(blocks.std(ddof=1)) / math.sqrt(n_blocks)
        half = error * float(stdtrit(n_blocks - 1, 0.5 + 0.5 * self.confidence))
        said = f"scatter over {n_blocks} time blocks, Student t"
        return Interval(value, max(1.0, value - half), value + half, self.confidence, said)


def string_counts(
    fractions: NDArray[np.float64],
    cells: NDArray[np.float64],
    lag: int,
    shifts: NDArray[np.int64],
    mobile_fraction: float = 0.05,
    replacement_distance: float = 1.0,
    n_origins: int = 100,
) -> StringCounts:
    """Count strings at one lag.

    Parameters
    ----------
    fractions : (n_frames, n_ions, 3), unwrapped
    cells : (n_frames, 3, 3) Å, rows are the cell vectors
    lag
        t in frames.
    shifts : (n_rows, n_ions) frames
        Added to each ion's time origin, modulo the number of origins there are; zeros give the strings themselves.
    mobile_fraction, replacement_distance, n_origins
        See `StringMotion`.
    """
    n_frames, n_ions = fractions.shape[:2]
    if n_ions < 2:
        raise InputError(f"found {n_ions} ions, expected at least two for a string")
    checked_lags(np.array([lag]), n_frames)
    refuse_long_radius(replacement_distance, cells)
    if shifts.ndim != 2 or shifts.shape[1] != n_ions:
        raise InputError(f"shifts have shape {shifts.shape}, expected (n_rows, {n_ions})")
    n_mobile = min(n_ions, max(2, math.ceil(mobile_fraction * n_ions - 1e-9)))
    origins = np.linspace(0, n_frames - lag - 1, min(n_origins, n_frames - lag)).round().astype(np.int64)
    by_length, by_origin = _count_strings(
        np.ascontiguousarray(fractions), np.ascontiguousarray(cells), int(lag), origins,
        np.ascontiguousarray(shifts, dtype=np.int64), n_mobile, float(replacement_distance), _LARGEST,
    )  # fmt: skip
    return StringCounts(by_length, by_origin, n_mobile)


@njit(cache=True)
def _count_strings(fractions, cells, lag, origins, shifts, n_mobile, distance, largest):  # type: ignore[no-untyped-def]
    n_ions, n_rows, n_windows = fractions.shape[1], shifts.shape[0], fractions.shape[0] - lag
    by_length = np.zeros((n_rows, largest + 1), np.int64)
    by_origin = np.zeros(origins.size, np.int64)
    squares, starts = np.empty(n_ions), np.empty(n_ions, np.int64)
    mobile = np.empty(n_mobile, np.int64)
    parents, sizes = np.empty(n_mobile, np.int64), np.empty(n_mobile, np.int64)
    for row in range(n_rows):
        for o in range(origins.size):
            cell = cells[origins[o] + lag]
            for i in range(n_ions):
                starts[i] = (origins[o] + shifts[row, i]) % n_windows
                squares[i] = _square(fractions[starts[i] + lag, i], fractions[starts[i], i], cell, False)
            _choose_largest(squares, mobile)
            for a in range(n_mobile):
                parents[a] = a
                sizes[a] = 0
            for a in range(n_mobile):
                for b in range(a):
                    i, j = mobile[a], mobile[b]
                    one = _square(fractions[starts[i] + lag, i], fractions[starts[j], j], cell, True)
                    two = _square(fractions[starts[j] + lag, j], fractions[starts[i], i], cell, True)
                    if min(one, two) < distance * distance:
                        _join(parents, a, b)
            for a in range(n_mobile):
                sizes[_root(parents, a)] += 1
            for a in range(n_mobile):
                if sizes[a] > 0:
                    by_length[row, min(sizes[a], largest)] += 1
                    if row == 0:
                        by_origin[o] += 1
    return by_length, by_origin


@njit(cache=True)
def _square(a, b, cell, nearest):  # type: ignore[no-untyped-def]
    """Squared distance in Å², of the nearest image where asked for."""
    u, v, w = a[0] - b[0], a[1] - b[1], a[2] - b[2]
    if nearest:
        u -= np.rint(u)
        v -= np.rint(v)
        w -= np.rint(w)
    x = u * cell[0, 0] + v * cell[1, 0] + w * cell[2, 0]
    y = u * cell[0, 1] + v * cell[1, 1] + w * cell[2, 1]
    z = u * cell[0, 2] + v * cell[1, 2] + w * cell[2, 2]
    return x * x + y * y + z * z


@njit(cache=True)
def _choose_largest(values, chosen):  # type: ignore[no-untyped-def]
    """Fill ``chosen`` with the places of the largest values, by insertion: few values pass the smallest chosen one."""
    n = 0
    for i in range(values.size):
        if n == chosen.size and values[i] <= values[chosen[n - 1]]:
            continue
        at = min(n, chosen.size - 1)
        while at > 0 and values[chosen[at - 1]] < values[i]:
            chosen[at] = chosen[at - 1]
            at -= 1
        chosen[at] = i
        n = min(n + 1, chosen.size)


@njit(cache=True)
def _root(parents, a):  # type: ignore[no-untyped-def]
    while parents[a] != a:
        a = parents[a]
    return a


@njit(cache=True)
def _join(parents, a, b):  # type: ignore[no-untyped-def]
    one, two = _root(parents, a), _root(parents, b)
    parents[max(one, two)] = min(one, two)
