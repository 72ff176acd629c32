"""What each atom of a structure is, by what surrounds it: units of the electrolyte, products of its reaction, metal.

Covalent bonds are shorter than 1.25 times the sum of covalent radii (`mlip_sse.bond_lengths`): P-S 2.65, S-S 2.63,
P-P 2.68 Å. A contact of an ion with the mobile metal is shorter than 1.4 times that sum: Li-S 3.26, Li-Cl 3.22, Li-P
3.29, Li-Li 3.58 Å, between the first shells of Li₂S (2.47), LiCl (2.57), Li₃P (2.4-2.7 Å) and their second ones. With
the default rule P-S, 4, the classes are

========================  ==========================================================================================
`PS4`                     centre with all of its ligands: intact
`PS3`, `PS2`, `PS`        partly reduced
`P-P`                     bound to another centre, with fewer ligands than it should have
`Li3P-like`               no ligand, no other centre, in contact with Li: reduced
`bare P`                  none of these
`S bonded`                bound to a centre
`S-S`                     bound to another ligand only: S₈, polysulfide
`S in electrolyte`        no covalent bond, most of its neighbouring anions are bound to a centre, as in argyrodite
`Li2S-like`               no covalent bond, most of its neighbouring anions are not, in contact with Li
`bare S`                  the same, without Li
`Cl in electrolyte`       halide or other anion, most of its neighbouring anions are bound to a centre
`LiCl-like`, `bare Cl`    the same where they are not, with Li in contact and without
`Li metal`                no contact with anything but Li
`Li ionic`                in contact with another element
========================  ==========================================================================================

An anion without a covalent bond is coordinated by lithium alone both in argyrodite and in the products (Li₂S, LiCl, or
the solid solution of both that molecular dynamics finds), so that its lithium neighbours do not tell where it is. Its
anions do: in Li₆PS₅Cl 12 of the 16 anions around a chloride or a free sulfide belong to PS₄, peaks at 4.0-4.3 Å; in the
products none does. It is counted to what makes up more than half of the anions within 4.6 Å, which lies below the
second anion shells of LiCl (5.13 Å) and Li₂S (5.71 Å).

References
----------
Products of Li | Li₆PS₅Cl: G. Chaney et al., arXiv:2402.04095.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.structure.neighbours import Neighbours, neighbour_list
from mlip_sse.bond_lengths import BOND_REACH, longest_bond
from mlip_sse.errors import InputError

__all__ = ["ANION_CHARGES", "Environments", "Surroundings", "UnitRule"]

ANION_CHARGES: Final = {
    **dict.fromkeys(("F", "Cl", "Br", "I", "H"), 1),
    **dict.fromkeys(("O", "S", "Se", "Te"), 2),
    **dict.fromkeys(("N", "P", "As", "Sb", "Bi"), 3),
    **dict.fromkeys(("C", "Si", "Ge", "Sn"), 4),
}
_CATION_CHARGES: Final = {"Mg": 2, "Ca": 2, "Zn": 2, "Al": 3}
_ANIONS: Final = ("F", "Cl", "Br", "I", "O", "S", "Se", "Te", "N")
_CONTACT_REACH: Final = 1.4
_ANION_SHELL_A: Final = 4.6


@dataclass(frozen=True)
class UnitRule:
    """What an intact unit is: a centre with so many ligands within a bond length in Å, by default 1.25 Σ radii."""

    centre: str = "P"
    ligand: str = "S"
    count: int = 4
    bond_length: float | None = None

    def __post_init__(self) -> None:
        if self.centre == self.ligand or self.count < 1 or not (self.bond_length is None or self.bond_length > 0):
            raise InputError(f"found {self}, expected two species, a count ≥ 1 and a positive bond length")

    @property
    def length(self) -> float:
        """Longest bond of centre and ligand in Å."""
        return longest_bond(self.centre, self.ligand) if self.bond_length is None else self.bond_length

    @property
    def intact(self) -> str:
        """Name of an intact unit."""
        return _formula(self.centre, self.ligand, self.count)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """One structure.

    Parameters
    ----------
    classes : (n_atoms,) places in `Environments.names`
    bonded : (n_atoms,) ligands that belong to a centre
    """

    classes: NDArray[np.int16]
    bonded: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Environments:
    """The rules for some species, and the names of the classes.

    Parameters
    ----------
    species : (n_atoms,) chemical symbols
    rules
        Units of the electrolyte, one for each centre.
    mobile
        The metals.
    """

    species: NDArray[np.str_]
    rules: tuple[UnitRule, ...] = (UnitRule(),)
    mobile: tuple[str, ...] = ("Li",)
    names: tuple[str, ...] = field(init=False)
    elements: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        present = list(dict.fromkeys(str(symbol) for symbol in self.species))
        centres = [rule.centre for rule in self.rules]
        for symbol in {*centres, *(rule.ligand for rule in self.rules)}:
            if symbol not in present:
                raise InputError(
                    f"species {symbol!r} is not in the trajectory, which holds {', '.join(present)}: say what a unit "
                    "of the electrolyte is, for example units: [{centre: P, ligand: O, count: 4}]"
                )
        if len(set(centres)) < len(centres) or set(centres) & set(self.mobile):
            raise InputError(f"found centres {', '.join(centres)}, expected each of them once, and none that is mobile")
        labels = [(name, symbol) for symbol in present for name in self._names_of(symbol)]
        object.__setattr__(self, "names", tuple(name for name, _ in labels))
        object.__setattr__(self, "elements", tuple(symbol for _, symbol in labels))

    @property
    def centres(self) -> NDArray[np.intp]:
        """Atoms that are centres of units."""
        return np.flatnonzero(np.isin(self.species, [rule.centre for rule in self.rules]))

    @property
    def intact(self) -> tuple[int, ...]:
        """Classes of intact centres."""
        return tuple(self.names.index(rule.intact) for rule in self.rules)

    @property
    def electrode(self) -> tuple[int, ...]:
        """Classes that only an electrode of the mobile metal, or of the ligand's element, has: `Li metal`, `S-S`."""
        return tuple(k for k, name in enumerate(self.names) if name in self._electrode_names())

    def product_of(self, symbol: str) -> int | None:
        """Return the class of an element in its binary compound with the mobile metal, None where it has none."""
        name = self._product(symbol)
        return self.names.index(name) if name in self.names else None

    def classify(self, positions: NDArray[np.floating], cell: NDArray[np.floating]) -> Surroundings:
        """Return the class of each atom.

        Parameters
        ----------
        positions : (n_atoms, 3) Å
        cell : (3, 3) Å
        """
        symbols = self.species
        longest = max([_ANION_SHELL_A, *(rule.length for rule in self.rules), *self._contacts()])
        pairs = _Pairs(neighbour_list(positions, cell, longest), symbols)
        n = len(symbols)
        classes = np.full(n, -1, dtype=np.int16)
        mobile, ligands = np.isin(symbols, self.mobile), np.isin(symbols, [rule.ligand for rule in self.rules])
        bonded = np.zeros(n, dtype=bool)
        ligand_counts: dict[str, NDArray[np.int64]] = {}
        for rule in self.rules:
            near = pairs.closer(rule.centre, rule.ligand, rule.length)
            ligand_counts[rule.centre] = np.bincount(pairs.centres[near], minlength=n)
            bonded[pairs.others[near]] = True
        in_contact = np.zeros(n, dtype=bool)
        foreign = np.zeros(n, dtype=bool)
        for metal in self.mobile:
            for other in dict.fromkeys(symbols.tolist()):
                near = pairs.closer(metal, other, self._contact(metal, other))
                in_contact[pairs.others[near]] = True
                if other not in self.mobile:
                    foreign[pairs.centres[near]] = True
        anions = ligands | (np.isin(symbols, _ANIONS) & ~mobile)
        in_shell = anions[pairs.centres] & anions[pairs.others] & (pairs.distances < _ANION_SHELL_A)
        around = np.bincount(pairs.centres[in_shell], minlength=n)
        theirs = np.bincount(pairs.centres[in_shell], weights=bonded[pairs.others[in_shell]], minlength=n)
        among_units = 2 * theirs > around
        for symbol in dict.fromkeys(symbols.tolist()):
            of = symbols == symbol
            own = next((rule for rule in self.rules if rule.centre == symbol), None)
            if own is not None:
                paired = pairs.bound(symbol, n)
                states = self._centre_states(own, ligand_counts[symbol], paired, in_contact)
            elif symbol in self.mobile:
                states = np.select([foreign, in_contact], [1, 0], 2)
            elif ligands[of].any():
                homopolar = pairs.bound(symbol, n)
                states = np.select([bonded, homopolar, among_units, in_contact], [0, 1, 3, 2], 4)
            elif anions[of].any():
                states = np.select([among_units, in_contact], [1, 0], 2)
            else:
                states = np.zeros(n, dtype=np.int64)
            classes[of] = self.elements.index(symbol) + states[of]
        return Surroundings(classes, bonded)

    def _centre_states(
        self, rule: UnitRule, counts: NDArray[np.int64], paired: NDArray[np.bool_], in_contact: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        # the order of _names_of: intact, n - 1 ligands, ..., 1 ligand, pair, product, bare
        few = rule.count - np.minimum(counts, rule.count)
        after = rule.count
        states = np.select(
            [counts >= rule.count, paired, counts > 0, in_contact], [few, after, few, after + 1], after + 2
        )
        return np.asarray(states, dtype=np.int64)

    def _names_of(self, symbol: str) -> list[str]:
        for rule in self.rules:
            if rule.centre == symbol:
                units = [_formula(symbol, rule.ligand, k) for k in range(rule.count, 0, -1)]
                return [*units, f"{symbol}-{symbol}", self._product(symbol), f"bare {symbol}"]
        if symbol in self.mobile:
            return [f"{symbol} metal", f"{symbol} ionic", f"bare {symbol}"]
        ends = [self._product(symbol), f"{symbol} in electrolyte", f"bare {symbol}"]
        if any(rule.ligand == symbol for rule in self.rules):
            return [f"{symbol} bonded", f"{symbol}-{symbol}", *ends]
        return ends if symbol in _ANIONS else [symbol]

    def _electrode_names(self) -> set[str]:
        return {f"{metal} metal" for metal in self.mobile} | {f"{rule.ligand}-{rule.ligand}" for rule in self.rules}

    def _product(self, symbol: str) -> str:
        metal = self.mobile[0]
        if symbol not in ANION_CHARGES:
            return f"{metal}-{symbol}-like"
        one, other = _CATION_CHARGES.get(metal, 1), ANION_CHARGES[symbol]
        n = gcd(one, other)
        return f"{_formula(metal, symbol, one // n, other // n)}-like"

    def _contact(self, metal: str, other: str) -> float:
        return _CONTACT_REACH / BOND_REACH * longest_bond(metal, other)

    def _contacts(self) -> list[float]:
        return [self._contact(metal, other) for metal in self.mobile for other in set(self.species.tolist())]


class _Pairs:
    """All pairs within the longest distance, both ways."""

    def __init__(self, near: Neighbours, symbols: NDArray[np.str_]) -> None:
        self.centres, self.others, self.distances = near.centres, near.indices, near.distances
        self._kinds = {str(symbol): k for k, symbol in enumerate(np.unique(symbols))}
        kinds = np.array([self._kinds[str(symbol)] for symbol in symbols])
        self._pairs = kinds[self.centres] * len(self._kinds) + kinds[self.others]

    def closer(self, centre: str, other: str, length: float) -> NDArray[np.intp]:
        """Return the places of the pairs of two species below a length; none where a species is absent."""
        if centre not in self._kinds or other not in self._kinds:
            return np.empty(0, dtype=np.intp)
        pair = self._kinds[centre] * len(self._kinds) + self._kinds[other]
        return np.flatnonzero((self._pairs == pair) & (self.distances < length))

    def bound(self, symbol: str, n_atoms: int) -> NDArray[np.bool_]:
        """Return which atoms of a species have a covalent bond to another one of it, (n_atoms,)."""
        found = np.zeros(n_atoms, dtype=bool)
        found[self.centres[self.closer(symbol, symbol, longest_bond(symbol, symbol))]] = True
        return found


def _formula(first: str, second: str, n_second: int, n_first: int = 1) -> str:
    parts: Sequence[tuple[str, int]] = ((first, n_first), (second, n_second))
    return "".join(symbol + (str(n) if n > 1 else "") for symbol, n in parts)
