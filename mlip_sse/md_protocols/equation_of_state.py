"""Energies over volumes: relaxed at each, fitted, and held against the stress."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.analysis.results import Verdict
from mlip_sse.errors import InputError
from mlip_sse.md_protocols.birch_murnaghan import BirchMurnaghan, NoMinimumError, fit_energies, fit_pressures
from mlip_sse.md_protocols.relaxation import Relaxation, relax_as
from mlip_sse.md_protocols.static_specs import EquationOfStateSpec
from mlip_sse.units import EV_PER_A3_TO_GPA

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EquationOfState", "equation_of_state"]

_MODULI_AGREE = 0.1
_VOLUMES_AGREE = 0.01
_MIN_POINTS = 7


@dataclass(frozen=True, eq=False)
class EquationOfState:
    """An equation of state, from energies and, as a check, from stresses.

    Parameters
    ----------
    volumes : (n,) Å³ of the cell
    energies : (n,) eV of the cell, relaxed
    pressures_gpa : (n,) GPa
    n_atoms
        In the cell.
    fit
        The equation through the energies; None where it is refused.
    from_stress
        The equation through the pressures; None where these do not fall through zero.
    verdict
        Weak where the two disagree; refused where there is no minimum inside, or too few volumes could be relaxed.
    """

    volumes: NDArray[np.float64]
    energies: NDArray[np.float64]
    pressures_gpa: NDArray[np.float64]
    n_atoms: int
    fit: BirchMurnaghan | None
    from_stress: BirchMurnaghan | None
    verdict: Verdict

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, volumes and energies for an atom."""
        return {
            "n_atoms": self.n_atoms,
            "volumes_a3_atom": self.volumes / self.n_atoms,
            "energies_ev_atom": self.energies / self.n_atoms,
            "pressures_gpa": self.pressures_gpa,
            **_quantities(self.fit, self.n_atoms),
            "from_stress": None if self.from_stress is None else _quantities(self.from_stress, self.n_atoms),
            "quality": self.verdict.quality,
            "reasons": self.verdict.reasons,
        }

    def plot(self) -> "Figure":
        """Draw energies and pressures over volumes with the fit, as a matplotlib figure."""
        from mlip_sse.md_protocols.plots import plot_equation_of_state

        return plot_equation_of_state(self)


def equation_of_state(
    atoms: Atoms, calculator: Any, spec: EquationOfStateSpec, progress: Callable[[int], None] | None = None
) -> EquationOfState:
    """Return the equation of state of a structure.

    Parameters
    ----------
    atoms
        The structure; its cell shape is kept unless the spec relaxes it.
    calculator
        An ASE calculator with energy, forces and stress.
    spec
        The protocol.
    progress
        Called with the number of relaxations done.

    Raises
    ------
    InputError
        When atoms overlap.
    """
    tell = progress if progress is not None else lambda n_done: None
    middle = atoms
    if spec.centre == "relaxed":
        centre = relax_as(spec, atoms, calculator, "free" if spec.relax == "shape" else "isotropic")
        if centre.verdict.reasons:
            nothing = np.empty(0)
            reason = f"the middle of the volumes: {'; '.join(centre.verdict.reasons)}"
            return EquationOfState(nothing, nothing, nothing, len(atoms), None, None, Verdict().refuse(reason))
        middle = centre.atoms
    tell(1)
    relaxed: list[Relaxation] = []
    verdict = Verdict()
    for index, ratio in enumerate(np.linspace(1 - spec.volume_strain, 1 + spec.volume_strain, spec.n_volumes)):
        strained = middle.copy()
        strained.set_cell(middle.cell.array * np.cbrt(ratio), scale_atoms=True)
        point = relax_as(spec, strained, calculator, "shape" if spec.relax == "shape" else "fixed")
        if point.verdict.reasons:
            verdict = verdict.weaken(f"left out the volume {ratio - 1:+.1%}: {'; '.join(point.verdict.reasons)}")
        else:
            relaxed.append(point)
        tell(index + 2)
    return _fitted(relaxed, len(atoms), verdict)


def _fitted(relaxed: list[Relaxation], n_atoms: int, verdict: Verdict) -> EquationOfState:
    volumes = np.array([point.atoms.get_volume() for point in relaxed])
    energies = np.array([point.energy for point in relaxed])
    pressures_gpa = np.array([point.pressure_gpa for point in relaxed])
    fit = from_stress = None
    if len(relaxed) < _MIN_POINTS:
        verdict = verdict.refuse(f"found {len(relaxed)} volumes that could be relaxed, expected {_MIN_POINTS} or more")
    else:
        try:
            fit = fit_energies(volumes, energies)
        except NoMinimumError as error:
            verdict = verdict.refuse(str(error))
        try:
            from_stress = fit_pressures(volumes, pressures_gpa / EV_PER_A3_TO_GPA)
        except NoMinimumError as error:
            verdict = verdict.weaken(f"stress: {error}")
    if fit is not None and from_stress is not None:
        verdict = _compared(fit, from_stress, verdict)
    return EquationOfState(volumes, energies, pressures_gpa, n_atoms, fit, from_stress, verdict)


def _compared(fit: BirchMurnaghan, from_stress: BirchMurnaghan, verdict: Verdict) -> Verdict:
    """Weaken the verdict where energies and stresses tell different stories: kinks, or a wrong virial."""
    for name, ours, theirs, agree in (
        ("V0 in Å³", fit.volume, from_stress.volume, _VOLUMES_AGREE),
        ("K0 in GPa", fit.bulk_modulus_gpa, from_stress.bulk_modulus_gpa, _MODULI_AGREE),
    ):
        if ours.value is None or theirs.value is None:
            raise InputError(f"found no {name}, expected a fit")
        if abs(ours.value - theirs.value) > agree * abs(ours.value):
            verdict = verdict.weaken(f"{name}: {ours.value:.4g} from energies, {theirs.value:.4g} from stresses")
    return verdict


def _quantities(fit: BirchMurnaghan | None, n_atoms: int) -> dict[str, Any]:
    if fit is None:
        return {"volume_a3_atom": None, "bulk_modulus_gpa": None, "bulk_modulus_slope": None}
    return {
        "volume_a3_atom": fit.volume.scaled(1 / n_atoms),
        "bulk_modulus_gpa": fit.bulk_modulus_gpa,
        "bulk_modulus_slope": fit.bulk_modulus_slope,
    }
