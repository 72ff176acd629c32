"""Forces and stress must be the derivatives of the energy, or no dynamics conserves anything."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from mlip_sse.errors import MlipSseError
from mlip_sse.potentials.contract import Potential
from mlip_sse.potentials.gates.result import GateResult
from mlip_sse.units import EV_PER_A3_TO_GPA

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

__all__ = ["finite_differences", "numerical_force", "numerical_stress"]

_FORCE_LIMIT = 2e-3  # eV/Å: single precision leaves 1e-3 of noise with this step, and labels are known to 1e-2
_STRESS_LIMIT_GPA = 2e-2
_STEP, _STRAIN = 1e-2, 2e-3
_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_N_ATOMS = 4


def finite_differences(potential: Potential, structures: Sequence[Atoms]) -> GateResult:
    """Compare forces on a few atoms, one of each element first, and all stress components with differences.

    The larger of max |ΔF| / 2e-3 eV/Å and max |Δσ| / 0.02 GPa must not exceed 1.
    """
    worst, where = 0.0, ""
    calculator = potential.calculator()
    try:
        for number, atoms in enumerate(structures, start=1):
            forces = calculator.get_property("forces", atoms)
            stress = calculator.get_property("stress", atoms)
            for index in _one_of_each(atoms):
                for axis in range(3):
                    apart = abs(numerical_force(calculator, atoms, index, axis) - forces[index, axis])
                    if apart / _FORCE_LIMIT >= worst:
                        worst = apart / _FORCE_LIMIT
                        where = f"structure {number}, force on {atoms.symbols[index]} {index}: {apart:.2g} eV/Å apart"
            for component in range(6):
                apart = abs(numerical_stress(calculator, atoms, component) - stress[component]) * EV_PER_A3_TO_GPA
                if apart / _STRESS_LIMIT_GPA >= worst:
                    worst = apart / _STRESS_LIMIT_GPA
                    where = f"structure {number}, stress component {component + 1}: {apart:.2g} GPa apart"
    except MlipSseError as error:
        return GateResult("finite_differences", False, None, 1.0, "of the limit", str(error))
    return GateResult("finite_differences", worst <= 1.0, worst, 1.0, "of the limit", f"worst {where}")


def numerical_force(calculator: "Calculator", atoms: Atoms, index: int, axis: int, step: float = _STEP) -> float:
    """Return -dE/dx of one coordinate in eV/Å, from four points."""

    def energy(shift: float) -> float:
        moved = atoms.copy()
        moved.positions[index, axis] += shift
        return float(calculator.get_property("energy", moved))

    return -_derivative(energy, step)


def numerical_stress(calculator: "Calculator", atoms: Atoms, component: int, step: float = _STRAIN) -> float:
    """Return one Voigt component of the stress, (dE/dε)/V in eV/Å³, from four points."""
    row, column = _VOIGT[component]

    def energy(size: float) -> float:
        deformation = np.eye(3)
        deformation[row, column] += 0.5 * size
        deformation[column, row] += 0.5 * size
        moved = atoms.copy()
        moved.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
        return float(calculator.get_property("energy", moved))

    return _derivative(energy, step) / float(atoms.get_volume())


def _derivative(function: Callable[[float], float], step: float) -> float:
    """Return f'(0) = [8(f₁ - f₋₁) - (f₂ - f₋₂)]/(12 h), exact to the order h⁴."""
    near = function(step) - function(-step)
    far = function(2 * step) - function(-2 * step)
    return (8 * near - far) / (12 * step)


def _one_of_each(atoms: Atoms) -> list[int]:
    symbols = np.array(atoms.get_chemical_symbols())
    chosen = [int(np.flatnonzero(symbols == element)[0]) for element in sorted(set(symbols.tolist()))]
    others = [index for index in range(len(atoms)) if index not in chosen]
    return [*chosen, *others[: max(0, _N_ATOMS - len(chosen))]]
