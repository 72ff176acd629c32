"""The hops of a vacancy in a perfect crystal, one for each that symmetry makes different.

An ion on site i goes to an empty site j of its own sort. Hops that an operation of the space group maps on each other
are one hop, and a hop and its way back are one hop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.structures.supercells import perpendicular_widths
from mlip_sse.structures.symmetry import site_orbits, symmetry_operations

__all__ = ["VacancyHop", "line_clearance", "moved_sites", "vacancy_hops"]

_N_POINTS = 33
_SAME_LENGTH = 1e-3


@dataclass(frozen=True)
class VacancyHop:
    """An ion that goes from its site to an empty one.

    Parameters
    ----------
    start, end
        Indices of the two sites in the cell.
    vector
        Å, from start to end, which may lie in a neighbouring cell.
    n_equivalent
        How many hops of the cell's ions are equivalent to it, ways back included.
    is_reversible
        Whether symmetry maps it on its own way back: both barriers are the same.
    are_sites_equivalent
        Whether symmetry maps one site on the other: both vacancies have the same energy.
    clearance
        Å between the straight line and the nearest other nucleus.
    """

    start: int
    end: int
    vector: tuple[float, float, float]
    n_equivalent: int
    is_reversible: bool
    are_sites_equivalent: bool
    clearance: float

    @property
    def distance(self) -> float:
        """Length in Å."""
        return float(np.linalg.norm(self.vector))

    def figures(self) -> dict[str, Any]:
        """Return what a table says of it."""
        return {
            "start": self.start,
            "end": self.end,
            "vector_a": self.vector,
            "distance_a": self.distance,
            "n_equivalent": self.n_equivalent,
            "is_reversible": self.is_reversible,
            "are_sites_equivalent": self.are_sites_equivalent,
            "clearance_a": self.clearance,
        }


def vacancy_hops(
    atoms: Atoms,
    mobile: str,
    max_distance: float | None = None,
    *,
    reach: float = 1.5,
    min_clearance: float = 0.5,
    tolerance: float = 1e-2,
) -> tuple[VacancyHop, ...]:
    """Return the symmetry-distinct hops of a vacancy, shortest first.

    Parameters
    ----------
    atoms
        The perfect crystal, every site of the mobile element filled.
    mobile
        The element that hops.
    max_distance
        Longest hop in Å.
    reach
        Longest hop as a multiple of the shortest, where ``max_distance`` is not given.
    min_clearance
        Hops whose straight line passes a nucleus more closely (Å) are left out: that ion would have to go first.
    tolerance
        Distance in Å within which positions count as equal.

    Raises
    ------
    InputError
        When the crystal does not hold the element, or there is no hop of that length.
    """
    sites = np.flatnonzero(np.array(atoms.get_chemical_symbols()) == mobile)
    if not len(sites):
        raise InputError(f"found no {mobile} in {atoms.get_chemical_formula()}, expected the element that hops")
    if not all(atoms.pbc):
        raise InputError(f"pbc is {tuple(map(bool, atoms.pbc))}, expected three periodic directions: set atoms.pbc")
    edges, vectors = _edges(atoms, sites, max_distance, reach)
    orbits, reversed_ = _orbits(atoms, edges, tolerance)
    is_reversible = orbits == orbits[reversed_]
    whole = np.minimum(orbits, orbits[reversed_])  # a hop with its way back
    sorts = _site_orbits(atoms, tolerance)
    found = []
    for label in dict.fromkeys(whole.tolist()):
        first = int(np.flatnonzero(whole == label)[0])
        clearance = _clearance(atoms, int(edges[first, 0]), vectors[first])
        if clearance < min_clearance:
            continue
        i, j = int(edges[first, 0]), int(edges[first, 1])
        x, y, z = (float(value) for value in vectors[first])
        count, same = int(np.count_nonzero(whole == label)), bool(sorts[i] == sorts[j])
        found.append(VacancyHop(i, j, (x, y, z), count, bool(is_reversible[first]), same, clearance))
    return tuple(found)


def _edges(
    atoms: Atoms, sites: NDArray[np.int64], max_distance: float | None, ratio: float = 1.5
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return all hops as (start, end, three cell indices), and their vectors in Å, shortest first."""
    ions = atoms[sites]
    reach = max_distance
    if reach is None:
        nearest, size = np.empty(0), 4.0
        while not len(nearest):
            nearest, size = neighbor_list("d", ions, size), 2 * size
        reach = ratio * float(nearest.min())
    i, j, shifts, vectors = neighbor_list("ijSD", ions, reach + _SAME_LENGTH)
    if not len(i):
        raise InputError(f"found no hop up to {reach:g} Å, expected one: raise max_distance")
    edges = np.column_stack([sites[i], sites[j], shifts]).astype(np.int64)
    length = np.round(np.linalg.norm(vectors, axis=1) / _SAME_LENGTH)
    order = np.lexsort((*edges.T[::-1], length))
    return edges[order], np.asarray(vectors[order])


def _orbits(atoms: Atoms, edges: NDArray[np.int64], tolerance: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the orbit of each hop under the space group, named by its first hop, and the index of its way back.

    An operation takes site x_i to x_p(i) + m_i, so that the hop (i, j, n) becomes (p(i), p(j), m_j + W n - m_i).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    scaled = atoms.get_scaled_positions(wrap=False)
    cell = np.asarray(atoms.cell.array)
    kinds = [int(number) for number in atoms.numbers]
    index = {tuple(edge): k for k, edge in enumerate(edges.tolist())}
    n_edges, links = len(edges), []
    start, end, shift = edges[:, 0], edges[:, 1], edges[:, 2:]
    for rotation, translation in zip(*symmetry_operations(cell, scaled, kinds, tolerance), strict=True):
        to, cells = moved_sites(atoms, scaled @ rotation.T + translation, scaled)
        images = np.column_stack([to[start], to[end], cells[end] + shift @ rotation.T - cells[start]])
        # At the very end of the reach an image may be longer by the tolerance and missing.
        links += [(k, index[key]) for k, key in enumerate(map(tuple, images.tolist())) if key in index]
    pairs = np.array(links).T
    graph = coo_array((np.ones(pairs.shape[1], dtype=np.int8), tuple(pairs)), shape=(n_edges, n_edges))
    _, labels = connected_components(graph, directed=False)
    first = np.array([int(np.flatnonzero(labels == label)[0]) for label in range(labels.max() + 1)])
    back = np.array([index[(j, i, -a, -b, -c)] for i, j, a, b, c in edges.tolist()])
    return first[labels], back


def moved_sites(
    atoms: Atoms, moved: NDArray[np.float64], scaled: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which site each moved site (n_sites, 3), fractional, falls on, and in which cell."""
    difference = moved[:, None, :] - scaled[None, :, :]
    cells = np.rint(difference)
    distance = np.linalg.norm((difference - cells) @ atoms.cell.array, axis=2)
    distance[atoms.numbers[:, None] != atoms.numbers[None, :]] = np.inf
    to = distance.argmin(axis=1)
    return to, cells[np.arange(len(to)), to].astype(np.int64)


def _site_orbits(atoms: Atoms, tolerance: float) -> NDArray[np.int64]:
    scaled = atoms.get_scaled_positions(wrap=False)
    return site_orbits(np.asarray(atoms.cell.array), scaled, [int(n) for n in atoms.numbers], tolerance)


def _clearance(atoms: Atoms, start: int, vector: NDArray[np.float64]) -> float:
    """Return the distance in Å between a straight hop and the nearest nucleus that is neither of its ends."""
    origin = atoms.positions[start]
    return line_clearance(atoms, origin, vector, [origin, origin + vector])


def line_clearance(
    atoms: Atoms, origin: NDArray[np.float64], vector: NDArray[np.float64], ends: Sequence[NDArray[np.float64]]
) -> float:
    """Return the distance in Å between a straight line and the nearest nucleus, images included.

    Parameters
    ----------
    atoms
        The crystal.
    origin, vector : (3,) Å
        Where it begins, and to where it goes from there.
    ends : each (3,) Å
        Nuclei within 0.1 Å of these take part, and do not count.
    """
    reach = 1.0 + np.ceil((np.linalg.norm(vector) + 4.0) / perpendicular_widths(np.asarray(atoms.cell.array)))
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    nuclei = (atoms.positions[None] + (grid @ atoms.cell.array)[:, None]).reshape(-1, 3)
    apart = np.linalg.norm(nuclei[:, None] - np.array(ends)[None], axis=2).min(axis=1)
    nuclei = nuclei[apart > 0.1]
    middle = np.linalg.norm(nuclei - origin - 0.5 * vector, axis=1)
    nuclei = nuclei[np.argsort(middle)[:64]]
    points = origin + np.linspace(0, 1, _N_POINTS)[:, None] * vector
    return float(np.linalg.norm(nuclei[None] - points[:, None], axis=2).min())
