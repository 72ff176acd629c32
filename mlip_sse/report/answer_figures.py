"""The plots of the answer: D and σT over 1/T with the line, where the errors come from, displacements in time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.results import Interval
from mlip_sse.report.figure import INK, PALETTE, Figure, axes
from mlip_sse.report.production import MsdLine
from mlip_sse.report.written import written
from mlip_sse.units import BOLTZMANN_EV_PER_K

__all__ = ["ERROR_SOURCES", "ArrheniusPoints", "arrhenius_plot", "error_plot", "msd_plot"]

ERROR_SOURCES = ("statistics", "seeds", "committee")
_ROOM_K = 300.0


@dataclass(frozen=True)
class ArrheniusPoints:
    """Measured points, and what the answer says of the line through them.

    Parameters
    ----------
    temperatures_k : (n,) K
    points
        One for each temperature; without a value where there is only an upper limit.
    at_300k
        The line at 300 K, in the same unit.
    activation_energy_ev
        Its slope.
    """

    temperatures_k: Sequence[float]
    points: Sequence[Interval]
    at_300k: Interval | None
    activation_energy_ev: Interval | None


def arrhenius_plot(found: ArrheniusPoints, *, conductivity: bool) -> Figure | None:
    """Draw ln D, or ln σT, over 1/T; None without a point."""
    pairs = [(t, p) for t, p in zip(found.temperatures_k, found.points, strict=True) if p.value is None or p.value > 0]
    if not pairs:
        return None
    kelvin = np.array([t for t, _ in pairs])
    factors = kelvin / 1000.0 if conductivity else np.ones(len(kelvin))
    colour = PALETTE[1] if conductivity else PALETTE[0]
    unit, name = ("mS/cm", "σ") if conductivity else ("cm²/s", "D*")
    traces = _line(found, kelvin, colour, conductivity)
    traces += _points([p for _, p in pairs], kelvin, factors, colour)
    if found.at_300k is not None and found.at_300k.value is not None and found.at_300k.value > 0:
        traces.append(_one(found.at_300k, _ROOM_K, _ROOM_K / 1000.0 if conductivity else 1.0))
    layout = axes("1000/T (1/K)", "σT (S K/cm)" if conductivity else "D* (cm²/s)", log_y=True)
    layout["xaxis"]["autorange"] = True
    hot, cold = max(pairs, key=lambda pair: pair[0]), min(pairs, key=lambda pair: pair[0])
    words = (
        f"Arrhenius plot of {name} in {unit}: {written(cold[1])} at {cold[0]:g} K to {written(hot[1])} "
        f"at {hot[0]:g} K; the line reaches {written(found.at_300k)} at 300 K."
    )
    return Figure(
        name="arrhenius-conductivity" if conductivity else "arrhenius-diffusivity",
        caption=f"{name} over temperature. Bars and band: 95 % intervals with all error sources in; "
        "the open diamond is the line carried to 300 K.",
        words=words,
        data=traces,
        layout=layout,
        head=("T (K)", f"{name} ({unit})"),
        rows=[(f"{t:g}", written(p)) for t, p in pairs],
        height=420,
    )


def _points(
    points: list[Interval], kelvin: NDArray[np.float64], factors: NDArray[np.float64], colour: str
) -> list[dict[str, Any]]:
    values = np.array([p.high if p.value is None else p.value for p in points]) * factors
    highs, lows = (np.array([getattr(p, key) for p in points]) * factors for key in ("high", "low"))
    limit = np.array([p.value is None for p in points])
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "simulated",
            "x": 1000.0 / kelvin,
            "y": values,
            "customdata": kelvin,
            "marker": {
                "color": colour,
                "size": 10,
                "symbol": ["triangle-down-open" if one else "circle" for one in limit],
            },
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": np.where(limit | ~np.isfinite(highs), 0.0, highs - values),
                "arrayminus": np.where(limit | ~(lows > 0), 0.0, values - lows),
                "color": colour,
                "thickness": 2,
                "width": 6,
            },
            "hovertemplate": "%{customdata:g} K: %{y:.3g}<extra></extra>",
        }
    ]


def _one(point: Interval, kelvin: float, factor: float) -> dict[str, Any]:
    value = (point.value or 0.0) * factor
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "carried to 300 K",
        "x": [1000.0 / kelvin],
        "y": [value],
        "marker": {"color": INK, "size": 11, "symbol": "diamond-open", "line": {"width": 2}},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [max(point.high * factor - value, 0.0) if math.isfinite(point.high) else 0.0],
            "arrayminus": [max(value - point.low * factor, 0.0) if point.low > 0 else 0.0],
            "color": INK,
            "thickness": 1.5,
            "width": 5,
        },
        "hovertemplate": f"{kelvin:g} K: %{{y:.3g}}<extra></extra>",
    }


def _line(found: ArrheniusPoints, kelvin: NDArray[np.float64], colour: str, conductivity: bool) -> list[dict[str, Any]]:
    """Return line and band that the two stated intervals imply, with the points' own centre as the pivot.

    The variance of a straight line at x = 1/T is v₀ + (x - x̄)² v_E, with x̄ the centre of the points by their weights;
    v_E is the slope's, and v₀ what is left of the stated variance at 300 K.
    """
    room, energy = found.at_300k, found.activation_energy_ev
    if room is None or energy is None or room.value is None or energy.value is None or room.value <= 0:
        return []
    x = np.linspace(1.0 / max(kelvin.max(), _ROOM_K), 1.0 / min(kelvin.min(), _ROOM_K), 100)
    factor = _ROOM_K / 1000.0 if conductivity else 1.0
    slope = -energy.value / BOLTZMANN_EV_PER_K
    middle = math.log(room.value * factor) + slope * (x - 1.0 / _ROOM_K)
    line = {"type": "scatter", "mode": "lines", "x": 1000.0 * x}
    traces: list[dict[str, Any]] = []
    sides = _half_widths(found, room, energy, x)
    if sides is not None:
        edge = {**line, "line": {"width": 0, "color": colour}, "hoverinfo": "skip", "showlegend": False}
        traces.append({**edge, "y": np.exp(middle - sides[0])})
        traces.append({**edge, "y": np.exp(middle + sides[1]), "fill": "tonexty", "fillcolor": f"{colour}22"})
    return [
        *traces,
        {
            **line,
            "y": np.exp(middle),
            "name": "Arrhenius line",
            "line": {"color": colour, "width": 2},
            "customdata": 1.0 / x,
            "hovertemplate": "%{customdata:.0f} K: %{y:.3g}<extra></extra>",
        },
    ]


def _half_widths(
    found: ArrheniusPoints, room: Interval, energy: Interval, x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return how far the band lies below and above the line, in ln units; None where an interval is open."""
    value = room.value or 0.0
    if not (0 < room.low <= value <= room.high < math.inf and energy.low <= (energy.value or 0.0) <= energy.high):
        return None
    weights, inverse = [], []
    for t, p in zip(found.temperatures_k, found.points, strict=True):
        if p.value is not None and 0 < p.low < p.high < math.inf:
            weights.append(1.0 / math.log(p.high / p.low) ** 2)
            inverse.append(1.0 / t)
    centre = float(np.average(inverse, weights=weights)) if weights else float(x.min())
    of_slope = (0.5 * (energy.high - energy.low) / BOLTZMANN_EV_PER_K) ** 2
    sides = []
    for side in (math.log(value / room.low), math.log(room.high / value)):
        # Never wider at 300 K than what is stated there.
        slope = min(of_slope, side**2 / max((1.0 / _ROOM_K - centre) ** 2, 1e-12))
        least = side**2 - (1.0 / _ROOM_K - centre) ** 2 * slope
        sides.append(np.sqrt(max(least, 0.0) + (x - centre) ** 2 * slope))
    return sides[0], sides[1]


def error_plot(temperatures_k: Sequence[float], errors: Sequence[dict[str, float | None]]) -> Figure | None:
    """Draw the relative standard errors of D by their source, a group of bars for each temperature."""
    if not any(value is not None for row in errors for value in row.values()):
        return None
    kelvin = [f"{t:g} K" for t in temperatures_k]
    traces = [
        {
            "type": "bar",
            "name": source,
            "x": kelvin,
            "y": [None if row.get(source) is None else 100 * (row[source] or 0.0) for row in errors],
            "marker": {
                "color": PALETTE[at],
                "pattern": {"shape": ("", "/", ".")[at], "fgcolor": "white", "fillmode": "overlay"},
            },
            "hovertemplate": f"{source}: %{{y:.1f}} %<extra></extra>",
        }
        for at, source in enumerate(ERROR_SOURCES)
    ]
    layout = axes("", "relative standard error of D* (%)")
    layout["barmode"] = "group"
    largest = [max(ERROR_SOURCES, key=lambda source: row.get(source) or 0.0) for row in errors]
    return Figure(
        name="error-sources",
        caption="Where the error of D* comes from: the length of the runs, the spread between seeds, and the spread "
        "between potentials that the same data allow (the committee).",
        words="Relative errors of D* by source; largest: "
        + ", ".join(f"{source} at {t}" for t, source in zip(kelvin, largest, strict=True)),
        data=traces,
        layout=layout,
        height=420,
    )


def msd_plot(lines: Sequence[MsdLine]) -> Figure | None:
    """Draw mean squared displacements on logarithmic axes, with the fits in their windows."""
    if not lines:
        return None
    traces: list[dict[str, Any]] = []
    for at, line in enumerate(lines):
        # Cold to hot through lightness too, so that grey prints keep the order.
        share = at / max(len(lines) - 1, 1)
        colour = f"hsl({235 - 215 * share:.0f}, 75%, {30 + 18 * share:.0f}%)"
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"{line.temperature_k:g} K",
                "x": line.times_ps,
                "y": line.msd,
                "line": {"color": colour, "width": 2},
                "customdata": np.column_stack([line.errors, line.exponent]),
                "hovertemplate": "%{x:.3g} ps: %{y:.3g} ± %{customdata[0]:.2g} Å², exponent %{customdata[1]:.2f}",
            }
        )
        if line.fit_times_ps.size:
            fit = {"color": INK, "width": 1.5, "dash": "dash"}
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": line.fit_times_ps,
                    "y": line.fit,
                    "line": fit,
                    "showlegend": False,
                    "hoverinfo": "skip",
                }
            )
    ends = "; ".join(
        f"{line.temperature_k:g} K: {line.msd[-1]:.3g} Å² after {line.times_ps[-1]:.3g} ps" for line in lines
    )
    rows = [
        (
            f"{line.temperature_k:g}",
            f"{line.times_ps[-1]:.3g}",
            f"{line.msd[-1]:.3g} ± {line.errors[-1]:.2g}",
            f"{line.exponent[-1]:.2f}",
            line.path,
        )
        for line in lines
    ]
    return Figure(
        name="msd",
        caption="Mean squared displacement of the mobile ions, one run for each temperature. Dashed: the fit in its "
        "window. Diffusion is reached where the slope in this plot is 1.",
        words=f"Mean squared displacements. {ends}.",
        data=traces,
        layout=axes("time (ps)", "mean squared displacement (Å²)", log_x=True, log_y=True),
        head=("T (K)", "longest lag (ps)", "MSD there (Å²)", "exponent", "trajectory"),
        rows=rows,
        height=420,
    )
