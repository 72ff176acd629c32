"""Is this material in the training table already: by reduced composition and by structure.

Two rows are one material when their reduced compositions agree, unless both have a structure and the structures differ
(polymorphs); or when their compositions are within a hundredth of each other and their structures match site by site
with the same element most abundant on each, as two refinements of one sample do.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.errors import InputError
from mlip_sse.properties.composition import composition_distance, element_fractions
from mlip_sse.properties.table import PropertyTable

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["Duplicate", "find_duplicates", "material_groups", "refuse_duplicates"]

_NEAR = 0.01
_SHOWN = 3


@dataclass(frozen=True)
class Duplicate:
    """Row `first` of one table is row `second` of another; `by` says how it was found."""

    first: int
    second: int
    by: str


def find_duplicates(test: PropertyTable, train: PropertyTable, polymorphs_differ: bool = False) -> list[Duplicate]:
    """Return the rows of `test` that are rows of `train`, each pair once.

    Parameters
    ----------
    test, train
        Tables with compositions.
    polymorphs_differ
        Whether one composition in two structures is two materials.
    """
    first, second = test.materials(), train.materials()
    distances = composition_distance(element_fractions(test.compositions), element_fractions(train.compositions))
    found = []
    for one, two in np.argwhere(distances <= _NEAR):
        structures = test.structure(int(one)), train.structure(int(two))
        known = structures[0] is not None and structures[1] is not None
        same = first[one] == second[two]
        if same and not (polymorphs_differ and known):
            found.append(Duplicate(int(one), int(two), "reduced composition"))
        elif known and _match(structures[0], structures[1]):
            found.append(Duplicate(int(one), int(two), "structure"))
    return found


def refuse_duplicates(test: PropertyTable, train: PropertyTable, polymorphs_differ: bool = False) -> None:
    """Refuse test rows that the training table holds.

    Raises
    ------
    InputError
        One line that names the first of them.
    """
    found = find_duplicates(test, train, polymorphs_differ)
    if found:
        names = test.compositions
        shown = ", ".join(f"{names[each.first]} (by {each.by})" for each in found[:_SHOWN])
        raise InputError(
            f"found {len({each.first for each in found})} test rows whose material is in the training table, such as "
            f"{shown}; expected none: take them out of one of the two tables"
        )


def material_groups(table: PropertyTable) -> tuple[str, ...]:
    """Return a name for the material of each row: rows of one reduced composition or of one structure share it.

    Near compositions are compared by their structures where both rows have one.
    """
    materials = list(table.materials())
    if table.structures is None:
        return tuple(materials)
    rows = [row for row in range(table.n_rows) if table.structure(row) is not None]
    if len(rows) < 2:
        return tuple(materials)
    fractions = element_fractions([table.compositions[row] for row in rows])
    near = np.argwhere(np.triu(composition_distance(fractions, fractions) <= _NEAR, 1))
    leader = {name: name for name in materials}
    for one, two in near:
        first, second = _root(leader, materials[rows[one]]), _root(leader, materials[rows[two]])
        if first != second and _match(table.structure(rows[one]), table.structure(rows[two])):
            leader[second] = first
    return tuple(_root(leader, name) for name in materials)


def _root(leader: dict[str, str], name: str) -> str:
    while leader[name] != name:
        name = leader[name]
    return name


def _match(first: "Structure | None", second: "Structure | None") -> bool:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    one, two = (_rounded(each) for each in (first, second))
    return bool(StructureMatcher(primitive_cell=True, scale=True, attempt_supercell=False).fit(one, two))


def _rounded(structure: Any) -> Any:
    """Return the structure with its most abundant species alone on each site: near occupancies are then alike."""
    made = structure.copy()
    for at, site in enumerate(structure):
        species = max(site.species.items(), key=lambda item: (item[1], str(item[0])))[0]
        made.replace(at, species=getattr(species, "element", species))
    return made
