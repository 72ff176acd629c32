"""What two phases in contact react to: the pseudo-binary between them, closed or open to an element.

ΔE(x) = E_hull[x A + (1 − x) B] − x E_A − (1 − x) E_B, x being the atomic fraction of A. The *total* energy takes the
reactants as they are; the *mutual* one takes what they decompose to by themselves, and so leaves their own instability
out. Both are piecewise linear in x: the kinks are all there is. With an open element E is the grand potential and all
energies are per atom of the other elements.

References
----------
W. D. Richards et al., Chem. Mater. 28, 266 (2016), https://doi.org/10.1021/acs.chemmater.5b04082; Y. Zhu, X. He, Y. Mo,
J. Mater. Chem. A 4, 3253 (2016), https://doi.org/10.1039/C5TA08574H.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlip_sse.analysis.reactions.corrections import remarks_on
from mlip_sse.analysis.reactions.equations import balanced_equation
from mlip_sse.analysis.reactions.hull import Bend, ConvexHull
from mlip_sse.analysis.reactions.phases import Phase, PhaseSet, formula_of, read_formula
from mlip_sse.analysis.reactions.uncertainty import NO_INTERVAL, intervals_of
from mlip_sse.analysis.results import Interval, Quality, Verdict
from mlip_sse.errors import InputError
from mlip_sse.provenance import Provenance

__all__ = ["CHARGES", "InterfaceReaction", "Kink", "Reactant", "normalisation_of", "react", "reservoir_of"]

CHARGES = {"Li": 1, "Na": 1, "K": 1, "Rb": 1, "Cs": 1, "Ag": 1, "Cu": 1, "Mg": 2, "Ca": 2, "Zn": 2, "Al": 3}
"""Charge of the ion that carries the current, for voltages against the metal."""

_NO_REACTION_EV_ATOM = 1e-6


@dataclass(frozen=True)
class Reactant:
    """One side of an interface: its formula, the entry its energy is from, and how far that is above the hull."""

    formula: str
    entry: str | None
    energy_above_hull_ev_atom: float


@dataclass(frozen=True)
class Kink:
    """A mixture at which the products change."""

    mixing_fraction: float
    molar_fraction: float
    reaction_energy_ev_atom: float
    mutual_reaction_energy_ev_atom: float
    equation: str
    products: tuple[str, ...]


@dataclass(frozen=True)
class InterfaceReaction:
    """The reaction of two phases; see `react` for the conventions."""

    first: Reactant
    second: Reactant
    reaction_energy_ev_atom: Interval
    mutual_reaction_energy_ev_atom: Interval
    mixing_fraction: float | None
    mutual_mixing_fraction: float | None
    products: tuple[str, ...]
    equation: str
    kinks: tuple[Kink, ...]
    open_to: Mapping[str, float]
    normalisation: str
    corrections: str
    functionals: tuple[str, ...]
    sources: tuple[str, ...]
    verdict: Verdict
    provenance: Provenance

    def to_dict(self) -> dict[str, Any]:
        """Return the names that scripts rely on first."""
        names = ("reaction_energy_ev_atom", "mutual_reaction_energy_ev_atom", "mixing_fraction", "products", "kinks")
        rest = ("equation", "mutual_mixing_fraction", "normalisation", "corrections", "functionals", "sources")
        plain = {name: getattr(self, name) for name in names + rest}
        plain |= {"reactants": [self.first, self.second], "chemical_potentials_ev": dict(self.open_to)}
        return plain | {"quality": self.verdict.quality, "reasons": self.verdict.reasons, "provenance": self.provenance}


def reservoir_of(element: str, voltage_v: float) -> dict[str, float]:
    """Return Δμ of an open element at a voltage against its metal: −z V.

    Raises
    ------
    InputError
        When the element is no working ion and the voltage not 0, or the voltage would plate the metal.
    """
    if voltage_v == 0.0:
        return {element: 0.0}
    if element not in CHARGES:
        raise InputError(
            f"found a voltage of {voltage_v:g} V for {element}, expected an ion that carries current "
            f"({', '.join(CHARGES)}) or 0 V, the element itself"
        )
    if voltage_v < 0:
        raise InputError(f"found a voltage of {voltage_v:g} V against {element}, expected ≥ 0: below, the metal plates")
    return {element: -CHARGES[element] * voltage_v}


def react(
    hull: ConvexHull,
    first: str | Phase,
    second: str | Phase,
    reservoirs: Mapping[str, float] | None = None,
    n_samples: int = 200,
) -> InterfaceReaction:
    """Return what two phases in contact react to.

    Parameters
    ----------
    hull
        Hull of the competing phases.
    first, second
        A and B: a formula, whose entry of least energy is taken, or a phase with an energy of its own.
    reservoirs
        Δμ of each open element in eV relative to the element, for instance ``{"Li": -2.0}`` at 2 V.
    n_samples
        Times that energies with a stated uncertainty are drawn.

    Returns
    -------
    InterfaceReaction
        The mixing fraction is the share of A in all atoms of the reactants; the strongest reaction is the headline.

    Raises
    ------
    InputError
        When a composition is outside the entries' space.
    """
    open_to = dict(reservoirs or {})
    sides, kinks = _sides_and_kinks(hull, first, second, open_to)
    elements = {*sides[0].amounts, *sides[1].amounts, *open_to}
    inside = hull.phase_set.within(elements).phases if hull.phase_set.is_uncertain else ()
    own = [each for each in (first, second) if isinstance(each, Phase)]

    def quantities(phases: Sequence[Phase]) -> Mapping[str, float]:
        if phases is everything:
            return _strongest_energies(kinks)
        drawn = iter(phases[len(inside) :])
        pair = [next(drawn) if isinstance(each, Phase) else each for each in (first, second)]
        competing = ConvexHull(PhaseSet(tuple(phases[: len(inside)])))
        return _strongest_energies(_sides_and_kinks(competing, pair[0], pair[1], open_to)[1])

    everything = (*inside, *own)
    intervals = intervals_of(everything, quantities, n_samples)
    total = min(kinks, key=lambda kink: kink.reaction_energy_ev_atom)
    mutual = min(kinks, key=lambda kink: kink.mutual_reaction_energy_ev_atom)
    reacts, meets = (bool(intervals[name].value) for name in ("total", "mutual"))
    return InterfaceReaction(
        sides[0].reactant,
        sides[1].reactant,
        intervals["total"],
        intervals["mutual"],
        total.mixing_fraction if reacts else None,
        mutual.mixing_fraction if meets else None,
        total.products if reacts else (sides[0].formula, sides[1].formula),
        total.equation if reacts else "no reaction",
        kinks,
        open_to,
        normalisation_of(open_to),
        str(hull.phase_set.scheme),
        hull.phase_set.functionals,
        hull.phase_set.sources,
        _verdict(hull, sides, elements, intervals["total"]),
        hull.provenance,
    )


@dataclass(frozen=True)
class _Side:
    """A reactant in the measure of the programme: energies per conserved atom."""

    formula: str
    amounts: Mapping[str, float]
    conserved: float
    own: float
    hull: float
    reactant: Reactant

    @classmethod
    def of(cls, hull: ConvexHull, what: str | Phase, open_to: Mapping[str, float]) -> "_Side":
        phase = what if isinstance(what, Phase) else None
        amounts = dict(what.amounts) if isinstance(what, Phase) else read_formula(what)
        formula = formula_of(amounts)
        amounts = read_formula(formula)
        closed = hull.system(amounts).equilibrium(amounts).energy  # names elements that no entry holds
        phase = phase or hull.phase_set.lowest(amounts)
        own = closed if phase is None else hull.formation_energy(phase)
        n_atoms = sum(amounts.values())
        conserved = n_atoms - sum(amounts.get(element, 0.0) for element in open_to)
        system = hull.system(amounts, open_to)
        grand_hull = system.equilibrium(amounts).energy
        shift = sum(potential * amounts.get(element, 0.0) for element, potential in open_to.items())
        reactant = Reactant(formula, phase.name if phase else None, max(0.0, own - closed))
        return cls(formula, amounts, conserved, (own * n_atoms - shift) / conserved, grand_hull, reactant)

    @property
    def n_atoms(self) -> float:
        return sum(self.amounts.values())


def _sides_and_kinks(
    hull: ConvexHull, first: str | Phase, second: str | Phase, open_to: Mapping[str, float]
) -> "tuple[tuple[_Side, _Side], tuple[Kink, ...]]":
    one, two = _Side.of(hull, first, open_to), _Side.of(hull, second, open_to)
    if one.formula == two.formula:
        raise InputError(f"found {one.formula} on both sides, expected two phases; ask for its stability instead")
    bends = hull.system({*one.amounts, *two.amounts}, open_to).bends(one.amounts, two.amounts)
    return (one, two), tuple(_kink(bend, one, two, open_to) for bend in bends)


def _strongest_energies(kinks: Sequence[Kink]) -> dict[str, float]:
    """Return the total and the mutual energy; 0 where nothing reacts."""
    lowest = {
        "total": min(kink.reaction_energy_ev_atom for kink in kinks),
        "mutual": min(kink.mutual_reaction_energy_ev_atom for kink in kinks),
    }
    return {name: energy if energy < -_NO_REACTION_EV_ATOM else 0.0 for name, energy in lowest.items()}


def _kink(bend: Bend, first: _Side, second: _Side, open_to: Mapping[str, float]) -> Kink:
    """Turn fractions of conserved atoms into those of all atoms and of formula units, and balance the equation."""
    t = bend.fraction
    units = (t / first.conserved, (1.0 - t) / second.conserved)
    atoms = (units[0] * first.n_atoms, units[1] * second.n_atoms)
    reactants = {side.formula: n for side, n in zip((first, second), units, strict=True) if n > 1e-12}
    products = dict(bend.amounts)
    for element in open_to:
        taken = _content(products, element) - _content(reactants, element)
        if abs(taken) > 1e-9:
            (reactants if taken > 0 else products)[element] = abs(taken)
    return Kink(
        round(atoms[0] / (atoms[0] + atoms[1]), 12),
        round(units[0] / (units[0] + units[1]), 12),
        round(bend.energy - t * first.own - (1.0 - t) * second.own, 12) + 0.0,
        round(bend.energy - t * first.hull - (1.0 - t) * second.hull, 12) + 0.0,
        balanced_equation(reactants, products),
        tuple(products),
    )


def _content(amounts: Mapping[str, float], element: str) -> float:
    return sum(n * read_formula(formula).get(element, 0.0) for formula, n in amounts.items())


def normalisation_of(open_to: Mapping[str, float]) -> str:
    """Say what the energies are divided by."""
    if not open_to:
        return "per atom of the mixture"
    return f"per atom of the mixture without {', '.join(open_to)}, which the reservoir gives and takes"


def _verdict(hull: ConvexHull, sides: "tuple[_Side, _Side]", elements: set[str], energy: Interval) -> Verdict:
    verdict = Verdict(Quality.WEAK, (NO_INTERVAL,)) if energy.method == NO_INTERVAL else Verdict()
    for side in sides:
        if side.reactant.entry is None:
            verdict = verdict.weaken(
                f"no entry is {side.formula}: what it decomposes to stands for it, so its total and mutual "
                "reactions are the same; give its own energy"
            )
    for remark in remarks_on(hull.phase_set.scheme, sorted(elements)):
        verdict = verdict.weaken(remark)
    if hull.phase_set.scheme == "none" and {"GGA", "GGA+U"} <= set(hull.phase_set.functionals):
        verdict = verdict.weaken(
            "uncorrected GGA and GGA+U energies meet, which only a correction scheme makes comparable"
        )
    return verdict
