"""Run any ASE calculator inside of LAMMPS through ``fix external``: what is left where no compiler is.

LAMMPS asks this process for the forces at each step. So it must be the LAMMPS of this process, on one rank; the program
``lmp`` cannot do it.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from mlip_sse.errors import InputError, RunError
from mlip_sse.potentials.contract import Potential

__all__ = ["ExternalForce", "attach_external_force", "give_to_lammps"]

_PLUGIN_STYLES = ("nequip", "allegro")  # families whose pair style has the same name
_FIX = "mlip_sse_external"
_VIRIAL_ORDER = [0, 1, 2, 5, 4, 3]  # ASE counts xx yy zz yz xz xy, LAMMPS xx yy zz xy xz yz
_NO_INTERACTION_A = 1.0  # cutoff of the pair style that stands in: LAMMPS wants one


class ExternalForce:
    """A calculator that answers LAMMPS, made by `attach_external_force`.

    Parameters
    ----------
    calculator
        With energy (eV), forces (eV/Å) and stress (eV/Å³); energies of single atoms are passed on where it has them.
    elements
        Chemical symbols of the atom types 1, 2, …
    """

    def __init__(self, calculator: Calculator, elements: Sequence[str]) -> None:
        self.calculator = calculator
        self.elements = np.array(["X", *elements])
        self.failure: Exception | None = None

    def evaluate(self, engine: Any, step: int, n_atoms: int, tags: Any, positions: Any, forces: Any) -> None:
        """Fill ``forces`` and tell LAMMPS energy and virial; LAMMPS calls this at each step.

        What fails in here cannot leave through LAMMPS, which is C: it is kept in `failure`, energy and forces become
        NaN, so that no number can be mistaken for a result, and LAMMPS is told to end the run, which it does within ten
        steps.
        """
        try:
            atoms = self._atoms(engine, n_atoms, positions)
            self.calculator.calculate(atoms, ["energy", "forces", "stress"])
            results = self.calculator.results
            virial = -np.asarray(results["stress"])[_VIRIAL_ORDER] * atoms.get_volume()
            forces[:n_atoms] = results["forces"]
            engine.fix_external_set_energy_global(_FIX, float(results["energy"]))
            engine.fix_external_set_virial_global(_FIX, virial.tolist())
            if "energies" in results:
                engine.fix_external_set_energy_peratom(_FIX, np.asarray(results["energies"], dtype=float).tolist())
        except Exception as error:  # whatever a calculator raises
            self.failure = error
            forces[:n_atoms] = np.nan
            engine.fix_external_set_energy_global(_FIX, float("nan"))
            engine.force_timeout()

    def raise_failure(self) -> None:
        """Raise what the calculator stumbled over, if anything.

        Raises
        ------
        RunError
            With the calculator's own words.
        """
        if self.failure is not None:
            words = " ".join(str(self.failure).split()) or type(self.failure).__name__
            raise RunError(f"the calculator failed inside of LAMMPS: {words}") from self.failure

    def _atoms(self, engine: Any, n_atoms: int, positions: Any) -> Atoms:
        low, high, xy, yz, xz, periodic, _ = engine.extract_box()
        edges = np.subtract(high, low)
        cell = [[edges[0], 0.0, 0.0], [xy, edges[1], 0.0], [xz, yz, edges[2]]]
        types = engine.numpy.extract_atom("type")[:n_atoms]
        return Atoms(
            self.elements[types], positions=positions[:n_atoms] - low, cell=cell, pbc=np.asarray(periodic) != 0
        )


def attach_external_force(engine: Any, calculator: Calculator, elements: Sequence[str]) -> ExternalForce:
    """Let an ASE calculator drive a LAMMPS of this process, in place of a pair style, and say so in a warning.

    Parameters
    ----------
    engine
        A ``lammps.lammps`` in units ``metal`` with its box and masses.
    calculator
        The potential's calculator.
    elements
        Chemical symbols of the atom types 1, 2, …

    Returns
    -------
    ExternalForce
        Call its `raise_failure` when LAMMPS stops.

    Raises
    ------
    InputError
        When LAMMPS runs on more than one rank, in other units, or with another number of atom types.
    """
    if (n_ranks := engine.extract_setting("world_size")) > 1:
        raise InputError(
            f"fix external runs on one MPI rank, found {n_ranks}: compile the pair style with mlip-sse build-plugin"
        )
    if (units := engine.extract_global("units")) != "metal":
        raise InputError(f"found LAMMPS units {units!r}, expected 'metal' (eV, Å): write units metal into the deck")
    if (n_types := engine.extract_setting("ntypes")) != len(elements):
        raise InputError(f"found {len(elements)} elements for {n_types} atom types of LAMMPS, expected one for each")
    force = ExternalForce(calculator, elements)
    engine.commands_list(
        [
            f"pair_style zero {_NO_INTERACTION_A}",
            "pair_coeff * *",
            f"fix {_FIX} all external pf/callback 1 1",
            f"fix_modify {_FIX} energy yes virial yes",
        ]
    )
    engine.set_fix_external_callback(_FIX, force.evaluate, engine)
    warnings.warn(
        "LAMMPS evaluates the potential through fix external, on one rank and in this process only; "
        "where there is a C++ compiler, mlip-sse build-plugin gives the pair style, which runs in lmp too",
        stacklevel=2,
    )
    return force


def give_to_lammps(engine: Any, potential: Potential, elements: Sequence[str] | None = None) -> ExternalForce | None:
    """Let a potential drive a LAMMPS of this process: by its pair style, or through fix external where that is missing.

    Parameters
    ----------
    engine
        A ``lammps.lammps`` in units ``metal`` with its box and masses.
    potential
        Of any family.
    elements
        Chemical symbols of the atom types 1, 2, …; None: the potential's own order.

    Returns
    -------
    ExternalForce or None
        What answers LAMMPS where the pair style was never compiled; then there was a warning.
    """
    if potential.family in _PLUGIN_STYLES and not engine.has_style("pair", potential.family):
        return attach_external_force(engine, potential.calculator(), elements or potential.card.elements)
    lines = potential.lammps(elements)
    paths = {path.name: str(path) for path in lines.files}
    engine.commands_list([" ".join(paths.get(word, word) for word in line.split()) for line in lines.commands])
    return None
