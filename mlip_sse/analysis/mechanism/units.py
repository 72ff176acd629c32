"""Polyatomic units such as PS₄: a centre, its ligands, and how long all of its bonds hold.

Bonds are those of the first frame. A unit whose bond grows beyond the breaking length is left out from that frame on:
its body is another one from then on.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.ion_paths import fractional_paths
from mlip_sse.errors import InputError
from mlip_sse.trajectory.fractional_positions import consistent_cells

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["Units", "bond_paths", "find_units"]


@dataclass(frozen=True, eq=False)
class Units:
    """Units of one kind, all with the same number of ligands.

    Parameters
    ----------
    centre, ligand
        Species of the centre and of what is bound to it.
    centres : (n_units,) atoms
    ligands : (n_units, n_ligands) atoms, the nearest first
    images : (n_units, n_ligands, 3) cell vectors to add to a ligand in the first frame to stand next to its centre
    left_out
        In words, the centres that are not among them, and why.
    n_shared
        Ligands that belong to two units (a bridge, as in P₂S₇).
    """

    centre: str
    ligand: str
    centres: NDArray[np.intp]
    ligands: NDArray[np.intp]
    images: NDArray[np.int64]
    left_out: tuple[str, ...]
    n_shared: int

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def n_ligands(self) -> int:
        """Number of ligands of each unit."""
        return int(self.ligands.shape[1])

    @property
    def name(self) -> str:
        """Formula of the unit."""
        return f"{self.centre}{self.ligand}{self.n_ligands if self.n_ligands > 1 else ''}"


def find_units(
    trajectory: "Trajectory", centre: str, ligand: str, bond_length: float, n_ligands: int | None = None
) -> Units:
    """Find the units of the first frame.

    Parameters
    ----------
    trajectory
        Its first frame counts.
    centre, ligand
        Species; they must differ.
    bond_length
        Longest bond in Å, at most half of the cell's smallest width.
    n_ligands
        How many ligands a unit has; by default what most centres have.

    Raises
    ------
    InputError
        When a species is missing, the bond length does not fit the cell, or no unit is found.
    """
    if centre == ligand:
        raise InputError(f"found {centre!r} as centre and as ligand, expected two species")
    centres, others = trajectory.indices(centre), trajectory.indices(ligand)
    cell = np.asarray(trajectory.cells[0], dtype=np.float64)
    width = float(1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0).max())
    if not 0 < bond_length <= 0.5 * width:
        raise InputError(
            f"found bond_length {bond_length:g} Å in a cell {width:.4g} Å wide, expected at most half of it, "
            f"{0.5 * width:.4g} Å"
        )
    fractions = np.asarray(trajectory.positions[0], dtype=np.float64) @ np.linalg.inv(cell)
    bound = [_bonds(fractions[atom], fractions[others], cell, bond_length) for atom in centres]
    counts = np.array([len(indices) for indices, _ in bound])
    if n_ligands is None:
        numbers, how_often = np.unique(counts[counts > 0], return_counts=True)
        if not numbers.size:
            raise InputError(
                f"no {ligand} is within {bond_length:g} Å of any of the {len(centres)} {centre} of the first frame; "
                "name other species or a longer bond_length"
            )
        n_ligands = int(numbers[np.argmax(how_often)])
    fits = np.flatnonzero(counts == n_ligands)
    if not fits.size:
        raise InputError(
            f"none of the {len(centres)} {centre} has {n_ligands} {ligand} within {bond_length:g} Å in the first "
            f"frame, they have {', '.join(str(n) for n in np.unique(counts))}; choose n_ligands or bond_length anew"
        )
    left_out = tuple(
        f"{centre} {centres[k]} has {counts[k]} {ligand} instead of {n_ligands}"
        for k in np.flatnonzero(counts != n_ligands)
    )
    ligands = np.array([others[bound[k][0]] for k in fits], dtype=np.intp)
    images = np.array([bound[k][1] for k in fits], dtype=np.int64).reshape(len(fits), n_ligands, 3)
    n_shared = int(ligands.size - np.unique(ligands).size)
    return Units(centre, ligand, centres[fits], ligands, images, left_out, n_shared)


def _bonds(
    centre: NDArray[np.float64], others: NDArray[np.float64], cell: NDArray[np.float64], bond_length: float
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return which others are bound to a centre, nearest first, and their images.

    Up to half the smallest width the rounded image is the nearest, whatever the angles.
    """
    apart = others - centre
    images = -np.rint(apart)
    lengths = np.linalg.norm((apart + images) @ cell, axis=1)
    near = np.flatnonzero(lengths <= bond_length)
    near = near[np.argsort(lengths[near], kind="stable")]
    return near, images[near].astype(np.int64)


def bond_paths(
    trajectory: "Trajectory", units: Units, breaking_length: float, max_bytes: int = 32 << 20
) -> "list[tuple[NDArray[np.float64], NDArray[np.int64]]]":
    """Return the bond vectors of all units in time, in blocks of units, and how long each unit is whole.

    Parameters
    ----------
    trajectory
        The one that the units were found in.
    units
        Of `find_units`.
    breaking_length
        Å; a unit ends at the first frame in which one of its bonds is longer.
    max_bytes
        About the size of the coordinates read at a time.

    Returns
    -------
    list of blocks, each
        bonds : (n_block, n_frames, n_ligands, 3) Å, and
        ends : (n_block,) number of frames in which the unit is whole
    """
    n_atoms = 1 + units.n_ligands
    step = max(1, max_bytes // (24 * trajectory.n_frames * n_atoms))
    cells = consistent_cells(trajectory.cells)
    blocks = []
    for first in range(0, len(units), step):
        chosen = slice(first, first + step)
        atoms = np.concatenate([units.centres[chosen, None], units.ligands[chosen]], axis=1)
        paths = fractional_paths(trajectory, atoms.ravel()).reshape(trajectory.n_frames, len(atoms), n_atoms, 3)
        apart = paths[:, :, 1:] - paths[:, :, :1] + units.images[chosen]
        bonds = np.einsum("tuls,tsd->utld", apart, cells, optimize=True)
        broken = (np.einsum("utld,utld->utl", bonds, bonds) > breaking_length**2).any(axis=2)
        ends = np.where(broken.any(axis=1), broken.argmax(axis=1), trajectory.n_frames).astype(np.int64)
        blocks.append((np.ascontiguousarray(bonds), ends))
    return blocks
