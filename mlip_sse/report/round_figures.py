"""What learning took: labels, cost, how far the dynamics came, grades and bounds met on the way."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.report.figure import PALETTE, SYMBOLS, Figure, axes, bar_marker, label
from mlip_sse.report.untrusted import items, mapping, number, numbers

__all__ = ["STAGES", "Round", "cost_plot", "histogram_plot", "label_plot", "looks_of", "round_name", "segment_plot"]

Round = Mapping[str, Any]

STAGES = ("explore", "select", "label", "fit", "probe")
_PATTERNS = ("", "/", "\\", ".", "x")
_N_BINS = 40
_MOST_HISTOGRAMS = 12
_MOST_ROWS = 300
_SHORTEST_PS = 1e-3


def round_name(round_: Round) -> str:
    """Return the round's number as text, and what round 0 is."""
    found = number(round_.get("number"))
    return "seeds" if found == 0 else "?" if found is None else f"{found:.0f}"


def label_plot(rounds: Sequence[Round]) -> Figure | None:
    """Draw how many labels each round asked for and got."""
    asked = [mapping(one.get("labels")) for one in rounds]
    done = [number(one.get("n_labelled")) or 0.0 for one in asked]
    failed = [number(one.get("n_failed")) or 0.0 for one in asked]
    if not any(done) and not any(failed):
        return None
    x = [round_name(one) for one in rounds]
    bars = (("labelled", done, PALETTE[0], ""), ("failed", failed, PALETTE[1], "/"))
    traces: list[dict[str, Any]] = [
        {
            "type": "bar",
            "name": name,
            "x": x,
            "y": y,
            "marker": bar_marker(colour, shape),
        }
        for name, y, colour, shape in bars
    ]
    layout = axes("round", "labels")
    layout |= {"barmode": "stack"}
    layout["xaxis"]["type"] = "category"
    total = sum(done)
    return Figure(
        "labels",
        f"Labels of each round; {total:g} in all, {sum(failed):g} failed.",
        f"Labels of {len(x)} rounds: {', '.join(f'{a}: {b:g}' for a, b in zip(x, done, strict=True))}.",
        traces,
        layout,
        height=320,
    )


def cost_plot(rounds: Sequence[Round]) -> Figure | None:
    """Draw the wall time of each stage of each round."""
    times = {stage: [number(mapping(one.get("wall_s")).get(stage)) or 0.0 for one in rounds] for stage in STAGES}
    longest = max((sum(row) for row in zip(*times.values(), strict=True)), default=0.0)
    if longest <= 0:
        return None
    unit, scale = ("min", 60.0) if longest > 240 else ("s", 1.0)
    x = [round_name(one) for one in rounds]
    traces = [
        {
            "type": "bar",
            "name": stage,
            "x": x,
            "y": [value / scale for value in times[stage]],
            "marker": {
                "color": PALETTE[at],
                "pattern": {"shape": _PATTERNS[at], "fgcolor": "white", "fillmode": "overlay"},
            },
            "hovertemplate": f"{stage}: %{{y:.3g}} {unit}<extra></extra>",
        }
        for at, stage in enumerate(STAGES)
        if any(times[stage])
    ]
    layout = axes("round", f"wall time ({unit})")
    layout |= {"barmode": "stack"}
    layout["xaxis"]["type"] = "category"
    sums = ", ".join(f"{stage} {sum(values) / scale:.3g} {unit}" for stage, values in times.items())
    rows = [(name, *(f"{times[stage][at]:.3g}" for stage in STAGES)) for at, name in enumerate(x)]
    return Figure(
        "cost",
        f"Wall time of each round: {sums}.",
        f"Wall time by stage: {sums}.",
        traces,
        layout,
        head=("round", *(f"{stage} (s)" for stage in STAGES)),
        rows=rows,
        height=320,
    )


def segment_plot(rounds: Sequence[Round]) -> Figure | None:
    """Draw how far each run of exploration came, and what ended it."""
    found: dict[str, list[tuple[float, float, float, str, str]]] = {}
    for at, round_ in enumerate(rounds):
        segments = [mapping(one) for one in items(round_.get("exploration"))]
        for place, segment in enumerate(segments):
            reached, wanted = number(segment.get("reached_ps")), number(segment.get("wanted_ps"))
            if reached is None:
                continue
            ended = mapping(segment.get("ended"))
            kind = label(ended.get("kind"), 30).replace("_", " ") or "ran its length"
            offset = 0.0 if len(segments) < 2 else 0.7 * (place / (len(segments) - 1) - 0.5)
            note = f"{label(segment.get('name'), 40)}: {label(ended.get('reason'), 110)}".strip(": ")
            found.setdefault(kind, []).append((at + offset, reached, wanted or math.nan, note, round_name(round_)))
    if not found:
        return None
    kinds = sorted(found, key=lambda kind: (kind != "ran its length", kind))
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": kind,
            "x": [row[0] for row in found[kind]],
            "y": [max(row[1], _SHORTEST_PS) for row in found[kind]],
            "customdata": [[row[2], row[3], row[4]] for row in found[kind]],
            "marker": {
                "color": PALETTE[at % 7],
                "symbol": SYMBOLS[at % 7],
                "size": 10,
                "line": {"width": 1, "color": "white"},
            },
            "hovertemplate": "round %{customdata[2]}: %{y:.3g} of %{customdata[0]:.3g} ps<br>%{customdata[1]}"
            "<extra></extra>",
        }
        for at, kind in enumerate(kinds)
    ]
    layout = axes("round", "reached (ps)", log_y=True)
    layout["xaxis"] |= {
        "tickmode": "array",
        "tickvals": list(range(len(rounds))),
        "ticktext": [round_name(r) for r in rounds],
    }
    layout["xaxis"]["range"] = [-0.5, len(rounds) - 0.5]
    counts = ", ".join(f"{kind} {len(found[kind])}" for kind in kinds)
    rows = [(row[4], f"{row[1]:.3g}", f"{row[2]:.3g}", kind, row[3]) for kind in kinds for row in found[kind]]
    return Figure(
        "segments",
        f"How far each run of exploration came, and what ended it: {counts}.",
        f"Length reached by each run of exploration. {counts}.",
        traces,
        layout,
        head=("round", "reached (ps)", "wanted (ps)", "ended by", "reason"),
        rows=rows if len(rows) <= _MOST_ROWS else (),
        height=340,
    )


def looks_of(round_: Round, key: str) -> NDArray[np.float64]:
    """Return (n_looks,) one figure of all looks of a round's exploration."""
    parts = [numbers(mapping(mapping(one).get("looks")).get(key)) for one in items(round_.get("exploration"))]
    return np.concatenate(parts) if parts else np.empty(0)


def histogram_plot(
    found: Sequence[tuple[str, NDArray[np.float64]]], title: str, name: str, words: str
) -> Figure | None:
    """Draw how often a positive figure was met, a line for each round, early to late.

    Parameters
    ----------
    found
        Name and values of each round; what is not positive is left out.
    title
        Of the axis, with its unit.
    name, words
        Of the figure; what it shows.
    """
    positive = [(who, values[np.isfinite(values) & (values > 0)]) for who, values in found]
    series = [(who, values) for who, values in positive if values.size > 1]
    if not series:
        return None
    if len(series) > _MOST_HISTOGRAMS:
        kept = np.unique(np.linspace(0, len(series) - 1, _MOST_HISTOGRAMS).round().astype(int))
        series = [series[at] for at in kept]
    pooled = np.log10(np.concatenate([values for _, values in series]))
    low, high = float(pooled.min()), float(pooled.max())
    edges = np.linspace(low - 1e-3, high + 1e-3, _N_BINS + 1)
    middles = 10 ** (0.5 * (edges[1:] + edges[:-1]))
    traces = []
    for at, (who, values) in enumerate(series):
        counts = np.histogram(np.log10(values), edges)[0]
        share = at / max(len(series) - 1, 1)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"round {who}",
                "x": middles,
                "y": 100.0 * counts / len(values),
                "line": {
                    "color": _early_to_late(share),
                    "width": 2,
                    "shape": "hvh",
                    "dash": "solid" if share == 1 else "dot",
                },
                "hovertemplate": "%{x:.3g}: %{y:.1f} % of the looks",
            }
        )
    middle = [(who, float(np.median(values))) for who, values in series]
    rows = [
        (who, f"{len(values)}", *(f"{np.quantile(values, q):.3g}" for q in (0.1, 0.5, 0.9, 1.0)))
        for who, values in series
    ]
    return Figure(
        name,
        f"{words} Dark dots: early rounds; full line: the last one.",
        f"{words} Medians: {', '.join(f'round {a}: {b:.3g}' for a, b in middle)}.",
        traces,
        axes(title, "share of looks (%)", log_x=True),
        head=("round", "looks", "10 %", "median", "90 %", "largest"),
        rows=rows,
        height=320,
    )


def _early_to_late(share: float) -> str:
    """Go from dark blue through grey to amber, the ends of a scale that colour-blind readers see alike."""
    ends = ((0, 34, 78), (124, 123, 120), (230, 159, 0))
    a, b, rest = (ends[0], ends[1], 2 * share) if share < 0.5 else (ends[1], ends[2], 2 * share - 1)
    return "rgb(" + ",".join(str(round(x + (y - x) * rest)) for x, y in zip(a, b, strict=True)) + ")"
