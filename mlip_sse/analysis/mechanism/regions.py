"""Diffusion in parts of a cell: along and across slabs, with ions that cross from one into another.

Only ions that stay in a slab over the lag count. Along the planes D∥ = d⟨Δx² + Δy²⟩/(4 dt): motion in the plane and
across it being independent, ions that leave take nothing away. Across the planes those that move far are missing; how
much that takes away follows from how fast ions leave, see `mlip_sse.analysis.mechanism.region_estimates`.

References
----------
P. Liu, E. Harder, B. J. Berne, J. Phys. Chem. B 108, 6595 (2004), doi:10.1021/jp0375057
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.region_estimates import (
    SlopeWindow,
    jackknifed,
    parallel_slope,
    perpendicular_slope,
    slope_window,
)
from mlip_sse.analysis.mechanism.region_sums import RegionSums, count_regions
from mlip_sse.analysis.mechanism.slabs import Region, frame_of_axis, survivors
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.transport.displacement.lags import log_lags
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["RegionDiffusion", "Regions", "RegionsResult", "intact_reference"]

_FEWEST_IONS = 5
_FEWEST_INSIDE = 1.0
_MOSTLY_THERE = 0.2
_WRONG_WIDTH = 1.5


@dataclass(frozen=True, eq=False)
class RegionDiffusion:
    """Diffusion in one region.

    Parameters
    ----------
    region
        Where.
    width
        Å, of all its slabs together.
    n_ions
        Mean number of mobile ions in it.
    parallel, perpendicular
        D along and across the planes in Å²/fs; None where refused, see the verdict; a value of None is an upper limit.
    residence_fs
        Time after which 1/e of the ions is still in its slab without having left; None where more stay.
    effective_width
        Å between absorbing borders that would lose ions as fast, averaged over the slabs; None where D⊥ is.
    n_exits
        Ions seen leaving.
    lags_fs : (n_lags,)
    msd : (n_lags, 2) Å² in the plane and along the normal, of ions that stay; not a number where none does
    counts : (n_lags,) displacements
    window : lags in fs between which the slope is taken, None where refused
    survival : (n_frames,) share of ions that are still in their slab, at lags 0, 1, …
    verdict
        Quality and reasons.
    """

    region: Region
    width: float
    n_ions: float
    parallel: Interval | None
    perpendicular: Interval | None
    residence_fs: float | None
    effective_width: float | None
    n_exits: int
    lags_fs: NDArray[np.float64]
    msd: NDArray[np.float64]
    counts: NDArray[np.int64]
    window: tuple[float, float] | None
    survival: NDArray[np.float64]
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class RegionsResult:
    """Diffusion in regions, and along the axis.

    Parameters
    ----------
    regions
        The whole cell first, then those asked for.
    profile
        Slabs of equal width along the axis.
    height
        Å of the cell across the planes.
    ratio
        D∥ of the first region over that of the second, where two or more were asked for.
    """

    regions: tuple[RegionDiffusion, ...]
    profile: tuple[RegionDiffusion, ...]
    height: float
    ratio: Interval | None


@dataclass(frozen=True)
class Regions:
    """Settings of region-resolved diffusion.

    Parameters
    ----------
    mobile
        Species that diffuse.
    axis
        Cell vector along which regions lie: 0, 1 or 2.
    regions
        To be compared.
    bin_width
        Å, about, of the slabs of the profile; None leaves it out.
    cage_ps
        Shortest lag of a slope: vibration is over by then.
    n_lags
        Log-spaced lags up to half of the trajectory.
    confidence
        Of the intervals.
    """

    mobile: tuple[str, ...] = ("Li",)
    axis: int = 2
    regions: tuple[Region, ...] = ()
    bin_width: float | None = 5.0
    cage_ps: float = 1.0
    n_lags: int = 40
    confidence: float = 0.95

    def run(self, trajectory: "Trajectory") -> RegionsResult:
        """Analyse a trajectory in the reference frame of its framework.

        Raises
        ------
        InputError
            When there are no such ions, fewer than five of them, or the trajectory is too short.
        """
        ions = trajectory.indices(self.mobile)
        if len(ions) < _FEWEST_IONS:
            raise InputError(f"found {len(ions)} mobile ions, expected at least {_FEWEST_IONS} for an interval")
        directions, height = frame_of_axis(trajectory.mean_cell, self.axis)
        lags = log_lags(trajectory.n_frames, min(self.n_lags, trajectory.n_frames // 2))
        cage = self.cage_ps * 1000.0 / trajectory.frame_spacing_fs
        if lags[-1] < 4 * cage:
            raise InputError(
                f"the longest lag is {lags[-1] * trajectory.frame_spacing_fs / 1000:.3g} ps, expected at least four "
                f"times cage_ps, {self.cage_ps:g}; give a longer trajectory"
            )
        wanted = [Region("all", ((0.0, 1.0),)), *self.regions]
        n_bins = 0 if self.bin_width is None else max(1, round(height / self.bin_width))
        bins = [Region(f"bin {k + 1}", ((k / n_bins, (k + 1) / n_bins),)) for k in range(n_bins)]
        sums = count_regions(trajectory, ions, self.axis, directions, lags, [*wanted, *bins])
        found = [self._region(part, height, trajectory.frame_spacing_fs, cage) for part in sums]
        ratio = self._ratio(sums[1], sums[2], cage) if len(self.regions) > 1 else None
        return RegionsResult(tuple(found[: len(wanted)]), tuple(found[len(wanted) :]), height, ratio)

    def _region(self, sums: RegionSums, height: float, spacing_fs: float, cage: float) -> RegionDiffusion:
        region = sums.region
        counts = sums.counts.sum(axis=(0, 1))
        msd = np.full((len(counts), 2), math.nan)
        np.divide(sums.squares.sum(axis=(0, 1)), counts[:, None], out=msd, where=counts[:, None] > 0)
        leaving, at_risk = survivors(sums.ended.sum(axis=(0, 1)), sums.open_ended.sum(axis=(0, 1)))
        survival = np.concatenate([[1.0], np.cumprod(1.0 - leaving / np.maximum(at_risk, 1))])
        gone = np.flatnonzero(survival < 1 / math.e)
        base = RegionDiffusion(
            region=region,
            width=float(2 * region.half_widths.sum() * height),
            n_ions=sums.frames_inside() / sums.n_frames,
            parallel=None,
            perpendicular=None,
            residence_fs=float(gone[0]) * spacing_fs if gone.size else None,
            effective_width=None,
            n_exits=int(sums.ended.sum()),
            lags_fs=sums.lags.astype(np.float64) * spacing_fs,
            msd=msd,
            counts=counts,
            window=None,
            survival=survival[: int(sums.lags[-1]) + 1],
            verdict=Verdict(),
        )
        n_visitors = int((sums.counts[:, :, 0].sum(axis=1) > 0).sum())
        if base.n_ions < _FEWEST_INSIDE or n_visitors < _FEWEST_IONS:
            return _refused(
                base,
                f"{base.n_ions:.2g} ions on average, {n_visitors} of {sums.n_groups} groups of ions ever inside, "
                f"expected at least {_FEWEST_INSIDE:g} and {_FEWEST_IONS}; choose a larger region",
            )
        window = slope_window(sums, cage)
        if window is None:
            stay = "" if base.residence_fs is None else f", 1/e of them for {base.residence_fs / 1000:.3g} ps"
            return _refused(
                base,
                f"too few ions stay in a slab of {base.width / len(region.slabs):.3g} Å for twice cage_ps, "
                f"{2 * self.cage_ps:g} ps{stay}; choose wider slabs",
            )
        lags = base.lags_fs[window.chosen]
        base = replace(base, window=(float(lags[0]), float(lags[-1])))
        return self._perpendicular(self._parallel(base, sums, window, spacing_fs), sums, window, height, spacing_fs)

    def _parallel(
        self, base: RegionDiffusion, sums: RegionSums, window: SlopeWindow, spacing_fs: float
    ) -> RegionDiffusion:
        method = "slope of the in-plane squared displacement of ions that stay"
        found = jackknifed(
            lambda group: parallel_slope(sums.without(group), window), sums.n_groups, self.confidence, method
        )
        if found is None:
            return _refused(base, "D along the planes rests on fewer than 5 groups of ions; choose a larger region")
        base = replace(base, parallel=found.scaled(1.0 / (4.0 * spacing_fs)))
        return base if found.value is not None else _bounded(base, "along", window)

    def _perpendicular(
        self, base: RegionDiffusion, sums: RegionSums, window: SlopeWindow, height: float, spacing_fs: float
    ) -> RegionDiffusion:
        if base.parallel is None:
            return base
        method = "slope of the squared displacement along the normal"
        if not base.region.is_whole:
            method += " of ions that stay, corrected for those that leave"

        def estimate(group: int | None) -> float:
            if base.region.is_whole:
                return _whole_slope(sums.without(group), window)
            return perpendicular_slope(sums.without(group), window)[0]

        found = jackknifed(estimate, sums.n_groups, self.confidence, method)
        if found is None:
            return replace(base, verdict=base.verdict.weaken("D across the planes is refused: too few ions stay"))
        base = replace(base, perpendicular=found.scaled(1.0 / spacing_fs))
        if found.value is None:
            return _bounded(base, "across", window)
        if base.region.is_whole:
            return base
        _, rates = perpendicular_slope(sums, window)
        width = float(np.mean(np.sqrt(found.value / rates)))
        base = replace(base, effective_width=width)
        stated = 2.0 * height * float(base.region.half_widths.mean())
        left = 1.0 - base.survival[sums.lags[window.chosen[-1]]]
        if left > _MOSTLY_THERE and abs(math.log(width / stated)) > math.log(_WRONG_WIDTH):
            reason = f"ions leave as from a slab of {width:.3g} Å, expected about the {stated:.3g} Å stated"
            hint = "are its borders open, and does it hold several planes of sites?"
            return replace(base, verdict=base.verdict.weaken(f"D across the planes is doubtful: {reason}; {hint}"))
        return base

    def _ratio(self, first: RegionSums, second: RegionSums, cage: float) -> Interval | None:
        one, other = slope_window(first, cage), slope_window(second, cage)
        if one is None or other is None:
            return None

        def ratio(group: int | None) -> float:
            below = parallel_slope(second.without(group), other)
            return parallel_slope(first.without(group), one) / below if below > 0 else math.nan

        method = f"D∥ of {first.region.name} over that of {second.region.name}"
        return jackknifed(ratio, first.n_groups, self.confidence, method)


def intact_reference(trajectory: "Trajectory", region: Region, axis: int, mobile: tuple[str, ...]) -> "Trajectory":
    """Return the trajectory seen from the framework of one region, which the others may slide or melt against.

    Parameters
    ----------
    trajectory
        In any reference frame.
    region
        The intact side; framework atoms that start in it count.
    axis
        Cell vector that the region lies along.
    mobile
        Species that are no part of the framework.

    Raises
    ------
    InputError
        When no framework atom starts there.
    """
    framework = np.flatnonzero(~np.isin(trajectory.species, mobile))
    start = np.asarray(trajectory.positions[0, framework], dtype=np.float64)
    if trajectory.drift is not None:
        start = start - trajectory.drift[0]
    along = (start @ np.linalg.inv(trajectory.cells[0]))[:, axis]
    apart = along[:, None] - region.centres
    inside = (np.abs(apart - np.rint(apart)) < region.half_widths).any(axis=1)
    if not inside.any():
        raise InputError(f"no atom of the framework starts in region {region.name!r}; name another intact region")
    atoms = framework[inside]
    weights = np.zeros(trajectory.n_atoms)
    weights[atoms] = trajectory.masses[atoms] / trajectory.masses[atoms].sum()
    centre = trajectory.weighted_sum(weights)
    drift = centre - centre[0] + (0.0 if trajectory.drift is None else trajectory.drift)
    return replace(trajectory, drift=drift, reference=f"framework of region {region.name}")


def _refused(base: RegionDiffusion, reason: str) -> RegionDiffusion:
    return replace(base, verdict=base.verdict.refuse(reason))


def _bounded(base: RegionDiffusion, direction: str, window: SlopeWindow) -> RegionDiffusion:
    moved = base.msd[window.chosen[-1], 0 if direction == "along" else 1]
    lag = base.lags_fs[window.chosen[-1]] / 1000.0
    reason = f"D {direction} the planes is only bounded: the ions that stay have moved {moved:.3g} Å² in {lag:.3g} ps"
    return replace(base, verdict=base.verdict.weaken(reason))


def _whole_slope(sums: RegionSums, window: SlopeWindow) -> float:
    """Return D along the normal where there are no borders, in Å² per frame."""
    turned = replace(sums, squares=np.ascontiguousarray(sums.squares[..., ::-1]))
    return 0.5 * parallel_slope(turned, window)
