"""The uncertainty of a fitted potential: calibrated on validation frames, kept in its card, read back from there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.dataset import LabelledFrame
from mlip_sse.errors import FormatError, InputError
from mlip_sse.potentials.contract import Card
from mlip_sse.potentials.model_errors import Prediction, force_errors
from mlip_sse.potentials.uncertainty import (
    ConformalMap,
    CoverageReport,
    ErrorScale,
    GradeAlarm,
    calibrate,
    calibrate_alarm,
    fit_error_scale,
    measure_coverage,
)

__all__ = ["ForceBounds", "calibrate_bounds", "grade_indicators", "stretches"]

_N_STRETCHES = 60


@dataclass(frozen=True)
class ForceBounds:
    """From the indicators of a potential to a bound on the force error of each atom, and to an alarm for each frame.

    Parameters
    ----------
    scale
        Makes one score of the indicators; without any, the score is a constant.
    conformal
        Makes a bound of the score.
    alarm
        On the grades of a frame; None where the potential has no grade.
    """

    scale: ErrorScale
    conformal: ConformalMap
    alarm: GradeAlarm | None

    def bounds(self, indicators: Mapping[str, ArrayLike], elements: Sequence[str]) -> NDArray[np.float64]:
        """Return (n_atoms,) eV/Å: with the stated coverage the error of the force on an atom is smaller.

        Parameters
        ----------
        indicators
            (n_atoms,) each, as in `model_errors.Prediction`.
        elements
            Chemical symbol of each atom.
        """
        if not self.scale.weights:
            return self.conformal.bounds(np.full(len(elements), self.scale.floor), elements)
        return self.conformal.bounds(self.scale.scores(indicators), elements)

    def coverage_on(self, frames: Sequence[LabelledFrame], predictions: Sequence[Prediction]) -> CoverageReport:
        """Count how often the bound holds on labelled frames."""
        elements = [symbol for frame in frames for symbol in frame.symbols]
        bounds = self.bounds(_joined(predictions), elements)
        return measure_coverage(force_errors(frames, predictions), bounds, elements, clusters=stretches(frames))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for the card."""
        return {
            "scale": self.scale.to_dict(),
            "conformal": self.conformal.to_dict(),
            "alarm": None if self.alarm is None else self.alarm.to_dict(),
        }

    @classmethod
    def of_card(cls, card: Card) -> "ForceBounds":
        """Return the bounds that a card holds.

        Raises
        ------
        InputError
            When the potential was never calibrated.
        """
        plain = card.uncertainty
        if "conformal" not in plain:
            raise InputError(
                f"potential {card.name!r} has no calibrated uncertainty, expected one: fit it with validation frames"
            )
        return cls.from_dict(plain)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "ForceBounds":
        """Return what `to_dict` wrote.

        Raises
        ------
        FormatError
            When it did not.
        """
        if missing := [name for name in ("scale", "conformal") if name not in plain]:
            raise FormatError(f"found bounds without {', '.join(missing)}, expected what mlip-sse wrote")
        alarm = plain.get("alarm")
        return cls(
            ErrorScale.from_dict(plain["scale"]),
            ConformalMap.from_dict(plain["conformal"]),
            None if alarm is None else GradeAlarm.from_dict(alarm),
        )


def calibrate_bounds(
    frames: Sequence[LabelledFrame], predictions: Sequence[Prediction], *, coverage: float = 0.9
) -> ForceBounds:
    """Calibrate on frames that did not train the potential.

    Floor and weights of the score are fitted on the same frames as the quantiles: three numbers against thousands of
    errors, which the finite-sample term of the quantile outweighs.

    Parameters
    ----------
    frames, predictions
        Validation frames, and what the potential says of them.
    coverage
        Share of atoms whose error is to lie below the bound.

    Raises
    ------
    InputError
        When there are too few frames, or a grade is not finite (an element that the training lacked).
    """
    errors, elements = force_errors(frames, predictions), [symbol for frame in frames for symbol in frame.symbols]
    indicators = _joined(predictions)
    scale = fit_error_scale(errors, indicators) if indicators else ErrorScale(max(float(errors.mean()), 1e-6), {})
    scores = scale.scores(indicators) if indicators else np.full(len(errors), scale.floor)
    conformal = calibrate(errors, scores, elements, coverage=coverage, clusters=stretches(frames))
    if "extrapolation_grade" not in indicators:
        return ForceBounds(scale, conformal, None)
    grades = [prediction.indicators["extrapolation_grade"] for prediction in predictions]
    return ForceBounds(scale, conformal, calibrate_alarm(grades, [frame.symbols for frame in frames]))


def grade_indicators(grades: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Return what a bound may rest on where a run can only be asked for its grade.

    Beyond the grades of the calibration the bound is an extrapolation, and a line through the grade runs away: in
    Li6PS5Cl forces err by 0.08 eV/Å at a grade of 0.5, by 0.15 at 1.5 and by 0.5 at 13 (means over the atoms of 40
    frames that were new to the potential), which is a root.

    Parameters
    ----------
    grades : (n_atoms,)
        Extrapolation grades.
    """
    return {"root_of_grade": np.sqrt(np.asarray(grades, dtype=np.float64))}


def stretches(frames: Sequence[LabelledFrame]) -> NDArray[np.intp]:
    """Return (n_atoms of all frames,) the number of the stretch of trajectory that each atom belongs to.

    Neighbouring frames of a group err together; some sixty stretches in all are long enough to hold most of that, and
    enough to see how far they differ.
    """
    length = max(1, len(frames) // _N_STRETCHES)
    order = sorted(range(len(frames)), key=lambda at: (frames[at].group, frames[at].place))
    numbers = np.zeros(len(frames), dtype=np.intp)
    number, filled, group = -1, 0, None
    for at in order:
        if filled == length or frames[at].group != group or number < 0:
            number, filled, group = number + 1, 0, frames[at].group
        numbers[at] = number
        filled += 1
    return np.repeat(numbers, [frame.n_atoms for frame in frames])


def _joined(predictions: Sequence[Prediction]) -> dict[str, NDArray[np.float64]]:
    names = predictions[0].indicators if predictions else {}
    return {name: np.concatenate([prediction.indicators[name] for prediction in predictions]) for name in names}
