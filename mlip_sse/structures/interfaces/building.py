"""From two crystals to interfaces: cut both, match their planes, strain, join; the smallest cell first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.structures.interfaces.cutting import Slab, SlabSettings, slabs
from mlip_sse.structures.interfaces.interface import Interface, join
from mlip_sse.structures.interfaces.lattice_planes import Miller, check_crystal, low_index_planes
from mlip_sse.structures.interfaces.matching import (
    LatticeMatch,
    MatchSettings,
    StrainedSide,
    green_lagrange,
    matches,
)
from mlip_sse.structures.lineage import with_step

__all__ = ["InterfaceSettings", "build_interfaces", "join_match"]


@dataclass(frozen=True)
class InterfaceSettings:
    """How an interface is built.

    Parameters
    ----------
    miller_a, miller_b
        The planes, in the cells of the crystals. None tries all planes up to index 1 that symmetry makes different,
        and leaves out the polar ones.
    thickness_a, thickness_b
        Å, least thickness of each side.
    max_strain
        Largest change of any length in the plane: 0.05 is 5 %.
    max_area
        Å² of the interface.
    max_atoms
        Atoms of both sides.
    min_width
        Å, least distance between opposite sides of the cell in the plane: twice the cutoff of a potential keeps an atom
        from meeting a neighbour twice.
    gap_a
        Å between the highest atom of one side and the lowest of the other.
    strained
        Which side is strained: a, b, or both, half each. Strain belongs in the softer one.
    vacuum
        Å above b, one interface. None for a periodic cell with two.
    shift
        Fractions of the interface cell that b is moved along the plane.
    max_interfaces
        How many to return at most.
    max_slabs
        How many terminations of each plane to try.
    slab_vacuum
        Å of vacuum in the separate slabs.
    keep_units, share_layers, max_polarization
        As in `SlabSettings`.
    oxidation_states_a, oxidation_states_b
        Formal charges in e, where the usual ones do not hold.
    """

    miller_a: Sequence[int] | None = None
    miller_b: Sequence[int] | None = None
    thickness_a: float = 10.0
    thickness_b: float = 10.0
    max_strain: float = 0.05
    max_area: float = 300.0
    max_atoms: int = 1000
    min_width: float = 9.0
    gap_a: float = 2.5
    strained: StrainedSide = "b"
    vacuum: float | None = None
    shift: tuple[float, float] = (0.0, 0.0)
    max_interfaces: int = 5
    max_slabs: int = 3
    slab_vacuum: float = 15.0
    keep_units: bool = True
    share_layers: bool = True
    max_polarization: float = 1e-3
    oxidation_states_a: Mapping[str, float] | None = None
    oxidation_states_b: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if self.max_interfaces < 1:
            raise InputError(f"interface settings: max_interfaces is {self.max_interfaces}, expected at least 1")
        if not 0 < self.gap_a < 20:
            raise InputError(f"interface settings: gap_a is {self.gap_a} Å, expected above 0, below 20")
        if self.vacuum is not None and not 0 < self.vacuum < 1e3:
            raise InputError(
                f"interface settings: vacuum is {self.vacuum} Å, expected above 0, below 1000, or None for two "
                "interfaces"
            )
        self.matching()
        self.cutting("a")
        self.cutting("b")

    def matching(self) -> MatchSettings:
        """Return what a match may cost."""
        return MatchSettings(
            max_area=self.max_area,
            max_strain=self.max_strain,
            max_atoms=self.max_atoms,
            strained=self.strained,
            min_width=self.min_width,
            max_matches=self.max_interfaces,
        )

    def cutting(self, side: str) -> SlabSettings:
        """Return how side a or b is cut."""
        return SlabSettings(
            min_thickness=self.thickness_a if side == "a" else self.thickness_b,
            vacuum=self.slab_vacuum,
            keep_units=self.keep_units,
            share_layers=self.share_layers,
            max_polarization=self.max_polarization,
            max_atoms=self.max_atoms,
            max_slabs=self.max_slabs,
            oxidation_states=self.oxidation_states_a if side == "a" else self.oxidation_states_b,
        )


def build_interfaces(a: Atoms, b: Atoms, settings: InterfaceSettings | None = None) -> tuple[Interface, ...]:
    """Return interfaces of two crystals, fewest atoms first, then least strain, then whole layers before shared ones.

    Parameters
    ----------
    a, b
        Ordered crystals, as they are at rest in the potential that will be used: what strain there is counts from them.
    settings
        Planes, limits, gap.

    Raises
    ------
    InputError
        When a crystal is not one, a plane is polar, a slab or the cell too large, or no match is within the limits.
    """
    settings = settings or InterfaceSettings()
    check_crystal(a, "side a")
    check_crystal(b, "side b")
    found: list[tuple[LatticeMatch, Slab, Slab]] = []
    refusals: list[str] = []
    faces_a = _faces(a, settings.miller_a, settings.cutting("a"))
    faces_b = _faces(b, settings.miller_b, settings.cutting("b"))
    for ones in faces_a:
        for others in faces_b:
            try:
                found_here = matches(ones[0], others[0], settings.matching())
            except InputError as error:
                refusals.append(str(error))
                continue
            # All terminations of a plane have the same lattice and the same number of atoms.
            found += [(match, *pair) for match in found_here for pair in _pairs(ones, others, settings.vacuum)]
    if not found:
        more = f" (the first of {len(refusals)} pairs of planes)" if len(refusals) > 1 else ""
        raise InputError(refusals[0] + more)
    found.sort(key=lambda item: (item[0].n_atoms, round(item[0].max_strain, 6), item[1].n_moved + item[2].n_moved))
    return tuple(join_match(match, one, other, settings) for match, one, other in found[: settings.max_interfaces])


def join_match(match: LatticeMatch, slab_a: Slab, slab_b: Slab, settings: InterfaceSettings) -> Interface:
    """Return the interface of two slabs by a match."""
    strained_a = _strained(slab_a.atoms, match.supercell_a, match.cell, settings.slab_vacuum)
    strained_b = _strained(slab_b.atoms, match.supercell_b, match.cell, settings.slab_vacuum)
    atoms = join(strained_a, strained_b, settings.gap_a, settings.vacuum, settings.shift)
    terminations = (slab_a.termination, slab_b.termination)
    strain = (green_lagrange(match.deformation_a), green_lagrange(match.deformation_b))
    atoms = with_step(
        atoms,
        "interface",
        millers=[list(slab_a.miller), list(slab_b.miller)],
        terminations=list(terminations),
        supercells=[match.supercell_a.tolist(), match.supercell_b.tolist()],
        strains=[each.tolist() for each in strain],
        gap_a=settings.gap_a,
        vacuum=settings.vacuum,
    )
    return Interface(
        atoms=atoms,
        n_interfaces=2 if settings.vacuum is None else 1,
        gap_a=settings.gap_a,
        vacuum_a=settings.vacuum or 0.0,
        strain=strain,
        max_strain=match.max_strain,
        twist_deg=match.twist_deg,
        terminations=terminations,
        millers=(slab_a.miller, slab_b.miller),
        slab_a=strained_a,
        slab_b=strained_b,
        bulk_a=_deformed(slab_a.bulk, match.deformation_a),
        bulk_b=_deformed(slab_b.bulk, match.deformation_b),
        crystal_a=slab_a.bulk.copy(),
        crystal_b=slab_b.bulk.copy(),
        n_formula_units=(
            slab_a.n_formula_units * _number(match.supercell_a),
            slab_b.n_formula_units * _number(match.supercell_b),
        ),
        n_moved=(slab_a.n_moved, slab_b.n_moved),
    )


def _faces(crystal: Atoms, miller: Sequence[int] | None, settings: SlabSettings) -> list[tuple[Slab, ...]]:
    """Return the slabs of the plane asked for, or of each simple plane that is not polar."""
    if miller is not None:
        return [slabs(crystal, miller, settings)]
    planes: list[Miller] = list(low_index_planes(crystal))
    faces, refusals = [], []
    for plane in planes:
        try:
            faces.append(slabs(crystal, plane, settings))
        except InputError as error:
            refusals.append(str(error))
    if not faces:
        raise InputError(f"{refusals[0]} (and so the other {len(planes) - 1} planes up to index 1: give the plane)")
    return faces


def _pairs(ones: tuple[Slab, ...], others: tuple[Slab, ...], vacuum: float | None) -> Iterator[tuple[Slab, Slab]]:
    """Yield the pairs of terminations; with vacuum one face of each meets, so asymmetric slabs come both ways up."""
    for one in ones:
        for other in others:
            ways_a = [one] if vacuum is None or one.is_symmetric else [one, one.flipped()]
            ways_b = [other] if vacuum is None or other.is_symmetric else [other, other.flipped()]
            yield from ((way_a, way_b) for way_a in ways_a for way_b in ways_b)


def _strained(atoms: Atoms, supercell: NDArray[np.int64], plane: NDArray[np.float64], vacuum: float) -> Atoms:
    """Repeat a slab in its plane and bring it into the common cell; heights stay as they are."""
    from ase.build import make_supercell

    matrix = np.eye(3, dtype=np.int64)
    matrix[:2, :2] = supercell
    repeated = make_supercell(atoms, matrix)
    cell = repeated.cell.array.copy()
    cell[:2] = 0.0
    cell[:2, :2] = plane
    repeated.set_cell(cell, scale_atoms=True)
    repeated.info = dict(atoms.info)
    return repeated


def _deformed(bulk: Atoms, deformation: NDArray[np.float64]) -> Atoms:
    """Strain a bulk repeat in the plane; the third direction stays as it is."""
    whole = np.eye(3)
    whole[:2, :2] = deformation
    strained = bulk.copy()
    strained.set_cell(bulk.cell.array @ whole, scale_atoms=True)
    return strained


def _number(supercell: NDArray[np.int64]) -> int:
    return round(float(np.linalg.det(supercell)))
