"""Where the mobile ion could be, by bond valence: the mismatch on a grid, and at which mismatch its ways run through.

An ion that is well placed has a sum of bond valences V = Σ o_j exp((R_j − r_j)/b) equal to its charge. The mismatch
|V − z|, in valence units, is low along the ways that it can take; a way's threshold is its highest mismatch, counted
from the best place. R_j comes from radii and electronegativities of the elements, so that every pair of ions has one;
b is 0.37 Å. Places too near to a framework cation are closed. These are mismatches and no energies: the parameters of
the Morse forms (softBV) are not part of this package.

References
----------
M. O'Keeffe and N. E. Brese, J. Am. Chem. Soc. 113, 3226 (1991), 10.1021/ja00009a002 (the parameters, by pymatgen);
S. Adams and J. Swenson, Phys. Rev. B 63, 054201 (2000), 10.1103/PhysRevB.63.054201 (ways of constant mismatch).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit

from mlip_sse.errors import InputError
from mlip_sse.properties.features.percolation import grid_edges, percolation_thresholds
from mlip_sse.properties.features.sites import PartialSites, partial_sites
from mlip_sse.properties.features.structure_features import StructureFeatures, weighted_mean, weighted_spread

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["BondValencePaths", "bond_length", "valence_grid"]

Floats = npt.NDArray[np.float64]

SOFTNESS_A = 0.37
_CUTOFF_A = 6.0
_CATION_CORE = 0.85
"""Of the sum of the ionic radii of mobile ion and framework cation: nearer than that there is no way."""
_MOST_POINTS = 60_000


@dataclass(frozen=True)
class BondValencePaths(StructureFeatures):
    """Bond-valence sums of the mobile ions, and thresholds of the mismatch for ways in one, two and three directions.

    Parameters
    ----------
    mobile
        The mobile element.
    spacing_a
        Of the grid in Å; coarser where the cell would need more than 60,000 points.
    """

    spacing_a: float = 0.35

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features; mismatches in valence units."""
        return (
            "mobile_valence_sum_vu",
            "mobile_valence_sum_spread_vu",
            "mobile_valence_mismatch_vu",
            "framework_valence_mismatch_vu",
            "path_mismatch_1d_vu",
            "path_mismatch_2d_vu",
            "path_mismatch_3d_vu",
            "path_anisotropy_vu",
            "open_volume_fraction",
            "open_volume_per_mobile_a3",
            "excess_path_mismatch_vu",
            "site_density_of_minima_per_mobile",
        )

    def _features(self, structure: "Structure") -> list[float]:
        sites = partial_sites(structure, self.mobile)
        lengths = np.array([_pair_length(self.mobile, symbol) for symbol in sites.species])
        at_sites = _sums(sites, sites.mobile_positions, lengths)[0]
        weights, charge = sites.mobile_occupancies, sites.mobile_charge
        shape = grid_shape(sites.cell, self.spacing_a)
        mismatch = valence_grid(sites, self.mobile, shape)
        paths = percolation_thresholds(len(mismatch), *grid_edges(shape), values=_edge_values(mismatch, shape))
        paths = np.where(np.isfinite(paths), paths, np.nan)
        own = weighted_mean(np.abs(at_sites - charge), weights)
        is_open = mismatch < max(0.25, own)
        return [
            weighted_mean(at_sites, weights), weighted_spread(at_sites, weights), own, _framework_mismatch(sites),
            *paths, paths[2] - paths[0], float(is_open.mean()), float(is_open.mean()) * sites.volume / sites.n_mobile,
            paths[2] - own, float(_minima(mismatch.reshape(shape), 0.4)) / sites.n_mobile,
        ]  # fmt: skip


def bond_length(one: str, other: str) -> float:
    """Return the length of a bond of valence 1 between two elements in Å; nan where an element has no parameters.

    R = r₁ + r₂ − r₁ r₂ (√c₁ − √c₂)²/(c₁ r₁ + c₂ r₂).
    """
    table = _parameters()
    if one not in table or other not in table:
        return float("nan")
    (r1, c1), (r2, c2) = table[one], table[other]
    return float(r1 + r2 - r1 * r2 * (np.sqrt(c1) - np.sqrt(c2)) ** 2 / (c1 * r1 + c2 * r2))


def grid_shape(cell: Floats, spacing_a: float) -> tuple[int, int, int]:
    """Return how many points a grid has along each vector, about ``spacing_a`` apart and at most 60,000 in all."""
    lengths = np.linalg.norm(cell, axis=1)
    spacing = max(spacing_a, float(np.cbrt(lengths.prod() / _MOST_POINTS)))
    counts = np.maximum(4, np.ceil(lengths / spacing)).astype(int)
    return int(counts[0]), int(counts[1]), int(counts[2])


def valence_grid(sites: PartialSites, mobile: str, shape: tuple[int, int, int]) -> Floats:
    """Return the mismatch of a mobile ion at each point of a grid, (n_points,) vu; infinite where it has no room."""
    lengths = np.array([_pair_length(mobile, symbol) for symbol in sites.species])
    fractions = np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), axis=-1).reshape(-1, 3)
    sums, nearness = _sums(sites, fractions @ sites.cell, lengths)
    mismatch = np.abs(sums - sites.mobile_charge)
    return np.where(nearness < _CATION_CORE, np.inf, mismatch)


def _sums(sites: PartialSites, points: Floats, lengths: Floats) -> tuple[Floats, Floats]:
    """Return the sum of bond valences from anions at points, and how near the next cation is, in sums of radii."""
    from mlip_sse.properties.features.voids import ion_radii

    anion = sites.charges < 0
    strengths = np.where(anion, np.exp(np.nan_to_num(lengths, nan=-50.0) / SOFTNESS_A), 0.0)
    amplitude = sites.occupancies @ strengths
    cores = np.where(sites.is_anion | (sites.filled < 0.5), 0.0, ion_radii(sites) + _MOBILE_RADIUS_A)
    near = sites.around(points, _CUTOFF_A, np.flatnonzero((amplitude > 0) | (cores > 0)))
    sums, nearness = _sum_up(near.offsets, near.indices, near.distances, amplitude, cores)
    return sums, nearness


_MOBILE_RADIUS_A = 0.76


@njit(cache=True)
def _sum_up(
    offsets: npt.NDArray[np.int64], indices: npt.NDArray[np.int64], distances: Floats, amplitude: Floats, cores: Floats
) -> tuple[Floats, Floats]:
    n_points = len(offsets) - 1
    sums, nearness = np.zeros(n_points), np.full(n_points, np.inf)
    for point in range(n_points):
        for k in range(offsets[point], offsets[point + 1]):
            other = indices[k]
            if amplitude[other] > 0:
                sums[point] += amplitude[other] * np.exp(-distances[k] / 0.37)
            if cores[other] > 0:
                nearness[point] = min(nearness[point], distances[k] / cores[other])
    return sums, nearness


def _edge_values(mismatch: Floats, shape: tuple[int, int, int]) -> Floats:
    first, second, _ = grid_edges(shape)
    return np.asarray(np.maximum(mismatch[first], mismatch[second]))


def _framework_mismatch(sites: PartialSites) -> float:
    """Return the mean |V − z| of the framework cations, in valence units."""
    cations = np.flatnonzero(~sites.is_anion)
    anions = np.flatnonzero(sites.is_anion)
    if not len(cations) or not len(anions):
        return float("nan")
    near = sites.around(sites.positions[cations], _CUTOFF_A, anions)
    lengths = np.array([[bond_length(one, other) for other in sites.species] for one in sites.species])
    with np.errstate(over="ignore"):
        strengths = np.nan_to_num(np.exp(lengths / SOFTNESS_A)) * ((sites.charges > 0)[:, None] & (sites.charges < 0))
    share = sites.occupancies[cations] / sites.filled[cations][:, None]
    sums = np.zeros(len(cations))
    amplitude = np.einsum("ka,ab,kb->k", share[near.centres], strengths, sites.occupancies[near.indices])
    np.add.at(sums, near.centres, amplitude * np.exp(-near.distances / SOFTNESS_A))
    wanted = share @ sites.charges
    return weighted_mean(np.abs(sums - wanted), sites.filled[cations])


def _minima(mismatch: npt.NDArray[np.float64], below: float) -> int:
    """Return how many points of a grid lie below all 26 around them and below a bound."""
    lowest = mismatch < below
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            for k in (-1, 0, 1):
                if (i, j, k) != (0, 0, 0):
                    lowest &= mismatch <= np.roll(mismatch, (i, j, k), axis=(0, 1, 2))
    return int(lowest.sum())


@lru_cache(maxsize=1)
def _parameters() -> dict[str, tuple[float, float]]:
    """Return radius in Å and electronegativity of each element."""
    from importlib.resources import files

    from ruamel.yaml import YAML

    text = (files("pymatgen.core") / "bvparam_1991.yaml").read_text(encoding="utf-8")
    return {str(symbol): (float(row["r"]), float(row["c"])) for symbol, row in YAML(typ="safe").load(text).items()}


def _pair_length(mobile: str, symbol: str) -> float:
    if not _parameters().get(mobile):
        raise InputError(f"found no bond-valence parameters of {mobile!r}, expected an element of O'Keeffe and Brese")
    return bond_length(mobile, symbol)
