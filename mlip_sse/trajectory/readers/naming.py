"""Name the atoms of a file that stores none, or stores only numbers and labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError, InputError

__all__ = ["Naming", "is_element", "name_atoms", "name_labels"]

Naming = Sequence[str] | Mapping[str, str] | Mapping[int, str] | None


def is_element(symbol: str) -> bool:
    """Say whether a word is a chemical symbol."""
    from ase.data import atomic_numbers

    return symbol != "X" and symbol in atomic_numbers


def name_atoms(
    path: Path, n_atoms: int, title: str, species: Sequence[str] | None, topology: str | Path | None
) -> NDArray[np.str_]:
    """Return the species of a format that stores none.

    Parameters
    ----------
    path, n_atoms, title
        The trajectory, its number of atoms and its format's name.
    species
        Chemical symbols, one for each atom.
    topology
        A structure file of the same atoms in the same order, read by ASE or else by MDAnalysis.

    Raises
    ------
    InputError
        When neither is given, or they do not fit.
    """
    if species is None and topology is None:
        raise InputError(
            f"{path}: {title} stores no species for its {n_atoms} atoms; name them with species=['Li', ...] or "
            "topology='structure file'"
        )
    source = "species" if species is not None else f"topology {topology}"
    symbols = [str(symbol) for symbol in species] if species is not None else _read_topology(Path(str(topology)))
    if len(symbols) != n_atoms:
        raise InputError(
            f"{path}: {source} names {len(symbols)} atoms, the file holds {n_atoms}; give one for each atom"
        )
    return _require_elements(symbols, f"{path}: {source}")


def name_labels(path: Path, labels: Sequence[object], species: Naming) -> NDArray[np.str_]:
    """Return the species of atoms that carry labels: symbols, kinds or numbers.

    Parameters
    ----------
    path
        The trajectory.
    labels : (n_atoms,)
        What the file says of each atom.
    species
        One symbol for each atom, or a mapping from label to symbol; None where the labels are symbols.
    """
    if isinstance(species, Mapping):
        by_text = {str(label): str(symbol) for label, symbol in species.items()}
        missing = sorted({str(label) for label in labels} - set(by_text))
        if missing:
            raise InputError(f"{path}: species does not say what {', '.join(missing)} is; name every label of the file")
        return _require_elements([by_text[str(label)] for label in labels], f"{path}: species")
    if species is not None:
        return name_atoms(path, len(labels), "the file", species, None)
    unknown = sorted({str(label) for label in labels if not is_element(str(label))})
    if unknown:
        raise FormatError(
            f"{path}: the atoms are called {', '.join(unknown[:5])}, which are not chemical symbols; "
            f"say what they are with species={{{unknown[0]!r}: 'Li', ...}}"
        )
    return np.array([str(label) for label in labels], dtype=np.str_)


def _require_elements(symbols: list[str], source: str) -> NDArray[np.str_]:
    for number, symbol in enumerate(symbols):
        if not is_element(symbol):
            raise InputError(f"{source} calls atom {number} {symbol!r}, expected a chemical symbol")
    return np.array(symbols, dtype=np.str_)


def _read_topology(path: Path) -> list[str]:
    if not path.is_file():
        raise InputError(f"topology {path} is no file; give a structure file that ASE or MDAnalysis reads")
    try:
        return _symbols_by_ase(path)
    except Exception as by_ase:  # ASE's readers raise whatever the file makes them raise
        try:
            return _symbols_by_mdanalysis(path)
        except Exception as by_mdanalysis:  # and so do MDAnalysis' parsers
            raise InputError(
                f"topology {path} is read neither by ASE ({_one_line(by_ase)}) nor by MDAnalysis "
                f"({_one_line(by_mdanalysis)}); give another structure file, or species=[...]"
            ) from by_mdanalysis


def _symbols_by_ase(path: Path) -> list[str]:
    import ase.io

    atoms = ase.io.read(path, index=0)
    return [str(symbol) for symbol in atoms.get_chemical_symbols()]


def _symbols_by_mdanalysis(path: Path) -> list[str]:
    import warnings

    import MDAnalysis

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe = MDAnalysis.Universe(str(path))
    return [str(element).capitalize() for element in universe.atoms.elements]


def _one_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:120] if text else type(error).__name__
