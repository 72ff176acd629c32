"""Build the atoms a protocol starts from."""

from pathlib import Path

import numpy as np
from ase import Atoms

from mlip_sse.errors import FormatError, InputError
from mlip_sse.md_protocols.specs import StructureSpec
from mlip_sse.structures import crystal

__all__ = ["build_structure"]

_G_CM3_PER_AMU_A3 = 1.66053906660


def build_structure(spec: StructureSpec, density_g_cm3: float | None, seed: int = 1) -> Atoms:
    """Return the supercell of a protocol, scaled to a density.

    Parameters
    ----------
    spec
        Prototype, crystal, glass or file, and the repeats.
    density_g_cm3
        Density to scale to, in g/cm³; None keeps the cell of the file.
    seed
        Of a packed glass; nothing else is random.

    Raises
    ------
    CatalogueError
        When there is no crystal of that name.
    InputError
        When the crystal is disordered, the file is missing or not periodic in three directions, or a glass cannot be
        packed.
    FormatError
        When ASE cannot read the file.
    """
    if spec.glass is not None and density_g_cm3 is not None:
        from mlip_sse.structures.glasses import pack_units

        packed = pack_units(spec.glass.glass_units().counts, density_g_cm3, seed)
        del packed.arrays["unit"]
        return packed
    unit = _unit(spec)
    atoms = unit.repeat(spec.repeats)
    if density_g_cm3 is not None:
        volume = float(atoms.get_masses().sum()) * _G_CM3_PER_AMU_A3 / density_g_cm3
        atoms.set_cell(atoms.cell.array * np.cbrt(volume / atoms.get_volume()), scale_atoms=True)
    return atoms


def _unit(spec: StructureSpec) -> Atoms:
    if spec.file is not None:
        return _from_file(spec.file)
    return _prototype(spec) if spec.crystal is None else crystal(spec.crystal)


def _prototype(spec: StructureSpec) -> Atoms:
    from ase.build import bulk

    return bulk("".join(spec.species), spec.prototype, a=5.0, cubic=True)


def _from_file(file: str) -> Atoms:
    from ase.io import read

    if not Path(file).is_file():
        raise InputError(f"structure file {file} does not exist: give a path relative to the protocol's folder")
    try:
        atoms = read(file)
    except Exception as error:  # ASE's readers raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise FormatError(f"structure file {file}: ASE cannot read it ({reason})") from error
    if not isinstance(atoms, Atoms) or not all(atoms.pbc) or abs(atoms.cell.volume) < 1e-6:
        raise InputError(f"structure file {file}: expected a cell that is periodic in three directions")
    return atoms
