"""Foreign tables made ours: columns renamed and given units, limits read, structures found beside them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.errors import FormatError, InputError
from mlip_sse.properties.matching import find_duplicates
from mlip_sse.properties.recipes import PropertyRecipe
from mlip_sse.properties.table import IDENTITY, Column, PropertyTable
from mlip_sse.properties.table_files import read_table

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["joined", "read_for", "structures_beside"]


def read_for(recipe: PropertyRecipe, path: str | Path) -> PropertyTable:
    """Read a table as a recipe says: its columns under our names and units, its structures.

    Raises
    ------
    InputError
        When a column that the recipe renames is not there; the message lists those that are.
    """
    path = Path(path)
    table = read_table(path)
    renamed = {name for name in recipe.columns if name in table.columns}
    if recipe.columns and not renamed:
        return _require_renamed(recipe, table, path)
    columns: dict[str, Column] = {}
    values: dict[str, Any] = {}
    for name, column in table.columns.items():
        base, mark, _ = name.partition("_censored") if name.endswith("_censored") else (name, "", "")
        source = recipe.columns.get(base)
        if source is None:
            columns[name], values[name] = column, table.values[name]
            continue
        ours = source if isinstance(source, str) else source.name
        if mark:
            columns[ours + mark], values[ours + mark] = Column(ours + mark), table.values[name]
            continue
        if isinstance(source, str):
            columns[ours] = Column(ours, column.unit, column.kind, column.description, str(path))
            values[ours] = table.values[name]
        else:
            columns[ours] = Column(ours, source.unit, "number", source.description, str(path))
            values[ours] = table.numbers(name) * source.factor + source.offset
    structures = table.structures
    if recipe.structures is not None and structures is None:
        at = recipe.structures
        table.require(at.column)
        named = [str(name) for name in table.values[at.column]]
        structures = structures_beside(path.parent / at.folder, named, at.suffix)
    return PropertyTable(columns, values, structures, table.provenance)


def structures_beside(folder: Path, names: list[str], suffix: str) -> "tuple[Structure | None, ...]":
    """Return the structures of the files NAME + suffix of a folder, disorder kept; None where there is no file.

    Raises
    ------
    InputError
        When there is no such folder.
    FormatError
        When a file is no structure.
    """
    import warnings

    from pymatgen.io.cif import CifParser

    if not folder.is_dir():
        raise InputError(f"found no folder {folder}, expected the structures of the table in it")
    found: list[Structure | None] = []
    for name in names:
        path = folder / f"{name}{suffix}"
        if not path.is_file():
            found.append(None)
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found.append(CifParser(path, occupancy_tolerance=1.5).parse_structures(primitive=False)[0])
        except (ValueError, IndexError, KeyError, AssertionError) as error:
            raise FormatError(f"{path}: no structure in it ({str(error)[:80]})") from error
    return tuple(found)


def joined(table: PropertyTable, experiment: PropertyTable) -> PropertyTable:
    """Return the table with the columns of an experimental one, found by reduced composition and structure match.

    Where several experimental rows are one material, a number is their median over the exact ones (else over the
    limits), and ``n_experiments`` says how many there were.
    """
    matches: dict[int, list[int]] = {}
    for each in find_duplicates(table, experiment, polymorphs_differ=True):
        matches.setdefault(each.first, []).append(each.second)
    result = table
    for name, column in experiment.columns.items():
        if name in IDENTITY or name in table.columns or name.endswith("_censored"):
            continue
        if column.kind == "text":
            texts = experiment.texts(name)
            result = result.with_column(
                column, [texts[m[0]] if (m := matches.get(row)) else "" for row in range(table.n_rows)]
            )
            continue
        pairs = [_median(experiment, name, matches.get(row, [])) for row in range(table.n_rows)]
        result = result.with_column(column, [value for value, _ in pairs])
        if f"{name}_censored" in experiment.columns:
            result = result.with_column(experiment.columns[f"{name}_censored"], [float(sign) for _, sign in pairs])
    counts = [float(len(matches.get(row, []))) for row in range(table.n_rows)]
    return result.with_column(Column("n_experiments", description="experimental rows that were joined"), counts)


def _median(table: PropertyTable, name: str, rows: list[int]) -> tuple[float, int]:
    values, signs = table.numbers(name)[rows], table.censored(name)[rows]
    for sign in (0, -1, 1):
        chosen = values[(signs == sign) & np.isfinite(values)]
        if len(chosen):
            return float(np.median(chosen)), sign
    return float("nan"), 0


def _require_renamed(recipe: PropertyRecipe, table: PropertyTable, path: Path) -> PropertyTable:
    """Return a table that has our names already; refuse one that has neither, the target, which is asked for, aside."""
    target = recipe.target.column
    wanted: Mapping[str, Any] = {
        name: source
        for name, source in recipe.columns.items()
        if (source if isinstance(source, str) else source.name) != target
    }
    if not wanted:
        return table
    ours = {source if isinstance(source, str) else source.name for source in wanted.values()}
    if not ours & set(table.columns):
        known = ", ".join(list(table.columns)[:12])
        raise InputError(f"{path}: found the columns {known}, expected {', '.join(list(wanted)[:6])}: see the recipe")
    return table
