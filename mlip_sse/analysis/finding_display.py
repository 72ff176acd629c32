"""Findings in the terminal: the numbers of each trajectory side by side, and the reasons."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlip_sse.analysis.findings import Number
from mlip_sse.analysis.results import Interval
from mlip_sse.analysis.transport.display.tables import QUALITY_COLOURS, interval_text, listed

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from mlip_sse.analysis.finding_report import FindingReport

__all__ = ["finding_renderables", "number_text"]


def number_text(number: Number) -> str:
    """Write a number, with its interval where it has one; nothing is a dash."""
    if number is None or isinstance(number, Interval):
        return interval_text(number)
    return f"{number:.4g}" if isinstance(number, float) else str(number)


def finding_renderables(report: "FindingReport") -> "list[RenderableType]":
    """Return what the terminal shows: numbers by trajectory, what all temperatures say together, and the reasons."""
    from rich.text import Text

    confidence = f"{100 * report.recipe.confidence:g} % intervals in brackets"
    shown: list[RenderableType] = [_numbers(report), Text(confidence, style="dim")]
    if report.together is not None:
        shown += [Text(""), Text("all temperatures", style="bold")]
        shown.append(_pairs(report.together.numbers.items()))
        verdict = report.together.verdict
        shown.append(Text("quality: ").append(str(verdict.quality), style=QUALITY_COLOURS[verdict.quality]))
        if verdict.reasons:
            shown.append(listed(verdict.reasons))
    for row in report.rows:
        if row.verdict.reasons:
            quality = row.verdict.quality
            shown.append(Text(f"{row.label}: ").append(str(quality), style=QUALITY_COLOURS[quality]))
            shown.append(listed(row.verdict.reasons))
    return shown


def _numbers(report: "FindingReport") -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, pad_edge=False)
    table.add_column("")
    for row in report.rows:
        table.add_column(row.stem if row.temperature_k is not None else row.path, overflow="fold")
    for name in report.names:
        found = [None if row.finding is None else row.finding.numbers.get(name) for row in report.rows]
        table.add_row(name, *(number_text(number) for number in found))
    qualities = (row.verdict.quality for row in report.rows)
    table.add_row("quality", *(Text(str(quality), style=QUALITY_COLOURS[quality]) for quality in qualities))
    return table


def _pairs(numbers: Iterable[tuple[str, Number]]) -> "Table":
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for name, number in numbers:
        table.add_row(name, number_text(number))
    return table
