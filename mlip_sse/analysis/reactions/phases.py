"""Phases with energies whose state is known: which corrections, which functional, from where; never mixed.

Energies of two correction schemes differ by tenths of an eV per anion. A reaction between them is that difference and
not chemistry, so a `PhaseSet` refuses them with both names.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache

from mlip_sse.errors import InputError

__all__ = ["EnergyState", "Phase", "PhaseSet", "Scheme", "composition_key", "formula_of", "read_formula"]


class Scheme(StrEnum):
    """What was added to an energy so that calculations of different kinds agree with experiment."""

    NONE = "none"
    LEGACY = "MP legacy (MP2018)"
    MP2020 = "MP2020"
    MIT = "MIT"
    MIXING = "MP mixing of GGA, GGA+U and r2SCAN"
    BAKED = "MP2020 baked into a surrogate"
    UNNAMED = "corrections without a name"


@dataclass(frozen=True)
class EnergyState:
    """How an energy came to be.

    Parameters
    ----------
    scheme
        Its corrections.
    functional
        ``GGA``, ``GGA+U``, ``R2SCAN`` …, the name of a potential, or ``unknown``.
    source
        File, database or calculator that it is from.
    """

    scheme: Scheme
    functional: str = "unknown"
    source: str = ""


@dataclass(frozen=True)
class Phase:
    """A compound or an element and its energy.

    Parameters
    ----------
    amounts
        Atoms of each element in the cell or the formula unit.
    energy
        eV for these amounts, corrections included.
    name
        Identifier that messages and results carry.
    state
        How the energy came to be.
    uncertainty_ev_atom
        One standard deviation, where the user or the method states one.
    committee_ev_atom
        What each member of a committee predicts, eV/atom, the same members for all phases.
    """

    amounts: Mapping[str, float]
    energy: float
    name: str
    state: EnergyState
    uncertainty_ev_atom: float | None = None
    committee_ev_atom: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.amounts or not all(amount > 0 and math.isfinite(amount) for amount in self.amounts.values()):
            raise InputError(f"phase {self.name}: found the amounts {dict(self.amounts)}, expected positive numbers")
        if not math.isfinite(self.energy):
            raise InputError(f"phase {self.name} ({self.formula}): found an energy of {self.energy}, expected a number")

    @property
    def n_atoms(self) -> float:
        """Atoms that the energy is for."""
        return sum(self.amounts.values())

    @property
    def energy_per_atom(self) -> float:
        """Energy in eV/atom."""
        return self.energy / self.n_atoms

    @cached_property
    def formula(self) -> str:
        """Reduced formula, cations first."""
        return formula_of(self.amounts)


@dataclass(frozen=True)
class PhaseSet:
    """Phases of one correction scheme.

    Raises
    ------
    InputError
        When energies of two schemes, or of functionals that no scheme joins, meet.
    """

    phases: tuple[Phase, ...]

    def __post_init__(self) -> None:
        if not self.phases:
            raise InputError("found no phases, expected entries of the elements and compounds of the reaction")
        _refuse_two(self.phases, lambda phase: phase.state.scheme, "corrections")
        if self.scheme is not Scheme.MIXING:
            _refuse_two(self.phases, lambda phase: _functional_family(phase.state.functional), "functionals")

    @property
    def scheme(self) -> Scheme:
        """The scheme of all its energies."""
        return self.phases[0].state.scheme

    @cached_property
    def elements(self) -> tuple[str, ...]:
        """All elements, alphabetically."""
        return tuple(sorted({element for phase in self.phases for element in phase.amounts}))

    @cached_property
    def by_composition(self) -> dict[tuple[tuple[str, float], ...], Phase]:
        """The phase of least energy at each composition."""
        lowest: dict[tuple[tuple[str, float], ...], Phase] = {}
        for phase in self.phases:
            key = composition_key(phase.amounts)
            if key not in lowest or phase.energy_per_atom < lowest[key].energy_per_atom:
                lowest[key] = phase
        return lowest

    @cached_property
    def functionals(self) -> tuple[str, ...]:
        """The functionals of its energies."""
        return tuple(sorted({phase.state.functional for phase in self.phases}))

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """Where its energies are from."""
        return tuple(sorted({phase.state.source for phase in self.phases}))

    @cached_property
    def is_uncertain(self) -> bool:
        """Whether any energy has a stated uncertainty or a committee."""
        return any(phase.uncertainty_ev_atom or phase.committee_ev_atom for phase in self.phases)

    def lowest(self, amounts: Mapping[str, float]) -> Phase | None:
        """Return the phase of least energy at this composition, or None."""
        return self.by_composition.get(composition_key(amounts))

    def within(self, elements: Iterable[str]) -> "PhaseSet":
        """Return the phases that hold these elements alone.

        Raises
        ------
        InputError
            When an element has no phase at all, or no energy as an element.
        """
        wanted = set(elements)
        unknown = sorted(wanted - set(self.elements))
        if unknown:
            have = ", ".join(self.elements)
            raise InputError(
                f"no entry holds {', '.join(unknown)}: the entries span {have}; add entries of that element"
            )
        inside = tuple(phase for phase in self.phases if wanted.issuperset(phase.amounts))
        pure = {next(iter(phase.amounts)) for phase in inside if len(phase.amounts) == 1}
        missing = sorted(wanted - pure)
        if missing:
            raise InputError(
                f"no energy of elemental {', '.join(missing)} among the entries, expected one for each of "
                f"{', '.join(sorted(wanted))}: add it, of the same calculations and corrections"
            )
        return PhaseSet(inside)

    def joined(self, other: "PhaseSet") -> "PhaseSet":
        """Return both together, or say which corrections must not meet."""
        return PhaseSet((*self.phases, *other.phases))


def composition_key(amounts: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """Return atomic fractions to six digits, the same for all multiples of a formula."""
    total = sum(amounts.values())
    return tuple(sorted((element, round(amount / total, 6)) for element, amount in amounts.items()))


def read_formula(text: str) -> dict[str, float]:
    """Return the atoms of each element in a formula such as ``Li6PS5Cl`` or ``Fe2(SO4)3``.

    Raises
    ------
    InputError
        When it is not a formula of known elements.
    """
    return dict(_amounts_of(text.strip()))


@lru_cache(maxsize=4096)
def _amounts_of(text: str) -> tuple[tuple[str, float], ...]:
    from ase.data import atomic_numbers
    from pymatgen.core import Composition

    try:
        amounts = {str(element): float(amount) for element, amount in Composition(text).as_dict().items()}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"found the formula {text!r}, expected one such as Li6PS5Cl") from error
    if not amounts or not all(element in atomic_numbers and amount > 0 for element, amount in amounts.items()):
        raise InputError(f"found the formula {text!r}, expected one such as Li6PS5Cl")
    return tuple(amounts.items())


def formula_of(amounts: Mapping[str, float]) -> str:
    """Return the reduced formula, cations first: ``Li3PO4``, ``O2``."""
    return _reduced_formula(tuple(sorted((element, round(amount, 6)) for element, amount in amounts.items())))


@lru_cache(maxsize=65536)
def _reduced_formula(amounts: tuple[tuple[str, float], ...]) -> str:
    from pymatgen.core import Composition

    return str(Composition(dict(amounts)).reduced_formula)


def _functional_family(functional: str) -> str:
    """Return what may meet: a GGA with and without U belong together where a scheme joins them."""
    upper = functional.upper()
    if "SCAN" in upper:
        return "r2SCAN" if "R2" in upper else "SCAN"
    return "GGA" if upper in ("GGA", "GGA+U", "PBE", "PBE+U", "GGA_U", "UNKNOWN") else functional


def _refuse_two(phases: tuple[Phase, ...], key: Callable[[Phase], str], what: str) -> None:
    found: dict[str, Phase] = {}
    for phase in phases:
        found.setdefault(str(key(phase)), phase)
    if len(found) < 2:
        return
    (one, first), (two, second) = list(found.items())[:2]
    raise InputError(
        f"mixed {what}: {first.name} ({first.formula}) has {one!r} and {second.name} ({second.formula}) has {two!r}, "
        "expected one for all energies: recompute them alike or leave one set out"
    )
