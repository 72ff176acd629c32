"""Relax a structure with any ASE calculator, and say in words where it ended.

>>> from mlip_sse.md_protocols.relaxation import relax_atoms
>>> relaxed = relax_atoms(atoms, calculator, cell="free")  # doctest: +SKIP
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.analysis.results import Verdict
from mlip_sse.errors import InputError, RunError
from mlip_sse.units import EV_PER_A3_TO_GPA

if TYPE_CHECKING:
    from mlip_sse.md_protocols.static_specs import StaticSpec

__all__ = ["CellRelaxation", "Optimizer", "Relaxation", "closest_pair", "relax_as", "relax_atoms"]

CellRelaxation = Literal["free", "isotropic", "shape", "normal", "fixed"]
Optimizer = Literal["lbfgs", "fire"]

_OVERLAP = 0.5
"""Å; no two nuclei of a solid come nearer, the shortest bond there is measures 0.74."""
_VOLUME_FACTOR = 2.0
_NEVER = 1e-300


@dataclass(frozen=True, eq=False)
class Relaxation:
    """Where a relaxation ended.

    Parameters
    ----------
    atoms
        The last structure, without a calculator.
    energy
        eV.
    forces : (n_atoms, 3) eV/Å
    stress : (6,) eV/Å³, Voigt order of ASE
    n_steps
        Steps taken.
    energies : (n_steps + 1,) eV, the energy on the way
    verdict
        Passed when it converged; refused otherwise, with the reason.
    """

    atoms: Atoms
    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    n_steps: int
    energies: NDArray[np.float64]
    verdict: Verdict

    @property
    def max_force(self) -> float:
        """Largest force on an atom in eV/Å."""
        return _largest(self.forces)

    @property
    def pressure_gpa(self) -> float:
        """Mean pressure in GPa."""
        return float(-self.stress[:3].mean() * EV_PER_A3_TO_GPA)


@dataclass(frozen=True)
class _Goal:
    """When a structure counts as relaxed."""

    cell: CellRelaxation
    fmax: float
    stress_tolerance_gpa: float
    pressure_gpa: float

    def distance(self, forces: NDArray[np.float64], stress: NDArray[np.float64]) -> tuple[float, float]:
        """Return the largest force (eV/Å), and the largest stress (GPa) that the cell could still follow."""
        left = stress * EV_PER_A3_TO_GPA
        mean = left[:3].mean()
        if self.cell == "fixed":
            return _largest(forces), 0.0
        if self.cell == "isotropic":
            return _largest(forces), float(abs(mean + self.pressure_gpa))
        if self.cell == "normal":
            return _largest(forces), float(abs(left[2] + self.pressure_gpa))
        left[:3] -= mean if self.cell == "shape" else -self.pressure_gpa
        return _largest(forces), float(np.abs(left).max())

    def is_reached(self, forces: NDArray[np.float64], stress: NDArray[np.float64]) -> bool:
        force, left_gpa = self.distance(forces, stress)
        return force <= self.fmax and left_gpa <= self.stress_tolerance_gpa


def relax_atoms(
    atoms: Atoms,
    calculator: Any,
    *,
    cell: CellRelaxation = "fixed",
    optimizer: Optimizer = "lbfgs",
    fmax: float = 0.01,
    stress_tolerance_gpa: float = 0.02,
    pressure_gpa: float = 0.0,
    max_steps: int = 500,
    progress: Callable[[int, float], None] | None = None,
) -> Relaxation:
    """Relax positions, and the cell as far as asked, to the nearest minimum.

    Parameters
    ----------
    atoms
        Where to start; it stays as it is.
    calculator
        An ASE calculator with energy, forces and stress.
    cell
        ``free``, ``isotropic`` (the volume alone), ``shape`` (at this volume), ``normal`` (along z alone, the third
        vector, which is normal to the others) or ``fixed``.
    optimizer
        ``lbfgs`` or ``fire``.
    fmax
        Largest force on an atom that may be left, in eV/Å.
    stress_tolerance_gpa
        Largest stress that may be left in what relaxes of the cell.
    pressure_gpa
        External pressure.
    max_steps
        Steps after which it is given up.
    progress
        Called after each step with its number and the largest force (eV/Å).

    Returns
    -------
    Relaxation
        Refused, with the reason, when it did not converge or left what is a solid.

    Raises
    ------
    InputError
        When atoms of the start overlap, or a setting cannot be used.
    """
    _require_usable(atoms, cell, optimizer)
    goal = _Goal(cell, fmax, stress_tolerance_gpa, pressure_gpa)
    moving = atoms.copy()
    moving.calc = calculator
    energies: list[float] = []
    last: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    verdict = Verdict()
    try:
        for _ in _steps(moving, cell, optimizer, pressure_gpa, max_steps):
            energy, last = _evaluate(moving, cell != "fixed")
            energies.append(energy)
            if progress is not None:
                progress(len(energies) - 1, goal.distance(*last)[0])
            if (reason := _escaped(moving, atoms)) is not None:
                verdict = verdict.refuse(reason)
                break
            if goal.is_reached(*last):
                break
        else:
            verdict = _unconverged(goal, last, max_steps)
    except RunError as error:
        verdict = verdict.refuse(f"the potential stopped after {len(energies)} steps: {error}")
    if last is None:
        raise RunError(f"the first evaluation failed: {'; '.join(verdict.reasons)}")
    if cell == "fixed":
        last = (last[0], np.array(moving.get_stress()))
    moving.calc = None
    return Relaxation(moving, energies[-1], *last, len(energies) - 1, np.array(energies), verdict)


def relax_as(spec: "StaticSpec", atoms: Atoms, calculator: Any, cell: CellRelaxation) -> Relaxation:
    """Relax as a protocol says when a structure counts as relaxed; see `relax_atoms`."""
    return relax_atoms(
        atoms,
        calculator,
        cell=cell,
        optimizer=spec.optimizer,
        fmax=spec.fmax,
        stress_tolerance_gpa=spec.stress_tolerance_gpa,
        max_steps=spec.max_steps,
    )


def _require_usable(atoms: Atoms, cell: str, optimizer: str) -> None:
    if cell not in get_args(CellRelaxation) or optimizer not in get_args(Optimizer):
        known = f"one of {', '.join(get_args(CellRelaxation))} and of {', '.join(get_args(Optimizer))}"
        raise InputError(f"found cell {cell!r} and optimizer {optimizer!r}, expected {known}")
    if (nearest := closest_pair(atoms)) < _OVERLAP:
        raise InputError(f"found atoms {nearest:.2f} Å apart, expected at least {_OVERLAP} Å: check the structure")


def closest_pair(atoms: Atoms) -> float:
    """Return the distance of the nearest two atoms in Å, images included; infinite above 3 Å."""
    from ase.neighborlist import neighbor_list

    distances = neighbor_list("d", atoms, 3.0)
    return float(distances.min()) if len(distances) else float("inf")


def _steps(
    atoms: Atoms, cell: CellRelaxation, optimizer: Optimizer, pressure_gpa: float, max_steps: int
) -> Iterator[object]:
    from ase.filters import FrechetCellFilter
    from ase.optimize import FIRE, LBFGS

    moving: Any = atoms
    if cell != "fixed":
        moving = FrechetCellFilter(
            atoms,
            mask=[0, 0, 1, 0, 0, 0] if cell == "normal" else None,
            hydrostatic_strain=cell == "isotropic",
            constant_volume=cell == "shape",
            scalar_pressure=0.0 if cell == "shape" else pressure_gpa / EV_PER_A3_TO_GPA,
        )
    # The criteria are ours: ASE's mixes forces and stress of the cell in one number.
    yield from {"lbfgs": LBFGS, "fire": FIRE}[optimizer](moving, logfile=None).irun(fmax=_NEVER, steps=max_steps)


def _evaluate(atoms: Atoms, with_stress: bool) -> tuple[float, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return energy, forces and stress; zeros for a stress that nothing follows: it may cost as much as the rest."""
    energy = float(atoms.get_potential_energy())
    forces = np.array(atoms.get_forces())
    stress = np.array(atoms.get_stress()) if with_stress else np.zeros(6)
    if not (np.isfinite(energy) and np.isfinite(forces).all() and np.isfinite(stress).all()):
        raise RunError("found an energy, force or stress that is not finite")
    return energy, (forces, stress)


def _escaped(atoms: Atoms, start: Atoms) -> str | None:
    """Return why a structure has left the neighbourhood it started in, or None."""
    ratio = float(atoms.get_volume() / start.get_volume())
    if not 1 / _VOLUME_FACTOR < ratio < _VOLUME_FACTOR:
        return f"the volume changed by a factor of {ratio:.2f}: no minimum near the start"
    if (nearest := closest_pair(atoms)) < _OVERLAP:
        return f"two atoms came within {nearest:.2f} Å: the potential has no wall there"
    return None


def _unconverged(goal: _Goal, last: tuple[NDArray[np.float64], NDArray[np.float64]] | None, max_steps: int) -> Verdict:
    if last is None:
        return Verdict().refuse("no step was taken")
    force, left_gpa = goal.distance(*last)
    found = f"found {force:.3g} eV/Å and {left_gpa:.3g} GPa"
    wanted = f"expected {goal.fmax:g} eV/Å and {goal.stress_tolerance_gpa:g} GPa"
    return Verdict().refuse(f"not converged after {max_steps} steps: {found}, {wanted}; raise max_steps")


def _largest(forces: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(forces, axis=1).max())
