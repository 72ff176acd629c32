"""How likely an ion of softness S hops within one window, P_R(S, T).

Windows are sorted into bins of softness, ion by ion, so that a bootstrap over ions is a sum with weights: what one ion
does in many windows is not independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from mlip_sse.analysis.results import Interval
from mlip_sse.errors import InputError

__all__ = ["BinnedHops", "HopWindows", "bin_hops", "probabilities", "softness_edges"]

_FEW = 5


@dataclass(frozen=True, eq=False)
class HopWindows:
    """Windows of resting ions at one temperature.

    Parameters
    ----------
    temperature_k
        K, or None for a single trajectory.
    softness : (n_windows,)
    hopped : (n_windows,)
    groups : (n_windows,)
        Number of the ion, different for the ions of different trajectories.
    """

    temperature_k: float | None
    softness: NDArray[np.float64]
    hopped: NDArray[np.bool_]
    groups: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BinnedHops:
    """Counts by ion and bin of softness.

    Parameters
    ----------
    temperature_k
        K.
    windows, hops, softness : (n_ions, n_bins)
        Windows, those with a hop, and the sum of softness over windows.
    """

    temperature_k: float | None
    windows: NDArray[np.float64]
    hops: NDArray[np.float64]
    softness: NDArray[np.float64]

    def drawn(self, rng: np.random.Generator, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return windows and hops of ``n`` bootstrap draws of ions, each (n, n_bins)."""
        n_ions = len(self.windows)
        weights = rng.multinomial(n_ions, np.full(n_ions, 1.0 / n_ions), size=n).astype(np.float64)
        return weights @ self.windows, weights @ self.hops

    def merged(self, columns: slice) -> "BinnedHops":
        """Return some bins as one."""
        merged = (part[:, columns].sum(axis=1, keepdims=True) for part in (self.windows, self.hops, self.softness))
        return BinnedHops(self.temperature_k, *merged)

    @property
    def middles(self) -> NDArray[np.float64]:
        """Mean softness in each bin, (n_bins,); nan where it is empty."""
        total = self.windows.sum(axis=0)
        return np.where(total > 0, self.softness.sum(axis=0) / np.maximum(total, 1), np.nan)


def softness_edges(series: Sequence[HopWindows], n_bins: int) -> NDArray[np.float64]:
    """Return edges (n_bins + 1,) of bins that hold equal parts of the mean distribution of all temperatures."""
    pooled = np.concatenate([windows.softness for windows in series])
    weights = np.concatenate([np.full(len(w.softness), 1.0 / len(w.softness)) for w in series if len(w.softness)])
    if len(pooled) < 2 * n_bins:
        raise InputError(f"found {len(pooled)} windows of resting ions, expected at least {2 * n_bins}; run longer")
    order = np.argsort(pooled)
    share = np.cumsum(weights[order]) / weights.sum()
    inner = pooled[order][np.searchsorted(share, np.arange(1, n_bins) / n_bins)]
    edges: NDArray[np.float64] = np.r_[-np.inf, inner, np.inf]
    return edges


def bin_hops(windows: HopWindows, edges: NDArray[np.float64]) -> BinnedHops:
    """Sort windows into bins of softness, ion by ion."""
    groups, rows = np.unique(windows.groups, return_inverse=True)
    columns = np.searchsorted(edges[1:-1], windows.softness, side="right")
    counts = np.zeros((3, len(groups), len(edges) - 1))
    np.add.at(counts[0], (rows, columns), 1.0)
    np.add.at(counts[1], (rows, columns), windows.hopped)
    np.add.at(counts[2], (rows, columns), windows.softness)
    return BinnedHops(windows.temperature_k, counts[0], counts[1], counts[2])


def probabilities(binned: BinnedHops, confidence: float, seed: int, n_draws: int = 500) -> list[Interval | None]:
    """Return P_R in each bin, None where a bin is empty.

    Bootstrap over ions; with fewer than five hops the exact interval of Clopper and Pearson, as of independent windows.
    """
    windows, hops = binned.windows.sum(axis=0), binned.hops.sum(axis=0)
    drawn_windows, drawn_hops = binned.drawn(np.random.default_rng(seed), n_draws)
    tail = 0.5 * (1 - confidence)
    out: list[Interval | None] = []
    for k, (n, hopped) in enumerate(zip(windows, hops, strict=True)):
        if n == 0:
            out.append(None)
        elif min(hopped, n - hopped) < _FEW:
            low = float(beta.ppf(tail, hopped, n - hopped + 1)) if hopped > 0 else 0.0
            high = float(beta.ppf(1 - tail, hopped + 1, n - hopped)) if hopped < n else 1.0
            out.append(Interval(float(hopped / n), low, high, confidence, "Clopper-Pearson, windows independent"))
        else:
            seen = drawn_windows[:, k] > 0
            low, high = np.quantile(drawn_hops[seen, k] / drawn_windows[seen, k], [tail, 1 - tail])
            out.append(Interval(float(hopped / n), float(low), float(high), confidence, "bootstrap over ions"))
    return out
