"""Rotation of polyatomic ions: how fast they forget their orientation, how often they jump, how widely they librate.

Each unit's orientation is followed by optimal superposition, ligands told apart. Correlation times come from the decay
beyond the libration; where the functions do not decay within the trajectory, only a lower bound is given. It rests on
the smaller of what the curve and what the count of reorientations allow: a curve without events is flat and says
nothing of rare ones.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.mechanism.angular_correlations import FUNCTIONS, CorrelationSums, correlation_sums
from mlip_sse.analysis.mechanism.counting import rate_interval
from mlip_sse.analysis.mechanism.orientations import body_shapes, orientations
from mlip_sse.analysis.mechanism.reorientations import Reorientations, find_reorientations
from mlip_sse.analysis.mechanism.units import Units, bond_paths, find_units
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.transport.displacement.lags import log_lags
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["Rotation", "RotationResult"]

_FEWEST_GROUPS = 8
_FEWEST_FRAMES = 20
_LARGEST_LOSS = 4.0 / 3.0
"""A jump takes at most this much of B₁ away: a turn by 180° leaves -1/3."""

_UNRESOLVED = 0.1
_TWO_ORDERS = 2


@dataclass(frozen=True, eq=False)
class RotationResult:
    """What `Rotation.run` found.

    Parameters
    ----------
    units
        The bodies.
    ends : (n_units,) frames in which each is whole
    quaternions : (n_units, n_frames, 4) orientation of each unit
    reorientations
        Events and states.
    times_ps : (n_lags,)
    correlations : (n_lags, 4) C₁, C₂ of bonds, B₁, B₂ of bodies
    errors : (n_lags, 4) standard errors
    correlation_times_ps
        τ₁ and τ₂ of the bonds; a value of None is a lower bound.
    rate_per_ps
        Reorientations by unit and time.
    back_fraction
        Share of the reorientations that return to the orientation before; None where there is none.
    libration_deg
        Root mean square angle from the mean orientation of a state; None where no unit settles.
    unsettled_fraction
        Share of the time outside of states.
    residence
        Frames that a unit must stay to be settled.
    frame_spacing_fs
        Time between frames.
    verdict
        Quality and reasons.
    """

    units: Units
    ends: NDArray[np.int64]
    quaternions: NDArray[np.float64]
    reorientations: Reorientations
    times_ps: NDArray[np.float64]
    correlations: NDArray[np.float64]
    errors: NDArray[np.float64]
    correlation_times_ps: tuple[Interval, Interval]
    rate_per_ps: Interval
    back_fraction: float | None
    libration_deg: Interval | None
    unsettled_fraction: float
    residence: int
    frame_spacing_fs: float
    verdict: Verdict


@dataclass(frozen=True)
class Rotation:
    """Settings of the analysis of rotation.

    Parameters
    ----------
    centre, ligand
        Species of a unit's centre and of what is bound to it.
    bond_length
        Longest bond in the first frame, Å.
    n_ligands
        Ligands of a unit; by default what most centres have.
    breaking_factor
        A unit ends where a bond grows beyond this many bond lengths.
    jump_angle_deg, settling_angle_deg
        See `mlip_sse.analysis.mechanism.reorientations`.
    residence_ps
        How long a body must stay to be settled.
    libration_ps
        Beyond this lag libration is over and what decays is reorientation.
    n_lags
        Log-spaced lags up to half of the trajectory.
    confidence
        Of the intervals.
    """

    centre: str = "P"
    ligand: str = "S"
    bond_length: float = 2.6
    n_ligands: int | None = None
    breaking_factor: float = 1.25
    jump_angle_deg: float = 60.0
    settling_angle_deg: float = 30.0
    residence_ps: float = 1.0
    libration_ps: float = 1.0
    n_lags: int = 60
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not 0 < self.settling_angle_deg < self.jump_angle_deg < 180:
            raise InputError(
                f"found a settling angle of {self.settling_angle_deg:g}° and a jump angle of {self.jump_angle_deg:g}°, "
                "expected 0 < settling < jump < 180"
            )
        if not self.breaking_factor >= 1:
            raise InputError(f"found breaking_factor {self.breaking_factor:g}, expected at least 1")

    def run(self, trajectory: "Trajectory") -> RotationResult:
        """Analyse a trajectory.

        Raises
        ------
        InputError
            When there is no unit, its bonds lie along one line, or the trajectory is too short.
        """
        n_frames, spacing_ps = trajectory.n_frames, trajectory.frame_spacing_fs / 1000.0
        if n_frames < _FEWEST_FRAMES:
            raise InputError(f"found {n_frames} frames, expected at least {_FEWEST_FRAMES}; give a longer trajectory")
        units = find_units(trajectory, self.centre, self.ligand, self.bond_length, self.n_ligands)
        residence = max(3, math.ceil(self.residence_ps / spacing_ps - 1e-9))
        lags = log_lags(n_frames, min(self.n_lags, n_frames // 2))
        n_blocks = max(1, math.ceil(_FEWEST_GROUPS / len(units)))
        parts = [
            self._block(bonds, ends, lags, n_blocks)
            for bonds, ends in bond_paths(trajectory, units, self.breaking_factor * self.bond_length)
        ]
        ends = np.concatenate([part[0] for part in parts])
        quaternions = np.concatenate([part[1] for part in parts])
        sums = CorrelationSums(
            lags, np.concatenate([p[2].sums for p in parts]), np.concatenate([p[2].counts for p in parts])
        )
        events = find_reorientations(quaternions, ends, residence, self.jump_angle_deg, self.settling_angle_deg)
        exposures = ends * spacing_ps
        counts = np.bincount(events.units, minlength=len(units)).astype(np.int64)
        rate = rate_interval(counts, exposures, self.confidence)
        times: NDArray[np.float64] = lags.astype(np.float64) * spacing_ps
        means, errors = _with_errors(sums)
        taus = tuple(
            _correlation_time(sums, k, times, self.libration_ps, rate.high, self.confidence) for k in range(_TWO_ORDERS)
        )
        result = RotationResult(
            units=units,
            ends=ends,
            quaternions=quaternions,
            reorientations=events,
            times_ps=times,
            correlations=means,
            errors=errors,
            correlation_times_ps=(taus[0], taus[1]),
            rate_per_ps=rate,
            back_fraction=float(events.returned.mean()) if len(events) else None,
            libration_deg=_libration(events, self.confidence),
            unsettled_fraction=1.0 - float(events.n_settled.sum() / ends.sum()),
            residence=residence,
            frame_spacing_fs=trajectory.frame_spacing_fs,
            verdict=Verdict(),
        )
        return _judged(result, residence * spacing_ps, self.breaking_factor * self.bond_length)

    def _block(
        self, bonds: NDArray[np.float64], ends: NDArray[np.int64], lags: NDArray[np.int64], n_blocks: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], CorrelationSums]:
        shapes = body_shapes(bonds, ends)
        spread = np.linalg.svd(shapes, compute_uv=False)
        if shapes.shape[1] < _TWO_ORDERS or (spread[:, 1] < 0.1 * spread[:, 0]).any():
            raise InputError(
                f"the bonds of a unit of {bonds.shape[2]} {self.ligand} lie along one line, so that its orientation "
                "is not defined; expected at least two bonds that span a plane"
            )
        quaternions = orientations(bonds, shapes, ends)
        return ends, quaternions, correlation_sums(bonds, quaternions, ends, lags, n_blocks)


def _with_errors(sums: CorrelationSums) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the functions and their standard errors by leaving out one group at a time."""
    means = sums.mean()
    without = np.array([sums.mean(g) for g in range(sums.n_groups)])
    n = sums.n_groups
    return means, np.sqrt((n - 1) / n * np.nansum((without - np.nanmean(without, axis=0)) ** 2, axis=0))


def _decay_rate(curve: NDArray[np.float64], weights: NDArray[np.int64], times: NDArray[np.float64]) -> float:
    """Return the slope of -ln(curve) by least squares, weighted by the windows that fit side by side."""
    good = (curve > 0) & (weights > 0)
    if good.sum() < _TWO_ORDERS:
        return math.nan
    x, y = times[good], np.log(curve[good])
    # a lag's relative error grows as 1/curve, and its origins overlap over the lag
    w = weights[good] * curve[good] ** 2 / x
    x0, y0 = np.average(x, weights=w), np.average(y, weights=w)
    return float(-np.sum(w * (x - x0) * (y - y0)) / np.sum(w * (x - x0) ** 2))


def _correlation_time(
    sums: CorrelationSums, k: int, times: NDArray[np.float64], libration_ps: float, highest_rate: float, level: float
) -> Interval:
    """Return τ of one function with its interval; a lower bound where it does not decay to 1/e."""
    start = min(int(np.searchsorted(times, libration_ps)), len(times) - _TWO_ORDERS)
    curve = sums.mean()[:, k]
    below = np.flatnonzero(curve[start:] < curve[start] / math.e)
    decays = below.size > 0 and curve[start] > 0
    stop = start + int(below[0]) + 1 if decays else len(times)
    stop = max(stop, start + _TWO_ORDERS)
    window = slice(start, stop)
    counts = sums.counts.reshape(-1, len(times))
    total = counts.sum(axis=0)
    rate = _decay_rate(curve[window], total[window], times[window])
    without = np.array(
        [_decay_rate(sums.mean(g)[window, k], (total - counts[g])[window], times[window]) for g in range(sums.n_groups)]
    )
    n = int(np.isfinite(without).sum())
    error = math.sqrt((n - 1) / n * float(np.nansum((without - np.nanmean(without)) ** 2))) if n > 1 else math.inf
    t_quantile = -float(stdtrit(max(n - 1, 1), 0.5 * (1.0 - level)))
    name = FUNCTIONS[k].replace("bond_", "C")
    if decays and rate > 0 and t_quantile * error < rate:
        half = t_quantile * error / rate
        method = f"slope of ln {name} from {times[start]:.3g} to {times[stop - 1]:.3g} ps, jackknife of {n} groups"
        return Interval(1.0 / rate, math.exp(-half) / rate, math.exp(half) / rate, level, method)
    order = k + 1
    fastest = max(rate + t_quantile * error, 0.0) if math.isfinite(rate + error) else 0.0
    # rare events that the curve has not seen: each takes at most 4/3 of C₁, and of C₂ 3/2
    fastest = max(fastest, (_LARGEST_LOSS if order == 1 else 1.5) * highest_rate)
    method = f"lower bound: {name} falls from {curve[start]:.3g} to {curve[-1]:.3g} within {times[-1]:.3g} ps, no 1/e"
    return Interval(None, 1.0 / fastest, math.inf, level, method)


def _libration(events: Reorientations, level: float) -> Interval | None:
    settled = events.n_settled > 0
    n = int(settled.sum())
    if n == 0:
        return None
    squares, weights = events.libration_deg2[settled], events.n_settled[settled]
    mean = float(np.average(squares, weights=weights))
    value = math.sqrt(mean)
    if mean == 0:
        return Interval(0.0, 0.0, 0.0, level, "nothing librates")
    if n == 1:
        return Interval(value, 0.0, math.inf, level, "root mean square angle of one unit: its spread is not known")
    residuals = weights * (squares - mean) / weights.sum()
    error = math.sqrt(n / (n - 1) * float(np.sum(residuals**2)))
    half = -float(stdtrit(n - 1, 0.5 * (1.0 - level))) * error / mean / 2.0
    method = f"root mean square angle, spread between {n} units"
    return Interval(value, value * math.exp(-half), value * math.exp(half), level, method)


def _judged(result: RotationResult, residence_ps: float, breaking_length: float) -> RotationResult:
    from dataclasses import replace

    verdict = Verdict()
    units, n_frames = result.units, result.quaternions.shape[1]
    if len(units) == 1:
        verdict = verdict.weaken("1 unit: the spread between units is not known, expected several")
    if units.left_out:
        shown = "; ".join(units.left_out[:3]) + (" …" if len(units.left_out) > 3 else "")
        verdict = verdict.weaken(f"{len(units.left_out)} {units.centre} left out: {shown}")
    broken = np.flatnonzero(result.ends < n_frames)
    if broken.size:
        first = broken[np.argmin(result.ends[broken])]
        verdict = verdict.weaken(
            f"{broken.size} of {len(units)} units broke (a bond beyond {breaking_length:.3g} Å), the first around "
            f"{units.centre} {units.centres[first]} in frame {result.ends[first]}; each is left out from there on"
        )
    missed = result.rate_per_ps.high * residence_ps
    if result.rate_per_ps.value is not None and result.rate_per_ps.value * residence_ps > _UNRESOLVED:
        verdict = verdict.weaken(
            f"reorientations follow each other within {1 / result.rate_per_ps.value:.3g} ps, expected more than "
            f"{1 / _UNRESOLVED:.0f} residence times of {residence_ps:.3g} ps: about {min(missed, 1):.0%} go unseen"
        )
    if result.unsettled_fraction > 2 * _UNRESOLVED:
        verdict = verdict.weaken(
            f"units are unsettled for {result.unsettled_fraction:.0%} of the time: they turn freely rather than jump, "
            "and the rate counts only what settles"
        )
    for order, tau in enumerate(result.correlation_times_ps, start=1):
        if tau.value is None:
            verdict = verdict.weaken(
                f"τ{order} only bounded, > {tau.low:.3g} ps: C{order} falls to "
                f"{result.correlations[-1, order - 1]:.3g} in {result.times_ps[-1]:.3g} ps, expected 1/e of its start"
            )
    return replace(result, verdict=verdict)
