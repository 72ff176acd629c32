"""The spacing of times that a file stores with few digits.

Single-precision times of a long run are too coarse for the difference of two neighbours (at 100 ns they have steps of
8 fs), but the whole span divided by the number of frames is not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["StoredTimes"]


@dataclass(frozen=True)
class StoredTimes:
    """What a file's times and steps come to.

    Parameters
    ----------
    spacing_fs
        Time between frames in fs where the times advance evenly.
    times_fs : (n_frames,)
        The times themselves where they do not, for the caller to judge; None where there is nothing to tell.
    steps : (n_frames,)
        The steps, where they count anything.
    """

    spacing_fs: float | None
    times_fs: NDArray[np.float64] | None
    steps: NDArray[np.int64] | None

    @classmethod
    def of(
        cls,
        times_fs: NDArray[np.float64],
        steps: NDArray[np.int64] | None,
        resolution: float,
        notes: list[str],
    ) -> "StoredTimes":
        """Judge a file's times.

        Parameters
        ----------
        times_fs : (n_frames,)
        steps : (n_frames,)
        resolution
            Relative resolution of a stored time.
        notes
            Gets a sentence where the times say nothing.
        """
        if steps is not None and len(steps) > 1 and np.all(steps == steps[0]):
            steps = None
        if len(times_fs) < 2:
            return cls(None, times_fs, steps)
        if np.all(times_fs == times_fs[0]):
            notes.append(f"all frames carry the time {times_fs[0]:g} fs: the file does not know its frame spacing")
            return cls(None, None, steps)
        fresh = np.concatenate([[True], np.diff(times_fs) != 0 if steps is None else np.diff(steps) != 0])
        times = times_fs[fresh]
        spacing = float((times[-1] - times[0]) / max(1, len(times) - 1))
        expected = times[0] + spacing * np.arange(len(times))
        with np.errstate(invalid="ignore"):
            even = np.abs(times - expected) <= 0.01 * abs(spacing) + 2.0 * resolution * np.abs(times)
        if spacing > 0 and np.isfinite(times).all() and even.all():
            return cls(spacing, None, steps)
        return cls(None, times_fs, steps)

    def part(self, start: int, stop: int) -> tuple[NDArray[np.float64] | None, NDArray[np.int64] | None]:
        """Return the times and steps of some frames."""
        times = None if self.times_fs is None else self.times_fs[start:stop]
        return times, None if self.steps is None else self.steps[start:stop]
