"""The machine itself: interpreter, packages, kernels, compiler, cores and memory."""

import os
import shutil
import sys
from importlib import metadata
from pathlib import Path

from mlip_sse.readiness.checks import Check, installed_versions, output_of, own_requirements, python_says

__all__ = ["compiler", "cores", "kernels", "memory", "packages", "python"]

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


def python() -> Check:
    """Look at the interpreter."""
    found = f"{sys.version.split()[0]} at {sys.executable}"
    return Check("Python", sys.version_info >= (3, 11), True, found, "install Python 3.11 or newer")


def packages() -> Check:
    """Look at what mlip-sse cannot do without."""
    advice = "pip install mlip-sse, or `make env` in a checkout"
    try:
        present, wrong = installed_versions(own_requirements())
    except metadata.PackageNotFoundError:
        return Check("packages", False, True, "mlip-sse itself is not installed in this environment", advice)
    own = f"mlip-sse {metadata.version('mlip-sse')}"
    return Check("packages", not wrong, True, ", ".join(wrong) or ", ".join([own, *present]), advice)


def kernels() -> Check:
    """Compile and run a small parallel kernel."""
    ran, output = python_says(_NUMBA_PROBE)
    threads, _, layer = output.partition(" ")
    found = f"numba compiles and runs on {threads} threads ({layer})" if ran else output
    return Check("kernels", ran, True, found, "reinstall numba and numpy: pip install --force-reinstall numba numpy")


def compiler() -> Check:
    """Look for a C++ compiler."""
    path = next((path for name in ("g++", "clang++", "c++") if (path := shutil.which(name))), None)
    if path is None:
        advice = "only the LAMMPS plugin, the export of NequIP and Allegro, and GPAW need it: apt-get install g++"
        return Check("C++ compiler", False, False, "none on PATH", advice)
    ran, output = output_of([path, "--version"], last_line=False)
    return Check("C++ compiler", ran, False, output.splitlines()[0] if output else path)


def cores() -> Check:
    """Count the cores that this process may use."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check("cores", True, False, f"{n_cores} for this process")


def memory() -> Check:
    """Look at the memory of the machine, or of the container where it has less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        total = min(total, int(text))
    gib = total / 2**30
    return Check("memory", gib >= 2, False, f"{gib:.1f} GiB", "2 GiB are enough for any trajectory file")
