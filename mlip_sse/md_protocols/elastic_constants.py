"""Elastic constants of a crystal: strain it, relax its ions, read the stress; hold K against an equation of state."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.analysis.mechanics.crystal_symmetry import CrystalSymmetry, crystal_symmetry
from mlip_sse.analysis.mechanics.elastic_tensor import ElasticTensor, distinct_modes, fit_elastic_tensor, strain_modes
from mlip_sse.analysis.mechanics.strains import (
    deformation_gradient,
    second_piola_kirchhoff,
    strain_tensor,
    stress_tensor,
    stress_voigt,
)
from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.md_protocols.elastic_specs import ElasticSpec
from mlip_sse.md_protocols.equation_of_state import EquationOfState, equation_of_state
from mlip_sse.md_protocols.relaxation import Relaxation, relax_as
from mlip_sse.units import EV_PER_A3_TO_GPA

__all__ = ["ElasticScan", "elastic_scan"]

_MODULI_AGREE = 0.1
_NAMES = ("xx", "yy", "zz", "yz", "xz", "xy")


@dataclass(frozen=True, eq=False)
class ElasticScan:
    """Elastic constants, in the axes of the conventional cell, and what was done for them.

    Parameters
    ----------
    base
        The unstrained crystal in those axes, ions relaxed.
    space_group
        International symbol and number.
    residual_stress_gpa : (6,) GPa
        Stress of the unstrained crystal.
    modes
        Which of the strains xx, yy, zz, yz, xz, xy were applied.
    strains : (n, 6)
        Lagrangian strains with engineering shears, each applied with both signs.
    stresses_gpa : (n, 2, 6) GPa
        Second Piola-Kirchhoff stresses at + and −.
    tensor
        The constants; None where they were refused before the fit.
    equation_of_state
        Through the same cell; None where it was not come to.
    verdict
        Of all together.
    """

    base: Relaxation
    space_group: str
    residual_stress_gpa: NDArray[np.float64]
    modes: tuple[str, ...]
    strains: NDArray[np.float64]
    stresses_gpa: NDArray[np.float64]
    tensor: ElasticTensor | None
    equation_of_state: EquationOfState | None
    verdict: Verdict

    @property
    def bulk_modulus_from_volumes(self) -> Interval | None:
        """K in GPa of the equation of state."""
        fit = None if self.equation_of_state is None else self.equation_of_state.fit
        return None if fit is None else fit.bulk_modulus_gpa

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        tensor = self.tensor
        moduli = {} if tensor is None else tensor.moduli
        named = {name if name in ("poisson", "anisotropy") else f"{name}_gpa": each for name, each in moduli.items()}
        return {
            "n_atoms": len(self.base.atoms),
            "space_group": self.space_group,
            "residual_stress_gpa": self.residual_stress_gpa,
            "modes": self.modes,
            "strains": self.strains,
            "stresses_gpa": self.stresses_gpa,
            "n_constants": None if tensor is None else tensor.n_constants,
            "stiffness_gpa": None if tensor is None else tensor.stiffness_gpa,
            "stiffness_low_gpa": None if tensor is None else tensor.low_gpa,
            "stiffness_high_gpa": None if tensor is None else tensor.high_gpa,
            "eigenvalues_gpa": None if tensor is None else [each.value for each in tensor.eigenvalues_gpa],
            "misfit": None if tensor is None else tensor.misfit,
            "moduli": named,
            "bulk_from_volumes_gpa": self.bulk_modulus_from_volumes,
            "quality": self.verdict.quality,
            "reasons": self.verdict.reasons,
        }


def elastic_scan(
    atoms: Atoms, calculator: Any, spec: ElasticSpec, progress: Callable[[int, int], None] | None = None
) -> ElasticScan:
    """Return the elastic constants of a crystal.

    Parameters
    ----------
    atoms
        The crystal; a primitive cell is enough.
    calculator
        An ASE calculator with energy, forces and stress.
    spec
        The protocol; its structure and potential are not read.
    progress
        Called with the number of relaxations done and their total.

    Raises
    ------
    InputError
        When atoms overlap, or have no symmetry that can be found.
    """
    tell = progress if progress is not None else lambda n_done, n_all: None
    base = relax_as(spec, atoms, calculator, "free" if spec.cell == "relaxed" else "fixed")
    symmetry = _symmetry(base.atoms, spec)
    turned = _in_axes(base, symmetry)
    residual = turned.stress * EV_PER_A3_TO_GPA
    verdict = _base_verdict(base, residual, spec)
    group = _symmetry(turned.atoms, spec).rotations
    modes = tuple(range(6)) if spec.modes == "all" else distinct_modes(group)
    strains = np.array([size * strain_modes()[mode] for size in sorted(spec.strain_sizes) for mode in modes])
    names = tuple(_NAMES[mode] for mode in modes)
    if verdict.reasons:
        nothing = np.empty((0, 2, 6))
        return ElasticScan(turned, symmetry.space_group, residual, names, strains, nothing, None, None, verdict)
    n_all = 2 * len(strains) + spec.n_volumes + 1
    stresses = np.zeros((len(strains), 2, 6))
    for index, strain in enumerate(strains):
        for side, sign in enumerate((1.0, -1.0)):
            stresses[index, side], reason = _strained(turned.atoms, sign * strain, calculator, spec)
            if reason is not None:
                verdict = verdict.refuse(reason)
            tell(1 + 2 * index + side, n_all)
    tensor = None if verdict.reasons else fit_elastic_tensor(strains, stresses, group)
    volumes = equation_of_state(
        turned.atoms, calculator, spec.equation_of_state(), lambda done: tell(2 * len(strains) + done, n_all)
    )
    verdict = _joined(tensor, volumes, verdict)
    return ElasticScan(
        turned,
        symmetry.space_group,
        residual,
        names,
        strains,
        stresses * EV_PER_A3_TO_GPA,
        tensor,
        volumes,
        verdict,
    )


def _symmetry(atoms: Atoms, spec: ElasticSpec) -> CrystalSymmetry:
    return crystal_symmetry(
        atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers.tolist(), spec.symmetry_tolerance_a
    )


def _in_axes(base: Relaxation, symmetry: CrystalSymmetry) -> Relaxation:
    """Return the crystal turned into the axes of its conventional cell."""
    turn = symmetry.standard_axes
    atoms = base.atoms.copy()
    if np.linalg.det(turn) < 0:
        turn = -turn
    atoms.set_cell(atoms.cell.array @ turn.T)
    atoms.positions = base.atoms.positions @ turn.T
    stress = stress_voigt(turn @ stress_tensor(base.stress) @ turn.T)
    return Relaxation(atoms, base.energy, base.forces @ turn.T, stress, base.n_steps, base.energies, base.verdict)


def _strained(
    atoms: Atoms, strain: NDArray[np.float64], calculator: Any, spec: ElasticSpec
) -> tuple[NDArray[np.float64], str | None]:
    """Return the second Piola-Kirchhoff stress (eV/Å³) of a strained crystal, and why it is not to be had."""
    gradient = deformation_gradient(strain_tensor(strain))
    moved = atoms.copy()
    moved.set_cell(atoms.cell.array @ gradient.T, scale_atoms=True)
    found = relax_as(spec, moved, calculator, "fixed")
    reason = None
    if found.verdict.reasons:
        mode = int(np.abs(strain).argmax())
        reason = f"strain {_NAMES[mode]} {np.sign(strain[mode]):+.0f}: {'; '.join(found.verdict.reasons)}"
    return stress_voigt(second_piola_kirchhoff(stress_tensor(found.stress), gradient)), reason


def _base_verdict(base: Relaxation, residual_gpa: NDArray[np.float64], spec: ElasticSpec) -> Verdict:
    verdict = Verdict()
    if base.verdict.reasons:
        verdict = verdict.refuse(f"the unstrained crystal: {'; '.join(base.verdict.reasons)}")
    largest = int(np.abs(residual_gpa).argmax())
    if abs(residual_gpa[largest]) > spec.residual_stress_gpa:
        advice = "relax the cell first (cell: relaxed)" if spec.cell == "given" else "lower stress_tolerance_gpa"
        verdict = verdict.refuse(
            f"the unstrained crystal is under stress: found {residual_gpa[largest]:.3g} GPa ({_NAMES[largest]}), "
            f"expected at most {spec.residual_stress_gpa:g}; {advice}"
        )
    return verdict


def _joined(tensor: ElasticTensor | None, volumes: EquationOfState, verdict: Verdict) -> Verdict:
    if tensor is not None:
        for reason in tensor.verdict.reasons:
            worst = tensor.verdict.quality == "refused"
            verdict = verdict.refuse(reason) if worst else verdict.weaken(reason)
    if volumes.fit is None:
        return verdict.weaken(f"no check by an equation of state: {'; '.join(volumes.verdict.reasons)}")
    for reason in volumes.verdict.reasons:
        verdict = verdict.weaken(f"equation of state: {reason}")
    # The volumes keep the shape of the cell, so that theirs is Voigt's bulk modulus, not Hill's.
    ours = None if tensor is None else tensor.moduli.get("bulk_voigt")
    theirs = volumes.fit.bulk_modulus_gpa.value
    if ours is None or ours.value is None or theirs is None:
        return verdict
    if abs(theirs - ours.value) > _MODULI_AGREE * ours.value:
        verdict = verdict.weaken(
            f"K is {ours.value:.4g} GPa from stresses and {theirs:.4g} from energies over volumes: more than "
            f"{_MODULI_AGREE:.0%} apart, the energy has kinks or the stress is wrong"
        )
    return verdict
