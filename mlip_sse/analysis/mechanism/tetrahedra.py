"""Sites as tetrahedra of framework atoms, which move with them: the holes of a close-packed anion lattice.

A sphere around a hole is cut off where the hole is not round, and the border to the next hole moves with the anions.
The tetrahedron of the four corner atoms nearest to a site fills its hole exactly: an ion at r is inside when the
barycentric coordinates λ of r = Σ λ_k c_k, Σ λ_k = 1, are all at least zero.

References
----------
B. J. Morgan, Chem. Mater. 33, 2004 (2021), doi:10.1021/acs.chemmater.0c03738 (site types of argyrodites)
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.site_grid import SiteGrid, largest_strain, site_grid
from mlip_sse.errors import InputError
from mlip_sse.trajectory.fractional_positions import fractional_chunks, fractional_means
from mlip_sse.trajectory.model import Trajectory

__all__ = ["TetrahedronFinder", "tetrahedron_corners", "tetrahedron_states"]

_FLAT = 0.2
"""Å³; four atoms that enclose less are not a hole."""

_CONSIDERED = 10
"""Nearest corner atoms among which a site's four are sought."""

_FOURS = np.array(list(itertools.combinations(range(_CONSIDERED), 4)))

_DEPTH = 0.3
"""Å; corners less deep than this inside the sphere of four others do no harm: thermal means are not exact."""

_CORNER_MARGIN = 1.0
"""Å; how far corners are expected to swing, so that the lists of candidates hold what a moved tetrahedron can reach."""


def tetrahedron_corners(
    sites: NDArray[np.float64], corners: NDArray[np.float64], cell: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the four corner atoms around each site and where they are.

    A hole is a tetrahedron with no fifth corner inside its sphere (Delaunay); of those around a site, among its ten
    nearest corners, the one is taken in which the site is deepest.

    Parameters
    ----------
    sites : (n_sites, 3) fractions
    corners : (n_corners, 3) fractions, time-averaged
    cell : (3, 3) Å, Minkowski-reduced

    Returns
    -------
    (n_sites, 4) corner atoms
    (n_sites, 4, 3) fractions of their places relative to the site

    Raises
    ------
    InputError
        When no four atoms surround a site.
    """
    chosen = np.empty((len(sites), 4), dtype=np.int64)
    vectors = np.empty((len(sites), 4, 3))
    for site, position in enumerate(sites):
        apart = corners - position
        apart -= np.rint(apart)
        near = np.argsort(np.linalg.norm(apart @ cell, axis=1), kind="stable")[:_CONSIDERED]
        places = apart[near] @ cell
        sets = _FOURS[_FOURS.max(axis=1) < len(near)]
        four = _surrounding(places, sets)
        if four < 0:
            raise InputError(
                f"no four of the {len(near)} corner atoms nearest to site {site} surround it: no tetrahedron; name the "
                "species of the corners, or assign by spheres"
            )
        chosen[site], vectors[site] = near[sets[four]], apart[near[sets[four]]]
    return chosen, vectors


def _surrounding(places: NDArray[np.float64], sets: NDArray[np.int64]) -> int:
    """Return which four of the places surround the origin best with no fifth inside their sphere, -1 where none do."""
    corners = places[sets]
    edges = corners[:, 1:] - corners[:, :1]
    rows = np.flatnonzero(np.abs(np.linalg.det(edges)) / 6 > _FLAT)
    inverse = np.linalg.inv(edges[rows])
    weights = np.einsum("sa,sab->sb", -corners[rows, 0], inverse)
    least = np.minimum(weights.min(axis=1), 1 - weights.sum(axis=1))
    centres = np.einsum("sab,sb->sa", inverse, 0.5 * (edges[rows] ** 2).sum(axis=2))
    radii = np.linalg.norm(centres, axis=1)
    others = np.linalg.norm(places[None] - (centres + corners[rows, 0])[:, None], axis=2)
    empty = (others > (radii - _DEPTH)[:, None]).all(axis=1)
    fit = (least >= 0) & empty
    return int(rows[np.where(fit, least, -1.0).argmax()]) if fit.any() else -1


@dataclass(frozen=True, eq=False)
class TetrahedronFinder:
    """Finds the tetrahedron that an ion is in.

    Parameters
    ----------
    sites : (n_sites, 3) fractions in the reduced cell
    cells : (n_frames, 3, 3) Å, reduced
    corners : (n_corners,) atoms
    chosen : (n_sites, 4) corners of each site
    grid
        Candidates of each voxel.
    """

    sites: NDArray[np.float64]
    cells: NDArray[np.float64]
    corners: NDArray[np.intp]
    chosen: NDArray[np.int64]
    grid: SiteGrid

    @classmethod
    def make(
        cls,
        trajectory: Trajectory,
        cells: NDArray[np.float64],
        sites: NDArray[np.float64],
        corners: NDArray[np.intp],
        mean: NDArray[np.float64],
    ) -> "TetrahedronFinder":
        """Choose each site's corners in the time-averaged framework."""
        places = fractional_means(trajectory, corners, cells)
        chosen, vectors = tetrahedron_corners(sites, places, mean)
        sets = np.unique(np.sort(chosen, axis=1), axis=0, return_counts=True)
        if sets[1].max() > 1:
            twice = sets[0][sets[1].argmax()]
            same = np.flatnonzero((np.sort(chosen, axis=1) == twice).all(axis=1))
            raise InputError(
                f"sites {same[0]} and {same[1]} have the same four corner atoms, so they are one tetrahedron: keep one"
            )
        reach = float(np.linalg.norm(vectors @ mean, axis=2).max()) + _CORNER_MARGIN
        grid = site_grid(sites, mean, reach, largest_strain(cells, mean))
        return cls(sites, cells, corners, chosen, grid)

    def states(
        self, trajectory: Trajectory, indices: NDArray[np.intp]
    ) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.int32]]]:
        """Yield first frame, fractions of the ions and their states; -1 outside all tetrahedra."""
        together = np.concatenate([indices, self.corners])
        last = np.full(len(indices), -1, dtype=np.int32)
        for first, fractions in fractional_chunks(trajectory, together, self.cells):
            ions = np.ascontiguousarray(fractions[:, : len(indices)])
            corners = np.ascontiguousarray(fractions[:, len(indices) :])
            states = np.empty(ions.shape[:2], dtype=np.int32)
            tetrahedron_states(
                ions,
                corners,
                self.sites,
                self.chosen,
                self.grid.shape,
                self.grid.offsets,
                self.grid.candidates,
                last,
                states,
            )
            yield first, ions, states


@njit(cache=True)
def _inverse(
    corners: NDArray[np.float64],
    chosen: NDArray[np.int64],
    site: NDArray[np.float64],
    place: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write the corner c_0 and the inverse of (c_1 - c_0, c_2 - c_0, c_3 - c_0), all around the site."""
    for k in range(4):
        for axis in range(3):
            gap = corners[chosen[k], axis] - site[axis]
            gap -= np.floor(gap + 0.5)
            place[k, axis] = gap if k == 0 else gap - place[0, axis]
    volume = 0.0
    for axis in range(3):
        p, q = (axis + 1) % 3, (axis + 2) % 3
        out[axis] = place[0, axis]
        out[3 + axis] = place[2, p] * place[3, q] - place[2, q] * place[3, p]
        out[6 + axis] = place[3, p] * place[1, q] - place[3, q] * place[1, p]
        out[9 + axis] = place[1, p] * place[2, q] - place[1, q] * place[2, p]
        volume += place[1, axis] * out[3 + axis]
    for k in range(3, 12):
        out[k] /= volume


@njit(cache=True)
def _is_inside(fractions: NDArray[np.float64], site: NDArray[np.float64], plane: NDArray[np.float64]) -> bool:
    u, v, w = fractions[0] - site[0], fractions[1] - site[1], fractions[2] - site[2]
    u -= np.floor(u + 0.5) + plane[0]
    v -= np.floor(v + 0.5) + plane[1]
    w -= np.floor(w + 0.5) + plane[2]
    first = u * plane[3] + v * plane[4] + w * plane[5]
    second = u * plane[6] + v * plane[7] + w * plane[8]
    third = u * plane[9] + v * plane[10] + w * plane[11]
    return bool(first >= 0 and second >= 0 and third >= 0 and first + second + third <= 1)


@njit(cache=True)
def tetrahedron_states(
    ions: NDArray[np.float64],
    corners: NDArray[np.float64],
    sites: NDArray[np.float64],
    chosen: NDArray[np.int64],
    shape: NDArray[np.int64],
    offsets: NDArray[np.int64],
    candidates: NDArray[np.int64],
    last: NDArray[np.int32],
    states: NDArray[np.int32],
) -> None:
    """Assign ions to tetrahedra; the last one is tried first.

    Parameters
    ----------
    ions : (n_frames, n_ions, 3) fractions
    corners : (n_frames, n_corners, 3) fractions
    sites : (n_sites, 3) fractions
    chosen : (n_sites, 4) corners of each site
    shape, offsets, candidates
        Of `mlip_sse.analysis.mechanism.site_grid.SiteGrid`.
    last : (n_ions,)
        Site of the frame before, -1 for none; carried from call to call.
    states : (n_frames, n_ions)
        Receives the site or -1.
    """
    planes = np.empty((sites.shape[0], 12))
    place = np.empty((4, 3))
    for t in range(ions.shape[0]):
        for site in range(sites.shape[0]):
            _inverse(corners[t], chosen[site], sites[site], place, planes[site])
        for i in range(ions.shape[1]):
            position = ions[t, i]
            found = -1
            if last[i] >= 0 and _is_inside(position, sites[last[i]], planes[last[i]]):
                found = last[i]
            else:
                p = int((position[0] - np.floor(position[0])) * shape[0]) % shape[0]
                q = int((position[1] - np.floor(position[1])) * shape[1]) % shape[1]
                r = int((position[2] - np.floor(position[2])) * shape[2]) % shape[2]
                voxel = (p * shape[1] + q) * shape[2] + r
                for k in range(offsets[voxel], offsets[voxel + 1]):
                    if _is_inside(position, sites[candidates[k]], planes[candidates[k]]):
                        found = candidates[k]
                        break
            states[t, i] = found
            last[i] = found
