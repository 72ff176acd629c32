"""Tables on disk: CSV or Parquet, the meaning of the columns and the structures beside it.

``NAME.csv`` or ``NAME.parquet`` holds the numbers, ``NAME.columns.json`` units, kinds, descriptions and provenance, and
``NAME.structures.json.gz`` the structures, where there are any. Parquet repeats the units in its own metadata, so that
a file that was moved alone still knows them.
"""

import csv
import gzip
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from mlip_sse.analysis.results import to_plain
from mlip_sse.dataset.whole_files import write_json_whole, written_whole
from mlip_sse.errors import FormatError, InputError, MissingExtraError
from mlip_sse.properties.censoring import parse_number
from mlip_sse.properties.table import IDENTITY, Column, PropertyTable
from mlip_sse.provenance import InputFile, Provenance

__all__ = ["read_table", "sidecar_of", "structures_of", "write_table"]

_FORMAT = "mlip-sse property table"
_FORMAT_VERSION = 1
_META = b"mlip_sse_columns"
_MAX_BYTES = 1 << 30


def sidecar_of(path: str | Path) -> Path:
    """Return where the meaning of the columns of a table lies."""
    return Path(path).with_suffix(".columns.json")


def structures_of(path: str | Path) -> Path:
    """Return where the structures of a table lie."""
    return Path(path).with_suffix(".structures.json.gz")


def write_table(table: PropertyTable, path: str | Path) -> list[Path]:
    """Write a table as its suffix says (``.csv`` or ``.parquet``); return the files.

    Raises
    ------
    InputError
        When the suffix is another one.
    """
    path = Path(path)
    header = _header(table)
    if path.suffix == ".csv":
        _write_csv(table, path)
    elif path.suffix == ".parquet":
        _write_parquet(table, path, header)
    else:
        raise InputError(f"{path}: found the suffix {path.suffix!r}, expected .csv or .parquet")
    write_json_whole(sidecar_of(path), header)
    written = [path, sidecar_of(path)]
    if table.structures is not None:
        written.append(_write_structures(table, structures_of(path)))
    return written


def read_table(path: str | Path) -> PropertyTable:
    """Read a table that `write_table` wrote.

    A CSV file without ``NAME.columns.json`` is read as it stands: a column in which every filled cell is a number, or a
    limit such as ``<1e-10``, becomes a number without unit, all others texts.

    Raises
    ------
    FormatError
        When the file is no table, or its sidecar is of another format.
    """
    path = Path(path)
    if not path.is_file():
        raise FormatError(f"{path}: found no such file, expected a table (.csv, .parquet)")
    size = path.stat().st_size
    if not 0 < size <= _MAX_BYTES:
        raise FormatError(f"{path}: found {size} bytes, expected a table; give the right file")
    if path.suffix == ".parquet":
        cells, header = _read_parquet(path)
    elif path.suffix in (".csv", ".txt", ".tsv"):
        cells, header = _read_csv(path), None
    else:
        raise FormatError(f"{path}: found the suffix {path.suffix!r}, expected .csv or .parquet")
    if sidecar_of(path).is_file():
        header = _checked(_json(sidecar_of(path)), sidecar_of(path))
    columns, values = _typed(path, cells, header)
    structures = _read_structures(structures_of(path)) if structures_of(path).is_file() else None
    provenance = Provenance(inputs=(InputFile.of(path),), operations=(f"read_table({path.name})",))
    return PropertyTable(columns, values, structures, provenance)


def _header(table: PropertyTable) -> dict[str, Any]:
    header: dict[str, Any] = to_plain(
        {
            "format": _FORMAT,
            "format_version": _FORMAT_VERSION,
            "columns": [asdict(column) for column in table.columns.values()],
            "provenance": table.provenance,
        }
    )
    return header


def _checked(header: Any, path: Path) -> dict[str, Any]:
    if not isinstance(header, Mapping) or header.get("format") != _FORMAT:
        raise FormatError(f"{path}: no description of a property table; write it with 'mlip-sse properties collect'")
    if header.get("format_version") != _FORMAT_VERSION:
        found = header.get("format_version")
        raise FormatError(
            f"{path}: found format version {found!r}, expected {_FORMAT_VERSION}; collect the table again"
        )
    rows = header.get("columns")
    names = {each.name for each in fields(Column)}
    if not isinstance(rows, list) or not all(
        isinstance(row, Mapping) and isinstance(row.get("name"), str) and set(row) <= names for row in rows
    ):
        raise FormatError(f"{path}: no description of columns in it; write it with 'mlip-sse properties collect'")
    return dict(header)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not JSON ({str(error)[:60]}); take it away, or collect the table again") from error


def _write_csv(table: PropertyTable, path: Path) -> None:
    with written_whole(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(table.columns)
        for row in range(table.n_rows):
            writer.writerow([_cell(table.values[name][row]) for name in table.columns])


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if np.isnan(value) else repr(float(value)).removesuffix(".0")


def _read_csv(path: Path) -> dict[str, list[str]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.reader(stream, delimiter="\t" if path.suffix == ".tsv" else ","))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path}: not a table of comma-separated text ({error})") from error
    if len(rows) < 2:
        raise FormatError(f"{path}: found {len(rows)} lines, expected a header and at least one row")
    header = [name.strip() for name in rows[0]]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise FormatError(f"{path}: the header names {twice[0]!r} twice, expected each column once")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) > len(header):
            raise FormatError(f"{path}: line {number} has {len(row)} cells, expected {len(header)}")
    filled = [[*row, *[""] * (len(header) - len(row))] for row in rows[1:] if any(cell.strip() for cell in row)]
    return {name: [row[at] for row in filled] for at, name in enumerate(header) if name}


def _typed(
    path: Path, cells: Mapping[str, Any], header: Mapping[str, Any] | None
) -> tuple[dict[str, Column], dict[str, Any]]:
    known = {row["name"]: Column(**row) for row in (header or {}).get("columns", [])}
    columns: dict[str, Column] = {}
    values: dict[str, Any] = {}
    for name, found in cells.items():
        numbers = None if name in IDENTITY and name not in known else _numbers(path, name, found, known.get(name))
        if numbers is None:
            columns[name], values[name] = known.get(name, Column(name, kind="text")), found
            continue
        columns[name], values[name] = known.get(name, Column(name)), numbers[0]
        if np.any(numbers[1]) and f"{name}_censored" not in cells:
            mark = f"{name}_censored"
            columns[mark], values[mark] = Column(mark, description="−1 below, +1 above the value"), numbers[1]
    return columns, values


def _numbers(path: Path, name: str, cells: Any, column: Column | None) -> tuple[list[float], list[float]] | None:
    if column is not None and column.kind == "text":
        return None
    parsed = []
    for row, cell in enumerate(cells):
        try:
            parsed.append(parse_number(cell, f"{path}: column {name!r}, row {row} (counted from 0)"))
        except FormatError:
            if column is None:
                return None
            raise
    return [value for value, _ in parsed], [float(sign) for _, sign in parsed]


def _write_parquet(table: PropertyTable, path: Path, header: Mapping[str, Any]) -> None:
    arrow, parquet = _arrow()
    made = arrow.table({name: arrow.array(list(values)) for name, values in table.values.items()})
    made = made.replace_schema_metadata({_META: json.dumps(header, ensure_ascii=False).encode()})
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    parquet.write_table(made, part)
    os.replace(part, path)


def _read_parquet(path: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    arrow, parquet = _arrow()
    try:
        made = parquet.read_table(path)
    except (arrow.ArrowInvalid, OSError) as error:
        raise FormatError(f"{path}: not a Parquet file ({str(error)[:80]})") from error
    meta = (made.schema.metadata or {}).get(_META)
    header = None if meta is None else _checked(json.loads(meta), path)
    return {name: made.column(name).to_pylist() for name in made.column_names}, header


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("a Parquet table", "properties") from error
    return pyarrow, pyarrow.parquet


def _write_structures(table: PropertyTable, path: Path) -> Path:
    plain = [None if structure is None else structure.as_dict() for structure in table.structure_list()]
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    with gzip.open(part, "wt", encoding="utf-8") as stream:
        json.dump(plain, stream)
    os.replace(part, path)
    return path


def _read_structures(path: Path) -> tuple[Any, ...]:
    from pymatgen.core import Structure

    try:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            plain = json.load(stream)
        return tuple(None if each is None else Structure.from_dict(each) for each in plain)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path}: not the structures of a table ({error})") from error
