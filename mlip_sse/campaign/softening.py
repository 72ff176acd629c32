"""Softening: by how much a potential's forces are too small along the reference's.

s = Σ F_student · F_teacher / Σ |F_teacher|²

over all atoms of frames that neither was fitted to; s < 1 is a surface that is too soft. Forces of one frame go
together, so that the error counts frames: with the scores u_f = Σ_{i in f} (F_student − s F_teacher) · F_teacher,

var(s) = n/(n − 1) Σ_f u_f² / (Σ |F_teacher|²)²,   Student's t of n − 1 degrees of freedom.

References
----------
Deng et al., npj Comput. Mater. 11, 9 (2025), doi:10.1038/s41524-024-01500-6 (softening).
Liang and Zeger, Biometrika 73, 13 (1986), doi:10.1093/biomet/73.1.13 (the error of clusters).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.results import Interval, to_plain
from mlip_sse.errors import InputError

__all__ = ["Softening", "softening_of"]

_METHOD = "sum of F_student.F_teacher over |F_teacher|^2, frames as clusters, Student t"


@dataclass(frozen=True)
class Softening:
    """Slopes of the student's forces against the teacher's.

    Parameters
    ----------
    slope
        Over all atoms.
    per_element
        Over the atoms of each element.
    n_frames
        How many frames it is made of.
    """

    slope: Interval
    per_element: dict[str, Interval]
    n_frames: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data as `answer.json` holds it."""
        return {
            "slope": self.slope.value,
            "low": self.slope.low,
            "high": self.slope.high,
            "confidence": self.slope.confidence,
            "method": self.slope.method,
            "n_frames": self.n_frames,
            "per_element": {symbol: to_plain(interval) for symbol, interval in self.per_element.items()},
        }


def softening_of(
    symbols: Sequence[Sequence[str]],
    student: Sequence[NDArray[np.float64]],
    teacher: Sequence[NDArray[np.float64]],
    confidence: float = 0.95,
) -> Softening:
    """Return the softening slope over frames, and by element.

    Parameters
    ----------
    symbols
        Of the atoms of each frame.
    student, teacher : (n_atoms, 3) eV/Å for each frame
    confidence
        Of the intervals.

    Raises
    ------
    InputError
        When there are fewer than two frames, shapes that differ, or no forces.
    """
    if len(student) != len(teacher) or len(student) != len(symbols) or len(student) < 2:
        found = f"{len(symbols)}, {len(student)} and {len(teacher)}"
        raise InputError(
            f"found symbols, student and teacher of {found} frames, expected the same number, at least two"
        )
    kinds = [np.array([str(symbol) for symbol in frame]) for frame in symbols]
    for number, (kind, mine, theirs) in enumerate(zip(kinds, student, teacher, strict=True)):
        if mine.shape != (len(kind), 3) or theirs.shape != (len(kind), 3):
            raise InputError(
                f"frame {number} has forces {mine.shape} and {theirs.shape}, expected both ({len(kind)}, 3)"
            )
    per_element = {}
    for symbol in sorted({str(each) for kind in kinds for each in kind}):
        chosen = [kind == symbol for kind in kinds]
        products = _products(student, teacher, chosen)
        if sum(bool(each.any()) for each in chosen) > 1 and products[1].sum() > 0:
            per_element[symbol] = _slope(*products, confidence)
    everything = _products(student, teacher, [np.ones(len(kind), dtype=np.bool_) for kind in kinds])
    if everything[1].sum() <= 0:
        raise InputError("found reference forces that are all zero, expected frames away from a minimum")
    return Softening(_slope(*everything, confidence), per_element, len(student))


def _products(
    student: Sequence[NDArray[np.float64]],
    teacher: Sequence[NDArray[np.float64]],
    chosen: Sequence[NDArray[np.bool_]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Σ F_student · F_teacher and Σ |F_teacher|² of each frame, (n_frames,)."""
    triples = list(zip(student, teacher, chosen, strict=True))
    crossed = np.array([float(np.sum(mine[which] * theirs[which])) for mine, theirs, which in triples])
    squared = np.array([float(np.sum(theirs[which] ** 2)) for _, theirs, which in triples])
    return crossed, squared


def _slope(crossed: NDArray[np.float64], squared: NDArray[np.float64], confidence: float) -> Interval:
    there = squared > 0
    crossed, squared = crossed[there], squared[there]
    n = len(crossed)
    slope = float(crossed.sum() / squared.sum())
    scores = crossed - slope * squared
    error = math.sqrt(n / max(n - 1, 1) * float(scores @ scores)) / float(squared.sum())
    half = float(stdtrit(max(n - 1, 1), 0.5 * (1.0 + confidence))) * error
    return Interval(slope, slope - half, slope + half, confidence, _METHOD)
