"""Figures of concerted motion: clusters beside chance, closeness, strings, van Hove functions, and modes over T."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.analysis.transport.display.plots import CHARGE_COLOUR, COLOURS, new_figure, styled, write_quality

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlip_sse.analysis.mechanism.concerted import ConcertedResult
    from mlip_sse.analysis.mechanism.concerted_findings import ConcertedMotion
    from mlip_sse.analysis.mechanism.concerted_scan import ConcertedScan
    from mlip_sse.analysis.mechanism.modes import ModeSeries
    from mlip_sse.analysis.mechanism.strings import StringResult
    from mlip_sse.analysis.mechanism.van_hove import VanHoveResult

__all__ = ["plot_concerted", "plot_modes"]

_GREY = "#999999"
_SHOWN_LAGS = 5
_FS_PER_PS = 1000.0
_MODE_COLOURS = {
    "concerted": CHARGE_COLOUR,
    "single-ion": COLOURS[0],
    "not resolved": _GREY,
    "3-D": COLOURS[1],
    "2-D": COLOURS[4],
    "1-D": COLOURS[2],
}


@styled
def plot_concerted(
    motion: "ConcertedMotion", verdict: Verdict, temperature_k: float | None, duration_fs: float
) -> "Figure":
    """Draw what one trajectory says, six panels.

    Parameters
    ----------
    motion
        Of `measure_concerted`.
    verdict
        Of the finding.
    temperature_k
        K, None where not known.
    duration_fs
        fs.
    """
    figure, panels = new_figure((10.2, 6.2), 2, 3, {})
    _draw_sizes(panels[0, 0], motion.concerted)
    _draw_closeness(panels[0, 1], motion.scan, motion.concerted)
    _draw_strings(panels[0, 2], motion.strings)
    _draw_van_hove(panels[1, 0], motion.van_hove, distinct=False)
    _draw_van_hove(panels[1, 1], motion.van_hove, distinct=True)
    _draw_refill(panels[1, 2], motion.van_hove)
    kelvin = "temperature not known" if temperature_k is None else f"{temperature_k:g} K"
    panels[0, 0].set_title(f"{kelvin}, {duration_fs / _FS_PER_PS:g} ps", loc="left")
    write_quality(panels[0, 2], verdict)
    return figure


@styled
def plot_modes(
    series: "ModeSeries", motions: "Sequence[ConcertedMotion]", least_excess: float, least_ratio: float
) -> "Figure":
    """Draw residence time, anisotropy and concerted excess over temperature, coloured by the mode they stand for.

    Parameters
    ----------
    series
        Modes of the trajectories.
    motions
        The trajectories, in the order of the series.
    least_excess, least_ratio
        Thresholds.
    """
    figure, (left, middle, right) = new_figure((10.2, 3.4), 1, 3, {})
    kelvin = series.temperatures_k
    shown = _side_by_side(kelvin)
    for temperature, motion in zip(shown, motions, strict=True):
        _point(left, 1000.0 / temperature, motion.residence_ps, COLOURS[0])
    left.set(yscale="log", xlabel="1000/T (K⁻¹)", ylabel="residence time (ps)")
    left.yaxis.set_minor_formatter("{x:g}")
    left.yaxis.set_major_formatter("{x:g}")
    if series.activation is not None:
        energy = series.activation.activation_energy_ev
        left.set_title(f"$E_a$ of hops: {energy.value:.3f} eV [{energy.low:.3f}, {energy.high:.3f}]", loc="left")
    for temperature, motion, mode in zip(shown, motions, series.dimension, strict=True):
        for ratio, marker in ((motion.point.second, "s"), (motion.point.third, "o")):
            if ratio is not None:
                _point(middle, temperature, ratio, _MODE_COLOURS[str(mode)], marker)
    middle.axhline(least_ratio, color=_GREY, linewidth=0.8, linestyle="--")
    middle.set(xlabel="T (K)", ylabel="$D_2/D_1$ (squares), $D_3/D_1$ (circles)", ylim=(0.0, 1.05))
    _name_modes(middle, [str(mode) for mode in series.dimension])
    for temperature, motion, called in zip(shown, motions, series.collectivity, strict=True):
        _point(right, temperature, motion.concerted.excess, _MODE_COLOURS[str(called)])
    right.axhline(least_excess, color=_GREY, linewidth=0.8, linestyle="--")
    right.axhline(0.0, color=_GREY, linewidth=0.6)
    right.set(xlabel="T (K)", ylabel="concerted fraction beyond chance")
    _name_modes(right, [str(mode) for mode in series.collectivity])
    return figure


def _draw_sizes(axes: "Axes", result: "ConcertedResult") -> None:
    total = max(int(result.clusters.sum()), 1)
    chance = np.maximum(result.null_mean.sum(), 1e-12)
    low, high = np.maximum(result.null_low / chance, 0.2 / total), np.maximum(result.null_high / chance, 0.2 / total)
    axes.fill_between(result.sizes, low, high, color=_GREY, alpha=0.35, linewidth=0, label="by chance", step="mid")
    seen = result.clusters > 0
    axes.plot(result.sizes[seen], result.clusters[seen] / total, "o", color=CHARGE_COLOUR, label="hops")
    axes.set(yscale="log", ylim=(0.5 / total, 2.0), xlabel="ions in a cluster", ylabel="P(n)")
    axes.legend(loc="upper right")
    fraction, excess = result.fraction.value or 0.0, result.excess
    said = f"concerted {fraction:.2f}\nbeyond chance {excess.value:.2f} [{excess.low:.2f}, {excess.high:.2f}]"
    axes.text(
        0.96, 0.72, f"{said}\np = {result.p_value:.3g}", transform=axes.transAxes, ha="right", va="top", fontsize=8
    )


def _draw_closeness(axes: "Axes", scan: "ConcertedScan", result: "ConcertedResult") -> None:
    for j, distance in enumerate(scan.distances):
        colour = COLOURS[j % len(COLOURS)]
        axes.fill_between(scan.windows_fs, scan.low[:, j], scan.high[:, j], color=colour, alpha=0.15, linewidth=0)
        axes.plot(
            scan.windows_fs, scan.ratios[:, j], "o-", color=colour, markersize=3.5, label=f"within {distance:.1f} Å"
        )
    axes.axhline(1.0, color=_GREY, linewidth=0.8)
    axes.set(xscale="log", xlabel="window (fs)", ylabel="close pairs of hops over chance")
    axes.set_ylim(bottom=0.0)
    axes.legend(loc="best", title=f"p = {scan.p_value:.3g} over all", title_fontsize=8)


def _draw_strings(axes: "Axes", result: "StringResult") -> None:
    times = result.times_fs / _FS_PER_PS
    null = np.array([[one.low, one.high] for one in result.null_lengths])
    axes.fill_between(times, null[:, 0], null[:, 1], color=_GREY, alpha=0.35, linewidth=0, label="by chance")
    values = np.array([one.value for one in result.lengths], dtype=np.float64)
    known = np.array([not one.method.startswith("no interval") for one in result.lengths])
    bounds = np.array([[one.low, one.high] for one in result.lengths])
    errors = np.where(known[:, None], np.abs(bounds - values[:, None]), 0.0).T
    axes.errorbar(times, values, errors, fmt="o-", color=COLOURS[0], markersize=3.5, linewidth=1.0, label="mobile ions")
    axes.set(xscale="log", xlabel="time (ps)", ylabel="mean string length (ions)")
    axes.margins(y=0.15)
    axes.legend(loc="upper left", title=f"p = {result.p_value:.3g} over all", title_fontsize=8)


def _draw_van_hove(axes: "Axes", result: "VanHoveResult", distinct: bool) -> None:
    import matplotlib as mpl

    shown = np.unique(np.linspace(0, len(result.lags) - 1, _SHOWN_LAGS).round().astype(int))
    colours = mpl.colormaps["viridis"](np.linspace(0.0, 0.88, len(shown)))
    radii, part = (result.distinct_radii, result.distinct_part) if distinct else (result.self_radii, result.self_part)
    for k, colour in zip(shown, colours, strict=True):
        axes.plot(radii, part[k], color=colour, linewidth=1.1, label=f"{result.times_fs[k] / _FS_PER_PS:.3g} ps")
    axes.set(xlabel="r (Å)", xlim=(0.0, float(radii[-1])), ylim=(0.0, None))
    if distinct:
        axes.set_ylabel("distinct van Hove, $G_d/ρ$")
        axes.axhline(1.0, color=_GREY, linewidth=0.6)
        axes.set_ylim(0.0, 1.15 * float(np.percentile(part[:, len(radii) // 10 :], 99.5)))
    else:
        later = part[shown[1:]] if len(shown) > 1 else part
        axes.set_ylim(0.0, 1.1 * float(later.max()))
        axes.set_ylabel("self van Hove, $4π r^2 G_s$ (1/Å)")
        axes.legend(loc="upper right")


def _draw_refill(axes: "Axes", result: "VanHoveResult") -> None:
    times = result.times_fs / _FS_PER_PS
    values = np.array([one.value for one in result.refill], dtype=np.float64)
    bounds = np.array([[one.low, one.high] for one in result.refill])
    axes.errorbar(
        times, values, np.abs(bounds - values[:, None]).T, fmt="o", color=COLOURS[0], markersize=3.5, linewidth=1.0
    )
    axes.set(xscale="log", xlabel="time (ps)", ylabel="refill: others where an ion was", ylim=(0.0, None))
    axes.yaxis.label.set_color(COLOURS[0])
    right = axes.twinx()
    right.plot(times, result.alpha2, color=CHARGE_COLOUR, linewidth=1.0, marker="s", markersize=3)
    right.set_ylabel("$α_2$", color=CHARGE_COLOUR)
    right.tick_params(right=True, direction="in")


def _point(axes: "Axes", x: float, interval: Interval, colour: str, marker: str = "o") -> None:
    if interval.value is None:
        return
    below, above = interval.value - interval.low, min(interval.high, 1e6) - interval.value
    axes.errorbar([x], [interval.value], [[below], [above]], fmt=marker, color=colour, markersize=4.5, linewidth=1.0)


def _side_by_side(kelvin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move runs of one temperature apart by a few kelvin, so that their bars do not hide each other."""
    shown, step = kelvin.astype(np.float64), max(2.0, 0.012 * float(np.ptp(kelvin)))
    for temperature in np.unique(kelvin):
        same = np.flatnonzero(kelvin == temperature)
        shown[same] += step * (np.arange(len(same)) - 0.5 * (len(same) - 1))
    return shown


def _name_modes(axes: "Axes", modes: Sequence[str]) -> None:
    for mode in dict.fromkeys(modes):
        axes.plot([], [], "o", color=_MODE_COLOURS[mode], label=mode, markersize=4.5)
    axes.legend(loc="best")
