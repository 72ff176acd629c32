"""Connected components of ions in a periodic cell of any shape, and whether a component spans the cell.

Two nodes are joined where any of their sites lie within the cutoff, all periodic images considered: a cell list on
perpendicular widths makes it linear in the number of sites, and a cell narrower than the cutoff is searched over as
many images as it takes. Union-find carries the image vector from each node to its root; a cycle whose image vectors do
not close means that the component meets its own periodic image: it percolates.
"""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError

__all__ = ["connected_components", "molecular_ions"]

_MAX_BINS = 48  # along one axis; more only cost memory


def connected_components(
    first_sites: NDArray[np.floating],
    second_sites: NDArray[np.floating],
    first_nodes: NDArray[np.integer],
    second_nodes: NDArray[np.integer],
    n_nodes: int,
    cell: NDArray[np.floating],
    cutoff: float,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Join nodes whose sites meet.

    Parameters
    ----------
    first_sites, second_sites : (n, 3) and (m, 3) Å, wrapped or not
        A bond is one site of each kind within the cutoff.
    first_nodes, second_nodes : (n,) and (m,) the node each site belongs to, 0 … n_nodes − 1
        The sites of one node are taken to lie within half a cell of its first one.
    cell : (3, 3) Å, rows are the cell vectors
    cutoff
        Å.

    Returns
    -------
    labels : (n_nodes,)
        Component of each node, counted from 0 in the order of the nodes.
    percolates : (n_components,)
        Whether the component is connected to its own periodic image.
    """
    if not (cutoff > 0 and np.isfinite(cutoff)):
        raise InputError(f"the cutoff is {cutoff!r} Å, expected it positive")
    matrix = np.ascontiguousarray(cell, dtype=np.float64)
    if matrix.shape != (3, 3) or not abs(np.linalg.det(matrix)) > 1e-9:
        raise InputError(f"the cell is {matrix.tolist()}, expected three independent vectors in Å")
    inverse = np.linalg.inv(matrix)
    widths = 1.0 / np.linalg.norm(inverse, axis=0)
    n_bins = np.clip(np.floor(widths / cutoff), 1, _MAX_BINS).astype(np.int64)
    reach = np.ceil(cutoff * n_bins / widths - 1e-12).astype(np.int64)
    nodes = np.concatenate([first_nodes, second_nodes]).astype(np.int64)
    positions = np.concatenate([first_sites, second_sites]).astype(np.float64)
    if positions.shape != (len(nodes), 3) or (len(nodes) and not (nodes.min() >= 0 and nodes.max() < n_nodes)):
        raise InputError(
            f"found sites {positions.shape} and {len(nodes)} nodes, expected one node below {n_nodes} for each"
        )
    fractional = positions @ inverse
    if not np.isfinite(fractional).all():
        raise InputError("a site has no finite position; mend the frame or leave it out")
    fractional -= np.floor(fractional)
    fractional[fractional >= 1.0] = 0.0
    images = _images_of_molecules(fractional, nodes, n_nodes)
    found: tuple[NDArray[np.int64], NDArray[np.bool_]] = _components(
        fractional, images, nodes, len(first_sites), n_nodes, matrix, cutoff, n_bins, reach
    )
    return found


def molecular_ions(sites: NDArray[np.floating], cell: NDArray[np.floating], bond_length: float) -> NDArray[np.int64]:
    """Return the molecule of each atom, (n,), counted from 0: atoms within ``bond_length`` Å belong together.

    Raises
    ------
    InputError
        When a molecule is bonded to its own periodic image, so that the bond length is too long or it is no molecule.
    """
    own = np.arange(len(sites))
    labels, percolates = connected_components(sites, sites, own, own, len(sites), cell, bond_length)
    if percolates.any():
        raise InputError(f"bonds of {bond_length} Å make an endless network, expected separate molecules; shorten them")
    return labels


def _images_of_molecules(fractional: NDArray[np.float64], nodes: NDArray[np.int64], n_nodes: int) -> NDArray[np.int64]:
    # The image that puts each site next to the first site of its node.
    first = np.full(n_nodes, len(nodes), dtype=np.int64)
    np.minimum.at(first, nodes, np.arange(len(nodes)))
    image: NDArray[np.int64] = -np.rint(fractional - fractional[first[nodes]]).astype(np.int64)
    return image


@nb.njit(cache=True, nogil=True)
def _find(parent, shift, node, path):  # type: ignore[no-untyped-def]
    # Root of a node; afterwards shift[node] is its image relative to the root.
    depth = 0
    while parent[node] != node:
        path[depth] = node
        depth += 1
        node = parent[node]
    for k in range(depth - 2, -1, -1):  # the last of the path hangs on the root already
        for a in range(3):
            shift[path[k], a] += shift[path[k + 1], a]
        parent[path[k]] = node
    return node


@nb.njit(cache=True, nogil=True)
def _join(parent, shift, size, wraps, path, one, two, d):  # type: ignore[no-untyped-def]
    # Bond from node `one` to the image d (relative to the image of `one`) of node `two`.
    root_one = _find(parent, shift, one, path)
    root_two = _find(parent, shift, two, path)
    if root_one == root_two:
        for a in range(3):
            if shift[one, a] + d[a] != shift[two, a]:
                wraps[root_one] = True
        return
    sign = 1
    if size[root_one] < size[root_two]:
        root_one, root_two = root_two, root_one
        one, two, sign = two, one, -1
    for a in range(3):
        shift[root_two, a] = shift[one, a] + sign * d[a] - shift[two, a]
    parent[root_two] = root_one
    size[root_one] += size[root_two]
    wraps[root_one] = wraps[root_one] or wraps[root_two]


@nb.njit(cache=True, nogil=True)
def _fill_bins(fractional, first, n_bins):  # type: ignore[no-untyped-def]
    heads = np.full(n_bins[0] * n_bins[1] * n_bins[2], -1, np.int64)
    following = np.full(len(fractional), -1, np.int64)
    for s in range(first, len(fractional)):
        b = 0
        for a in range(3):
            b = b * n_bins[a] + min(int(fractional[s, a] * n_bins[a]), n_bins[a] - 1)
        following[s] = heads[b]
        heads[b] = s
    return heads, following


@nb.njit(cache=True, nogil=True)
def _components(fractional, images, nodes, n_first, n_nodes, cell, cutoff, n_bins, reach):  # type: ignore[no-untyped-def]
    heads, following = _fill_bins(fractional, n_first, n_bins)
    parent, size = np.arange(n_nodes), np.ones(n_nodes, np.int64)
    shift, path = np.zeros((n_nodes, 3), np.int64), np.empty(n_nodes + 1, np.int64)
    wraps = np.zeros(n_nodes, np.bool_)
    home, image, d = np.empty(3, np.int64), np.empty(3, np.int64), np.empty(3, np.int64)
    for s in range(n_first):
        for a in range(3):
            home[a] = min(int(fractional[s, a] * n_bins[a]), n_bins[a] - 1)
        for x in range(home[0] - reach[0], home[0] + reach[0] + 1):
            image[0] = x // n_bins[0]
            for y in range(home[1] - reach[1], home[1] + reach[1] + 1):
                image[1] = y // n_bins[1]
                for z in range(home[2] - reach[2], home[2] + reach[2] + 1):
                    image[2] = z // n_bins[2]
                    b = ((x - image[0] * n_bins[0]) * n_bins[1] + y - image[1] * n_bins[1]) * n_bins[2]
                    other = heads[b + z - image[2] * n_bins[2]]
                    while other >= 0:
                        square = 0.0
                        for c in range(3):
                            r = 0.0
                            for a in range(3):
                                r += (fractional[other, a] + image[a] - fractional[s, a]) * cell[a, c]
                            square += r * r
                        if square <= cutoff * cutoff:
                            for a in range(3):
                                d[a] = image[a] - images[other, a] + images[s, a]
                            _join(parent, shift, size, wraps, path, nodes[s], nodes[other], d)
                        other = following[other]
    return _numbered(parent, shift, wraps, path, n_nodes)


@nb.njit(cache=True, nogil=True)
def _numbered(parent, shift, wraps, path, n_nodes):  # type: ignore[no-untyped-def]
    number, labels = np.full(n_nodes, -1, np.int64), np.empty(n_nodes, np.int64)
    percolates = np.zeros(n_nodes, np.bool_)
    n_components = 0
    for node in range(n_nodes):
        root = _find(parent, shift, node, path)
        if number[root] < 0:
            number[root] = n_components
            percolates[n_components] = wraps[root]
            n_components += 1
        labels[node] = number[root]
    return labels, percolates[:n_components]
