"""Clusters of mobile ions and anions in a window, and the conductivity that they allow.

A cluster is what contacts join, and each atom of ``anions`` is an ion of its own. Cluster Nernst-Einstein sums
charge² × population × diffusivity over the compositions of clusters. Three things in it are approximations: no cluster
has a measured diffusivity (one of positive charge is given that of a cation, one of negative charge that of an anion,
as in the paper), those two are slopes of a window that may be too short for them, and an ion is in a cluster or out of
it by one distance. Where the anions stand still, or clusters run through the cell in half of the frames or more, there
are no clusters that travel, and no conductivity is given: the method is for salts in solvents and polymers.

References
----------
France-Lanord and Grossman, 10.1103/PhysRevLett.122.136001.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlip_sse.analysis.transport.charge.clusters import ClusterPopulations, cluster_sums, count_clusters
from mlip_sse.properties.features.window_extrapolation import plain_slope
from mlip_sse.units import A2_PER_FS_TO_CM2_PER_S, conductivity_ms_cm

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["CLUSTER_NAMES", "cluster_features"]

CLUSTER_NAMES = (
    "mobile_in_pairs_fraction", "mobile_in_larger_fraction", "free_anion_fraction", "percolating_fraction",
    "cluster_conductivity_ms_cm", "cluster_over_plain_conductivity",
)  # fmt: skip

_MOST_FRAMES = 60
_STANDSTILL = 1e-3
_NETWORK = 0.5


def cluster_features(
    window: "Trajectory",
    ions: npt.NDArray[np.intp],
    others: npt.NDArray[np.intp],
    contact_a: float,
    charges_e: tuple[float, float],
) -> tuple[dict[str, float], dict[str, str]]:
    """Return populations and conductivity of the clusters, and why a value is missing.

    Parameters
    ----------
    window
        In the reference frame of the framework, or in none where all ions move.
    ions, others : atom indices of mobile cations and of anions
    contact_a
        Longest contact in Å.
    charges_e
        Of a cation and of an anion.
    """
    populations = _populations(window, ions, others, contact_a)
    sizes, means = populations.sizes, populations.means
    n_ions = sizes.sum(axis=1)
    values = {
        "mobile_in_pairs_fraction": float(means @ (sizes[:, 0] * (n_ions == 2))) / len(ions),
        "mobile_in_larger_fraction": float(means @ (sizes[:, 0] * (n_ions > 2))) / len(ions),
        "free_anion_fraction": float(means @ (sizes[:, 1] * (n_ions == 1))) / len(others),
        "percolating_fraction": populations.percolating_fraction,
    }
    conductivity, ratio, reason = _nernst_einstein(window, ions, others, populations, charges_e)
    values |= {"cluster_conductivity_ms_cm": conductivity, "cluster_over_plain_conductivity": ratio}
    missing = {name: reason for name in CLUSTER_NAMES[-2:] if not np.isfinite(values[name])}
    return values, missing


def _populations(
    window: "Trajectory", ions: npt.NDArray[np.intp], others: npt.NDArray[np.intp], contact_a: float
) -> ClusterPopulations:
    frames = np.unique(np.linspace(0, window.n_frames - 1, _MOST_FRAMES).astype(int))
    looks = (
        (
            np.asarray(window.positions[frame, ions], dtype=np.float64),
            np.asarray(window.positions[frame, others], dtype=np.float64),
            np.asarray(window.cells[frame], dtype=np.float64),
        )
        for frame in frames
    )
    return count_clusters(looks, len(frames), np.arange(len(ions)), np.arange(len(others)), contact_a)


def _nernst_einstein(
    window: "Trajectory",
    ions: npt.NDArray[np.intp],
    others: npt.NDArray[np.intp],
    populations: ClusterPopulations,
    charges_e: tuple[float, float],
) -> tuple[float, float, str]:
    """Return the conductivity in mS/cm, its ratio to that of free ions, and why there is none."""
    cation, anion = (_slope_cm2_s(window, atoms) for atoms in (ions, others))
    if anion < _STANDSTILL * cation or not cation > 0:
        return np.nan, np.nan, (
            f"the anions diffuse at {anion:.2g} and the mobile ions at {cation:.2g} cm²/s in the window: no pairs that "
            "travel, use the diffusivity alone"
        )  # fmt: skip
    if populations.percolating_fraction >= _NETWORK:
        share = 100 * populations.percolating_fraction
        return np.nan, np.nan, f"a cluster runs through the cell in {share:.0f} % of the frames: a network, no clusters"
    total = cluster_sums(populations, *charges_e, (cation, anion)).charge_mobility
    plain = len(ions) * charges_e[0] ** 2 * cation + len(others) * charges_e[1] ** 2 * anion
    if window.temperature_k is None:
        return np.nan, total / plain, "the trajectory has no temperature, which a conductivity needs"
    unit = conductivity_ms_cm(1.0 / A2_PER_FS_TO_CM2_PER_S, window.mean_volume, window.temperature_k)
    return total * unit, total / plain, ""


def _slope_cm2_s(window: "Trajectory", atoms: npt.NDArray[np.intp]) -> float:
    coordinates = np.concatenate(list(window.ion_blocks(atoms, dtype=np.float64)))
    if not np.ptp(coordinates, axis=2).max() > 0:
        return 0.0
    return plain_slope(coordinates, window.frame_spacing_fs / 1000.0).value
