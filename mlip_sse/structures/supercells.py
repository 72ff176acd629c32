"""Supercells by the size that matters: the distance between an atom and its image.

Not only repeats along the axes: all lattices of a given volume are tried, and the roundest is taken, so that fewer
atoms reach the same width.
"""

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.structures.lineage import with_step

__all__ = [
    "compact_matrix",
    "compact_supercell",
    "diagonal_supercell",
    "perpendicular_widths",
    "shortest_image_distance",
]

_MAX_ATOMS = 20_000


def perpendicular_widths(cell: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the three distances between opposite faces of a cell.

    Parameters
    ----------
    cell : (..., 3, 3) Å
        Lattice vectors as rows.

    Returns
    -------
    (..., 3) Å
        The volume over the area of each face.
    """
    return np.asarray(1.0 / np.linalg.norm(np.linalg.inv(cell), axis=-2))


def shortest_image_distance(cell: NDArray[np.float64]) -> float:
    """Return the length of the shortest lattice vector in Å, whatever the choice of the cell's vectors."""
    return float(np.linalg.norm(_reduce(np.asarray(cell)[None])[0], axis=1).min())


def diagonal_supercell(atoms: Atoms, min_width: float) -> Atoms:
    """Repeat a cell along its own axes until every perpendicular width reaches ``min_width`` Å.

    Raises
    ------
    InputError
        When the width is not positive or the cell would hold more than 20 000 atoms.
    """
    repeats = _repeats(np.asarray(atoms.cell.array), min_width)
    _check_size(atoms, int(np.prod(repeats)), min_width)
    return with_step(atoms.repeat(repeats), "supercell", matrix=np.diag(repeats).tolist(), min_width=min_width)


def compact_supercell(atoms: Atoms, min_width: float | None = None, min_edge: float | None = None) -> Atoms:
    """Build the supercell with the fewest atoms that is wide enough.

    Parameters
    ----------
    atoms
        A periodic cell.
    min_width
        Least perpendicular width in Å.
    min_edge
        Least distance between an atom and its images in Å. Give one of the two; for a cutoff r of a potential, a width
        of 2 r keeps an atom from seeing a neighbour twice.

    Raises
    ------
    InputError
        When none or both are given, or one is not positive, or the cell would hold more than 20 000 atoms.
    """
    from ase.build import make_supercell

    matrix = compact_matrix(np.asarray(atoms.cell.array), min_width, min_edge, _MAX_ATOMS // max(1, len(atoms)))
    criterion = {"min_width": min_width} if min_width is not None else {"min_edge": min_edge}
    return with_step(_keep_info(make_supercell(atoms, matrix), atoms), "supercell", matrix=matrix.tolist(), **criterion)


def compact_matrix(
    cell: NDArray[np.float64], min_width: float | None = None, min_edge: float | None = None, max_cells: int = 1000
) -> NDArray[np.int64]:
    """Return the integer matrix of the smallest supercell that is wide enough, the roundest of its size.

    A repeat along the axes is preferred where it needs no more cells.

    Parameters
    ----------
    cell : (3, 3) Å
        Lattice vectors as rows.
    min_width, min_edge
        Least perpendicular width, or least image distance, in Å.
    max_cells
        The largest number of cells tried.

    Returns
    -------
    (3, 3)
        M such that ``M @ cell`` is the supercell, with positive determinant.
    """
    if (min_width is None) == (min_edge is None):
        raise InputError(f"supercell: found min_width={min_width} and min_edge={min_edge}, expected one of the two")
    target = min_width if min_width is not None else min_edge
    if target is None or not 0 < target < 1e3:
        raise InputError(f"supercell: found a size of {target} Å, expected a positive number below 1000")
    volume = abs(float(np.linalg.det(cell)))
    if volume < 1e-6:
        raise InputError(
            f"supercell: the cell has a volume of {volume:.3g} Å³, expected one periodic in three directions"
        )
    # The product of the widths is at most the volume; the densest lattice has edge³ = √2 V.
    least = target**3 / volume if min_width is not None else target**3 / (np.sqrt(2) * volume)
    diagonal = np.diag(_repeats(cell, target)) if min_width is not None else None
    for n_cells in range(max(1, int(np.ceil(least - 1e-9))), max_cells + 1):
        if diagonal is not None and n_cells == round(np.linalg.det(diagonal)):
            return diagonal
        found = _roundest(cell, n_cells, target, by_width=min_width is not None)
        if found is not None:
            return found
    raise InputError(
        f"supercell: {target} Å needs more than {max_cells} cells of {volume:.0f} Å³, expected at most {_MAX_ATOMS} "
        "atoms: ask for a smaller size"
    )


def roundest_matrix(cell: NDArray[np.float64], n_cells: int) -> NDArray[np.int64]:
    """Return the matrix of the supercell of ``n_cells`` cells with the largest smallest width."""
    found = _roundest(cell, n_cells, 0.0, by_width=True)
    return np.eye(3, dtype=np.int64) if found is None else found


def _roundest(cell: NDArray[np.float64], n_cells: int, target: float, by_width: bool) -> NDArray[np.int64] | None:
    forms = _hermite_forms(n_cells)
    reduced = _reduce(forms @ cell)
    sizes = perpendicular_widths(reduced).min(axis=1) if by_width else np.linalg.norm(reduced, axis=2).min(axis=1)
    best = int(np.argmax(np.round(sizes, 9)))
    if sizes[best] < target - 1e-9:
        return None
    matrix = np.rint(reduced[best] @ np.linalg.inv(cell)).astype(np.int64)
    return np.asarray(matrix if np.linalg.det(matrix) > 0 else -matrix)


def _hermite_forms(determinant: int) -> NDArray[np.int64]:
    """Return every sublattice of this index once, (k, 3, 3): lower triangular, in Hermite normal form."""
    blocks = []
    for a in (d for d in range(1, determinant + 1) if determinant % d == 0):
        rest = determinant // a
        for b in (d for d in range(1, rest + 1) if rest % d == 0):
            c = rest // b
            left = np.stack(np.meshgrid(np.arange(a), np.arange(a), np.arange(b), indexing="ij"), axis=-1).reshape(
                -1, 3
            )
            block = np.zeros((len(left), 3, 3), dtype=np.int64)
            block[:, 0, 0], block[:, 1, 1], block[:, 2, 2] = a, b, c
            block[:, 1, 0], block[:, 2, 0], block[:, 2, 1] = left.T
            blocks.append(block)
    return np.concatenate(blocks)


def _reduce(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minkowski-reduce many cells (k, 3, 3) at once.

    Vectors are sorted by length, then the longest is shortened by the best integer mix of the other two, until nothing
    shortens; in three dimensions this gives the shortest vectors (I. Semaev, doi:10.1007/3-540-44670-2_13).
    """
    cells = np.array(cells, dtype=np.float64)
    mixes = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)], dtype=np.float64)
    active = np.arange(len(cells))
    for _ in range(200):
        part = cells[active]
        order = np.argsort(np.linalg.norm(part, axis=2), axis=1, kind="stable")
        part = np.take_along_axis(part, order[:, :, None], axis=1)
        first, second, third = part[:, 0], part[:, 1], part[:, 2]
        shorter = second - np.rint(np.sum(first * second, axis=1) / np.sum(first**2, axis=1))[:, None] * first
        gram = np.einsum("kij,klj->kil", np.stack([first, shorter], 1), np.stack([first, shorter], 1))
        rhs = np.stack([np.sum(first * third, axis=1), np.sum(shorter * third, axis=1)], axis=1)
        near = np.rint(np.linalg.solve(gram, rhs[:, :, None])[:, :, 0])
        trial = near[:, None, :] + mixes
        candidates = third[:, None] - trial[:, :, :1] * first[:, None] - trial[:, :, 1:] * shorter[:, None]
        lengths = np.linalg.norm(candidates, axis=2)
        lengths[:, 4] -= 1e-9  # no mix at all, unless another one really shortens
        shortest = np.take_along_axis(candidates, lengths.argmin(axis=1)[:, None, None], axis=1)[:, 0]
        new = np.stack([first, shorter, shortest], axis=1)
        gain = np.linalg.norm(part, axis=2).sum(axis=1) - np.linalg.norm(new, axis=2).sum(axis=1)
        cells[active] = new
        active = active[gain > 1e-9]
        if not len(active):
            break
    return cells


def _repeats(cell: NDArray[np.float64], min_width: float) -> NDArray[np.int64]:
    if not 0 < min_width < 1e3:
        raise InputError(f"supercell: found a width of {min_width} Å, expected a positive number below 1000")
    return np.asarray(np.maximum(1, np.ceil(min_width / perpendicular_widths(cell) - 1e-9)).astype(np.int64))


def _check_size(atoms: Atoms, n_cells: int, min_width: float) -> None:
    if len(atoms) * n_cells > _MAX_ATOMS:
        raise InputError(
            f"supercell: {min_width} Å needs {len(atoms) * n_cells} atoms, expected at most {_MAX_ATOMS}: "
            "ask for a smaller width"
        )


def _keep_info(made: Atoms, source: Atoms) -> Atoms:
    made.info = dict(source.info)
    return made
