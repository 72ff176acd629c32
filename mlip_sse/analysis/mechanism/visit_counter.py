"""Occupancies and visits, collected while the states of an assignment come in."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.sites import Sites
from mlip_sse.analysis.mechanism.visits import Visits
from mlip_sse.errors import InputError
from mlip_sse.trajectory.fractional_positions import consistent_cells
from mlip_sse.trajectory.model import Trajectory
from mlip_sse.trajectory.unwrap import reduction_of

__all__ = ["Assignment", "VisitCounter"]

N_BLOCKS = 32
"""Time blocks in which occupancies are counted."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """Where the ions were.

    Parameters
    ----------
    sites
        The sites.
    visits
        The visits of all ions in the order of ions and time.
    inside : (n_blocks, n_sites)
        Frames times ions inside each site, by time block.
    occupied, multiple : (n_blocks, n_sites)
        Frames with at least one and with at least two ions inside.
    block_frames : (n_blocks,) frames of each block
    unassigned : (n_blocks,) frames times ions outside all sites
    squared_distance : (n_sites,) Å²
        Sum of the squared distances of the ions inside from the site.
    """

    sites: Sites
    visits: Visits
    inside: NDArray[np.int64]
    occupied: NDArray[np.int64]
    multiple: NDArray[np.int64]
    block_frames: NDArray[np.int64]
    unassigned: NDArray[np.int64]
    squared_distance: NDArray[np.float64]

    @property
    def unassigned_fraction(self) -> float:
        """Fraction of the ions' time outside all sites."""
        return float(self.unassigned.sum() / (self.block_frames.sum() * self.visits.n_ions))

    @property
    def multiple_fraction(self) -> float:
        """Fraction of the occupied sites' time with two or more ions."""
        return float(self.multiple.sum() / max(1, self.occupied.sum()))


class VisitCounter:
    """Collects occupancies and visits while the states come in, in the reduced cell."""

    def __init__(self, trajectory: Trajectory, n_ions: int, sites: Sites) -> None:
        if not n_ions:
            raise InputError("no ions were given to assign, expected at least one")
        self._sites, self._n_ions, self._n_frames = sites, n_ions, trajectory.n_frames
        own = consistent_cells(trajectory.cells)
        self._reduction = reduction_of(own.mean(axis=0))
        self.cells = np.ascontiguousarray(self._reduction @ own)
        self.mean: NDArray[np.float64] = self.cells.mean(axis=0)
        self.points = np.ascontiguousarray(np.mod(sites.fractional @ np.linalg.inv(self._reduction), 1.0))
        self._n_blocks = min(N_BLOCKS, self._n_frames)
        self._counts = np.zeros((3, self._n_blocks, len(sites)), dtype=np.int64)
        self._unassigned = np.zeros(self._n_blocks, dtype=np.int64)
        self._squared = np.zeros(len(sites))
        self._current = np.full((n_ions, 4), -1, dtype=np.int64)
        self._events: list[NDArray[np.int64]] = []

    def feed(self, first: int, fractions: NDArray[np.float64], states: NDArray[np.int32]) -> None:
        """Take the states of some frames."""
        events = np.empty((states.size, 6), dtype=np.int64)
        n_events = _count(
            first,
            self._n_frames,
            fractions,
            self.cells[first : first + len(states)],
            self.points,
            states,
            self._counts,
            self._unassigned,
            self._squared,
            self._current,
            events,
        )
        if n_events < 0:
            bad = np.argwhere(~np.isfinite(fractions).all(axis=2))[0]
            raise InputError(
                f"ion {bad[1]} in frame {first + bad[0]} has a coordinate that is not finite: repair or cut the "
                "trajectory"
            )
        self._events.append(events[:n_events].copy())

    def result(self) -> Assignment:
        """Return everything together; images come in the trajectory's own cell vectors."""
        events = np.concatenate(self._events) if self._events else np.empty((0, 6), np.int64)
        events = events[np.lexsort((events[:, 2], events[:, 0]))]
        shifts = np.rint(
            np.mod(self._sites.fractional @ np.linalg.inv(self._reduction), 1.0) @ self._reduction
            - self._sites.fractional
        ).astype(np.int64)
        images = events[:, 3:] @ self._reduction + shifts[events[:, 1]]
        visits = Visits.from_arrivals(
            ions=events[:, 0],
            sites=events[:, 1],
            starts=events[:, 2],
            images=images,
            n_ions=self._n_ions,
            n_frames=self._n_frames,
            n_sites=len(self._sites),
        )
        edges = np.arange(self._n_frames) * self._n_blocks // self._n_frames
        return Assignment(
            sites=self._sites,
            visits=visits,
            inside=self._counts[0],
            occupied=self._counts[1],
            multiple=self._counts[2],
            block_frames=np.bincount(edges, minlength=self._n_blocks).astype(np.int64),
            unassigned=self._unassigned,
            squared_distance=self._squared,
        )


@njit(cache=True)
def _count(
    first: int,
    n_frames: int,
    fractions: NDArray[np.float64],
    cells: NDArray[np.float64],
    sites: NDArray[np.float64],
    states: NDArray[np.int32],
    counts: NDArray[np.int64],
    unassigned: NDArray[np.int64],
    squared: NDArray[np.float64],
    current: NDArray[np.int64],
    events: NDArray[np.int64],
) -> int:
    """Add up occupancies and write an event (ion, site, frame, image) wherever an ion arrives; -1: not finite."""
    n_events = 0
    n_blocks = counts.shape[1]
    image = np.empty(3, np.int64)
    here = np.zeros(counts.shape[2], np.int64)
    for t in range(states.shape[0]):
        block = (first + t) * n_blocks // n_frames
        h = cells[t]
        for i in range(states.shape[1]):
            if not np.isfinite(fractions[t, i, 0] + fractions[t, i, 1] + fractions[t, i, 2]):
                return -1
            site = states[t, i]
            if site < 0:
                unassigned[block] += 1
                continue
            here[site] += 1
            counts[0, block, site] += 1
            if here[site] == 1:
                counts[1, block, site] += 1
            elif here[site] == 2:
                counts[2, block, site] += 1
            same = current[i, 0] == site
            for axis in range(3):
                image[axis] = np.int64(np.rint(fractions[t, i, axis] - sites[site, axis]))
                same = same and current[i, axis + 1] == image[axis]
            u = fractions[t, i, 0] - sites[site, 0] - image[0]
            v = fractions[t, i, 1] - sites[site, 1] - image[1]
            w = fractions[t, i, 2] - sites[site, 2] - image[2]
            for axis in range(3):
                squared[site] += (u * h[0, axis] + v * h[1, axis] + w * h[2, axis]) ** 2
            if not same:
                current[i, 0] = site
                events[n_events, 0], events[n_events, 1], events[n_events, 2] = i, site, first + t
                for axis in range(3):
                    current[i, axis + 1] = image[axis]
                    events[n_events, 3 + axis] = image[axis]
                n_events += 1
        for i in range(states.shape[1]):
            if states[t, i] >= 0:
                here[states[t, i]] = 0
    return n_events
