"""Any ASE calculator by its import path, made of plain keyword settings."""

from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from inspect import isclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlip_sse.dataset import Fingerprint
from mlip_sse.errors import InputError
from mlip_sse.references.backend import Computed, Labeller, label_with_calculator
from mlip_sse.references.specs import AseSpec

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["calculator", "fingerprint", "require_ready", "start"]


def require_ready(spec: AseSpec) -> None:
    """Refuse where the calculator's package is not installed; its module is imported by the worker alone."""
    top = spec.calculator.partition(":")[0].partition(".")[0]
    try:
        found = find_spec(top)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise InputError(f"found no package {top!r}, expected one that holds {spec.calculator}: install it")


def fingerprint(spec: AseSpec) -> Fingerprint:
    """Name the calculator, its package's version and its settings."""
    top = spec.calculator.partition(":")[0].partition(".")[0]
    settings = {
        key: value if isinstance(value, str | int | float | bool | None) else " ".join(map(str, value))
        for key, value in sorted(spec.settings.items())
    }
    return Fingerprint(
        method="calculator",
        code=spec.calculator,
        code_version=_version(top),
        settings=settings,
    )


@cache
def _version(top: str) -> str | None:
    """Return the name and version of the package that a module belongs to; None for a module of the user's own."""
    try:
        return f"{top} {version(top)}"
    except PackageNotFoundError:
        owners = packages_distributions().get(top, [])
        return f"{owners[0]} {version(owners[0])}" if owners else None


def calculator(spec: AseSpec) -> Any:
    """Import the class and make a calculator of it.

    Raises
    ------
    InputError
        When the path leads to no ASE calculator, or the settings do not fit it.
    """
    from ase.calculators.abc import GetPropertiesMixin

    module, _, name = spec.calculator.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"{spec.calculator} cannot be imported ({error}), expected module:class") from error
    if not (isclass(found) and issubclass(found, GetPropertiesMixin)):
        raise InputError(f"{spec.calculator} is no ASE calculator, expected a class such as ase.calculators.emt:EMT")
    try:
        return found(**spec.settings)
    except TypeError as error:
        raise InputError(f"{spec.calculator} cannot be made of the settings given: {error}") from error


def start(spec: AseSpec) -> Labeller:
    """Return a labeller that makes a new calculator for each structure.

    Raises
    ------
    InputError
        When there is no such calculator.
    """
    calculator(spec)
    stated = fingerprint(spec)

    def label(atoms: "Atoms", folder: Path) -> Computed:
        return label_with_calculator(atoms, calculator(spec), stated)

    return label
