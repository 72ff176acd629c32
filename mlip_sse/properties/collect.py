"""The table of what was simulated: rows of any number of campaign, analysis, simulation and reaction folders.

One row a material, or a material at a temperature: what several analyses of one folder say of one trajectory, or of
one material at one temperature, stands in one row. `mlip_sse.properties.result_rows` says how a result is read,
`mlip_sse.properties.result_materials` which material it is of.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.errors import FormatError, InputError
from mlip_sse.properties.composition import parse_composition
from mlip_sse.properties.result_materials import Material, material_of_file, material_of_row
from mlip_sse.properties.result_rows import ResultRow, rows_of, unit_of
from mlip_sse.properties.table import COMPOSITION, MATERIAL_ID, Column, PropertyTable
from mlip_sse.provenance import InputFile, Provenance

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["collect", "unit_of"]

_ANSWER, _CAMPAIGN = "answer.json", "campaign.json"
_PARTNER, _SOURCE = "partner", "source"
_TEXTS = (COMPOSITION, MATERIAL_ID, _PARTNER, "mobile", "protocol", "mechanism", "quality", "potential", _SOURCE)
_MAX_BYTES = 256 << 20


@dataclass
class _Row:
    """A row on its way to the table."""

    formula: str
    partner: str
    folder: str
    path: str
    numbers: dict[str, float]
    texts: dict[str, str]
    structure: "Structure | None"
    sources: list[str] = field(default_factory=list)

    def key(self) -> tuple[Any, ...]:
        """Return what rows of one folder must share to be one row."""
        return (self.folder, self.formula, self.partner, self.numbers.get("temperature_k"), self.path)


def collect(
    folders: Sequence[str | Path],
    compositions: Mapping[str, str] | None = None,
    say: Callable[[str], None] | None = None,
) -> PropertyTable:
    """Return the table of some folders.

    Parameters
    ----------
    folders
        Each a campaign (``answer.json``), what an analysis, a protocol or a reaction wrote (``*.json``), or one such
        file.
    compositions
        Formula by folder as given; of the others the results say it, or the structure that their settings name.
    say
        Called with a line for each result that was refused, or is none of this program.

    Raises
    ------
    InputError
        When a folder holds no results, or nobody says which material it is.
    """
    tell = say or (lambda _: None)
    given = {str(Path(folder)): formula for folder, formula in (compositions or {}).items()}
    for formula in given.values():
        parse_composition(formula)
    rows: list[_Row] = []
    inputs: list[InputFile] = []
    descriptions: dict[str, str] = {}
    for folder in (Path(each) for each in folders):
        found: list[_Row] = []
        for path, document in _result_files(folder, tell):
            read = _rows_of_file(folder, path, document, given.get(str(folder), ""), tell)
            inputs += [InputFile.of(path)] if read else []
            found = _merged(found, read)
            columns = document.get("columns")
            descriptions |= columns if isinstance(columns, Mapping) else {}
        rows += found
    if not rows:
        raise InputError(
            f"found no numbers in {len(folders)} folders, expected results of a material that were not refused; of "
            f"a trajectory alone, collect what 'analyze --out' wrote"
        )
    provenance = Provenance(inputs=tuple(inputs), operations=(f"collect({len(folders)} folders)",))
    return _table(rows, descriptions, provenance)


def _result_files(folder: Path, tell: Callable[[str], None]) -> list[tuple[Path, Mapping[str, Any]]]:
    if folder.is_file() and folder.suffix == ".json":
        paths = [folder]
    elif not folder.is_dir():
        raise InputError(f"{folder}: found no folder, expected that of a campaign or of an analysis")
    elif (folder / _ANSWER).is_file():
        paths = [folder / _ANSWER]
    elif (folder / _CAMPAIGN).is_file():
        raise InputError(f"{folder}: found a campaign without an answer, expected {_ANSWER}: let it run to its end")
    else:
        paths = sorted(folder.glob("*.json"), key=lambda path: (path.stem != "transport", path.name))
    found = []
    for path in paths:
        if path.name.startswith(".") or path.name.endswith(".columns.json") or path.stat().st_size > _MAX_BYTES:
            continue
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, UnicodeDecodeError, RecursionError) as error:
            raise FormatError(f"{path}: not JSON ({str(error)[:60]}); take it out of the folder") from error
        if isinstance(document, Mapping) and ("provenance" in document or "trajectories" in document):
            found.append((path, document))
        elif isinstance(document, Mapping):
            tell(f"{path}: no result of mlip-sse")
    if not found:
        raise InputError(
            f"{folder}: found no results (*.json), expected a campaign, or what 'analyze --out', 'simulate' or "
            f"'react --out' wrote"
        )
    return found


def _rows_of_file(
    folder: Path, path: Path, document: Mapping[str, Any], given: str, tell: Callable[[str], None]
) -> list[_Row]:
    read, refused = rows_of(document)
    if not read and not refused:
        tell(f"{path}: no property of a material in it; of a trajectory, collect what 'analyze --out' wrote")
    for line in refused:
        tell(f"{path}: {line}")
    place = path.parent
    whole = Material(given) if given else material_of_file(document, place)
    made = [_row(folder, path, each, whole, given) for each in read]
    formulas = {each.formula for each in made if each.formula}
    only = formulas.pop() if len(formulas) == 1 else ""  # the row of all temperatures is of the trajectories' material
    made = [each if each.formula else replace(each, formula=only) for each in made]
    if any(not each.formula for each in made):
        raise InputError(f"{folder}: nothing says which material it is; give it as FORMULA={folder}")
    return made


def _row(folder: Path, path: Path, row: ResultRow, whole: Material, given: str) -> _Row:
    own = Material() if given else material_of_row(row.whole)
    material = own if own.formula else whole
    at = row.whole.get("path")
    return _Row(
        formula=material.formula,
        partner=material.partner,
        folder=folder.name if folder.is_dir() else folder.stem,
        path=at if isinstance(at, str) else "",
        numbers=dict(row.numbers),
        texts=dict(row.texts),
        structure=material.structure,
        sources=[str(path)],
    )


def _merged(rows: list[_Row], more: list[_Row]) -> list[_Row]:
    """Return rows with those of another file of the folder; a key that a file has once is one row, the first wins."""
    keys, ours = [each.key() for each in more], [each.key() for each in rows]
    merged, result = set(), []
    for mine, key in zip(rows, ours, strict=True):
        if ours.count(key) == 1 and keys.count(key) == 1:
            other = more[keys.index(key)]
            merged.add(key)
            numbers = {**mine.numbers, **_beside(other.numbers, mine.numbers)}
            texts = {**other.texts, **mine.texts, "quality": _worse(mine.texts, other.texts)}
            structure = mine.structure if mine.structure is not None else other.structure
            sources = [*mine.sources, *other.sources]
            mine = replace(mine, numbers=numbers, texts=texts, structure=structure, sources=sources)
        result.append(mine)
    return [*result, *(each for each, key in zip(more, keys, strict=True) if key not in merged)]


def _beside(numbers: Mapping[str, float], mine: Mapping[str, float]) -> dict[str, float]:
    """Return what another file adds; of a number that is there already, nothing, its bounds neither."""
    ends = ("", "_low", "_high", "_censored")
    bases = {name for name in mine if not name.endswith(ends[1:])}
    taken = {base + end for base in bases for end in ends}
    return {name: value for name, value in numbers.items() if name not in taken}


def _worse(mine: Mapping[str, str], other: Mapping[str, str]) -> str:
    return "weak" if "weak" in (mine.get("quality"), other.get("quality")) else mine.get("quality", "")


def _table(rows: Sequence[_Row], descriptions: Mapping[str, Any], provenance: Provenance) -> PropertyTable:
    texts = [
        {COMPOSITION: each.formula, MATERIAL_ID: each.folder, _PARTNER: each.partner, **each.texts}
        | {_SOURCE: "; ".join(each.sources)}
        for each in rows
    ]
    columns: dict[str, Column] = {}
    values: dict[str, Any] = {}
    for name in _TEXTS:
        found = [each.get(name, "") for each in texts]
        if any(found):
            columns[name] = Column(name, kind="text", provenance="collect")
            values[name] = found
    for name in dict.fromkeys(name for each in rows for name in each.numbers):
        base = name.removesuffix("_low").removesuffix("_high")
        unit = "" if name.endswith("_censored") else unit_of(base)
        columns[name] = Column(name, unit, "number", str(descriptions.get(name, "")), "collect")
        values[name] = [each.numbers.get(name, np.nan) for each in rows]
    structures = tuple(each.structure for each in rows)
    known = any(each is not None for each in structures)
    return PropertyTable(columns, values, structures if known else None, provenance)
