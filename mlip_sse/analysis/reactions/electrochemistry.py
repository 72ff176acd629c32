"""Is a phase stable, at which voltages, and what becomes of it outside of them.

The phase is titrated: the composition runs from its part without the ion to the ion's metal. The energy along this
line is convex; its slopes are the plateaus of the chemical potential, Δμ = −z e V, its bends the phases between them.
The window is the range of V in which the equilibrium holds the ions of the phase and no others. A phase above the
hull has none of its own; the window then is that of what it decomposes to, as in the literature (Y. Zhu, X. He, Y.
Mo, ACS Appl. Mater. Interfaces 7, 23685 (2015), https://doi.org/10.1021/acsami.5b07517). Energies are per atom of the
phase itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.analysis.reactions.corrections import remarks_on
from mlip_sse.analysis.reactions.equations import balanced_equation
from mlip_sse.analysis.reactions.hull import Bend, ConvexHull
from mlip_sse.analysis.reactions.interfaces import CHARGES
from mlip_sse.analysis.reactions.phases import Phase, PhaseSet, formula_of, read_formula
from mlip_sse.analysis.reactions.uncertainty import NO_INTERVAL, intervals_of
from mlip_sse.analysis.results import Interval, Quality, Verdict
from mlip_sse.errors import InputError
from mlip_sse.provenance import Provenance

__all__ = ["PhaseStability", "Plateau", "VoltageProfile", "phase_stability", "voltage_profile"]

_SAME_CONTENT = 1e-6
_STABLE_EV_ATOM = 1e-6


@dataclass(frozen=True)
class Plateau:
    """The equilibrium in a range of voltages.

    Parameters
    ----------
    low_v, high_v
        The range; ``high_v`` is infinite where no ion is left.
    ions_taken_up
        Per formula unit; negative where ions are given off.
    equation
        Of one formula unit, balanced.
    products
        Formulas.
    """

    low_v: float
    high_v: float
    ions_taken_up: float
    equation: str
    products: tuple[str, ...]


@dataclass(frozen=True)
class VoltageProfile:
    """What a phase turns into against the voltage, from low to high."""

    formula: str
    ion: str
    plateaus: tuple[Plateau, ...]
    _energies: NDArray[np.float64] = field(repr=False)
    _contents: NDArray[np.float64] = field(repr=False)
    _own: tuple[float, float, float] = field(repr=False)

    def decomposition_energy(self, voltages_v: ArrayLike) -> NDArray[np.float64]:
        """Return the energy that the phase gains by decomposing, (n_voltages,) eV per atom of the phase, ≤ 0.

        Parameters
        ----------
        voltages_v : (n_voltages,) V
            Against the metal of the ion.
        """
        own, content, n_atoms = self._own
        mu = -CHARGES[self.ion] * np.atleast_1d(np.asarray(voltages_v, dtype=float))
        grand = (self._energies[:, None] - mu * self._contents[:, None]).min(axis=0)
        return np.asarray((grand - (own - mu * content)) / n_atoms)

    @property
    def window_v(self) -> tuple[float, float]:
        """The voltages between which the phase, or what it decomposes to, neither gives nor takes ions."""
        for plateau in self.plateaus:
            if abs(plateau.ions_taken_up) < _SAME_CONTENT:
                return plateau.low_v, plateau.high_v
        for below, above in zip(self.plateaus[:-1], self.plateaus[1:], strict=True):
            if below.ions_taken_up > 0 > above.ions_taken_up:
                return below.high_v, below.high_v  # on a plateau: at one voltage alone
        edge = self.plateaus[-1].low_v
        return edge, edge


@dataclass(frozen=True)
class PhaseStability:
    """The answer on one phase; see `phase_stability`."""

    formula: str
    entry: str | None
    energy_above_hull_ev_atom: Interval
    decomposition: str
    margin_ev_atom: float | None
    ion: str
    reduction_limit_v: Interval
    oxidation_limit_v: Interval
    window_of: str
    profile: VoltageProfile
    corrections: str
    sources: tuple[str, ...]
    verdict: Verdict
    provenance: Provenance

    def to_dict(self) -> dict[str, Any]:
        """Return plain names and numbers, the energies of decomposition at each plateau's ends among them."""
        names = ("formula", "entry", "energy_above_hull_ev_atom", "decomposition", "margin_ev_atom", "ion")
        plain: dict[str, Any] = {name: getattr(self, name) for name in names}
        plain |= {"reduction_limit_v": self.reduction_limit_v, "oxidation_limit_v": self.oxidation_limit_v}
        plain["window_of"] = self.window_of
        plain["profile"] = [
            {
                "low_v": each.low_v,
                "high_v": each.high_v,
                "decomposition_energy_at_low_v_ev_atom": round(
                    float(self.profile.decomposition_energy(each.low_v)[0]), 12
                )
                + 0.0,
                "ions_taken_up": each.ions_taken_up,
                "equation": each.equation,
                "products": each.products,
            }
            for each in self.profile.plateaus
        ]
        plain |= {"normalisation": "per atom of the phase", "corrections": self.corrections, "sources": self.sources}
        return plain | {"quality": self.verdict.quality, "reasons": self.verdict.reasons, "provenance": self.provenance}


def voltage_profile(hull: ConvexHull, what: str | Phase, ion: str = "Li") -> VoltageProfile:
    """Titrate a phase with the metal of an ion.

    Parameters
    ----------
    hull
        Hull of the competing phases.
    what
        A formula, or a phase with an energy of its own.
    ion
        The working ion.

    Raises
    ------
    InputError
        When the phase is the metal itself, or a composition is outside the entries' space.
    """
    if ion not in CHARGES:
        raise InputError(f"found the ion {ion!r}, expected one that carries current: {', '.join(CHARGES)}")
    phase = what if isinstance(what, Phase) else None
    amounts = read_formula(phase.formula if phase else str(what))
    amounts = read_formula(formula_of(amounts))
    rest = {element: n for element, n in amounts.items() if element != ion}
    if not rest:
        raise InputError(f"found {formula_of(amounts)} to be titrated with {ion}, expected a compound")
    system = hull.system({*amounts, ion})
    bends = [bend for bend in system.bends({ion: 1.0}, rest) if bend.fraction < 1.0 - 1e-9]
    conserved, content, n_atoms = sum(rest.values()), amounts.get(ion, 0.0), sum(amounts.values())
    contents = np.array([bend.fraction / (1.0 - bend.fraction) for bend in bends]) * conserved
    energies = np.array([bend.energy / (1.0 - bend.fraction) for bend in bends]) * conserved
    steps = -np.diff(energies) / np.diff(contents) / CHARGES[ion]  # from high voltage to low
    voltages = [math.inf, *steps.tolist(), 0.0]
    plateaus = [
        _plateau(bend, amounts, ion, float(n), (voltages[k + 1], voltages[k]))
        for k, (bend, n) in enumerate(zip(bends, contents, strict=True))
    ]
    found = phase or hull.phase_set.lowest(amounts)
    own = system.equilibrium(amounts).energy if found is None else hull.formation_energy(found)
    return VoltageProfile(
        formula_of(amounts), ion, tuple(reversed(plateaus)), energies, contents, (own * n_atoms, content, n_atoms)
    )


def phase_stability(hull: ConvexHull, what: str | Phase, ion: str = "Li") -> PhaseStability:
    """Say how far a phase is above the hull, what it decomposes to, and between which voltages it lasts.

    Parameters
    ----------
    hull
        Hull of the competing phases.
    what
        A formula, whose entry of least energy is taken, or a phase with an energy of its own.
    ion
        The working ion.
    """
    profile = voltage_profile(hull, what, ion)
    amounts = read_formula(profile.formula)
    phase = what if isinstance(what, Phase) else hull.phase_set.lowest(amounts)
    inside = hull.phase_set.within({*amounts, ion}).phases
    n_own = 1 if isinstance(what, Phase) else 0

    def quantities(phases: Sequence[Phase]) -> Mapping[str, float]:
        drawn = ConvexHull(PhaseSet(tuple(phases[: len(phases) - n_own])))
        own = phases[-1] if n_own else profile.formula
        low, high = voltage_profile(drawn, own, ion).window_v
        lowest = own if isinstance(own, Phase) else drawn.phase_set.lowest(amounts)
        return {"above": 0.0 if lowest is None else drawn.energy_above(lowest), "low": low, "high": high}

    intervals = intervals_of((*inside, phase) if n_own and phase else inside, quantities)
    above = intervals["above"].value or 0.0
    products = hull.system(amounts).equilibrium(amounts).amounts
    stable = phase is not None and above < _STABLE_EV_ATOM
    equation = balanced_equation({profile.formula: 1.0 / sum(amounts.values())}, products)
    return PhaseStability(
        profile.formula,
        phase.name if phase else None,
        intervals["above"],
        "none: it is on the hull" if stable else equation,
        hull.margin(phase) if phase and stable and not n_own else None,
        ion,
        intervals["low"],
        intervals["high"],
        "the phase" if stable else "what it decomposes to",
        profile,
        str(hull.phase_set.scheme),
        hull.phase_set.sources,
        _verdict(hull, profile.formula, phase, intervals["above"], {*amounts, ion}),
        hull.provenance,
    )


def _plateau(
    bend: Bend, amounts: Mapping[str, float], ion: str, content: float, range_v: tuple[float, float]
) -> Plateau:
    """Scale the phases of a bend to one formula unit and put the ions on their side."""
    conserved = sum(n for element, n in amounts.items() if element != ion)
    products = {formula: y / (1.0 - bend.fraction) * conserved for formula, y in bend.amounts.items()}
    taken = round(content - amounts.get(ion, 0.0), 9) + 0.0
    reactants = {formula_of(amounts): 1.0}
    if abs(taken) > _SAME_CONTENT:
        (reactants if taken > 0 else products)[ion] = abs(taken)
    return Plateau(*range_v, taken, balanced_equation(reactants, products), tuple(products))


def _verdict(hull: ConvexHull, formula: str, phase: Phase | None, above: Interval, elements: set[str]) -> Verdict:
    verdict = Verdict(Quality.WEAK, (NO_INTERVAL,)) if above.method == NO_INTERVAL else Verdict()
    if phase is None:
        verdict = verdict.weaken(f"no entry is {formula}: what it decomposes to stands for it; give its own energy")
    for remark in remarks_on(hull.phase_set.scheme, sorted(elements)):
        verdict = verdict.weaken(remark)
    return verdict
