"""Grain boundaries of cubic crystals with a coincidence-site lattice: tilt, twist and mixed ones.

Both grains are slabs of one crystal, so each is stoichiometric, neutral and non-polar, and no unit is cut; they meet
without strain because they share the coincidence lattice. What is left to choose, the shift along the boundary and the
gap, is taken so that the boundary is as dense as contacts between the grains allow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.structures.interfaces.building import InterfaceSettings, join_match
from mlip_sse.structures.interfaces.coincidence import (
    LARGEST_SIGMA,
    coincidence_match,
    coincidence_rotations,
    whole_indices,
)
from mlip_sse.structures.interfaces.contacts import contact_limits, densest_shift, narrowest_gap
from mlip_sse.structures.interfaces.cutting import Slab, SlabSettings, slabs
from mlip_sse.structures.interfaces.interface import Interface
from mlip_sse.structures.interfaces.lattice_planes import Miller, check_crystal, orient
from mlip_sse.structures.interfaces.matching import LatticeMatch

__all__ = ["GrainBoundary", "GrainBoundarySettings", "grain_boundaries"]

_SAME_LENGTHS = 1e-3
"""Relative difference up to which a cell is cubic."""

_RIGHT_ANGLE_DEG = 0.05
"""How far an angle of it may be from 90°."""

_MOST_LAYERS = 100
"""Repeats among which one is sought that lies straight above the first."""


@dataclass(frozen=True)
class GrainBoundarySettings:
    """Which grain boundary.

    Parameters
    ----------
    plane
        Boundary plane h, k, l in the lower grain.
    axis
        Rotation axis u, v, w that takes the lower grain into the upper one.
    sigma
        Of the coincidence lattice. Several angles about the axis may give it: the one that makes both sides planes of
        one kind is taken, else the smallest.
    min_thickness
        Å of each grain.
    gap_a
        Å between the grains. None takes the narrowest that keeps the contacts.
    shift
        Fractions of the boundary cell that the upper grain is moved by. None tries a grid and takes the densest.
    n_shifts
        Points of that grid along each side; it is refined around its best points.
    min_contact
        Atoms of different grains may come as close as this part of the shortest distance between units of these
        elements in the crystal.
    min_width
        Å, least distance between opposite sides of the boundary cell.
    max_atoms
        More are refused.
    vacuum
        Å above the upper grain, one boundary. None for a periodic cell with two.
    max_boundaries
        How many pairs of terminations to return at most, the densest first.
    oxidation_states
        Formal charges in e, where the usual ones do not hold.
    """

    plane: Sequence[int] = (2, 1, 0)
    axis: Sequence[int] = (0, 0, 1)
    sigma: int = 5
    min_thickness: float = 10.0
    gap_a: float | None = None
    shift: tuple[float, float] | None = None
    n_shifts: int = 8
    min_contact: float = 0.9
    min_width: float = 0.0
    max_atoms: int = 2000
    vacuum: float | None = None
    max_boundaries: int = 5
    oxidation_states: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        for name in ("plane", "axis"):
            indices = getattr(self, name)
            if len(indices) != 3 or not any(indices) or any(index != int(index) for index in indices):
                raise InputError(f"grain boundary: {name} is {indices}, expected three whole numbers, not all zero")
        if not 1 <= self.sigma <= LARGEST_SIGMA or self.sigma % 2 == 0:
            raise InputError(
                f"grain boundary: sigma is {self.sigma}, expected an odd number up to {LARGEST_SIGMA}: cubic "
                "coincidence lattices have no even ones"
            )
        if not 0 < self.min_contact <= 1:
            raise InputError(f"grain boundary: min_contact is {self.min_contact}, expected above 0, at most 1")
        for name in ("n_shifts", "max_boundaries", "max_atoms"):
            if getattr(self, name) < 1:
                raise InputError(f"grain boundary: {name} is {getattr(self, name)}, expected at least 1")


@dataclass(frozen=True)
class GrainBoundary:
    """Two grains of one crystal.

    Parameters
    ----------
    interface
        Lower grain as a, upper grain as b; unstrained.
    sigma
        Volume of the coincidence cell over that of the crystal's primitive cell.
    axis, angle_deg
        Rotation from the lower to the upper grain.
    plane, plane_b
        The boundary plane in the lower and in the upper grain.
    kind
        Symmetric tilt, asymmetric tilt, twist, mixed, or single crystal.
    excess_volume_a
        Å³ per Å² of boundary beyond the volume of the crystal.
    shift
        Fractions of the boundary cell that the upper grain is moved by.
    """

    interface: Interface
    sigma: int
    axis: Miller
    angle_deg: float
    plane: Miller
    plane_b: Miller
    kind: str
    excess_volume_a: float
    shift: tuple[float, float]

    @property
    def atoms(self) -> Atoms:
        """All atoms."""
        return self.interface.atoms

    def to_dict(self) -> dict[str, Any]:
        """Return what the boundary is, without the atoms."""
        return {
            "sigma": self.sigma,
            "axis": list(self.axis),
            "angle_deg": self.angle_deg,
            "plane": list(self.plane),
            "plane_b": list(self.plane_b),
            "kind": self.kind,
            "excess_volume_a": self.excess_volume_a,
            "shift": list(self.shift),
            **self.interface.to_dict(),
        }

    def summary(self) -> str:
        """Return a few lines to read."""
        names = [" ".join(map(str, indices)) for indices in (self.plane, self.plane_b, self.axis)]
        return (
            f"Sigma {self.sigma} {self.kind}, ({names[0]}) on ({names[1]}), {self.angle_deg:.2f}° about [{names[2]}], "
            f"excess volume {self.excess_volume_a:.2f} Å, closest contact {self.interface.closest_contact:.2f} Å\n"
            f"{self.interface.summary()}"
        )


def grain_boundaries(crystal: Atoms, settings: GrainBoundarySettings | None = None) -> tuple[GrainBoundary, ...]:
    """Return the boundaries between all pairs of terminations, the densest first.

    Parameters
    ----------
    crystal
        Ordered, in its conventional cubic cell.
    settings
        Plane, axis, sigma.

    Raises
    ------
    InputError
        When the cell is not cubic, no such rotation exists, the plane is polar, atoms of the grains overlap, or there
        are too many.
    """
    settings = settings or GrainBoundarySettings()
    check_crystal(crystal, "grain boundary")
    lengths, angles = crystal.cell.lengths(), crystal.cell.angles()
    if np.ptp(lengths) > _SAME_LENGTHS * lengths[0] or np.abs(angles - 90).max() > _RIGHT_ANGLE_DEG:
        raise InputError(
            f"grain boundary: found a cell of {', '.join(f'{value:.3f}' for value in (*lengths, *angles))}, expected "
            "the conventional cell of a cubic crystal: a = b = c and right angles"
        )
    plane = whole_indices(settings.plane)
    whole, angle, plane_b = _chosen_rotation(settings, plane)
    lower, upper = _grain(crystal, plane, settings), _grain(crystal, plane_b, settings)
    match = coincidence_match(lower[0], upper[0], whole / settings.sigma, settings.min_width, settings.max_atoms)
    limits = contact_limits(crystal, settings.min_contact)
    found = []
    for one in lower:
        for other in upper:
            interface, shift = _joined(match, one, other, limits, settings)
            found.append(
                GrainBoundary(
                    interface=interface,
                    sigma=settings.sigma,
                    axis=whole_indices(settings.axis),
                    angle_deg=float(np.degrees(angle)),
                    plane=plane,
                    plane_b=plane_b,
                    kind=_kind(plane, plane_b, settings.axis, settings.sigma),
                    excess_volume_a=_excess(interface, one, other),
                    shift=shift,
                )
            )
    found.sort(key=lambda boundary: round(boundary.excess_volume_a, 4))
    return tuple(found[: settings.max_boundaries])


def _chosen_rotation(settings: GrainBoundarySettings, plane: Miller) -> tuple[NDArray[np.int64], float, Miller]:
    """Return the rotation that makes both planes alike, else the smallest, and the upper grain's plane."""
    ways = []
    for whole, angle in coincidence_rotations(settings.axis, settings.sigma):
        plane_b = whole_indices((whole.T @ np.array(plane)).tolist())
        ways.append((not _are_alike(plane, plane_b), angle, whole, plane_b))
    _, angle, whole, plane_b = min(ways, key=lambda way: way[:2])
    return whole, angle, plane_b


def _grain(crystal: Atoms, plane: Miller, settings: GrainBoundarySettings) -> tuple[Slab, ...]:
    """Return the slabs of a grain, so thick that its top repeats its bottom if twice the atoms do for that."""
    oriented = orient(crystal, plane)
    step = oriented.atoms.cell.array[2, :2] @ np.linalg.inv(oriented.plane)
    straight = (n for n in range(1, _MOST_LAYERS) if np.abs(n * step - np.rint(n * step)).max() < 1e-4)
    period = next(straight, 1) * oriented.spacing
    closed = np.ceil(settings.min_thickness / period - 1e-6) * period
    cutting = SlabSettings(
        min_thickness=closed if closed <= 2 * settings.min_thickness else settings.min_thickness,
        max_atoms=settings.max_atoms,
        max_slabs=settings.max_boundaries,
        oxidation_states=settings.oxidation_states,
    )
    return slabs(crystal, plane, cutting)


def _joined(
    match: LatticeMatch,
    one: Slab,
    other: Slab,
    limits: Mapping[tuple[str, str], float],
    settings: GrainBoundarySettings,
) -> tuple[Interface, tuple[float, float]]:
    """Join two grains at the given shift and gap, or at the densest of the grid."""
    building = InterfaceSettings(max_atoms=settings.max_atoms, vacuum=settings.vacuum, min_width=0.0)
    interface = join_match(match, one, other, building)
    sides = interface.slab_a, interface.slab_b
    is_periodic = settings.vacuum is None
    if settings.shift is None:
        shift, narrowest = densest_shift(*sides, limits, is_periodic, settings.n_shifts)
    else:
        shift, narrowest = settings.shift, narrowest_gap(*sides, settings.shift, limits, is_periodic)
    lost = one.thickness + other.thickness - sum(interface.thicknesses)
    # No denser than the crystal: grains that fit perfectly are to give the crystal back.
    gap = max(narrowest, lost / 2)
    if settings.gap_a is not None:
        if settings.gap_a < narrowest - 1e-6:
            raise InputError(
                f"grain boundary: a gap of {settings.gap_a:g} Å brings atoms of both grains closer than "
                f"{settings.min_contact:g} of their distance in the crystal, expected at least {narrowest:.2f} Å: "
                "widen the gap, change the shift, or lower min_contact"
            )
        gap = settings.gap_a
    return interface.with_gap(gap, shift), shift


def _excess(interface: Interface, one: Slab, other: Slab) -> float:
    """Return (height of the cell - height of the crystal) per boundary, in Å; vacuum does not count."""
    gaps = interface.gap_a * 2  # with vacuum, the free faces are given the same gap, as in the crystal they would have
    lost = one.thickness + other.thickness - sum(interface.thicknesses)
    return (gaps - lost) / 2


def _kind(plane: Miller, plane_b: Miller, axis: Sequence[int], sigma: int) -> str:
    if sigma == 1:
        return "single crystal"
    cosine = abs(np.dot(plane, axis)) / float(np.linalg.norm(plane) * np.linalg.norm(axis))
    if cosine > 1 - 1e-9:
        return "twist"
    if cosine > 1e-9:
        return "mixed"
    return "symmetric tilt" if _are_alike(plane, plane_b) else "asymmetric tilt"


def _are_alike(plane: Miller, plane_b: Miller) -> bool:
    """Whether the full cubic group maps one plane on the other."""
    return sorted(map(abs, plane)) == sorted(map(abs, plane_b))
