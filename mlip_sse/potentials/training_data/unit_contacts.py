"""Frames in which two polyanions are pushed together whole, as they meet in a melt and in no crystal.

Two atoms pushed together never show what two tetrahedra do face to face: their centres come within 4 Å while no other
pair is closer than usual. Potentials that were not told fell through there, in dynamics of Li3PS4 and Li10GeP2S12.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.transform import Rotation

from mlip_sse.potentials.training_data.kept_files import seed_from
from mlip_sse.potentials.training_data.starts import plain_structure

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["unit_contact_frames"]

_REACH_A = 6.5  # centres farther apart than this do not meet: another ion stands between them
_RATIOS = (0.62, 0.92)  # of the shortest distance of such centres in the start
_CLOSEST = 0.78  # of the shortest distance of the same elements in the start, where no bond joins them
_BONDED = 1.3  # of the bond, for atoms of two units whose elements a bond joins within one
_TURNS = 60  # pairs of orientations that are tried for the roomiest
_STEP = 0.03  # by which the ratio is raised where no orientation has room
_SWEEPS = 60  # in which the atoms between two units get out of their way
_RATTLE_A = 0.05


@dataclass(frozen=True, eq=False)
class _Units:
    """Polyanions: the unit of each atom, the atoms of each and its centre, the one with most bonds."""

    members: list[NDArray[np.intp]]
    centres: NDArray[np.intp]


def unit_contact_frames(start: "Atoms", n_frames: int, group: str, seed: int) -> "list[Atoms]":
    """Return frames in which two neighbouring polyanions are turned at random and pushed together, each by half.

    Frame k takes the k-th pair of kinds (P with P, Ge with P and so on), in turn, among those whose centres lie within
    6.5 Å of each other in the start. Of sixty orientations it takes the one with most room, and where their atoms would
    still come too close, the two are pushed together less. Other atoms in their way are moved aside.

    Parameters
    ----------
    start
        The structure around which they are drawn.
    n_frames
        How many.
    group
        Written into ``info``, with the place in it.
    seed
        With the start it decides every random number.

    Returns
    -------
    None at all where the start has no two polyanions so near.
    """
    units = _find_units(start)
    kinds = _neighbours(start, units)
    if not kinds:
        return []
    limits = _limits(start)
    frames = []
    for place in range(n_frames):
        inputs = {"seed": seed, "place": place, "units": [_REACH_A, *_RATIOS], **plain_structure(start)}
        rng = np.random.default_rng(seed_from(inputs))
        pairs = kinds[place % len(kinds)]
        one, other, vector, length = pairs[int(rng.integers(len(pairs)))]
        atoms = _pushed(start, units, (one, other), vector, length * rng.uniform(*_RATIOS), limits, rng)
        _clear(atoms, np.concatenate([units.members[one], units.members[other]]), limits)
        atoms.positions += rng.normal(0.0, _RATTLE_A, atoms.positions.shape)
        atoms.info = {"group": group, "place": place}
        frames.append(atoms)
    return frames


def _find_units(start: "Atoms") -> _Units:
    from mlip_sse.potentials.gates.bonds import find_bonds

    pairs = find_bonds(start).pairs
    n_atoms = len(start)
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n_atoms, n_atoms))
    labels = connected_components(links, directed=False)[1]
    n_bonds = np.bincount(pairs.ravel(), minlength=n_atoms)
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    members = [group for group in groups if len(group) > 2 and n_bonds[group].max() < n_atoms]
    centres = np.array([group[int(n_bonds[group].argmax())] for group in members], dtype=np.intp)
    return _Units(members, centres)


def _neighbours(start: "Atoms", units: _Units) -> list[list[tuple[int, int, NDArray[np.float64], float]]]:
    """Return, for each pair of kinds of centres, pairs of units, the vector between centres and the shortest length."""
    from ase.neighborlist import neighbor_list

    if len(units.centres) < 2:
        return []
    unit_of = {int(centre): number for number, centre in enumerate(units.centres)}
    first, second, lengths, vectors = neighbor_list("ijdD", start, _REACH_A)
    found: dict[tuple[str, str], list[tuple[float, int, int, NDArray[np.float64]]]] = {}
    symbols = start.get_chemical_symbols()
    for i, j, length, vector in zip(first.tolist(), second.tolist(), lengths.tolist(), vectors, strict=True):
        if i < j and i in unit_of and j in unit_of:
            kind = (min(symbols[i], symbols[j]), max(symbols[i], symbols[j]))
            found.setdefault(kind, []).append((length, unit_of[i], unit_of[j], vector))
    kinds = []
    for kind in sorted(found):
        shortest = min(length for length, *_ in found[kind])
        near = [(i, j, vector, shortest) for length, i, j, vector in found[kind] if length <= 1.2 * shortest]
        kinds.append(near)
    return kinds


def _limits(start: "Atoms") -> NDArray[np.float64]:
    """Return (n_atoms, n_atoms) Å: how near two atoms of different units may come."""
    from ase.neighborlist import neighbor_list

    from mlip_sse.potentials.gates.bonds import find_bonds

    kinds, places = np.unique(start.numbers, return_inverse=True)
    limits = np.full((len(kinds), len(kinds)), np.inf)
    first, second, lengths = neighbor_list("ijd", start, _REACH_A)
    np.minimum.at(limits, (places[first], places[second]), lengths)
    shares = np.full(limits.shape, _CLOSEST)
    one, other = places[find_bonds(start).pairs].T
    shares[one, other] = shares[other, one] = _BONDED
    limits = np.where(np.isfinite(limits), shares * limits, 0.0)
    wanted: NDArray[np.float64] = limits[places[:, None], places[None, :]]
    return wanted


def _pushed(
    start: "Atoms",
    units: _Units,
    pair: tuple[int, int],
    vector: NDArray[np.float64],
    target_a: float,
    limits: NDArray[np.float64],
    rng: np.random.Generator,
) -> "Atoms":
    """Return the start with two units whose centres are ``target_a`` apart, or as near to it as there is room."""
    ratio = target_a / float(np.linalg.norm(vector))
    one, other = (units.members[unit] for unit in pair)
    centres = [int(units.centres[unit]) for unit in pair]
    arms = [start.get_distances(c, m, mic=True, vector=True) for c, m in zip(centres, (one, other), strict=True)]
    least = limits[np.ix_(one, other)].copy()
    least[np.ix_(one == centres[0], other == centres[1])] = 0.0
    while True:
        best, room = (arms[0], arms[1]), -np.inf
        for _ in range(_TURNS):
            turned = [Rotation.random(random_state=rng).apply(arm) for arm in arms]
            between = turned[1][None, :, :] + ratio * vector - turned[0][:, None, :]
            found = float((np.linalg.norm(between, axis=2) - least).min())
            if found > room:
                best, room = (turned[0], turned[1]), found
        if room >= 0.0 or ratio >= 1.0:
            break
        ratio = min(1.0, ratio + _STEP)
    atoms = start.copy()
    middle = start.positions[centres[0]] + 0.5 * vector
    atoms.positions[one] = middle - 0.5 * ratio * vector + best[0]
    atoms.positions[other] = middle + 0.5 * ratio * vector + best[1]
    return atoms


def _clear(atoms: "Atoms", held: NDArray[np.intp], limits: NDArray[np.float64]) -> None:
    """Move atoms that are not held aside, sweep by sweep, until none is nearer than its limit to one that has moved."""
    from mlip_sse.potentials.gates.bonds import find_bonds

    is_held = np.zeros(len(atoms), dtype=bool)
    is_held[held] = True
    limits = limits.copy()
    limits[np.ix_(is_held, is_held)] = 0.0
    one, other = find_bonds(atoms).pairs.T
    outside = ~is_held[one] & ~is_held[other]
    limits[one[outside], other[outside]] = limits[other[outside], one[outside]] = 0.0
    np.fill_diagonal(limits, 0.0)
    for _ in range(_SWEEPS):
        vectors = atoms.get_all_distances(mic=True, vector=True)  # from the first to the second
        lengths = np.linalg.norm(vectors, axis=2)
        lacking = np.clip(limits - lengths, 0.0, None)
        if not lacking.any():
            return
        share = np.where(is_held[None, :], 1.0, 0.5) * (lacking / np.maximum(lengths, 1e-3))
        steps = -(share[:, :, None] * vectors).sum(axis=1)
        steps[is_held] = 0.0
        atoms.positions += steps
