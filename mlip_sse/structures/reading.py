"""Read a structure by name or from a file, and refuse what cannot be a crystal."""

import warnings
from pathlib import Path

from ase import Atoms

from mlip_sse.errors import CatalogueError, FormatError, InputError, did_you_mean
from mlip_sse.provenance import sha256_of_file
from mlip_sse.structures.crystals import crystal, crystal_names, disordered_crystal
from mlip_sse.structures.disorder import OrderingSettings, resolve_disorder
from mlip_sse.structures.lineage import with_step
from mlip_sse.structures.partial import DisorderedStructure
from mlip_sse.structures.separation import check_lattice, check_separation

__all__ = ["read_disordered", "read_structure"]

_MAX_BYTES = 256 << 20


def read_structure(source: str | Path, ordering: OrderingSettings | None = None) -> Atoms:
    """Return atoms from a file or by the name of a shipped crystal.

    Parameters
    ----------
    source
        A path that exists (CIF, POSCAR, extxyz or another format that ASE knows), else a name.
    ordering
        How to resolve partial occupancies; the structure of lowest energy is returned. Without it they are refused.

    Returns
    -------
    Atoms
        Periodic in three directions, where it came from in ``info["lineage"]``.

    Raises
    ------
    CatalogueError
        When the source is neither a file nor a name.
    FormatError
        When the file cannot be read.
    InputError
        When the cell is missing, atoms lie on top of each other, or occupancies are partial and ``ordering`` is
        not given.
    """
    path = _existing(source)
    if path is None:
        name = str(source)
        if ordering is None:
            return crystal(name)
        return resolve_disorder(disordered_crystal(name), ordering)[0].atoms
    if not _is_cif(path):
        return _from_ase(path)
    disordered = _from_cif(path)
    if not disordered.is_ordered and ordering is None:
        partly = next(
            k
            for k, occupancy in enumerate(disordered.occupancies)
            if len(occupancy) > 1 or sum(occupancy.values()) < 1 - 1e-6
        )
        shown = ", ".join(f"{element} {fraction:g}" for element, fraction in disordered.occupancies[partly].items())
        raise InputError(
            f"{path}: site {disordered.labels[partly]} is partly filled ({shown}), expected whole atoms: "
            "give ordering=OrderingSettings(...) to have it resolved"
        )
    if not disordered.is_ordered:
        return resolve_disorder(disordered, ordering)[0].atoms
    symbols = [next(iter(disordered.occupancies[group])) for group in disordered.groups]
    atoms = Atoms(symbols, scaled_positions=disordered.scaled_positions, cell=disordered.cell, pbc=True)
    return _checked(atoms, path)


def read_disordered(source: str | Path) -> DisorderedStructure:
    """Return sites with occupancies from a CIF, or by the name of a shipped crystal.

    Raises
    ------
    CatalogueError
        When the source is neither a file nor a name.
    FormatError
        When the file is not a CIF that can be read.
    """
    path = _existing(source)
    if path is None:
        return disordered_crystal(str(source))
    if not _is_cif(path):
        raise FormatError(
            f"{path}: found a file that is no CIF, expected one with occupancies: read_structure() reads whole atoms"
        )
    return _from_cif(path)


def _existing(source: str | Path) -> Path | None:
    """Return the path of a file, or None for the name of a crystal."""
    path = Path(source).expanduser()
    if path.is_file():
        if path.stat().st_size > _MAX_BYTES:
            raise FormatError(
                f"{path}: found {path.stat().st_size >> 20} MiB, expected a structure of at most {_MAX_BYTES >> 20} MiB"
            )
        return path
    if path.is_dir():
        raise FormatError(f"{path}: found a folder, expected a structure file or the name of a crystal")
    names = crystal_names()
    if str(source) not in names:
        raise CatalogueError(
            f"{str(source)!r} is neither a file nor a crystal, expected a path or one of "
            f"{', '.join(names)}{did_you_mean(str(source), names)}"
        )
    return None


def _is_cif(path: Path) -> bool:
    return path.suffix.lower() in (".cif", ".mcif")


def _from_cif(path: Path) -> DisorderedStructure:
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the parser warns of every rounded coordinate; what matters is checked here
        try:
            structures = CifParser(str(path), occupancy_tolerance=1.0 + 1e-3, check_cif=False).parse_structures(
                primitive=False
            )
        except Exception as error:  # parsers raise anything
            raise FormatError(
                f"{path}: not a readable CIF ({_one_line(error)}), expected a cell and atom sites"
            ) from error
    if not structures:
        raise FormatError(f"{path}: found no structure in the CIF, expected a cell and atom sites")
    origin = {"operation": "read", "file": path.name, "sha256": sha256_of_file(path)}
    try:
        return DisorderedStructure.from_pymatgen(structures[0], origin)
    except InputError as error:
        raise FormatError(f"{path}: {error}") from error


def _from_ase(path: Path) -> Atoms:
    from ase.io import read

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            atoms = read(path, index=-1)
        except Exception as error:  # ASE's readers raise anything
            raise FormatError(
                f"{path}: not a readable structure ({_one_line(error)}), expected CIF, POSCAR or extxyz"
            ) from error
    if not isinstance(atoms, Atoms) or len(atoms) == 0:
        raise FormatError(f"{path}: found no atoms, expected a structure")
    return _checked(atoms, path)


def _checked(atoms: Atoms, path: Path) -> Atoms:
    check_lattice(atoms.cell.array, atoms.positions, str(path))
    if not all(atoms.pbc):
        raise InputError(f"{path}: found no cell that is periodic in three directions, expected three lattice vectors")
    check_separation(atoms, str(path))
    return with_step(atoms, "read", file=path.name, sha256=sha256_of_file(path))


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
