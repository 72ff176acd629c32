"""The features of the superionic screen of Sendek et al., for ordered and for disordered crystals.

Twenty were proposed; a logistic regression kept five: Li–Li bonds per Li, bond ionicity of the framework, anion
coordination of the anions, shortest Li–anion and shortest Li–Li distance. With partial occupancies each is the mean
over what is there: a half-filled neighbour is half a bond.

What the paper leaves open is fixed here: ions of one kind are bonded up to 4 Å (mobile ions, anions), a cation is
bonded to anions nearer than 1.25 times its nearest one, ionicity is the difference of Pauling's electronegativities.

References
----------
A. D. Sendek et al., Energy Environ. Sci. 10, 306 (2017), 10.1039/C6EE02697D.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlip_sse.properties.features.elements import element_index, element_values
from mlip_sse.properties.features.sites import PartialSites, partial_sites
from mlip_sse.properties.features.structure_features import StructureFeatures, weighted_mean, weighted_spread

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["SuperionicScreen"]

Floats = npt.NDArray[np.float64]

_REACH_A = 4.0
_FAR_A = 8.0
_SHELL = 1.25
_FIVE = (
    "mobile_bonds_per_mobile",
    "framework_bond_ionicity",
    "anion_coordination_of_anions",
    "mobile_anion_distance_a",
    "mobile_mobile_distance_a",
)
_OTHERS = (
    "volume_per_atom_a3",
    "volume_per_anion_a3",
    "anion_anion_distance_a",
    "mobile_coordination",
    "mobile_coordination_spread",
    "mobile_bond_ionicity",
    "mobile_bond_ionicity_spread",
    "framework_coordination",
    "framework_electronegativity",
    "ratio_of_ionicities",
    "ratio_of_coordinations",
    "mobile_anion_distance_spread_a",
)


@dataclass(frozen=True)
class SuperionicScreen(StructureFeatures):
    """The five features of the logistic screen, and those of the other fifteen that need no choice of a path.

    Parameters
    ----------
    mobile
        The mobile element.
    only_five
        Leave the others out.
    """

    only_five: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return _FIVE if self.only_five else _FIVE + _OTHERS

    def _features(self, structure: "Structure") -> list[float]:
        sites = partial_sites(structure, self.mobile)
        first, _, distances, weights = sites.mobile_pairs(_FAR_A)
        bonds = np.bincount(first, weights * (distances <= _REACH_A), minlength=len(sites.mobile_occupancies))
        occupied = sites.mobile_occupancies
        anions = np.flatnonzero(sites.is_anion)
        shells = _mobile_shells(sites, anions, self.mobile)
        ionicity, coordination = _framework_bonds(sites, anions)
        anion_bonds, anion_distance = _anion_framework(sites, anions)
        five = [
            weighted_mean(bonds, occupied), ionicity, anion_bonds,
            weighted_mean(shells[:, 0], occupied),
            weighted_mean(_shortest(first, distances, weights, len(occupied)), occupied),
        ]  # fmt: skip
        if self.only_five:
            return five
        mobile_ionicity = weighted_mean(shells[:, 2], occupied)
        mobile_coordination = weighted_mean(shells[:, 1], occupied)
        n_atoms, n_anions = sites.n_mobile + sites.filled.sum(), sites.anion_share.sum()
        return [
            *five, sites.volume / n_atoms, sites.volume / n_anions if n_anions else np.nan, anion_distance,
            mobile_coordination, weighted_spread(shells[:, 1], occupied),
            mobile_ionicity, weighted_spread(shells[:, 2], occupied), coordination,
            weighted_mean(sites.mean_over_species("X"), sites.filled),
            mobile_ionicity / ionicity if ionicity > 0 else np.nan,
            mobile_coordination / coordination if coordination > 0 else np.nan,
            weighted_spread(shells[:, 0], occupied),
        ]  # fmt: skip


def _mobile_shells(sites: PartialSites, anions: npt.NDArray[np.intp], mobile: str) -> Floats:
    """Return nearest anion in Å, number of anions and bond ionicity of each mobile site, (n_mobile, 3)."""
    found = np.full((len(sites.mobile_positions), 3), np.nan)
    if not len(anions):
        return found
    near = sites.around(sites.mobile_positions, _REACH_A, anions)
    electronegativity = sites.mean_over_species("X")
    own = float(element_values("X")[element_index(mobile)])
    for site in range(len(found)):
        part = slice(near.offsets[site], near.offsets[site + 1])
        distances, which = near.distances[part], near.indices[part]
        weights = np.minimum(sites.filled[which], 1.0)
        likely = weights > 0.3
        if not likely.any():
            continue
        nearest = float(distances[likely].min())
        bonded = distances <= _SHELL * nearest
        difference = np.abs(electronegativity[which[bonded]] - own)
        found[site] = nearest, float(weights[bonded].sum()), weighted_mean(difference, weights[bonded])
    return found


def _framework_bonds(sites: PartialSites, anions: npt.NDArray[np.intp]) -> tuple[float, float]:
    """Return mean ionicity of the bonds of framework cations, and their mean coordination by anions."""
    cations = np.flatnonzero(~sites.is_anion)
    if not len(anions) or not len(cations):
        return float("nan"), float("nan")
    near = sites.around(sites.positions[cations], _REACH_A, anions)
    electronegativity = sites.mean_over_species("X")
    ionicity, coordination = np.full(len(cations), np.nan), np.full(len(cations), np.nan)
    for k in range(len(cations)):
        part = slice(near.offsets[k], near.offsets[k + 1])
        distances, which = near.distances[part], near.indices[part]
        if not len(distances):
            continue
        bonded = distances <= _SHELL * distances.min()
        weights = sites.filled[which[bonded]]
        ionicity[k] = weighted_mean(np.abs(electronegativity[which[bonded]] - electronegativity[cations[k]]), weights)
        coordination[k] = float(weights.sum())
    filled = sites.filled[cations]
    return weighted_mean(ionicity, filled), weighted_mean(coordination, filled)


def _anion_framework(sites: PartialSites, anions: npt.NDArray[np.intp]) -> tuple[float, float]:
    """Return how many anions are within 4 Å of an anion, and the mean distance of the nearest."""
    if not len(anions):
        return float("nan"), float("nan")
    near = sites.around(sites.positions[anions], _FAR_A, anions)
    apart = near.distances > 1.0
    weights = sites.filled[near.indices] * apart
    bonds = np.bincount(near.centres, weights * (near.distances <= _REACH_A), minlength=len(anions))
    shortest = _shortest(near.centres, near.distances, weights, len(anions))
    return weighted_mean(bonds, sites.filled[anions]), weighted_mean(shortest, sites.filled[anions])


def _shortest(first: npt.NDArray[np.int64], distances: Floats, weights: Floats, n_sites: int) -> Floats:
    """Return the mean distance of the nearest filled neighbour of each site, (n_sites,) Å.

    Neighbours are filled independently: the nearest counts with its occupancy, the next with what is left, and so on.
    """
    found = np.full(n_sites, np.nan)
    order = np.lexsort((distances, first))
    first, distances, weights = first[order], distances[order], np.minimum(weights[order], 1.0)
    starts = np.searchsorted(first, np.arange(n_sites + 1))
    for site in range(n_sites):
        part = slice(starts[site], starts[site + 1])
        if part.start == part.stop:
            continue
        empty = np.concatenate([[1.0], np.cumprod(1.0 - weights[part])])
        share = empty[:-1] * weights[part]
        found[site] = float(share @ distances[part] / share.sum()) if share.sum() > 0 else np.nan
    return found
