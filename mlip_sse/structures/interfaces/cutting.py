"""Slabs of a crystal: stoichiometric, neutral, non-polar, covalent units whole; polar planes are refused."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import gcd
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.structures.interfaces.covalent_units import formal_charges, whole_heights
from mlip_sse.structures.interfaces.lattice_planes import Miller, OrientedCell, check_crystal, orient
from mlip_sse.structures.interfaces.terminations import Cut, Repeat, distinct_cuts, possible_cuts
from mlip_sse.structures.lineage import lineage, with_step

__all__ = ["Slab", "SlabSettings", "slabs"]


@dataclass(frozen=True)
class SlabSettings:
    """How a crystal is cut.

    Parameters
    ----------
    min_thickness
        Å. As many repeats as reach it are taken.
    vacuum
        Å between a slab and its image.
    keep_units
        Whether covalent units (PS4, S8) stay whole.
    share_layers
        Whether, where a plain cut is polar, part of its lowest layer may go to the top to cancel the dipole.
    max_polarization
        e/Å²: the dipole over the volume, from formal charges, up to which a slab counts as non-polar. A slab in vacuum
        with 1e-3 has an inner field of 0.18 V/Å.
    layer_tolerance
        Å within which units are of one layer.
    max_atoms
        More are refused.
    max_slabs
        How many to return at most.
    oxidation_states
        Formal charges in e. Left out: those of the shipped crystal, none in an element, else the usual ones.
    symmetry_tolerance
        Å within which positions count as equal.
    """

    min_thickness: float = 10.0
    vacuum: float = 15.0
    keep_units: bool = True
    share_layers: bool = True
    max_polarization: float = 1e-3
    layer_tolerance: float = 0.1
    max_atoms: int = 2000
    max_slabs: int = 20
    oxidation_states: Mapping[str, float] | None = None
    symmetry_tolerance: float = 1e-2

    def __post_init__(self) -> None:
        for name in ("min_thickness", "max_polarization", "layer_tolerance", "symmetry_tolerance"):
            if not 0 < getattr(self, name) < 1e3:
                raise InputError(f"slab settings: {name} is {getattr(self, name)}, expected above 0, below 1000")
        if not 0 <= self.vacuum < 1e3:
            raise InputError(f"slab settings: vacuum is {self.vacuum} Å, expected 0 to 1000")
        for name in ("max_atoms", "max_slabs"):
            if getattr(self, name) < 1:
                raise InputError(f"slab settings: {name} is {getattr(self, name)}, expected at least 1")


@dataclass(frozen=True)
class Slab:
    """A slab: primitive in the plane, normal along z.

    Parameters
    ----------
    atoms
        Periodic cell with vacuum: the third vector is along z, the other two in xy. Atoms from z = 0 upwards.
    bulk
        The crystal's primitive repeat in the same orientation, without vacuum.
    rotation : (3, 3)
        Turns a vector of the crystal, as a row, into this frame: ``vector @ rotation.T``.
    miller
        The plane, in the cell that the crystal came in.
    termination
        The units of the lowest and the highest layer, in words.
    n_repeats
        Repeats of ``bulk`` in the slab.
    n_formula_units
        Formula units in the slab.
    polarization_e_a2
        e/Å², dipole over volume.
    is_symmetric
        Whether symmetry maps one face on the other.
    n_moved
        Units of the lowest layer that went to the top to cancel the dipole.
    """

    atoms: Atoms
    bulk: Atoms
    rotation: NDArray[np.float64]
    miller: Miller
    termination: str
    n_repeats: int
    n_formula_units: int
    polarization_e_a2: float
    is_symmetric: bool
    n_moved: int

    @property
    def plane(self) -> NDArray[np.float64]:
        """The two vectors in the plane, (2, 2) Å as rows."""
        return np.asarray(self.atoms.cell.array[:2, :2])

    @property
    def area(self) -> float:
        """Å² of one face."""
        return float(np.linalg.det(self.plane))

    @property
    def thickness(self) -> float:
        """Å: repeats times their spacing, which is the volume over the area."""
        return self.n_repeats * float(self.bulk.cell.array[2, 2])

    @property
    def dipole_e_a(self) -> float:
        """e/Å: dipole of the formal charges along z over the area."""
        return self.polarization_e_a2 * self.thickness

    def flipped(self) -> "Slab":
        """Return the slab upside down (turned by half a turn about x), for the other face of an asymmetric one."""
        lowest, _, rest = self.termination.partition(" below, ")
        highest, _, moved = rest.partition(" above")
        return replace(
            self,
            atoms=_upside_down(self.atoms),
            bulk=_upside_down(self.bulk),
            rotation=np.diag([1.0, -1.0, -1.0]) @ self.rotation,
            termination=f"{highest} below, {lowest} above{moved}",
            polarization_e_a2=-self.polarization_e_a2,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what the slab is, without the atoms."""
        return {
            "miller": list(self.miller),
            "termination": self.termination,
            "formula": self.atoms.get_chemical_formula("metal"),
            "n_atoms": len(self.atoms),
            "n_formula_units": self.n_formula_units,
            "area_a2": self.area,
            "thickness_a": self.thickness,
            "dipole_e_a": self.dipole_e_a,
            "is_symmetric": self.is_symmetric,
            "n_moved": self.n_moved,
        }

    def summary(self) -> str:
        """Return one line."""
        plane = " ".join(map(str, self.miller))
        return (
            f"{self.atoms.get_chemical_formula('metal')} ({plane}), {self.termination}, {len(self.atoms)} atoms, "
            f"{self.area:.1f} Å², {self.thickness:.1f} Å thick, {'' if self.is_symmetric else 'not '}symmetric"
        )


def slabs(crystal: Atoms, miller: Sequence[int], settings: SlabSettings | None = None) -> tuple[Slab, ...]:
    """Return the distinct slabs of a plane, plain cuts before shared layers, symmetric ones first, widest gap first.

    Parameters
    ----------
    crystal
        Ordered, periodic in three directions.
    miller
        The plane h, k, l in the cell of the crystal.
    settings
        How to cut.

    Raises
    ------
    InputError
        When the crystal is not one, no termination is non-polar (the message gives the dipole), a cut cannot avoid
        breaking units, or the slab has too many atoms.

    References
    ----------
    P. W. Tasker, J. Phys. C 12, 4977 (1979), doi:10.1088/0022-3719/12/22/036: which faces are polar.
    """
    settings = settings or SlabSettings()
    name = f"{getattr(crystal, 'symbols', type(crystal).__name__)} ({' '.join(map(str, miller))})"
    atoms = check_crystal(crystal, name)
    charges = formal_charges(atoms, settings.oxidation_states, name)
    oriented = orient(atoms, miller, settings.symmetry_tolerance)
    n_repeats = max(1, int(np.ceil(settings.min_thickness / oriented.spacing - 1e-6)))
    n_atoms = n_repeats * len(oriented.atoms)
    if n_atoms > settings.max_atoms:
        raise InputError(
            f"{name}: {settings.min_thickness:g} Å need {n_repeats} repeats of {len(oriented.atoms)} atoms, {n_atoms} "
            f"in all, expected at most {settings.max_atoms}: ask for a thinner slab or raise max_atoms"
        )
    labels, heights, centres = whole_heights(oriented.atoms, settings.keep_units, name)
    per_atom = np.array([charges[symbol] for symbol in oriented.atoms.get_chemical_symbols()])
    repeat = Repeat(oriented.atoms, labels, heights, centres, per_atom)
    cuts = _chosen(repeat, settings, name)
    return tuple(_slab(atoms, oriented, repeat, cut, n_repeats, settings) for cut in cuts[: settings.max_slabs])


def _chosen(repeat: Repeat, settings: SlabSettings, name: str) -> list[Cut]:
    """Return the distinct non-polar cuts in order, or say how polar the best one is."""
    found = list(possible_cuts(repeat, settings.layer_tolerance, settings.share_layers, settings.max_polarization))
    good = [cut for cut in found if abs(cut.polarization) <= settings.max_polarization]
    if not good:
        best = min(found, key=lambda cut: abs(cut.polarization))
        raise InputError(
            f"{name}: polar, the best of {len(found)} terminations has a dipole of {best.polarization:+.4f} e/Å² "
            f"({best.polarization * repeat.area:+.2f} e per face of {repeat.area:.1f} Å²), expected at most "
            f"{settings.max_polarization:g}: take another plane"
        )
    good.sort(key=lambda cut: len(cut.moved))
    kept = distinct_cuts(repeat, good, settings.symmetry_tolerance)
    kept.sort(key=lambda cut: (len(cut.moved), not cut.is_symmetric, -round(cut.gap, 3)))
    return kept


def _slab(
    crystal: Atoms, oriented: OrientedCell, repeat: Repeat, cut: Cut, n_repeats: int, settings: SlabSettings
) -> Slab:
    """Stack the repeats of a cut."""
    scaled = oriented.atoms.get_scaled_positions()
    levels = repeat.heights + cut.starts[repeat.labels]
    stacked = np.concatenate([np.column_stack([scaled[:, :2], levels + level]) for level in range(n_repeats)])
    positions = stacked @ oriented.atoms.cell.array
    positions[:, 2] -= positions[:, 2].min()
    cell = np.zeros((3, 3))
    cell[:2, :2] = oriented.plane
    cell[2, 2] = positions[:, 2].max() + settings.vacuum if settings.vacuum else n_repeats * oriented.spacing
    atoms = Atoms(np.tile(oriented.atoms.numbers, n_repeats), positions=positions, cell=cell, pbc=True)
    fractions = atoms.get_scaled_positions(wrap=False)
    fractions[:, :2] %= 1.0
    atoms.set_scaled_positions(fractions)
    atoms.info["lineage"] = lineage(crystal)
    counts = list(Counter(oriented.atoms.numbers.tolist()).values())
    termination = _in_words(repeat, cut)
    made = with_step(atoms, "slab", miller=list(oriented.miller), termination=termination, n_repeats=n_repeats)
    return Slab(
        atoms=made,
        bulk=oriented.atoms.copy(),
        rotation=oriented.rotation,
        miller=oriented.miller,
        termination=termination,
        n_repeats=n_repeats,
        n_formula_units=n_repeats * gcd(*counts),
        polarization_e_a2=cut.polarization,
        is_symmetric=cut.is_symmetric,
        n_moved=len(cut.moved),
    )


def _in_words(repeat: Repeat, cut: Cut) -> str:
    if not cut.moved:
        return f"{_units(repeat, cut.lowest)} below, {_units(repeat, cut.highest)} above"
    below = _units(repeat, tuple(unit for unit in cut.lowest if unit not in cut.moved))
    return f"{below} below, {_units(repeat, cut.moved)} above, one layer shared by both faces"


def _units(repeat: Repeat, units: tuple[int, ...]) -> str:
    """Return the units as 2 Li + PS4."""
    counts = Counter(repeat.unit_name(unit) for unit in units)
    return " + ".join(f"{number} {name}" if number > 1 else name for name, number in sorted(counts.items()))


def _upside_down(atoms: Atoms) -> Atoms:
    """Turn by half a turn about x and keep the first vector along x, the second counter-clockwise, the third up."""
    half_turn = np.diag([1.0, -1.0, -1.0])
    turned = atoms.copy()
    cell = atoms.cell.array @ half_turn
    cell[1:] *= -1
    turned.set_cell(cell)
    turned.positions = atoms.positions @ half_turn
    turned.positions[:, 2] -= turned.positions[:, 2].min()
    fractions = turned.get_scaled_positions(wrap=False)
    fractions[:, :2] %= 1.0
    turned.set_scaled_positions(fractions)
    return turned
