"""Figures of sites and jumps: occupancies, survival and rates; rates against temperature."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlip_sse.analysis.results import Quality, Verdict
from mlip_sse.analysis.transport.display.plots import COLOURS, styled
from mlip_sse.units import BOLTZMANN_EV_PER_K

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlip_sse.analysis.mechanism.hop_activation import HopActivation
    from mlip_sse.analysis.mechanism.site_analysis import SiteAnalysis
    from mlip_sse.analysis.mechanism.site_temperatures import HopSeries

__all__ = ["plot_hop_arrhenius", "plot_sites"]

_GREY = "#666666"
_MOST_HOPS = 10
"""Hop classes shown, most counted first."""


@styled
def plot_sites(result: "SiteAnalysis") -> "Figure":
    """Draw where ions are, how long they stay and how fast they hop.

    Parameters
    ----------
    result
        Of `mlip_sse.analysis.mechanism.site_analysis.SitesAndJumps.run`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 5.6))
    grid = figure.add_gridspec(2, 2, height_ratios=(1.0, 1.1), width_ratios=(0.8, 1.2))
    _draw_occupancies(figure.add_subplot(grid[0, 0]), result)
    _draw_survival(figure.add_subplot(grid[0, 1]), result)
    _draw_rates(figure.add_subplot(grid[1, :]), result)
    kelvin = "temperature not known" if result.temperature_k is None else f"{result.temperature_k:g} K"
    factor = result.diffusion.correlation_factor
    shown = "" if factor is None else f", f = {factor.value:.2f} [{factor.low:.2f}, {factor.high:.2f}]"
    counts = f"{len(result.assignment.sites)} sites, {len(result.jumps)} jumps"
    figure.suptitle(f"{kelvin}: {counts}{shown}{_quality(result.verdict)}", fontsize=9.5)
    return figure


def _quality(verdict: Verdict) -> str:
    return "" if verdict.quality is Quality.PASS else f"  ({verdict.quality})"


def _draw_occupancies(axes: "Axes", result: "SiteAnalysis") -> None:
    parts = result.occupancies
    for k, part in enumerate(parts):
        value = part.per_site.value or 0.0
        axes.bar(k, value, 0.65, color=COLOURS[k % len(COLOURS)], alpha=0.85)
        axes.plot([k, k], [part.per_site.low, part.per_site.high], color="black", linewidth=1.0)
        share = part.fraction.value or 0.0
        axes.annotate(
            f"{share:.1%}", (k, max(value, part.per_site.high)), (0, 3), textcoords="offset points", ha="center"
        )
    axes.set_xticks(range(len(parts)), [f"{part.label}\n{part.n_sites} sites" for part in parts])
    axes.tick_params(axis="x", length=0)
    axes.set_ylim(0, 1.18 * max((part.per_site.high for part in parts), default=1.0))
    axes.set_ylabel("ions per site")
    unassigned = result.unassigned.value or 0.0
    axes.set_title(f"share of the ions; {unassigned:.1%} off sites", loc="left", fontsize=8)


def _draw_survival(axes: "Axes", result: "SiteAnalysis") -> None:
    for stay in result.residences:
        colour = COLOURS[result.rates.labels.index(stay.label) % len(COLOURS)]
        curve = stay.survival
        if not len(curve.times):
            continue
        times = np.concatenate([[0.0], curve.times]) / 1000
        survival = np.concatenate([[1.0], curve.survival])
        low, high = np.concatenate([[1.0], curve.low]), np.concatenate([[1.0], curve.high])
        axes.fill_between(times, low, high, step="post", color=colour, alpha=0.2, linewidth=0)
        time = "not resolved" if stay.time.value is None else f"τ = {stay.time.value / 1000:.3g} ps"
        axes.step(times, survival, where="post", color=colour, label=f"{stay.label}: {time}")
        if stay.time.value:
            drawn = np.linspace(0, times[-1], 200)
            axes.plot(drawn, np.exp(-drawn * 1000 / stay.time.value), ":", color=colour, linewidth=1.1)
    axes.set(yscale="log", ylim=(5e-3, 1.15), xlabel="time on a site (ps)", ylabel="fraction still there")
    axes.set_xlim(left=0)
    axes.set_title("Kaplan-Meier with its band, exponential dotted", loc="left", fontsize=8)
    if result.residences:
        axes.legend(loc="upper right")


def _draw_rates(axes: "Axes", result: "SiteAnalysis") -> None:
    rates = result.rates
    order = np.argsort(-rates.counts, kind="stable")[:_MOST_HOPS][::-1]
    for row, k in enumerate(order):
        found = rates.rate(int(k), result.confidence).scaled(1e3)
        colour = COLOURS[rates.labels.index(rates.classes[k].label_from) % len(COLOURS)]
        axes.plot([found.low, found.high], [row, row], color=colour)
        axes.plot(found.value or 0.0, row, "o", color=colour, markersize=5)
        axes.annotate(f" {rates.counts[k]}", (found.high, row), va="center", fontsize=7.5, color=_GREY)
    axes.set_yticks(range(len(order)), [rates.classes[k].name.replace("-", "→") for k in order])
    axes.tick_params(axis="y", length=0)
    axes.set(xscale="log", xlabel="rate (1/ps per ion on the site of departure), with the number of hops")
    axes.set_ylim(-0.7, len(order) - 0.3)
    for axis, rate in result.critical.items():
        if rate is not None and rate.value:
            axes.axvline(rate.value * 1e3, color=_GREY, linewidth=0.8, linestyle="--")
            axes.annotate(axis, (rate.value * 1e3, len(order) - 0.35), (2 + 7 * "abc".index(axis), 2),
                          textcoords="offset points", fontsize=8, color=_GREY)  # fmt: skip
    if not len(order):
        axes.text(0.5, 0.5, "no ion jumped", transform=axes.transAxes, ha="center", color=_GREY)
    axes.set_title("hop classes; dashed: slowest hop of the best way along a, b, c", loc="left", fontsize=8, pad=12)


@styled
def plot_hop_arrhenius(fits: "Sequence[tuple[HopSeries, HopActivation]]", confidence: float) -> "Figure":
    """Draw the rates of the hop classes against 1/T with their lines.

    Parameters
    ----------
    fits
        Counts and fit of each hop class, most counted first.
    confidence
        Of the intervals.
    """
    from matplotlib.figure import Figure

    from mlip_sse.analysis.mechanism.rates import rate_interval

    figure = Figure(figsize=(5.2, 4.2))
    axes = figure.add_subplot()
    for k, (series, fit) in enumerate(fits[: len(COLOURS)]):
        colour = COLOURS[k]
        for kelvin, count, time, scatter in series.rows:
            if time <= 0:
                continue
            found = rate_interval(count, time, confidence, scatter).scaled(1e3)
            at = 1000 / kelvin
            axes.plot([at, at], [max(found.low, found.high * 1e-2), found.high], color=colour, linewidth=1.0)
            shown = found.value if found.value else found.high
            axes.plot(at, shown, "o" if count else "v", color=colour, markersize=4.5)
        kelvins = np.array([row[0] for row in series.rows])
        x = np.linspace(1000 / kelvins.max(), 1000 / kelvins.min(), 50)
        energy, attempt = fit.activation_energy_ev, fit.attempt_frequency_thz
        line = (attempt.value or 0.0) * np.exp(-(energy.value or 0.0) * x / 1000 / BOLTZMANN_EV_PER_K)
        name = series.hop.name.replace("-", "→")
        axes.plot(x, line, color=colour, label=f"{name}: {energy.value:.3f} [{energy.low:.3f}, {energy.high:.3f}] eV")
    axes.set(yscale="log", xlabel="1000 K / T", ylabel="rate (1/ps)")
    axes.legend(loc="best")
    return figure
