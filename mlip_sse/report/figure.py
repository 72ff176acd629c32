"""A plot of the page: plotly's own format as plain data, with a caption, words for who cannot see it, and its numbers.

Names that come from a folder go through `label`: plotly reads a little HTML in texts, links among it.
"""

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlip_sse.analysis.results import to_plain
from mlip_sse.analysis.transport.display.plots import CHARGE_COLOUR, COLOURS
from mlip_sse.report.markup import Markup, table, tag
from mlip_sse.report.untrusted import text

__all__ = [
    "INK",
    "PALETTE",
    "SYMBOLS",
    "Figure",
    "axes",
    "bar_marker",
    "element_colours",
    "embedded_json",
    "label",
    "shown",
]

PALETTE = (COLOURS[0], CHARGE_COLOUR, COLOURS[1], COLOURS[2], COLOURS[3], COLOURS[4], "#5B5B5B")
"""Okabe and Ito's colours, which stay apart for colour-blind readers; the darkest first."""

SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star")
INK = "#1c2733"
_GRID = "#e6eaee"


@dataclass(frozen=True)
class Figure:
    """A plot.

    Parameters
    ----------
    name
        Letters, digits and hyphens; ``place`` makes the id in the page of it.
    caption
        Below the plot.
    words
        What it shows, for who cannot see it.
    data, layout
        As plotly takes them.
    head, rows
        Its numbers as a table; none where another table of the page has them.
    height
        In CSS pixels.
    title
        Above the plot, where its neighbours look alike.
    """

    name: str
    caption: str
    words: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default_factory=tuple)
    height: int = 380
    title: str = ""

    @property
    def place(self) -> str:
        """The id of the element that it is drawn in."""
        return f"plot-{self.name}"


def label(thing: Any, most: int = 60) -> str:
    """Return a text of a folder for a plot, without what plotly would take for markup."""
    return html.escape(text(thing, most), quote=False)


def axes(x_title: str, y_title: str, *, log_x: bool = False, log_y: bool = False) -> dict[str, Any]:
    """Return a layout with two axes in the page's style."""
    line = {"showline": True, "mirror": True, "linecolor": "#7b8794", "ticks": "inside", "gridcolor": _GRID}
    plain = {"zeroline": False, "automargin": True, **line}
    powers = {"type": "log", "exponentformat": "power"}
    return {
        "xaxis": {"title": {"text": x_title}, **plain, **(powers if log_x else {})},
        "yaxis": {"title": {"text": y_title}, **plain, **({**powers, "dtick": "D2"} if log_y else {})},
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
        "plot_bgcolor": "white",
        "paper_bgcolor": "white",
        "margin": {"l": 64, "r": 16, "t": 16, "b": 56},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "hovermode": "closest",
    }


def element_colours(elements: Iterable[str], mobile: str) -> dict[str, str]:
    """Return the colour of each element, the same in all plots of a page: the mobile ion's is the first."""
    ordered = sorted(set(elements), key=lambda symbol: (symbol != mobile, symbol))
    return {symbol: PALETTE[at % len(PALETTE)] for at, symbol in enumerate(ordered)}


def bar_marker(colour: str, shape: str) -> dict[str, Any]:
    """Return the look of bars: a colour, and a pattern that tells them apart without it."""
    return {"color": colour, "pattern": {"shape": shape, "fgcolor": "white", "fillmode": "overlay"}}


def shown(figure: Figure) -> Markup:
    """Return the place that the page's script draws a figure in, with its caption and its numbers."""
    place = tag(
        "div",
        tag("noscript", figure.words),
        class_="plot",
        id=figure.place,
        role="img",
        aria_label=figure.words,
        style=f"height:{figure.height}px",
    )
    numbers = None
    if figure.rows:
        numbers = tag("details", tag("summary", "The numbers"), table(figure.head, figure.rows))
    heading = tag("h4", figure.title) if figure.title else None
    return tag("figure", heading, place, tag("figcaption", figure.caption), numbers)


def embedded_json(thing: Any) -> Markup:
    """Return plain data as JSON that no parser of HTML can mistake for markup, whatever stands in it."""
    written = json.dumps(to_plain(thing), allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    for letter in "<>&":
        written = written.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(written)
