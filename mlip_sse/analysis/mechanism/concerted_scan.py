"""How strongly hops are tied together at each distance in time and space.

Whether hops are called close depends on τ_c and r_c. The scan counts the linked pairs of hops of different ions for
several of both, over their number by chance: a ratio of 1 says that hops do not know of each other, and where it
exceeds the range of the shifts, they do. The p-value is that of the largest deviation, in standard deviations of the
null, over all of them together, so that the scan itself finds nothing by being a scan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.concerted import Concerted
from mlip_sse.analysis.mechanism.event_clusters import find_clusters, places_of
from mlip_sse.analysis.mechanism.hop_events import HopEvents, without_back_jumps
from mlip_sse.errors import InputError

__all__ = ["ConcertedScan", "scan_closeness"]

_MOST_HOPS = 3e7
"""Hops times sweeps; above it fewer shifts are taken, at least 19."""


@dataclass(frozen=True, eq=False)
class ConcertedScan:
    """Linked pairs over chance.

    Parameters
    ----------
    windows_fs : (n_windows,) τ_c
    distances : (n_distances,) r_c in Å
    ratios : (n_windows, n_distances) linked pairs over the mean of the null; NaN where the null has none
    low, high : (n_windows, n_distances) central range of the null's own ratios
    p_value
        Of the largest deviation.
    n_null
        Number of shifts.
    """

    windows_fs: NDArray[np.float64]
    distances: NDArray[np.float64]
    ratios: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p_value: float
    n_null: int

    @property
    def table(self) -> list[dict[str, Any]]:
        """A row for each window and distance."""
        return [
            {
                "window_fs": float(window),
                "distance": float(distance),
                "link_ratio": float(self.ratios[i, j]),
                "chance_low": float(self.low[i, j]),
                "chance_high": float(self.high[i, j]),
            }
            for i, window in enumerate(self.windows_fs)
            for j, distance in enumerate(self.distances)
        ]


def scan_closeness(
    events: HopEvents, settings: Concerted, windows_fs: Sequence[float], distances: Sequence[float]
) -> ConcertedScan:
    """Count linked pairs for several windows and distances.

    Parameters
    ----------
    events
        Hops; those undone within the window of the settings are left out where the settings say so.
    settings
        Number of shifts, seed, and what counts as a link; its window and distance are not used for links.
    windows_fs : (n_windows,) fs, at least one frame spacing
    distances : (n_distances,) Å, at most half the smallest height of the cell
    """
    kept = without_back_jumps(events, settings.window_fs) if settings.drop_back_jumps else events
    frames = [int(np.floor(window / events.frame_spacing_fs + 1e-9)) for window in windows_fs]
    if not frames or not len(distances) or min(frames) < 1:
        raise InputError(
            f"found windows {list(windows_fs)} fs of frames {events.frame_spacing_fs:g} fs apart: too short"
        )
    n_sweeps = len(frames) * len(distances)
    n_null = max(19, min(settings.n_null, int(_MOST_HOPS / max(1, len(kept) * n_sweeps))))
    shifts = np.random.default_rng(settings.seed).integers(0, kept.n_frames, (1 + n_null, kept.n_ions))
    shifts[0] = 0
    links = np.empty((len(frames), len(distances), 1 + n_null))
    for j, distance in enumerate(distances):
        places = places_of(kept, float(distance))
        for i, window in enumerate(frames):
            for k, row in enumerate(shifts):
                found = find_clusters(
                    kept,
                    places,
                    window,
                    row,
                    replacement=settings.replacement,
                    distinct_ions=settings.distinct_ions,
                )
                links[i, j, k] = found.n_links
    null = links[..., 1:]
    mean = null.mean(axis=-1)
    expected = np.where(mean > 0, mean, np.nan)
    tails = [50 * (1 - settings.confidence), 50 * (1 + settings.confidence)]
    low, high = np.percentile(null, tails, axis=-1) / expected
    spread = np.maximum(null.std(axis=-1, ddof=1), 0.5)
    largest = ((links - mean[..., None]) / spread[..., None]).reshape(-1, 1 + n_null).max(axis=0)
    p_value = float((1 + np.sum(largest[1:] >= largest[0] - 1e-12)) / (1 + n_null))
    return ConcertedScan(
        np.asarray(windows_fs, dtype=np.float64),
        np.asarray(distances, dtype=np.float64),
        links[..., 0] / expected,
        low,
        high,
        p_value,
        n_null,
    )
