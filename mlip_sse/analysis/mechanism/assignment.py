"""Which site each ion is on, frame by frame, and the visits that its path is made of.

Three rules say when an ion is *inside* a site:

* ``spheres``: it arrives within the inner radius and stays until it is beyond the outer radius (hysteresis), so that
  rattling at a border is not taken for jumps;
* ``nearest``: it is inside the nearest site, however far (Voronoi cells);
* ``tetrahedra``: it is within the tetrahedron of the four framework atoms around the site, which move (`tetrahedra`).

An ion outside all sites is unassigned. Its *visit* to a site lasts from its arrival until its arrival at another site,
or at another image of the same one: time in between belongs to the site that it was on last (milestoning), and an ion
that comes back to where it was has not jumped.

References
----------
N.-V. Buchete, G. Hummer, J. Phys. Chem. B 112, 6057 (2008), doi:10.1021/jp0761665 (transition-based assignment)
"""

from collections.abc import Iterator

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.site_grid import largest_strain, site_grid
from mlip_sse.analysis.mechanism.sites import Sites, nearest_neighbours
from mlip_sse.analysis.mechanism.tetrahedra import TetrahedronFinder
from mlip_sse.analysis.mechanism.visit_counter import Assignment, VisitCounter
from mlip_sse.errors import InputError
from mlip_sse.trajectory.fractional_positions import fractional_chunks
from mlip_sse.trajectory.model import Trajectory

__all__ = ["METHODS", "Assignment", "assign", "assign_frames", "site_states"]

METHODS = ("spheres", "nearest", "tetrahedra")


def assign(
    trajectory: Trajectory,
    indices: NDArray[np.intp],
    sites: Sites,
    method: str = "spheres",
    outer_radius: float | None = None,
    inner_fraction: float = 0.6,
    corners: NDArray[np.intp] | None = None,
) -> Assignment:
    """Assign ions to sites in all frames.

    Parameters
    ----------
    trajectory
        Seen from the frame in which the sites rest.
    indices : (n_ions,)
        The mobile ions.
    sites
        In the trajectory's mean cell.
    method
        One of `METHODS`.
    outer_radius
        Å; of spheres. Half the distance of the closest two sites where left out.
    inner_fraction
        Inner radius over outer radius.
    corners : (n_corners,)
        Atoms that tetrahedra are made of.

    Raises
    ------
    InputError
        When spheres overlap, a setting is unknown or the trajectory is not finite.
    """
    if method not in METHODS:
        raise InputError(f"assignment {method!r} is unknown, expected one of {', '.join(METHODS)}")
    if not 0 < inner_fraction <= 1:
        raise InputError(f"inner_fraction is {inner_fraction!r}, expected more than 0 and at most 1")
    counter = VisitCounter(trajectory, len(indices), sites)
    if method == "spheres":
        outer_radius = 0.5 * sites.closest[0] if outer_radius is None else outer_radius
        sites.check_radius(outer_radius)
        states = _sphere_states(counter, trajectory, indices, outer_radius, inner_fraction)
    elif method == "nearest":
        states = _sphere_states(counter, trajectory, indices, None, 1.0)
    else:
        if corners is None or len(corners) < 4:
            raise InputError("tetrahedra need the framework atoms of their corners: name their species")
        finder = TetrahedronFinder.make(trajectory, counter.cells, counter.points, corners, counter.mean)
        states = finder.states(trajectory, indices)
    for first, fractions, inside in states:
        counter.feed(first, fractions, inside)
    return counter.result()


def assign_frames(
    trajectory: Trajectory,
    indices: NDArray[np.intp],
    sites: Sites,
    outer_radius: float,
    inner_fraction: float = 0.6,
) -> NDArray[np.int32]:
    """Return the site of each ion in each frame by spheres, -1 outside all, (n_frames, n_ions)."""
    sites.check_radius(outer_radius)
    counter = VisitCounter(trajectory, len(indices), sites)
    parts = [part[2] for part in _sphere_states(counter, trajectory, indices, outer_radius, inner_fraction)]
    return np.concatenate(parts)


def _sphere_states(
    counter: VisitCounter,
    trajectory: Trajectory,
    indices: NDArray[np.intp],
    outer: float | None,
    inner_fraction: float,
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.int32]]]:
    mean, cells = counter.mean, counter.cells
    strain = largest_strain(cells, mean)
    grid = site_grid(counter.points, mean, outer, strain)
    if outer is None:  # nearer than half the way to the next site: no other can be nearer
        half = 0.5 * nearest_neighbours(counter.points, mean)[0] * (1 - strain)
        stays = half**2
    else:
        stays = np.full(len(counter.points), outer**2)
    last = np.full(len(indices), -2, dtype=np.int32)
    out = np.inf if outer is None else outer**2
    inner = np.inf if outer is None else (inner_fraction * outer) ** 2
    for first, fractions in fractional_chunks(trajectory, indices, cells):
        states = np.empty(fractions.shape[:2], dtype=np.int32)
        site_states(
            fractions,
            np.ascontiguousarray(cells[first : first + len(fractions)]),
            counter.points,
            grid.shape,
            grid.offsets,
            grid.candidates,
            stays,
            inner,
            out,
            last,
            states,
        )
        yield first, fractions, states


@njit(cache=True)
def site_states(
    fractions: NDArray[np.float64],
    cells: NDArray[np.float64],
    sites: NDArray[np.float64],
    shape: NDArray[np.int64],
    offsets: NDArray[np.int64],
    candidates: NDArray[np.int64],
    stays: NDArray[np.float64],
    inner: float,
    outer: float,
    last: NDArray[np.int32],
    states: NDArray[np.int32],
) -> None:
    """Assign ions to sites with hysteresis.

    Parameters
    ----------
    fractions : (n_frames, n_ions, 3)
    cells : (n_frames, 3, 3) Å
    sites : (n_sites, 3) fractions
    shape, offsets, candidates
        Of `mlip_sse.analysis.mechanism.site_grid.SiteGrid`.
    stays : (n_sites,)
        Squared distance in Å² up to which an ion stays on the site that it was on.
    inner, outer
        Squared radii in Å² within which an ion arrives, and within which it is from the first frame on; infinite for
        the nearest site.
    last : (n_ions,)
        State before the first frame, -2 where there is none yet; carried from call to call.
    states : (n_frames, n_ions)
        Receives the site or -1.
    """
    for t in range(fractions.shape[0]):
        h = cells[t]
        for i in range(fractions.shape[1]):
            a, b, c = fractions[t, i, 0], fractions[t, i, 1], fractions[t, i, 2]
            before = last[i]
            if before >= 0:
                u, v, w = a - sites[before, 0], b - sites[before, 1], c - sites[before, 2]
                u -= np.rint(u)
                v -= np.rint(v)
                w -= np.rint(w)
                x = u * h[0, 0] + v * h[1, 0] + w * h[2, 0]
                y = u * h[0, 1] + v * h[1, 1] + w * h[2, 1]
                z = u * h[0, 2] + v * h[1, 2] + w * h[2, 2]
                if x * x + y * y + z * z <= stays[before]:
                    states[t, i] = before
                    continue
            p = int((a - np.floor(a)) * shape[0]) % shape[0]
            q = int((b - np.floor(b)) * shape[1]) % shape[1]
            r = int((c - np.floor(c)) * shape[2]) % shape[2]
            voxel = (p * shape[1] + q) * shape[2] + r
            best, found = np.inf, -1
            for k in range(offsets[voxel], offsets[voxel + 1]):
                site = candidates[k]
                u, v, w = a - sites[site, 0], b - sites[site, 1], c - sites[site, 2]
                u -= np.rint(u)
                v -= np.rint(v)
                w -= np.rint(w)
                x = u * h[0, 0] + v * h[1, 0] + w * h[2, 0]
                y = u * h[0, 1] + v * h[1, 1] + w * h[2, 1]
                z = u * h[0, 2] + v * h[1, 2] + w * h[2, 2]
                squared = x * x + y * y + z * z
                if squared < best:
                    best, found = squared, site
            if best > (outer if before == -2 else inner):
                found = -1
            states[t, i] = found
            last[i] = found
