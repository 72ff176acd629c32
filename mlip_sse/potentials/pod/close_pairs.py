"""Rows that tell the fit what no label does: that atoms pressed together push each other apart.

No reference frame has atoms much closer than their contact distance, and what radial functions with inverse powers do
there is left to chance, up to thousands of eV/Å of attraction, which no core can balance. So the fit is also asked,
with a small weight and a tolerance as large as the repulsion itself, that the force between a pair at distance d < c be

    F(d) = max(F_core(d), f₀ exp((c - d)/ρ)),     f₀ = 1 eV/Å,  ρ = 0.3 Å,

c being the contact distance of its elements. Two kinds of pairs are asked: pairs within the training frames, one atom
driven onto another along their connection, and the same elements alone in an empty box. What is drawn from a frame
depends on its id alone, so that these rows add like all others.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.potentials.pod.columns import canonical_group
from mlip_sse.potentials.pod.descriptors import DescriptorEngine
from mlip_sse.potentials.pod.short_range_core import core_calculator
from mlip_sse.potentials.pod.specs import CoreSpec, PodSpec

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

__all__ = ["PairRows", "closest_distances", "lone_pair_rows", "pressed_pair_rows", "wanted_repulsion"]

PairRows = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Weighted rows (n_rows, n_columns) and weighted labels (n_rows,) in eV/Å."""

_FORCE, _DECAY = 1.0, 0.3  # eV/Å at contact; Å, the steepness of closed shells
_NEAREST, _FARTHEST = 0.5, 0.97  # of the contact distance; at 0.85 Li3PS4-like MD still fell between 0.85 and 1
_LONE_RATIOS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
_LONE_WEIGHT = 1.0
_TOUCHING = 1.15  # of the covalent radii
_LONGEST_CONTACT = 4.0
_REACH = 4.5
_STEP = 1e-3
_BOX = 20.0


def closest_distances(atoms: "Atoms") -> dict[str, float]:
    """Return the shortest distance in Å, below 4 Å, of each pair of elements, ``Li-S``, the lighter one first."""
    from ase.neighborlist import neighbor_list

    first, second, distances = neighbor_list("ijd", atoms, _LONGEST_CONTACT)
    symbols = np.array(atoms.get_chemical_symbols())
    found: dict[str, float] = {}
    for one, other in combinations_with_replacement(canonical_group(tuple(set(symbols.tolist()))), 2):
        chosen = distances[(symbols[first] == one) & (symbols[second] == other)]
        if len(chosen):
            found[f"{one}-{other}"] = float(chosen.min())
    return found


def wanted_repulsion(core_force: float, distance: float, contact: float) -> float:
    """Return the force in eV/Å that drives a pair at ``distance`` apart."""
    return max(core_force, _FORCE * float(np.exp((contact - distance) / _DECAY)))


def pressed_pair_rows(
    atoms: "Atoms", frame_id: str, engine: DescriptorEngine, core: CoreSpec, core_alone: "Calculator | None"
) -> PairRows:
    """Return rows of pairs within a frame that were pressed together.

    Parameters
    ----------
    atoms
        The frame.
    frame_id
        Decides which pairs, and how far.
    engine
        Gives the rows.
    core
        How many pairs, and their weight.
    core_alone
        The core, or None.
    """
    from ase.neighborlist import neighbor_list

    # Only the raw bit stream of a generator is the same in every NumPy.
    draws = np.random.Generator(np.random.PCG64(int(frame_id[:16], 16)))
    first, second, vectors = neighbor_list("ijD", atoms, _REACH)
    symbols, contacts = np.array(atoms.get_chemical_symbols()), closest_distances(atoms)
    rows, labels = [np.zeros((0, engine.n_columns))], [np.zeros(0)]
    for _ in range(core.pairs if contacts else 0):
        pair = sorted(contacts)[int(draws.random() * len(contacts))]
        ratio, share = _NEAREST + (_FARTHEST - _NEAREST) * draws.random(), draws.random()
        one, other = pair.split("-")
        apart = first != second  # an atom and its own image move together
        instances = np.flatnonzero((symbols[first] == one) & (symbols[second] == other) & apart)
        chosen = draws.random()
        if not len(instances):
            continue
        place = instances[int(chosen * len(instances))]
        contact, vector = contacts[pair], vectors[place]
        distance = ratio * contact
        pressed = [
            _pressed(atoms, int(first[place]), int(second[place]), vector, distance + step, share)
            for step in (_STEP, -_STEP)
        ]
        row, label = _pair_row(engine, pressed, (one, other), distance, contact, core_alone)
        rows.append(core.prior * row[None])
        labels.append(np.array([core.prior * label]))
    return np.vstack(rows), np.concatenate(labels)


def lone_pair_rows(spec: PodSpec, elements: Sequence[str], closest: Mapping[str, float]) -> PairRows:
    """Return rows of every pair of elements alone in a box.

    Parameters
    ----------
    spec
        The recipe.
    elements
        In the order of the columns.
    closest
        The shortest distances seen, in Å.
    """
    from ase import Atoms
    from ase.data import atomic_numbers, covalent_radii

    core_alone = core_calculator(spec.core, elements)
    weight = _LONE_WEIGHT if spec.core.prior > 0 else 0.0
    rows, labels = [], []
    try:
        with DescriptorEngine(spec, elements) as engine:
            for one, other in combinations_with_replacement(elements, 2):
                radii = float(covalent_radii[atomic_numbers[one]] + covalent_radii[atomic_numbers[other]])
                contact = min(_TOUCHING * radii, closest.get("-".join(canonical_group((one, other))), np.inf))
                pair = Atoms([one, other], positions=[[0, 0, 0], [contact, 0, 0]], cell=[_BOX] * 3, pbc=True)
                vector = np.array([contact, 0.0, 0.0])
                for ratio in _LONE_RATIOS:
                    steps = (ratio * contact + _STEP, ratio * contact - _STEP)
                    pressed = [_pressed(pair, 0, 1, vector, distance, 0.0) for distance in steps]
                    row, label = _pair_row(engine, pressed, (one, other), ratio * contact, contact, core_alone)
                    rows.append(weight * row)
                    labels.append(weight * label)
    finally:
        if core_alone is not None:
            core_alone.close()
    return np.array(rows), np.array(labels)


def _pressed(
    atoms: "Atoms", first: int, second: int, vector: NDArray[np.float64], distance: float, share: float
) -> "Atoms":
    """Return the atoms with a pair moved to ``distance``, the first atom by ``share`` of the way."""
    length = float(np.linalg.norm(vector))
    way = (1 - distance / length) * vector
    moved = atoms.copy()
    moved.positions[first] += share * way
    moved.positions[second] -= (1 - share) * way
    return moved


def _pair_row(
    engine: DescriptorEngine,
    pressed: "list[Atoms]",
    pair: tuple[str, str],
    distance: float,
    contact: float,
    core_alone: "Calculator | None",
) -> tuple[NDArray[np.float64], float]:
    """Return -dE/dd and what it should be without the core, both over the tolerance."""
    longer, shorter = (engine.rows(atoms, forces=False, virial=False).energy for atoms in pressed)
    of_core = _core_force(core_alone, pair, distance)
    wanted = wanted_repulsion(of_core, distance, contact)
    tolerance = max(1.0, wanted)
    return -(longer - shorter) / (2 * _STEP * tolerance), (wanted - of_core) / tolerance


def _core_force(core_alone: "Calculator | None", pair: tuple[str, str], distance: float) -> float:
    from ase import Atoms

    if core_alone is None:
        return 0.0
    atoms = Atoms(pair, positions=[[0, 0, 0], [distance, 0, 0]], cell=[_BOX] * 3, pbc=True)
    atoms.calc = core_alone
    return float(atoms.get_forces()[1, 0])
