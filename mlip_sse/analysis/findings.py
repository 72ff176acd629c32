"""What a recipe about mechanism or structure finds: numbers with intervals, tables, arrays and pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import Interval, Verdict, to_plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as Scene

__all__ = ["Finding", "Number"]

Number = Interval | float | int | str | None


@dataclass(frozen=True, eq=False)
class Finding:
    """What one trajectory, or all temperatures together, say.

    Parameters
    ----------
    numbers
        The printed numbers by the names that scripts rely on; a unit other than eV, Å, fs or K stands in the name.
        Whatever a scientist would publish is an `Interval`; None where the data do not carry it.
    verdict
        Quality and reasons.
    details
        Plain data beside the numbers, for the JSON file.
    tables
        Rows of equal keys, each table a CSV file: rates by path, g(r) by pair, speciation.
    arrays
        What is too large for JSON, one ``.npz``: densities, matrices, per-atom values.
    plot
        Draws the figure of a paper (matplotlib), None where there is nothing to draw.
    scenes
        Makes the three-dimensional, interactive figures (plotly) by their titles.
    result
        The analyzer's own result, for scripts.
    """

    numbers: Mapping[str, Number]
    verdict: Verdict = field(default_factory=Verdict)
    details: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    plot: "Callable[[], Figure] | None" = None
    scenes: "Callable[[], Mapping[str, Scene]] | None" = None
    result: Any = None

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers and the verdict as plain data."""
        row = {**self.numbers, "quality": self.verdict.quality, "reasons": self.verdict.reasons}
        plain: dict[str, Any] = to_plain(row)
        return plain
