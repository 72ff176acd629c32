"""The stages of a funnel: each says of every candidate why it fails, or nothing, and what it measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from mlip_sse.errors import InputError
from mlip_sse.properties.screen.enumeration import Candidate
from mlip_sse.properties.screen.tolerance import antiperovskite_tolerance, garnet_tolerance

if TYPE_CHECKING:
    from mlip_sse.properties.fitting import TrainedModel

__all__ = [
    "Charge",
    "Electronegativity",
    "Elements",
    "EnergyAboveHull",
    "ModelLimit",
    "Outcome",
    "Stage",
    "Tolerance",
]

_NEUTRAL_E = 1e-6


@dataclass(frozen=True)
class Outcome:
    """Of one candidate: why it fails (None where it passes) and what was measured."""

    reason: str | None
    numbers: Mapping[str, float] = field(default_factory=dict)


class Stage(Protocol):
    """A stage of the funnel."""

    @property
    def name(self) -> str:
        """What the funnel calls it."""
        ...

    def judge(self, candidates: Sequence[Candidate]) -> list[Outcome]:
        """Return an outcome for each candidate."""
        ...


@dataclass(frozen=True)
class Charge:
    """Neutral, with an amount of the mobile ion that the family's sites hold."""

    name: str = "charge"

    def judge(self, candidates: Sequence[Candidate]) -> list[Outcome]:
        """Return an outcome for each candidate."""
        return [self._one(each) for each in candidates]

    def _one(self, candidate: Candidate) -> Outcome:
        family, mobile = candidate.family, candidate.mobile
        if family.mobile is None:
            charge = candidate.charge
            return Outcome(None if abs(charge) < _NEUTRAL_E else f"charge of {charge:+g} e")
        numbers = {f"mobile_{family.mobile.symbol}": mobile}
        if mobile < family.least - _NEUTRAL_E:
            return Outcome(f"less than {family.least:g} mobile {family.mobile.symbol}", numbers)
        if mobile > family.most + _NEUTRAL_E:
            return Outcome(f"more than {family.most:g} mobile {family.mobile.symbol}", numbers)
        return Outcome(None, numbers)


@dataclass(frozen=True)
class Elements:
    """Without some elements, and with others."""

    excluded: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    name: str = "elements"

    def judge(self, candidates: Sequence[Candidate]) -> list[Outcome]:
        """Return an outcome for each candidate."""
        found = []
        for each in candidates:
            held = {ion.symbol for ion in each.ions}
            bad = [symbol for symbol in self.excluded if symbol in held]
            absent = [symbol for symbol in self.required if symbol not in held]
            reason = f"holds {bad[0]}" if bad else f"holds no {absent[0]}" if absent else None
            found.append(Outcome(reason))
        return found


@dataclass(frozen=True)
class Tolerance:
    """A tolerance factor within a window, of garnets and antiperovskites."""

    low: float
    high: float
    name: str = "tolerance"

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise InputError(f"found a window from {self.low:g} to {self.high:g}, expected low below high")

    def judge(self, candidates: Sequence[Candidate]) -> list[Outcome]:
        """Return an outcome for each candidate.

        Raises
        ------
        InputError
            When the family has no tolerance factor.
        """
        return [self._one(each) for each in candidates]

    def _one(self, candidate: Candidate) -> Outcome:
        sites = {"garnet": ("A", "B", "C", "X"), "antiperovskite": ("X", "A", "B")}.get(candidate.family.name)
        if sites is None:
            raise InputError(
                f"found a tolerance filter for {candidate.family.name}, which has no such factor, expected garnet or "
                f"antiperovskite: leave the stage out"
            )
        radii = [candidate.mean_radius(site) for site in sites]
        missing = [site for site, radius in zip(sites, radii, strict=True) if radius is None]
        if missing:
            return Outcome(f"no ionic radius on site {missing[0]}")
        known = [radius for radius in radii if radius is not None]
        factor = garnet_tolerance(*known) if candidate.family.name == "garnet" else antiperovskite_tolerance(*known)
        numbers = {"tolerance_factor": factor}
        if math.isnan(factor):
            return Outcome("no tolerance factor: A too large for B", numbers)
        if factor < self.low:
            return Outcome(f"tolerance factor below {self.low:g}", numbers)
        return Outcome(f"tolerance factor above {self.high:g}" if factor > self.high else None, numbers)


@dataclass(frozen=True)
class Electronegativity:
    """Every anion more electronegative (Pauling) than every cation, by some margin: else the charges are fiction."""

    margin: float = 0.0
    name: str = "electronegativity"

    def judge(self, candidates: Sequence[Candidate]) -> list[Outcome]:
        """Return an outcome for each candidate."""
        from pymatgen.core import Element

        found = []
        for each in candidates:
            cations = [(float(Element(ion.symbol).X), ion.symbol) for ion in each.ions if ion.charge > 0]
            anions = [(float(Element(ion.symbol).X), ion.symbol) for ion in each.ions if ion.charge < 0]
            if not cations or not anions:
                found.append(Outcome("no cation beside an anion"))
                continue
            (most, cation), (least, anion) = max(cations), min(anions)
            fits = least - most > self.margin
            reason = None if fits else f"{anion} hardly more electronegative than {cation}"
            found.append(Outcome(reason, {"electronegativity_gap": least - most}))
        return found


@dataclass(frozen=True)
class EnergyAboveHull:
    """An entry of the candidate's composition at most so far above the hull of the entries.

    Parameters
    ----------
    entries
        JSON of entries, or a folder of vasprun.xml files.
    most_ev_atom
        The limit.
    without_entry
        What becomes of candidates that no entry is of: ``fail`` or ``pass``.
    """

    entries: str
    most_ev_atom: float = 0.05
    without_entry: Literal["fail", "pass"] = "fail"
    name: str = "energy_above_hull"

    def judge(self, candidates: Sequence[Candidate]) -> list[Outcome]:
        """Return an outcome for each candidate."""
        from mlip_sse.analysis.reactions.entries import read_phases
        from mlip_sse.analysis.reactions.hull import ConvexHull
        from mlip_sse.properties.composition import reduced_composition

        hull = ConvexHull(read_phases(self.entries))
        above: dict[str, float] = {}
        for phase, energy in zip(hull.candidates, hull.energies_above, strict=True):
            formula = reduced_composition("".join(f"{symbol}{n:.6f}" for symbol, n in phase.amounts.items()))
            above[formula] = min(float(energy), above.get(formula, math.inf))
        found = []
        for each in candidates:
            energy_above = above.get(each.formula)
            if energy_above is None:
                found.append(Outcome("no entry of this composition" if self.without_entry == "fail" else None))
                continue
            numbers = {"energy_above_hull_ev_atom": energy_above}
            high = energy_above > self.most_ev_atom
            found.append(Outcome(f"more than {self.most_ev_atom:g} eV/atom above the hull" if high else None, numbers))
        return found


@dataclass(frozen=True, eq=False)
class ModelLimit:
    """What a property model predicts lies on the right side of a limit.

    Parameters
    ----------
    model
        Folder that 'properties fit' wrote, or the model itself.
    low, high
        Limits in what the model learns (a log10 where its recipe says so); probabilities for a classifier.
    judged_by
        ``value``; ``surely``: the whole interval must lie within the limits; ``possibly``: some of it.
    allows_outside
        Whether candidates outside of the model's domain may pass.
    with_structures
        Whether the model's features need structures, which are then built.
    temperature_k
        For a model of σ(T).
    """

    model: Any
    low: float = -math.inf
    high: float = math.inf
    judged_by: Literal["value", "surely", "possibly"] = "value"
    allows_outside: bool = True
    with_structures: bool = False
    temperature_k: float | None = None
    name: str = "model"

    def __post_init__(self) -> None:
        if not self.low < self.high or (math.isinf(self.low) and math.isinf(self.high)):
            raise InputError(f"model stage: found limits {self.low:g} to {self.high:g}, expected low, high or both")

    def judge(self, candidates: Sequence[Candidate]) -> list[Outcome]:
        """Return an outcome for each candidate."""
        from mlip_sse.properties.contract import Classification

        if not candidates:
            return []
        trained = self._trained()
        found = trained.predict(self._table(candidates, trained))
        title = trained.recipe.target.column
        if isinstance(found, Classification):
            value = low = high = found.probability
            title = f"probability_{title}"
        else:
            value, low, high = found.value, found.low, found.high
            title = f"log10_{title}" if trained.recipe.target.transform == "log10" else title
        outcomes = []
        for row in range(len(candidates)):
            numbers = {
                title: float(value[row]),
                f"{title}_low": float(low[row]),
                f"{title}_high": float(high[row]),
                f"{title}_distance": float(found.distance[row]),
            }
            reason = self._reason(title, float(value[row]), float(low[row]), float(high[row]))
            if found.outside[row] and not self.allows_outside:
                reason = f"outside of the domain of {title}"
            outcomes.append(Outcome(reason, numbers))
        return outcomes

    def _reason(self, title: str, value: float, low: float, high: float) -> str | None:
        # What must reach the lower limit, and what must not exceed the upper one.
        upward, downward = {"value": (value, value), "surely": (low, high), "possibly": (high, low)}[self.judged_by]
        if upward < self.low:
            return f"{title} below {self.low:g}"
        return f"{title} above {self.high:g}" if downward > self.high else None

    def _trained(self) -> "TrainedModel":
        from mlip_sse.properties.fitting import TrainedModel, read_trained

        if isinstance(self.model, str | Path):
            return read_trained(self.model)
        if not isinstance(self.model, TrainedModel):
            raise InputError(f"model stage: found a {type(self.model).__name__}, expected a model or its folder")
        return self.model

    def _table(self, candidates: Sequence[Candidate], trained: "TrainedModel") -> Any:
        from mlip_sse.properties.screen.building import pymatgen_structure
        from mlip_sse.properties.table import table_of

        structures = [pymatgen_structure(each) for each in candidates] if self.with_structures else None
        numbers: dict[tuple[str, str], Any] = {}
        column = trained.recipe.temperature
        if column is not None:
            if self.temperature_k is None:
                raise InputError("model stage: the model is of σ(T), expected temperature_k")
            numbers[column, "K"] = [self.temperature_k] * len(candidates)
        texts = {
            "composition": [each.formula for each in candidates],
            "family": [each.family.name for each in candidates],
        }
        return table_of(numbers, texts, structures)
