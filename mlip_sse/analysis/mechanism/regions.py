"""Diffusion in parts of a cell: along and across slabs, with ions that cross from one into another.

Ions are followed while they are in the slab where they were met, and one frame beyond, so that each part of their way
counts for the region in which it began; see `mlip_sse.analysis.mechanism.region_estimates` for why nothing is lost at
the borders. Liu, Harder and Berne follow those that stay, and take the motion across from how long they do; the share
that is still there is given here, too.

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
    ACROSS,
    ALONG,
    SlopeWindow,
    diffusion_slope,
    jackknifed,
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
    n_exits
        Ions seen leaving.
    lags_fs : (n_lags,)
    times_fs : (n_lags,) mean time that ions are followed for, at each lag
    msd : (n_lags, 2) Å² in the plane and along the normal, until then
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
    n_exits: int
    lags_fs: NDArray[np.float64]
    times_fs: NDArray[np.float64]
    msd: NDArray[np.float64]
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
        Vibration is over by then: shortest lag of a slope, and time that positions are averaged over.
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
        sums = count_regions(trajectory, ions, self.axis, directions, lags, [*wanted, *bins], max(1, round(cage)))
        found = [self._region(part, height, trajectory.frame_spacing_fs, cage) for part in sums]
        ratio = self._ratio(sums[1], sums[2], cage) if len(self.regions) > 1 else None
        return RegionsResult(tuple(found[: len(wanted)]), tuple(found[len(wanted) :]), height, ratio)

    def _region(self, sums: RegionSums, height: float, spacing_fs: float, cage: float) -> RegionDiffusion:
        region = sums.region
        origins = sums.counts[..., 0].sum(axis=(0, 1))
        means = np.full((len(origins), 3), math.nan)
        np.divide(sums.sums.sum(axis=(0, 1)), origins[:, None], out=means, where=origins[:, None] > 0)
        leaving, at_risk = survivors(sums.ended, sums.open_ended)
        survival = np.concatenate([[1.0], np.cumprod(1.0 - leaving / np.maximum(at_risk, 1))])
        gone = np.flatnonzero(survival < 1 / math.e)
        base = RegionDiffusion(
            region=region,
            width=float(2 * region.half_widths.sum() * height),
            n_ions=sums.frames_inside() / sums.n_frames,
            parallel=None,
            perpendicular=None,
            residence_fs=float(gone[0]) * spacing_fs if gone.size else None,
            n_exits=int(sums.ended.sum()),
            lags_fs=sums.lags.astype(np.float64) * spacing_fs,
            times_fs=means[:, 2] * spacing_fs,
            msd=means[:, :2],
            window=None,
            survival=survival[: int(sums.lags[-1]) + 1],
            verdict=Verdict(),
        )
        n_visitors = int((sums.counts[:, :, 0, 0].sum(axis=1) > 0).sum())
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
        along = self._slope(sums, window, ALONG, "along")
        across = self._slope(sums, window, ACROSS, "across")
        if along is None or across is None:
            return _refused(
                base, f"the slope rests on fewer than {_FEWEST_IONS} groups of ions; choose a larger region"
            )
        base = replace(base, parallel=along.scaled(0.25 / spacing_fs), perpendicular=across.scaled(0.5 / spacing_fs))
        for found, direction in ((along, ALONG), (across, ACROSS)):
            if found.value is None:
                base = _bounded(base, direction, window)
        return base

    def _slope(self, sums: RegionSums, window: SlopeWindow, direction: int, name: str) -> Interval | None:
        method = f"squared displacement {name} the planes of ions followed to their exit"
        return jackknifed(
            lambda part, axis: diffusion_slope(sums.without(part, axis), window, direction),
            (sums.sums.shape[0], sums.sums.shape[1]),
            self.confidence,
            method,
        )

    def _ratio(self, first: RegionSums, second: RegionSums, cage: float) -> Interval | None:
        one, other = slope_window(first, cage), slope_window(second, cage)
        if one is None or other is None:
            return None

        def ratio(part: int | None, axis: int) -> float:
            below = diffusion_slope(second.without(part, axis), other, ALONG)
            return diffusion_slope(first.without(part, axis), one, ALONG) / below if below > 0 else math.nan

        method = f"D∥ of {first.region.name} over that of {second.region.name}"
        return jackknifed(ratio, (first.sums.shape[0], first.sums.shape[1]), self.confidence, method)


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


def _bounded(base: RegionDiffusion, direction: int, window: SlopeWindow) -> RegionDiffusion:
    last = window.chosen[-1]
    reason = (
        f"D {'along' if direction == ALONG else 'across'} the planes is only bounded: ions have moved "
        f"{base.msd[last, direction]:.3g} Å² in {base.times_fs[last] / 1000:.3g} ps"
    )
    return replace(base, verdict=base.verdict.weaken(reason))
