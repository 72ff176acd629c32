"""What a fit found out, on folds of its table or on a second one: numbers for a file, rows for a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlip_sse.analysis.results import to_plain
from mlip_sse.properties.evaluation import Evaluation, LearningCurve, Sample
from mlip_sse.properties.known_answers import KnownAnswer
from mlip_sse.properties.preparation import UselessFeatures

__all__ = ["FitReport", "GivenTable"]


@dataclass(frozen=True, eq=False)
class GivenTable:
    """That a second table was asked, in place of the recipe's split.

    Parameters
    ----------
    learnt
        The rows that were learnt from.
    n_shared
        Rows of the second table that were left out, as their material was learnt from.
    provenance
        Of the second table.
    """

    learnt: Sample
    n_shared: int
    provenance: Any


@dataclass(frozen=True, eq=False)
class FitReport:
    """What a fit found out.

    Parameters
    ----------
    evaluation
        Of the recipe's split.
    useless
        Features that say nothing over the table; no model sees them.
    noise
        Ceiling by repeated measurements; empty where no material was measured twice, or for classes.
    curve
        Learning curve, where the recipe asks for one.
    n_rows, n_limits, n_materials
        What was learnt from.
    left_out
        Rows without a target, or whose limit does not tell the class.
    sample
        The rows that were asked, for pictures.
    given
        Where these are those of a second table.
    known
        The model beside what the table answers already, where the recipe names that.
    """

    evaluation: Evaluation
    useless: UselessFeatures
    noise: Mapping[str, float]
    curve: LearningCurve | None
    n_rows: int
    n_limits: int
    n_materials: int
    left_out: int
    sample: Sample
    given: GivenTable | None = None
    known: KnownAnswer | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, without the predictions."""
        plain: dict[str, Any] = to_plain(
            {
                "n_rows": self.n_rows,
                "n_limits": self.n_limits,
                "n_materials": self.n_materials,
                "left_out": self.left_out,
                "metrics": self.evaluation.metrics,
                "baseline": self.evaluation.baseline,
                "confusion": self.evaluation.confusion,
                "chosen": self.evaluation.chosen,
                "noise": self.noise,
                "useless_features": self.useless,
                "learning_curve": self.curve,
                "known_answer": self.known,
            }
        )
        return plain
