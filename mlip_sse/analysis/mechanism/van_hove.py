"""Van Hove functions of a trajectory, the non-Gaussian parameter, and how sites are refilled.

Definitions and normalisation stand in `van_hove_counts`. Growth of G_d at r < 1 Å means that a site is refilled after
its ion has left. The *refill* is the mean number of other ions within that distance of where an ion was a time before;
its *ratio* to what a gas would give, ρ 4π/3 r³, is g_d at short distance. At long times the refill of a fluid tends to
a ratio of 1, that of a crystal to the occupancy of its sites, so that it is the growth with time that tells.

References
----------
L. van Hove, Phys. Rev. 95, 249 (1954), doi:10.1103/PhysRev.95.249
A. Rahman, Phys. Rev. 136, A405 (1964), doi:10.1103/PhysRev.136.A405 (α₂)
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.mechanism.van_hove_counts import (
    DistinctCounts,
    distinct_counts,
    refuse_long_radius,
    self_counts,
)
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.structure.rdf import cell_widths
from mlip_sse.analysis.transport.displacement.displacements import DisplacementMoments, displacement_moments
from mlip_sse.analysis.transport.displacement.lags import log_lags
from mlip_sse.errors import InputError
from mlip_sse.trajectory.fractional_positions import consistent_cells, fractional_chunks
from mlip_sse.trajectory.model import Trajectory

__all__ = ["VanHove", "VanHoveResult"]

STILL = 1e-10
"""A mean squared displacement in Å² below any rounding of coordinates."""

_MIN_BLOCKS = 4
_MAX_BLOCKS = 16
_PAIR_BUDGET = 4e8


@dataclass(frozen=True, eq=False)
class VanHoveResult:
    """Van Hove functions of one species, with respect to itself or another one.

    Parameters
    ----------
    lags : (n_lags,) frames
    times_fs : (n_lags,) fs
    self_radii, distinct_radii : (n_bins,) Å, middles of the bins
    self_part : (n_lags, n_bins) 4π r² G_s in 1/Å
    beyond : (n_lags,)
        Share of displacements longer than the last bin.
    distinct_part : (n_lags, n_bins) g_d = G_d/ρ
    density
        ρ in 1/Å³.
    alpha2 : (n_lags,) non-Gaussian parameter
    refill : one for each lag
        Mean number of other ions within the refill radius of where an ion was.
    refill_ratio : one for each lag
        That over the number expected in a gas.
    n_origins
        Time origins of the distinct part.
    verdict
        Quality and reasons.
    """

    lags: NDArray[np.int64]
    times_fs: NDArray[np.float64]
    self_radii: NDArray[np.float64]
    self_part: NDArray[np.float64]
    beyond: NDArray[np.float64]
    distinct_radii: NDArray[np.float64]
    distinct_part: NDArray[np.float64]
    density: float
    alpha2: NDArray[np.float64]
    refill: tuple[Interval, ...]
    refill_ratio: tuple[Interval, ...]
    n_origins: int
    verdict: Verdict


@dataclass(frozen=True)
class VanHove:
    """Self and distinct van Hove function.

    Parameters
    ----------
    species
        Whose motion is looked at.
    others
        Whom the distinct part looks for where an ion was; the same species where it is None.
    self_r_max
        End of the self part in Å.
    distinct_r_max
        End of the distinct part in Å, at most half the smallest height of every cell; half of it, but at most 10 Å,
        where it is None.
    n_bins
        Bins of either part.
    n_lags
        Log-spaced lags up to half of the trajectory.
    n_origins
        Time origins of the distinct part, fewer in large systems; the self part uses all there are.
    refill_radius
        Å.
    confidence
        Of all intervals.
    """

    species: str = "Li"
    others: str | None = None
    self_r_max: float = 10.0
    distinct_r_max: float | None = None
    n_bins: int = 200
    n_lags: int = 10
    n_origins: int = 100
    refill_radius: float = 1.0
    confidence: float = 0.95

    def run(self, trajectory: Trajectory) -> VanHoveResult:
        """Analyse a trajectory, seen from the reference frame it is given in.

        Raises
        ------
        InputError
            When a species is missing, the ions never move, or a radius reaches beyond the nearest images.
        """
        ions = trajectory.indices(self.species)
        lags = log_lags(trajectory.n_frames, self.n_lags)
        counts, moments = self._self(trajectory, ions, lags)
        if not moments.msd.max() > STILL:
            raise InputError(
                f"{self.species} never moves: its mean squared displacement is {moments.msd.max():.3g} Å² at most; "
                "name a mobile species"
            )
        r_max = self._distinct_radius(trajectory)
        distinct, n_others = self._distinct(trajectory, ions, lags, r_max)
        refill = tuple(self._refill(distinct, k, trajectory.n_frames, int(lag)) for k, lag in enumerate(lags))
        share = counts / counts.sum(axis=1, keepdims=True)
        width = self.self_r_max / self.n_bins
        return VanHoveResult(
            lags=lags,
            times_fs=np.asarray(lags * trajectory.frame_spacing_fs),
            self_radii=np.asarray(width * (np.arange(self.n_bins) + 0.5)),
            self_part=share[:, :-1] / width,
            beyond=share[:, -1],
            distinct_radii=np.asarray(r_max / self.n_bins * (np.arange(self.n_bins) + 0.5)),
            distinct_part=distinct.values,
            density=n_others / trajectory.mean_volume,
            alpha2=moments.alpha2,
            refill=refill,
            refill_ratio=tuple(interval.scaled(1.0 / distinct.random) for interval in refill),
            n_origins=distinct.origins.shape[1],
            verdict=self._judge(trajectory, moments),
        )

    def _self(
        self, trajectory: Trajectory, ions: NDArray[np.intp], lags: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], DisplacementMoments]:
        counts, parts = np.zeros((len(lags), self.n_bins + 1), dtype=np.int64), []
        for block in trajectory.ion_blocks(ions):
            parts.append(displacement_moments(block, lags))  # refuses what is not finite
            counts += self_counts([block], lags, self.self_r_max, self.n_bins)
        return counts, DisplacementMoments.merge(parts)

    def _distinct_radius(self, trajectory: Trajectory) -> float:
        if self.distinct_r_max is not None:
            refuse_long_radius(self.distinct_r_max, trajectory.cells)
            return self.distinct_r_max
        first, last = trajectory.cells.reshape(-1, 9).min(axis=0), trajectory.cells.reshape(-1, 9).max(axis=0)
        cells = trajectory.cells[:1] if np.array_equal(first, last) else trajectory.cells
        return min(10.0, 0.5 * min(float(cell_widths(cell).min()) for cell in cells))

    def _distinct(
        self, trajectory: Trajectory, ions: NDArray[np.intp], lags: NDArray[np.int64], r_max: float
    ) -> tuple[DistinctCounts, int]:
        cells = np.ascontiguousarray(consistent_cells(trajectory.cells))
        centres = np.concatenate([part for _, part in fractional_chunks(trajectory, ions, cells)])
        others, n_others = None, len(ions) - 1
        if self.others is not None and self.others != self.species:
            named = trajectory.indices(self.others)
            others = np.concatenate([part for _, part in fractional_chunks(trajectory, named, cells)])
            n_others = len(named)
        affordable = int(_PAIR_BUDGET / (len(lags) * len(ions) * max(n_others, 1)))
        n_origins = max(2 * _MIN_BLOCKS, min(self.n_origins, affordable))
        counts = distinct_counts(centres, others, cells, lags, r_max, self.n_bins, n_origins, near=self.refill_radius)
        return counts, n_others

    def _refill(self, counts: DistinctCounts, k: int, n_frames: int, lag: int) -> Interval:
        """Take the larger scatter of two: over ions, which string-like motion ties together, and over time blocks."""
        by_ion, by_origin = counts.near_by_ion[k], counts.near_by_origin[k]
        value, n_ions = float(by_ion.mean()), len(by_ion)
        n_blocks = min(_MAX_BLOCKS, (n_frames - lag) // max(lag, 1), len(by_origin) // 2)
        if value == 0.0:
            n_looks = n_ions * max(1, (n_frames - lag) // max(lag, 1))
            bound = -math.log(0.5 * (1.0 - self.confidence)) / n_looks
            return Interval(0.0, 0.0, bound, self.confidence, "exact Poisson of no refill in non-overlapping windows")
        candidates = []
        if n_ions > 1:
            error = float(by_ion.std(ddof=1)) / math.sqrt(n_ions)
            candidates.append((error * float(stdtrit(n_ions - 1, 0.5 + 0.5 * self.confidence)), f"{n_ions} ions"))
        if n_blocks >= _MIN_BLOCKS:
            blocks = np.array([part.mean() for part in np.array_split(by_origin, n_blocks)])
            error = float(blocks.std(ddof=1)) / math.sqrt(n_blocks)
            half = error * float(stdtrit(n_blocks - 1, 0.5 + 0.5 * self.confidence))
            candidates.append((half, f"{n_blocks} time blocks"))
        half, over = max(candidates) if candidates else (math.inf, "nothing")
        return Interval(value, max(value - half, 0.0), value + half, self.confidence, f"scatter over {over}, Student t")

    def _judge(self, trajectory: Trajectory, moments: DisplacementMoments) -> Verdict:
        verdict = Verdict()
        longest = float(np.sqrt(moments.msd[-1]))
        if longest < self.refill_radius:
            verdict = verdict.weaken(
                f"ions go {longest:.2f} Å (root mean square) in the longest lag, {moments.lags[-1]} frames: no site is "
                "left often enough for a refill, run longer or hotter"
            )
        return verdict
