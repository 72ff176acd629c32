"""Every filling of the sites of a family by some ions, in equal steps, with as much of the mobile ion as is neutral."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from mlip_sse.errors import InputError
from mlip_sse.properties.composition import reduced_composition
from mlip_sse.properties.screen.families import Family, Ion
from mlip_sse.structures.ionic_properties import shannon_radius

__all__ = ["Candidate", "enumerate_family", "site_fillings"]

_MAX_CANDIDATES = 500_000

Filling = tuple[tuple[Ion, float], ...]


@dataclass(frozen=True)
class Candidate:
    """A filled family.

    Parameters
    ----------
    family
        Which one.
    fillings
        Of each site by name: its ions and how many of each a formula unit holds.
    mobile
        Mobile ions beside those on the sites; may be out of the family's range, which the charge filter says.
    """

    family: Family
    fillings: Mapping[str, Filling]
    mobile: float

    @property
    def ions(self) -> dict[Ion, float]:
        """All ions and their numbers, the mobile ones last."""
        total: dict[Ion, float] = {}
        for filling in self.fillings.values():
            for ion, number in filling:
                total[ion] = total.get(ion, 0.0) + number
        if self.family.mobile is not None and self.mobile > 1e-9:
            total[self.family.mobile] = total.get(self.family.mobile, 0.0) + self.mobile
        return total

    @property
    def charge(self) -> float:
        """Charge of the formula unit in e."""
        return sum(ion.charge * number for ion, number in self.ions.items())

    @property
    def formula(self) -> str:
        """Reduced formula."""
        amounts: dict[str, float] = {}
        for ion, number in self.ions.items():
            amounts[ion.symbol] = amounts.get(ion.symbol, 0.0) + number
        return reduced_composition("".join(f"{symbol}{number:.6f}" for symbol, number in amounts.items()))

    @property
    def name(self) -> str:
        """Sites and what fills them, such as ``A=La3, B=Zr1.5Ta0.5``."""
        parts = [
            f"{site}=" + "".join(f"{ion.symbol}{number:g}" for ion, number in filling)
            for site, filling in self.fillings.items()
        ]
        return ", ".join(parts)

    def mean_radius(self, site: str) -> float | None:
        """Return the mean radius of Shannon on a site in Å; None where an ion has none."""
        where = self.family.site(site)
        total = 0.0
        for ion, number in self.fillings[site]:
            radius = shannon_radius(ion.symbol, ion.charge, where.coordination)
            if radius is None:
                return None
            total += radius * number / where.count
        return total


def site_fillings(ions: Sequence[Ion], count: int, n_steps: int, most_ions: int) -> list[Filling]:
    """Return all fillings of a site by at most ``most_ions`` of some ions, in steps of ``count``/``n_steps``."""
    found: list[Filling] = [((ion, float(count)),) for ion in ions]
    for n_ions in range(2, most_ions + 1):
        for chosen in combinations(ions, n_ions):
            for cuts in combinations(range(1, n_steps), n_ions - 1):
                parts = [b - a for a, b in zip((0, *cuts), (*cuts, n_steps), strict=True)]
                found.append(tuple((ion, count * part / n_steps) for ion, part in zip(chosen, parts, strict=True)))
    return found


def enumerate_family(
    family: Family, ions: Mapping[str, Sequence[Ion]] | None = None, n_steps: int = 1, most_ions: int = 1
) -> Iterator[Candidate]:
    """Yield all candidates of a family.

    Parameters
    ----------
    family
        The family.
    ions
        Of some of its sites; the family's own for the others.
    n_steps
        A shared site is filled in steps of one over this.
    most_ions
        On one site.

    Raises
    ------
    InputError
        When a site is unknown or has no ion, or there are too many candidates.
    """
    chosen = dict(ions or {})
    for name in chosen:
        if not chosen[name]:
            raise InputError(f"site {name}: found no ion, expected at least one such as {family.site(name).ions[0]}")
        family.site(name)
    options = [
        site_fillings(tuple(dict.fromkeys(chosen.get(site.name, site.ions))), site.count, n_steps, most_ions)
        for site in family.sites
    ]
    n_candidates = 1
    for each in options:
        n_candidates *= len(each)
    if n_candidates > _MAX_CANDIDATES:
        raise InputError(
            f"{family.name}: found {n_candidates} candidates, expected at most {_MAX_CANDIDATES}: "
            f"give fewer ions or coarser steps"
        )
    names = [site.name for site in family.sites]
    for fillings in product(*options):
        filled = dict(zip(names, fillings, strict=True))
        charge = sum(ion.charge * number for filling in fillings for ion, number in filling)
        mobile = 0.0 if family.mobile is None else -charge / family.mobile.charge
        yield Candidate(family, filled, mobile)
