"""Candidates as structures: the sites of a known crystal, filled anew and scaled by the radii of its ions.

The cell is a guess: that of the parent, times the cube of the ratio of the mean radii (cations and anions each weighted
by their numbers). Occupancies are averages; `mlip_sse.structures.resolve_disorder` makes arrangements of them, and a
relaxation finds the cell.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from mlip_sse.errors import InputError
from mlip_sse.properties.screen.enumeration import Candidate
from mlip_sse.properties.screen.families import Family, Ion, family_of
from mlip_sse.structures.crystals import crystal_entry, disordered_crystal
from mlip_sse.structures.ionic_properties import shannon_radius
from mlip_sse.structures.partial import DisorderedStructure

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["build", "pymatgen_structure"]


def build(candidate: Candidate) -> DisorderedStructure:
    """Return the structure of a candidate, with its occupancies.

    Raises
    ------
    InputError
        When the sites of the parent cannot hold its mobile ions.
    """
    family = candidate.family
    parent, units = _parent(family.name)
    where = {label: site for site, labels in family.groups.items() for label in labels}
    occupancies: list[Mapping[str, float]] = []
    for number, label in enumerate(parent.labels):
        site = where[label]
        if site != "mobile":
            count = family.site(site).count
            occupancies.append(_shares({ion: n / count for ion, n in candidate.fillings[site]}))
            continue
        places = np.count_nonzero(parent.groups == number) / units
        share = candidate.mobile / places
        if not 0 <= share <= 1 + 1e-6 or family.mobile is None:
            raise InputError(f"{candidate.name}: found {candidate.mobile:g} mobile ions for {places:g} places")
        occupancies.append({family.mobile.symbol: share} if share > 1e-9 else {})
    filled = [bool(each) for each in occupancies]
    kept = np.array([filled[group] for group in parent.groups])
    renumbered = np.cumsum(filled) - 1
    scale = _mean_radius(candidate.ions) / _mean_radius(_parent_ions(family))
    return replace(
        parent,
        cell=parent.cell * scale,
        scaled_positions=parent.scaled_positions[kept],
        groups=renumbered[parent.groups[kept]],
        labels=tuple(label for label, has in zip(parent.labels, filled, strict=True) if has),
        occupancies=tuple(each for each in occupancies if each),
        oxidation_states={ion.symbol: float(ion.charge) for ion in candidate.ions},
        origin={"family": family.name, "parent": family.parent, "candidate": candidate.name, "cell_scale": scale},
    )


def pymatgen_structure(candidate: Candidate) -> "Structure":
    """Return the structure of a candidate as pymatgen's, with its occupancies."""
    from pymatgen.core import Structure

    made = build(candidate)
    species = [dict(made.occupancies[group]) for group in made.groups]
    return Structure(made.cell, species, made.scaled_positions)


@lru_cache(maxsize=8)
def _parent(name: str) -> tuple[DisorderedStructure, float]:
    """Return the parent crystal of a family and how many formula units its cell holds."""
    family = family_of(name)
    parent = disordered_crystal(family.parent)
    known = {label for labels in family.groups.values() for label in labels}
    if set(parent.labels) != known:
        raise InputError(
            f"{family.parent} has the sites {', '.join(parent.labels)}, expected {', '.join(sorted(known))}"
        )
    first = family.sites[0]
    labels = family.groups[first.name]
    n_sites = sum(int(np.count_nonzero(parent.groups == parent.labels.index(label))) for label in labels)
    return parent, n_sites / first.count


def _parent_ions(family: Family) -> dict[Ion, float]:
    entry = crystal_entry(family.parent)
    found: dict[Ion, float] = {}
    for site in entry.sites:
        for symbol, share in site.species.items():
            ion = Ion(symbol, entry.oxidation_states[symbol])
            found[ion] = found.get(ion, 0.0) + share * site.multiplicity
    return found


def _mean_radius(ions: Mapping[Ion, float]) -> float:
    """Return the mean radius of the cations plus that of the anions, in Å; ions without a radius are left out."""
    total = 0.0
    for sign in (1, -1):
        known = [
            (radius, number)
            for ion, number in ions.items()
            if ion.charge * sign > 0 and (radius := shannon_radius(ion.symbol, ion.charge)) is not None
        ]
        if not known:
            raise InputError(f"found no ionic radius of {', '.join(map(str, ions))}, expected one of each sign")
        total += sum(radius * number for radius, number in known) / sum(number for _, number in known)
    return total


def _shares(shares: Mapping[Ion, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for ion, share in shares.items():
        found[ion.symbol] = found.get(ion.symbol, 0.0) + share
    return found
