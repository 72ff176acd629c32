"""The table of what was simulated: rows of any number of campaign and analysis folders.

Every result of this program names its unit in its name, so that one rule reads them all: a number, or an interval
``{value, low, high}``, becomes a column of the name it has, with ``_low`` and ``_high`` beside it. Rows of
``trajectories`` (one a temperature) and of ``hops`` (one a hop) become rows of their own; what stands beside them is
one more row. What was refused stays out.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlip_sse.errors import FormatError, InputError
from mlip_sse.properties.composition import parse_composition
from mlip_sse.properties.table import COMPOSITION, MATERIAL_ID, Column, PropertyTable
from mlip_sse.provenance import InputFile, Provenance
from mlip_sse.specs import read_yaml

__all__ = ["UNITS", "collect", "unit_of"]

UNITS = (
    ("_ms_cm", "mS/cm"),
    ("_s_cm", "S/cm"),
    ("_cm2_s", "cm²/s"),
    ("_mev_atom", "meV/atom"),
    ("_ev_atom", "eV/atom"),
    ("_j_m2", "J/m²"),
    ("_ev_a", "eV/Å"),
    ("_ev", "eV"),
    ("_gpa", "GPa"),
    ("_per_k", "1/K"),
    ("_1_k", "1/K"),
    ("_k", "K"),
    ("_a", "Å"),
    ("_fs", "fs"),
    ("_ps", "ps"),
    ("_ns", "ns"),
    ("_thz", "THz"),
    ("_per_ns", "1/ns"),
    ("_v", "V"),
)
"""Endings of names and the units that they stand for; the longest wins."""

_ROWS = ("trajectories", "hops")
_SKIPPED = {
    "provenance",
    "settings",
    "estimates",
    "reasons",
    "labels",
    "speed",
    "errors_apart",
    "teacher_check",
    "result",
}
_MAX_DEPTH = 3
_MAX_BYTES = 256 << 20


def unit_of(name: str) -> str:
    """Return the unit that a name says, "" where it says none."""
    endings = sorted(UNITS, key=lambda pair: -len(pair[0]))
    return next((unit for ending, unit in endings if name.endswith(ending)), "")


def collect(folders: Sequence[str | Path], compositions: Mapping[str, str] | None = None) -> PropertyTable:
    """Return the table of some folders.

    Parameters
    ----------
    folders
        Each a campaign (``answer.json``) or what an analysis wrote (``*.json``).
    compositions
        Formula by folder as given; of the others a ``composition`` in the results, or the structure of the campaign's
        spec, says it.

    Raises
    ------
    InputError
        When a folder holds no results, or nobody says which material it is.
    """
    given = {str(Path(folder)): formula for folder, formula in (compositions or {}).items()}
    rows: list[dict[str, Any]] = []
    inputs: list[InputFile] = []
    for folder in (Path(each) for each in folders):
        files = _result_files(folder)
        formula = given.get(str(folder)) or _composition(folder, files)
        for path, document in files:
            found = [row for row in _rows_of(document) if row]
            inputs += [InputFile.of(path)] if found else []
            rows += [{COMPOSITION: formula, MATERIAL_ID: folder.name, "source": str(path), **row} for row in found]
    if not rows:
        raise InputError(f"found no numbers in {len(folders)} folders, expected results that were not refused")
    return _table(rows, Provenance(inputs=tuple(inputs), operations=(f"collect({len(folders)} folders)",)))


def _result_files(folder: Path) -> list[tuple[Path, Mapping[str, Any]]]:
    if not folder.is_dir():
        raise InputError(f"{folder}: found no folder, expected that of a campaign or of an analysis")
    answer = folder / "answer.json"
    paths = [answer] if answer.is_file() else sorted(folder.glob("*.json"))
    found = []
    for path in paths:
        if path.name.startswith(".") or path.stat().st_size > _MAX_BYTES:
            continue
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, UnicodeDecodeError, RecursionError) as error:
            raise FormatError(f"{path}: not JSON ({str(error)[:60]}); take it out of the folder") from error
        if isinstance(document, Mapping):
            found.append((path, document))
    if not found:
        raise InputError(f"{folder}: found no results (*.json), expected a campaign or what 'analyze --out' wrote")
    return found


def _composition(folder: Path, files: Sequence[tuple[Path, Mapping[str, Any]]]) -> str:
    for _, document in files:
        formula = document.get("composition") or document.get("formula")
        if isinstance(formula, str):
            parse_composition(formula)
            return formula
    structure = _structure_of_spec(folder / "spec.yaml")
    if structure is not None:
        from pymatgen.core import Structure

        return str(Structure.from_file(structure).composition.reduced_formula)
    raise InputError(f"{folder}: nothing says which material it is; give it as FORMULA={folder}")


def _structure_of_spec(spec: Path) -> Path | None:
    if not spec.is_file():
        return None
    plain = read_yaml(spec)
    section = plain.get("structure") if isinstance(plain, Mapping) else None
    name = section.get("file") if isinstance(section, Mapping) else None
    found = [path for path in (spec.parent / str(name), Path(str(name))) if name and path.is_file()]
    return found[0] if found else None


def _rows_of(document: Mapping[str, Any]) -> Iterator[dict[str, float]]:
    for key in _ROWS:
        for row in document.get(key) or ():
            if isinstance(row, Mapping) and row.get("quality") != "refused":
                yield dict(_numbers(row))
    if document.get("quality") != "refused":
        yield dict(_numbers({key: value for key, value in document.items() if key not in _ROWS}))


def _numbers(section: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, float]]:
    """Yield names and numbers of a section; an interval is three of them, a section's name goes before its own."""
    for key, value in section.items():
        name = f"{prefix}{key}"
        if key in (*_SKIPPED, "result") or isinstance(value, bool):
            continue
        if isinstance(value, int | float):
            yield name, float(value)
        elif isinstance(value, Mapping) and {"value", "low", "high"} <= set(value):
            for end, mark in (("value", ""), ("low", "_low"), ("high", "_high")):
                yield name + mark, math.nan if value[end] is None else float(value[end])
        elif isinstance(value, Mapping) and depth < _MAX_DEPTH and value.get("quality") != "refused":
            yield from _numbers(value, "" if key == "arrhenius" else f"{name}_", depth + 1)


def _table(rows: Sequence[Mapping[str, Any]], provenance: Provenance) -> PropertyTable:
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns, values = {}, {}
    for name in names:
        is_text = name in (COMPOSITION, MATERIAL_ID, "source")
        base = name.removesuffix("_low").removesuffix("_high")
        columns[name] = Column(name, "" if is_text else unit_of(base), "text" if is_text else "number", "", "collect")
        values[name] = np.array([row.get(name, "" if is_text else np.nan) for row in rows], dtype=object)
    return PropertyTable(columns, values, None, provenance)
