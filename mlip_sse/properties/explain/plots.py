"""Pictures of what drives a model: bars with intervals and nulls, a swarm of Shapley values, errors by size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlip_sse.properties.explain.elimination import Elimination
from mlip_sse.properties.explain.resampling import Score

__all__ = ["plot_elimination", "plot_scores", "plot_swarm"]

Floats = npt.NDArray[np.float64]

_INK, _NULL = "#1f4e79", "#b0b0b0"


def plot_scores(scores: Sequence[Score], title: str, path: str | Path, n_shown: int = 15) -> Path:
    """Draw the largest scores with intervals; the grey line is the largest null of any feature."""
    shown = list(scores[:n_shown])[::-1]
    figure, axes = _figure(0.9 + 0.28 * len(shown))
    value = np.array([each.value for each in shown])
    reach = [value - [each.low for each in shown], np.array([each.high for each in shown]) - value]
    axes.barh(np.arange(len(shown)), value, xerr=np.maximum(reach, 0.0), color=_INK, ecolor="black", height=0.7)
    nulls = [each.null_high for each in shown if each.null_high is not None]
    if nulls:
        axes.axvline(max(nulls), color=_NULL, linestyle="--", label="largest null")
        axes.legend(frameon=False)
    axes.set_yticks(np.arange(len(shown)), [each.name for each in shown])
    axes.set_xlabel(title)
    return _saved(figure, path)


def plot_swarm(
    names: Sequence[str], values: Floats, features: Floats, path: str | Path, n_shown: int = 12, seed: int = 0
) -> Path:
    """Draw Shapley values (n_rows, n_features) as points, coloured by the rank of the feature's value."""
    asked = np.isfinite(values).all(axis=1)
    values, features = values[asked], features[asked]
    order = np.argsort(-np.abs(values).mean(axis=0), kind="stable")[:n_shown][::-1]
    figure, axes = _figure(0.9 + 0.32 * len(order))
    rng = np.random.default_rng(seed)
    for height, column in enumerate(order):
        ranks = np.argsort(np.argsort(np.nan_to_num(features[:, column], nan=-np.inf), kind="stable"), kind="stable")
        shift = height + rng.uniform(-0.3, 0.3, len(values))
        axes.scatter(values[:, column], shift, c=ranks, cmap="coolwarm", s=9, linewidths=0)
    axes.axvline(0.0, color=_NULL, linewidth=0.8)
    axes.set_yticks(np.arange(len(order)), [names[column] for column in order])
    axes.set_xlabel("added to the prediction (blue: small feature, red: large)")
    return _saved(figure, path)


def plot_elimination(found: Elimination, path: str | Path, unit: str = "") -> Path:
    """Draw the error of each number of features with its interval, and that of dealt targets."""
    figure, axes = _figure(3.2)
    value = np.array([each.value for each in found.errors])
    low, high = ([getattr(each, end) for each in found.errors] for end in ("low", "high"))
    axes.fill_between(found.sizes, low, high, color=_INK, alpha=0.2, linewidth=0)
    axes.plot(found.sizes, value, "o-", color=_INK, markersize=4, label="unseen materials")
    nulls = [each.null for each in found.errors]
    if all(each is not None for each in nulls):
        axes.plot(found.sizes, nulls, "--", color=_NULL, label="dealt targets")
    axes.axhline(found.chosen.value, color="#c0504d", linewidth=1, label="size chosen inside each fold")
    axes.set_xscale("log")
    axes.set_xlabel("features")
    axes.set_ylabel(f"mean error{f' ({unit})' if unit else ''}")
    axes.legend(frameon=False)
    return _saved(figure, path)


def _figure(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _saved(figure: Any, path: str | Path) -> Path:
    figure.savefig(path, dpi=150)
    return Path(path)
