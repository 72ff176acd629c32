"""The operation that maps a hop on its own way back: half a band says all, the other half is its mirror image.

An operation (R, t) with a permutation p takes atom i of one image to atom p(i) of the mirrored one,
x'_p(i) = R x_i + s_i, and forces F'_p(i) = R F_i. Done twice it is the identity.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.geometry import find_mic
from numpy.typing import NDArray

from mlip_sse.structures.symmetry import symmetry_operations

__all__ = ["ImageForces", "Mirror", "MirroredForces", "find_mirror"]


@dataclass(frozen=True, eq=False)
class Mirror:
    """An operation that exchanges the two ends of a hop.

    Parameters
    ----------
    rotation : (3, 3), Cartesian
    permutation : (n_atoms,), where each atom goes
    shifts : (n_atoms, 3) Å
    """

    rotation: NDArray[np.float64]
    permutation: NDArray[np.int64]
    shifts: NDArray[np.float64]

    def positions(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mirror image of positions (n_atoms, 3) in Å, unwrapped."""
        moved = np.empty_like(positions)
        moved[self.permutation] = positions @ self.rotation.T + self.shifts
        return moved

    def forces(self, forces: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return forces (n_atoms, 3) on the mirror image."""
        moved = np.empty_like(forces)
        moved[self.permutation] = forces @ self.rotation.T
        return moved

    def symmetrised(self, path: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the band (n_images, n_atoms, 3) that is its own mirror image and the nearest to a band."""
        return np.array([0.5 * (one + self.positions(other)) for one, other in zip(path, path[::-1], strict=True)])


class ImageForces(Calculator):  # type: ignore[misc]
    """Energy and forces of one image by a calculator that all images share, kept until the image moves."""

    implemented_properties = ("energy", "forces")

    def __init__(self, shared: Any) -> None:
        super().__init__()
        self.shared = shared

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Any = ("energy",),
        system_changes: Any = all_changes,
    ) -> None:
        """Ask the shared calculator."""
        super().calculate(atoms, properties, system_changes)
        asked = self.atoms.copy()
        asked.calc = self.shared
        self.results = {"energy": float(asked.get_potential_energy()), "forces": np.array(asked.get_forces())}


class MirroredForces(Calculator):  # type: ignore[misc]
    """Energy and forces of an image from those of its mirror image."""

    implemented_properties = ("energy", "forces")

    def __init__(self, source: Atoms, mirror: Mirror) -> None:
        super().__init__()
        self.source, self.mirror = source, mirror

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Any = ("energy",),
        system_changes: Any = all_changes,
    ) -> None:
        """Ask the mirror image."""
        super().calculate(atoms, properties, system_changes)
        self.results = {
            "energy": float(self.source.get_potential_energy()),
            "forces": self.mirror.forces(np.asarray(self.source.get_forces())),
        }


def find_mirror(initial: Atoms, final: Atoms, tolerance: float = 1e-2) -> Mirror | None:
    """Return an operation that exchanges two ends, or None where there is none.

    Parameters
    ----------
    initial, final
        The ends, atoms in the same order, no atom further from itself than half the cell.
    tolerance
        Å within which positions count as equal.
    """
    middle = initial.copy()
    step = find_mic(final.positions - initial.positions, initial.cell, initial.pbc)[0]
    middle.positions = initial.positions + 0.5 * step
    cell = np.asarray(initial.cell.array)
    kinds = [int(number) for number in initial.numbers]
    scaled = middle.get_scaled_positions(wrap=False)
    starts = initial.positions
    ends = initial.positions + step
    far = int(np.argmax(np.linalg.norm(step, axis=1)))
    inverse = np.linalg.inv(cell)
    # What exchanges the ends leaves the structure half way between them as it is.
    operations = zip(*symmetry_operations(cell, scaled, kinds, tolerance), strict=True)
    found = []
    for rotation, translation in operations:
        turn = (inverse @ rotation.T @ cell).T
        if not np.allclose(turn @ turn, np.eye(3), atol=1e-6):
            continue
        shift = translation @ cell
        moved = starts @ turn.T + shift
        if np.linalg.norm(find_mic(moved[far] - ends, cell, True)[1].min()) > tolerance:
            continue
        mirror = _matched(turn, shift, starts, ends, cell, initial.numbers, tolerance)
        if mirror is not None:
            found.append((float(np.trace(turn)), mirror))
    # Of several, a mirror plane rather than a twofold axis, and that rather than the inversion: a path that bows aside
    # does so within the plane, or along the axis.
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _matched(
    turn: NDArray[np.float64],
    shift: NDArray[np.float64],
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    cell: NDArray[np.float64],
    numbers: NDArray[np.int64],
    tolerance: float,
) -> Mirror | None:
    """Return the operation with its permutation, where it takes each start to an end and each end to a start."""
    moved = starts @ turn.T + shift
    apart = ends[None, :, :] - moved[:, None, :]
    scaled = apart.reshape(-1, 3) @ np.linalg.inv(cell)
    lattice = np.rint(scaled).reshape(apart.shape)
    distance = np.linalg.norm((scaled.reshape(apart.shape) - lattice) @ cell, axis=2)
    distance[numbers[:, None] != numbers[None, :]] = np.inf
    permutation = distance.argmin(axis=1)
    rows = np.arange(len(starts))
    if distance[rows, permutation].max() > tolerance or (permutation[permutation] != rows).any():
        return None
    shifts = shift + lattice[rows, permutation] @ cell
    back = -shifts[permutation] @ turn.T  # what the shifts are if the operation is its own inverse
    if np.abs(shifts - back).max() > 2 * tolerance:
        return None
    mirror = Mirror(turn, permutation, 0.5 * (shifts + back))
    return mirror if np.abs(mirror.positions(ends) - starts).max() < 2 * tolerance else None
