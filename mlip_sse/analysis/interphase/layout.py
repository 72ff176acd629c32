"""Where the electrolyte lies in an interface cell, how many interfaces it has, and what moves with its intact part.

In the first look the electrode is what only an electrode holds: metal of the mobile species, and ligands bound to each
other (S₈). The two cuts that leave the fewest atoms on the wrong side are the interfaces; a cut through a gap wider
than 6 Å is vacuum.

How many units the intact electrolyte has in one Å is the slope of their cumulative count along the normal, by least
squares over all of them. It knows nothing of where the electrolyte ends: in 48 slabs of four thiophosphates, cut 12 to
30 Å thick, it is within 2 % of the crystal's in 37 and within 7 % in 46 (13 % at worst, a slab of 12 units), where the
number over the distance of the ends is 2 to 29 % too low, gaps and ragged terminations being counted in.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.interphase.environments import Environments
from mlip_sse.analysis.interphase.planes import VACUUM_A, height_of, side_ends
from mlip_sse.errors import InputError

__all__ = ["Layout", "find_layout", "slab_drift"]

_FEWEST_ELECTRODE_ATOMS = 4
_MOST_MISPLACED = 0.2
_SURFACE_GAP_A = 3.0
_ONE_LAYER_A = 2.5


@dataclass(frozen=True, eq=False)
class Layout:
    """The layers of the first look.

    Parameters
    ----------
    middle
        Fractional coordinate along c of the middle of the electrolyte.
    span
        Å from end to end of the electrolyte, halves of the gaps included.
    area
        Å² in the plane.
    interfaces : which ends are interfaces, of ``lower`` and ``upper``; none where there is no electrode
    centres : (n_centres,) atoms that are centres of units of the electrolyte
    upper : (n_centres,) whether they lie above its middle
    units_by_length
        Units of the intact electrolyte in one Å of thickness: density times area.
    """

    middle: float
    span: float
    area: float
    interfaces: tuple[str, ...]
    centres: NDArray[np.intp]
    upper: NDArray[np.bool_]
    units_by_length: float

    @property
    def thickness(self) -> float:
        """Thickness in Å that the units have in the intact electrolyte."""
        return len(self.centres) / self.units_by_length

    def of_interface(self, name: str) -> NDArray[np.bool_]:
        """Return which centres count for an interface: all for a single one, the nearer half of two."""
        if len(self.interfaces) == 1:
            return np.ones(len(self.centres), dtype=bool)
        return self.upper if name == "upper" else ~self.upper


def find_layout(
    environments: Environments,
    classes: NDArray[np.integer],
    positions: NDArray[np.floating],
    cell: NDArray[np.floating],
    electrolyte: tuple[float, float] | None = None,
    electrode: tuple[str, ...] = (),
    unit_density: float | None = None,
) -> Layout:
    """Find the layers.

    Parameters
    ----------
    environments
        The rules.
    classes : (n_atoms,) of the first look
    positions : (n_atoms, 3) Å
    cell : (3, 3) Å
    electrolyte
        Fractional coordinates between which it lies, where they are known; [0.7, 1.3] reaches across the border.
    electrode
        Further elements that only the electrode holds.
    unit_density
        Units by Å³ of the intact electrolyte, where better known than from the slab.

    Raises
    ------
    InputError
        When no centre of a unit is in the electrolyte.
    """
    box = np.asarray(cell, dtype=np.float64)
    height, area = height_of(box), float(np.linalg.norm(np.cross(box[0], box[1])))
    z = (np.asarray(positions, dtype=np.float64) @ np.linalg.inv(box))[:, 2]
    if electrolyte is None:
        outside = np.isin(classes, environments.electrode) | np.isin(environments.species, electrode)
    else:
        low, high = electrolyte
        outside = (z - low) % 1.0 > high - low
    interfaces: tuple[str, ...] = ()
    middle, span = 0.5, height
    if _FEWEST_ELECTRODE_ATOMS <= outside.sum() < len(z):
        ends = side_ends(positions, box, ~outside)
        if ends.misplaced <= _MOST_MISPLACED:
            joined = [gap <= VACUUM_A for gap in ends.gaps_a]
            interfaces = tuple(name for name, here in zip(("lower", "upper"), joined, strict=True) if here)
            # a free surface has half the gap that an interface has
            halves = [
                0.5 * gap if here else 0.5 * min(*ends.gaps_a, _SURFACE_GAP_A)
                for gap, here in zip(ends.gaps_a, joined, strict=True)
            ]
            span = (ends.atoms[1] - ends.atoms[0]) % 1.0 * height + sum(halves)
            middle = (ends.atoms[0] + (0.5 * span - halves[0]) / height) % 1.0
    centres = environments.centres
    from_middle = z[centres] - middle
    from_middle -= np.rint(from_middle)
    inside = np.abs(from_middle) * height <= 0.5 * span + 1e-9
    if not inside.any():
        raise InputError(
            "no centre of a unit lies in the electrolyte: say where it is, electrolyte: [low, high], in fractions of c"
        )
    places = from_middle[inside]
    if unit_density is not None:
        units_by_length = unit_density * area
    elif interfaces:
        units_by_length = _units_by_length(places * height, span)
    else:
        units_by_length = len(places) / height
    return Layout(middle, span, area, interfaces, centres[inside], places >= 0, units_by_length)


def _units_by_length(z: NDArray[np.float64], span: float) -> float:
    """Return the slope of the cumulative count, or the number over the span where all units are in one layer."""
    z = np.sort(z)
    if z[-1] - z[0] < _ONE_LAYER_A:
        return len(z) / span
    ranks = np.arange(len(z)) - 0.5 * (len(z) - 1)
    return float(ranks @ z / np.sum((z - z.mean()) ** 2))


def slab_drift(fractions: NDArray[np.floating], held: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return how far some atoms together have moved along c since the first look.

    Parameters
    ----------
    fractions : (n_looks, n_atoms) along c, unwrapped
    held
        Atoms of the intact part.

    Returns
    -------
    (n_looks,) fractions of c
    """
    means = np.asarray(fractions, dtype=np.float64)[:, held].mean(axis=1)
    return np.asarray(means - means[0])
