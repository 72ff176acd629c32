"""When the grade of a frame calls for a label: above what familiar frames reach, with its share of false alarms.

A frame is as far out as its worst atom: its grade is the largest of its atoms'. The threshold is the quantile of that
over validation frames beyond which the allowed share of them lies, and never below 1, where extrapolation begins.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.errors import FormatError, InputError

__all__ = ["GradeAlarm", "calibrate_alarm"]


@dataclass(frozen=True)
class GradeAlarm:
    """A threshold of the largest grade in a frame.

    Parameters
    ----------
    threshold
        Above it a frame is flagged.
    false_alarms
        Share of the validation frames that are flagged.
    n_frames
        How many those were.
    """

    threshold: float
    false_alarms: float
    n_frames: int

    def flags(self, frame_grades: ArrayLike) -> NDArray[np.bool_]:
        """Return (n_frames,) which frames are flagged, from the largest grade in each."""
        return np.asarray(frame_grades, dtype=np.float64) > self.threshold

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the card."""
        return {"threshold": self.threshold, "false_alarms": self.false_alarms, "n_frames": self.n_frames}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "GradeAlarm":
        """Return what `to_dict` wrote.

        Raises
        ------
        FormatError
            When it did not.
        """
        try:
            return cls(float(plain["threshold"]), float(plain["false_alarms"]), int(plain["n_frames"]))
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"found an alarm without {error}, expected what mlip-sse wrote") from error


def calibrate_alarm(frame_grades: ArrayLike, false_alarms: float = 0.05) -> GradeAlarm:
    """Set the threshold so that at most a share of familiar frames is flagged.

    Parameters
    ----------
    frame_grades
        (n_frames,) the largest grade in each validation frame.
    false_alarms
        The share that may be flagged, in [0, 1); with 20 frames 0.05 is one of them.

    Raises
    ------
    InputError
        When there is no frame, a grade is not finite, or the share is out of range.
    """
    grades = np.sort(np.asarray(frame_grades, dtype=np.float64).ravel())
    if not grades.size or not np.isfinite(grades).all():
        raise InputError(f"found {grades.size} grades, expected one finite number for each validation frame")
    if not 0 <= false_alarms < 1:
        raise InputError(f"found a share of false alarms of {false_alarms}, expected 0 or more and less than 1")
    n_flagged = math.floor(false_alarms * len(grades) + 1e-9)
    threshold = max(float(grades[len(grades) - 1 - n_flagged]), 1.0)
    return GradeAlarm(threshold, float((grades > threshold).mean()), len(grades))
