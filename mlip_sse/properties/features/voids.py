"""How wide the ways between the ions are: the largest sphere that fits, and the largest that can travel.

The corners of the Voronoi cells of the framework are the places farthest from it, the edges between them the ways along
which a sphere keeps farthest away. Where an edge's nearest approach to the atoms around it lies between its ends, that
is its width, else the narrower end. The largest free sphere is the widest that runs through the crystal.

References
----------
T. F. Willems et al., Microporous Mesoporous Mater. 149, 134 (2012), 10.1016/j.micromeso.2011.08.020 (the network);
R. D. Shannon, Acta Cryst. A 32, 751 (1976), 10.1107/S0567739476001551 (radii).
"""

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import QhullError, Voronoi, cKDTree

from mlip_sse.analysis.structure.cells import cell_widths
from mlip_sse.errors import InputError
from mlip_sse.properties.features.elements import element_index, element_values
from mlip_sse.properties.features.percolation import percolation_thresholds
from mlip_sse.properties.features.sites import PartialSites, partial_sites
from mlip_sse.properties.features.structure_features import StructureFeatures, weighted_mean

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["VoronoiVoids", "void_network"]

Floats = npt.NDArray[np.float64]

_LEAST_FILLED = 0.25
_CORNERS_ARE_ONE_A = 1e-2
_MARGIN_A = 9.0
"""Around the cell: a corner inside it is right while its sphere, with the ions, is smaller than this in diameter."""


@dataclass(frozen=True)
class VoronoiVoids(StructureFeatures):
    """Widths of the framework's ways, and of the places where the mobile ion stands.

    Parameters
    ----------
    mobile
        The mobile element, whose ions are taken out.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features; radii are of spheres."""
        return (
            "largest_sphere_radius_a",
            "free_sphere_radius_1d_a",
            "free_sphere_radius_2d_a",
            "free_sphere_radius_3d_a",
            "free_to_largest_sphere",
            "mobile_site_radius_a",
            "bottleneck_deficit_a",
            "void_corners_per_mobile",
        )

    def _features(self, structure: "Structure") -> list[float]:
        sites = partial_sites(structure, self.mobile)
        there = sites.filled >= _LEAST_FILLED
        if there.sum() < 4:
            raise InputError("found fewer than four framework atoms, expected a framework")
        radii = ion_radii(sites)[there]
        points = sites.positions[there]
        corners, corner_radii, first, second, shifts, widths = void_network(points, sites.cell, radii)
        widest = percolation_thresholds(len(corners), first, second, shifts, -widths)
        free = [float(-value) if np.isfinite(value) else np.nan for value in widest]
        own = _clearance(sites, there, radii)
        standing = weighted_mean(own, sites.mobile_occupancies)
        largest = float(corner_radii.max())
        wide_enough = corner_radii >= 0.9 * standing
        return [
            largest, *free, free[0] / largest, standing, standing - free[2], float(wide_enough.sum()) / sites.n_mobile,
        ]  # fmt: skip


def ion_radii(sites: PartialSites) -> Floats:
    """Return the mean ionic radius on each framework site, (n_sites,) Å; atomic radii where Shannon gives none."""
    from mlip_sse.structures.ionic_properties import shannon_radius

    atomic = element_values("atomic_radius")
    radii = []
    for symbol, charge in zip(sites.species, sites.charges, strict=True):
        coordination = 6 if charge < 0 or charge < 4 else 4
        radius = shannon_radius(symbol, round(float(charge)), coordination)
        fallback = atomic[element_index(symbol)] * (1.0 if charge <= 0 else 0.6)
        radii.append(max(radius if radius is not None else float(np.nan_to_num(fallback, nan=1.0)), 0.05))
    return np.asarray(sites.occupancies @ np.array(radii) / np.maximum(sites.filled, 1e-9))


def void_network(
    points: Floats, cell: Floats, radii: Floats
) -> tuple[Floats, Floats, npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    """Return the Voronoi corners of atoms and the edges between them.

    Parameters
    ----------
    points : (n_atoms, 3) Å
    cell : (3, 3) Å
    radii : (n_atoms,) Å

    Returns
    -------
    corners : (n_corners, 3) Å, inside the cell
    corner_radii : (n_corners,) Å
        Of the sphere that fits there; negative where there is no room at all.
    first, second : (n_edges,) corners
    shifts : (n_edges, 3) image of the second
    widths : (n_edges,) Å
        Radius of the widest sphere that passes.
    """
    inverse = np.linalg.inv(cell)
    fractions = points @ inverse
    fractions -= np.floor(fractions)
    surrounded, owners = _surroundings(fractions, cell)
    try:
        tessellation = Voronoi(surrounded)
    except QhullError as error:
        raise InputError("found atoms in a plane or a line, expected a crystal in three directions") from error
    edges, around = _edges_of(tessellation)
    vertices = tessellation.vertices
    scaled = vertices @ inverse
    begins = scaled[edges[:, 0]]
    central = ((begins >= -1e-6) & (begins < 1.0 - 1e-6)).all(axis=1)
    edges, around = edges[central], [around[k] for k in np.flatnonzero(central)]
    clearances = _edge_widths(vertices, edges, around, surrounded, radii[owners])
    used = np.unique(edges)
    places = np.full(len(vertices), -1, dtype=np.int64)
    places[used] = np.arange(len(used))
    ids, images, corners = _folded(scaled[used], cell)
    inside = (images[places[edges[:, 0]]] == 0).all(axis=1)
    one, other = places[edges[inside, 0]], places[edges[inside, 1]]
    tree = cKDTree(surrounded)
    nearest, which = tree.query(corners, k=min(8, len(surrounded)))
    corner_radii = (nearest - radii[owners[which]]).min(axis=1)
    widths = np.minimum(clearances[inside], np.minimum(corner_radii[ids[one]], corner_radii[ids[other]]))
    return corners, corner_radii, ids[one], ids[other], images[other], widths


def _surroundings(fractions: Floats, cell: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return atoms of the cell and those within a margin around it, in Å, and whose image each is."""
    reach = _MARGIN_A / cell_widths(cell)
    steps = [range(-int(np.ceil(r)), int(np.ceil(r)) + 1) for r in reach]
    all_points, owners = [], []
    for shift in product(*steps):
        moved = fractions + np.array(shift)
        near = np.flatnonzero(((moved > -reach) & (moved < 1.0 + reach)).all(axis=1))
        all_points.append(moved[near])
        owners.append(near)
    return np.concatenate(all_points) @ cell, np.concatenate(owners).astype(np.int64)


def _edges_of(tessellation: Voronoi) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[np.int64]]]:
    """Return the edges (n_edges, 2) of all facets, and the atoms around each."""
    atoms: dict[tuple[int, int], set[int]] = {}
    for (one, other), facet in zip(tessellation.ridge_points, tessellation.ridge_vertices, strict=True):
        if -1 in facet:
            continue
        for k in range(len(facet)):
            a, b = facet[k - 1], facet[k]
            atoms.setdefault((a, b) if a < b else (b, a), set()).update((int(one), int(other)))
    edges = np.array(list(atoms), dtype=np.int64).reshape(-1, 2)
    both = np.concatenate([edges, edges[:, ::-1]])  # each once from either end, so that one of them begins inside
    around = [np.fromiter(found, dtype=np.int64) for found in atoms.values()]
    return both, around * 2


def _edge_widths(
    vertices: Floats, edges: npt.NDArray[np.int64], around: list[npt.NDArray[np.int64]], points: Floats, radii: Floats
) -> Floats:
    """Return the clearance of each edge, (n_edges,) Å: least distance to the atoms around it, less their radius."""
    start, along = vertices[edges[:, 0]], vertices[edges[:, 1]] - vertices[edges[:, 0]]
    squares = np.einsum("ij,ij->i", along, along)
    counts = np.array([len(found) for found in around])
    edge_of, atoms = np.repeat(np.arange(len(edges)), counts), np.concatenate(around)
    arms = points[atoms] - start[edge_of]
    with np.errstate(invalid="ignore", divide="ignore"):
        foot = np.einsum("ij,ij->i", arms, along[edge_of]) / squares[edge_of]
    foot = np.clip(np.nan_to_num(foot), 0.0, 1.0)
    distances = np.linalg.norm(arms - foot[:, None] * along[edge_of], axis=1) - radii[atoms]
    clearances = np.minimum.reduceat(distances, np.concatenate([[0], np.cumsum(counts)[:-1]]))
    return np.asarray(clearances)


def _folded(scaled: Floats, cell: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    """Return for each corner which one of the cell it is an image of, in which image, and those of the cell in Å."""
    wrapped = scaled - np.floor(scaled + 1e-6)
    images = np.rint(scaled - wrapped).astype(np.int64)
    tree = cKDTree(wrapped @ cell)
    ids = np.full(len(scaled), -1, dtype=np.int64)
    groups: Any = tree.query_ball_point(wrapped @ cell, _CORNERS_ARE_ONE_A)
    corners: list[Floats] = []
    for corner, group in enumerate(groups):
        if ids[corner] < 0:
            ids[[k for k in group if ids[k] < 0]] = len(corners)
            corners.append(wrapped[corner] @ cell)
    return ids, images, np.array(corners)


def _clearance(sites: PartialSites, there: npt.NDArray[np.bool_], radii: Floats) -> Floats:
    """Return the radius of the sphere that fits on each mobile site, (n_mobile,) Å."""
    chosen = np.flatnonzero(there)
    near = sites.around(sites.mobile_positions, 5.0, chosen)
    room = near.distances - radii[np.searchsorted(chosen, near.indices)]
    found = np.full(len(sites.mobile_positions), np.nan)
    for site in range(len(found)):
        part = room[near.offsets[site] : near.offsets[site + 1]]
        found[site] = part.min() if len(part) else np.nan
    return found
