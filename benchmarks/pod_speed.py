"""Dynamics of 416 atoms of Li6PS5Cl: POD in ``lmp`` on one rank and two, and CHGNet in ASE, in one run.

``python benchmarks/pod_speed.py --potential li6ps5cl_pod`` prints a table. CPU seconds count, because another job on
the machine does not change them much; the gain of the second rank needs wall time, so that the load is printed with it.
The ways take turns over several rounds and the least counts.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.tables import aligned

__all__ = ["lammps_run", "main"]

_DECK = """\
units           metal
boundary        p p p
atom_style      {atom_style}
box             tilt large
read_data       structure.data
{commands}
velocity        all create {temperature} 4711
fix             move all nve
fix             bath all langevin {temperature} {temperature} 0.1 4712
timestep        0.002
thermo          1000
run             {warm_up}
run             {steps}
"""
_THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--potential", default="li6ps5cl_pod", help="name or folder of a POD potential (%(default)s)")
    parser.add_argument("--steps", type=int, default=200, help="steps of POD in a round (%(default)s)")
    parser.add_argument("--chgnet-steps", type=int, default=3, help="steps of CHGNet in a round; 0: leave it out")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (%(default)s)")
    parser.add_argument("--json", type=Path, help="write all measurements to this file")
    options = parser.parse_args(arguments)
    if any(os.environ.get(name) != value for name, value in _THREADS.items()):
        # Thread pools read these once, at their import.
        command = [sys.executable, __file__, *(sys.argv[1:] if arguments is None else arguments)]
        return subprocess.run(command, env={**os.environ, **_THREADS}, check=False).returncode
    warnings.simplefilter("ignore")
    measured = _measure(options)
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    print(_table(measured))
    return 0


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    from mlip_sse.potentials import load_potential
    from mlip_sse.structures import crystal, rattle

    potential = load_potential(options.potential)
    atoms = rattle(crystal("li6ps5cl").repeat((2, 2, 2)), 0.02, seed=0)
    chgnet = _ChgnetRun(atoms) if options.chgnet_steps else None
    rows: dict[str, list[dict[str, float]]] = {"1 rank": [], "2 ranks": [], "CHGNet": []}
    load = [os.getloadavg()[0]]
    for _ in range(options.rounds):
        for n_ranks, name in ((1, "1 rank"), (2, "2 ranks")):
            rows[name].append(lammps_run(potential, atoms, options.steps, n_ranks))
        if chgnet is not None:
            rows["CHGNet"].append(chgnet.run(options.chgnet_steps))
        load.append(os.getloadavg()[0])
    return {"potential": options.potential, "n_atoms": len(atoms), "load": load, "rounds": rows}


def lammps_run(
    potential: Any, atoms: Any, steps: int, n_ranks: int = 1, temperature: float = 600.0
) -> dict[str, float]:
    """Run Langevin dynamics with ``lmp`` and return CPU and wall seconds of a step, all ranks together.

    Start, neighbour lists and the first steps are taken off by a run of the warm-up alone.
    """
    from mlip_sse.potentials.lammps_data import data_text
    from mlip_sse.potentials.lammps_install import find_executable

    lines, warm_up = potential.lammps(), 5
    with tempfile.TemporaryDirectory(prefix="mlip-sse-") as name:
        folder = Path(name)
        for file in lines.files:
            shutil.copy(file, folder)
        (folder / "structure.data").write_text(data_text(atoms, lines), encoding="utf-8")
        fields = {"atom_style": lines.atom_style, "commands": "\n".join(lines.commands), "temperature": temperature}
        cpu, wall = [], 0.0
        for number in (0, steps):
            deck = _DECK.format(**fields, warm_up=warm_up, steps=number)
            (folder / "in.lammps").write_text(deck, encoding="utf-8")
            command = [str(find_executable()), "-in", "in.lammps", "-log", "log.lammps", "-screen", "none", "-nocite"]
            if n_ranks > 1:
                command = [str(find_executable().with_name("mpiexec")), "-n", str(n_ranks), *command]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, cwd=folder, env={**os.environ, **_THREADS}, check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
            loops = re.findall(r"Loop time of (\S+) on", (folder / "log.lammps").read_text(encoding="utf-8"))
            wall = float(loops[-1])
    return {"cpu_s": (cpu[1] - cpu[0]) / steps, "wall_s": wall / steps}


class _ChgnetRun:
    """CHGNet's own dynamics in ASE, on one thread."""

    def __init__(self, atoms: Any) -> None:
        from ase import units
        from ase.md.langevin import Langevin

        from mlip_sse import load_reference

        self.atoms = atoms.copy()
        self.atoms.calc = load_reference("chgnet").calculator()
        self.dynamics = Langevin(self.atoms, 2 * units.fs, temperature_K=600, friction=0.01 / units.fs, fixcm=False)
        self.dynamics.run(1)

    def run(self, steps: int) -> dict[str, float]:
        cpu, wall = time.process_time(), time.perf_counter()
        self.dynamics.run(steps)
        return {"cpu_s": (time.process_time() - cpu) / steps, "wall_s": (time.perf_counter() - wall) / steps}


def _table(measured: dict[str, Any]) -> str:
    n_atoms, rounds = measured["n_atoms"], measured["rounds"]
    best = {
        name: {key: min(each[key] for each in found) for key in ("cpu_s", "wall_s")}
        for name, found in rounds.items()
        if found
    }
    table = [
        [name, f"{1e3 * row['cpu_s']:.2f}", f"{1e3 * row['wall_s']:.2f}", f"{n_atoms / row['cpu_s']:,.0f}"]
        for name, row in best.items()
    ]
    head = [f"{n_atoms} atoms", "CPU ms a step", "wall ms a step", "atom-steps / CPU s"]
    lines = [*aligned([head, *table]), ""]
    lines.append(f"two ranks: {best['1 rank']['wall_s'] / best['2 ranks']['wall_s']:.2f} times one (wall time)")
    if "CHGNet" in best:
        lines.append(f"POD over CHGNet, CPU: {best['CHGNet']['cpu_s'] / best['1 rank']['cpu_s']:.0f} times as fast")
    lines.append(f"load before and after each round: {', '.join(f'{value:.1f}' for value in measured['load'])}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
