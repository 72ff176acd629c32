"""Is this machine ready: interpreter, packages, LAMMPS, potentials and references, each looked at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from mlip_sse.readiness import lammps, lanes, machine, models, references
from mlip_sse.readiness.checks import Check

__all__ = ["Check", "check_machine"]

_AT_ONCE = 4


def check_machine(engine: str | Path | None = None) -> tuple[Check, ...]:
    """Look at everything that mlip-sse uses on this machine; what takes long looks in a process with a time limit.

    Parameters
    ----------
    engine
        The path of an `engine.yaml` whose lanes are tried instead of this machine's own.
    """
    probes: tuple[Callable[[], Check], ...] = (
        machine.python,
        machine.packages,
        machine.kernels,
        machine.compiler,
        lammps.program,
        lammps.library,
        lammps.plugin,
        lammps.mpi_launcher,
        models.torch,
        models.nequip,
        references.chgnet,
        references.gpaw,
        references.vasp,
        references.espresso,
        references.cp2k,
        partial(lanes.lanes, engine),
        machine.cores,
        machine.memory,
    )
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(pool.map(lambda probe: probe(), probes))
