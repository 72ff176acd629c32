"""The time between frames: from the file or the caller, and the same throughout."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.frames import FrameChunk, FrameSource

__all__ = ["Clock", "take"]


_SINGLE_PRECISION = float(np.finfo(np.float32).eps)
"""Many formats keep times with this relative resolution."""


@dataclass
class _EvenSeries:
    """Numbers that must advance by the same amount from frame to frame; a frame that repeats its number is left out."""

    label: str
    unit: str
    resolution: float = 0.0
    n_seen: int = 0
    n_kept: int = 0
    first: float = 0.0
    last: float = 0.0
    expected: float | None = None

    @property
    def spacing(self) -> float | None:
        """Mean advance, more exact than one difference where a file rounds its times."""
        return (self.last - self.first) / (self.n_kept - 1) if self.n_kept > 1 else None

    def keep(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which frames advance."""
        if not np.isfinite(values).all():
            at = self.n_seen + int(np.flatnonzero(~np.isfinite(values))[0])
            raise FormatError(
                f"{self.label}: frame {at}: its {self.unit} is not finite; cut the file before that frame"
            )
        if not values.size:
            return np.ones(0, dtype=bool)
        if self.n_seen == 0:
            self.first = self.last = float(values[0])
        changes = np.diff(values, prepend=self.last)
        slack = self.resolution * np.abs(values)
        kept = np.abs(changes) > slack
        kept[0] |= self.n_seen == 0
        moved = np.flatnonzero(kept)[int(self.n_seen == 0) :]
        if self.expected is None and moved.size:
            self.expected = float(changes[moved[0]])
        if self.expected is not None:
            wrong = moved[np.abs(changes[moved] - self.expected) > 0.01 * abs(self.expected) + 2 * slack[moved]]
            if wrong.size or self.expected < 0:
                self._refuse(values, changes, int(wrong[0] if wrong.size else moved[0]))
        self.n_seen += len(values)
        self.n_kept += int(kept.sum())
        self.last = float(values[-1])
        return kept

    def _refuse(self, values: NDArray[np.float64], changes: NDArray[np.float64], at: int) -> None:
        raise FormatError(
            f"{self.label}: frame {self.n_seen + at}: {self.unit} {values[at]:.10g} comes {changes[at]:.10g} after "
            f"the frame before, expected {abs(self.expected or 0.0):.10g}; frames must be evenly spaced: pick an "
            "even part with start= and stop=, or cut the overlap of restarted runs"
        )


@dataclass
class Clock:
    """Follows the steps and times of one file's frames and tells their spacing.

    Parameters
    ----------
    label
        Name of the file, for messages.
    given_spacing_fs
        What the caller says; it overrules the file.
    """

    label: str
    source: FrameSource
    given_spacing_fs: float | None = None
    n_repeated: int = 0
    steps: _EvenSeries = field(init=False)
    times: _EvenSeries = field(init=False)

    def __post_init__(self) -> None:
        self.steps = _EvenSeries(self.label, "step")
        self.times = _EvenSeries(self.label, "time in fs", _SINGLE_PRECISION)

    def check(self, chunk: FrameChunk) -> FrameChunk:
        """Return the chunk without frames that repeat the one before.

        Raises
        ------
        FormatError
            When the steps or times do not advance evenly.
        InputError
            When no spacing can be told.
        """
        self._require_spacing(chunk)
        if chunk.steps is not None:
            kept = self.steps.keep(chunk.steps.astype(np.float64))
        elif chunk.times_fs is not None:
            kept = self.times.keep(chunk.times_fs)
        else:
            return chunk
        if chunk.steps is not None and chunk.times_fs is not None:
            self.times.keep(chunk.times_fs[kept])
        self.n_repeated += int((~kept).sum())
        return chunk if kept.all() else take(chunk, kept)

    @property
    def spacing_fs(self) -> float:
        """Time between the file's frames in fs: as given, by its times, by its steps, by its header."""
        spacing = self.given_spacing_fs or self._own_spacing()
        if spacing is None:
            raise InputError(f"{self.label}: the time between frames is not in the file; pass frame_spacing_fs=")
        return spacing

    @property
    def conflict(self) -> str | None:
        """A sentence when the file and the caller disagree."""
        own = self._own_spacing()
        if own is None or self.given_spacing_fs is None or abs(own - self.given_spacing_fs) <= 1e-3 * own:
            return None
        return (
            f"{self.label}: frames are {own:g} fs apart by the file, {self.given_spacing_fs:g} fs as given; the "
            "given spacing is used"
        )

    def _own_spacing(self) -> float | None:
        if self.times.spacing is not None:
            return self.times.spacing
        if self.steps.spacing is not None and self.source.timestep_fs is not None:
            return self.steps.spacing * self.source.timestep_fs
        return self.source.frame_spacing_fs

    def _require_spacing(self, chunk: FrameChunk) -> None:
        """Fail at the first chunk, not after gigabytes."""
        if self.given_spacing_fs or self.source.frame_spacing_fs or chunk.times_fs is not None:
            return
        if chunk.steps is None:
            raise InputError(f"{self.label}: the time between frames is not in the file; pass frame_spacing_fs=")
        if self.source.timestep_fs is None:
            raise InputError(
                f"{self.label}: the file counts steps but does not say how long one is; pass timestep_fs=, or "
                "frame_spacing_fs= for the time between frames"
            )


def take(chunk: FrameChunk, which: slice | NDArray[np.bool_]) -> FrameChunk:
    """Return some of a chunk's frames."""

    def part(array: Any) -> Any:
        return None if array is None else array[which]

    return FrameChunk(
        chunk.coordinates[which],
        chunk.cells[which],
        part(chunk.images),
        part(chunk.velocities),
        part(chunk.times_fs),
        part(chunk.steps),
    )
