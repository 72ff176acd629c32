"""One static calculation by the LAMMPS program, from the deck lines of a potential, as users will run them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.lammps import Prism
from numpy.typing import NDArray

from mlip_sse.errors import RunError
from mlip_sse.potentials.contract import LammpsInput
from mlip_sse.potentials.lammps_data import data_text
from mlip_sse.potentials.lammps_install import find_executable
from mlip_sse.units import EV_PER_A3_TO_GPA

__all__ = ["StaticResult", "run_program", "static_by_program"]

_LIMIT_S = 600
_DECK = """\
units           metal
boundary        p p p
atom_style      {atom_style}
atom_modify     map array sort 0 0
box             tilt large
read_data       structure.data
{commands}
compute         virial all pressure NULL virial
thermo_style    custom step pe c_virial[*]
thermo_modify   format float %.15g
dump            forces all custom 1 forces.txt id fx fy fz
dump_modify     forces sort id format float %.15g
run             0
variable        energy equal pe
print           "energy $(v_energy:%.15g)" file energy.txt
print           "$(c_virial[1]:%.15g) $(c_virial[2]:%.15g) $(c_virial[3]:%.15g) $(c_virial[4]:%.15g) &
$(c_virial[5]:%.15g) $(c_virial[6]:%.15g)" file virial.txt
"""


@dataclass(frozen=True, eq=False)
class StaticResult:
    """Energy (eV), forces (n_atoms, 3) eV/Å and stress (6,) eV/Å³ (ASE's sign, Voigt order) of one structure."""

    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]


def static_by_program(atoms: Atoms, lines: LammpsInput) -> StaticResult:
    """Run ``lmp`` on one structure in a temporary folder.

    Raises
    ------
    RunError
        When LAMMPS stops, with its own words.
    MissingExtraError
        When there is no ``lmp``.
    """
    with tempfile.TemporaryDirectory(prefix="mlip-sse-") as name:
        folder = Path(name)
        for file in lines.files:
            shutil.copy(file, folder)
        (folder / "structure.data").write_text(data_text(atoms, lines), encoding="utf-8")
        deck = _DECK.format(atom_style=lines.atom_style, commands="\n".join(lines.commands))
        (folder / "in.lammps").write_text(deck, encoding="utf-8")
        run_program(folder, "in.lammps")
        return _read(folder, Prism(atoms.cell.array, pbc=atoms.pbc))


def run_program(
    folder: Path, deck: str, *, variables: Mapping[str, str] | None = None, limit_s: float = _LIMIT_S
) -> None:
    """Run ``lmp`` on a deck in its folder, one thread; ``variables`` replace those that the deck sets.

    Raises
    ------
    RunError
        When LAMMPS stops or takes longer than ``limit_s``.
    """
    command = [str(find_executable()), "-in", deck, "-log", "log.lammps", "-screen", "none", "-nocite"]
    for name, value in (variables or {}).items():
        command += ["-var", name, value]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"LAMMPS ran longer than {limit_s:g} s on {deck}: give it a smaller structure") from error
    if done.returncode != 0:
        log = folder / "log.lammps"
        lines = (log.read_text(encoding="utf-8", errors="replace") if log.is_file() else "").splitlines()
        lines += done.stderr.splitlines()
        reason = next((line for line in lines if "ERROR" in line), lines[-1] if lines else "no word")
        raise RunError(f"LAMMPS stopped with exit code {done.returncode}: {' '.join(reason.split())}")


def _read(folder: Path, prism: Prism) -> StaticResult:
    energy = float((folder / "energy.txt").read_text(encoding="utf-8").split()[1])
    rows = np.loadtxt(folder / "forces.txt", skiprows=9, ndmin=2)
    xx, yy, zz, xy, xz, yz = (float(word) for word in (folder / "virial.txt").read_text(encoding="utf-8").split())
    bar = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    stress = prism.tensor2_to_ase(-bar * 1e-4 / EV_PER_A3_TO_GPA)
    return StaticResult(energy, prism.vector_to_ase(rows[:, 1:]), stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]])
