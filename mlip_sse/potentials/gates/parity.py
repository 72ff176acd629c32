"""ASE and LAMMPS must give the same numbers: what is fitted and tested in one runs in the other."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from mlip_sse.errors import MlipSseError
from mlip_sse.potentials.contract import Potential
from mlip_sse.potentials.gates.deck_check import static_by_program
from mlip_sse.potentials.gates.result import GateResult
from mlip_sse.potentials.gates.structures import sheared
from mlip_sse.units import EV_PER_A3_TO_GPA

__all__ = ["FORCE_LIMIT", "STRESS_LIMIT_GPA", "parity"]

FORCE_LIMIT = 1e-5
"""eV/Å, and eV/atom for the energy."""

STRESS_LIMIT_GPA = 1e-4


def parity(potential: Potential, structures: Sequence[Atoms]) -> GateResult:
    """Compare the ASE calculator with the LAMMPS program on each structure and on a sheared copy of the first.

    The larger of max |ΔF| / 1e-5 eV/Å, |ΔE| / (1e-5 eV/atom) and max |Δσ| / 1e-4 GPa must not exceed 1.
    """
    worst, where = 0.0, ""
    calculator = potential.calculator()
    try:
        lines = potential.lammps()
        for number, atoms in enumerate([*structures, sheared(structures[0])], start=1):
            theirs = static_by_program(atoms, lines)
            forces = float(np.abs(calculator.get_property("forces", atoms) - theirs.forces).max())
            energy = abs(calculator.get_property("energy", atoms) - theirs.energy) / len(atoms)
            stress = float(np.abs(calculator.get_property("stress", atoms) - theirs.stress).max()) * EV_PER_A3_TO_GPA
            found = max(forces / FORCE_LIMIT, energy / FORCE_LIMIT, stress / STRESS_LIMIT_GPA)
            if found >= worst:
                worst = found
                where = f"structure {number}: {forces:.2g} eV/Å, {energy:.2g} eV/atom, {stress:.2g} GPa apart"
    except MlipSseError as error:
        return GateResult("parity", False, None, 1.0, "of the limit", str(error))
    return GateResult("parity", worst <= 1.0, worst, 1.0, "of the limit", f"ASE against lmp, worst {where}")
