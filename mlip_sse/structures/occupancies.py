"""From fractions to whole atoms: how many of each element go on a group of sites, and in which cell that is exact."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.structures.partial import DisorderedStructure

__all__ = ["WholeCounts", "smallest_cells", "whole_counts"]

_SUGGESTED_UP_TO = 48


@dataclass(frozen=True)
class WholeCounts:
    """Whole numbers of atoms on each group of sites.

    Parameters
    ----------
    n_cells
        How many cells of the disordered structure they are for.
    counts
        Of each group: element to number of atoms; what is missing to the size of the group is vacant.
    deviation
        The largest difference between an occupancy so made and the one asked for.
    """

    n_cells: int
    counts: tuple[Mapping[str, int], ...]
    deviation: float


def whole_counts(structure: DisorderedStructure, n_cells: int, tolerance: float) -> WholeCounts | None:
    """Return the neutral whole counts nearest to the occupancies, or None where none is within the tolerance.

    Parameters
    ----------
    structure
        The disordered structure.
    n_cells
        Number of its cells in the supercell.
    tolerance
        How far an occupancy may be off.

    Raises
    ------
    InputError
        When an element has no oxidation state.
    """
    sizes = np.bincount(structure.groups, minlength=len(structure.labels)) * n_cells
    options = [
        list(_options(int(size), occupancy, tolerance))
        for size, occupancy in zip(sizes, structure.occupancies, strict=True)
    ]
    if not all(options):
        return None
    best: dict[float, tuple[float, float, tuple[Mapping[str, int], ...]]] = {0.0: (0.0, 0.0, ())}
    for (
        choices
    ) in options:  # of all ways that give one charge so far, only the nearest can be part of the nearest in the end
        extended: dict[float, tuple[float, float, tuple[Mapping[str, int], ...]]] = {}
        for (charge, (squared, worst, before)), (counts, square, misfit) in product(best.items(), choices):
            total = round(charge + sum(structure.charge_of(element) * n for element, n in counts.items()), 6)
            if total not in extended or squared + square < extended[total][0] - 1e-12:
                extended[total] = (squared + square, max(worst, misfit), (*before, counts))
        best = extended
    neutral = best.get(0.0)
    return None if neutral is None else WholeCounts(n_cells, neutral[2], neutral[1])


def smallest_cells(structure: DisorderedStructure, max_cells: int, tolerance: float) -> WholeCounts:
    """Return the whole counts of the smallest supercell that meets the occupancies.

    Raises
    ------
    InputError
        When no supercell up to ``max_cells`` does; the message names the occupancy that is furthest off, by how much,
        and the smallest supercell that would do.
    """
    for n_cells in range(1, max_cells + 1):
        found = whole_counts(structure, n_cells, tolerance)
        if found is not None:
            return found
    larger = (
        n for n in range(max_cells + 1, _SUGGESTED_UP_TO + 1) if whole_counts(structure, n, tolerance) is not None
    )
    enough = next(larger, None)
    remedy = (
        f"max_cells={enough} meets all within the tolerance"
        if enough
        else f"no supercell up to {_SUGGESTED_UP_TO} cells meets all"
    )
    raise InputError(f"disorder: {_misfit(structure, max_cells, tolerance)}: {remedy}, or raise occupancy_tolerance")


def _options(
    size: int, occupancy: Mapping[str, float], tolerance: float
) -> Iterator[tuple[dict[str, int], float, float]]:
    """Yield counts, squared and largest misfit of one group, for every rounding within the tolerance."""
    elements = list(occupancy)
    targets = np.array([occupancy[element] for element in elements]) * size
    is_full = sum(occupancy.values()) > 1 - 1e-3
    ranges = [sorted({int(np.floor(t + 1e-9)), int(np.ceil(t - 1e-9))}) for t in targets]
    for numbers in product(*ranges):
        vacant = size - sum(numbers)
        misfits: NDArray[np.float64] = np.abs(np.array(numbers) - targets) / size
        if vacant < 0 or (is_full and vacant) or float(misfits.max()) > tolerance + 1e-9:
            continue
        counts = {element: n for element, n in zip(elements, numbers, strict=True) if n}
        yield counts, float(np.sum(misfits**2) * size), float(misfits.max())


def _misfit(structure: DisorderedStructure, n_cells: int, tolerance: float) -> str:
    """Say which occupancy is furthest from a whole number of atoms in the largest cell allowed."""
    sizes = np.bincount(structure.groups, minlength=len(structure.labels)) * n_cells
    worst, sentence = tolerance, ""
    for label, size, occupancy in zip(structure.labels, sizes, structure.occupancies, strict=True):
        for element, fraction in occupancy.items():
            off = abs(round(fraction * size) - fraction * size) / size
            if off > worst + 1e-9:
                worst = off
                sentence = (
                    f"site {label} asks for {fraction:g} {element} on {size} positions, {fraction * size:.2f} atoms; "
                    f"the nearest whole number is {off:.3f} off in occupancy, expected at most {tolerance:g}"
                )
    if sentence:
        return sentence
    charge = structure.charge() * n_cells
    return f"the occupancies leave a charge of {charge:+.2f} e in {n_cells} cell(s), expected a neutral one"
