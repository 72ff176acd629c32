"""Energies of explicit interfaces: adhesion, formation, reaction.

All of them compare total energies in eV of cells that hold the same atoms, calculated with one potential and one set of
corrections. An energy is a number, a pair (value, standard error), or an `Interval`, whose half-width is then read as
that of a normal distribution; errors are taken to be independent. What carries no error gets no interval, and says so.

References
----------
M. L. Holekevi Chandrappa, J. Qi, C. Chen, S. Banerjee, S. P. Ong, J. Am. Chem. Soc. 144, 18009 (2022),
doi:10.1021/jacs.2c07482
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from scipy.special import ndtri

from mlip_sse.analysis.interphase.planes import interface_atoms
from mlip_sse.analysis.results import Interval
from mlip_sse.errors import InputError

__all__ = [
    "EV_PER_A2_TO_J_PER_M2",
    "NO_INTERVAL",
    "Energy",
    "FormationEnergy",
    "explicit_reaction_energy",
    "formation_energy",
    "interface_atoms",
    "work_of_adhesion",
]

Energy = float | tuple[float, float] | Interval
"""Number, (value, standard error), or interval; eV."""

EV_PER_A2_TO_J_PER_M2: Final = 16.02176634
NO_INTERVAL: Final = "no interval: the energies carry none"


@dataclass(frozen=True)
class FormationEnergy:
    """Formation energy of an interface in eV/Å².

    Parameters
    ----------
    chemical
        Against the strained bulks: bonds made and broken, nothing of the strain of a thick film.
    strain
        What the bulks' strain costs in this cell, over the same area; it grows with thickness, so that it is no
        property of the interface. None where relaxed energies were not given.
    """

    chemical: Interval
    strain: Interval | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return both parts in eV/Å² and in J/m²."""
        parts = {"chemical": self.chemical, "strain": self.strain}
        plain: dict[str, Any] = {f"{name}_ev_a2": part for name, part in parts.items()}
        return plain | {
            f"{name}_j_m2": None if part is None else part.scaled(EV_PER_A2_TO_J_PER_M2) for name, part in parts.items()
        }


def work_of_adhesion(
    slab_a: Energy, slab_b: Energy, interface: Energy, area: float, n_interfaces: int = 2, confidence: float = 0.95
) -> Interval:
    """Return the work that it takes to pull the two sides of an interface apart, in eV/Å²; > 0 where they stick.

    W_ad = (E_A,slab + E_B,slab − E_AB) / (n A)

    Parameters
    ----------
    slab_a, slab_b
        Energies of the slabs in vacuum in eV, in the in-plane cell of the interface; relaxed, for the work done
        slowly, or with the atoms where they are in the interface, for the work of a sudden cut.
    interface
        Energy of the cell with both in eV.
    area
        In-plane area of the cell in Å².
    n_interfaces
        Interfaces in the cell: 2 where it is periodic, 1 with vacuum.
    confidence
        Of the interval.

    Raises
    ------
    InputError
        When an energy is not finite, or area or number of interfaces are not positive.
    """
    scale = 1.0 / _whole_area(area, n_interfaces)
    return _combined(
        {"slab_a": (scale, slab_a), "slab_b": (scale, slab_b), "interface": (-scale, interface)}, confidence
    )


def formation_energy(
    interface: Energy,
    counts: Mapping[str, float],
    strained_bulks: Mapping[str, Energy],
    area: float,
    n_interfaces: int = 2,
    relaxed_bulks: Mapping[str, Energy] | None = None,
    confidence: float = 0.95,
) -> FormationEnergy:
    """Return the energy of an interface over that of the bulks it joins, in eV/Å².

    γ = (E_AB − Σ_i N_i ε_i) / (n A),  and by itself the strain  Σ_i N_i (ε_i − ε_i,relaxed) / (n A)

    Parameters
    ----------
    interface
        Energy of the cell in eV.
    counts
        How many formula units, or atoms, of each bulk the cell holds, by any names.
    strained_bulks
        Energy of each bulk in eV by formula unit, or by atom as the counts are, with the in-plane strain that it has in
        the interface.
    area
        In-plane area in Å².
    n_interfaces
        2 where the cell is periodic, 1 with vacuum; with vacuum two free surfaces are contained.
    relaxed_bulks
        The same without strain, for the part that strain has.
    confidence
        Of the intervals.

    Raises
    ------
    InputError
        When names differ, a count is not positive, or an energy is not finite.
    """
    scale = 1.0 / _whole_area(area, n_interfaces)
    for name, energies in (("strained_bulks", strained_bulks), ("relaxed_bulks", relaxed_bulks)):
        if energies is not None and set(energies) != set(counts):
            raise InputError(
                f"{name}: found energies of {', '.join(sorted(energies))}, expected those of the counts, "
                f"{', '.join(sorted(counts))}"
            )
    if not counts or any(not 0 < count < math.inf for count in counts.values()):
        raise InputError(f"found counts {dict(counts)}, expected at least one bulk and all of them positive")
    terms = {f"bulk {name}": (-scale * count, strained_bulks[name]) for name, count in counts.items()}
    chemical = _combined({"interface": (scale, interface), **terms}, confidence)
    if relaxed_bulks is None:
        return FormationEnergy(chemical)
    relaxed = {f"relaxed {name}": (-scale * count, relaxed_bulks[name]) for name, count in counts.items()}
    strained = {name: (-factor, energy) for name, (factor, energy) in terms.items()}
    return FormationEnergy(chemical, _combined({**strained, **relaxed}, confidence))


def explicit_reaction_energy(
    interface: Energy, slab_a: Energy, slab_b: Energy, n_interface_atoms: int, confidence: float = 0.95
) -> Interval:
    """Return the energy that two slabs gain by what happens where they meet, in eV by atom of the interface; < 0 gains.

    e_rxn = (E_AB − E_A,slab − E_B,slab) / N_interface

    Adhesion is part of it: an interface that only sticks has e_rxn = −W_ad n A / N_interface.

    Parameters
    ----------
    interface
        Energy of the annealed or relaxed cell in eV.
    slab_a, slab_b
        Energies of the relaxed slabs in vacuum in eV, in the same in-plane cell.
    n_interface_atoms
        Atoms at all interfaces of the cell; see `interface_atoms`.
    confidence
        Of the interval.

    Raises
    ------
    InputError
        When an energy is not finite or no atom is at the interface.

    References
    ----------
    Holekevi Chandrappa et al., doi:10.1021/jacs.2c07482
    """
    if not n_interface_atoms > 0:
        raise InputError(f"found {n_interface_atoms} atoms at the interface, expected at least one: choose more depth")
    scale = 1.0 / n_interface_atoms
    terms = {"interface": (scale, interface), "slab_a": (-scale, slab_a), "slab_b": (-scale, slab_b)}
    return _combined(terms, confidence)


def _whole_area(area: float, n_interfaces: int) -> float:
    if not (0 < area < math.inf and n_interfaces in (1, 2)):
        raise InputError(
            f"found {n_interfaces} interfaces of {area!r} Å², expected 1 (with vacuum) or 2 and a positive area"
        )
    return area * n_interfaces


def _combined(terms: Mapping[str, tuple[float, Energy]], confidence: float) -> Interval:
    """Return Σ_i f_i E_i with σ² = Σ_i f_i² σ_i²."""
    if not 0.0 < confidence < 1.0:
        raise InputError(f"confidence must lie between 0 and 1, found {confidence!r}")
    value = variance = 0.0
    known = False
    for name, (factor, energy) in terms.items():
        number, error = _number_and_error(name, energy)
        value += factor * number
        if error is not None:
            variance += (factor * error) ** 2
            known = True
    if not known:
        return Interval(value, math.nan, math.nan, math.nan, NO_INTERVAL)
    half = float(ndtri(0.5 * (1.0 + confidence))) * math.sqrt(variance)
    return Interval(value, value - half, value + half, confidence, "normal, independent errors of the energies")


def _number_and_error(name: str, energy: Energy) -> tuple[float, float | None]:
    error: float | None = None
    if isinstance(energy, Interval):
        if energy.value is None:
            raise InputError(f"energy of {name}: found a limit, expected a value")
        number = float(energy.value)
        if math.isfinite(energy.high - energy.low):
            error = 0.5 * (energy.high - energy.low) / float(ndtri(0.5 * (1.0 + energy.confidence)))
    elif isinstance(energy, tuple):
        number, error = float(energy[0]), float(energy[1])
    else:
        number = float(energy)
    if not math.isfinite(number) or (error is not None and not 0 <= error < math.inf):
        raise InputError(f"energy of {name}: found {energy!r}, expected a finite energy in eV, and an error ≥ 0")
    return number, error
