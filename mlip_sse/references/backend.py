"""What the module of each reference offers, and how the one that is asked for is found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlip_sse.dataset import Fingerprint
from mlip_sse.errors import InputError, MissingExtraError, RunError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Backend", "Computed", "Labeller", "backend_of", "label_with_calculator", "require_program", "version_of"]


@dataclass(frozen=True)
class Computed:
    """One label as a code gave it, in eV, eV/Å and eV/Å³ (positive = tension)."""

    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64] | None
    fingerprint: Fingerprint


Labeller = Callable[["Atoms", Path], Computed]
"""Labels one structure in a folder of its own."""


class Backend(Protocol):
    """A module of a reference: three functions of its spec."""

    def require_ready(self, spec: Any) -> None:
        """Refuse, before anything starts, where a package, program or file is missing."""

    def fingerprint(self, spec: Any) -> Fingerprint:
        """Say what is known before the first label; a version may follow with the label."""

    def start(self, spec: Any) -> Labeller:
        """Import what is heavy and return the labeller; runs in the worker's process."""


_MODULES: Mapping[str, str] = MappingProxyType(
    {
        "chgnet": "mlip_sse.references.chgnet_surrogate",
        "gpaw": "mlip_sse.references.gpaw_dft",
        "vasp": "mlip_sse.references.vasp_dft",
        "espresso": "mlip_sse.references.espresso_dft",
        "cp2k": "mlip_sse.references.cp2k_dft",
        "ase": "mlip_sse.references.ase_calculator",
    }
)


def backend_of(kind: str) -> Backend:
    """Return the module of a kind of reference."""
    module: Any = import_module(_MODULES[kind])
    backend: Backend = module
    return backend


def label_with_calculator(atoms: "Atoms", calculator: Any, fingerprint: Fingerprint) -> Computed:
    """Ask an ASE calculator for everything; the free energy where there is one, as the forces are its derivative."""
    from ase.calculators.calculator import PropertyNotImplementedError

    atoms = atoms.copy()
    atoms.calc = calculator
    energy = atoms.get_potential_energy()
    forces = np.array(atoms.get_forces(), dtype=float)
    try:
        stress = np.array(atoms.get_stress(), dtype=float) if all(atoms.pbc) else None
    except (PropertyNotImplementedError, NotImplementedError):
        stress = None
    free_energy = getattr(calculator, "results", {}).get("free_energy")
    chosen = energy if free_energy is None else free_energy
    return Computed(float(chosen), forces, stress, fingerprint)


def version_of(package: str, extra: str, feature: str) -> str:
    """Return the version of an optional package.

    Raises
    ------
    MissingExtraError
        When it is not installed.
    """
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise MissingExtraError(feature, extra) from error


def require_program(command: str) -> None:
    """Refuse a command whose program is nowhere.

    Raises
    ------
    InputError
        Naming the program.
    """
    program = command.split()[0]
    if which(program) is None:
        raise InputError(f"found no program {program!r} on PATH, expected one: set command in the reference's spec")


def require_success(code: int, program: str, log: Path) -> None:
    """Refuse the run of a program that left with an exit code other than 0.

    Raises
    ------
    RunError
        Naming the log.
    """
    if code != 0:
        raise RunError(f"{program} left with exit code {code}, expected 0: see {log}")
