"""Structure families: their sites, how many ions each takes, and the mobile ion that balances the charge."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mlip_sse.errors import InputError, did_you_mean

__all__ = ["FAMILIES", "Family", "Ion", "Site", "family_of"]


@dataclass(frozen=True)
class Ion:
    """An element with its charge in e, written ``La3+`` or ``S2-``."""

    symbol: str
    charge: int

    @classmethod
    def parse(cls, text: str) -> "Ion":
        """Read ``La3+``, ``Cl-``, ``O2-``.

        Raises
        ------
        InputError
            When it is no element with a charge.
        """
        from ase.data import atomic_numbers

        sign = {"+": 1, "-": -1}.get(text[-1:], 0)
        symbol = text[:-1].rstrip("0123456789")
        digits = text[len(symbol) : -1]
        if not sign or symbol not in atomic_numbers or symbol == "X":
            raise InputError(f"found the ion {text!r}, expected an element and its charge, such as La3+ or Cl-")
        return cls(symbol, sign * int(digits or 1))

    def __str__(self) -> str:
        number = abs(self.charge)
        return f"{self.symbol}{number if number > 1 else ''}{'+' if self.charge > 0 else '-'}"


@dataclass(frozen=True)
class Site:
    """A site of a family: ions a formula unit, neighbours, and the ions it takes where nobody says otherwise."""

    name: str
    count: int
    coordination: int
    ions: tuple[Ion, ...]


@dataclass(frozen=True)
class Family:
    """A structure family.

    Parameters
    ----------
    name, sites
        The sites are filled by enumeration.
    mobile
        The ion whose amount makes the formula neutral; None where nothing may give way.
    least, most
        How many of it a formula unit holds, beside those on the sites.
    parent
        Crystal of the package whose sites stand for those of the family.
    groups
        Labels of the parent's sites by site of the family; ``mobile`` for the rest.
    """

    name: str
    sites: tuple[Site, ...]
    mobile: Ion | None
    least: float
    most: float
    parent: str
    groups: Mapping[str, tuple[str, ...]]

    def site(self, name: str) -> Site:
        """Return a site by name.

        Raises
        ------
        InputError
            When there is none of that name.
        """
        for each in self.sites:
            if each.name == name:
                return each
        known = [each.name for each in self.sites]
        raise InputError(f"{self.name} has no site {name!r}, expected one of {', '.join(known)}")


def _ions(*texts: str) -> tuple[Ion, ...]:
    return tuple(Ion.parse(text) for text in texts)


_GARNET = Family(
    name="garnet",
    sites=(
        Site("A", 3, 8, _ions("La3+", "Nd3+", "Sm3+", "Gd3+", "Y3+", "Ca2+", "Sr2+", "Ba2+")),
        Site("B", 2, 6, _ions("Zr4+", "Hf4+", "Sn4+", "Nb5+", "Ta5+", "Sb5+", "Te6+", "W6+")),
        Site("C", 3, 4, _ions("Li+", "Al3+", "Ga3+")),
        Site("X", 12, 4, _ions("O2-")),
    ),
    mobile=Ion("Li", 1),
    least=0.0,
    most=4.0,
    parent="c_li7la3zr2o12",
    groups=MappingProxyType({"A": ("La1",), "B": ("Zr1",), "C": ("Li1",), "X": ("O1",), "mobile": ("Li2",)}),
)
_ARGYRODITE = Family(
    name="argyrodite",
    sites=(
        Site("P", 1, 4, _ions("P5+", "As5+", "Sb5+", "Si4+", "Ge4+", "Sn4+")),
        Site("S", 4, 4, _ions("S2-", "Se2-")),
        Site("X", 2, 4, _ions("S2-", "Cl-", "Br-", "I-")),
    ),
    mobile=Ion("Li", 1),
    least=5.0,
    most=7.0,
    parent="li6ps5cl_disordered",
    groups=MappingProxyType({"P": ("P1",), "S": ("S1",), "X": ("X4c", "X4a"), "mobile": ("Li1",)}),
)
_ANTIPEROVSKITE = Family(
    name="antiperovskite",
    sites=(
        Site("X", 3, 6, _ions("Li+", "Na+", "K+")),
        Site("A", 1, 6, _ions("O2-", "S2-", "Se2-")),
        Site("B", 1, 12, _ions("F-", "Cl-", "Br-", "I-")),
    ),
    mobile=None,
    least=0.0,
    most=0.0,
    parent="li3ocl",
    groups=MappingProxyType({"X": ("Li1",), "A": ("O1",), "B": ("Cl1",)}),
)

FAMILIES: Mapping[str, Family] = MappingProxyType({each.name: each for each in (_GARNET, _ARGYRODITE, _ANTIPEROVSKITE)})
"""The families by name. Garnets hold 3 to 7 Li, of which 24d holds up to three; argyrodites 5 to 7."""


def family_of(name: str) -> Family:
    """Return a family by name.

    Raises
    ------
    InputError
        When there is none; the message lists those that are.
    """
    if name not in FAMILIES:
        raise InputError(f"no family {name!r}, expected one of {', '.join(FAMILIES)}{did_you_mean(name, FAMILIES)}")
    return FAMILIES[name]
