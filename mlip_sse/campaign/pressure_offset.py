"""Whether the mean cells are those of the reference: the potential's pressure less the reference's, on the same frames.

Production runs in the cells where the potential's own pressure is zero. There the reference has the pressure -Δp, since
the share of the momenta is the same for both, with

Δp = p_student - p_teacher,     p = -tr σ/3,

averaged over frames along that production. Above zero, the cells are larger than the reference's would be.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.results import Interval
from mlip_sse.errors import InputError
from mlip_sse.units import EV_PER_A3_TO_GPA

__all__ = ["LARGEST_OFFSET_GPA", "is_far_off", "pressure_offset_of"]

LARGEST_OFFSET_GPA = 0.3
"""With a bulk modulus of 20 to 30 GPa, as soft electrolytes have it, 1 to 1.5 % in volume."""


def pressure_offset_of(
    student: Sequence[NDArray[np.float64]], teacher: Sequence[NDArray[np.float64]], confidence: float = 0.95
) -> Interval:
    """Return the mean difference of two pressures in GPa, its error that of independent frames.

    Parameters
    ----------
    student, teacher : (6,) eV/Å³ for each frame, xx, yy, zz first
        Stresses with ASE's sign, tension above zero.
    confidence
        Of the interval.

    Raises
    ------
    InputError
        When there are fewer than two frames, or shapes differ.
    """
    mine, theirs = np.array(student, dtype=np.float64), np.array(teacher, dtype=np.float64)
    if mine.shape != theirs.shape or mine.ndim != 2 or mine.shape[1:] != (6,) or len(mine) < 2:
        raise InputError(f"found stresses of shape {mine.shape} and {theirs.shape}, expected both (n, 6), n at least 2")
    offsets = -(mine - theirs)[:, :3].mean(axis=1) * EV_PER_A3_TO_GPA
    half = float(stdtrit(len(offsets) - 1, 0.5 + confidence / 2) * offsets.std(ddof=1) / math.sqrt(len(offsets)))
    mean = float(offsets.mean())
    method = f"mean of p_student - p_teacher over {len(offsets)} frames, Student t"
    return Interval(mean, mean - half, mean + half, confidence, method)


def is_far_off(offset: Interval) -> bool:
    """Return whether an offset is above `LARGEST_OFFSET_GPA` beyond its error."""
    return offset.low > LARGEST_OFFSET_GPA or offset.high < -LARGEST_OFFSET_GPA
