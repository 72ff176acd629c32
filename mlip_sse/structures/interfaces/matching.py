"""Two plane lattices brought to coincide: supercells of either whose strain is small.

Every supercell of either lattice up to an area is tried against every one of the other (Zur and McGill), and each pair
in all the bases that a reduced cell may take, so that no match is lost to an ambiguous reduction.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.structures.interfaces.cutting import Slab
from mlip_sse.structures.interfaces.lattice_planes import reduce_plane

__all__ = ["LatticeMatch", "MatchSettings", "StrainedSide", "green_lagrange", "matches"]

StrainedSide = Literal["a", "b", "both"]

_BASES = np.array(
    [[[i, j], [k, m]] for i, j, k, m in product((-1, 0, 1), repeat=4) if i * m - j * k == 1 and (i, j) > (0, 0)]
)
"""Bases of a lattice near its reduced one, turned by half a turn left out."""


@dataclass(frozen=True)
class MatchSettings:
    """What a match may cost.

    Parameters
    ----------
    max_area
        Å² of the common cell.
    max_strain
        Largest change of any length in the plane, on the side that bears more: 0.05 is 5 %.
    max_atoms
        Atoms of both slabs together.
    strained
        Which side is strained: a, b, or both, half each.
    min_width
        Å, least distance between opposite sides of the common cell.
    max_matches
        How many to return at most.
    """

    max_area: float = 300.0
    max_strain: float = 0.05
    max_atoms: int = 2000
    strained: StrainedSide = "b"
    min_width: float = 0.0
    max_matches: int = 20

    def __post_init__(self) -> None:
        if not 0 < self.max_area <= 5000:
            raise InputError(f"match settings: max_area is {self.max_area} Å², expected above 0, at most 5000")
        if not 0 < self.max_strain <= 0.2:
            raise InputError(f"match settings: max_strain is {self.max_strain}, expected above 0, at most 0.2 (20 %)")
        if not 0 <= self.min_width < np.sqrt(2 * self.max_area):
            raise InputError(
                f"match settings: min_width is {self.min_width} Å, expected at least 0 and a cell that fits into "
                f"max_area, {self.max_area} Å²"
            )
        if self.strained not in ("a", "b", "both"):
            raise InputError(f"match settings: strained is {self.strained!r}, expected 'a', 'b' or 'both'")
        for name in ("max_atoms", "max_matches"):
            if getattr(self, name) < 1:
                raise InputError(f"match settings: {name} is {getattr(self, name)}, expected at least 1")


@dataclass(frozen=True)
class LatticeMatch:
    """Supercells of two planes in one common cell.

    Parameters
    ----------
    supercell_a, supercell_b : (2, 2)
        Whole numbers: rows of ``supercell @ plane`` are the vectors that are brought to coincide.
    cell : (2, 2) Å
        The common cell, first vector along x.
    deformation_a, deformation_b : (2, 2)
        ``vector @ deformation`` takes a vector of the unstrained side into the common cell, rotation included.
    n_atoms
        Atoms of both slabs.
    """

    supercell_a: NDArray[np.int64]
    supercell_b: NDArray[np.int64]
    cell: NDArray[np.float64]
    deformation_a: NDArray[np.float64]
    deformation_b: NDArray[np.float64]
    n_atoms: int

    @property
    def area(self) -> float:
        """Å² of the common cell."""
        return float(np.linalg.det(self.cell))

    @property
    def width(self) -> float:
        """Å, least distance between opposite sides of the common cell."""
        return self.area / float(np.linalg.norm(self.cell, axis=1).max())

    @property
    def max_strain(self) -> float:
        """Largest change of any length in the plane, of the side that is strained more."""
        return max(_largest_strain(self.deformation_a), _largest_strain(self.deformation_b))

    @property
    def twist_deg(self) -> float:
        """Angle by which b's first vector is turned against a's, rotation of the deformations only."""
        angles = [_rotation_angle(deformation) for deformation in (self.deformation_a, self.deformation_b)]
        return float(np.degrees(angles[1] - angles[0]))


def green_lagrange(deformation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return E = (FᵀF - 1)/2, (2, 2), of a deformation that acts on rows (r' = r D, so F = Dᵀ)."""
    return np.asarray((deformation @ deformation.T - np.eye(2)) / 2)


def matches(slab_a: Slab, slab_b: Slab, settings: MatchSettings | None = None) -> tuple[LatticeMatch, ...]:
    """Return the matches of two slabs, fewest atoms first, then least strain; like ones (same shape, same strain) once.

    Raises
    ------
    InputError
        When none is within the limits; the message gives the least strain there is and its area.

    References
    ----------
    A. Zur, T. C. McGill, J. Appl. Phys. 55, 378 (1984), doi:10.1063/1.333084
    """
    settings = settings or MatchSettings()
    found = sorted(_candidates(slab_a, slab_b, settings, settings.max_strain), key=_order)
    if not found:
        raise InputError(_nothing(slab_a, slab_b, settings))
    kept: dict[tuple[float, ...], LatticeMatch] = {}
    for match in found:
        kept.setdefault(_kind(match), match)
    return tuple(list(kept.values())[: settings.max_matches])


def _order(match: LatticeMatch) -> tuple[float, ...]:
    return match.n_atoms, round(match.max_strain, 6), match.area, abs(match.twist_deg)


def _kind(match: LatticeMatch) -> tuple[float, ...]:
    strains = [np.linalg.eigvalsh(green_lagrange(side)) for side in (match.deformation_a, match.deformation_b)]
    shape = reduce_plane(match.cell)
    return tuple(np.round([match.n_atoms, *np.abs(shape @ shape.T).ravel(), *np.concatenate(strains)], 4).tolist())


def _candidates(slab_a: Slab, slab_b: Slab, settings: MatchSettings, max_strain: float) -> Iterator[LatticeMatch]:
    """Yield every pair of supercells whose strain is within the limit."""
    shapes_a, shapes_b = (_supercells(slab.plane, settings.max_area) for slab in (slab_a, slab_b))
    atoms = [len(slab.atoms) for slab in (slab_a, slab_b)]
    for n_a, (rows_a, cells_a) in shapes_a.items():
        for n_b, (rows_b, cells_b) in shapes_b.items():
            n_atoms = n_a * atoms[0] + n_b * atoms[1]
            ratio = n_b * slab_b.area / (n_a * slab_a.area)
            spread = (1 + 2 * max_strain) ** 2 + 1e-9
            if n_atoms > settings.max_atoms or not 1 / spread <= ratio <= spread:
                continue
            for one, other, basis in _within(cells_a, cells_b, settings.strained, max_strain):
                match = _match(
                    (rows_a[one], basis @ rows_b[other]), (cells_a[one], basis @ cells_b[other]), settings, n_atoms
                )
                if match.width >= settings.min_width - 1e-6:
                    yield match


def _within(
    cells_a: NDArray[np.float64], cells_b: NDArray[np.float64], strained: StrainedSide, max_strain: float
) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """Yield the pairs, and the basis of b, whose principal stretches stay within the limit.

    The squares of the stretches from a to b are the eigenvalues of G_a⁻¹ G_b, G the matrices of scalar products.
    """
    grams_a = np.linalg.inv(cells_a @ cells_a.transpose(0, 2, 1))
    bases = _BASES[None] @ cells_b[:, None]
    grams_b = bases @ bases.transpose(0, 1, 3, 2)
    traces = np.einsum("aij,bsji->abs", grams_a, grams_b)
    products = np.linalg.det(grams_a)[:, None, None] * np.linalg.det(grams_b)[None]
    roots = np.sqrt(np.maximum(traces**2 / 4 - products, 0.0))
    high, low = np.sqrt(traces / 2 + roots), np.sqrt(np.maximum(traces / 2 - roots, 1e-12))
    if strained == "b":
        high, low = 1 / low, 1 / high
    elif strained == "both":
        high, low = np.sqrt(high), np.sqrt(low)
        high, low = np.maximum(high, 1 / low), np.minimum(low, 1 / high)
    for one, other, basis in np.argwhere(np.maximum(high - 1, 1 - low) <= max_strain + 1e-9).tolist():
        yield one, other, _BASES[basis]


def _match(
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    cells: tuple[NDArray[np.float64], NDArray[np.float64]],
    settings: MatchSettings,
    n_atoms: int,
) -> LatticeMatch:
    from scipy.linalg import polar, sqrtm

    cell_a, cell_b = cells
    if settings.strained == "a":
        common = cell_b
    elif settings.strained == "b":
        common = cell_a
    else:
        # a → b is r D = r P U: half of the stretch P for a, without the rotation U.
        _, stretch = polar(np.linalg.inv(cell_a) @ cell_b, side="left")
        common = cell_a @ np.real(sqrtm(stretch))
    along = common[0] / np.linalg.norm(common[0])
    common = common @ np.array([[along[0], -along[1]], [along[1], along[0]]])
    common[0, 1] = 0.0
    deformations = [np.linalg.inv(cell) @ common for cell in (cell_a, cell_b)]
    return LatticeMatch(rows[0], rows[1], common, deformations[0], deformations[1], n_atoms)


def _supercells(
    plane: NDArray[np.float64], max_area: float
) -> dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Return for each number of cells the supercells of different shape: whole numbers and vectors in Å, (k, 2, 2)."""
    found = {}
    for number in range(1, int(max_area / np.linalg.det(plane) + 1e-9) + 1):
        shapes: dict[tuple[float, ...], NDArray[np.float64]] = {}
        for first in (d for d in range(1, number + 1) if number % d == 0):
            for skew in range(first):
                cell = reduce_plane(np.array([[first, 0], [skew, number // first]]) @ plane)
                if np.linalg.det(cell) < 0:
                    cell[1] *= -1
                shapes.setdefault(tuple(np.round(cell @ cell.T, 5).ravel().tolist()), cell)
        cells = np.array(list(shapes.values()))
        found[number] = (np.rint(cells @ np.linalg.inv(plane)).astype(np.int64), cells)
    return found


def _nothing(slab_a: Slab, slab_b: Slab, settings: MatchSettings) -> str:
    """Say what the limits leave out."""
    name = " | ".join(
        f"{slab.atoms.get_chemical_formula('metal', empirical=True)} ({' '.join(map(str, slab.miller))})"
        for slab in (slab_a, slab_b)
    )
    for limit in (0.1, 0.2, 0.5):
        wide = sorted(_candidates(slab_a, slab_b, settings, limit), key=lambda match: (match.max_strain, match.n_atoms))
        if wide:
            return (
                f"{name}: no match within {100 * settings.max_strain:g} % strain, {settings.max_area:g} Å², "
                f"{settings.min_width:g} Å of width and {settings.max_atoms} atoms; the best has "
                f"{100 * wide[0].max_strain:.1f} % at {wide[0].area:.0f} Å² ({wide[0].n_atoms} atoms): "
                "raise max_strain, max_area or max_atoms, or take other planes"
            )
    return (
        f"{name}: no cells of like area within {settings.max_area:g} Å² and {settings.max_atoms} atoms, one face has "
        f"{slab_a.area:.0f} Å² ({len(slab_a.atoms)} atoms), the other {slab_b.area:.0f} Å² ({len(slab_b.atoms)} "
        "atoms): raise max_area or max_atoms"
    )


def _largest_strain(deformation: NDArray[np.float64]) -> float:
    return float(np.abs(np.linalg.svd(deformation, compute_uv=False) - 1).max())


def _rotation_angle(deformation: NDArray[np.float64]) -> float:
    return float(np.arctan2(deformation[0, 1] - deformation[1, 0], deformation[0, 0] + deformation[1, 1]))
