"""The files of a report about mechanism or structure, each put in place by one rename."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.analysis.findings import Finding
from mlip_sse.analysis.report_files import made_folder, put_in_place, write_figure, write_text
from mlip_sse.analysis.results import Interval, to_json, to_plain

if TYPE_CHECKING:
    from mlip_sse.analysis.finding_report import FindingReport

__all__ = ["csv_of_numbers", "csv_of_rows", "named_findings", "write_findings"]


def write_findings(report: "FindingReport", folder: str | Path) -> list[Path]:
    """Write everything into a folder, replacing what an earlier call left there.

    With ``<recipe>`` the kind of the recipe and ``<T>K`` the temperature: ``<recipe>.json`` (numbers, details, tables,
    settings, provenance), ``<recipe>.csv`` (one line a trajectory), ``<recipe>_<T>K.png`` and ``.svg``,
    ``<recipe>_<T>K_<table>.csv``, ``<recipe>_<T>K.npz`` (arrays), the same with ``temperatures`` in place of ``<T>K``
    for what all temperatures say together, and ``<recipe>.html``.

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
    from mlip_sse.analysis.finding_page import page_html

    folder = made_folder(folder)
    written = [
        write_text(folder / f"{report.kind}.json", to_json(report.details()) + "\n"),
        write_text(folder / f"{report.kind}.csv", csv_of_numbers(report)),
    ]
    for name, finding in named_findings(report).items():
        written += _write_one(folder, f"{report.kind}_{name}", finding)
    return [*written, write_text(folder / f"{report.kind}.html", page_html(report))]


def named_findings(report: "FindingReport") -> dict[str, Finding]:
    """Name what was found by temperature, replicas numbered in their order; ``temperatures`` for all together."""
    names: dict[str, Finding] = {}
    seen: dict[str, int] = {}
    for row in report.rows:
        if row.finding is None:
            continue
        seen[row.stem] = seen.get(row.stem, 0) + 1
        names[row.stem if seen[row.stem] == 1 else f"{row.stem}_{seen[row.stem]}"] = row.finding
    if report.together is not None:
        names["temperatures"] = report.together
    return names


def _write_one(folder: Path, stem: str, finding: Finding) -> list[Path]:
    written = []
    for name, rows in finding.tables.items():
        if rows:
            written.append(write_text(folder / f"{stem}_{_safe(name)}.csv", csv_of_rows(rows)))
    if finding.arrays:
        arrays = dict(finding.arrays)

        def save(temporary: Path) -> None:
            with temporary.open("wb") as stream:
                np.savez_compressed(stream, allow_pickle=False, **arrays)

        written.append(put_in_place(folder / f"{stem}.npz", save))
    if finding.plot is not None:
        written += write_figure(folder / stem, finding.plot())
    return written


def _safe(name: str) -> str:
    """Return a name as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", name).strip("._") or "table"


def csv_of_numbers(report: "FindingReport") -> str:
    """Return one line a trajectory: each number with the bounds of its interval, quality and reasons."""
    rows = []
    for row, plain in zip(report.rows, report.to_dict()["trajectories"], strict=True):
        flat = {"path": row.path, "temperature_k": row.temperature_k, "mobile": row.mobile}
        flat |= {name: plain[name] for name in report.names}
        rows.append({**_flat(flat), "quality": plain["quality"], "reasons": "; ".join(plain["reasons"])})
    return csv_of_rows(rows)


def csv_of_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV; an interval takes three columns, a missing number stays empty."""
    flat = [_flat(row) for row in rows]
    head = list(dict.fromkeys(key for row in flat for key in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, head, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return stream.getvalue()


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, thing in row.items():
        value = to_plain(thing)
        if isinstance(thing, Interval) or (isinstance(value, Mapping) and {"value", "low", "high"} <= set(value)):
            flat |= {key: value["value"], f"{key}_low": value["low"], f"{key}_high": value["high"]}
        else:
            flat[key] = value
    return flat
