"""The convex hull of a set of phases, closed or in contact with reservoirs of some elements.

Formation energies are relative to the elements, so that an element's chemical potential is 0 in itself. With a
reservoir of element X at Δμ_X ≤ 0 the potential Φ = E − Δμ_X N_X replaces the energy, and composition and energies are
per atom of the other elements (W. D. Richards et al., Chem. Mater. 28, 266 (2016), https://doi.org/10.1021/acs.chemmater.5b04082).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.reactions.phases import Phase, PhaseSet, formula_of
from mlip_sse.analysis.reactions.simplex import SOLVED, bends, least_energies, least_energy
from mlip_sse.errors import InputError, RunError
from mlip_sse.provenance import Provenance

__all__ = ["STABLE_EV_ATOM", "Bend", "ConvexHull", "Equilibrium", "System"]

STABLE_EV_ATOM = 1e-8
"""A phase less than this above the hull is on it."""

_PRESENT = 1e-7
"""Smaller fractions of a phase are rounding."""


@dataclass(frozen=True)
class Equilibrium:
    """The phases that a composition ends in.

    Parameters
    ----------
    energy
        Formation energy, or grand potential, in eV per atom that is not of a reservoir.
    amounts
        Formula of each phase and its formula units per such atom.
    potentials
        Δμ of each element in eV; not unique where fewer phases than elements are present.
    """

    energy: float
    amounts: Mapping[str, float]
    potentials: Mapping[str, float]


@dataclass(frozen=True)
class Bend:
    """A point of a line of compositions where the phases change: fraction of the first end, energy, phases."""

    fraction: float
    energy: float
    amounts: Mapping[str, float]


@dataclass(frozen=True)
class System:
    """The stable phases that can be made of some elements, as arrays for the kernels.

    Parameters
    ----------
    elements
        Those that are conserved; the reservoirs' are not.
    phases
        Indices into the hull's candidates.
    formulas
        Of these phases.
    columns : (n_phases, n_elements)
        Fractions of the conserved elements.
    costs : (n_phases,) eV
        Energy or grand potential per conserved atom.
    start : (n_elements,)
        The phase of each element.
    atoms : (n_phases,)
        Conserved atoms in a reduced formula unit.
    """

    elements: tuple[str, ...]
    phases: NDArray[np.int64]
    formulas: tuple[str, ...]
    columns: NDArray[np.float64]
    costs: NDArray[np.float64]
    start: NDArray[np.int64]
    atoms: NDArray[np.float64]

    def vector(self, amounts: Mapping[str, float]) -> NDArray[np.float64]:
        """Return the fractions of the conserved elements, (n_elements,)."""
        point = np.array([amounts.get(element, 0.0) for element in self.elements])
        total = point.sum()
        if total <= 0:
            raise InputError(
                f"{formula_of(amounts)} holds nothing but elements of the reservoir: with that element open it is in "
                "contact with everything already; leave the reservoir out, or ask for the other phase alone"
            )
        return np.asarray(point / total)

    def equilibrium(self, amounts: Mapping[str, float]) -> Equilibrium:
        """Return the phases that a composition ends in."""
        status, energy, basis, fractions, potentials = least_energy(
            self.columns, self.costs, self.start, self.vector(amounts)
        )
        _check(status)
        return Equilibrium(
            energy, self._named(basis, fractions), dict(zip(self.elements, potentials.tolist(), strict=True))
        )

    def bends(self, first: Mapping[str, float], second: Mapping[str, float]) -> list[Bend]:
        """Return where the phases change between two compositions, fractions of ``first`` ascending from 0 to 1."""
        status, fractions, energies, bases, parts = bends(
            self.columns, self.costs, self.start, self.vector(first), self.vector(second)
        )
        _check(status)
        return [
            Bend(float(t), float(energy), self._named(basis, part))
            for t, energy, basis, part in zip(fractions, energies, bases, parts, strict=True)
        ]

    def _named(self, basis: NDArray[np.int64], fractions: NDArray[np.float64]) -> dict[str, float]:
        kept = [(int(j), float(y)) for j, y in zip(basis, fractions, strict=True) if y > _PRESENT]
        return {self.formulas[j]: y / float(self.atoms[j]) for j, y in sorted(kept, key=lambda each: -each[1])}


@dataclass(frozen=True)
class ConvexHull:
    """The hull of a phase set; every element of the set has its own phase.

    Parameters
    ----------
    phase_set
        The competing phases, all of one state.

    Raises
    ------
    InputError
        When an element has no energy of its own.
    """

    phase_set: PhaseSet
    _systems: dict[tuple[object, ...], System] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.phase_set.within(self.phase_set.elements)

    @cached_property
    def candidates(self) -> tuple[Phase, ...]:
        """The phase of least energy at each composition."""
        return tuple(self.phase_set.by_composition.values())

    @cached_property
    def provenance(self) -> Provenance:
        """Version and sources that all results of this hull share."""
        return Provenance(settings={"corrections": str(self.phase_set.scheme), "sources": list(self.phase_set.sources)})

    @cached_property
    def fractions(self) -> NDArray[np.float64]:
        """Atomic fractions of the candidates, (n_candidates, n_elements)."""
        elements = self.phase_set.elements
        table = [[phase.amounts.get(element, 0.0) / phase.n_atoms for element in elements] for phase in self.candidates]
        return np.array(table)

    @cached_property
    def formation_energies(self) -> NDArray[np.float64]:
        """Energies of the candidates relative to the elements, (n_candidates,) eV/atom."""
        energies = np.array([phase.energy_per_atom for phase in self.candidates])
        return np.asarray(energies - self.fractions @ self.elemental_energies)

    @cached_property
    def elemental_energies(self) -> NDArray[np.float64]:
        """Energy of each element, (n_elements,) eV/atom."""
        pure = [self.phase_set.lowest({element: 1.0}) for element in self.phase_set.elements]
        return np.array([phase.energy_per_atom for phase in pure if phase is not None])

    @cached_property
    def energies_above(self) -> NDArray[np.float64]:
        """Energy of each candidate above the hull, (n_candidates,) eV/atom."""
        start = self.fractions.argmax(axis=0)
        costs = np.ascontiguousarray(self.formation_energies)
        lowest = least_energies(np.ascontiguousarray(self.fractions), costs, start, self.fractions)
        if not np.isfinite(lowest).all():
            _check(1)
        return np.asarray(np.maximum(costs - lowest, 0.0))

    @cached_property
    def stable(self) -> NDArray[np.int64]:
        """Indices of the candidates on the hull."""
        return np.asarray(np.flatnonzero(self.energies_above < STABLE_EV_ATOM))

    def formation_energy(self, phase: Phase) -> float:
        """Return the energy of any phase relative to the elements, eV/atom."""
        reference = dict(zip(self.phase_set.elements, self.elemental_energies.tolist(), strict=True))
        return float(phase.energy_per_atom - sum(n * reference[e] for e, n in phase.amounts.items()) / phase.n_atoms)

    def energy_above(self, phase: Phase) -> float:
        """Return how far a phase lies above the hull, eV/atom."""
        system = self.system(phase.amounts)
        return max(0.0, self.formation_energy(phase) - system.equilibrium(phase.amounts).energy)

    def margin(self, phase: Phase) -> float:
        """Return the energy that decomposition into other phases costs, eV/atom; negative for an unstable phase."""
        others = tuple(
            each
            for each in self.phase_set.phases
            if formula_of(each.amounts) != phase.formula or len(each.amounts) == 1
        )
        if len(phase.amounts) == 1:
            return 0.0
        without = ConvexHull(PhaseSet(others))
        return without.system(phase.amounts).equilibrium(phase.amounts).energy - self.formation_energy(phase)

    def system(self, elements: Iterable[str], reservoirs: Mapping[str, float] | None = None) -> System:
        """Return the programme of the phases that these elements can make.

        Parameters
        ----------
        elements
            Those present; the reservoirs' are added.
        reservoirs
            Δμ of each open element in eV, relative to the element itself, ≤ 0.

        Raises
        ------
        InputError
            When an element is outside the set, or a reservoir would turn everything into its element.
        """
        open_to = dict(reservoirs or {})
        key = (frozenset(elements) | frozenset(open_to), tuple(sorted(open_to.items())))
        if key not in self._systems:
            self._systems[key] = self._make_system(key[0], open_to)
        return self._systems[key]

    def _make_system(self, elements: frozenset[str], open_to: Mapping[str, float]) -> System:
        known = self.phase_set.elements
        unknown = sorted(elements - set(known))
        if unknown:
            have = ", ".join(known)
            raise InputError(
                f"no entry holds {', '.join(unknown)}: the entries span {have}; add entries of that element"
            )
        for element, potential in open_to.items():
            if potential > 1e-12:
                raise InputError(
                    f"found a chemical potential of {potential:+g} eV for {element}, expected ≤ 0: above that of the "
                    f"element all phases turn into {element} without end"
                )
        kept = [k for k, element in enumerate(known) if element in elements and element not in open_to]
        opened = [k for k, element in enumerate(known) if element in open_to]
        outside = [k for k, element in enumerate(known) if element not in elements]
        table = self.fractions[self.stable]
        conserved = table[:, kept].sum(axis=1)
        chosen = (table[:, outside].sum(axis=1) == 0) & (conserved > 0)
        shift = table[:, opened] @ np.array([open_to[known[k]] for k in opened]) if opened else np.zeros(len(table))
        columns = np.ascontiguousarray((table[:, kept] / np.where(conserved > 0, conserved, 1.0)[:, None])[chosen])
        costs = ((self.formation_energies[self.stable] - shift) / np.where(conserved > 0, conserved, 1.0))[chosen]
        phases = self.stable[chosen]
        formulas = tuple(self.candidates[j].formula for j in phases)
        units = np.array([_units(self.candidates[j]) for j in phases])
        atoms = np.array([self.candidates[j].n_atoms for j in phases]) * conserved[chosen] / units
        # In the presence of a reservoir several phases may consist of one conserved element (Li3P and P): any will do.
        start = np.array([int(np.flatnonzero(columns[:, k] == 1.0)[0]) for k in range(len(kept))], dtype=np.int64)
        return System(tuple(known[k] for k in kept), phases, formulas, columns, costs, start, atoms)


def _units(phase: Phase) -> float:
    """Return how many reduced formula units the phase's amounts are."""
    from mlip_sse.analysis.reactions.phases import read_formula

    reduced = read_formula(phase.formula)
    element = next(iter(phase.amounts))
    return phase.amounts[element] / reduced[element]


def _check(status: int) -> None:
    if status != SOLVED:
        raise RunError("the convex hull was not found: the energies are degenerate beyond rounding; report the entries")
