"""Which material a result is of: the formula that it names, or that of the structure that its settings name.

An interface, or a reaction, is of its first side; the other is the ``partner``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.errors import InputError, MlipSseError
from mlip_sse.properties.composition import parse_composition, reduced_composition

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

__all__ = ["Material", "material_of_file", "material_of_row"]


@dataclass(frozen=True, eq=False)
class Material:
    """Formula, partner and structure of what a result is of; "" and None where nobody says."""

    formula: str = ""
    partner: str = ""
    structure: "Structure | None" = None


def material_of_row(row: Mapping[str, Any]) -> Material:
    """Return what a row of a result says of its own material."""
    if isinstance(row.get("first"), str):
        return Material(_formula(row["first"]), _formula(row.get("second")))
    formula = _formula(row.get("compound")) or _formula(row.get("composition"))
    return Material(formula, structure=_prototype(row)) if formula else Material()


def material_of_file(document: Mapping[str, Any], folder: Path) -> Material:
    """Return what a result file, or the spec beside it, says of the material."""
    sides = document.get("reactants")
    if isinstance(sides, list) and sides and all(isinstance(each, Mapping) for each in sides):
        names = [_formula(each.get("formula")) for each in sides[:2]]
        return Material(names[0], names[1] if len(names) > 1 else "")
    formula = _formula(document.get("composition")) or _formula(document.get("formula"))
    if formula:
        return Material(formula)
    provenance = document.get("provenance")
    settings = provenance.get("settings") if isinstance(provenance, Mapping) else None
    named = dict(settings) if isinstance(settings, Mapping) else {}
    named = {**_spec_beside(folder), **named}
    interface = named.get("interface")
    if isinstance(interface, Mapping):
        first, second = (_of_structure(interface.get(side), folder) for side in ("a", "b"))
        return Material(first.formula, second.formula, first.structure)
    relaxed = _relaxed(document, folder)
    return relaxed if relaxed.formula else _of_structure(named.get("structure"), folder)


def _formula(thing: Any) -> str:
    """Return a formula in its one spelling, "" where it is none."""
    if not isinstance(thing, str) or not thing:
        return ""
    try:
        parse_composition(thing)
        return reduced_composition(thing)
    except InputError:
        return ""


def _spec_beside(folder: Path) -> Mapping[str, Any]:
    from mlip_sse.specs import read_yaml

    spec = folder / "spec.yaml"
    plain = read_yaml(spec) if spec.is_file() else None
    return plain if isinstance(plain, Mapping) else {}


def _relaxed(document: Mapping[str, Any], folder: Path) -> Material:
    """Return the structure that a protocol left: a file beside the result, or the crystal inside it."""
    from ase import Atoms
    from ase.io import read

    crystal, name = document.get("crystal"), document.get("structure")
    try:
        if isinstance(crystal, Mapping):
            atoms = Atoms(crystal["symbols"], positions=crystal["positions"], cell=crystal["cell"], pbc=True)
            return _of_atoms(atoms)
        if isinstance(name, str) and (folder / name).is_file():
            found = read(folder / name)
            return _of_atoms(found[0] if isinstance(found, list) else found)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return Material()
    return Material()


def _of_structure(section: Any, folder: Path) -> Material:
    """Return the material of a ``structure`` of a spec: crystal, metal, prototype with species, or file."""
    if not isinstance(section, Mapping):
        return Material()
    if isinstance(section.get("metal"), str):
        return Material(_formula(section["metal"]))
    try:
        if isinstance(section.get("crystal"), str):
            from mlip_sse.structures import crystal, crystal_entry

            entry = crystal_entry(section["crystal"])
            return _of_atoms(crystal(section["crystal"])) if entry.is_ordered else Material(_formula(entry.formula))
        if isinstance(section.get("prototype"), str):
            from ase.build import bulk

            return _of_atoms(bulk("".join(section.get("species") or ()), section["prototype"], a=5.0), keeps=False)
    except (MlipSseError, ValueError, KeyError, TypeError, RuntimeError):
        return Material()
    return _of_file(section.get("file"), folder)


def _of_file(name: Any, folder: Path) -> Material:
    if not isinstance(name, str):
        return Material()
    found = [path for path in (folder / name, Path(name)) if path.is_file()]
    if not found:
        return Material()
    from pymatgen.core import Structure

    try:
        structure = Structure.from_file(found[0])
    except Exception:  # its readers raise anything; nobody then says the material
        return Material()
    return Material(_formula(structure.composition.formula.replace(" ", "")), structure=structure)


def _prototype(row: Mapping[str, Any]) -> "Structure | None":
    """Return the crystal of a table of barriers, at the volume that it was relaxed to."""
    name, _, formula = str(row.get("structure") or "").partition(":")
    volume = row.get("volume_a3_atom")
    if not formula or not isinstance(volume, int | float) or not volume > 0:
        return None
    from mlip_sse.structures.prototypes import prototype_crystal

    try:
        atoms = prototype_crystal(name, formula)
    except MlipSseError:
        return None
    scale = np.cbrt(volume * len(atoms) / atoms.get_volume())
    atoms.set_cell(atoms.cell.array * scale, scale_atoms=True)
    return _of_atoms(atoms).structure


def _of_atoms(atoms: "Atoms", keeps: bool = True) -> Material:
    from pymatgen.core import Lattice, Structure

    formula = _formula(str(atoms.symbols.formula))
    if not keeps:
        return Material(formula)
    lattice = Lattice(atoms.cell.array)
    return Material(formula, structure=Structure(lattice, list(atoms.symbols), atoms.get_scaled_positions()))
