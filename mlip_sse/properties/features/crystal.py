"""Cell, density, symmetry and disorder of a crystal; composition, lattice, channels and the distribution of its ions.

`HierarchicalDescriptors` has the four levels along which argyrodites are tuned, from the coarsest to the finest: what
the composition is, how large the lattice, how the mobile ion's sites connect, how the anions are spread over theirs.
Nothing in it needs the crystal to be an argyrodite. All are means over occupancies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlip_sse.properties.features.elements import element_index, element_values
from mlip_sse.properties.features.percolation import percolation_thresholds
from mlip_sse.properties.features.sites import PartialSites, partial_sites
from mlip_sse.properties.features.structure_features import StructureFeatures, rows_of, weighted_mean, weighted_spread
from mlip_sse.properties.features.voids import ion_radii
from mlip_sse.space_groups import symmetry_dataset

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["CellAndSymmetry", "HierarchicalDescriptors", "SiteDisorder"]

Floats = npt.NDArray[np.float64]

_SYMMETRY_TOLERANCE_A = 0.1
_AMU_A3_IN_G_CM3 = 1.66053906660


@dataclass(frozen=True)
class CellAndSymmetry:
    """Volume, density, shape of the cell and number of symmetry operations of the mean structure."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return (
            "density_g_cm3", "volume_per_site_atom_a3", "packing_fraction", "cell_length_shortest_a",
            "cell_length_longest_a", "cell_length_ratio", "angle_deviation_deg", "space_group_number",
            "point_group_order", "is_cubic",
        )  # fmt: skip

    def featurize(self, compositions: Sequence[str], structures: Sequence["Structure | None"]) -> Floats:
        """Return the features, (n_rows, 10)."""
        return rows_of(structures, len(self.names), _cell_features)


@dataclass(frozen=True)
class SiteDisorder(StructureFeatures):
    """How far the mobile ion's sites, and the framework's, are from being filled by one ion each.

    Parameters
    ----------
    mobile
        The mobile element.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features; entropies are ideal."""
        return (
            "mobile_occupancy_mean", "mobile_occupancy_least", "mobile_sites_per_mobile",
            "partly_filled_mobile_fraction",
            "mobile_entropy_kb_per_mobile", "cation_mixing_entropy_kb_per_cation", "anion_mixing_entropy_kb_per_anion",
            "framework_vacancy_fraction", "mobile_shares_sites_fraction", "split_mobile_distance_a",
        )  # fmt: skip

    def _features(self, structure: "Structure") -> list[float]:
        sites = partial_sites(structure, self.mobile)
        occupied = np.clip(sites.mobile_occupancies, 0.0, 1.0)
        partly = (occupied > 0.01) & (occupied < 0.99)
        anions, filled = sites.is_anion, np.clip(sites.filled, 0.0, 1.0)
        mixing = _entropies(sites.occupancies / np.maximum(sites.filled, 1e-9)[:, None])
        shared = sum(
            float(_amount(site, self.mobile))
            for site in structure
            if 0 < _amount(site, self.mobile) < _total(site) - 1e-3
        )
        return [
            weighted_mean(occupied, occupied), float(occupied.min()), len(occupied) / sites.n_mobile,
            weighted_mean(partly.astype(np.float64), occupied),
            float(_binary_entropy(occupied).sum()) / sites.n_mobile,
            weighted_mean(mixing[~anions], filled[~anions]) if (~anions).any() else 0.0,
            weighted_mean(mixing[anions], filled[anions]) if anions.any() else 0.0,
            float(np.mean(1.0 - filled)), shared / sites.n_mobile, _nearest_site(sites),
        ]  # fmt: skip


@dataclass(frozen=True)
class HierarchicalDescriptors(StructureFeatures):
    """Four levels: composition, lattice, channels, distribution of the ions.

    Parameters
    ----------
    mobile
        The mobile element.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, each with its level."""
        return (
            "composition_halide_share_of_anions", "composition_anion_radius_a", "composition_anion_polarizability_a3",
            "composition_cation_charge_per_anion_e", "lattice_volume_per_anion_a3", "lattice_free_volume_fraction",
            "lattice_mobile_density_per_a3", "channel_jump_1d_a", "channel_jump_2d_a", "channel_jump_3d_a",
            "channel_first_jump_a", "channel_jump_ratio", "channel_sites_in_reach", "ions_anion_charge_spread_e",
            "ions_anion_radius_spread_a", "ions_isolated_anion_share", "ions_mobile_around_anion_spread",
            "ions_cation_distance_a",
        )  # fmt: skip

    def _features(self, structure: "Structure") -> list[float]:
        sites = partial_sites(structure, self.mobile)
        radii, anions = ion_radii(sites), sites.is_anion
        share, filled = sites.anion_share, sites.filled
        n_anions = float(share.sum()) or np.nan
        balls = 4.18879 * (float(filled @ radii**3) + sites.n_mobile * 0.76**3)
        return [
            _of_species(sites, ("F", "Cl", "Br", "I")) / n_anions, weighted_mean(radii[anions], filled[anions]),
            _anion_polarizability(sites), float(sites.site_charges[~anions].sum()) / n_anions,
            sites.volume / n_anions, 1.0 - balls / sites.volume, sites.n_mobile / sites.volume,
            *_channels(sites), *_distribution(sites, radii, anions),
        ]  # fmt: skip


def _cell_features(structure: "Structure") -> list[float]:
    lattice = structure.lattice
    lengths = np.sort(lattice.abc)
    weight = sum(float(each.atomic_mass) * amount for each, amount in structure.composition.items())
    n_atoms = structure.composition.num_atoms
    radii = element_values("atomic_radius")
    balls = sum(
        4.18879 * float(np.nan_to_num(radii[element_index(symbol if symbol not in "DT" else "H")])) ** 3 * amount
        for symbol, amount in structure.composition.get_el_amt_dict().items()
    )
    number, order = _space_group(structure)
    return [
        weight / lattice.volume * _AMU_A3_IN_G_CM3, lattice.volume / n_atoms, balls / lattice.volume,
        lengths[0], lengths[2], lengths[2] / lengths[0], float(np.abs(np.array(lattice.angles) - 90.0).max()),
        number, order, float(number >= 195),
    ]  # fmt: skip


def _space_group(structure: "Structure") -> tuple[int, int]:
    """Return number of the space group, and order of its point group, of the structure with its mean occupancies."""
    kinds: dict[str, int] = {}
    numbers = [kinds.setdefault(site.species_string, len(kinds) + 1) for site in structure]
    found = symmetry_dataset(structure.lattice.matrix, structure.frac_coords, numbers, _SYMMETRY_TOLERANCE_A)
    if found is None:
        return 1, 1
    return int(found.number), len({tuple(np.ravel(rotation)) for rotation in found.rotations})


def _amount(site: object, mobile: str) -> float:
    return float(sum(a for each, a in site.species.items() if getattr(each, "symbol", "") == mobile))  # type: ignore[attr-defined]


def _total(site: object) -> float:
    return float(sum(site.species.values()))  # type: ignore[attr-defined]


def _entropies(shares: Floats) -> Floats:
    """Return −Σ x ln x of each row."""
    return np.asarray(-np.sum(np.where(shares > 0, shares * np.log(np.maximum(shares, 1e-300)), 0.0), axis=1))


def _binary_entropy(filled: Floats) -> Floats:
    return _entropies(np.stack([filled, 1.0 - filled], axis=1))


def _nearest_site(sites: PartialSites) -> float:
    """Return the mean distance of the nearest other site of the mobile ion, filled at once or not, in Å."""
    from mlip_sse.analysis.structure.neighbours import neighbour_list

    near = neighbour_list(sites.mobile_positions, sites.cell, 6.0)
    nearest = np.full(len(sites.mobile_positions), np.inf)
    np.minimum.at(nearest, near.centres, near.distances)
    return weighted_mean(np.where(np.isfinite(nearest), nearest, np.nan), sites.mobile_occupancies)


def _of_species(sites: PartialSites, symbols: tuple[str, ...]) -> float:
    chosen = [k for k, symbol in enumerate(sites.species) if symbol in symbols and sites.charges[k] < 0]
    return float(sites.occupancies[:, chosen].sum())


def _anion_polarizability(sites: PartialSites) -> float:
    from mlip_sse.structures.ionic_properties import ion_polarizability

    values = [
        ion_polarizability(symbol, float(charge)) if charge < 0 else None
        for symbol, charge in zip(sites.species, sites.charges, strict=True)
    ]
    known = np.array([np.nan if value is None else value for value in values])
    return weighted_mean(known, sites.occupancies.sum(axis=0))


def _channels(sites: PartialSites) -> list[float]:
    """Return the jump lengths at which the mobile sites connect in 1, 2, 3 directions, and of the first jump."""
    from mlip_sse.analysis.structure.neighbours import neighbour_list

    near = neighbour_list(sites.mobile_positions, sites.cell, 8.0)
    inverse = np.linalg.inv(sites.cell)
    place = sites.mobile_positions
    shifts = np.rint((near.vectors - (place[near.indices] - place[near.centres])) @ inverse).astype(np.int64)
    jumps = percolation_thresholds(len(place), near.centres, near.indices, shifts, near.distances)
    jumps = np.where(np.isfinite(jumps), jumps, np.nan)
    first = _nearest_site(sites)
    within = np.bincount(near.centres, near.distances <= 4.0, minlength=len(place))
    return [*jumps, first, float(jumps[2] / first), weighted_mean(within.astype(np.float64), sites.mobile_occupancies)]


def _distribution(sites: PartialSites, radii: Floats, anions: npt.NDArray[np.bool_]) -> list[float]:
    """Return how unlike the anion sites are in charge, size, bonds to the framework and mobile ions around."""
    filled = sites.filled
    if not anions.any():
        return [np.nan] * 5
    cations = np.flatnonzero(~anions)
    bonded = np.zeros(len(filled))
    if len(cations):
        near = sites.around(sites.positions[anions], 2.8, cations)
        bonded[anions] = np.bincount(near.centres, filled[near.indices], minlength=int(anions.sum()))
    together = np.concatenate([sites.positions[anions], sites.mobile_positions])
    around = _counts_around(together, int(anions.sum()), sites)
    apart = np.nan
    if len(cations):
        others = sites.around(sites.positions[cations], 8.0, cations)
        nearest = np.full(len(cations), np.inf)
        far = others.distances > 0.5
        np.minimum.at(nearest, others.centres[far], others.distances[far])
        apart = weighted_mean(np.where(np.isfinite(nearest), nearest, np.nan), filled[cations])
    weights = filled[anions]
    return [
        weighted_spread(sites.site_charges[anions] / weights, weights), weighted_spread(radii[anions], weights),
        weighted_mean((bonded[anions] < 0.1).astype(np.float64), weights), weighted_spread(around, weights), apart,
    ]  # fmt: skip


def _counts_around(together: Floats, n_anions: int, sites: PartialSites) -> Floats:
    from mlip_sse.analysis.structure.neighbours import neighbour_list

    near = neighbour_list(
        together, sites.cell, 3.5, centres=np.arange(n_anions), others=np.arange(n_anions, len(together))
    )
    weights = sites.mobile_occupancies[near.indices - n_anions]
    return np.asarray(np.bincount(near.centres, weights, minlength=n_anions))
