"""Rates of hops with exact Poisson intervals, pooled by hop class.

    k_ij = N_ij / τ_i,

N_ij jumps from i to j and τ_i the time spent on i. A count of independent events is a Poisson variable, whose exact
(Garwood) interval is [χ²_{2N}(α/2)/2, χ²_{2N+2}(1 - α/2)/2]. Where the counts of time blocks scatter more than Poisson
counts do (ions that move together, back and forth), the interval is that of N/φ counts, scaled by φ, the ratio of
variance to mean.

A hop class is a pair of site classes and a length: crystallographically equal hops are pooled.

References
----------
F. Garwood, Biometrika 28, 437 (1936), doi:10.1093/biomet/28.3-4.437
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from mlip_sse.analysis.mechanism.counting import poisson_limits
from mlip_sse.analysis.mechanism.jumps import Jumps
from mlip_sse.analysis.mechanism.sites import Sites
from mlip_sse.analysis.mechanism.visits import Visits
from mlip_sse.analysis.results import Interval

__all__ = ["HopClass", "HopRates", "hop_rates", "rate_interval"]

_LENGTH_GAP = 0.3
"""Å; hops whose lengths differ by less belong to one class."""

_ALARM = 0.01
"""Probability below which block counts are not taken for Poisson's."""


def rate_interval(count: int, time: float, confidence: float = 0.95, dispersion: float = 1.0) -> Interval:
    """Return a rate of ``count`` events in ``time`` with its interval.

    Parameters
    ----------
    count
        Events.
    time
        Time during which they could happen, > 0.
    dispersion
        Variance over mean of the counts, at least 1.
    """
    low, high = poisson_limits(count / dispersion, confidence)
    method = "Poisson counts (Garwood)"
    if dispersion > 1:
        method += f", counts scatter {dispersion:.2g} times as much as Poisson's"
    return Interval(count / time, low * dispersion / time, high * dispersion / time, confidence, method)


@dataclass(frozen=True)
class HopClass:
    """Hops from one site class to another over one distance.

    Parameters
    ----------
    label_from, label_to
        Classes of the sites.
    length
        Mean length of its hops in Å.
    """

    label_from: str
    label_to: str
    length: float

    @property
    def name(self) -> str:
        """Such as ``T5-T2 2.3 Å``."""
        return f"{self.label_from}-{self.label_to} {self.length:.1f} Å"


@dataclass(frozen=True, eq=False)
class HopRates:
    """Counts and rates of all hop classes.

    Parameters
    ----------
    classes : n_classes hop classes
    class_of : (n_jumps,) class of each jump
    counts : (n_classes,) jumps
    times_fs : (n_classes,) time spent on the sites from which they start, fs
    dispersions : (n_classes,) variance over mean of counts in time blocks, 1 where Poisson's is not contradicted
    matrix_counts : (n_labels, n_labels) jumps between site classes
    label_times_fs : (n_labels,) time on each site class, fs
    labels : n_labels site classes
    """

    classes: tuple[HopClass, ...]
    class_of: NDArray[np.int64]
    counts: NDArray[np.int64]
    times_fs: NDArray[np.float64]
    dispersions: NDArray[np.float64]
    matrix_counts: NDArray[np.int64]
    label_times_fs: NDArray[np.float64]
    labels: tuple[str, ...]

    def rate(self, k: int, confidence: float = 0.95) -> Interval:
        """Return the rate of a hop class in 1/fs, per ion on a site that it starts from."""
        return rate_interval(int(self.counts[k]), float(self.times_fs[k]), confidence, float(self.dispersions[k]))

    def matrix(self) -> NDArray[np.float64]:
        """Return the rates between site classes in 1/fs, (n_labels, n_labels); NaN from classes never visited."""
        with np.errstate(invalid="ignore", divide="ignore"):
            rates: NDArray[np.float64] = np.where(
                self.label_times_fs[:, None] > 0, self.matrix_counts / self.label_times_fs[:, None], np.nan
            )
        return rates


def hop_rates(visits: Visits, jumps: Jumps, sites: Sites, frame_spacing_fs: float, n_blocks: int = 16) -> HopRates:
    """Count jumps by hop class.

    Parameters
    ----------
    visits
        What the jumps were made of; its times are the denominators.
    jumps
        Of ``visits``, with images.
    sites
        Labels and places of the sites.
    frame_spacing_fs
        fs.
    n_blocks
        Time blocks for the scatter of counts.
    """
    labels, label_of = sites.classes, sites.class_of
    lengths = np.linalg.norm(jumps.vectors(sites.fractional, sites.cell), axis=1) if len(jumps) else np.empty(0)
    classes, class_of = _classify(lengths, label_of[jumps.sites_from], label_of[jumps.sites_to], labels)
    counts = np.bincount(class_of, minlength=len(classes)).astype(np.int64)
    on_sites = visits.time_on_sites() * frame_spacing_fs
    label_times = np.bincount(label_of, weights=on_sites, minlength=len(labels)).astype(np.float64)
    times = np.array([label_times[labels.index(hop.label_from)] for hop in classes])
    matrix = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(matrix, (label_of[jumps.sites_from], label_of[jumps.sites_to]), 1)
    n_blocks = max(2, min(n_blocks, visits.n_frames // 4))
    block = np.minimum(jumps.frames * n_blocks // max(1, visits.n_frames), n_blocks - 1)
    dispersions = np.array(
        [_dispersion(np.bincount(block[class_of == k], minlength=n_blocks)) for k in range(len(classes))]
    )
    return HopRates(classes, class_of, counts, times, dispersions, matrix, label_times, labels)


def _classify(
    lengths: NDArray[np.float64], label_from: NDArray[np.int64], label_to: NDArray[np.int64], labels: tuple[str, ...]
) -> tuple[tuple[HopClass, ...], NDArray[np.int64]]:
    """Split the lengths between each pair of site classes at gaps; the order is that of labels and lengths."""
    classes: list[HopClass] = []
    class_of = np.full(len(lengths), -1, dtype=np.int64)
    for one in range(len(labels)):
        for other in range(len(labels)):
            both = ((label_from == one) & (label_to == other)) | ((label_from == other) & (label_to == one))
            if not both.any():
                continue
            ordered = np.sort(lengths[both])
            edges = ordered[1:][np.diff(ordered) > _LENGTH_GAP]
            group = np.searchsorted(edges, lengths, side="right")
            directed = (label_from == one) & (label_to == other)
            for k in range(len(edges) + 1):
                chosen = directed & (group == k)
                if chosen.any():
                    class_of[chosen] = len(classes)
                    mean = float(lengths[both & (group == k)].mean())
                    classes.append(HopClass(labels[one], labels[other], mean))
    return tuple(classes), class_of


def _dispersion(counts: NDArray[np.int64]) -> float:
    """Return variance over mean where it exceeds what Poisson counts would give by chance, else 1."""
    mean = float(counts.mean())
    if mean <= 0:
        return 1.0
    statistic = float(((counts - mean) ** 2).sum() / mean)
    dof = len(counts) - 1
    if mean < 1 or float(chdtrc(dof, statistic)) > _ALARM:
        return 1.0
    return max(1.0, statistic / dof)
