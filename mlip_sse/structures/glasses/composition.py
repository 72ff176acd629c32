"""Whole numbers of units and lithium for x Li2S · (1-x) P2S5, or for shares of the units.

Each unit is some Li2S and P2S5 with the lithium that balances its charge:

    S²⁻ = Li2S,   PS4³⁻ = (3 Li2S + P2S5)/2,   P2S7⁴⁻ = 2 Li2S + P2S5,   P2S6²⁻ (edge-sharing) = Li2S + P2S5,

and P2S6⁴⁻ (with a P-P bond) = 2 Li2S + P2S5 - S, one sulphur short of the line. A composition between two neighbours on
the line is a mixture of both, by the lever rule. What glasses hold beside them (P2S6⁴⁻ at 60 to 67 % Li2S) is given as
shares of the phosphorus, which is what ³¹P NMR and Raman spectra tell.

References
----------
Units by composition: Dietrich et al., J. Mater. Chem. A 5, 18111 (2017), doi:10.1039/c7ta06067j.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor

from mlip_sse.errors import InputError
from mlip_sse.structures.glasses.units import rigid_unit

__all__ = ["GlassUnits", "unit_counts", "units_from_shares"]

_LINE = {"S": 100.0, "PS4": 75.0, "P2S7": 200.0 / 3.0, "P2S6 edge-sharing": 50.0}
_N_NEAR = 3


@dataclass(frozen=True)
class GlassUnits:
    """Numbers of units that are neutral together.

    Parameters
    ----------
    counts
        How many of each unit, cations among them.
    li2s_percent
        Share of Li2S in mol-%, from lithium and phosphorus.
    """

    counts: Mapping[str, int]
    li2s_percent: float

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> "GlassUnits":
        """Return units by their numbers.

        Raises
        ------
        InputError
            When a unit is not known, or they are charged together.
        """
        if charge := sum(n * rigid_unit(name).charge_e for name, n in counts.items()):
            parts = ", ".join(f"{n} {name} ({rigid_unit(name).charge_e:+d} e)" for name, n in counts.items())
            raise InputError(f"found a charge of {charge:+d} e in {parts}, expected none: change the number of cations")
        n_cations = sum(n for name, n in counts.items() if rigid_unit(name).charge_e > 0)
        n_phosphorus = sum(n * rigid_unit(name).symbols.count("P") for name, n in counts.items())
        total = n_cations + n_phosphorus  # 2 (Li2S + P2S5)
        return cls(dict(counts), 100.0 * n_cations / total if total else 0.0)

    @property
    def n_atoms(self) -> int:
        """Atoms of all units."""
        return sum(n * len(rigid_unit(name)) for name, n in self.counts.items())

    @property
    def charge_e(self) -> int:
        """Formal charge of all units."""
        return sum(n * rigid_unit(name).charge_e for name, n in self.counts.items())

    def shares(self, element: str = "P") -> dict[str, float]:
        """Return the share of an element's atoms in each unit."""
        atoms = {name: n * rigid_unit(name).symbols.count(element) for name, n in self.counts.items()}
        total = sum(atoms.values())
        return {name: n / total for name, n in atoms.items() if n}


def unit_counts(
    li2s_percent: float, n_atoms: int, *, atoms_tolerance: float = 0.05, percent_tolerance: float = 0.5
) -> GlassUnits:
    """Return units of x Li2S · (1-x) P2S5 in about so many atoms.

    Parameters
    ----------
    li2s_percent
        From 50 to 100 (not included).
    n_atoms
        Wanted.
    atoms_tolerance
        By which part of it the number may be off.
    percent_tolerance
        By how much the composition may be off in mol-%: 67 is meant as two thirds.

    Raises
    ------
    InputError
        When no whole numbers meet both, with those that are near.
    """
    if not 50.0 <= li2s_percent < 100.0:
        raise InputError(
            f"found {li2s_percent:g} mol-% Li2S, expected 50 (P2S6 alone) or more and less than 100 (no glass)"
        )
    if n_atoms < 1:
        raise InputError(f"found {n_atoms} atoms, expected at least one unit")
    found = _mixtures(li2s_percent, n_atoms)
    fitting = [
        each
        for each in found
        if abs(each.li2s_percent - li2s_percent) <= percent_tolerance
        and abs(each.n_atoms - n_atoms) <= max(atoms_tolerance * n_atoms, 0)
    ]
    if not fitting:
        near = sorted(found, key=lambda each: _distance(each, li2s_percent, n_atoms))[:_N_NEAR]
        listed = "; ".join(f"{each.n_atoms} atoms at {each.li2s_percent:.2f} % ({_text(each)})" for each in near)
        raise InputError(
            f"found {li2s_percent:g} mol-% Li2S in {n_atoms} atoms, which no whole numbers of units meet within "
            f"{percent_tolerance:g} % and {atoms_tolerance:.0%} of the atoms; near are {listed}"
        )
    return min(fitting, key=lambda each: _distance(each, li2s_percent, n_atoms))


def units_from_shares(
    shares: Mapping[str, float], n_atoms: int, *, cation: str = "Li", share_tolerance: float = 0.03
) -> GlassUnits:
    """Return units by the share of the phosphorus in each, with the cations that make them neutral.

    Parameters
    ----------
    shares
        Of the phosphorus, adding up to one; ``{"PS4": 0.8, "P2S7": 0.2}``.
    n_atoms
        About how many atoms.
    cation
        A single ion of charge +1.
    share_tolerance
        By how much a share may be off.

    Raises
    ------
    InputError
        When they do not add up to one, a unit holds no phosphorus, or no whole numbers meet them.
    """
    if not shares or any(not share > 0 for share in shares.values()) or abs(sum(shares.values()) - 1.0) > 1e-3:
        raise InputError(f"found shares {dict(shares)}, expected positive numbers that add up to 1")
    units = {name: rigid_unit(name) for name in shares}
    if bare := [name for name, unit in units.items() if "P" not in unit.symbols]:
        raise InputError(f"found {', '.join(bare)} among the shares of phosphorus, expected units that hold some")
    atoms_a_phosphorus = sum(
        share * (len(units[name]) - units[name].charge_e) / units[name].symbols.count("P")
        for name, share in shares.items()
    )
    n_phosphorus = n_atoms / atoms_a_phosphorus
    counts = {name: round(share * n_phosphorus / units[name].symbols.count("P")) for name, share in shares.items()}
    made = _neutral(counts, cation)
    held = made.shares() if sum(counts.values()) else {}
    off = {
        name: held.get(name, 0.0)
        for name, share in shares.items()
        if abs(held.get(name, 0.0) - share) > share_tolerance
    }
    if off:
        text = ", ".join(f"{name} {share:.3f} instead of {shares[name]:.3f}" for name, share in off.items())
        raise InputError(
            f"found shares that {n_atoms} atoms cannot meet within {share_tolerance:g} ({text}), expected more atoms "
            "or rounder shares"
        )
    return made


def _mixtures(li2s_percent: float, n_atoms: int) -> list[GlassUnits]:
    """Return all mixtures of the two units beside the composition with 0.7 to 1.4 times as many atoms."""
    line = sorted(_LINE, key=lambda name: _LINE[name])
    first, second = next(pair for pair in pairwise(line) if li2s_percent <= _LINE[pair[1]])
    sizes = [len(rigid_unit(name)) - rigid_unit(name).charge_e for name in (first, second)]
    most = max(1.4 * n_atoms, n_atoms + max(sizes))
    found = []
    for n_first in range(floor(most / sizes[0]) + 1):
        lowest = max(0, ceil((0.7 * n_atoms - n_first * sizes[0]) / sizes[1]))
        for n_second in range(lowest, floor((most - n_first * sizes[0]) / sizes[1]) + 1):
            if n_first or (n_second and second != "S"):  # some phosphorus
                found.append(_neutral({first: n_first, second: n_second}, "Li"))
    return found


def _neutral(counts: Mapping[str, int], cation: str) -> GlassUnits:
    there = {name: n for name, n in counts.items() if n}
    charge = sum(n * rigid_unit(name).charge_e for name, n in there.items())
    return GlassUnits.of({**there, cation: -charge})


def _distance(each: GlassUnits, li2s_percent: float, n_atoms: int) -> float:
    # a tenth of a percent of composition is worth one percent of the atoms
    return abs(each.li2s_percent - li2s_percent) / 0.1 + abs(each.n_atoms / n_atoms - 1.0) / 0.01


def _text(each: GlassUnits) -> str:
    return ", ".join(f"{n} {name}" for name, n in each.counts.items())
