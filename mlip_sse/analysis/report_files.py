"""The files of a report: JSON, CSV, figures and the interactive page, each put in place by one rename."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mlip_sse.analysis.results import to_json
from mlip_sse.analysis.transport.display.tables import csv_text
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlip_sse.analysis.analysis_report import AnalysisReport
    from mlip_sse.analysis.measurement import Measurement

__all__ = ["made_folder", "put_in_place", "write_figure", "write_report", "write_text"]

_FIGURE_SUFFIXES = (".png", ".svg")
_DPI = 200


def write_report(report: "AnalysisReport", folder: str | Path) -> list[Path]:
    """Write everything into a folder, replacing what an earlier call left there.

    ``transport.json`` (all numbers, settings, provenance), ``transport.csv`` (one line a row), ``msd_<T>K.png`` and
    ``.svg`` for each trajectory, ``arrhenius.png`` and ``.svg`` where a line was fitted, ``transport.html``.

    Parameters
    ----------
    report
        Of `mlip_sse.analysis.analyze.analyze`.
    folder
        Made where it does not exist.

    Returns
    -------
    The paths written.

    Raises
    ------
    InputError
        When ``folder`` is a file.
    """
    from mlip_sse.analysis.transport.display.interactive_plots import page_html
    from mlip_sse.analysis.transport.display.plots import plot_arrhenius, plot_transport

    folder = made_folder(folder)
    written = [
        write_text(folder / "transport.json", to_json(report.details()) + "\n"),
        write_text(folder / "transport.csv", csv_text(report)),
    ]
    for name, row in _figure_names(report).items():
        if row.result is not None:
            written += write_figure(folder / name, plot_transport(row.result))
    if report.series.arrhenius is not None:
        written += write_figure(
            folder / "arrhenius", plot_arrhenius(report.series.arrhenius, report.detection_limits())
        )
    return [*written, write_text(folder / "transport.html", page_html(report))]


def made_folder(folder: str | Path) -> Path:
    """Return a folder to write to, made where it does not exist.

    Raises
    ------
    InputError
        When it is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, expected a folder to write to: name another")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _figure_names(report: "AnalysisReport") -> "dict[str, Measurement]":
    """Name the figures by temperature; replicas are numbered in their order."""
    names: dict[str, Measurement] = {}
    for row in report.measurements:
        if row.result is None:
            continue
        stem = "msd" if row.temperature_k is None else f"msd_{row.temperature_k:g}K"
        number = 1 + sum(name == stem or name.startswith(f"{stem}_") for name in names)
        names[stem if number == 1 else f"{stem}_{number}"] = row
    return names


def write_text(path: Path, text: str) -> Path:
    """Write a file by one rename."""
    return put_in_place(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_figure(stem: Path, figure: "Figure") -> list[Path]:
    """Write a figure as PNG and SVG, each by one rename."""
    import matplotlib as mpl

    from mlip_sse.analysis.transport.display.plots import SAVE_SETTINGS

    paths = []
    for suffix in _FIGURE_SUFFIXES:
        metadata = {"Date": None} if suffix == ".svg" else None

        def save(temporary: Path, kind: str = suffix[1:], metadata: dict[str, None] | None = metadata) -> None:
            figure.savefig(temporary, format=kind, dpi=_DPI, metadata=metadata)

        with mpl.rc_context(SAVE_SETTINGS):
            paths.append(put_in_place(stem.with_name(stem.name + suffix), save))
    return paths


def put_in_place(path: Path, write: Callable[[Path], object]) -> Path:
    """Let ``write`` fill a temporary file beside ``path``, then rename it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
