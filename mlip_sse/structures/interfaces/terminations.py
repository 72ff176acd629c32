"""Where a crystal can be cut along a plane: every non-polar, stoichiometric way, each once.

A slab of n repeats is told by a whole number for each unit of the repeat: the lowest repeat in which the unit is part
of the slab. All such slabs hold n repeats, so they are stoichiometric and neutral by construction; what may be wrong
with them is their dipole. A plain cut takes whole layers. Where a plain cut is polar, part of the lowest layer may go
to the top of the slab: half of the lithium of a face, say, so that both faces share it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from math import comb

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.structures.symmetry import symmetry_operations

__all__ = ["Cut", "Repeat", "distinct_cuts", "layers_of", "possible_cuts"]

_MAX_SHARES = 300
"""How many ways to share one layer are looked at."""


@dataclass(frozen=True)
class Repeat:
    """The repeat of an oriented crystal, as units at heights.

    Parameters
    ----------
    atoms
        The repeat: two cell vectors in the plane.
    labels : (n_atoms,)
        The unit of each atom.
    heights : (n_atoms,)
        Height of each atom in repeats, units whole.
    centres : (n_units,)
        Height of each unit, 0 to 1.
    charges : (n_atoms,) e
        Formal charges.
    """

    atoms: Atoms
    labels: NDArray[np.int64]
    heights: NDArray[np.float64]
    centres: NDArray[np.float64]
    charges: NDArray[np.float64]

    @property
    def unit_charges(self) -> NDArray[np.float64]:
        """(n_units,) e."""
        return np.asarray(np.bincount(self.labels, self.charges, len(self.centres)))

    @property
    def spacing(self) -> float:
        """Å along the normal."""
        return float(self.atoms.cell.array[2, 2])

    @property
    def area(self) -> float:
        """Å²."""
        return float(np.linalg.det(self.atoms.cell.array[:2, :2]))

    def polarization(self, starts: NDArray[np.int64]) -> float:
        """Return the dipole of a slab over its volume in e/Å²: the charge that either face would need to be non-polar.

        P = Σ qᵢ zᵢ / (A d) of one repeat; it does not depend on the thickness.
        """
        return float(self.charges @ (self.heights + starts[self.labels])) / self.area

    def unit_name(self, unit: int) -> str:
        """Return the formula of a unit."""
        return str(self.atoms[self.labels == unit].get_chemical_formula("metal"))


@dataclass(frozen=True)
class Cut:
    """One way to begin a slab.

    Parameters
    ----------
    starts : (n_units,)
        The lowest repeat in which each unit is part of the slab.
    lowest, highest
        Units of the layers that the plain cut goes between: the first of the slab, and the last.
    moved
        Units of the lowest layer that are at the top instead.
    gap
        Å between the two layers.
    polarization
        e/Å², what is left.
    is_symmetric
        Whether symmetry maps one face on the other.
    """

    starts: NDArray[np.int64]
    lowest: tuple[int, ...]
    highest: tuple[int, ...]
    moved: tuple[int, ...]
    gap: float
    polarization: float
    is_symmetric: bool = False


def layers_of(centres: NDArray[np.float64], spacing: float, tolerance: float) -> list[NDArray[np.int64]]:
    """Return the units of each layer, upwards and around: those within ``tolerance`` Å of the next are one layer."""
    order = np.argsort(centres, kind="stable")
    steps = np.diff(centres[order], append=centres[order[0]] + 1.0) * spacing
    ends = np.flatnonzero(steps > tolerance)
    if not len(ends):
        ends = np.array([int(np.argmax(steps))])
    start = int(ends[-1]) + 1 - len(order)  # the layer that goes around the end of the repeat is the first
    layers = []
    for end in ends.tolist():
        layers.append(order[np.arange(start, end + 1) % len(order)])
        start = end + 1
    return layers


def possible_cuts(repeat: Repeat, tolerance: float, share_layers: bool, max_polarization: float) -> Iterator[Cut]:
    """Yield all plain cuts, also polar ones, and the ways to share a layer that mend them.

    Parameters
    ----------
    repeat
        The oriented crystal.
    tolerance
        Å within which units are of one layer.
    share_layers
        Whether part of the lowest layer may go to the top where the plain cut is polar.
    max_polarization
        e/Å² up to which a cut counts as non-polar.
    """
    layers = layers_of(repeat.centres, repeat.spacing, tolerance)
    for index, layer in enumerate(layers):
        below = layers[index - 1]
        bottom = float(repeat.centres[layer[0]])
        starts = np.where(repeat.centres >= bottom, 0, 1).astype(np.int64)
        gap = ((bottom - float(repeat.centres[below[-1]])) % 1.0 or 1.0) * repeat.spacing
        plain = Cut(starts, tuple(layer.tolist()), tuple(below.tolist()), (), gap, repeat.polarization(starts))
        yield plain
        if share_layers and abs(plain.polarization) > max_polarization:
            yield from _shared(repeat, plain, max_polarization)


def distinct_cuts(repeat: Repeat, cuts: list[Cut], tolerance: float) -> list[Cut]:
    """Return the first of all cuts that symmetry makes equal, upside down included, symmetric ones marked."""
    operations = list(_plane_operations(repeat, tolerance))
    seen: set[tuple[int, ...]] = set()
    kept = []
    for cut in cuts:
        own = _normal(cut.starts)
        if own in seen:
            continue
        is_symmetric = False
        for flips, images, shifts in operations:
            moved = np.empty_like(cut.starts)
            # Upside down, the repeat that was the highest of the slab (start + n - 1) becomes the lowest.
            moved[images] = (-cut.starts if flips else cut.starts) + shifts
            state = _normal(moved)
            seen.add(state)
            is_symmetric |= flips and state == own
        kept.append(Cut(cut.starts, cut.lowest, cut.highest, cut.moved, cut.gap, cut.polarization, is_symmetric))
    return kept


def _shared(repeat: Repeat, plain: Cut, max_polarization: float) -> Iterator[Cut]:
    """Yield the cuts that put like units of the lowest layer on top, as many as cancel the dipole, spread widely."""
    wanted = -plain.polarization * repeat.area  # a unit moved from bottom to top adds its charge times the thickness
    kinds: dict[tuple[str, float], list[int]] = {}
    for unit in plain.lowest:
        charge = round(float(repeat.unit_charges[unit]), 6)
        if charge * wanted > 0:
            kinds.setdefault((repeat.unit_name(unit), charge), []).append(unit)
    for (_, charge), units in kinds.items():
        number = round(wanted / charge)
        if not 0 < number < len(plain.lowest) or number > len(units):
            continue
        if abs(wanted - number * charge) > max_polarization * repeat.area:
            continue
        choices = list(islice(combinations(units, number), min(_MAX_SHARES, comb(len(units), number))))
        for chosen in sorted(choices, key=lambda choice: _crowding(repeat, choice)):
            starts = plain.starts.copy()
            starts[list(chosen)] += 1
            yield Cut(starts, plain.lowest, plain.highest, tuple(chosen), plain.gap, repeat.polarization(starts))


def _crowding(repeat: Repeat, units: tuple[int, ...]) -> float:
    """Return Σ 1/r² over pairs of units in the plane, images included: the lowest is the most even share."""
    scaled = repeat.atoms.get_scaled_positions()[:, :2]
    places = np.array([scaled[repeat.labels == unit][0] for unit in units])
    cells = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    steps = (places[:, None, None] - places[None, :, None] + cells) @ repeat.atoms.cell.array[:2, :2]
    squares = np.sum(steps**2, axis=-1)
    return float(np.round(np.sum(1 / squares[squares > 1e-6]), 6))


def _plane_operations(repeat: Repeat, tolerance: float) -> Iterator[tuple[bool, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield each operation that keeps the plane: whether it flips it, each unit's image, the repeats it rises by."""
    scaled = repeat.atoms.get_scaled_positions()
    cell = np.asarray(repeat.atoms.cell.array)
    numbers = repeat.atoms.numbers
    n_units = len(repeat.centres)
    members = np.array([int(np.flatnonzero(repeat.labels == unit)[0]) for unit in range(n_units)])
    # Where the whole unit is, in repeats above the place of its first atom in the cell.
    lifts = np.rint(repeat.heights - scaled[:, 2]).astype(np.int64)
    for rotation, translation in zip(*symmetry_operations(cell, scaled, numbers.tolist(), tolerance), strict=True):
        if rotation[2, 0] or rotation[2, 1]:
            continue
        moved = scaled[members] @ rotation.T + translation
        steps = moved[:, None, :] - scaled[None, :, :]
        whole = np.rint(steps)
        distances = np.linalg.norm((steps - whole) @ cell, axis=2)
        distances[numbers[members][:, None] != numbers[None, :]] = np.inf
        targets = distances.argmin(axis=1)
        rises = whole[np.arange(n_units), targets, 2].astype(np.int64)
        flips = rotation[2, 2] < 0
        # A unit whose first atom is lifted by l lies l lower for the same start; the image likewise.
        own = lifts[members]
        yield bool(flips), repeat.labels[targets], rises + (-own if flips else own) - lifts[targets]


def _normal(starts: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple((starts - starts.min()).tolist())
