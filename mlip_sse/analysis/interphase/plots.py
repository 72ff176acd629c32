"""Figure of an interphase: whole units and thickness in time, and what lies where, at first and at last."""

from typing import TYPE_CHECKING

import numpy as np

from mlip_sse.analysis.mechanism.counting import poisson_limits
from mlip_sse.analysis.transport.display.plots import CHARGE_COLOUR, COLOURS, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlip_sse.analysis.interphase.interphase import InterphaseResult

__all__ = ["plot_interphase"]

_GREY = "#666666"
_PALETTE = (*COLOURS, CHARGE_COLOUR, "#000000", "#882255", "#999933")
_MOST_CLASSES = 9


@styled
def plot_interphase(result: "InterphaseResult", unit: str) -> "Figure":
    """Draw the share of whole units, the thickness with both laws, and the profiles of the first and last window.

    Parameters
    ----------
    result
        Of `mlip_sse.analysis.interphase.interphase.Interphase.run`.
    unit
        Name of an intact unit.
    """
    figure, panels = new_figure((9.2, 6.0), 2, 2, {})
    (left, right), (first, last) = panels
    _draw_intact(left, result, unit)
    _draw_thickness(right, result)
    shown = _shown_classes(result)
    top = 1.1 * float(result.profiles.densities[[0, -1]][:, shown].max()) if shown else 1.0
    for axes, window in ((first, 0), (last, -1)):
        _draw_profile(axes, result, window, shown, top)
    first.legend(loc="upper center", ncol=3, fontsize=7)
    last.set_ylabel("")
    return figure


def _draw_intact(axes: "Axes", result: "InterphaseResult", unit: str) -> None:
    axes.plot(result.times_ps, result.intact, color=COLOURS[0], drawstyle="steps-post")
    for interval, ends in (
        (result.intact_start, (0.0, 0.1)),
        (result.intact_end, (0.9, 1.0)),
    ):
        span = [end * float(result.times_ps[-1]) for end in ends]
        axes.fill_between(span, interval.low, interval.high, color=COLOURS[0], alpha=0.2, linewidth=0)
    axes.set_xlabel("time (ps)")
    axes.set_ylabel(f"share of {unit} that is whole")
    axes.set_ylim(-0.02, 1.05)
    axes.set_xlim(0, float(result.times_ps[-1]) or 1.0)
    end = result.intact_end
    axes.set_title(f"{len(result.layout.centres)} {unit}, at the end {end.value:.3f} [{end.low:.3f}, {end.high:.3f}]")


def _draw_thickness(axes: "Axes", result: "InterphaseResult") -> None:
    growth, c = result.growth, result.layout.units_by_length
    if growth is None or result.thickness is None:
        axes.axis("off")
        axes.text(0.5, 0.5, "no interface:\nno thickness", ha="center", va="center", color=_GREY)
        return
    times, n = result.times_ps, len(result.layout.interfaces)
    dispersion = growth.dispersion
    confidence = growth.thickness.confidence
    limits = np.array([poisson_limits(k / dispersion, confidence) for k in result.converted.sum(axis=0)])
    limits *= dispersion / (n * c)
    axes.fill_between(times, limits[:, 0], limits[:, 1], color=_GREY, alpha=0.2, linewidth=0, step="post")
    axes.plot([], [], color=_GREY, alpha=0.2, linewidth=6, label=f"where {confidence:.0%} of such runs would be")
    axes.plot(times, result.thickness, color="black", drawstyle="steps-post", label="converted units")
    if n > 1 and result.converted.any():
        for k, name in enumerate(result.layout.interfaces):
            axes.plot(times, result.converted[k] / c, color=_GREY, linewidth=0.6, drawstyle="steps-post")
            axes.annotate(name, (times[-1], result.converted[k, -1] / c), color=_GREY, fontsize=7, ha="right")
    inside = (times >= growth.from_ps) & (times <= growth.to_ps)
    t, start = times[inside] - growth.from_ps, result.converted[:, inside][:, 0] / c
    for colour, law, name in ((COLOURS[0], growth.parabolic, "parabolic"), (COLOURS[4], growth.linear, "linear")):
        if law.estimate is None:
            continue
        rate = law.estimate.value
        curves = np.sqrt(start[:, None] ** 2 + 2 * rate * t) if name == "parabolic" else start[:, None] + rate * t
        style = "-" if growth.law in (name, "undecided") else (0, (3, 2))
        symbol, unit = ("$k_p$", "Å²/ps") if name == "parabolic" else ("$k_l$", "Å/ps")
        label = f"{name}, {symbol} = {rate:.3g} [{law.rate.low:.2g}, {law.rate.high:.2g}] {unit}"
        axes.plot(times[inside], curves.mean(axis=0), color=colour, linestyle=style, label=label)
    axes.set_xlabel("time (ps)")
    axes.set_ylabel("thickness of one interphase (Å)")
    axes.set_xlim(0, float(times[-1]))
    axes.set_ylim(0, 1.25 * max(float(limits[:, 1].max()), 1e-9))
    axes.legend(loc="upper left")
    words = f"{growth.outcome}: {growth.law}" if growth.law else str(growth.outcome)
    axes.set_title(words)


def _shown_classes(result: "InterphaseResult") -> list[int]:
    """Return the classes with the most atoms, those of the electrolyte's units first, in the order of their names."""
    counts = result.class_counts[[0, -1]].max(axis=0)
    minor = ("ionic", "bonded", "bare")
    chosen = [
        k for k in np.argsort(-counts, kind="stable") if counts[k] and not any(m in result.names[k] for m in minor)
    ]
    return sorted(int(k) for k in chosen[:_MOST_CLASSES])


def _draw_profile(axes: "Axes", result: "InterphaseResult", window: int, shown: list[int], top: float) -> None:
    profiles, layout = result.profiles, result.layout
    colours = iter(_PALETTE)
    for k in shown:
        axes.plot(
            profiles.z,
            profiles.densities[window, k],
            color=_GREY if result.names[k].endswith("metal") else next(colours),
            linewidth=1.0,
            drawstyle="steps-mid",
            label=result.names[k],
        )
    for name, sign in (("lower", -0.5), ("upper", 0.5)):
        if name in layout.interfaces:
            axes.axvline(sign * layout.thickness, color=_GREY, linewidth=0.8, linestyle=(0, (2, 2)))
    begin, end = profiles.times_ps[window]
    axes.set_title(f"{begin:.4g} to {end:.4g} ps")
    axes.set_xlabel("position from the middle of the electrolyte (Å)")
    axes.set_ylabel("number density (1/Å³)")
    axes.set_ylim(0, 1.35 * top)
    axes.set_xlim(float(profiles.z[0]), float(profiles.z[-1]))
