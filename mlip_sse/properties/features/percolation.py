"""The threshold at which a periodic network first runs through the crystal, in one, two and three directions.

Edges are added from the lowest to the highest; a part of the network is infinite along a lattice vector when a walk
inside it comes back to where it started in another image. Each part remembers the independent vectors found so.

References
----------
M. E. J. Newman and R. M. Ziff, Phys. Rev. E 64, 016706 (2001), 10.1103/PhysRevE.64.016706 (union and find);
J. Machta et al., Phys. Rev. E 54, 1332 (1996), 10.1103/PhysRevE.54.1332 (displacements to the root).
"""

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["grid_edges", "percolation_thresholds"]

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


def percolation_thresholds(n_nodes: int, first: Index, second: Index, shifts: Index, values: Floats) -> Floats:
    """Return the lowest values at which a connected part of the network is infinite in 1, 2 and 3 directions.

    Parameters
    ----------
    n_nodes
        Nodes in the cell.
    first, second : (n_edges,)
    shifts : (n_edges, 3)
        The image of ``second`` that the edge leads to.
    values : (n_edges,)
        Low ones are passed first; infinite ones never.

    Returns
    -------
    (3,) in the unit of ``values``; infinite where no path ever does
    """
    passable = np.isfinite(values)
    order = np.flatnonzero(passable)[np.argsort(values[passable], kind="stable")]
    return np.asarray(
        _thresholds(
            n_nodes,
            np.ascontiguousarray(first[order], dtype=np.int64),
            np.ascontiguousarray(second[order], dtype=np.int64),
            np.ascontiguousarray(shifts[order], dtype=np.int64),
            np.ascontiguousarray(values[order], dtype=np.float64),
        )
    )


def grid_edges(shape: tuple[int, int, int]) -> tuple[Index, Index, Index]:
    """Return the edges of a periodic grid to the 26 points around each, every edge once.

    Returns
    -------
    first, second : (n_edges,) points in C order
    shifts : (n_edges, 3) images of the second
    """
    steps = [(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1) if (i, j, k) > (0, 0, 0)]
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1).reshape(-1, 3)
    size = np.array(shape)
    firsts, seconds, shifts = [], [], []
    for step in steps:
        there = grid + np.array(step)
        image = np.floor_divide(there, size)
        wrapped = there - image * size
        firsts.append(np.arange(len(grid)))
        seconds.append((wrapped[:, 0] * shape[1] + wrapped[:, 1]) * shape[2] + wrapped[:, 2])
        shifts.append(image)
    return np.concatenate(firsts), np.concatenate(seconds), np.concatenate(shifts)


@njit(cache=True)
def _root(parent: Index, offset: Index, node: int) -> int:
    # offset[node] is the image of the parent minus the image of the node; paths are shortened by half on the way
    while parent[node] != node:
        up = parent[node]
        if parent[up] != up:
            for axis in range(3):
                offset[node, axis] += offset[up, axis]
            parent[node] = parent[up]
        node = int(parent[node])
    return node


@njit(cache=True)
def _to_root(parent: Index, offset: Index, node: int, out: Index) -> int:
    root = int(_root(parent, offset, node))
    out[:] = 0
    while parent[node] != node:
        for axis in range(3):
            out[axis] += offset[node, axis]
        node = parent[node]
    return root


@njit(cache=True)
def _add(basis: Index, rank: int, vector: Index) -> int:
    # whole-number vectors: independent of those there already, by exact determinants
    if rank == 0:
        independent = vector[0] != 0 or vector[1] != 0 or vector[2] != 0
    elif rank == 1:
        a = basis[0]
        independent = (
            a[1] * vector[2] != a[2] * vector[1]
            or a[2] * vector[0] != a[0] * vector[2]
            or a[0] * vector[1] != a[1] * vector[0]
        )
    elif rank == 2:
        a, b = basis[0], basis[1]
        independent = (
            vector[0] * (a[1] * b[2] - a[2] * b[1])
            + vector[1] * (a[2] * b[0] - a[0] * b[2])
            + vector[2] * (a[0] * b[1] - a[1] * b[0])
        ) != 0
    else:
        independent = False
    if independent:
        basis[rank] = vector
        return rank + 1
    return rank


@njit(cache=True)
def _thresholds(n_nodes: int, first: Index, second: Index, shifts: Index, values: Floats) -> Floats:
    parent = np.arange(n_nodes)
    size = np.ones(n_nodes, dtype=np.int64)
    offset = np.zeros((n_nodes, 3), dtype=np.int64)
    bases = np.zeros((n_nodes, 3, 3), dtype=np.int64)
    ranks = np.zeros(n_nodes, dtype=np.int64)
    found = np.full(3, np.inf)
    best = 0
    to_one, to_other = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
    for edge in range(len(first)):
        one = _to_root(parent, offset, first[edge], to_one)
        other = _to_root(parent, offset, second[edge], to_other)
        # the root of the second, seen from the image in which the root of the first stands
        apart = shifts[edge] + to_other - to_one
        if one == other:
            ranks[one] = _add(bases[one], ranks[one], apart)
        else:
            if size[one] < size[other]:
                one, other = other, one
                apart = -apart
            parent[other] = one
            offset[other] = -apart
            size[one] += size[other]
            for k in range(ranks[other]):
                ranks[one] = _add(bases[one], ranks[one], bases[other, k])
        while best < ranks[one]:
            found[best] = values[edge]
            best += 1
        if best == 3:
            break
    return found
