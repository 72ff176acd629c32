"""The table of properties: one row a material, or a material at a temperature; columns with unit and provenance.

A number may come with ``NAME_low`` and ``NAME_high`` (its interval) and ``NAME_censored`` (0 exact, −1 the value is an
upper limit, +1 a lower one). The columns ``composition``, ``family`` and ``material_id`` say what a row is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import FormatError, InputError, did_you_mean
from mlip_sse.properties.censoring import Signs, parse_number
from mlip_sse.properties.composition import reduced_composition
from mlip_sse.provenance import Provenance

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["COMPOSITION", "FAMILY", "MATERIAL_ID", "Column", "PropertyTable", "table_of"]

COMPOSITION, FAMILY, MATERIAL_ID = "composition", "family", "material_id"
IDENTITY = (COMPOSITION, FAMILY, MATERIAL_ID)

Floats = npt.NDArray[np.float64]
Texts = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Column:
    """What a column holds.

    Parameters
    ----------
    name
        As the table calls it; a unit that is not eV, Å, fs, K or e is part of it.
    unit
        As one would write it behind the number: ``S/cm``, ``GPa``, ``1/K``; "" for none.
    kind
        ``number`` or ``text``.
    description
        In words.
    provenance
        Where the numbers came from: a file, a DOI, a verb.
    """

    name: str
    unit: str = ""
    kind: Literal["number", "text"] = "number"
    description: str = ""
    provenance: str = ""


@dataclass(frozen=True, eq=False)
class PropertyTable:
    """Columns of equal length.

    Parameters
    ----------
    columns
        What each column holds, by its name.
    values
        Of each column, (n_rows,): floats (nan where missing) or texts ("" where missing).
    structures
        One a row, or None where a row has none; None where no row has one.
    provenance
        Files and operations that made the table.
    """

    columns: Mapping[str, Column]
    values: Mapping[str, npt.NDArray[Any]]
    structures: tuple["Structure | None", ...] | None = None
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        if set(self.columns) != set(self.values):
            odd = sorted(set(self.columns) ^ set(self.values))
            raise InputError(f"columns without values or values without column: {', '.join(odd)[:200]}")
        checked = {name: _as_kind(self.columns[name], self.values[name]) for name in self.columns}
        lengths = {name: len(values) for name, values in checked.items()}
        if self.structures is not None:
            lengths["structures"] = len(self.structures)
        if len(set(lengths.values())) > 1:
            raise InputError(f"found columns of {sorted(set(lengths.values()))} rows, expected all of one length")
        object.__setattr__(self, "columns", MappingProxyType(dict(self.columns)))
        object.__setattr__(self, "values", MappingProxyType(checked))

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.values.values()))) if self.values else 0

    def require(self, name: str, kind: Literal["number", "text"] | None = None) -> Column:
        """Return a column's description.

        Raises
        ------
        InputError
            When there is no such column, or it is of another kind; the message lists those that are.
        """
        if name not in self.columns:
            known = ", ".join(sorted(self.columns)[:20])
            raise InputError(f"no column {name!r} in the table, found {known}{did_you_mean(name, self.columns)}")
        column = self.columns[name]
        if kind is not None and column.kind != kind:
            raise InputError(f"column {name!r} holds {column.kind}s, expected {kind}s{self._first_text(name)}")
        return column

    def _first_text(self, name: str) -> str:
        """Return in words the first cell of a column that keeps it from being one of numbers."""
        for row, cell in enumerate(self.values[name]):
            try:
                parse_number(cell)
            except FormatError:
                return f"; the first that is none is {str(cell)[:30]!r} in row {row} (counted from 0)"
        return ""

    def numbers(self, name: str, unit: str | None = None) -> Floats:
        """Return a column of numbers, (n_rows,), nan where missing.

        Raises
        ------
        InputError
            When there is none of that name, or its unit is not the one expected.
        """
        column = self.require(name, "number")
        if unit is not None and column.unit != unit:
            raise InputError(
                f"column {name!r} is in {column.unit or 'no unit'}, expected {unit or 'no unit'}: convert it or "
                f"correct the unit in the recipe"
            )
        values: Floats = self.values[name]
        return values

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a column of texts, "" where missing."""
        self.require(name, "text")
        return tuple(self.values[name])

    def censored(self, name: str) -> Signs:
        """Return the censoring signs of a column, (n_rows,), all 0 where it has none."""
        self.require(name, "number")
        signs = self.values.get(f"{name}_censored")
        return np.zeros(self.n_rows, dtype=np.int8) if signs is None else np.nan_to_num(signs).astype(np.int8)

    @property
    def compositions(self) -> tuple[str, ...]:
        """Compositions as given."""
        return self.texts(COMPOSITION)

    def materials(self) -> tuple[str, ...]:
        """Return the reduced composition of each row, or its id where the table has no compositions."""
        if COMPOSITION in self.columns:
            return tuple(self._reduced(row, text) for row, text in enumerate(self.compositions))
        return self.texts(MATERIAL_ID)

    def structure(self, row: int) -> "Structure | None":
        """Return the structure of a row, if it has one."""
        return None if self.structures is None else self.structures[row]

    def structure_list(self) -> list["Structure | None"]:
        """Return the structures of all rows, None where there is none."""
        return [self.structure(row) for row in range(self.n_rows)]

    def rows(self, chosen: npt.ArrayLike) -> "PropertyTable":
        """Return some rows, by index or by a mask of booleans."""
        index = np.arange(self.n_rows)[np.asarray(chosen)]
        structures = None if self.structures is None else tuple(self.structures[row] for row in index)
        return replace(
            self, values={name: values[index] for name, values in self.values.items()}, structures=structures
        )

    def with_column(self, column: Column, values: npt.ArrayLike) -> "PropertyTable":
        """Return the table with one more column, or with one replaced."""
        return replace(
            self, columns={**self.columns, column.name: column}, values={**self.values, column.name: np.asarray(values)}
        )

    def then(self, operation: str) -> "PropertyTable":
        """Return the table with one more operation in its provenance."""
        return replace(self, provenance=self.provenance.then(operation))

    def below(self, other: "PropertyTable") -> "PropertyTable":
        """Return this table with the rows of another below; a column of one alone is missing in the other.

        Raises
        ------
        InputError
            When a column has two units or two kinds.
        """
        for name in self.columns.keys() & other.columns.keys():
            mine, theirs = self.columns[name], other.columns[name]
            if (mine.unit, mine.kind) != (theirs.unit, theirs.kind):
                raise InputError(
                    f"column {name!r} is in {mine.unit or 'no unit'} ({mine.kind}) and in {theirs.unit or 'no unit'} "
                    f"({theirs.kind}), expected one: convert one of the two tables"
                )
        columns = {**other.columns, **self.columns}
        values = {
            name: np.concatenate([table._column_or_missing(column) for table in (self, other)])
            for name, column in columns.items()
        }
        both = self.structures is not None or other.structures is not None
        structures = (*self.structure_list(), *other.structure_list()) if both else None
        inputs = tuple(dict.fromkeys((*self.provenance.inputs, *other.provenance.inputs)))
        operations = tuple(dict.fromkeys((*self.provenance.operations, *other.provenance.operations)))
        provenance = replace(self.provenance, inputs=inputs, operations=operations)
        return PropertyTable(columns, values, structures, provenance)

    def _column_or_missing(self, column: Column) -> npt.NDArray[Any]:
        if column.name in self.values:
            return self.values[column.name]
        filler = np.nan if column.kind == "number" else ""
        return np.full(self.n_rows, filler, dtype=np.float64 if column.kind == "number" else object)

    def _reduced(self, row: int, text: str) -> str:
        try:
            return reduced_composition(text)
        except InputError as error:
            raise InputError(f"row {row} (counted from 0): {error}") from error


def table_of(
    numbers: Mapping[tuple[str, str], npt.ArrayLike],
    texts: Mapping[str, Sequence[str]] | None = None,
    structures: Sequence["Structure | None"] | None = None,
) -> PropertyTable:
    """Return a table of arrays: numbers by (name, unit), texts by name.

    >>> table_of({("modulus", "GPa"): [40.5]}, {"composition": ["Li2S"]}).numbers("modulus", "GPa")
    array([40.5])
    """
    columns = {name: Column(name, unit) for name, unit in numbers}
    columns |= {name: Column(name, kind="text") for name in texts or {}}
    values: dict[str, Any] = {name: found for (name, _), found in numbers.items()}
    values.update(texts or {})
    return PropertyTable(columns, values, None if structures is None else tuple(structures))


def _as_kind(column: Column, values: npt.ArrayLike) -> npt.NDArray[Any]:
    if column.kind == "text":
        filled = ["" if value is None or value != value else str(value) for value in values]  # type: ignore[union-attr]
        texts = np.empty(len(filled), dtype=object)
        texts[:] = filled
        return texts
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"column {column.name!r} holds something that is no number ({error})") from error
    if found.ndim != 1:
        raise InputError(f"column {column.name!r} has shape {found.shape}, expected one number a row")
    return found
