"""How good the potential became: errors on held-out frames, parity, and how often its error bounds held."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.report.figure import INK, PALETTE, SYMBOLS, Figure, axes, element_colours, label
from mlip_sse.report.round_figures import Round, round_name
from mlip_sse.report.untrusted import mapping, number, numbers, text

__all__ = ["coverage_plot", "error_history_plot", "parity_plots"]

_ALL, _BEFORE = "all", "new, before the fit"


def error_history_plot(rounds: Sequence[Round], mobile: str) -> Figure | None:
    """Draw the force errors on held-out frames over the number of labels, by element."""
    points: dict[str, list[tuple[float, float, str]]] = {}
    for round_ in rounds:
        errors, n = mapping(round_.get("errors")), number(mapping(round_.get("labels")).get("n_total"))
        rmse = number(mapping(errors.get("force_ev_a")).get("rmse"))
        if n is None or rmse is None:
            continue
        points.setdefault(_ALL, []).append((n, rmse, round_name(round_)))
        for element, found in list(mapping(errors.get("force_by_element_ev_a")).items())[:12]:
            value = number(mapping(found).get("rmse"))
            if value is not None:
                points.setdefault(label(element, 3), []).append((n, value, round_name(round_)))
        prior = number(mapping(mapping(round_.get("prior_errors")).get("force_ev_a")).get("rmse"))
        if prior is not None:
            points.setdefault(_BEFORE, []).append((n, prior, round_name(round_)))
    if not points:
        return None
    traces: list[dict[str, Any]] = []
    colours = element_colours((who for who in points if who not in (_ALL, _BEFORE)), mobile)
    for at, (who, row) in enumerate(points.items()):
        before = who == _BEFORE
        traces.append(
            {
                "type": "scatter",
                "mode": "markers" if before else "lines+markers",
                "name": who,
                "x": [p[0] for p in row],
                "y": [1000 * p[1] for p in row],
                "customdata": [p[2] for p in row],
                "marker": {"symbol": "circle-open" if before else SYMBOLS[at % 7], "size": 8},
                "line": {
                    "width": 3 if who == _ALL else 1.5,
                    "color": colours.get(who, INK),
                },
                "hovertemplate": "round %{customdata}, %{x} labels: %{y:.3g} meV/Å",
            }
        )
    last = points[_ALL][-1]
    return Figure(
        "errors",
        "Root mean square error of force components on frames that never train, by element. Open circles: the frames "
        "that were chosen, seen by the potential that had not learnt them yet.",
        f"Held-out force errors over labels; the last is {1000 * last[1]:.3g} meV/Å at {last[0]:g} labels.",
        traces,
        axes("labels", "force error (meV/Å)", log_y=True),
        head=("series", "labels", "force RMSE (meV/Å)"),
        rows=[(who, f"{p[0]:g}", f"{1000 * p[1]:.3g}") for who, row in points.items() for p in row],
        height=360,
    )


def parity_plots(round_: Round, mobile: str) -> list[Figure]:
    """Draw predicted over reference force components, a plot for each element."""
    plots = []
    found = list(mapping(round_.get("parity")).items())[:8]
    colours = element_colours((text(element, 3) for element, _ in found), mobile)
    for element, pairs in found:
        symbol = text(element, 3)
        reference, predicted = (numbers(mapping(pairs).get(key)) for key in ("reference", "predicted"))
        n = min(len(reference), len(predicted))
        good = np.isfinite(reference[:n]) & np.isfinite(predicted[:n])
        x, y = reference[:n][good], predicted[:n][good]
        if not x.size or not symbol.isalpha():
            continue
        plots.append(_parity(symbol, colours[symbol], x, y))
    return plots


def _parity(symbol: str, colour: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> Figure:
    ends = [float(min(x.min(), y.min())), float(max(x.max(), y.max()))]
    rmse = 1000 * float(np.sqrt(np.mean((x - y) ** 2)))
    layout = axes("reference (eV/Å)", "potential (eV/Å)")
    layout["showlegend"] = False
    return Figure(
        f"parity-{symbol}",
        f"{len(x)} force components of {symbol} on held-out frames.",
        f"Parity of {symbol}: {len(x)} force components, root mean square error {rmse:.3g} meV/Å.",
        [
            {
                "type": "scatter",
                "mode": "lines",
                "x": ends,
                "y": ends,
                "line": {"color": INK, "width": 1},
                "hoverinfo": "skip",
            },
            {
                "type": "scatter",
                "mode": "markers",
                "x": x,
                "y": y,
                "marker": {"color": colour, "size": 5, "opacity": 0.55},
                "hovertemplate": "%{x:.3f} → %{y:.3f} eV/Å<extra></extra>",
            },
        ],
        layout,
        height=250,
        title=f"{symbol}: {rmse:.3g} meV/Å",
    )


def coverage_plot(rounds: Sequence[Round], wanted: float) -> Figure | None:
    """Draw how often the bounds on force errors held on new frames, with intervals; the last round by element."""
    found = [(round_name(one), mapping(one.get("coverage"))) for one in rounds if mapping(one.get("coverage"))]
    if not found:
        return None
    shares = [_Share.of(f"round {name}", report.get("overall")) for name, report in found]
    by_element = list(mapping(found[-1][1].get("by_element")).items())[:12]
    shares += [_Share.of(label(element, 3), share) for element, share in by_element]
    points = [one for one in shares if one is not None]
    if not points:
        return None
    values = 100 * np.array([[point.share, point.low, point.high] for point in points])
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "found",
            "x": [point.who for point in points],
            "y": values[:, 0],
            "marker": {"color": PALETTE[0], "size": 10},
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": (values[:, 2] - values[:, 0]).clip(0),
                "arrayminus": (values[:, 0] - values[:, 1]).clip(0),
                "color": PALETTE[0],
            },
            "hovertemplate": "%{x}: %{y:.1f} %<extra></extra>",
        },
        {
            "type": "scatter",
            "mode": "lines",
            "name": "promised",
            "x": [points[0].who, points[-1].who],
            "y": [100 * wanted] * 2,
            "line": {"color": INK, "dash": "dash", "width": 1.5},
            "hoverinfo": "skip",
        },
    ]
    layout = axes("", "atoms within their bound (%)")
    layout["xaxis"]["type"] = "category"
    return Figure(
        "coverage",
        f"How often the force error stayed below the bound stated for it (promised: {100 * wanted:g} %), on new frames "
        "drawn at random, before they were learnt; all atoms by round, then the last round by element.",
        f"Coverage of the error bounds, promised {100 * wanted:g} %: "
        + ", ".join(f"{point.who} {100 * point.share:.0f} %" for point in points),
        traces,
        layout,
        head=("atoms", "covered (%)", "95 % interval", "mean bound (eV/Å)", "mean error (eV/Å)"),
        rows=[point.row() for point in points],
        height=340,
    )


@dataclass(frozen=True)
class _Share:
    """The share of atoms within their bound, as a card's coverage says it."""

    who: str
    share: float
    low: float
    high: float
    mean_bound: float | None
    mean_error: float | None

    @classmethod
    def of(cls, who: str, thing: Any) -> "_Share | None":
        found = mapping(thing)
        share, low, high = (number(found.get(key)) for key in ("share", "low", "high"))
        if share is None:
            return None
        ends = (share if low is None else low, share if high is None else high)
        return cls(who, share, *ends, number(found.get("mean_bound")), number(found.get("mean_error")))

    def row(self) -> tuple[str, ...]:
        sizes = ("–" if one is None else f"{one:.3g}" for one in (self.mean_bound, self.mean_error))
        return (self.who, f"{100 * self.share:.1f}", f"{100 * self.low:.1f}–{100 * self.high:.1f}", *sizes)
