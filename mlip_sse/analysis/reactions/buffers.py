"""The layer to put between two phases that react.

A coating has two interfaces, and the one that reacts more decides. Candidates are the user's or all stable compounds of
the elements at hand; what is better than the bare interface is ranked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlip_sse.analysis.reactions.hull import ConvexHull
from mlip_sse.analysis.reactions.phases import formula_of, read_formula
from mlip_sse.analysis.reactions.screening import ScreeningTable, screen
from mlip_sse.analysis.results import Verdict

__all__ = ["Buffer", "CoatingScreen", "find_buffers", "screen_coatings"]


@dataclass(frozen=True)
class Buffer:
    """A phase between two others: its reaction energies with both in eV/atom, and the worse of them."""

    formula: str
    toward_first_ev_atom: float
    toward_second_ev_atom: float
    worst_ev_atom: float
    energy_above_hull_ev_atom: float


@dataclass(frozen=True)
class CoatingScreen:
    """Coatings for each pair of a table, the best first; the table itself holds the bare interfaces."""

    bare: ScreeningTable
    buffers: Mapping[tuple[str, str], tuple[Buffer, ...]]

    @property
    def verdict(self) -> Verdict:
        """That of the table."""
        return self.bare.verdict

    def to_dict(self) -> dict[str, Any]:
        """Return the table, each pair with its coatings."""
        plain = self.bare.to_dict()
        for item in plain["table"]:
            item["coatings"] = list(self.buffers[item["first"], item["second"]])
        return plain


def find_buffers(
    hull: ConvexHull,
    first: str,
    second: str,
    candidates: Sequence[str] | None = None,
    reservoirs: Mapping[str, float] | None = None,
) -> list[Buffer]:
    """Rank phases by how little they react with either of two others, the best first.

    Parameters
    ----------
    hull
        Hull of all competing phases.
    first, second
        The phases to be kept apart.
    candidates
        Formulas; all stable compounds where none are given.
    reservoirs
        Δμ of open elements in eV, as of `react`.

    Returns
    -------
    list of Buffer
        Those that are better than the bare interface.
    """
    named = list(candidates) if candidates is not None else _stable_compounds(hull, reservoirs or {})
    names = [each for each in map(_reduced, named) if each not in (_reduced(first), _reduced(second))]
    if not names:
        return []
    bare = screen(hull, [first], [second], reservoirs).reaction_energies[0, 0]
    sides = screen(hull, names, [first, second], reservoirs).reaction_energies
    above = {hull.candidates[j].formula: energy for j, energy in enumerate(hull.energies_above.tolist())}
    buffers = [
        Buffer(name, float(one), float(two), float(min(one, two)), above.get(name, 0.0))
        for name, (one, two) in zip(names, sides, strict=True)
        if min(one, two) > bare
    ]
    return sorted(buffers, key=lambda buffer: (-buffer.worst_ev_atom, buffer.formula))


def screen_coatings(
    hull: ConvexHull,
    rows: Sequence[str],
    columns: Sequence[str],
    candidates: Sequence[str] | None = None,
    reservoirs: Mapping[str, float] | None = None,
) -> CoatingScreen:
    """Rank coatings for each of some electrolytes against each of some electrodes; see `find_buffers`."""
    bare = screen(hull, rows, columns, reservoirs)
    buffers = {
        (row, column): tuple(find_buffers(hull, row, column, candidates, reservoirs))
        for row in bare.rows
        for column in bare.columns
    }
    return CoatingScreen(bare, buffers)


def _stable_compounds(hull: ConvexHull, open_to: Mapping[str, float]) -> list[str]:
    stable = [hull.candidates[j] for j in hull.stable]
    return [each.formula for each in stable if len(set(each.amounts) - set(open_to)) > 0 and len(each.amounts) > 1]


def _reduced(text: str) -> str:
    return formula_of(read_formula(text))
