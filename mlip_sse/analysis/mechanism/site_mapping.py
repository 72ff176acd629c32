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

_WIDE = 0.6
"""Relative difference of lengths up to which the nearest supercell of another cell is sought."""

_TIE = 0.02
"""Å; orientations whose frameworks fit this equally well cannot be told apart."""

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
    slack = max(2.5 * tolerance, 0.12)
    triples = _triples(_rows(unit, mean, slack), unit, mean, 2 * slack)
    if not len(triples):  # for the number in the refusal
        triples = _triples(_rows(unit, mean, _WIDE), unit, mean, _WIDE)
    if not len(triples):
        return [], None
    inverse = np.linalg.inv(triples @ unit)
    stretched = np.linalg.eigvalsh(inverse @ (mean @ mean.T) @ inverse.transpose(0, 2, 1))
    misfits = np.abs(np.sqrt(np.maximum(stretched, 0.0)) - 1).max(axis=1)
    found = [CellMatch(triples[k], float(misfits[k])) for k in np.flatnonzero(misfits <= tolerance)]
    best = int(misfits.argmin())
    return found, CellMatch(triples[best], float(misfits[best]))


def _triples(
    rows: list[NDArray[np.int64]], unit: NDArray[np.float64], mean: NDArray[np.float64], slack: float
) -> NDArray[np.int64]:
    """Return the triples of lattice vectors whose angles are about those of the mean cell, (n, 3, 3)."""
    vectors = [row @ unit for row in rows]
    lengths, metric = np.linalg.norm(mean, axis=1), mean @ mean.T

    def fit(i: int, j: int) -> NDArray[np.bool_]:
        near: NDArray[np.bool_] = np.abs(vectors[i] @ vectors[j].T - metric[i, j]) <= slack * lengths[i] * lengths[j]
        return near

    ab, ac, bc = fit(0, 1), fit(0, 2), fit(1, 2)
    found = []
    for a in range(len(rows[0])):
        b, c = np.flatnonzero(ab[a]), np.flatnonzero(ac[a])
        for i, j in np.argwhere(bc[np.ix_(b, c)]):
            found.append(np.array([rows[0][a], rows[1][b[i]], rows[2][c[j]]]))
    chosen = np.array(found, dtype=np.int64).reshape(-1, 3, 3)
    kept: NDArray[np.int64] = chosen[np.abs(np.linalg.det(chosen)) > 0.5]
    return kept


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
        match = _ordered(matches)[0]
        fractional, labels = _supercell(template.fractional, match.multiples, template.labels)
        origin = f"{template.name}, strain {match.misfit:.2%}, origin kept"
        return Sites(fractional, labels, mean_cell, origin)
    ordered = _ordered(matches)
    fits = [_align(template, match, mean_cell, framework, framework_species) for match in ordered]
    least = min(distance for distance, _ in fits)
    if least > largest_distance:
        raise InputError(
            f"{template.name}: after the best shift its framework atoms are {least:.2f} Å (mean) from the "
            f"trajectory's, expected at most {largest_distance:g} Å: another structure, or framework species that "
            "are mapped wrongly"
        )
    equal = [k for k, (distance, _) in enumerate(fits) if distance <= least + _TIE]
    placed = [_supercell(template.fractional, ordered[k].multiples, template.labels) for k in equal]
    fractional, labels = placed[0][0] + fits[equal[0]][1], placed[0][1]
    others = sum(
        not _same_sites(fractional, labels, part[0] + fits[k][1], part[1], mean_cell)
        for k, part in zip(equal[1:], placed[1:], strict=True)
    )
    match, distance = ordered[equal[0]], fits[equal[0]][0]
    origin = (
        f"{template.name}, {abs(round(float(np.linalg.det(match.multiples))))} unit cells, strain {match.misfit:.2%}, "
        f"framework {distance:.2f} Å (mean) from its places"
    )
    doubt = ""
    if others:
        doubt = (
            f"{template.name}: the framework fits as well in {others} other orientations, which give other sites: name "
            "more of the framework's species"
        )
    return Sites(fractional, labels, mean_cell, origin, doubt)


def _same_sites(
    one: NDArray[np.float64],
    one_labels: NDArray[np.str_],
    other: NDArray[np.float64],
    other_labels: NDArray[np.str_],
    cell: NDArray[np.float64],
) -> bool:
    """Return whether two lists hold the same sites of the same classes."""
    for start in range(0, len(one), 64):
        apart = one[start : start + 64, None, :] - other[None]
        distances = np.linalg.norm((apart - np.rint(apart)) @ cell, axis=2)
        nearest = distances.argmin(axis=1)
        if distances.min(axis=1).max() > _WORST / 3 or (one_labels[start : start + 64] != other_labels[nearest]).any():
            return False
    return True


def _ordered(matches: list[CellMatch]) -> list[CellMatch]:
    """Keep the matches of least misfit up to 1 % more; those that turn and mirror least come first."""
    least = min(match.misfit for match in matches)
    kept = [match for match in matches if match.misfit <= least + 0.01]

    def turned(match: CellMatch) -> tuple[bool, int, list[list[int]]]:
        mirrored = float(np.linalg.det(match.multiples)) < 0
        return mirrored, -int(np.trace(match.multiples)), (-match.multiples).tolist()

    return sorted(kept, key=turned)


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
