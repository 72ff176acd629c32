"""Figures for print: how well softness tells hops, what it looks at, and barriers against softness."""

from typing import TYPE_CHECKING

import numpy as np

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.softness.analysis import SoftnessResult
from mlip_sse.analysis.softness.auc import roc_curve
from mlip_sse.analysis.softness.thermodynamics import HopThermodynamics
from mlip_sse.analysis.transport.display.plots import CHARGE_COLOUR, COLOURS, new_figure, styled, write_quality
from mlip_sse.units import BOLTZMANN_EV_PER_K

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_series", "plot_softness"]

_GREY = "#666666"


@styled
def plot_softness(result: SoftnessResult, confidence: float) -> "Figure":
    """Draw the ROC curve, P_R against softness, and the weights against distance, species by species."""
    figure, (left, middle, right) = new_figure((9.6, 3.3), 1, 3, {"width_ratios": (1.0, 1.0, 1.5)})
    _draw_roc(left, result)
    _draw_probability(middle, result)
    _draw_weights(right, result)
    at = "" if result.temperature_k is None else f"{result.temperature_k:g} K, "
    left.set_title(f"{at}{result.learned.n_per_class} samples a class", loc="left")
    middle.set_title(f"{100 * confidence:g} % intervals", loc="left")
    write_quality(right, result.verdict)
    return figure


@styled
def plot_series(fit: HopThermodynamics, origin: str, verdict: Verdict) -> "Figure":
    """Draw P_R against temperature for ranges of softness with their fits, and ΔE(S)."""
    figure, (left, right) = new_figure((8.2, 3.6), 1, 2, {})
    inverse = 1000.0 / np.array(fit.temperatures_k)
    shades = _shades(len(fit.ranges))
    for part, colour in zip(fit.ranges, shades, strict=True):
        known = [(x, p) for x, p in zip(inverse, part.probability, strict=True) if p is not None and p.value]
        if not known:
            continue
        xs = np.array([x for x, _ in known])
        values, low, high = _bounds([p for _, p in known])
        rates = [-np.log1p(-np.minimum(y, 0.9999)) for y in (values, low, high)]
        bars = [rates[0] - np.maximum(rates[1], 1e-9), rates[2] - rates[0]]
        left.errorbar(xs, rates[0], yerr=bars, fmt="o", ms=3.5, lw=1, color=colour, label=f"S = {part.softness:.2f}")
        grid = np.linspace(inverse.min(), inverse.max(), 40)
        left.plot(grid, _model(fit, part.softness, grid), color=colour, lw=1.0)
    left.set(yscale="log", xlabel="1000/T (1/K)", ylabel=f"hops in {fit.window_ps:g} ps, −ln(1 − P$_R$)")
    left.margins(y=0.25)
    left.legend(ncols=2, loc="lower left")
    left.set_title(f"softness: trained at {origin}", loc="left")
    _draw_barriers(right, fit)
    write_quality(right, verdict)
    return figure


def _draw_roc(axes: "Axes", result: SoftnessResult) -> None:
    learned = result.learned
    axes.plot([0, 1], [0, 1], color=_GREY, lw=0.8, ls=":")
    curves = [(str(split), part.scores, part.auc) for split, part in learned.validations.items()]
    labels = {"ions": "by ions", "time": "by time", "both": "by both"}
    if not curves:
        curves = [("given", learned.scores, learned.auc)]
    for (name, scores, auc), colour in zip(curves, COLOURS, strict=False):
        label = f"{labels.get(name, 'given softness')}: {_said(auc)}"
        axes.plot(*roc_curve(scores), color=colour, lw=1.3, label=label)
    title = "AUC, folds split"
    if learned.shuffled_auc is not None:
        axes.plot([], [], ls="none", label=f"shuffled: {_said(learned.shuffled_auc)}")
    axes.set(xlabel="false hops", ylabel="true hops", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="lower right", title=title, fontsize=6.5, title_fontsize=7)


def _draw_probability(axes: "Axes", result: SoftnessResult) -> None:
    known = [(s, p) for s, p in zip(result.binned.middles, result.probability, strict=True) if p is not None]
    values, low, high = _bounds([p for _, p in known])
    middles = np.array([s for s, _ in known])
    axes.errorbar(middles, values, yerr=[values - low, high - values], fmt="o", ms=4, lw=1, capsize=2, color=COLOURS[0])
    axes.set(xlabel="softness S", ylabel=f"P$_R$: hops within {result.survey.window_ps:g} ps")
    positive = values > 0
    if positive.any() and values.max() > 5 * values[positive].min():
        axes.set_yscale("log")
    else:
        axes.set_ylim(0, None)


def _draw_weights(axes: "Axes", result: SoftnessResult) -> None:
    functions, plane = result.softness.functions, result.softness.plane
    axes.axhline(0, color=_GREY, lw=0.7, ls=":")
    colours = (*COLOURS[:3], CHARGE_COLOUR, *COLOURS[3:])
    n = len(functions.mu)
    for k, species in enumerate(functions.species):
        weights, colour = plane.weights[k * n : (k + 1) * n], colours[k % len(colours)]
        axes.plot(functions.mu, weights, color=colour, lw=1.2, marker="o", ms=2.5, label=species)
    axes.set(xlabel="distance of neighbours (Å)", ylabel="weight in S of one standard deviation")
    axes.legend(ncols=len(functions.species), loc="upper right")


def _draw_barriers(axes: "Axes", fit: HopThermodynamics) -> None:
    known = [(part.softness, part.energy_ev) for part in fit.ranges if part.energy_ev is not None]
    if known:
        values, low, high = _bounds([energy for _, energy in known])
        middles = np.array([s for s, _ in known])
        axes.errorbar(
            middles, values, yerr=[values - low, high - values], fmt="o", ms=4, lw=1, capsize=2, color=COLOURS[0],
            label="each range by itself",
        )  # fmt: skip
    softness = np.array([part.softness for part in fit.ranges])
    grid = np.linspace(softness.min(), softness.max(), 50)
    energy, slope = fit.energy_ev.value or 0.0, fit.energy_slope_ev.value or 0.0
    axes.plot(grid, energy - slope * grid, color=CHARGE_COLOUR, lw=1.2, label="e0 − e1 S, all at once")
    if fit.onset_k is not None:
        bounds = f"{fit.onset_k.value:.0f} [{fit.onset_k.low:.0f}, {fit.onset_k.high:.0f}] K"
        axes.text(0.04, 0.04, f"T$_0$ = {bounds}", transform=axes.transAxes, fontsize=8)
    axes.set(xlabel="softness S", ylabel="ΔE (eV)")
    axes.legend(loc="best")


def _model(fit: HopThermodynamics, softness: float, inverse: np.ndarray) -> np.ndarray:
    """Return exp(Σ(S) − ΔE(S)/k_B T) at 1000/T."""
    sigma = (fit.prefactor.value or 0.0) - (fit.prefactor_slope.value or 0.0) * softness
    barrier = (fit.energy_ev.value or 0.0) - (fit.energy_slope_ev.value or 0.0) * softness
    curve: np.ndarray = np.exp(sigma - barrier * inverse / (1000.0 * BOLTZMANN_EV_PER_K))
    return curve


def _bounds(intervals: list[Interval]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = np.array([0.0 if part.value is None else part.value for part in intervals])
    low, high = np.array([part.low for part in intervals]), np.array([part.high for part in intervals])
    return values, np.minimum(low, values), np.maximum(high, values)


def _shades(n: int) -> list[tuple[float, float, float, float]]:
    import matplotlib as mpl

    colours = mpl.colormaps["viridis"](np.linspace(0.0, 0.9, n))
    return [(float(r), float(g), float(b), float(a)) for r, g, b, a in colours]


def _said(interval: Interval) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
