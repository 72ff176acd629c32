"""Pictures of a property model: parity with intervals, reliability, learning curve, and what moves the prediction.

They are drawn once, as SVG without scripts, and stand in the page as data.
"""

import base64
import io
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlip_sse.report.markup import Markup, tag
from mlip_sse.report.untrusted import text

if TYPE_CHECKING:
    from mlip_sse.properties.evaluation import LearningCurve

__all__ = ["curve_figure", "drive_figure", "parity_figure", "reliability_figure"]

Floats = npt.NDArray[np.float64]

_INK, _LIMIT, _NULL = "#005a8f", "#d55e00", "#8a8a8a"
_N_BINS, _LEAST = 10, 3


def parity_figure(y: Floats, value: Floats, low: Floats, high: Floats, signs: npt.NDArray[Any], unit: str) -> Markup:
    """Draw predictions of unseen materials over what was measured, each (n_rows,), with their intervals."""
    figure, axes = _figure(5.2, 4.6)
    asked = np.isfinite(value)
    for mask, colour, marker, name in (
        (asked & (signs == 0), _INK, "o", "measured"),
        (asked & (signs != 0), _LIMIT, "<", "limit"),
    ):
        if not mask.any():
            continue
        ends = np.clip(np.array([value - low, high - value])[:, mask], 0.0, None)
        bounded = np.where(np.isfinite(ends), ends, 0.0)
        axes.errorbar(
            y[mask], value[mask], bounded, fmt=marker, color=colour, ecolor=colour, ms=3, lw=0, elinewidth=0.4,
            alpha=0.55, label=name,
        )  # fmt: skip
    both = np.concatenate([y[asked], value[asked]])
    span = [float(both.min()), float(both.max())] if both.size else [0.0, 1.0]
    axes.plot(span, span, color="black", lw=0.8)
    axes.set_xlabel(f"measured {_plain(unit)}")
    axes.set_ylabel(f"predicted {_plain(unit)}")
    axes.legend(frameon=False, fontsize=8)
    return _drawn(
        figure,
        "Predictions of materials that the model had not seen, first repeat, with their intervals.",
        f"Parity of {int(asked.sum())} rows.",
    )


def reliability_figure(y: Floats, probability: Floats) -> Markup:
    """Draw how often a class came true over the probability that was said, rows in ten bins."""
    figure, axes = _figure(5.2, 4.6)
    asked = np.isfinite(probability)
    bins = np.minimum((probability[asked] * _N_BINS).astype(int), _N_BINS - 1)
    axes.plot([0, 1], [0, 1], color="black", lw=0.8)
    for at in range(_N_BINS):
        said, came = probability[asked][bins == at], y[asked][bins == at]
        if len(said) < _LEAST:
            continue
        share = float(came.mean())
        low, high = _wilson(share, len(said))
        axes.errorbar(said.mean(), share, [[share - low], [high - share]], fmt="o", color=_INK, capsize=2)
        axes.annotate(str(len(said)), (said.mean(), share), xytext=(5, -9), textcoords="offset points", fontsize=7)
    axes.set_xlabel("probability that was said")
    axes.set_ylabel("share that came true")
    return _drawn(
        figure,
        "Reliability on unseen materials, first repeat; bars are 95 % intervals (Wilson), numbers are rows of a bin.",
        f"Reliability of {int(asked.sum())} probabilities.",
    )


def curve_figure(curve: "LearningCurve") -> Markup:
    """Draw the error on unseen materials over the number in training."""
    figure, axes = _figure(5.2, 3.4)
    axes.errorbar(curve.n_materials, curve.error, curve.spread, fmt="o-", color=_INK, capsize=2)
    axes.set_xlabel("materials in training")
    axes.set_ylabel(curve.metric)
    return _drawn(figure, "Learning curve; bars are the spread over folds.", f"{curve.metric} over materials.")


def drive_figure(names: Sequence[str], values: Sequence[float], nulls: Sequence[float | None], said: str) -> Markup:
    """Draw bars of features, largest first; grey marks are what chance gives, where that is known."""
    figure, axes = _figure(6.0, 1.0 + 0.26 * len(names))
    heights = np.arange(len(names))[::-1]
    axes.barh(heights, values, color=_INK, height=0.7)
    for height, null in zip(heights, nulls, strict=True):
        if null is not None:
            axes.plot([null, null], [height - 0.4, height + 0.4], color=_NULL, lw=2)
    axes.set_yticks(heights, [_plain(name) for name in names], fontsize=8)
    axes.set_xlabel("grey: of dealt targets" if any(null is not None for null in nulls) else "")
    return _drawn(figure, f"{said}.", f"{said} of {len(names)} features.")


def _wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))) / (1 + z * z / n)
    return min(share, middle - half), max(share, middle + half)


def _plain(name: str) -> str:
    """Return a name for a picture, without what matplotlib would take for mathematics."""
    return text(name, 48).replace("$", r"\$")


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _drawn(figure: Any, caption: str, words: str) -> Markup:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of letters that the font lacks
        figure.savefig(stream, format="svg", metadata={"Date": None})
    address = "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode()
    picture = tag("img", src=address, alt=words, style="max-width:100%")
    return tag("figure", picture, tag("figcaption", caption))
