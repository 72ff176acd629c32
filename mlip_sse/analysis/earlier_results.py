"""Numbers of earlier analyses: the JSON that `analyze transport` wrote, and tables of D(T) that others printed."""

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scipy.optimize import brentq

from mlip_sse.analysis.measurement import SUMMARY_NAMES, Measurement
from mlip_sse.analysis.results import Estimate, Interval, Quality, Verdict
from mlip_sse.errors import FormatError

__all__ = ["EARLIER_SUFFIXES", "estimate_of_interval", "read_earlier"]

_COLUMNS = {
    "temperature_k": ("t", "temperature", "temperature_k", "t (k)", "t(k)"),
    "value": ("d", "diffusivity", "diffusivity_cm2_s", "tracer_diffusivity_cm2_s", "d (cm2/s)", "d(cm2/s)"),
    "error": ("d_error", "error", "diffusivity_error_cm2_s", "tracer_diffusivity_error_cm2_s", "std", "sigma_d"),
}
_QUALITY = "quality"
_MAX_BYTES = 64 << 20
_LARGEST_RELATIVE_VARIANCE = 4.0


def read_earlier(path: str | Path, confidence: float) -> list[Measurement]:
    """Read the rows of an earlier result (.json) or of a table (.csv).

    Parameters
    ----------
    path
        JSON as `mlip-sse analyze transport` prints or writes it; or comma-separated values with a header that names
        temperature (K), diffusivity (cm²/s) and, if known, its standard error: ``T,D,D_error``.
    confidence
        Of the intervals made of a table.

    Raises
    ------
    FormatError
        When the file is neither; the message says what is missing and in which row.
    """
    path = Path(path)
    size = path.stat().st_size
    if not 0 < size <= _MAX_BYTES:
        raise FormatError(f"{path}: found {size} bytes, expected a file of results; give the right file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: found bytes that are not text, expected JSON or a table") from error
    return EARLIER_SUFFIXES[path.suffix.lower()](path, text, confidence)


def estimate_of_interval(interval: Interval) -> Estimate:
    """Return the estimate whose interval has the same value and the same ratio of high to low.

    The degrees of freedom are not printed; they are taken as known, so that what they widen counts as variance.
    """
    if interval.value is None or not 0 < interval.low <= interval.value <= interval.high < math.inf:
        raise FormatError(f"found the interval {interval}, expected 0 < low ≤ value ≤ high")
    wanted = math.log(interval.high / interval.low)

    def excess(relative_variance: float) -> float:
        made = Estimate(1.0, relative_variance).interval(interval.confidence)
        return math.log(made.high / made.low) - wanted

    if wanted < 1e-5:
        return Estimate(interval.value, 0.0, method=interval.method)
    if excess(_LARGEST_RELATIVE_VARIANCE) < 0:
        raise FormatError(f"found an interval from {interval.low:g} to {interval.high:g}: too wide to be fitted")
    variance = float(brentq(excess, 1e-12, _LARGEST_RELATIVE_VARIANCE))
    return Estimate(interval.value, variance, method=interval.method)


def _read_json(path: Path, text: str, confidence: float) -> list[Measurement]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"{path}: not JSON ({error}); give what 'mlip-sse analyze transport --json' printed"
        ) from error
    rows = found.get("trajectories") if isinstance(found, Mapping) else None
    if not isinstance(rows, list) or not rows:
        raise FormatError(f"{path}: no 'trajectories' in it; give what 'mlip-sse analyze transport --json' printed")
    measurements = []
    for number, row in enumerate(rows):
        try:
            measurements.append(_measurement(row))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = str(error) if isinstance(error, FormatError) else f"{type(error).__name__}: {error}"
            raise FormatError(f"{path}: trajectory {number} (counted from 0) cannot be used: {what}") from error
    return measurements


def _measurement(row: Mapping[str, Any]) -> Measurement:
    intervals = {name: _interval(row[name]) for name in SUMMARY_NAMES if name.endswith(("_s", "_ratio", "_cm"))}
    verdict = Verdict(Quality(row["quality"]), tuple(str(reason) for reason in row["reasons"]))
    kelvin = None if row["temperature_k"] is None else float(row["temperature_k"])
    if kelvin is not None and not (kelvin > 0 and math.isfinite(kelvin)):
        raise FormatError(f"found temperature_k {kelvin!r}, expected it positive")
    estimates = row.get("estimates", {})
    refused = verdict.quality is Quality.REFUSED
    return Measurement(
        path=str(row["path"]),
        temperature_k=kelvin,
        mobile=row["mobile"],
        intervals=intervals,
        verdict=verdict,
        diffusivity=None if refused else _estimate(estimates, intervals, "tracer_diffusivity_cm2_s"),
        conductivity=None if refused else _estimate(estimates, intervals, "conductivity_ms_cm"),
        tracer_quality=Quality(row.get("tracer_quality", verdict.quality)),
        duration_fs=None if row.get("duration_fs") is None else float(row["duration_fs"]),
    )


def _interval(plain: Mapping[str, Any] | None) -> Interval | None:
    if plain is None:
        return None
    value = None if plain["value"] is None else float(plain["value"])
    low, high = (float(bound) if (bound := plain[end]) is not None else math.inf for end in ("low", "high"))
    return Interval(value, low, high, float(plain["confidence"]), str(plain["method"]))


def _estimate(estimates: Mapping[str, Any], intervals: Mapping[str, Interval | None], name: str) -> Estimate | None:
    plain = estimates.get(name)
    if plain is not None:
        dof = math.inf if plain["dof"] is None else float(plain["dof"])
        return Estimate(float(plain["value"]), float(plain["relative_variance"]), dof, str(plain["method"]))
    interval = intervals[name]
    return None if interval is None or interval.value is None else estimate_of_interval(interval)


def _read_csv(path: Path, text: str, confidence: float) -> list[Measurement]:
    table = [row for row in csv.reader(text.splitlines()) if row and not row[0].lstrip().startswith("#")]
    columns = _columns(path, table[0] if table else [])
    measurements = []
    for number, cells in enumerate(table[1:], start=1):
        row = {name: cells[at].strip() if at < len(cells) else "" for name, at in columns.items()}
        if row.get(_QUALITY) == Quality.REFUSED:
            kelvin = _number(path, number, "temperature_k", row) if row["temperature_k"] else None
            measurements.append(
                Measurement.of_failure(str(path), kelvin, None, f"row {number} is refused in the table")
            )
            continue
        values = [_number(path, number, name, row) for name in ("temperature_k", "value")]
        error = _number(path, number, "error", row) if row.get("error") else None
        measurements.append(Measurement.of_printed(str(path), values[0], values[1], error, confidence))
    if not measurements:
        raise FormatError(f"{path}: no row under the header; expected one for each temperature")
    return measurements


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    names = [name.strip().lower() for name in header]
    columns = {key: at for key, known in _COLUMNS.items() for at, name in enumerate(names) if name in known}
    if _QUALITY in names:
        columns[_QUALITY] = names.index(_QUALITY)
    if not {"temperature_k", "value"} <= columns.keys():
        raise FormatError(
            f"{path}: the header is {','.join(header)[:60]!r}, expected columns T (K) and D (cm²/s), and D_error where "
            f"known, as in 'T,D,D_error'"
        )
    return columns


def _number(path: Path, number: int, name: str, row: Mapping[str, str]) -> float:
    try:
        value = float(row[name])
    except ValueError:
        value = math.nan
    if not (value > 0 and math.isfinite(value)):
        title = {"temperature_k": "the temperature", "value": "D", "error": "D_error"}[name]
        raise FormatError(f"{path}: row {number}: {title} is {row[name]!r}, expected a positive number")
    return value


EARLIER_SUFFIXES = {".json": _read_json, ".csv": _read_csv}
"""The readers by suffix; a file of another suffix is taken for a trajectory."""
