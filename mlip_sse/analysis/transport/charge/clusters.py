"""Cluster Nernst-Einstein: the conductivity of a salt whose ions move as pairs and larger clusters.

    σ = e²/(V k_B T) Σ_ij (z₊ i − |z₋| j)² α_ij D_ij
    t₊ = Σ_ij z₊ i (z₊ i − |z₋| j) α_ij D_ij / Σ_ij (z₊ i − |z₋| j)² α_ij D_ij

α_ij is the mean number of clusters of i cations and j anions; an ion pair is an i = j = 1 cluster and carries nothing.
No cluster is left out for its size, and Σ i α_ij is checked against the number of cations. D_ij by the rule of the
paper: a cluster with more positive charge diffuses like a cation, one with more negative charge like an anion; another
rule may be given. With no bonds the formula is the Nernst-Einstein equation.

The interval holds the fluctuation of the populations over time blocks (the larger of two block lengths) and the errors
of both diffusivities, taken as independent. It does not hold the error of the rule.

References
----------
France-Lanord and Grossman, Phys. Rev. Lett. 122, 136001 (2019), doi:10.1103/PhysRevLett.122.136001.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.transport.charge.connectivity import connected_components
from mlip_sse.errors import InputError, MlipSseError

__all__ = [
    "ClusterPopulations",
    "ClusterSums",
    "cluster_charges",
    "cluster_sums",
    "count_clusters",
    "ion_rich_rule",
]


@dataclass(frozen=True, eq=False)
class ClusterPopulations:
    """How many clusters of each composition there were.

    Parameters
    ----------
    sizes : (n_kinds, 2) cations i and anions j of each kind of cluster that occurred
    block_means : (n_blocks, n_kinds) mean number of clusters in each time block
    block_frames : (n_blocks,) frames in each block
    n_cations, n_anions
        Ions in the cell.
    percolating_fraction
        Fraction of frames with a cluster that meets its own periodic image.
    """

    sizes: NDArray[np.int64]
    block_means: NDArray[np.float64]
    block_frames: NDArray[np.int64]
    n_cations: int
    n_anions: int
    percolating_fraction: float

    @property
    def means(self) -> NDArray[np.float64]:
        """α_ij over all frames, (n_kinds,)."""
        means: NDArray[np.float64] = self.block_frames @ self.block_means / self.block_frames.sum()
        return means

    def check_conservation(self) -> None:
        """Raise unless every ion is in exactly one cluster."""
        found = self.means @ self.sizes
        wanted = np.array([self.n_cations, self.n_anions])
        if not np.allclose(found, wanted, rtol=1e-9):
            raise MlipSseError(
                f"the clusters hold {found.tolist()} cations and anions, expected {wanted.tolist()}; please report this"
            )


def count_clusters(
    frames: Iterable[tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]],
    n_frames: int,
    cation_of_site: NDArray[np.integer],
    anion_of_site: NDArray[np.integer],
    cutoff: float,
    n_blocks: int = 10,
) -> ClusterPopulations:
    """Count the clusters in each frame; a cluster is what cation-anion contacts join.

    Parameters
    ----------
    frames : for each frame cation sites (n, 3) Å, anion sites (m, 3) Å and cell (3, 3) Å
    n_frames
        Number of frames.
    cation_of_site : (n,) which cation a site belongs to, from 0
    anion_of_site : (m,) which anion a site belongs to, from 0; a molecule has several sites
    cutoff
        Longest cation-anion contact in Å, the first minimum of g(r).
    n_blocks
        Time blocks behind the interval.

    Raises
    ------
    InputError
        When there are no frames or no ions, or fewer frames than were announced.
    """
    if n_frames < 1 or len(cation_of_site) == 0 or len(anion_of_site) == 0:
        raise InputError(
            f"found {n_frames} frames, {len(cation_of_site)} cation and {len(anion_of_site)} anion sites, expected "
            "some of each: name the ions of the salt"
        )
    n_cations, n_anions = int(cation_of_site.max()) + 1, int(anion_of_site.max()) + 1
    blocks = min(n_blocks, n_frames)
    counts: list[dict[tuple[int, int], int]] = [{} for _ in range(blocks)]
    block_frames = np.zeros(blocks, dtype=np.int64)
    n_percolating = 0
    for frame, (cations, anions, cell) in enumerate(frames):
        labels, percolates = connected_components(
            cations, anions, cation_of_site, n_cations + anion_of_site, n_cations + n_anions, cell, cutoff
        )
        block = frame * blocks // n_frames
        block_frames[block] += 1
        n_percolating += bool(percolates.any())
        for size in _compositions(labels, n_cations):
            counts[block][size] = counts[block].get(size, 0) + 1
    return _populations(counts, block_frames, n_cations, n_anions, n_percolating / n_frames)


def _compositions(labels: NDArray[np.int64], n_cations: int) -> list[tuple[int, int]]:
    n_clusters = int(labels.max()) + 1
    cations = np.bincount(labels[:n_cations], minlength=n_clusters)
    anions = np.bincount(labels[n_cations:], minlength=n_clusters)
    return list(zip(cations.tolist(), anions.tolist(), strict=True))


def _populations(
    counts: list[dict[tuple[int, int], int]],
    block_frames: NDArray[np.int64],
    n_cations: int,
    n_anions: int,
    percolating_fraction: float,
) -> ClusterPopulations:
    if (block_frames == 0).any():
        raise InputError(f"found {block_frames.sum()} frames, expected as many as n_frames says: count them again")
    kinds = sorted(set().union(*counts))
    means = np.array([[count.get(kind, 0) for kind in kinds] for count in counts]) / block_frames[:, None]
    populations = ClusterPopulations(
        np.array(kinds, dtype=np.int64), means, block_frames, n_cations, n_anions, percolating_fraction
    )
    populations.check_conservation()
    return populations


def ion_rich_rule(sizes: NDArray[np.int64], cation_charge: float, anion_charge: float) -> NDArray[np.float64]:
    """Return the rule of the paper as weights: D₊ where positive charge prevails, D₋ where negative, 0 where neutral.

    Returns
    -------
    (n_kinds, 2)
        D_ij = weights @ (D₊, D₋).
    """
    charge = cluster_charges(sizes, cation_charge, anion_charge)
    return np.stack([charge > 0, charge < 0], axis=-1).astype(np.float64)


def cluster_charges(sizes: NDArray[np.int64], cation_charge: float, anion_charge: float) -> NDArray[np.float64]:
    """Return z₊ i − |z₋| j of each kind of cluster, (n_kinds,) e."""
    if not (cation_charge > 0 > anion_charge):
        raise InputError(
            f"found charges {cation_charge!r} and {anion_charge!r}, expected the cation's > 0 and the anion's < 0"
        )
    charge: NDArray[np.float64] = sizes @ np.array([cation_charge, anion_charge])
    return np.where(np.abs(charge) < 1e-9, 0.0, charge)


@dataclass(frozen=True)
class ClusterSums:
    """The two sums of the method, with what their interval needs; D in the unit it came in.

    Parameters
    ----------
    charge_mobility
        Σ q² α D, e² times the unit of D.
    cation_share
        t₊; NaN where no charged cluster was seen.
    charge_mobility_variance, cation_share_variance
        Over time blocks; NaN where there is only one block.
    mobility_per_diffusivity : (2,) ∂(Σ q² α D)/∂(D₊, D₋)
    share_per_diffusivity : (2,) ∂t₊/∂(D₊, D₋)
    block_dof
        Degrees of freedom of the block variances.
    """

    charge_mobility: float
    cation_share: float
    charge_mobility_variance: float
    cation_share_variance: float
    mobility_per_diffusivity: tuple[float, float]
    share_per_diffusivity: tuple[float, float]
    block_dof: int


def cluster_sums(
    populations: ClusterPopulations,
    cation_charge: float,
    anion_charge: float,
    diffusivities: tuple[float, float],
    weights: NDArray[np.float64] | None = None,
) -> ClusterSums:
    """Evaluate Σ q² α D and t₊ with their block variances and their slopes in D₊ and D₋.

    Parameters
    ----------
    populations
        α_ij.
    cation_charge, anion_charge
        z₊ > 0 and z₋ < 0 in e.
    diffusivities
        D₊ and D₋ in any one unit.
    weights : (n_kinds, 2) D_ij = weights @ (D₊, D₋); `ion_rich_rule` unless given

    Raises
    ------
    InputError
        When a charge has the wrong sign, or the weights do not fit the clusters.
    """
    sizes, alpha, blocks = populations.sizes, populations.means, populations.block_means
    q = cluster_charges(sizes, cation_charge, anion_charge)
    rule = (
        ion_rich_rule(sizes, cation_charge, anion_charge) if weights is None else np.asarray(weights, dtype=np.float64)
    )
    if rule.shape != (len(sizes), 2) or not (np.isfinite(rule).all() and (rule >= 0).all()):
        raise InputError(f"found rule weights of shape {rule.shape}, expected {(len(sizes), 2)}, none negative")
    d = rule @ np.array(diffusivities)
    squared, carried = q**2, cation_charge * sizes[:, 0] * q
    total = float(alpha @ (squared * d))
    totals, slope = blocks @ (squared * d), alpha @ (squared[:, None] * rule)
    frames = populations.block_frames
    dof = max(len(blocks) - 1, 1)
    if total == 0.0:
        return ClusterSums(
            0.0, math.nan, _variance_of_mean(totals, frames), math.nan, (0.0, 0.0), (math.nan, math.nan), dof
        )
    share = float(alpha @ (carried * d)) / total
    # t₊ is a ratio: its block values are the linearised residuals (numerator − t₊ denominator)/total
    residuals = (blocks @ (carried * d) - share * totals) / total
    share_slope = (alpha @ (carried[:, None] * rule) - share * slope) / total
    return ClusterSums(
        total,
        share,
        _variance_of_mean(totals, frames),
        _variance_of_mean(residuals, frames),
        (float(slope[0]), float(slope[1])),
        (float(share_slope[0]), float(share_slope[1])),
        dof,
    )


def _variance_of_mean(blocks: NDArray[np.float64], weights: NDArray[np.int64]) -> float:
    """Variance of the mean over blocks, the larger of blocks as they are and joined in pairs (slow populations)."""
    n = len(blocks)
    if n < 2:
        return math.nan
    single = float(np.var(blocks, ddof=1)) / n
    if n < 4:
        return single
    even = n - n % 2
    paired = np.average(blocks[:even].reshape(-1, 2), axis=1, weights=weights[:even].reshape(-1, 2))
    return max(single, float(np.var(paired, ddof=1)) / len(paired))
