"""The references that can label here."""

import shutil
from importlib import metadata

from mlip_sse.errors import MlipSseError
from mlip_sse.readiness.checks import Check, extra_check, python_says

__all__ = ["chgnet", "cp2k", "espresso", "gpaw", "vasp"]

_GPAW_PROBE = """
import gpaw, gpaw.cgpaw
from gpaw import setup_paths
functionals = "libxc" if hasattr(gpaw.cgpaw, "lxcXCFuncNum") else "its own functionals, without libxc"
print(f"{gpaw.__version__} with {functionals}, setups in {setup_paths[0] if setup_paths else 'no folder'}")
"""


def chgnet() -> Check:
    """Look at the packages of CHGNet."""
    return extra_check("reference chgnet", "chgnet")


def gpaw() -> Check:
    """Load GPAW's compiled part."""
    name, advice = "reference gpaw", "pip install 'mlip-sse[gpaw]', which compiles it"
    try:
        metadata.version("gpaw")
    except metadata.PackageNotFoundError:
        return Check(name, False, False, "gpaw is not installed", advice)
    ran, output = python_says(_GPAW_PROBE)
    return Check(name, ran, False, output, advice)


def vasp() -> Check:
    """Look for VASP and pymatgen's POTCAR library."""
    return _program("vasp")


def espresso() -> Check:
    """Look for pw.x; its pseudopotentials are named in the spec."""
    return _program("espresso")


def cp2k() -> Check:
    """Look for CP2K's shell."""
    return _program("cp2k")


def _program(kind: str) -> Check:
    """Look for what the reference's default settings need."""
    from mlip_sse.references import REFERENCES, load_reference
    from mlip_sse.references.backend import require_program

    name, command = f"reference {kind}", str(REFERENCES[kind].model_fields["command"].default)
    try:
        require_program(command)
        if kind != "espresso":  # its spec is not complete without pseudopotentials
            load_reference(kind).require_ready()
    except MlipSseError as error:
        return Check(name, False, False, str(error))
    return Check(name, True, False, shutil.which(command.split()[0]) or command)
