"""Do ions hop when the anions next to them turn? The paddle-wheel question, against a time-shifted null.

Coincidences are pairs of a reorientation and a hop near that unit, at most a window apart in time. The null: the same
reorientations, all shifted together along the trajectory, cyclically. This keeps everything that either process does
by itself (flurries, neighbours that move together, units that are busier than others) and takes away only the time
between them. All shifts are counted, so that the p-value is exact: the share of the shifts, none included, that show
at least as many coincidences. It is small by chance in as many cases as it says.

The continuous version asks the same of two rates: the angle that a unit turns in an interval, and how far the cations
near it move in the same interval.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numba as nb
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from mlip_sse.analysis.results import Interval
from mlip_sse.errors import InputError

__all__ = ["Coupling", "RateCoupling", "Word", "couple_events", "couple_rates", "near_pairs"]

Word = Literal["coupled", "no coupling seen", "not enough events"]

_POWER = 0.8
_FEWEST_EVENTS = 3


@dataclass(frozen=True, eq=False)
class Coupling:
    """Coincidences of reorientations and hops.

    Parameters
    ----------
    word
        The verdict, plainly.
    n_reorientations, n_hops
        Reorientations of the units; hops near any of them.
    n_coincidences
        Found.
    expected
        Mean over all shifts.
    p_value
        Share of the shifts with at least as many; None without events.
    excess
        Coincidences beyond the mean, by reorientation; ``value`` None where no coupling is seen, ``high`` is then the
        upper limit.
    detectable
        Excess by reorientation that would be seen in 4 of 5 such trajectories; infinite without reorientations.
    lags_ps : (n_lags,) time from reorientation to hop
    ratios : (n_lags,) pairs at that time over the mean of all shifts
    null_limits : (2, n_lags) between which the ratio lies for the stated share of the shifts
    """

    word: Word
    n_reorientations: int
    n_hops: int
    n_coincidences: int
    expected: float
    p_value: float | None
    excess: Interval
    detectable: float
    lags_ps: NDArray[np.float64]
    ratios: NDArray[np.float64]
    null_limits: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RateCoupling:
    """Correlation of two rates.

    Parameters
    ----------
    word
        The verdict, plainly.
    coefficient
        Pearson's, of the deviations from each unit's own mean, with the spread of the shifted ones.
    p_value
        Share of the shifts with at least as large a coefficient.
    lags_ps : (n_lags,) by which the cations come later
    coefficients : (n_lags,)
    null_limits : (2,) between which the coefficient lies for the stated share of the shifts
    """

    word: Word
    coefficient: Interval
    p_value: float | None
    lags_ps: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    null_limits: NDArray[np.float64]


def near_pairs(
    places: NDArray[np.float64], centres: NDArray[np.float64], cells: NDArray[np.float64], radius: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which events are near which units.

    Parameters
    ----------
    places : (n_events, 3) fractions
    centres : (n_events, n_units, 3) fractions, at the time of each event
    cells : (n_events, 3, 3) Å, at that time
    radius
        Å, at most half the cell's smallest width.

    Returns
    -------
    events, units : (n_pairs,)
    """
    if not len(places):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    width = float((1.0 / np.linalg.norm(np.linalg.inv(cells), axis=1)).min())
    if not 0 < radius <= 0.5 * width * (1 + 1e-9):
        raise InputError(
            f"found a radius of {radius:g} Å in a cell {width:.4g} Å wide, expected at most half of it, "
            f"{0.5 * width:.4g} Å"
        )
    apart = centres - places[:, None]
    vectors = np.einsum("nus,nsd->nud", apart - np.rint(apart), cells, optimize=True)
    events, units = np.nonzero(np.einsum("nud,nud->nu", vectors, vectors) <= radius**2)
    return events.astype(np.int64), units.astype(np.int64)


def couple_events(
    turns: tuple[NDArray[np.int64], NDArray[np.int64]],
    hops: tuple[NDArray[np.int64], NDArray[np.int64]],
    live: tuple[int, int],
    window: int,
    frame_spacing_fs: float,
    longest_lag: int | None = None,
    confidence: float = 0.95,
) -> Coupling:
    """Compare coincidences of reorientations and nearby hops with those of all cyclic shifts.

    Parameters
    ----------
    turns
        Frames and units of the reorientations.
    hops
        Frames of the hops and the units that they are near; a hop near two units stands twice.
    live
        First frame, and frame after the last, in which both kinds of event can be seen; others are left out.
    window
        Largest time between the two, frames.
    frame_spacing_fs
        Time between frames.
    longest_lag
        Of the cross-correlation, frames; ten windows by default.
    confidence
        1 - confidence is the p-value below which we speak of coupling.

    Raises
    ------
    InputError
        When the live time is shorter than four windows.
    """
    start, stop = live
    period = stop - start
    if window < 0 or period < 4 * (2 * window + 1):
        raise InputError(
            f"found {period} frames for a window of ±{window} frames, expected at least {4 * (2 * window + 1)}: "
            "choose a shorter window or give a longer trajectory"
        )
    seen_turns, seen_hops = _alive(turns, start, stop), _alive(hops, start, stop)
    n_turns, n_hops = len(seen_turns[0]), len(seen_hops[0])
    lags = _lags_of(seen_turns, seen_hops, period)
    counts = _windowed(lags, window)
    found, mean, spread = int(counts[0]), float(counts.mean()), float(counts.std())
    p_value = float((counts >= found).mean()) if n_turns and n_hops else None
    detectable = _detectable(spread, confidence) / n_turns if n_turns else math.inf
    word = _word(p_value, min(n_turns, n_hops), detectable, confidence)
    method = f"coincidences within {window * frame_spacing_fs / 1000:.3g} ps beyond the mean of {period} cyclic shifts"
    shown = min(10 * window if longest_lag is None else longest_lag, period // 2 - 1)
    ratios, limits = _ratios(lags, shown, max(1, window // 2), confidence)
    return Coupling(
        word=word,
        n_reorientations=n_turns,
        n_hops=n_hops,
        n_coincidences=found,
        expected=mean,
        p_value=p_value,
        excess=_excess(found - mean, spread, n_turns, word == "coupled", confidence, method),
        detectable=detectable,
        lags_ps=np.arange(-shown, shown + 1, dtype=np.float64) * (frame_spacing_fs / 1000.0),
        ratios=ratios,
        null_limits=limits,
    )


def _lags_of(
    turns: tuple[NDArray[np.int64], NDArray[np.int64]], hops: tuple[NDArray[np.int64], NDArray[np.int64]], period: int
) -> NDArray[np.int64]:
    """Count the pairs of a turn and a hop of the same unit by their cyclic lag, (period,) frames."""
    (turn_frames, turn_units), (hop_frames, hop_units) = turns, hops
    lags = np.zeros(period, dtype=np.int64)
    n_units = 1 + int(max(turn_units.max(initial=-1), hop_units.max(initial=-1)))
    by_unit = np.argsort(hop_units, kind="stable")
    offsets = np.searchsorted(hop_units[by_unit], np.arange(n_units + 1)).astype(np.int64)
    _count_lags(turn_frames, turn_units, hop_frames[by_unit], offsets, lags)
    return lags


def _word(p_value: float | None, n_fewer: int, detectable: float, confidence: float) -> Word:
    """Return what may be said, of the p-value, the number of the rarer events, and the least coupling to be seen."""
    if p_value is None or n_fewer < _FEWEST_EVENTS:
        return "not enough events"
    if p_value <= 1.0 - confidence:
        return "coupled"
    return "not enough events" if detectable > 1.0 else "no coupling seen"


def couple_rates(
    turning: NDArray[np.float64],
    moving: NDArray[np.float64],
    spacing_ps: float,
    longest_lag: int = 20,
    confidence: float = 0.95,
) -> RateCoupling:
    """Correlate how fast units turn with how far the cations near them move, against all cyclic shifts.

    Parameters
    ----------
    turning, moving : (n_units, n_times), evenly spaced in time
    spacing_ps
        Time between the samples.
    longest_lag
        Of the cross-correlation, samples.
    confidence
        1 - confidence is the p-value below which we speak of coupling.
    """
    if turning.shape != moving.shape or turning.ndim != 2:
        raise InputError(f"turning has shape {turning.shape}, moving {moving.shape}, expected both (n_units, n_times)")
    n_times = turning.shape[1]
    a = turning - turning.mean(axis=1, keepdims=True)
    b = moving - moving.mean(axis=1, keepdims=True)
    size = math.sqrt(float((a**2).sum() * (b**2).sum()))
    quantile = float(ndtri(0.5 + 0.5 * confidence))
    shown = max(0, min(longest_lag, n_times // 2 - 1))
    lags = np.arange(-shown, shown + 1, dtype=np.int64)
    if n_times < int(1.0 / (1.0 - confidence)) or not size > 0:
        why = f"{n_times} times" if size > 0 else "nothing turns or nothing moves"
        nothing = Interval(None, -1.0, 1.0, confidence, f"not enough to correlate: {why}")
        return RateCoupling("not enough events", nothing, None, lags * spacing_ps, np.zeros(len(lags)), np.zeros(2))
    spectra = np.conj(np.fft.rfft(a, axis=1)) * np.fft.rfft(b, axis=1)
    every: NDArray[np.float64] = np.fft.irfft(spectra.sum(axis=0), n=n_times) / size
    value, half = float(every[0]), quantile * float(every.std())
    p_value = float((every >= value * (1 - 1e-12)).mean())
    seen = p_value <= 1.0 - confidence
    tail = 0.5 * (1.0 - confidence)
    return RateCoupling(
        "coupled" if seen else "no coupling seen",
        Interval(value, value - half, value + half, confidence, f"Pearson, spread of {n_times} cyclic shifts"),
        p_value,
        lags * spacing_ps,
        every[lags],
        np.quantile(every, [tail, 1.0 - tail]),
    )


def _alive(
    events: tuple[NDArray[np.int64], NDArray[np.int64]], start: int, stop: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    frames, units = (np.asarray(part, dtype=np.int64) for part in events)
    inside = (frames >= start) & (frames < stop)
    return frames[inside] - start, units[inside]


def _excess(excess: float, spread: float, n_turns: int, is_seen: bool, confidence: float, method: str) -> Interval:
    """Return the excess by reorientation with its interval, or its upper limit."""
    if not n_turns:
        return Interval(None, 0.0, math.inf, confidence, "no reorientation")
    # a trajectory with coupling varies by as many coupled events as it has, and one event is the least there is
    half = float(ndtri(0.5 + 0.5 * confidence)) * math.sqrt(spread**2 + max(excess, 1.0))
    if is_seen:
        return Interval(excess / n_turns, (excess - half) / n_turns, (excess + half) / n_turns, confidence, method)
    return Interval(None, 0.0, max(excess + half, 0.0) / n_turns, confidence, f"{method}, upper limit")


def _detectable(spread: float, confidence: float) -> float:
    """Return the excess E that passes the test in 4 of 5 cases: E = z₁ s + z₂ √(s² + E).

    s is the scatter of the null, one event added, for counts are whole; E coupled events scatter by themselves.
    """
    first, second, s = float(ndtri(confidence)), float(ndtri(_POWER)), math.sqrt(spread**2 + 1.0)
    half = first * s + 0.5 * second**2
    return half + math.sqrt(half**2 - (first**2 - second**2) * s**2)


@nb.njit(cache=True)
def _count_lags(turn_frames: Any, turn_units: Any, hop_frames: Any, offsets: Any, lags: Any) -> None:
    period = lags.size
    for e in range(turn_frames.size):
        u = turn_units[e]
        for h in range(offsets[u], offsets[u + 1]):
            lag = hop_frames[h] - turn_frames[e]
            lags[lag if lag >= 0 else lag + period] += 1


def _windowed(lags: NDArray[np.int64], window: int) -> NDArray[np.int64]:
    """Return the sums over ±window around each lag, cyclically."""
    wrapped = np.concatenate([lags[len(lags) - window :], lags, lags[:window]])
    sums = np.concatenate([[0], np.cumsum(wrapped)])
    out: NDArray[np.int64] = sums[2 * window + 1 :] - sums[: -(2 * window + 1)]
    return out


def _ratios(
    lags: NDArray[np.int64], shown: int, half_bin: int, confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the cross-correlation around lag 0 over the mean, and the limits of all shifts."""
    smooth = _windowed(lags, half_bin).astype(np.float64)
    smooth /= max(float(smooth.mean()), 1e-300)
    tail = 0.5 * (1.0 - confidence)
    limits = np.quantile(smooth, [tail, 1.0 - tail])
    chosen = np.arange(-shown, shown + 1)
    return smooth[chosen], np.repeat(limits[:, None], len(chosen), axis=1)
