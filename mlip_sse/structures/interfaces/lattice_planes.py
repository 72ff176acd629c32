"""A crystal seen along the normal of a lattice plane: its smallest repeat with two vectors in the plane.

The repeat is the one of the primitive lattice, whatever cell the crystal came in, so that slabs, terminations and
matches do not depend on the choice of the cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.structures.separation import check_lattice, check_separation
from mlip_sse.structures.symmetry import symmetry_operations

__all__ = [
    "Miller",
    "OrientedCell",
    "check_crystal",
    "low_index_planes",
    "orient",
    "primitive_cell",
    "reduce_plane",
    "row_basis",
]

Miller = tuple[int, int, int]


@dataclass(frozen=True)
class OrientedCell:
    """The primitive repeat of a crystal, turned so that a plane lies in xy.

    Parameters
    ----------
    atoms
        The repeat. First cell vector along x, second in xy, third upwards: its z is the spacing of the planes.
    miller
        The plane, in the cell that the crystal came in.
    rotation : (3, 3)
        Turns a vector of the crystal, as a row, into this frame: ``vector @ rotation.T``.
    """

    atoms: Atoms
    miller: Miller
    rotation: NDArray[np.float64]

    @property
    def spacing(self) -> float:
        """Å between planes that a lattice vector maps on each other."""
        return float(self.atoms.cell.array[2, 2])

    @property
    def plane(self) -> NDArray[np.float64]:
        """The two vectors in the plane, (2, 2) Å as rows, the second counter-clockwise of the first."""
        return np.asarray(self.atoms.cell.array[:2, :2])

    @property
    def area(self) -> float:
        """Å² of the primitive cell of the plane."""
        return float(np.linalg.det(self.plane))


def check_crystal(crystal: object, what: str) -> Atoms:
    """Return the crystal where it is one: ordered atoms, periodic in three directions, none on top of another.

    Raises
    ------
    InputError
        Says what was found instead.
    """
    if not isinstance(crystal, Atoms):
        raise InputError(
            f"{what}: found a {type(crystal).__name__}, expected the ase.Atoms of an ordered crystal: "
            "resolve_disorder() orders partial occupancies"
        )
    if not len(crystal) or not all(crystal.pbc):
        raise InputError(
            f"{what}: found {len(crystal)} atoms with pbc {tuple(map(bool, crystal.pbc))}, expected a crystal that is "
            "periodic in three directions: set atoms.pbc"
        )
    for label, occupancy in (crystal.info.get("occupancy") or {}).items():
        if len(occupancy) > 1 or sum(occupancy.values()) < 1 - 1e-6:
            raise InputError(
                f"{what}: site kind {label} is partly filled ({occupancy}), expected an ordered crystal: "
                "read_structure(path, ordering=OrderingSettings()) orders it"
            )
    check_lattice(crystal.cell.array, crystal.positions, what)
    check_separation(crystal, what)
    return crystal


def low_index_planes(crystal: Atoms, max_index: int = 1, tolerance: float = 1e-2) -> tuple[Miller, ...]:
    """Return one plane of each kind that symmetry makes equal, up to an index, simplest first."""
    rotations, _ = symmetry_operations(
        np.asarray(crystal.cell.array), crystal.get_scaled_positions(), crystal.numbers.tolist(), tolerance
    )
    span = range(-max_index, max_index + 1)
    planes = [np.array(plane) for plane in product(span, repeat=3) if gcd(*plane) == 1]
    planes.sort(key=lambda plane: (np.abs(plane).sum(), np.abs(plane).max(), (-plane).tolist()))
    seen: set[tuple[int, ...]] = set()
    kinds: list[Miller] = []
    for plane in planes:
        if tuple(plane.tolist()) in seen:
            continue
        kinds.append((int(plane[0]), int(plane[1]), int(plane[2])))
        images = plane @ rotations  # a plane's indices are a row: h' = h W⁻¹, and the group holds every inverse
        seen.update(tuple(image) for image in np.concatenate([images, -images]).tolist())
    return tuple(kinds)


def orient(crystal: Atoms, miller: Sequence[int], tolerance: float = 1e-2) -> OrientedCell:
    """Return the primitive repeat of a crystal with a plane in xy.

    Parameters
    ----------
    crystal
        Ordered, periodic in three directions.
    miller
        h, k, l in the cell of the crystal; common factors do not matter.
    tolerance
        Å within which positions count as equal when the primitive cell is sought.

    Raises
    ------
    InputError
        When the indices are not three whole numbers, not all zero.
    """
    indices = _checked_miller(miller)
    primitive, fractions = primitive_cell(crystal, tolerance)
    # h' = P h in the basis of the primitive vectors; they are fractions of the cell's, hence the common denominator.
    n_cells = round(1 / abs(np.linalg.det(fractions)))
    projections = np.rint(fractions @ indices * n_cells).astype(np.int64)
    in_and_out = _plane_basis(projections // np.gcd.reduce(projections)) @ primitive.cell.array
    gradient = np.linalg.inv(crystal.cell.array) @ indices
    normal = np.asarray(gradient / np.linalg.norm(gradient), dtype=np.float64)
    first, second = reduce_plane(in_and_out[:2])
    if np.cross(first, second) @ normal < 0:
        second = -second
    in_plane = np.array([first, second])
    third = in_and_out[2] - np.rint(in_and_out[2] @ np.linalg.pinv(in_plane)) @ in_plane
    along = first / np.linalg.norm(first)
    rotation = np.array([along, np.cross(normal, along), normal])
    cell = np.array([first, second, third]) @ rotation.T
    cell[0, 1:] = cell[1, 2] = 0.0
    scaled = primitive.positions @ rotation.T @ np.linalg.inv(cell)
    atoms = Atoms(primitive.numbers, scaled_positions=scaled % 1.0 % 1.0, cell=cell, pbc=True)
    return OrientedCell(atoms, (int(indices[0]), int(indices[1]), int(indices[2])), rotation)


def primitive_cell(crystal: Atoms, tolerance: float = 1e-2) -> tuple[Atoms, NDArray[np.float64]]:
    """Return the primitive cell without turning the crystal, and its vectors as fractions of the crystal's, (3, 3)."""
    scaled = crystal.get_scaled_positions()
    rotations, translations = symmetry_operations(
        np.asarray(crystal.cell.array), scaled, crystal.numbers.tolist(), tolerance
    )
    pure = translations[np.all(rotations == np.eye(3, dtype=np.int64), axis=(1, 2))]
    n_cells = len(pure)
    rows = np.concatenate([np.rint(pure * n_cells).astype(np.int64), n_cells * np.eye(3, dtype=np.int64)])
    fractions = row_basis(rows) / n_cells
    cell = fractions @ crystal.cell.array
    in_primitive = crystal.positions @ np.linalg.inv(cell)
    left, kept = list(range(len(crystal))), []
    while left:
        first = left[0]
        steps = in_primitive[left] - in_primitive[first]
        same = np.linalg.norm((steps - np.rint(steps)) @ cell, axis=1) < 5 * tolerance
        same &= crystal.numbers[left] == crystal.numbers[first]
        kept.append(first)
        left = [index for index, is_image in zip(left, same, strict=True) if not is_image]
    return Atoms(crystal.numbers[kept], positions=crystal.positions[kept], cell=cell, pbc=True), fractions


def reduce_plane(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shortest two vectors of a plane lattice (Lagrange-Gauss), shortest first; (2, d) Å as rows."""
    first, second = np.array(vectors, dtype=np.float64)
    while True:
        if second @ second < first @ first - 1e-9:
            first, second = second, first
        steps = np.rint(first @ second / (first @ first) - 1e-9)
        if steps == 0:
            return np.array([first, second])
        second = second - steps * first


def row_basis(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a basis (d, d), in echelon form, of the lattice that whole-number rows (n, d) span."""
    left, basis = rows.copy(), []
    for column in range(rows.shape[1]):
        while np.count_nonzero(left[:, column]) > 1:
            nonzero = np.flatnonzero(left[:, column])
            pivot = nonzero[np.argmin(np.abs(left[nonzero, column]))]
            others = nonzero[nonzero != pivot]
            left[others] -= (left[others, column] // left[pivot, column])[:, None] * left[pivot]
        pivot = int(np.flatnonzero(left[:, column])[0])
        basis.append(left[pivot])
        left = np.delete(left, pivot, axis=0)
    return np.array(basis)


def _checked_miller(miller: Sequence[int]) -> NDArray[np.int64]:
    indices = np.asarray(miller, dtype=np.float64)
    if indices.shape != (3,) or not np.any(indices) or not np.all(indices == np.rint(indices)):
        raise InputError(f"plane: found Miller indices {miller}, expected three whole numbers, not all zero")
    whole = indices.astype(np.int64)
    return np.asarray(whole // np.gcd.reduce(whole))


def _plane_basis(projections: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a unimodular (3, 3) whose first two rows are orthogonal to the indices and whose third gives one."""
    basis, values = np.eye(3, dtype=np.int64), projections.copy()
    while np.count_nonzero(values) > 1:
        nonzero = np.flatnonzero(values)
        pivot = nonzero[np.argmin(np.abs(values[nonzero]))]
        for row in nonzero:
            if row != pivot:
                factor = values[row] // values[pivot]
                basis[row] -= factor * basis[pivot]
                values[row] -= factor * values[pivot]
    last = int(np.flatnonzero(values)[0])
    order = [row for row in range(3) if row != last]
    return np.array([basis[order[0]], basis[order[1]], basis[last] * values[last]])
