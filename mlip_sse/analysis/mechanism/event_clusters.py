"""Clusters of hops that are close in space and time, in one sweep through time.

Two hops are linked where |t_i - t_j| ≤ τ_c and an end of one (the place it left or reached) lies within r_c of an end
of the other. The clusters are the connected components.

Ends belong to *places*: the sites where there are any, whose neighbours within r_c are looked up once, or else the
boxes of a grid, of which a box and its 26 neighbours hold all ends within reach, and distances are checked. Each place
keeps the hops that touched it last, so that a hop meets only what happened nearby not longer ago than τ_c: the work
grows as hops times neighbours. Times may be shifted ion by ion, which the null hypothesis needs, without making
anything anew.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.hop_events import HopEvents
from mlip_sse.analysis.mechanism.van_hove_counts import refuse_long_radius
from mlip_sse.analysis.structure.rdf import cell_widths
from mlip_sse.errors import InputError

__all__ = ["Clusters", "Places", "find_clusters", "places_of"]


@dataclass(frozen=True, eq=False)
class Places:
    """Where the ends of hops lie and which places are within reach of each other.

    Parameters
    ----------
    start, stop : (n_events,) place of either end
    offsets : (n_places + 1,), neighbours : (n_neighbours,)
        Places within reach of each, itself included.
    ends : (n_events, 2, 3) fractions
    cell : (3, 3) Å
    reach
        r_c in Å.
    measured
        Whether distances are to be checked (grid) or neighbours are within reach by construction (sites).
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    offsets: NDArray[np.int64]
    neighbours: NDArray[np.int64]
    ends: NDArray[np.float64]
    cell: NDArray[np.float64]
    reach: float
    measured: bool


@dataclass(frozen=True, eq=False)
class Clusters:
    """What a sweep counts.

    Parameters
    ----------
    by_size : (largest + 1,) number of clusters of n ions; the last entry holds the larger ones too
    hops_by_size : (largest + 1,) hops in them
    n_links
        Number of linked pairs of hops.
    together : (n_blocks,) hops in clusters of two ions or more, by time block
    labels : (n_events,) cluster of each hop, in the order of the events
    """

    by_size: NDArray[np.int64]
    hops_by_size: NDArray[np.int64]
    n_links: int
    together: NDArray[np.int64]
    labels: NDArray[np.int64]


def places_of(events: HopEvents, reach: float) -> Places:
    """Look up which ends can be within reach of each other.

    Parameters
    ----------
    events
        Hops.
    reach
        r_c in Å, at most half the smallest height of the cell.

    Raises
    ------
    InputError
        When ``reach`` is not positive or goes beyond the nearest images.
    """
    if not reach > 0:
        raise InputError(f"found a reach of {reach!r} Å, expected a positive distance such as 4")
    cell = np.ascontiguousarray(events.cell, dtype=np.float64)
    refuse_long_radius(reach, cell[None])
    ends = np.ascontiguousarray(np.stack([events.starts, events.stops], axis=1))
    if events.sites is not None and events.start_sites is not None and events.stop_sites is not None:
        offsets, neighbours = _site_neighbours(np.ascontiguousarray(events.sites), cell, float(reach))
        return Places(events.start_sites, events.stop_sites, offsets, neighbours, ends, cell, reach, measured=False)
    n_boxes = np.maximum(1, np.floor(cell_widths(cell) / reach * (1 - 1e-9))).astype(np.int64)
    n_boxes = np.minimum(n_boxes, 64)
    at = np.floor((ends - np.floor(ends)) * n_boxes).astype(np.int64) % n_boxes
    place = (at[..., 0] * n_boxes[1] + at[..., 1]) * n_boxes[2] + at[..., 2]
    offsets, neighbours = _box_neighbours(n_boxes)
    return Places(
        np.ascontiguousarray(place[:, 0]), np.ascontiguousarray(place[:, 1]), offsets, neighbours, ends, cell, reach,
        measured=True,
    )  # fmt: skip


def find_clusters(
    events: HopEvents,
    places: Places,
    window: int,
    shifts: NDArray[np.int64] | None = None,
    *,
    replacement: bool = False,
    distinct_ions: bool = True,
    largest: int = 50,
    n_blocks: int = 1,
) -> Clusters:
    """Find the clusters of hops, with each ion's times shifted around the circle where shifts are given.

    Parameters
    ----------
    events
        Hops.
    places
        Of the same hops.
    window
        τ_c in frames.
    shifts : (n_ions,) frames, or None
        Added to the times of each ion, modulo the number of frames.
    replacement
        Link only an end that was left with one that was reached, instead of any two ends.
    distinct_ions
        Link hops of different ions only, and count a cluster's ions; else count its hops.
    largest
        Largest size that is told apart.
    n_blocks
        Time blocks of ``together``.
    """
    moved = np.zeros(events.n_ions, dtype=np.int64) if shifts is None else np.asarray(shifts, dtype=np.int64)
    if moved.shape != (events.n_ions,):
        raise InputError(f"shifts have shape {moved.shape}, expected one for each of the {events.n_ions} ions")
    order, times = _by_time(events.frames, events.ions, moved, events.n_frames)
    n_places = len(places.offsets) - 1
    roots, n_links = _link(
        order, times, events.ions, places.start, places.stop, places.offsets, places.neighbours, places.ends,
        places.cell, places.reach, places.measured, n_places, int(window), replacement, distinct_ions,
    )  # fmt: skip
    by_size, hops, together = _count(
        roots, order, times, events.ions, events.n_ions, events.n_frames, distinct_ions, int(largest), int(n_blocks)
    )
    labels = np.empty(len(events), dtype=np.int64)
    labels[order] = roots
    return Clusters(by_size, hops, int(n_links), together, labels)


def _box_neighbours(n_boxes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each box and those that touch it, periodically; in a small cell they are fewer than 27."""
    around = [sorted({shift % n for shift in (-1, 0, 1)}) for n in n_boxes.tolist()]
    shifts = np.array([[i, j, k] for i in around[0] for j in around[1] for k in around[2]])
    boxes = np.stack(np.unravel_index(np.arange(int(n_boxes.prod())), n_boxes), axis=1)
    near = (boxes[:, None] + shifts) % n_boxes
    flat = (near[..., 0] * n_boxes[1] + near[..., 1]) * n_boxes[2] + near[..., 2]
    offsets = np.arange(len(boxes) + 1, dtype=np.int64) * len(shifts)
    return offsets, np.ascontiguousarray(flat.ravel(), dtype=np.int64)


def _site_neighbours(
    sites: NDArray[np.float64], cell: NDArray[np.float64], reach: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    lists = []
    for site in sites:
        apart = sites - site
        apart -= np.rint(apart)
        lists.append(np.flatnonzero(np.linalg.norm(apart @ cell, axis=1) <= reach))
    offsets = np.zeros(len(sites) + 1, dtype=np.int64)
    offsets[1:] = np.cumsum([len(found) for found in lists])
    return offsets, np.concatenate(lists).astype(np.int64)


@njit(cache=True, nogil=True)
def _by_time(frames, ions, shifts, n_frames):  # type: ignore[no-untyped-def]
    """Sort by shifted time, by counting: the order and the times in it."""
    n = frames.size
    first = np.zeros(n_frames + 1, np.int64)
    moved = np.empty(n, np.int64)
    for k in range(n):
        moved[k] = (frames[k] + shifts[ions[k]]) % n_frames
        first[moved[k] + 1] += 1
    for t in range(n_frames):
        first[t + 1] += first[t]
    order, times = np.empty(n, np.int64), np.empty(n, np.int64)
    for k in range(n):
        at = first[moved[k]]
        first[moved[k]] += 1
        order[at] = k
        times[at] = moved[k]
    return order, times


@njit(cache=True, nogil=True)
def _root(parents, k):  # type: ignore[no-untyped-def]
    while parents[k] != k:
        parents[k] = parents[parents[k]]
        k = parents[k]
    return k


@njit(cache=True, nogil=True)
def _link(  # type: ignore[no-untyped-def]
    order, times, ions, start, stop, offsets, neighbours, ends, cell, reach, measured, n_places, window, replacement,
    distinct_ions,
):  # fmt: skip
    """Join linked hops: the root of each, in the order of time, and the number of links.

    An entry 2 k + e is end e (0 left, 1 reached) of the k-th hop; ``newest`` holds the last entry of each place and
    ``older`` the one before it at the same place.
    """
    n = order.size
    parents = np.arange(n)
    newest, latest = np.full(n_places, -1), np.full(n_places, -window - 1)
    older = np.empty(2 * n, np.int64)
    met = np.full(n, -1)
    owner, place = np.empty(n, np.int64), np.empty((n, 2), np.int64)
    for k in range(n):
        owner[k], place[k, 0], place[k, 1] = ions[order[k]], start[order[k]], stop[order[k]]
    n_links = 0
    for k in range(n):
        earliest = times[k] - window
        for end in range(2):
            for at in range(offsets[place[k, end]], offsets[place[k, end] + 1]):
                near_place = neighbours[at]
                if latest[near_place] < earliest:
                    continue
                entry = newest[near_place]
                while entry >= 0 and times[entry // 2] >= earliest:
                    other = entry // 2
                    known = met[other] == k or (distinct_ions and owner[other] == owner[k])
                    near = not known and not (replacement and entry % 2 == end)
                    if near and measured:
                        near = _within(ends[order[k], end], ends[order[other], entry % 2], cell, reach)
                    if near:
                        met[other] = k
                        n_links += 1
                        a, b = _root(parents, other), _root(parents, k)
                        parents[max(a, b)] = min(a, b)
                    entry = older[entry]
        for end in range(2):
            older[2 * k + end] = newest[place[k, end]]
            newest[place[k, end]] = 2 * k + end
            latest[place[k, end]] = times[k]
    for k in range(n):
        parents[k] = _root(parents, k)
    return parents, n_links


@njit(cache=True, nogil=True)
def _within(a, b, cell, reach):  # type: ignore[no-untyped-def]
    u, v, w = a[0] - b[0], a[1] - b[1], a[2] - b[2]
    u -= np.rint(u)
    v -= np.rint(v)
    w -= np.rint(w)
    x = u * cell[0, 0] + v * cell[1, 0] + w * cell[2, 0]
    y = u * cell[0, 1] + v * cell[1, 1] + w * cell[2, 1]
    z = u * cell[0, 2] + v * cell[1, 2] + w * cell[2, 2]
    return x * x + y * y + z * z <= reach * reach


@njit(cache=True, nogil=True)
def _count(roots, order, times, ions, n_ions, n_frames, distinct_ions, largest, n_blocks):  # type: ignore[no-untyped-def]
    """Count clusters and hops by size, and the hops in clusters of two or more by time block."""
    n = roots.size
    first = np.zeros(n + 1, np.int64)
    for k in range(n):
        first[roots[k] + 1] += 1
    for k in range(n):
        first[k + 1] += first[k]
    members, filled = np.empty(n, np.int64), first[:-1].copy()
    for k in range(n):
        members[filled[roots[k]]] = k
        filled[roots[k]] += 1
    by_size, hops = np.zeros(largest + 1, np.int64), np.zeros(largest + 1, np.int64)
    together, seen = np.zeros(n_blocks, np.int64), np.full(n_ions, -1)
    for root in range(n):
        n_members = first[root + 1] - first[root]
        if n_members == 0:
            continue
        size = 0
        for m in range(first[root], first[root + 1]):
            ion = ions[order[members[m]]]
            if not distinct_ions or seen[ion] != root:
                seen[ion] = root
                size += 1
        by_size[min(size, largest)] += 1
        hops[min(size, largest)] += n_members
        if size > 1:
            for m in range(first[root], first[root + 1]):
                together[times[members[m]] * n_blocks // n_frames] += 1
    return by_size, hops, together
