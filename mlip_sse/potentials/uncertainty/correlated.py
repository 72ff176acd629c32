"""How many independent observations a share stands for when they come in clusters.

Atoms of one frame, and frames close in time, err together: 20 frames of 416 atoms are not 8,320 experiments. For a
share p of exceedances among n atoms in clusters g of n_g atoms, the variance of p from the clusters' own totals (the
ratio estimator of survey sampling) is compared with p(1 - p)/n. Their ratio is Kish's design effect D, and
n_effective = n/D, never more than n.

References
----------
L. Kish, Survey Sampling, Wiley (1965); J. N. K. Rao and A. J. Scott, J. R. Stat. Soc. B 54, 577 (1992),
doi:10.1111/j.2517-6161.1992.tb01901.x.
"""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["binomial_interval", "effective_count"]


def effective_count(hits: NDArray[np.bool_], clusters: NDArray[np.intp]) -> float:
    """Return how many independent observations the share of ``hits`` is worth.

    Parameters
    ----------
    hits
        (n,) what is counted.
    clusters
        (n,) number of the cluster of each; one observation a cluster means independent.

    Returns
    -------
    float
        Between 1 and n. Where all or none are hits, or there is a single cluster, nothing shows how far the clusters
        differ, and the number of clusters is returned.
    """
    n = len(hits)
    numbers, members = np.unique(clusters, return_inverse=True)
    n_clusters, share = len(numbers), float(hits.mean())
    if n_clusters == n:
        return float(n)
    if n_clusters < 2 or share in (0.0, 1.0):
        return float(n_clusters)
    residuals = np.bincount(members, weights=hits - share, minlength=n_clusters)
    variance = n_clusters / (n_clusters - 1) * float((residuals**2).sum()) / n**2
    design_effect = variance / (share * (1 - share) / n)
    return float(min(max(n / max(design_effect, 1.0), 1.0), n))


def binomial_interval(share: float, n_effective: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Clopper-Pearson interval of a share, its counts scaled to the effective number.

    Parameters
    ----------
    share
        Hits over observations, in [0, 1].
    n_effective
        How many independent observations they are worth, 1 or more.
    confidence
        Of the interval.
    """
    from scipy.stats import beta

    tail, hits = 0.5 * (1 - confidence), share * n_effective
    low = 0.0 if hits <= 0 else float(beta.ppf(tail, hits, n_effective - hits + 1))
    high = 1.0 if hits >= n_effective else float(beta.ppf(1 - tail, hits + 1, n_effective - hits))
    return (low if math.isfinite(low) else 0.0), (high if math.isfinite(high) else 1.0)
