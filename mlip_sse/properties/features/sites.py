"""A crystal with partial occupancies as arrays: what stands on each site, how much of it, and which ion it is.

Nothing is dropped and nothing is ordered: a site holds fractions of species, a feature is a mean over them. Positions
that cannot be filled at once (split sites) are told by their distance: of the framework they are merged into one, of
the mobile ion pairs that near are left out of the statistics of pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlip_sse.analysis.structure.neighbours import Neighbours, neighbour_list
from mlip_sse.errors import InputError
from mlip_sse.properties.features.elements import element_index, element_values, formal_charges

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["PartialSites", "partial_sites"]

Floats = npt.NDArray[np.float64]

SPLIT_FRAMEWORK_A = 0.8
"""Framework sites nearer than this are one atom on split positions."""
SPLIT_MOBILE_A = 2.0
"""Partly filled sites of the mobile ion nearer than this are alternatives of each other."""


@dataclass(frozen=True, eq=False)
class PartialSites:
    """Sites of a crystal, those of the mobile ion apart from the framework's.

    Parameters
    ----------
    cell : (3, 3) Å
    mobile_positions : (n_mobile, 3) Å
    mobile_occupancies : (n_mobile,)
    positions : (n_sites, 3) Å, of the framework, split positions merged
    occupancies : (n_sites, n_species), of the framework
    species
        Elements of the framework, (n_species,).
    charges : (n_species,) e
        Mean formal charge of each.
    mobile_charge
        In e.
    """

    cell: Floats
    mobile_positions: Floats
    mobile_occupancies: Floats
    positions: Floats
    occupancies: Floats
    species: tuple[str, ...]
    charges: Floats
    mobile_charge: float

    @property
    def volume(self) -> float:
        """Of the cell in Å³."""
        return abs(float(np.linalg.det(self.cell)))

    @property
    def n_mobile(self) -> float:
        """Mobile ions in the cell."""
        return float(self.mobile_occupancies.sum())

    @property
    def filled(self) -> Floats:
        """How much of each framework site is filled, (n_sites,)."""
        return np.asarray(self.occupancies.sum(axis=1))

    @property
    def site_charges(self) -> Floats:
        """Mean charge of each framework site, (n_sites,) e."""
        return np.asarray(self.occupancies @ self.charges)

    @property
    def anion_share(self) -> Floats:
        """How much of each framework site is anion, (n_sites,)."""
        return np.asarray(self.occupancies[:, self.charges < 0].sum(axis=1))

    @property
    def is_anion(self) -> npt.NDArray[np.bool_]:
        """Sites that are rather anion than cation, (n_sites,)."""
        return self.anion_share > 0.5 * self.filled

    def mean_over_species(self, name: str) -> Floats:
        """Return the mean of one of pymatgen's element properties over what stands on each site, (n_sites,)."""
        values = element_values(name)[[element_index(symbol) for symbol in self.species]]
        known = np.isfinite(values)
        weights = self.occupancies[:, known].sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.asarray(self.occupancies[:, known] @ values[known] / weights)

    def around(self, points: Floats, cutoff: float, among: npt.NDArray[np.intp] | None = None) -> Neighbours:
        """Return framework sites within a cutoff of points (n_points, 3) Å; indices are places in ``positions``."""
        chosen = np.arange(len(self.positions)) if among is None else among
        together = np.concatenate([points, self.positions[chosen]])
        n_points = len(points)
        found = neighbour_list(
            together, self.cell, cutoff, centres=np.arange(n_points), others=np.arange(n_points, len(together))
        )
        return Neighbours(found.offsets, chosen[found.indices - n_points], found.vectors, found.distances)

    def mobile_pairs(self, cutoff: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats, Floats]:
        """Return pairs of mobile sites that may be filled at once.

        Returns
        -------
        first, second : (n_pairs,) sites
        distances : (n_pairs,) Å
        weights : (n_pairs,)
            The probability that the second is filled while the first is, taken as independent.
        """
        found = neighbour_list(self.mobile_positions, self.cell, cutoff)
        first, second, distances = found.centres, found.indices, found.distances
        together = self.mobile_occupancies[first] + self.mobile_occupancies[second]
        possible = (distances >= SPLIT_MOBILE_A) | ((together > 1.0 + 1e-6) & (distances > 0.5 * SPLIT_MOBILE_A))
        first, second, distances = first[possible], second[possible], distances[possible]
        return first, second, distances, self.mobile_occupancies[second]


def partial_sites(structure: "Structure", mobile: str = "Li") -> PartialSites:
    """Return the sites of a structure.

    Parameters
    ----------
    structure
        Ordered or disordered.
    mobile
        The mobile element.

    Raises
    ------
    InputError
        When there is no mobile ion, or nothing else.
    """
    tables = [_elements(site.species) for site in structure]
    amounts: dict[str, float] = {}
    for table in tables:
        for symbol, occupancy in table.items():
            amounts[symbol] = amounts.get(symbol, 0.0) + occupancy
    species = tuple(symbol for symbol in amounts if symbol != mobile)
    if mobile not in amounts or not species:
        raise InputError(f"found a crystal of {', '.join(amounts)}, expected {mobile} and a framework")
    charges = formal_charges(amounts)
    positions: Floats = np.asarray(structure.cart_coords, dtype=np.float64)
    cell: Floats = np.array(structure.lattice.matrix, dtype=np.float64)
    of_mobile = np.array([table.get(mobile, 0.0) for table in tables])
    occupancies = np.array([[table.get(symbol, 0.0) for symbol in species] for table in tables])
    framework = occupancies.sum(axis=1) > 1e-6
    merged, occupancies = _merged(positions[framework], occupancies[framework], cell)
    here = of_mobile > 1e-6
    return PartialSites(
        cell, positions[here], of_mobile[here], merged, occupancies, species,
        np.array([charges[symbol] for symbol in species]), charges[mobile],
    )  # fmt: skip


def _elements(species: "Sequence[object]") -> dict[str, float]:
    amounts: dict[str, float] = {}
    for each, occupancy in species.items():  # type: ignore[attr-defined]
        symbol = getattr(getattr(each, "element", each), "symbol", str(each))
        symbol = "H" if symbol in ("D", "T") else symbol
        amounts[symbol] = amounts.get(symbol, 0.0) + float(occupancy)
    return amounts


def _merged(positions: Floats, occupancies: Floats, cell: Floats) -> tuple[Floats, Floats]:
    """Return positions and occupancies in which sites that are too near to be filled at once are one."""
    near = neighbour_list(positions, cell, SPLIT_FRAMEWORK_A)
    filled = occupancies.sum(axis=1)
    group = np.full(len(positions), -1, dtype=np.int64)
    moved = positions.copy()
    weights = filled.copy()
    kept: list[int] = []
    sums = occupancies.copy()
    for site in np.argsort(-filled, kind="stable"):  # the best filled site of a group takes the others in
        if group[site] >= 0:
            continue
        group[site] = site
        kept.append(int(site))
        for k in range(near.offsets[site], near.offsets[site + 1]):
            other = near.indices[k]
            if group[other] < 0 and weights[site] + filled[other] <= 1.0 + 0.05:
                group[other] = site
                total = weights[site] + filled[other]
                moved[site] += (positions[site] + near.vectors[k] - moved[site]) * (filled[other] / total)
                sums[site] += occupancies[other]
                weights[site] = total
    order = np.sort(np.array(kept, dtype=np.int64))
    return moved[order], sums[order]
