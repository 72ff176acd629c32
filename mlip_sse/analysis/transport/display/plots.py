"""Figures for print: mean squared displacements with their fits, and Arrhenius plots.

Figures are made with matplotlib's objects, not with pyplot: no window, no global state, nothing to close.
"""

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.results import Interval, Quality, Verdict
from mlip_sse.analysis.transport.display.tables import interval_text
from mlip_sse.analysis.transport.temperature.arrhenius import ROOM_TEMPERATURE_K, ArrheniusFit
from mlip_sse.analysis.transport.temperature.arrhenius_points import Quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlip_sse.analysis.transport.display.msd_curves import MsdCurve
    from mlip_sse.analysis.transport.temperature.activation import ArrheniusResult
    from mlip_sse.analysis.transport.transport_result import TransportResult

__all__ = ["COLOURS", "SAVE_SETTINGS", "new_figure", "plot_arrhenius", "plot_transport", "styled", "write_quality"]

Parameters = ParamSpec("Parameters")

# Okabe and Ito's colours, which stay apart for colour-blind readers.
COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
CHARGE_COLOUR = "#D55E00"
_GREY = "#666666"

SAVE_SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "mlip-sse"}
"""Text stays text in SVG files, and equal figures give equal files."""

_STYLE: Any = {
    "font.size": 9.0,
    "axes.linewidth": 0.8,
    "axes.titlesize": 9.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "lines.linewidth": 1.5,
    "figure.constrained_layout.use": True,
}
_FIT_LABEL = "fit in its window"
_SHOWN_FACTOR = 300.0
"""A band is shown up to this factor beyond the values."""

_TICKS_K = (200, 250, 300, 350, 400, 500, 600, 700, 800, 1000, 1200, 1500, 2000, 3000)


def styled(draw: Callable[Parameters, "Figure"]) -> Callable[Parameters, "Figure"]:
    """Draw in our style, whatever the user's matplotlibrc says."""

    @wraps(draw)
    def drawn(*args: Parameters.args, **kwargs: Parameters.kwargs) -> "Figure":
        import matplotlib as mpl

        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(_STYLE)
            return draw(*args, **kwargs)

    return drawn


@styled
def plot_transport(result: "TransportResult") -> "Figure":
    """Draw the mean squared displacements of ions and charge with their fits, and below them exponent and α₂.

    Parameters
    ----------
    result
        Of `mlip_sse.analysis.transport.transport.Transport.run`.
    """
    from mlip_sse.analysis.transport.display.msd_curves import msd_curves

    curves = msd_curves(result)
    figure, (upper, lower) = new_figure((5.2, 5.4), 2, 1, {"height_ratios": (2.6, 1.0)}, sharex=True)
    colours = [COLOURS[k % len(COLOURS)] for k in range(len(curves) - 1)] + [CHARGE_COLOUR]
    labels = [
        f"{part.name}:  {_stated('D*', part.diffusion.interval(result.confidence))} cm²/s" for part in result.species
    ]
    labels.append(f"charge/Σz²:  {_stated('D$_σ$', result.charge_diffusivity_cm2_s)} cm²/s")
    for curve, colour, label in zip(curves, colours, labels, strict=True):
        _draw_msd(upper, curve, colour, label)
    upper.set(xscale="log", yscale="log", ylabel="mean squared displacement (Å²)")
    handles, names = upper.get_legend_handles_labels()
    order = sorted(range(len(names)), key=lambda k: names[k] == _FIT_LABEL)
    upper.legend([handles[k] for k in order], [names[k] for k in order], loc="upper left", borderaxespad=0.8)
    _leave_room_above(upper, curves)
    kelvin = "temperature not known" if result.temperature_k is None else f"{result.temperature_k:g} K"
    upper.set_title(f"{kelvin}, {result.duration_fs / 1000:g} ps", loc="left")
    write_quality(upper, result.verdict)
    _draw_exponents(lower, curves, colours)
    return figure


@styled
def plot_arrhenius(result: "ArrheniusResult", limits: Sequence[tuple[float, float]] = ()) -> "Figure":
    """Draw ln D, and ln σT where there are conductivities, against 1/T with the line, its band and 300 K.

    Parameters
    ----------
    result
        Of `mlip_sse.analysis.transport.temperature.activation.analyze_arrhenius`.
    limits
        Temperatures in K and upper limits of D in cm²/s of runs in which nothing diffused.
    """
    fits = [fit for fit in (result.diffusivity, result.conductivity) if fit is not None]
    figure, panels = new_figure((4.4 * len(fits), 4.2), 1, len(fits), {})
    for panel, fit, colour in zip(np.atleast_1d(panels), fits, (COLOURS[0], CHARGE_COLOUR), strict=False):
        _draw_arrhenius(panel, fit, colour, limits if fit.quantity is Quantity.DIFFUSIVITY else ())
    return figure


def _stated(name: str, interval: Interval) -> str:
    return f"{name} {interval_text(interval)}" if interval.value is None else f"{name} = {interval_text(interval)}"


def new_figure(
    size: tuple[float, float], rows: int, columns: int, ratios: dict[str, Any], sharex: bool = False
) -> "tuple[Figure, Any]":
    """Return a figure of ``size`` in inches with its axes; ``ratios`` are matplotlib's of the grid."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=150)
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, sharex=sharex, gridspec_kw=ratios)


def _draw_msd(axes: "Axes", curve: "MsdCurve", colour: str, label: str) -> None:
    axes.plot(curve.times_ps, curve.msd, color=colour, label=label, zorder=3)
    known = np.isfinite(curve.errors)
    low = np.maximum(curve.msd - curve.errors, 0.05 * curve.msd)
    axes.fill_between(
        curve.times_ps[known], low[known], (curve.msd + curve.errors)[known], color=colour, alpha=0.2, linewidth=0
    )
    if curve.fit_times_ps.size:
        again = _FIT_LABEL in axes.get_legend_handles_labels()[1]
        label = "_nolegend_" if again else _FIT_LABEL
        axes.plot(
            curve.fit_times_ps, curve.fit, color="black", linewidth=0.9, linestyle=(0, (4, 2)), zorder=4, label=label
        )
        if curve.name != "charge":
            axes.axvspan(curve.fit_times_ps[0], curve.fit_times_ps[-1], color=colour, alpha=0.07, linewidth=0)


def _leave_room_above(axes: "Axes", curves: "Sequence[MsdCurve]") -> None:
    """Keep the curves below the legend: a fifth of the height, on the logarithmic scale, for it."""
    values = np.concatenate([curve.msd[curve.msd > 0] for curve in curves])
    if values.size:
        low, high = math.log10(values.min()), math.log10(values.max())
        span = max(high - low, 0.5)
        axes.set_ylim(10 ** (low - 0.06 * span), 10 ** (high + (0.12 + 0.09 * len(curves)) * span))


def write_quality(axes: "Axes", verdict: Verdict) -> None:
    """Write the quality of a result above the upper right corner."""
    colours = {Quality.PASS: "#2E7D32", Quality.WEAK: "#B26A00", Quality.REFUSED: "#B71C1C"}
    axes.set_title(str(verdict.quality), loc="right", color=colours[verdict.quality])


def _draw_exponents(axes: "Axes", curves: "Sequence[MsdCurve]", colours: Sequence[str]) -> None:
    axes.axhline(1.0, color=_GREY, linewidth=0.7, linestyle=":")
    right = axes.twinx()
    for curve, colour in zip(curves, colours, strict=True):
        axes.plot(curve.times_ps, curve.exponent, color=colour, linewidth=1.2)
        if curve.alpha2 is not None:
            right.plot(curve.times_ps, curve.alpha2, color=colour, linewidth=1.0, linestyle=(0, (1, 1)))
        if curve.fit_times_ps.size and curve.name != "charge":
            axes.axvspan(curve.fit_times_ps[0], curve.fit_times_ps[-1], color=colour, alpha=0.07, linewidth=0)
    axes.set(xlabel="time (ps)", ylabel="exponent (solid)", ylim=(0.0, 2.0))
    axes.tick_params(right=False, which="both")
    right.set_ylabel("α₂ (dotted)")
    right.tick_params(direction="in", which="both")
    low, high = right.get_ylim()
    right.set_ylim(min(-0.02, low), max(0.2, high))


def _draw_arrhenius(axes: "Axes", fit: ArrheniusFit, colour: str, limits: Sequence[tuple[float, float]]) -> None:
    points = fit.observations
    factor = _plotted_factor(fit, points.temperatures_k)
    x, y = 1000.0 / points.temperatures_k, points.values * factor
    low, high = _error_bars(fit)
    for chosen, face in ((fit.used, colour), (~fit.used, "white")):
        if chosen.any():
            bars = None if low is None or high is None else np.stack([(y - y * low)[chosen], (y * high - y)[chosen]])
            axes.errorbar(
                x[chosen], y[chosen], yerr=bars, fmt="o", color=colour, mfc=face, ms=4.5, lw=1, capsize=2, zorder=4
            )
    for kelvin, limit in limits:
        axes.plot(1000.0 / kelvin, limit, marker="v", ms=6, mfc="white", mec=_GREY, ls="none", zorder=3)
    axes.set(yscale="log", xlabel="1000/T (1/K)", ylabel=_axis_title(fit))
    if fit.line is None:
        axes.text(0.04, 0.04, "no line: see the reasons", transform=axes.transAxes, ha="left", va="bottom", color=_GREY)
    else:
        _draw_line(axes, fit, colour)
    _add_kelvin_axis(axes)


def _draw_line(axes: "Axes", fit: ArrheniusFit, colour: str) -> None:
    measured = fit.observations.temperatures_k[fit.used]
    at_300k = fit.value_300k
    lowest = min(float(measured.min()), ROOM_TEMPERATURE_K) if at_300k is not None else float(measured.min())
    inverse = np.linspace(1.0 / float(measured.max()), 1.0 / lowest, 120)
    curve = fit.curve(np.clip(1.0 / inverse, *fit.valid_k))
    factor = _plotted_factor(fit, curve.temperatures_k)
    x = 1000.0 / curve.temperatures_k
    inside = curve.temperatures_k >= measured.min() * (1 - 1e-9)
    axes.fill_between(x, curve.low * factor, curve.high * factor, color=colour, alpha=0.15, linewidth=0)
    axes.plot(x[inside], (curve.value * factor)[inside], color=colour, zorder=3)
    axes.plot(x[~inside], (curve.value * factor)[~inside], color=colour, linestyle=(0, (4, 2)), linewidth=1.1, zorder=3)
    lines = []
    if fit.activation_energy_ev is not None:
        lines.append(f"E$_a$ = {interval_text(fit.activation_energy_ev)} eV")
    if at_300k is not None and at_300k.value is not None:
        scale = _plotted_factor(fit, np.array([ROOM_TEMPERATURE_K]))[0]
        value, below, above = (scale * number for number in (at_300k.value, at_300k.low, at_300k.high))
        bars = [[value - below], [above - value]]
        axes.errorbar(
            1000.0 / ROOM_TEMPERATURE_K,
            value,
            yerr=bars,
            fmt="*",
            color=colour,
            mec="black",
            ms=10,
            capsize=2,
            zorder=5,
        )
        symbol, unit = ("D*", "cm²/s") if fit.quantity is Quantity.DIFFUSIVITY else ("σ", "mS/cm")
        lines.append(f"{symbol}(300 K) = {interval_text(at_300k)} {unit}")
    axes.text(0.04, 0.04, "\n".join(lines), transform=axes.transAxes, ha="left", va="bottom", fontsize=8)
    low, high = axes.get_ylim()
    values = curve.value * factor
    axes.set_ylim(max(low, values.min() / _SHOWN_FACTOR), min(high, values.max() * _SHOWN_FACTOR))


def _plotted_factor(fit: ArrheniusFit, temperatures_k: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what turns the quantity into the one on the axis: D stays, σ in mS/cm becomes σT in S K/cm."""
    return np.ones_like(temperatures_k) if fit.quantity is Quantity.DIFFUSIVITY else temperatures_k / 1000.0


def _axis_title(fit: ArrheniusFit) -> str:
    return "D* (cm²/s)" if fit.quantity is Quantity.DIFFUSIVITY else "σT (S K/cm)"


def _error_bars(fit: ArrheniusFit) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Return the factors from the values down and up to the bounds of their intervals."""
    points = fit.observations
    if points.variances is None:
        return None, None
    quantiles = np.asarray(stdtrit(np.minimum(points.dof, 1e8), 0.5 * (1.0 + fit.confidence)))
    half = quantiles * np.sqrt(points.variances)
    return np.exp(-half), np.exp(half)


def _add_kelvin_axis(axes: "Axes") -> None:
    low, high = axes.get_xlim()
    top = axes.secondary_xaxis("top", functions=(lambda x: x, lambda x: x))
    shown: list[int] = []
    for kelvin in sorted(_TICKS_K):
        x = 1000.0 / kelvin
        if low <= x <= high and (not shown or 1000.0 / shown[-1] - x > 0.085 * (high - low)):
            shown.append(kelvin)
    top.set_xticks([1000.0 / kelvin for kelvin in shown], [str(kelvin) for kelvin in shown])
    top.tick_params(direction="in", labelsize=8)
    top.minorticks_off()
    axes.tick_params(top=False, which="both")
    top.set_xlabel("T (K)")
