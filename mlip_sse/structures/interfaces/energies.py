"""What an interface costs before anything moves: the strain of each side, and the gap of lowest energy.

Any ASE calculator will do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray

from mlip_sse.errors import InputError, RunError
from mlip_sse.structures.interfaces.interface import Interface

__all__ = ["GapScan", "StrainEnergy", "gap_scan", "strain_energy"]

_MAX_STEPS = 500


@dataclass(frozen=True)
class StrainEnergy:
    """The energy that bringing both sides into one cell has cost, for the atoms of the interface cell.

    Parameters
    ----------
    energies_ev
        Of a and of b: (energy per atom of the strained crystal - of the free one) times the atoms of the side.
    energies_per_atom_ev
        The same, per atom of the side.
    area
        Å² of the plane cell.
    is_relaxed
        Whether atoms, and the third cell vector of the strained crystal, were let go.
    """

    energies_ev: tuple[float, float]
    energies_per_atom_ev: tuple[float, float]
    area: float
    is_relaxed: bool

    @property
    def per_area(self) -> tuple[float, float]:
        """eV/Å² of a and of b: it grows with the thickness, being an energy of the bulk."""
        return self.energies_ev[0] / self.area, self.energies_ev[1] / self.area

    def to_dict(self) -> dict[str, Any]:
        """Return the energies of both sides."""
        return {
            name: {
                "energy_ev": self.energies_ev[index],
                "energy_per_atom_ev": self.energies_per_atom_ev[index],
                "energy_per_area_ev_a2": self.per_area[index],
                "is_relaxed": self.is_relaxed,
            }
            for index, name in enumerate(("a", "b"))
        }


@dataclass(frozen=True)
class GapScan:
    """Energies of an interface with rigid sides against the gap.

    Parameters
    ----------
    gaps : (n_gaps,) Å
        Rising.
    energies : (n_gaps,) eV
        Of the whole cell.
    best_gap
        Å: the lowest point of the parabola through the lowest energy and its neighbours, or the end of the scan.
    is_at_end
        Whether the lowest energy is at an end of the scan: then scan further.
    best
        The interface at the best gap.
    """

    gaps: NDArray[np.float64]
    energies: NDArray[np.float64]
    best_gap: float
    is_at_end: bool
    best: Interface = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the scan as plain values."""
        return {
            "gaps_a": self.gaps.tolist(),
            "energies_ev": self.energies.tolist(),
            "best_gap_a": self.best_gap,
            "is_at_end": self.is_at_end,
        }


def strain_energy(interface: Interface, calculator: Calculator, fmax: float | None = None) -> StrainEnergy:
    """Return what the strain of either side costs.

    E_strain = N (e_strained - e_free), e of one bulk repeat per atom.

    Parameters
    ----------
    interface
        As built.
    calculator
        Any ASE calculator.
    fmax
        eV/Å: let atoms relax, and in the strained crystal the third cell vector too, until no force exceeds it. None
        takes the crystals as they are, which counts a little too much.

    Raises
    ------
    RunError
        When an energy is not a number, or a relaxation does not end.
    """
    numbers = [int(np.sum(interface.side == index)) for index in (0, 1)]
    pairs = ((interface.crystal_a, interface.bulk_a), (interface.crystal_b, interface.bulk_b))
    per_atom = []
    for free, strained in pairs:
        if np.allclose(free.cell.array @ free.cell.array.T, strained.cell.array @ strained.cell.array.T, atol=1e-9):
            per_atom.append(0.0)
            continue
        rest = _energy(free, calculator, fmax, lets_height_go=False)
        per_atom.append((_energy(strained, calculator, fmax, lets_height_go=True) - rest) / len(free))
    return StrainEnergy(
        energies_ev=(per_atom[0] * numbers[0], per_atom[1] * numbers[1]),
        energies_per_atom_ev=(per_atom[0], per_atom[1]),
        area=interface.area,
        is_relaxed=fmax is not None,
    )


def gap_scan(interface: Interface, calculator: Calculator, gaps: Sequence[float]) -> GapScan:
    """Return the energies of the interface at several gaps, both sides rigid as built, and the best gap.

    Parameters
    ----------
    interface
        As built; its own gap does not matter.
    calculator
        Any ASE calculator.
    gaps
        Å, rising, at least three.

    Raises
    ------
    InputError
        When the gaps are not three or more rising, positive numbers.
    RunError
        When an energy is not a number.
    """
    widths = np.asarray(gaps, dtype=np.float64)
    if widths.ndim != 1 or len(widths) < 3 or not np.all(np.diff(widths) > 0) or not 0 < widths[0] < widths[-1] < 100:
        raise InputError(f"gap scan: found gaps {list(gaps)}, expected at least three that rise, in Å, above 0")
    energies = np.array([_energy(interface.with_gap(float(gap)).atoms, calculator) for gap in widths])
    lowest = int(np.argmin(energies))
    is_at_end = lowest in (0, len(widths) - 1)
    best = (
        float(widths[lowest])
        if is_at_end
        else _vertex(widths[lowest - 1 : lowest + 2], energies[lowest - 1 : lowest + 2])
    )
    return GapScan(widths, energies, best, is_at_end, interface.with_gap(best))


def _vertex(points: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Return where the parabola through three points has its minimum."""
    curvature, slope, _ = np.polyfit(points - points[1], values, 2)
    return float(points[1] - slope / (2 * curvature)) if curvature > 0 else float(points[1])


def _energy(atoms: Atoms, calculator: Calculator, fmax: float | None = None, lets_height_go: bool = False) -> float:
    """Return eV of a copy of the atoms, relaxed where a force limit is given."""
    copy = atoms.copy()
    copy.calc = calculator
    if fmax is not None:
        from ase.filters import FrechetCellFilter
        from ase.optimize import FIRE

        moving = FrechetCellFilter(copy, mask=[0, 0, 1, 1, 1, 0]) if lets_height_go else copy
        if not FIRE(moving, logfile=None).run(fmax=fmax, steps=_MAX_STEPS):
            raise RunError(
                f"strain energy: {atoms.get_chemical_formula('metal')} did not come to rest below {fmax:g} eV/Å within "
                f"{_MAX_STEPS} steps, expected a crystal near its minimum: relax it first, or raise fmax"
            )
    energy = float(copy.get_potential_energy())
    if not np.isfinite(energy):
        raise RunError(
            f"{atoms.get_chemical_formula('metal')}: the calculator gave an energy of {energy}, expected a finite "
            "number: look for atoms that are too close"
        )
    return energy
