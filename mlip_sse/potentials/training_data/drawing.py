"""Single frames drawn around a start: strained, rattled, with defects, with two atoms close together."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.potentials.training_data.kept_files import seed_from
from mlip_sse.potentials.training_data.specs import ContactSpec, DistortionSpec
from mlip_sse.potentials.training_data.starts import plain_structure
from mlip_sse.structures import exchange_atoms, random_strain, rattle, remove_atoms, scale_volume

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["contact_frames", "distorted_frames"]

_CONTACT_RANGE = 4.0
"""Å: pairs of elements that come no closer than this in the start are not pushed together."""


def distorted_frames(start: "Atoms", wanted: DistortionSpec, group: str, seed: int) -> "list[Atoms]":
    """Return frames with volume change, strain, defects and a rattle, in this order.

    Parameters
    ----------
    start
        The structure around which they are drawn.
    wanted
        What is drawn.
    group
        Written into ``info``, with the place in it.
    seed
        With start and settings it decides every random number.
    """
    frames = []
    for place in range(wanted.n_frames):
        inputs = {"seed": seed, "place": place, "wanted": wanted.model_dump(mode="json"), **plain_structure(start)}
        number = seed_from(inputs) % 2**31
        atoms = scale_volume(start, wanted.volume_changes[place % len(wanted.volume_changes)])
        if wanted.max_strain:
            atoms = random_strain(atoms, wanted.max_strain, number)
        if wanted.exchange is not None:
            atoms = exchange_atoms(atoms, wanted.exchange.elements, wanted.exchange.n_pairs, number)
        if wanted.vacancies:
            atoms = remove_atoms(atoms, wanted.vacancies, number)
        if wanted.rattle_a:
            atoms = rattle(atoms, wanted.rattle_a, number)
        frames.append(_in_group(atoms, group, place))
    return frames


def contact_frames(start: "Atoms", wanted: ContactSpec, group: str, seed: int) -> "list[Atoms]":
    """Return frames in which one pair is pushed together along its connection, both atoms by half.

    Frame k takes the k-th pair of elements, in turn, among those that come within 4 Å of each other in the start.

    Raises
    ------
    InputError
        When no two atoms are within 4 Å.
    """
    pairs = _nearest_pairs(start)
    if not pairs:
        raise InputError(f"{group}: found no two atoms within {_CONTACT_RANGE:g} Å, expected some to push together")
    frames = []
    for place in range(wanted.n_frames):
        inputs = {"seed": seed, "place": place, "wanted": wanted.model_dump(mode="json"), **plain_structure(start)}
        rng = np.random.default_rng(seed_from(inputs))
        candidates, shortest = pairs[place % len(pairs)]
        first, second = candidates[rng.integers(len(candidates))]
        atoms = start.copy()
        atoms.positions += rng.normal(0.0, wanted.rattle_a, atoms.positions.shape)
        target = shortest * rng.uniform(*wanted.ratios)
        vector = atoms.get_distance(int(first), int(second), mic=True, vector=True)
        push = 0.5 * (1 - target / np.linalg.norm(vector)) * vector
        atoms.positions[first] += push
        atoms.positions[second] -= push
        frames.append(_in_group(atoms, group, place))
    return frames


def _nearest_pairs(start: "Atoms") -> list[tuple[NDArray[np.int64], float]]:
    """Return for each pair of elements the pairs of atoms within 1.2 of its shortest distance, and that distance."""
    from ase.neighborlist import neighbor_list

    first, second, distances = neighbor_list("ijd", start, _CONTACT_RANGE)
    symbols = np.array(start.get_chemical_symbols())
    found = []
    elements = sorted(set(symbols.tolist()))
    for at, one in enumerate(elements):
        for other in elements[at:]:
            chosen = (symbols[first] == one) & (symbols[second] == other) & (first != second)
            if chosen.any():
                shortest = float(distances[chosen].min())
                near = chosen & (distances <= 1.2 * shortest)
                found.append((np.stack([first[near], second[near]], axis=1), shortest))
    return found


def _in_group(atoms: "Atoms", group: str, place: int) -> "Atoms":
    atoms.info = {"group": group, "place": place}
    return atoms
