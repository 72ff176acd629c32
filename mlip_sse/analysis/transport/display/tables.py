"""Results in words and columns: what the terminal shows and what the CSV file holds."""

import csv
import io
import math
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlip_sse.analysis.results import Interval, Quality

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from mlip_sse.analysis.analysis_report import AnalysisReport
    from mlip_sse.analysis.measurement import Measurement

__all__ = [
    "QUALITY_COLOURS",
    "WIDE_COLUMNS",
    "arrhenius_line",
    "csv_text",
    "interval_text",
    "listed",
    "report_renderables",
]

WIDE_COLUMNS = 110
"""From this width on, value and interval share a line."""

QUALITY_COLOURS = {Quality.PASS: "green", Quality.WEAK: "yellow", Quality.REFUSED: "red"}
_COLUMNS = (
    ("D* (cm²/s)", "tracer_diffusivity_cm2_s"),
    ("σ (mS/cm)", "conductivity_ms_cm"),
    ("Haven ratio", "haven_ratio"),
)
_CSV_NUMBERS = (
    "tracer_diffusivity_cm2_s",
    "charge_diffusivity_cm2_s",
    "haven_ratio",
    "conductivity_ms_cm",
    "nernst_einstein_conductivity_ms_cm",
)
_UNITS = ("_cm2_s", "_ms_cm")
_WIDE = 30.0


def interval_text(interval: Interval | None, separator: str = " ") -> str:
    """Write an interval as ``1.44e-05 (1.25–1.68)``, a limit as ``< 1.2e-08`` or ``> 91`` and nothing as a dash.

    Parameters
    ----------
    interval
        In the unit of its column.
    separator
        Between value and bounds; a line break for narrow columns.
    """
    if interval is None:
        return "–"
    if interval.value is None:
        if math.isfinite(interval.high):
            return f"< {_plain(interval.high)}"
        return f"> {_plain(interval.low)}" if math.isfinite(interval.low) and interval.low > 0 else "not resolved"
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return _plain(interval.value)
    numbers = (interval.value, interval.low, interval.high)
    widest = max(abs(number) for number in numbers)
    is_all_but_zero = 0.0 < _WIDE * abs(interval.value) < widest and 0.01 <= widest < 10000
    leading = widest if is_all_but_zero and interval.low < 0 else interval.value
    exponent = _exponent(leading)
    suffix = "" if exponent is None else f"e{exponent:+03d}"
    decimals = _decimals(leading) if exponent is None else 2
    value, low, high = (_rounded(number / 10.0 ** (exponent or 0), decimals) for number in numbers)
    dash = " to " if interval.low < 0 else "–"
    return f"{value}{suffix}{separator}({low}{dash}{high})"


def _exponent(value: float) -> int | None:
    """Return the power of ten that a number is written with; None for one that reads well without."""
    if value == 0 or 0.01 <= abs(value) < 10000:
        return None
    return math.floor(math.log10(abs(float(f"{value:.2e}"))))


def _decimals(value: float) -> int:
    """Return how many decimals show three digits of a value, which its bounds then share."""
    return 2 if value == 0 else max(0, 2 - math.floor(math.log10(abs(float(f"{value:.2e}")))))


def _rounded(number: float, decimals: int) -> str:
    """Write a number with some decimals, or with two digits where they would not show it or be too long."""
    if number != 0 and not 0.5 * 10.0**-decimals <= abs(number) < 1e5:
        return f"{number:.1e}"
    return f"{number:.{decimals}f}" if abs(number) < 1000 else f"{number:.0f}"


def _plain(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:.2e}" if _exponent(value) is not None else _rounded(value, _decimals(value))


def report_renderables(report: "AnalysisReport", width: int) -> "list[RenderableType]":
    """Return what the terminal shows: the table, the Arrhenius line, the reasons and what to run next.

    Parameters
    ----------
    report
        Of `mlip_sse.analysis.analyze.analyze`.
    width
        Columns of the terminal.
    """
    from rich.text import Text

    shown: list[RenderableType] = [_table(report, width)]
    confidence = f"{100 * report.recipe.confidence:g} % intervals in brackets"
    shown.append(Text(f"{confidence}; {_charges(report)}" if _charges(report) else confidence, style="dim"))
    shown.append(Text(""))
    shown.append(arrhenius_line(report))
    if report.series.verdict.reasons:
        shown.append(listed(report.series.verdict.reasons))
    for row in report.measurements:
        for line in _clusters(row):
            shown.append(Text(line))
    for row in report.measurements:
        if row.verdict.reasons:
            quality = row.verdict.quality
            shown.append(Text(f"{row.label}: ").append(str(quality), style=QUALITY_COLOURS[quality]))
            shown.append(listed(row.verdict.reasons))
    shown += [Text(f"next: {plan}", style="cyan") for plan in report.series.plans]
    return shown


def listed(reasons: Iterable[str]) -> "Table":
    """Return reasons with a hanging indent."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    table.add_column(width=3, justify="right", no_wrap=True)
    table.add_column()
    for reason in reasons:
        table.add_row("-", Text(reason))
    return table


def arrhenius_line(report: "AnalysisReport") -> "Text":
    """Return the activation energy and the 300 K values on one line, or why there are none."""
    from rich.text import Text

    fitted, verdict = report.series.arrhenius, report.series.verdict
    if fitted is None:
        return Text(report.series.absent, style="dim")
    parts = [
        f"{name} = {interval_text(interval)}{unit}"
        for name, interval, unit in (
            ("Ea", fitted.activation_energy_ev, " eV"),
            ("D*(300 K)", fitted.diffusivity_300k_cm2_s, " cm²/s"),
            ("σ(300 K)", fitted.conductivity_300k_ms_cm, " mS/cm"),
        )
        if interval is not None
    ]
    line = Text(", ".join(parts) or "no Arrhenius line", style="bold")
    return line.append(": ").append(str(verdict.quality), style=QUALITY_COLOURS[verdict.quality])


def _table(report: "AnalysisReport", width: int) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    wide = width >= WIDE_COLUMNS
    separator = " " if wide else "\n"
    several = next((row.mobile.split(",")[0] for row in report.measurements if row.mobile and "," in row.mobile), None)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, pad_edge=False)
    table.add_column("trajectory", overflow="ellipsis", no_wrap=True, max_width=max(12, width - (96 if wide else 68)))
    table.add_column("T (K)", justify="right", no_wrap=True)
    for title, _ in _COLUMNS:
        table.add_column(
            title if several is None else title.replace("D*", f"D*({several})"),
            justify="left" if wide else "center",
            no_wrap=True,
        )
    table.add_column("quality", no_wrap=True)
    for name, row in zip(_short_names([row.path for row in report.measurements]), report.measurements, strict=True):
        kelvin = "?" if row.temperature_k is None else f"{row.temperature_k:g}"
        numbers = [interval_text(row.interval(key), separator) for _, key in _COLUMNS]
        quality = Text(str(row.verdict.quality), style=QUALITY_COLOURS[row.verdict.quality])
        table.add_row(name, kelvin, *numbers, quality)
    for pooled in report.series.pooled:
        numbers = [
            interval_text(one, separator) for one in (pooled.tracer_diffusivity_cm2_s, pooled.conductivity_ms_cm)
        ]
        table.add_row(f"{pooled.n_runs} runs pooled", f"{pooled.temperature_k:g}", *numbers, "", "", style="italic")
    return table


def _short_names(paths: list[str]) -> list[str]:
    """Return what tells the paths apart: their ends, without the folders that all of them share."""
    folders = [os.path.dirname(path) for path in paths]
    shared = os.path.commonpath(folders) if len({os.path.isabs(path) for path in paths}) == 1 else ""
    return [os.path.relpath(path, shared) if shared else path for path in paths]


def _charges(report: "AnalysisReport") -> str:
    results = [row.result for row in report.measurements if row.result is not None]
    if not results:
        return ""
    result = results[0]
    mobile = ", ".join(
        f"{part.name} {result.charges.by_species[part.name]:+g} ({result.charges.sources[part.name]})"
        for part in result.species
    )
    return f"charges {mobile}; seen from {result.reference.replace(':', ' ')}"


def _clusters(row: "Measurement") -> Iterable[str]:
    found = row.clusters
    if found is None:
        return
    if found.conductivity_ms_cm is None:
        yield f"clusters at {row.label}: {found.verdict.quality}, {'; '.join(found.verdict.reasons)}"
        return
    yield (
        f"clusters at {row.label}: σ = {interval_text(found.conductivity_ms_cm)} mS/cm, t+ = "
        f"{interval_text(found.cation_transference_number)}, {found.verdict.quality}"
    )


def csv_text(report: "AnalysisReport") -> str:
    """Return one line a row: every number with its bounds, the standard error of D, and the verdict."""
    names = ["path", "temperature_k", "mobile"]
    for name in _CSV_NUMBERS:
        names += [name, _bound_name(name, "low"), _bound_name(name, "high")]
    names += ["tracer_diffusivity_error_cm2_s", "quality", "reasons"]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    for row in report.measurements:
        numbers: list[float | None] = []
        for name in _CSV_NUMBERS:
            interval = row.interval(name)
            bounds = [None] * 3 if interval is None else [interval.value, interval.low, interval.high]
            numbers += [None if bound is None or not math.isfinite(bound) else bound for bound in bounds]
        spread = row.diffusivity
        error = None if spread is None else spread.value * math.sqrt(spread.relative_variance)
        verdict = row.verdict
        writer.writerow(
            [row.path, row.temperature_k, row.mobile, *numbers, error, verdict.quality, "; ".join(verdict.reasons)]
        )
    return stream.getvalue()


def _bound_name(name: str, bound: str) -> str:
    """Put ``low`` or ``high`` before the unit: ``conductivity_low_ms_cm``."""
    for unit in _UNITS:
        if name.endswith(unit):
            return f"{name.removesuffix(unit)}_{bound}{unit}"
    return f"{name}_{bound}"
