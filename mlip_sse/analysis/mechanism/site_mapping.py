"""Laying the unit cell of a CIF over a trajectory: which supercell it is, and how its framework is turned and shifted.

The trajectory's mean cell H and the unit cell h are of one lattice when H ≈ M · h with whole numbers M. The misfit of a
match is the largest strain |E|, E = (G⁻¹ · H)ᵀ-symmetric with G = M · h turned onto H; all matches within a tolerance
are kept, for those of a symmetric cell differ by its rotations and inversions, and the framework atoms decide among
them: the match and the rigid shift are taken that bring the file's framework nearest to the time-averaged one.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.sites import Sites, SiteTemplate
from mlip_sse.errors import InputError

__all__ = ["CellMatch", "cell_matches", "map_sites"]

_WORST = 1.5
"""Å; a framework atom farther from its place than this counts as this far: disorder shall not steer the fit."""


@dataclass(frozen=True, eq=False)
class CellMatch:
    """One way in which a unit cell makes up the trajectory's cell.

    Parameters
    ----------
    multiples : (3, 3) whole numbers M
    misfit
        Largest principal strain between M · h and the mean cell.
    """

    multiples: NDArray[np.int64]
    misfit: float


def cell_matches(
    unit: NDArray[np.float64], mean: NDArray[np.float64], tolerance: float
) -> tuple[list[CellMatch], CellMatch | None]:
    """Find all whole-number supercells of a unit cell that agree with a cell.

    Parameters
    ----------
    unit : (3, 3) Å
    mean : (3, 3) Å
    tolerance
        Largest strain.

    Returns
    -------
    matches within the tolerance, both handednesses
    the best match of all that were tried, None where not even lengths came near
    """
    rows = _rows(unit, mean, max(2.5 * tolerance, 0.15))
    found: list[CellMatch] = []
    best: CellMatch | None = None
    metric = mean @ mean.T
    volume = abs(np.linalg.det(mean)) / abs(np.linalg.det(unit))
    for chosen in itertools.product(*rows):
        multiples = np.array(chosen)
        size = abs(np.linalg.det(multiples))
        if size < 0.5 or abs(size / volume - 1) > 0.6:
            continue
        misfit = _misfit(multiples @ unit, metric)
        if best is None or misfit < best.misfit:
            best = CellMatch(multiples, misfit)
        if misfit <= tolerance:
            found.append(CellMatch(multiples, misfit))
    return found, best


def _rows(unit: NDArray[np.float64], mean: NDArray[np.float64], slack: float) -> list[NDArray[np.int64]]:
    """Return, for each vector of the mean cell, the lattice vectors of about its length."""
    lengths = np.linalg.norm(mean, axis=1)
    heights = 1.0 / np.linalg.norm(np.linalg.inv(unit), axis=0)
    reach = np.floor(lengths.max() * (1 + slack) / heights).astype(int)
    grid = np.array(list(itertools.product(*(range(-n, n + 1) for n in reach))), dtype=np.int64)
    norms = np.linalg.norm(grid @ unit, axis=1)
    rows = []
    for length in lengths:
        near = np.flatnonzero(np.abs(norms / length - 1) <= slack)
        rows.append(grid[near[np.argsort(np.abs(norms[near] - length), kind="stable")[:60]]])
    return rows


def _misfit(vectors: NDArray[np.float64], metric: NDArray[np.float64]) -> float:
    """Return the largest principal strain, sqrt of the eigenvalues of H Hᵀ against (M h)(M h)ᵀ, less one."""
    inverse = np.linalg.inv(vectors)
    stretched = np.linalg.eigvalsh(inverse @ metric @ inverse.T)
    return float(np.abs(np.sqrt(np.maximum(stretched, 0.0)) - 1).max())


def map_sites(
    template: SiteTemplate,
    mean_cell: NDArray[np.float64],
    framework: NDArray[np.float64],
    framework_species: NDArray[np.str_],
    tolerance: float = 0.05,
    largest_distance: float = 1.0,
) -> Sites:
    """Lay a unit cell over the trajectory and return its sites there.

    Parameters
    ----------
    template
        Sites and framework of the unit cell.
    mean_cell : (3, 3) Å, the trajectory's mean cell
    framework : (n_atoms, 3) time-averaged fractions of the trajectory's atoms that do not move
    framework_species : (n_atoms,)
    tolerance
        Largest strain between the cells.
    largest_distance
        Largest mean distance in Å of framework atoms from their places.

    Raises
    ------
    InputError
        When the cells are not of one lattice or the frameworks do not agree; the message carries the misfit.
    """
    matches, best = cell_matches(template.cell, mean_cell, tolerance)
    if not matches:
        raise InputError(_refusal(template, mean_cell, best, tolerance))
    if not len(template.framework):
        match = min(matches, key=lambda m: (round(m.misfit, 6), -float(np.trace(m.multiples)), -m.multiples.min()))
        fractional, labels = _supercell(template.fractional, match.multiples, template.labels)
        origin = f"{template.name}, strain {match.misfit:.2%}, origin kept"
        return Sites(fractional, labels, mean_cell, origin)
    fits = [_align(template, match, mean_cell, framework, framework_species) for match in _distinct(matches, template)]
    distance, k, shift = min((fit[0], k, fit[1]) for k, fit in enumerate(fits))
    match = _distinct(matches, template)[k]
    if distance > largest_distance:
        raise InputError(
            f"{template.name}: after the best shift its framework atoms are {distance:.2f} Å (mean) from the "
            f"trajectory's, expected at most {largest_distance:g} Å: another structure, or framework species that "
            "are mapped wrongly"
        )
    fractional, labels = _supercell(template.fractional, match.multiples, template.labels)
    origin = (
        f"{template.name}, {abs(round(float(np.linalg.det(match.multiples))))} unit cells, strain {match.misfit:.2%}, "
        f"framework {distance:.2f} Å (mean) from its places"
    )
    return Sites(fractional + shift, labels, mean_cell, origin)


def _distinct(matches: list[CellMatch], template: SiteTemplate) -> list[CellMatch]:
    """Keep the matches of least misfit up to 1 % more, simplest first."""
    least = min(match.misfit for match in matches)
    kept = [match for match in matches if match.misfit <= least + 0.01]
    return sorted(kept, key=lambda m: (-int((m.multiples > 0).sum() - (m.multiples < 0).sum()), m.multiples.tolist()))


def _supercell(
    fractional: NDArray[np.float64], multiples: NDArray[np.int64], labels: NDArray[np.str_]
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Return the unit cell's points in fractions of the supercell, all its copies."""
    inverse = np.linalg.inv(multiples)
    corners = np.array(list(itertools.product((0, 1), repeat=3))) @ multiples
    ranges = [range(int(low), int(high) + 1) for low, high in zip(corners.min(0), corners.max(0), strict=True)]
    shifts = np.array(list(itertools.product(*ranges))) @ inverse
    inside = ((shifts > -1e-9) & (shifts < 1 - 1e-9)).all(axis=1)
    copies = shifts[inside]
    points = (fractional @ inverse)[:, None, :] + copies[None]
    return points.reshape(-1, 3), np.repeat(labels, len(copies))


def _align(
    template: SiteTemplate,
    match: CellMatch,
    mean_cell: NDArray[np.float64],
    framework: NDArray[np.float64],
    species: NDArray[np.str_],
) -> tuple[float, NDArray[np.float64]]:
    """Return the mean distance of the framework from its places in Å and the shift that gives it."""
    kinds = list(dict.fromkeys(template.framework_species))
    which = np.array([str(kinds.index(kind)) for kind in template.framework_species])
    places, index = _supercell(template.framework, match.multiples, which)
    groups = []
    for k, kind in enumerate(kinds):
        atoms = framework[np.isin(species, kind)]
        if not len(atoms):
            raise InputError(
                f"{template.name}: the trajectory has no {' or '.join(kind)} for the framework, it has "
                f"{', '.join(sorted(set(species.tolist())))}: map the file's framework elements to its species"
            )
        groups.append((places[index == str(k)], atoms))
    few_places, few_atoms = min(groups, key=lambda group: len(group[1]))
    first = few_places[0]
    best, shift = np.inf, np.zeros(3)
    seen: list[NDArray[np.float64]] = []
    for candidate in few_atoms - first:
        in_unit = candidate @ match.multiples
        apart = [in_unit - other - np.rint(in_unit - other) for other in seen]
        if any(np.linalg.norm(gap @ template.cell) < 0.5 * _WORST for gap in apart):
            continue
        seen.append(in_unit)
        refined = candidate
        for _ in range(3):
            distance, move = _misplacement(groups, refined, mean_cell)
            if distance < best:
                best, shift = distance, refined
            refined = refined + move
    return best, shift


def _misplacement(
    groups: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    shift: NDArray[np.float64],
    cell: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    distances, moves = [], []
    for places, atoms in groups:
        apart = atoms[None, :, :] - (places + shift)[:, None, :]
        apart -= np.rint(apart)
        lengths = np.linalg.norm(apart @ cell, axis=2)
        nearest = lengths.argmin(axis=1)
        rows = np.arange(len(places))
        found = lengths[rows, nearest]
        distances.append(np.minimum(found, _WORST))
        moves.append(apart[rows, nearest][found < _WORST])
    gathered = np.concatenate(moves)
    move = gathered.mean(axis=0) if len(gathered) else np.zeros(3)
    return float(np.concatenate(distances).mean()), move


def _refusal(template: SiteTemplate, mean_cell: NDArray[np.float64], best: CellMatch | None, tolerance: float) -> str:
    def shown(cell: NDArray[np.float64]) -> str:
        from ase.cell import Cell

        return " ".join(f"{number:.5g}" for number in Cell(cell).cellpar())

    nearest = (
        "no whole-number supercell comes near"
        if best is None
        else f"the best supercell {best.multiples.tolist()} misfits by {best.misfit:.1%}"
    )
    return (
        f"{template.name} is of another cell: {shown(template.cell)} (Å, degrees) against the trajectory's "
        f"{shown(mean_cell)}; {nearest}, expected a strain of at most {tolerance:.0%}: take the CIF of this structure"
    )
