"""Two slabs in one cell: what was joined, how it is strained, and how wide the gap is."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.structures.interfaces.lattice_planes import Miller
from mlip_sse.structures.separation import close_pairs

__all__ = ["SIDE", "Interface", "closest_contact", "join"]

SIDE = "side"
"""The key of ``atoms.arrays`` that says where an atom comes from: 0 for a, 1 for b."""


@dataclass(frozen=True)
class Interface:
    """Two materials joined along a plane, normal along z.

    Parameters
    ----------
    atoms
        All atoms, those of a below and first; ``atoms.arrays["side"]`` is 0 for a, 1 for b.
    n_interfaces
        2 in a periodic cell, 1 where vacuum separates the images.
    gap_a
        Å between the highest atom of one side and the lowest of the other.
    vacuum_a
        Å of vacuum, 0 in a periodic cell.
    strain
        In-plane Green-Lagrange strain of a and of b, each (2, 2), in the slab's own frame.
    max_strain
        Largest change of any length in the plane, of the side that is strained more.
    twist_deg
        Angle in degrees by which b is turned against a in the plane, from where their slabs stand.
    terminations, millers
        Of a and of b.
    slab_a, slab_b
        The strained slabs in the same plane cell, each alone with vacuum.
    bulk_a, bulk_b
        The crystals with the same in-plane strain, one primitive repeat each.
    crystal_a, crystal_b
        The same repeats without strain.
    n_formula_units
        Of a and of b.
    n_moved
        Units that went from one face to the other to cancel a dipole, of a and of b, in the slab's primitive cell.
    """

    atoms: Atoms
    n_interfaces: int
    gap_a: float
    vacuum_a: float
    strain: tuple[NDArray[np.float64], NDArray[np.float64]]
    max_strain: float
    twist_deg: float
    terminations: tuple[str, str]
    millers: tuple[Miller, Miller]
    slab_a: Atoms
    slab_b: Atoms
    bulk_a: Atoms
    bulk_b: Atoms
    crystal_a: Atoms
    crystal_b: Atoms
    n_formula_units: tuple[int, int]
    n_moved: tuple[int, int]

    @property
    def side(self) -> NDArray[np.int8]:
        """(n_atoms,): 0 for a, 1 for b."""
        return np.asarray(self.atoms.arrays[SIDE], dtype=np.int8)

    @property
    def area(self) -> float:
        """Å² of one interface."""
        return float(np.linalg.det(self.atoms.cell.array[:2, :2]))

    @property
    def thicknesses(self) -> tuple[float, float]:
        """Å from the lowest to the highest atom of a and of b."""
        return _extent(self.slab_a), _extent(self.slab_b)

    @property
    def closest_contact(self) -> float:
        """Å between the two nearest atoms of different sides."""
        return closest_contact(self.atoms)

    def with_gap(self, gap: float, shift: tuple[float, float] = (0.0, 0.0)) -> "Interface":
        """Return the interface as built, with another gap in Å, and b moved along the plane by fractions of the cell.

        Both gaps of a periodic cell change. Atoms go back to where they were built.
        """
        atoms = join(self.slab_a, self.slab_b, gap, self.vacuum_a if self.n_interfaces == 1 else None, shift)
        atoms.info.update(self.atoms.info)
        return replace(self, atoms=atoms, gap_a=gap)

    def to_dict(self) -> dict[str, Any]:
        """Return what the interface is, without the atoms."""
        names = ("a", "b")
        return {
            "formula": self.atoms.get_chemical_formula("metal"),
            "n_atoms": len(self.atoms),
            "n_atoms_by_side": {name: int(np.sum(self.side == index)) for index, name in enumerate(names)},
            "area_a2": self.area,
            "n_interfaces": self.n_interfaces,
            "gap_a": self.gap_a,
            "closest_contact_a": self.closest_contact,
            "vacuum_a": self.vacuum_a,
            "thickness_a": dict(zip(names, self.thicknesses, strict=True)),
            "cell_a": self.atoms.cell.array.tolist(),
            "max_strain": self.max_strain,
            "strain": {
                name: {"xx": float(strain[0, 0]), "yy": float(strain[1, 1]), "xy": float(strain[0, 1])}
                for name, strain in zip(names, self.strain, strict=True)
            },
            "twist_deg": self.twist_deg,
            "millers": {name: list(miller) for name, miller in zip(names, self.millers, strict=True)},
            "terminations": dict(zip(names, self.terminations, strict=True)),
            "n_formula_units": dict(zip(names, self.n_formula_units, strict=True)),
            "n_moved": dict(zip(names, self.n_moved, strict=True)),
        }

    def summary(self) -> str:
        """Return a few lines to read."""
        lines = [
            f"{len(self.atoms)} atoms, {self.area:.1f} Å², {self.n_interfaces} interface"
            f"{'s' if self.n_interfaces > 1 else ''}, gap {self.gap_a:.2f} Å, "
            f"largest strain {100 * self.max_strain:.2f} %"
        ]
        for index, (name, slab) in enumerate((("a", self.slab_a), ("b", self.slab_b))):
            strain = np.round(100 * self.strain[index], 2) + 0.0
            lines.append(
                f"{name}: {slab.get_chemical_formula('metal')} ({' '.join(map(str, self.millers[index]))}), "
                f"{self.terminations[index]}, {self.thicknesses[index]:.1f} Å, "
                f"strain {strain[0, 0]:+.2f} {strain[1, 1]:+.2f} {strain[0, 1]:+.2f} % (xx yy xy)"
            )
        return "\n".join(lines)


def join(
    slab_a: Atoms, slab_b: Atoms, gap: float, vacuum: float | None, shift: tuple[float, float] = (0.0, 0.0)
) -> Atoms:
    """Return b on top of a in one periodic cell.

    Parameters
    ----------
    slab_a, slab_b
        In the same plane cell.
    gap
        Å between the highest atom of a and the lowest of b; in a periodic cell also between b and the next a.
    vacuum
        Å above b; None for a periodic cell with two interfaces.
    shift
        Fractions of the plane cell that b is moved by.

    Raises
    ------
    InputError
        When the gap is not one.
    """
    if not 0 <= gap < 100:
        raise InputError(f"interface: found a gap of {gap} Å, expected 0 to 100")
    lower, upper = slab_a.copy(), slab_b.copy()
    lower.positions[:, 2] -= lower.positions[:, 2].min()
    upper.positions[:, 2] += _extent(slab_a) + gap - upper.positions[:, 2].min()
    upper.positions[:, :2] += np.asarray(shift) @ slab_a.cell.array[:2, :2]
    joined = Atoms(
        np.concatenate([lower.numbers, upper.numbers]),
        positions=np.concatenate([lower.positions, upper.positions]),
        cell=slab_a.cell.array,
        pbc=True,
    )
    cell = slab_a.cell.array.copy()
    cell[2] = [0, 0, upper.positions[:, 2].max() + (gap if vacuum is None else vacuum)]
    joined.set_cell(cell)
    fractions = joined.get_scaled_positions(wrap=False)
    fractions[:, :2] %= 1.0
    joined.set_scaled_positions(fractions)
    joined.set_array(SIDE, np.repeat(np.array([0, 1], dtype=np.int8), [len(lower), len(upper)]))
    return joined


def closest_contact(atoms: Atoms) -> float:
    """Return Å between the two nearest atoms of different sides; ``atoms.arrays["side"]`` says which is which."""
    side = np.asarray(atoms.arrays[SIDE])
    for cutoff in (4.0, 8.0, 16.0, 32.0):
        first, second, distances = close_pairs(atoms, cutoff)
        across = distances[side[first] != side[second]]
        if len(across):
            return float(across.min())
    return float("inf")


def _extent(slab: Atoms) -> float:
    return float(np.ptp(slab.positions[:, 2]))
