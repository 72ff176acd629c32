"""Which lag times a displacement statistic is taken at."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.errors import InputError

__all__ = ["checked_lags", "log_lags"]


def log_lags(n_frames: int, n_lags: int = 100, longest: int | None = None) -> NDArray[np.int64]:
    """Choose lags evenly spaced in log time, from one frame spacing upward.

    At the short end, where even spacing would be finer than a frame, every lag is taken, and the rest is spread over
    what remains, so that the number of lags is the one asked for.

    Parameters
    ----------
    n_frames
        Number of stored frames, at least 2.
    n_lags
        Number of lags; where there are not that many, all are returned.
    longest
        Longest lag in frames, below `n_frames`; half of the frames where it is not given.

    Returns
    -------
    (n_lags,) frames, unique and increasing from 1 to `longest`

    Raises
    ------
    InputError
        When there are fewer than two frames or of lags, or `longest` does not fit.
    """
    if n_frames < 2:
        raise InputError(f"{n_frames} frames hold no displacement, expected at least 2: give a longer trajectory")
    last = max(1, n_frames // 2) if longest is None else int(longest)
    if not 1 <= last < n_frames:
        raise InputError(f"longest lag is {last}, expected 1 to {n_frames - 1} for {n_frames} frames")
    if n_lags < 2:
        raise InputError(f"n_lags is {n_lags}, expected at least 2: the shortest and the longest")
    lags = [1]
    for n_left in range(min(n_lags, last) - 1, 0, -1):
        evenly = lags[-1] * (last / lags[-1]) ** (1.0 / n_left)
        lags.append(max(lags[-1] + 1, round(evenly)))
    return np.array(lags, dtype=np.int64)


def checked_lags(lags: ArrayLike, n_frames: int) -> NDArray[np.int64]:
    """Return lags as int64 after checking that they are whole, increasing and shorter than the trajectory.

    Parameters
    ----------
    lags : (n_lags,) frames
    n_frames
        Number of stored frames.

    Raises
    ------
    InputError
        When they are not; the message names the first offender.
    """
    found = np.asarray(lags)
    if found.ndim != 1 or found.size == 0 or not np.issubdtype(found.dtype, np.integer):
        raise InputError(f"lags have shape {found.shape} and type {found.dtype}, expected (n_lags,) integers in frames")
    if found[0] < 1 or found[-1] >= n_frames:
        raise InputError(f"lags run from {found[0]} to {found[-1]}, expected 1 to {n_frames - 1} for {n_frames} frames")
    if np.any(np.diff(found) <= 0):
        at = int(np.flatnonzero(np.diff(found) <= 0)[0])
        raise InputError(f"lags must increase, found {found[at + 1]} after {found[at]}: sort them and drop duplicates")
    return found.astype(np.int64)
