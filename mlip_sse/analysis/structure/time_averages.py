"""The mean of a quantity over a trajectory, with an interval that knows that frames follow each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, stdtrit

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.errors import InputError

__all__ = ["TimeMean", "mean_over_time", "share_interval", "share_interval_of"]

_MOST_BLOCKS = 20
_FEWEST_BLOCKS = 5
_FEW_TIMES = 5.0


@dataclass(frozen=True)
class TimeMean:
    """A mean over time.

    Parameters
    ----------
    interval
        Mean with its interval.
    correlation_frames
        Integrated correlation time, in the frames that were given; one half where frames do not know of each other.
    verdict
        Weak where the series is too short for its own correlation.
    """

    interval: Interval
    correlation_frames: float
    verdict: Verdict


def mean_over_time(
    values: NDArray[np.floating],
    confidence: float = 0.95,
    lowest: float | None = None,
    highest: float | None = None,
) -> TimeMean:
    """Return the mean of a series with Student's interval from the means of its blocks.

    There are 5 to 20 blocks, each of eight correlation times where that leaves five of them; the variance between
    blocks is never taken to be less than what the correlation time says.

    Parameters
    ----------
    values : (n_frames,) in time order, evenly spaced
    confidence
        Of the interval.
    lowest, highest
        Bounds that the quantity cannot cross, at which the interval is cut.

    Raises
    ------
    InputError
        When no value is there, or not all are finite.
    """
    series = np.asarray(values, dtype=np.float64)
    if series.ndim != 1 or not series.size or not np.isfinite(series).all():
        raise InputError(f"found a series of shape {series.shape}, expected at least one value, all of them finite")
    n, mean = len(series), float(series.mean())
    time = _correlation_time(series - mean)
    n_blocks = int(np.clip(n / max(1.0, 8.0 * time), _FEWEST_BLOCKS, _MOST_BLOCKS))
    verdict = Verdict()
    low, high = -np.inf, np.inf
    if n >= 2 * _FEWEST_BLOCKS:
        length = n // n_blocks
        blocks = series[n - n_blocks * length :].reshape(n_blocks, length).mean(axis=1)
        variance = max(float(blocks.var(ddof=1)) / n_blocks, 2.0 * time * float(series.var()) / n)
        half = float(stdtrit(n_blocks - 1, 0.5 * (1.0 + confidence))) * variance**0.5
        low, high = mean - half, mean + half
        if n < _FEW_TIMES * 2.0 * time:
            verdict = verdict.weaken(
                f"{n} frames are {n / (2.0 * time):.1f} independent ones, fewer than {_FEW_TIMES:g}"
            )
        method = f"mean of frames, Student's interval of {n_blocks} blocks of {length} frames"
    else:
        verdict = verdict.weaken(f"{n} frames are too few for an interval, which takes {2 * _FEWEST_BLOCKS}")
        method = "mean of frames, too few for an interval"
    low = low if lowest is None else max(low, lowest)
    high = high if highest is None else min(high, highest)
    return TimeMean(Interval(mean, low, high, confidence, method), time, verdict)


def share_interval(belongs: NDArray[np.bool_], confidence: float = 0.95) -> Interval:
    """Return the share of atoms that belong to something, with the interval of `share_interval_of`.

    The variance is the larger of that between the atoms' own shares and that between blocks of time.

    Parameters
    ----------
    belongs : (n_frames, n_atoms)
    confidence
        Of the interval.
    """
    n_frames, n_atoms = belongs.shape
    variance = float(belongs.mean(axis=0).var()) / max(n_atoms - 1, 1)
    n_blocks = min(10, n_frames // 2)
    if n_blocks >= 5:
        length = n_frames // n_blocks
        blocks = belongs[: n_blocks * length].reshape(n_blocks, -1).mean(axis=1)
        variance = max(variance, float(blocks.var(ddof=1)) / n_blocks)
    return share_interval_of(float(belongs.mean()), variance, n_atoms, belongs.size, confidence, f"atoms of {n_atoms}")


def share_interval_of(
    share: float, variance: float, n_independent: int, n_samples: int, confidence: float, what: str
) -> Interval:
    """Return Clopper and Pearson's interval of a share, for the number of independent samples that its variance means.

    Parameters
    ----------
    share
        From 0 to 1.
    variance
        Of the share.
    n_independent
        Number taken where the share is 0 or 1 and has no variance: whatever was watched, each counts once.
    n_samples
        Number that the effective one cannot exceed.
    confidence
        Of the interval.
    what
        What is counted, for the method's text.
    """
    n = float(n_independent)
    if 0.0 < share < 1.0:
        n = min(share * (1.0 - share) / variance, float(n_samples)) if variance > 0 else n
    tail = 0.5 * (1.0 - confidence)
    low = float(betaincinv(share * n, (1.0 - share) * n + 1.0, tail)) if share > 0 else 0.0
    high = float(betaincinv(share * n + 1.0, (1.0 - share) * n, 1.0 - tail)) if share < 1 else 1.0
    return Interval(share, low, high, confidence, f"Clopper-Pearson, {n:.3g} effective {what}")


def _correlation_time(deviations: NDArray[np.float64]) -> float:
    """Return ½ + Σ_k ρ(k), summed to the first k ≥ 5 times the sum (Sokal's window)."""
    n = len(deviations)
    power = float(deviations @ deviations)
    if n < 4 or power <= 1e-28 * n:
        return 0.5
    transform = np.fft.rfft(deviations, 2 * n)
    correlation = np.fft.irfft(np.abs(transform) ** 2)[:n] / power
    times = 0.5 + np.cumsum(np.concatenate([[0.0], correlation[1:]]))
    inside = np.flatnonzero(np.arange(n) >= 5.0 * times)
    return max(0.5, float(times[int(inside[0])] if inside.size else times.max()))
