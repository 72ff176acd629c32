"""Do ions hop together? Clusters of hops in space and time, against chance.

Hops that are close in space and time (`event_clusters`) are *concerted* where they belong to a cluster of two ions or
more. In a dense conductor many are so by chance. The null hypothesis keeps everything that single ions do, their paths,
bursts and back-jumps, and breaks what they do together: the times of each ion are shifted around the circle of the
trajectory by a random amount of its own. With n shifts

    p = (1 + #{null ≥ observed}) / (1 + n)      of the concerted fraction: hops in clusters of two or more over all

which is uniform where ions move independently and the hop rate does not drift. Where a fraction c of the hops is truly
concerted and the others are close by chance with probability f₀, the mean of the null, the fraction seen is
f = c + (1 - c) f₀; the *excess* is c = (f - f₀)/(1 - f₀), its interval a jackknife over time blocks. The number of
linked pairs is tested as well, because it does not saturate where nearly every hop has a neighbour by chance.

Ions that may not share a site hop together less often than by chance where links ask for replacement: one can only
follow the other. The lower tail, ``p_fewer``, says so.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from mlip_sse.analysis.mechanism.event_clusters import Clusters, Places, find_clusters, places_of
from mlip_sse.analysis.mechanism.hop_events import HopEvents, events_of_trajectory, without_back_jumps
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory

__all__ = ["Concerted", "ConcertedResult"]

MIN_HOPS = 20
FEW_HOPS = 100
MIN_WINDOWS = 20
FEW_WINDOWS = 100
MIN_FRAMES_AT_REST = 5.0
"""Frames between two hops of an ion, on average, below which the trajectory is stored too coarsely for hops."""

SATURATED = 0.9
DRIFT_ALARM = 1e-3
_BLOCK_WINDOWS = 10
_MIN_BLOCKS = 4
_MAX_BLOCKS = 32


@dataclass(frozen=True, eq=False)
class ConcertedResult:
    """Concerted motion of one trajectory.

    Parameters
    ----------
    events
        The hops that were analysed.
    n_back_jumps
        Hops left out because the ion undid them within the window, returns included.
    fraction
        Hops in clusters of two ions or more over all hops.
    null_fraction
        The same by chance: mean of the null and its central range (not an error of the mean).
    excess
        c, the concerted fraction beyond chance; below zero where ions keep each other away.
    p_value, p_fewer
        Of the concerted fraction; small where ions hop together, or where they do so less than by chance.
    p_links
        Of the number of linked pairs of hops.
    link_ratio
        Linked pairs over their number by chance.
    mean_size
        Ions in a cluster of two or more, mean over clusters; NaN without any.
    sizes : (n_sizes,) 1 …
    clusters : (n_sizes,) number of clusters of that many ions; the last one holds larger ones too
    null_mean, null_low, null_high : (n_sizes,) the same by chance, mean and central range
    p_sizes : (n_sizes,) p-values size by size, upper tail
    labels : (n_events,) cluster of each hop
    n_null
        Number of shifts.
    verdict
        Quality and reasons.
    """

    events: HopEvents
    n_back_jumps: int
    fraction: Interval
    null_fraction: Interval
    excess: Interval
    p_value: float
    p_fewer: float
    p_links: float
    link_ratio: float
    mean_size: float
    sizes: NDArray[np.int64]
    clusters: NDArray[np.int64]
    null_mean: NDArray[np.float64]
    null_low: NDArray[np.float64]
    null_high: NDArray[np.float64]
    p_sizes: NDArray[np.float64]
    labels: NDArray[np.int64]
    n_null: int
    verdict: Verdict

    @property
    def table(self) -> list[dict[str, Any]]:
        """Rows of the cluster-size distribution."""
        columns = (self.sizes, self.clusters, self.null_mean, self.null_low, self.null_high, self.p_sizes)
        names = ("ions", "clusters", "chance_mean", "chance_low", "chance_high", "p_value")
        return [dict(zip(names, (v.item() for v in row), strict=True)) for row in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Concerted:
    """Concerted hops against the null of independent ions.

    Parameters
    ----------
    species
        Whose hops, where they are found in a trajectory.
    window_fs
        τ_c: hops are close in time where at most this far apart. About one period of an attempt; in a dense conductor
        nearly every hop is close to another by chance in a longer one.
    distance
        r_c in Å: hops are close in space where an end of one is within this of an end of the other. One site spacing;
        below the distance of neighbouring ions they keep each other away, and hops are close less often than by chance.
    replacement
        Only ends that were left and ends that were reached count as close, so that one ion follows the other.
    distinct_ions
        Hops of one ion are never linked to each other, and a cluster's ions are counted; else its hops.
    drop_back_jumps
        Leave out hops that the ion undoes within the window, together with the return.
    n_null
        Number of shifts.
    half_window_ps, threshold
        Of p_hop, see `events_of_trajectory`.
    confidence
        Of intervals and central ranges.
    seed
        Of the shifts.
    """

    species: str = "Li"
    window_fs: float = 200.0
    distance: float = 3.5
    replacement: bool = False
    distinct_ions: bool = True
    drop_back_jumps: bool = True
    n_null: int = 199
    half_window_ps: float = 0.5
    threshold: float | None = 2.0
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.window_fs > 0 and self.distance > 0 and self.n_null >= 19 and 0 < self.confidence < 1):
            raise InputError(
                f"found window_fs {self.window_fs:g}, distance {self.distance:g}, n_null {self.n_null} and confidence "
                f"{self.confidence:g}, expected positive ones, at least 19 shifts, and a confidence between 0 and 1"
            )

    def run(self, trajectory: Trajectory) -> ConcertedResult:
        """Find the hops of a trajectory, without known sites, and analyse them.

        Raises
        ------
        InputError
            When no hops can be found in it, see `events_of_trajectory`, or ``distance`` reaches beyond half the cell.
        """
        events, verdict = events_of_trajectory(trajectory, self.species, self.half_window_ps, self.threshold)
        return self.run_events(events, verdict)

    def run_events(self, events: HopEvents, verdict: Verdict | None = None) -> ConcertedResult:
        """Analyse hops that are known.

        Parameters
        ----------
        events
            Hops, as `events_of_jumps` makes them of jumps between sites.
        verdict
            What is known about them already.
        """
        kept = without_back_jumps(events, self.window_fs) if self.drop_back_jumps else events
        places = places_of(kept, self.distance)
        window = math.floor(self.window_fs / events.frame_spacing_fs + 1e-9)
        n_blocks = max(1, min(_MAX_BLOCKS, kept.n_frames // (_BLOCK_WINDOWS * max(window, 1))))
        observed = self._clusters(kept, places, window, None, n_blocks)
        generator = np.random.default_rng(self.seed)
        shifts = generator.integers(0, kept.n_frames, (self.n_null, kept.n_ions))
        with ThreadPoolExecutor(max_workers=numba.get_num_threads()) as pool:
            null = list(pool.map(lambda row: self._clusters(kept, places, window, row, 1), shifts))
        judged = self._judge(kept, window, events.residence_fs, _fraction(null), n_blocks, verdict or Verdict())
        return self._result(kept, len(events) - len(kept), observed, null, n_blocks, judged)

    def _clusters(
        self, events: HopEvents, places: Places, window: int, shifts: NDArray[np.int64] | None, n_blocks: int
    ) -> Clusters:
        return find_clusters(
            events,
            places,
            window,
            shifts,
            replacement=self.replacement,
            distinct_ions=self.distinct_ions,
            n_blocks=n_blocks,
        )

    def _result(
        self,
        events: HopEvents,
        n_back_jumps: int,
        observed: Clusters,
        null: Sequence[Clusters],
        n_blocks: int,
        verdict: Verdict,
    ) -> ConcertedResult:
        tails = [50 * (1 - self.confidence), 50 * (1 + self.confidence)]
        fractions = np.array([_fraction([one]) for one in null])
        links = np.array([one.n_links for one in null], dtype=np.float64)
        sizes = np.stack([one.by_size for one in null])
        top = max(6, int(np.flatnonzero(observed.by_size + sizes.sum(axis=0)).max(initial=1)))
        shown = slice(1, min(top, len(observed.by_size) - 1) + 1)
        fraction, excess = self._intervals(events, observed, fractions, n_blocks)
        p_fewer = _upper_tail(-_fraction([observed]), -fractions)
        if p_fewer < 0.5 * (1 - self.confidence):
            verdict = verdict.weaken(
                f"hops are close less often than by chance (p = {p_fewer:.2g}): within {self.distance:g} Å ions keep "
                "each other away, choose a distance above that of neighbouring ions"
            )
        low, high = np.percentile(fractions, tails)
        size_low, size_high = np.percentile(sizes[:, shown], tails, axis=0)
        several = observed.by_size[2:]
        return ConcertedResult(
            events=events,
            n_back_jumps=n_back_jumps,
            fraction=fraction,
            null_fraction=Interval(
                float(fractions.mean()), float(low), float(high), self.confidence, f"range of {self.n_null} shifts"
            ),
            excess=excess,
            p_value=_upper_tail(_fraction([observed]), fractions),
            p_fewer=p_fewer,
            p_links=_upper_tail(observed.n_links, links),
            link_ratio=float(observed.n_links / links.mean()) if links.any() else math.nan,
            mean_size=float(several @ np.arange(2, len(several) + 2) / several.sum()) if several.any() else math.nan,
            sizes=np.arange(len(observed.by_size))[shown],
            clusters=observed.by_size[shown],
            null_mean=sizes[:, shown].mean(axis=0),
            null_low=size_low,
            null_high=size_high,
            p_sizes=(1.0 + (sizes[:, shown] >= observed.by_size[shown]).sum(axis=0)) / (1.0 + self.n_null),
            labels=observed.labels,
            n_null=self.n_null,
            verdict=verdict,
        )

    def _intervals(
        self, events: HopEvents, observed: Clusters, null: NDArray[np.float64], n_blocks: int
    ) -> tuple[Interval, Interval]:
        """Jackknife the concerted fraction over time blocks; the excess adds the error of the mean of the null."""
        value, chance = _fraction([observed]), float(null.mean())
        hops = np.bincount(events.frames * n_blocks // events.n_frames, minlength=n_blocks)
        used = hops > 0
        n_used = int(used.sum())
        error, half = math.inf, math.inf
        if n_used >= _MIN_BLOCKS:
            left = (observed.together.sum() - observed.together[used]) / (hops.sum() - hops[used])
            error = math.sqrt((n_used - 1) / n_used * float(np.sum((left - left.mean()) ** 2)))
            half = float(stdtrit(n_used - 1, 0.5 + 0.5 * self.confidence))
        said = f"jackknife over {n_used} time blocks, Student t"
        rest = max(1.0 - chance, 1e-12)
        beyond = (value - chance) / rest
        if not math.isfinite(error):
            said = f"no interval: {n_used} time blocks of {_BLOCK_WINDOWS} windows"
            excess = Interval(beyond, -chance / rest, 1.0, self.confidence, said)
            return Interval(value, 0.0, 1.0, self.confidence, said), excess
        # df₀ moves c by (f - 1)/(1 - f₀)² df₀
        chance_error = float(null.std(ddof=1)) / math.sqrt(len(null)) * (1.0 - value) / rest
        both = half * math.hypot(error, chance_error) / rest
        low, high = max(0.0, value - half * error), min(1.0, value + half * error)
        excess = Interval(beyond, max(-chance / rest, beyond - both), min(1.0, beyond + both), self.confidence, said)
        return Interval(value, low, high, self.confidence, said), excess

    def _judge(
        self, events: HopEvents, window: int, residence_fs: float, chance: float, n_blocks: int, verdict: Verdict
    ) -> Verdict:
        n, spacing = len(events), events.frame_spacing_fs
        n_windows = events.n_frames / max(window, 1)
        if n < MIN_HOPS or len(np.unique(events.ions)) < 2:
            verdict = verdict.refuse(
                f"{n} hops of {len(np.unique(events.ions))} ions, expected at least {MIN_HOPS} of two: run longer"
            )
        elif n < FEW_HOPS:
            verdict = verdict.weaken(f"only {n} hops, expected {FEW_HOPS} or more for a distribution: run longer")
        if n_windows < MIN_WINDOWS:
            verdict = verdict.refuse(
                f"the {events.n_frames} frames span {n_windows:.1f} windows of {self.window_fs:g} fs, expected at "
                f"least {MIN_WINDOWS}: too short to shift ions in time, run longer"
            )
        elif n_windows < FEW_WINDOWS:
            verdict = verdict.weaken(
                f"the trajectory spans {n_windows:.0f} windows of {self.window_fs:g} fs, fewer than {FEW_WINDOWS}"
            )
        if residence_fs < MIN_FRAMES_AT_REST * spacing:
            verdict = verdict.refuse(
                f"an ion hops every {residence_fs:.4g} fs and frames are {spacing:g} fs apart: stored too coarsely for "
                f"hops, expected at least {MIN_FRAMES_AT_REST:g} frames between them"
            )
        if window < 1:
            verdict = verdict.refuse(
                f"frames are {spacing:g} fs apart, more than the window of {self.window_fs:g} fs: store more often"
            )
        if chance > SATURATED:
            verdict = verdict.weaken(
                f"{100 * chance:.0f} % of the hops are close to another by chance: the concerted fraction says little "
                "there, choose a smaller window_fs or distance"
            )
        drift = _drift(np.bincount(events.frames * n_blocks // events.n_frames, minlength=n_blocks))
        if drift < DRIFT_ALARM:
            verdict = verdict.weaken(
                f"the hop rate drifts through the trajectory (p = {drift:.1g}): the p-value assumes that it does not"
            )
        return verdict


def _fraction(clusters: Sequence[Clusters]) -> float:
    """Hops in clusters of two or more over all hops, zero without hops."""
    hops = np.sum([one.hops_by_size for one in clusters], axis=0)
    return float(hops[2:].sum() / hops.sum()) if hops.sum() else 0.0


def _upper_tail(observed: float, null: NDArray[np.float64]) -> float:
    return float((1 + np.sum(null >= observed - 1e-12)) / (1 + len(null)))


def _drift(counts: NDArray[np.int64]) -> float:
    """Two-sided p-value of a linear trend of the block counts; 1 where there are too few."""
    n = len(counts)
    if n < 2 * _MIN_BLOCKS or np.ptp(counts) == 0:
        return 1.0
    r = float(np.corrcoef(np.arange(n), counts)[0, 1])
    t = r * math.sqrt((n - 2) / max(1e-300, 1 - r * r))
    return float(2 * stdtr(n - 2, -abs(t)))
