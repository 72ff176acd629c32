"""The electrostatic potential that the framework's formal charges make where the mobile ions stand.

φ_i = Σ_j q_j M_ij over framework sites, with the mean formal charge of what stands on each and a uniform background, so
that disorder needs no ordering. Deep and equal sites, or shallow and unequal ones: mean and spread say which.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlip_sse.properties.features.sites import PartialSites, partial_sites
from mlip_sse.properties.features.structure_features import StructureFeatures, weighted_mean, weighted_spread
from mlip_sse.structures.ewald import COULOMB_EV_A, ewald_matrix

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["EwaldSites", "site_potentials"]

Floats = npt.NDArray[np.float64]

_ACCURACY = 1e-5
_SAME_PLACE_A = 0.3


@dataclass(frozen=True)
class EwaldSites(StructureFeatures):
    """Potentials of the framework at the mobile sites, and at its own sites.

    Parameters
    ----------
    mobile
        The mobile element.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features; potentials in V, energies of the mobile charge in eV."""
        return (
            "mobile_site_potential_v", "mobile_site_potential_spread_v", "mobile_site_potential_range_v",
            "anion_potential_v", "anion_potential_spread_v", "filled_against_empty_ev", "mobile_mobile_energy_ev",
        )  # fmt: skip

    def _features(self, structure: "Structure") -> list[float]:
        sites = partial_sites(structure, self.mobile)
        at_mobile, at_framework = site_potentials(sites)
        occupied = sites.mobile_occupancies
        anions = sites.is_anion
        empty = np.clip(1.0 - occupied, 0.0, 1.0)
        first, _, distances, weights = sites.mobile_pairs(4.0)
        repulsion = np.bincount(first, COULOMB_EV_A * weights / distances, minlength=len(occupied))
        contrast = weighted_mean(at_mobile, empty) - weighted_mean(at_mobile, occupied) if empty.sum() > 1e-3 else 0.0
        return [
            weighted_mean(at_mobile, occupied), weighted_spread(at_mobile, occupied), float(np.ptp(at_mobile)),
            weighted_mean(at_framework[anions], sites.filled[anions]) if anions.any() else np.nan,
            weighted_spread(at_framework[anions], sites.filled[anions]) if anions.any() else np.nan,
            sites.mobile_charge * contrast, sites.mobile_charge**2 * weighted_mean(repulsion, occupied),
        ]  # fmt: skip


def site_potentials(sites: PartialSites) -> tuple[Floats, Floats]:
    """Return the potential at the mobile sites and at the framework sites, each in V.

    At framework sites the mobile ions take part with their mean charge, at mobile sites the framework alone.
    """
    near = sites.around(sites.mobile_positions, _SAME_PLACE_A)
    n_framework, n_mobile = len(sites.positions), len(sites.mobile_positions)
    shared = np.flatnonzero(near.counts)
    alone = np.flatnonzero(near.counts == 0)
    place = np.full(
        n_mobile, -1, dtype=np.intp
    )  # an ion that shares a site with framework ions is never there with them
    place[shared] = near.indices[near.offsets[shared]]
    place[alone] = n_framework + np.arange(len(alone))
    together = np.concatenate([sites.positions, sites.mobile_positions[alone]])
    matrix = ewald_matrix(sites.cell, together @ np.linalg.inv(sites.cell), _ACCURACY)
    at_mobile = matrix[place, :n_framework] @ sites.site_charges
    charges = np.concatenate([sites.site_charges, np.zeros(len(alone))])
    np.add.at(charges, place, sites.mobile_charge * sites.mobile_occupancies)
    return np.asarray(at_mobile), np.asarray(matrix[:n_framework] @ charges)
