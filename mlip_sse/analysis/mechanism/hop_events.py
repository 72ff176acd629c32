"""Hops as events in space and time: which ion left which place for which, and when.

Events are made of `Jumps` between known sites, or of a trajectory alone, where they are the maxima of the hop indicator
p_hop and the places are the ion's mean positions in the half windows before and after.
"""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.jumps import Jumps
from mlip_sse.analysis.results import Verdict
from mlip_sse.errors import InputError
from mlip_sse.trajectory.fractional_positions import consistent_cells, fractional_chunks
from mlip_sse.trajectory.model import Trajectory

__all__ = ["HopEvents", "events_of_jumps", "events_of_trajectory", "without_back_jumps"]

_SAME_PLACE = 1.0
"""Å; an ion that comes back to within this distance is back."""


@dataclass(frozen=True, eq=False)
class HopEvents:
    """Hops of some ions.

    Parameters
    ----------
    frames : (n_events,) frame of each hop
    ions : (n_events,) 0 … n_ions - 1
    starts, stops : (n_events, 3) fractions of the cell vectors, the places that were left and reached
    cell : (3, 3) Å, time-averaged, rows are the cell vectors
    n_ions, n_frames
        Of the trajectory, those without a hop included.
    frame_spacing_fs
        Time between frames.
    start_sites, stop_sites : (n_events,), optional
        Sites that the places are, where there are sites.
    sites : (n_sites, 3) fractions, optional
    """

    frames: NDArray[np.int64]
    ions: NDArray[np.int64]
    starts: NDArray[np.float64]
    stops: NDArray[np.float64]
    cell: NDArray[np.float64]
    n_ions: int
    n_frames: int
    frame_spacing_fs: float
    start_sites: NDArray[np.int64] | None = None
    stop_sites: NDArray[np.int64] | None = None
    sites: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n = len(self.frames)
        shapes = {"ions": (n,), "starts": (n, 3), "stops": (n, 3)}
        for name, wanted in shapes.items():
            if np.shape(getattr(self, name)) != wanted:
                raise InputError(f"{name} has shape {np.shape(getattr(self, name))}, expected {wanted}")
        for name, limit in (("frames", self.n_frames), ("ions", self.n_ions)):
            values = getattr(self, name)
            if n and not (values.min() >= 0 and values.max() < limit):
                raise InputError(f"{name} run from {values.min()} to {values.max()}, expected 0 to {limit - 1}")
        if not (np.isfinite(self.starts).all() and np.isfinite(self.stops).all()):
            raise InputError("places of hops are not finite, expected fractions of the cell: repair the trajectory")

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def residence_fs(self) -> float:
        """Time of all ions over the number of hops in fs; infinite without hops."""
        return self.n_ions * self.n_frames * self.frame_spacing_fs / len(self) if len(self) else float("inf")

    @property
    def lengths(self) -> NDArray[np.float64]:
        """Lengths of the hops, nearest images, (n_events,) Å."""
        apart = self.stops - self.starts
        apart = apart - np.rint(apart)
        return np.asarray(np.linalg.norm(apart @ self.cell, axis=1))

    @property
    def median_length(self) -> float:
        """Median length of the hops in Å; 3 Å without hops."""
        return float(np.median(self.lengths)) if len(self) else 3.0

    def chosen(self, keep: NDArray[np.bool_]) -> "HopEvents":
        """Return the events for which ``keep``, (n_events,), is true."""
        return replace(
            self,
            frames=self.frames[keep],
            ions=self.ions[keep],
            starts=self.starts[keep],
            stops=self.stops[keep],
            start_sites=None if self.start_sites is None else self.start_sites[keep],
            stop_sites=None if self.stop_sites is None else self.stop_sites[keep],
        )


def events_of_jumps(
    jumps: Jumps,
    sites: NDArray[np.float64],
    cell: NDArray[np.float64],
    n_ions: int,
    n_frames: int,
    frame_spacing_fs: float,
) -> HopEvents:
    """Make events of jumps between sites.

    Parameters
    ----------
    jumps
        Jumps of the mobile ions.
    sites : (n_sites, 3) fractions of the cell vectors
    cell : (3, 3) Å, rows are the cell vectors
    n_ions, n_frames
        Of the trajectory.
    frame_spacing_fs
        Time between frames.
    """
    sites = np.ascontiguousarray(sites, dtype=np.float64)
    start, stop = np.asarray(jumps.sites_from, dtype=np.int64), np.asarray(jumps.sites_to, dtype=np.int64)
    if len(start) and not (min(start.min(), stop.min()) >= 0 and max(start.max(), stop.max()) < len(sites)):
        raise InputError(f"jumps name site {max(start.max(), stop.max())}, expected 0 to {len(sites) - 1}")
    return HopEvents(
        frames=np.asarray(jumps.frames, dtype=np.int64),
        ions=np.asarray(jumps.ions, dtype=np.int64),
        starts=sites[start],
        stops=sites[stop],
        cell=np.ascontiguousarray(cell, dtype=np.float64),
        n_ions=n_ions,
        n_frames=n_frames,
        frame_spacing_fs=frame_spacing_fs,
        start_sites=start,
        stop_sites=stop,
        sites=sites,
    )


def events_of_trajectory(
    trajectory: Trajectory, species: str, half_window_ps: float = 0.5, threshold: float | None = 2.0
) -> tuple[HopEvents, Verdict]:
    """Find the hops of a species in its trajectory, where no sites are known.

    A hop is a maximum of p_hop above a threshold; see `mlip_sse.analysis.softness.hop_indicator`. Half a window at
    either end of the trajectory can hold no hop and is left out of the frames counted.

    Parameters
    ----------
    trajectory
        Seen from the reference frame in which the places rest.
    species
        Whose hops.
    half_window_ps
        t_R/2 in ps: several vibrations, but less than a third of the residence time.
    threshold
        p_c in Å²; chosen from the data where it is None, which makes temperatures hard to compare.

    Returns
    -------
    the hops
    what the storage of the trajectory and the thresholds say about them

    Raises
    ------
    InputError
        When the species is missing, never moves, or the frames are too few or too far apart.
    """
    from mlip_sse.analysis.softness.hop_indicator import HOP_PER_CAGE, choose_thresholds, indicator_of
    from mlip_sse.analysis.softness.hops import find_hops, judge_storage

    indices = trajectory.indices(species)
    indicator = indicator_of(trajectory, indices, half_window_ps)
    thresholds = choose_thresholds(indicator, hop=threshold)
    hops = find_hops(indicator, thresholds, None, 0)
    cells = consistent_cells(trajectory.cells)
    starts, stops = np.zeros((len(hops), 3)), np.zeros((len(hops), 3))
    for first, part in fractional_chunks(trajectory, indices, cells):
        for offset in range(indicator.half):
            for frames, places in ((hops.peaks - 1 - offset, starts), (hops.peaks + offset, stops)):
                here = (frames >= first) & (frames < first + len(part))
                places[here] += part[frames[here] - first, hops.ions[here]]
    order = np.argsort(hops.peaks, kind="stable")
    events = HopEvents(
        frames=(hops.peaks - indicator.half)[order],
        ions=hops.ions[order],
        starts=starts[order] / indicator.half,
        stops=stops[order] / indicator.half,
        cell=cells.mean(axis=0),
        n_ions=len(indices),
        n_frames=indicator.values.shape[1],
        frame_spacing_fs=trajectory.frame_spacing_fs,
    )
    verdict, vibration = judge_storage(indicator, hops, thresholds), HOP_PER_CAGE * thresholds.cage_variance
    if thresholds.hop < vibration:
        verdict = verdict.weaken(
            f"p_c = {thresholds.hop:g} Å² is less than five times the variance of the cage, {vibration:.3g} Å²: "
            "vibration may count as hops, raise the threshold"
        )
    return events, verdict


def without_back_jumps(events: HopEvents, within_fs: float) -> HopEvents:
    """Return the events without those that an ion undoes soon: neither the hop nor its return remains.

    A hop away and back that is itself followed by another such pair goes with it, so that rattling leaves nothing.

    Parameters
    ----------
    events
        Of any order.
    within_fs
        Longest time in fs between a hop and its return.
    """
    order = np.lexsort((events.frames, events.ions))
    longest = int(np.floor(within_fs / events.frame_spacing_fs + 1e-9))
    kept = _not_undone(
        events.ions[order], events.frames[order], np.ascontiguousarray(events.starts[order]),
        np.ascontiguousarray(events.stops[order]), np.ascontiguousarray(events.cell), longest, _SAME_PLACE,
    )  # fmt: skip
    keep = np.zeros(len(events), dtype=np.bool_)
    keep[order] = kept
    return events.chosen(keep)


@njit(cache=True)
def _not_undone(ions, frames, starts, stops, cell, longest, same_place):  # type: ignore[no-untyped-def]
    """Walk through the events ion by ion with a stack; an event that leads back takes the one before with it."""
    n = ions.size
    keep = np.ones(n, np.bool_)
    stack = np.empty(n, np.int64)
    depth = 0
    for k in range(n):
        if k > 0 and ions[k] != ions[k - 1]:
            depth = 0
        if depth > 0:
            last = stack[depth - 1]
            squared = 0.0
            for axis in range(3):
                part = 0.0
                for a in range(3):
                    apart = stops[k, a] - starts[last, a]
                    part += (apart - np.rint(apart)) * cell[a, axis]
                squared += part * part
            if frames[k] - frames[last] <= longest and squared < same_place * same_place:
                keep[k] = keep[last] = False
                depth -= 1
                continue
        stack[depth] = k
        depth += 1
    return keep
