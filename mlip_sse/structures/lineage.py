"""How a structure came about: a list of steps that travels in `atoms.info`, through extxyz files too."""

import unicodedata
from typing import Any

from ase import Atoms

from mlip_sse.provenance import Provenance, package_version

__all__ = ["LINEAGE", "lineage", "provenance_of", "with_step"]

LINEAGE = "lineage"
"""The key of `atoms.info` that holds the steps."""


def with_step(atoms: Atoms, operation: str, **details: Any) -> Atoms:
    """Return a copy of the atoms, without calculator, whose lineage has one step more.

    Parameters
    ----------
    atoms
        The atoms, left as they are.
    operation
        What was done, one word or two.
    details
        Plain values (numbers, text, lists, mappings) that say how. Text is made ASCII, without quotes and backslashes,
        which extxyz files do not give back as they were.
    """
    made = atoms.copy()
    made.info[LINEAGE] = [
        *lineage(atoms),
        {"operation": operation, **{key: _plain(value) for key, value in details.items()}},
    ]
    made.info["mlip_sse_version"] = package_version()
    return made


def lineage(atoms: Atoms) -> list[dict[str, Any]]:
    """Return the steps that made the atoms, the first one first."""
    return list(atoms.info.get(LINEAGE, []))


def provenance_of(atoms: Atoms) -> Provenance:
    """Return the lineage as the provenance of a result: the operations in order, the details as settings."""
    steps = lineage(atoms)
    return Provenance(operations=tuple(step["operation"] for step in steps), settings={LINEAGE: steps})


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        letters = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode()
        return letters.replace("\\", "/").replace('"', "'")
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
