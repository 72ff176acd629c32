"""When the grade of a frame calls for a label: above what familiar frames reach, with its share of false alarms.

Elements differ: one with few training environments reaches high grades in frames that are perfectly familiar. Each has
its own limit, therefore, and a frame is flagged as soon as one atom is beyond that of its element. The limits are the
0.9 quantiles of the largest grade of each element in a validation frame, never below 1, where extrapolation begins, all
raised by one factor so that at most the allowed share of the validation frames is flagged.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mlip_sse.errors import FormatError, InputError

__all__ = ["GradeAlarm", "calibrate_alarm"]

_TYPICAL = 0.9
_UNKNOWN = 1.0  # the limit of an element that no validation frame had


@dataclass(frozen=True)
class GradeAlarm:
    """Limits of the grade.

    Parameters
    ----------
    limits
        Of each element; an atom beyond that of its element flags the frame.
    false_alarms
        Share of the validation frames that are flagged.
    n_frames
        How many those were.
    """

    limits: Mapping[str, float]
    false_alarms: float
    n_frames: int

    def excess(self, grades: ArrayLike, elements: Sequence[str]) -> float:
        """Return the largest grade in units of its element's limit; above 1 the frame is flagged.

        Parameters
        ----------
        grades
            (n_atoms,) of one frame.
        elements
            Chemical symbol of each atom.
        """
        limits = np.array([self.limits.get(element, _UNKNOWN) for element in elements])
        return float((np.asarray(grades, dtype=np.float64) / limits).max())

    def flags(self, grades: ArrayLike, elements: Sequence[str]) -> bool:
        """Return whether the frame calls for a label."""
        return self.excess(grades, elements) > 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the card."""
        return {"limits": dict(self.limits), "false_alarms": self.false_alarms, "n_frames": self.n_frames}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "GradeAlarm":
        """Return what `to_dict` wrote.

        Raises
        ------
        FormatError
            When it did not.
        """
        try:
            limits = {str(element): float(limit) for element, limit in plain["limits"].items()}
            return cls(limits, float(plain["false_alarms"]), int(plain["n_frames"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"found an alarm without {error}, expected what mlip-sse wrote") from error


def calibrate_alarm(
    grades: Sequence[ArrayLike], elements: Sequence[Sequence[str]], false_alarms: float = 0.05
) -> GradeAlarm:
    """Set the limits so that at most a share of familiar frames is flagged.

    Parameters
    ----------
    grades
        For each validation frame the grades of its atoms.
    elements
        For each validation frame the chemical symbols of its atoms.
    false_alarms
        The share that may be flagged, in [0, 1); with 20 frames 0.05 is one of them.

    Raises
    ------
    InputError
        When there is no frame, a grade is not finite, or the share is out of range.
    """
    if not 0 <= false_alarms < 1:
        raise InputError(f"found a share of false alarms of {false_alarms}, expected 0 or more and less than 1")
    largest: dict[str, list[float]] = {}
    for values, symbols in zip(grades, elements, strict=True):
        array, names = np.asarray(values, dtype=np.float64), np.asarray(symbols)
        if array.shape != names.shape or not array.size or not np.isfinite(array).all():
            raise InputError(
                f"found grades of shape {array.shape}, expected a finite one for each of {names.size} atoms"
            )
        for element in sorted(set(names.tolist())):
            largest.setdefault(element, []).append(float(array[names == element].max()))
    if not largest:
        raise InputError("found no grades, expected those of one validation frame or more")
    typical = {e: max(float(np.quantile(values, _TYPICAL)), 1.0) for e, values in sorted(largest.items())}
    draft = GradeAlarm(typical, 0.0, len(grades))
    excesses = np.sort([draft.excess(g, s) for g, s in zip(grades, elements, strict=True)])
    factor = max(float(excesses[len(excesses) - 1 - math.floor(false_alarms * len(excesses) + 1e-9)]), 1.0)
    factor = math.nextafter(factor, math.inf)  # the frame that sets the limit is within it, also after rounding
    limits = {element: factor * limit for element, limit in typical.items()}
    return GradeAlarm(limits, float((excesses > factor).mean()), len(excesses))
