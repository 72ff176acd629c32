"""Visits: what the path of an ion is made of, and the jumps between them."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.jumps import Jumps
from mlip_sse.errors import InputError

__all__ = ["Visits"]


@dataclass(frozen=True, eq=False)
class Visits:
    """Visits of ions to sites, ion by ion in time order.

    Parameters
    ----------
    ions, sites : (n_visits,)
    starts, stops : (n_visits,) frames
        Arrival, and arrival at the next site (the number of frames where the visit outlasts the trajectory). The first
        visit of an ion began before the trajectory, or at its first frame inside a site.
    images : (n_visits, 3)
        Cell vectors by which the visited image of the site is shifted, along the unwrapped path.
    n_ions, n_frames, n_sites
        Of the trajectory; ions that were never inside a site have no visit.
    """

    ions: NDArray[np.int64]
    sites: NDArray[np.int64]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    images: NDArray[np.int64]
    n_ions: int
    n_frames: int
    n_sites: int

    @classmethod
    def from_arrivals(
        cls,
        ions: NDArray[np.int64],
        sites: NDArray[np.int64],
        starts: NDArray[np.int64],
        images: NDArray[np.int64],
        n_ions: int,
        n_frames: int,
        n_sites: int,
    ) -> "Visits":
        """Make visits of arrivals that are sorted by ion and time."""
        stops = np.full(len(ions), n_frames, dtype=np.int64)
        following = ions[1:] == ions[:-1]
        stops[:-1][following] = starts[1:][following]
        return cls(ions, sites, starts, stops, images, n_ions, n_frames, n_sites)

    def __len__(self) -> int:
        return len(self.ions)

    @property
    def durations(self) -> NDArray[np.int64]:
        """Frames from arrival to the next arrival, or to the end, (n_visits,)."""
        return self.stops - self.starts

    @property
    def is_first(self) -> NDArray[np.bool_]:
        """Whether a visit is its ion's first, whose arrival was not seen, (n_visits,)."""
        first = np.ones(len(self), dtype=np.bool_)
        first[1:] = self.ions[1:] != self.ions[:-1]
        return first

    @property
    def is_last(self) -> NDArray[np.bool_]:
        """Whether a visit is its ion's last, whose end was not seen, (n_visits,)."""
        last = np.ones(len(self), dtype=np.bool_)
        last[:-1] = self.ions[1:] != self.ions[:-1]
        return last

    def lasting(self, n_frames: int) -> "Visits":
        """Leave out visits of fewer frames: the ion stays where it was until it arrives somewhere for longer.

        An ion's first visit is kept whatever it lasts, for its beginning was not seen; a last visit that is too short
        is not yet an arrival. Two visits to the same image of a site with nothing left between them become one.

        Parameters
        ----------
        n_frames
            Shortest visit that counts; 1 keeps all.
        """
        if n_frames < 1:
            raise InputError(f"the shortest visit is {n_frames} frames, expected at least one")
        if n_frames == 1 or not len(self):
            return self
        keep = _lasting(self.ions, self.sites, self.images, self.durations, n_frames)
        return Visits.from_arrivals(
            self.ions[keep],
            self.sites[keep],
            self.starts[keep],
            self.images[keep],
            self.n_ions,
            self.n_frames,
            self.n_sites,
        )

    def between(self, first: int, stop: int) -> "Visits":
        """Return the visits as a trajectory of the frames from ``first`` to ``stop`` would show them."""
        chosen = (self.stops > first) & (self.starts < stop)
        starts = np.maximum(self.starts[chosen], first) - first
        visits = dataclasses.replace(
            self,
            ions=self.ions[chosen],
            sites=self.sites[chosen],
            starts=starts,
            stops=np.minimum(self.stops[chosen], stop) - first,
            images=self.images[chosen],
            n_frames=stop - first,
        )
        return visits

    def jumps(self) -> Jumps:
        """Return the jumps from visit to visit in time order."""
        before = np.flatnonzero(~self.is_last)
        after = before + 1
        order = np.lexsort((self.ions[after], self.starts[after]))
        before, after = before[order], after[order]
        return Jumps(
            frames=self.starts[after],
            ions=self.ions[after],
            sites_from=self.sites[before],
            sites_to=self.sites[after],
            images=self.images[after] - self.images[before],
        )

    def back_jumps(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return, for each ion, how many jumps took back the jump before, and how many had one before; (n_ions,)."""
        pairs = np.flatnonzero(self.ions[2:] == self.ions[:-2])
        back = (self.sites[pairs] == self.sites[pairs + 2]) & (self.images[pairs] == self.images[pairs + 2]).all(axis=1)
        taken = np.bincount(self.ions[pairs[back]], minlength=self.n_ions)
        return taken.astype(np.int64), np.bincount(self.ions[pairs], minlength=self.n_ions).astype(np.int64)

    def time_on_sites(self) -> NDArray[np.int64]:
        """Return frames times ions of the visits to each site, (n_sites,)."""
        time = np.bincount(self.sites, weights=self.durations, minlength=self.n_sites)
        return np.rint(time).astype(np.int64)


@njit(cache=True)
def _lasting(
    ions: NDArray[np.int64],
    sites: NDArray[np.int64],
    images: NDArray[np.int64],
    durations: NDArray[np.int64],
    shortest: int,
) -> NDArray[np.bool_]:
    """Which visits remain; a visit to where the ion already counts as being is no arrival."""
    keep = np.zeros(len(ions), np.bool_)
    at = -1
    for k in range(len(ions)):
        if k == 0 or ions[k] != ions[k - 1]:
            keep[k], at = True, k
            continue
        same = sites[k] == sites[at]
        for axis in range(3):
            same = same and images[k, axis] == images[at, axis]
        if not same and durations[k] >= shortest:
            keep[k], at = True, k
    return keep
