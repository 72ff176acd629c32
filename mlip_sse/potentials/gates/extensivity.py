"""Twice the crystal has twice the energy and the same forces."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from mlip_sse.errors import MlipSseError
from mlip_sse.potentials.contract import Potential
from mlip_sse.potentials.gates.result import GateResult

__all__ = ["extensivity"]

_ENERGY_LIMIT = 1e-5  # eV/atom
_FORCE_LIMIT = 1e-4  # eV/Å: single precision, summed in another order


def extensivity(potential: Potential, structures: Sequence[Atoms]) -> GateResult:
    """Double each structure along its shortest vector.

    The larger of |ΔE| / (1e-5 eV/atom) and max |ΔF| / 1e-4 eV/Å must not exceed 1.
    """
    worst, where = 0.0, ""
    calculator = potential.calculator()
    try:
        for number, atoms in enumerate(structures, start=1):
            repeats = [1, 1, 1]
            repeats[int(np.argmin(atoms.cell.lengths()))] = 2
            energy, forces = (np.array(calculator.get_property(name, atoms)) for name in ("energy", "forces"))
            double = atoms.repeat(repeats)
            energies = abs(float(calculator.get_property("energy", double)) / 2 - float(energy)) / len(atoms)
            apart = float(np.abs(calculator.get_property("forces", double) - np.tile(forces, (2, 1))).max())
            found = max(energies / _ENERGY_LIMIT, apart / _FORCE_LIMIT)
            if found >= worst:
                worst, where = found, f"structure {number}: {energies:.2g} eV/atom, {apart:.2g} eV/Å apart"
    except MlipSseError as error:
        return GateResult("extensivity", False, None, 1.0, "of the limit", str(error))
    return GateResult("extensivity", worst <= 1.0, worst, 1.0, "of the limit", f"worst {where}")
