"""Hops and rests in the hop indicator: one event a hop, ions that rattle back and forth apart, stable spans."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.analysis.results import Verdict
from mlip_sse.analysis.softness.hop_indicator import HopIndicator, Thresholds

__all__ = ["Hops", "StableSpans", "find_hops", "find_stable_spans", "judge_storage"]

RATTLE_SHARE = 0.5
"""A hop and the next one are a rattle where they add up to less than this part of the shorter one."""


@dataclass(frozen=True, eq=False)
class Hops:
    """The hops of all ions, ion by ion in time order.

    A hop begins where p_hop crosses p_c and ends where it falls below half of p_c.

    Parameters
    ----------
    ions : (n_hops,) rows of the indicator
    starts : (n_hops,) frame at which p_hop crosses p_c
    peaks : (n_hops,) frame of the largest p_hop
    ends : (n_hops,) first frame after the hop
    shifts : (n_hops,) Å, length of the jump at its peak
    rattling : (n_hops,) whether the ion came back at once, or is coming back
    whole : (n_hops,) whether the frame before the crossing was seen
    residence_ps
        Mean time at rest: the time of all ions outside of hops over the number of hops, so that hops which run
        together do not make it longer; infinite without hops.
    """

    ions: NDArray[np.int64]
    starts: NDArray[np.int64]
    peaks: NDArray[np.int64]
    ends: NDArray[np.int64]
    shifts: NDArray[np.float64]
    rattling: NDArray[np.bool_]
    whole: NDArray[np.bool_]
    residence_ps: float

    def __len__(self) -> int:
        return len(self.ions)

    @property
    def sampled(self) -> NDArray[np.bool_]:
        """The hops that may stand for the hop class, (n_hops,): seen from before their beginning, and no rattles."""
        return self.whole & ~self.rattling


@dataclass(frozen=True, eq=False)
class StableSpans:
    """Spans of rest, cut into pieces of equal length.

    p_hop stays below half of p_c and is below p_0 on average over the piece: over a few frames it fluctuates by tens of
    per cent in any cage, so that no long span would lie below p_0 throughout.

    Parameters
    ----------
    ions : (n_pieces,) rows of the indicator
    centres : (n_pieces,) frame in the middle of each piece
    length
        Frames in a piece.
    """

    ions: NDArray[np.int64]
    centres: NDArray[np.int64]
    length: int

    def __len__(self) -> int:
        return len(self.ions)


def find_hops(
    indicator: HopIndicator, thresholds: Thresholds, coordinates: NDArray[np.floating] | None, return_frames: int
) -> Hops:
    """Find the hops of all ions.

    Parameters
    ----------
    coordinates : (n_ions, 3, n_frames) Å
        For the direction of the hops, by which rattles are told; None when no hop is to count as a rattle.
    return_frames
        An ion whose next hop peaks within this many frames and brings it back to where it was has rattled.
    """
    ions, starts, peaks, ends = _crossings(indicator.values, thresholds.hop, thresholds.release)
    shifts = indicator.shifts[ions, peaks]
    half = indicator.half
    rattling = np.zeros(len(ions), dtype=np.bool_)
    if coordinates is not None and len(ions) > 1:
        steps = _steps(coordinates, ions, peaks, half)
        together = np.linalg.norm(steps[1:] + steps[:-1], axis=1)
        shorter = np.minimum(shifts[1:], shifts[:-1])
        back = (ions[1:] == ions[:-1]) & (np.diff(peaks) <= return_frames) & (together < RATTLE_SHARE * shorter)
        rattling[1:] |= back
        rattling[:-1] |= back
    resting = indicator.values.size - int((ends - starts).sum())
    residence = resting * indicator.frame_spacing_fs / 1000.0 / len(ions) if len(ions) else np.inf
    return Hops(ions, starts + half, peaks + half, ends + half, shifts, rattling, starts > 0, residence)


def find_stable_spans(indicator: HopIndicator, thresholds: Thresholds, length: int) -> StableSpans:
    """Find pieces of ``length`` frames in which p_hop stays below p_c/2, and is below p_0 on average."""
    ions, centres = _quiet_pieces(indicator.values, thresholds.release, thresholds.stable, max(length, 1))
    return StableSpans(ions, centres + indicator.half, max(length, 1))


def judge_storage(indicator: HopIndicator, hops: Hops, thresholds: Thresholds) -> Verdict:
    """Test the window and the spacing of frames against the residence time and the cage that were found."""
    verdict, half, residence = Verdict(), indicator.half_window_ps, hops.residence_ps
    if indicator.half < 5:
        verdict = verdict.weaken(
            f"frames are {indicator.frame_spacing_fs:g} fs apart: {indicator.half} in half a window of {half:g} ps, "
            "fewer than 5, so that vibration is averaged badly"
        )
    if residence < half:
        verdict = verdict.refuse(
            f"an ion rests for {residence:.3g} ps between hops, less than half a window of {half:g} ps: hops run into "
            "one another; store more often and narrow half_window_ps"
        )
    elif residence < 3.0 * half:
        verdict = verdict.weaken(
            f"an ion rests for {residence:.3g} ps between hops, less than three half windows of {half:g} ps: some hops "
            "run together"
        )
    ideal = thresholds.jump_length**2 + thresholds.cage_variance
    if len(hops) and thresholds.hop > ideal:
        verdict = verdict.weaken(
            f"p_c = {thresholds.hop:.3g} Å² exceeds a² + u² = {ideal:.3g} Å²: the cage is as wide as a jump is long"
        )
    return verdict


def _steps(
    coordinates: NDArray[np.floating], ions: NDArray[np.int64], columns: NDArray[np.int64], half: int
) -> NDArray[np.float64]:
    """Return ⟨r⟩_B − ⟨r⟩_A at the peaks, (n_hops, 3) Å."""
    around = columns[:, None] + np.arange(half)
    before = coordinates[ions[:, None], :, around].mean(axis=1)
    after = coordinates[ions[:, None], :, around + half].mean(axis=1)
    steps: NDArray[np.float64] = after - before
    return steps


@njit(cache=True)
def _crossings(
    values: NDArray[np.float64], hop: float, release: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    room = values.size // 2 + 1
    ions, starts = np.empty(room, np.int64), np.empty(room, np.int64)
    peaks, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    n = 0
    for ion in range(values.shape[0]):
        inside = False
        for k in range(values.shape[1]):
            value = values[ion, k]
            if not inside and value >= hop:
                inside = True
                ions[n], starts[n], peaks[n], ends[n] = ion, k, k, values.shape[1]
                n += 1
            elif inside and value < release:
                inside = False
                ends[n - 1] = k
            if inside and value > values[ion, peaks[n - 1]]:
                peaks[n - 1] = k
    return ions[:n].copy(), starts[:n].copy(), peaks[:n].copy(), ends[:n].copy()


@njit(cache=True)
def _quiet_pieces(
    values: NDArray[np.float64], release: float, stable: float, length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    room = values.size // length + 1
    ions, centres = np.empty(room, np.int64), np.empty(room, np.int64)
    n = 0
    for ion in range(values.shape[0]):
        quiet, total = 0, 0.0
        for k in range(values.shape[1]):
            if values[ion, k] >= release:
                quiet, total = 0, 0.0
                continue
            quiet += 1
            total += values[ion, k]
            if quiet == length:
                if total < stable * length:
                    ions[n], centres[n] = ion, k - length // 2
                    n += 1
                quiet, total = 0, 0.0
    return ions[:n].copy(), centres[:n].copy()
