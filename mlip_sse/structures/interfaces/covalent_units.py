"""What a cut must not tear apart: PS4, P2S7, S8 and their like, and the formal charge that each carries."""

from collections.abc import Mapping

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.bond_lengths import longest_bond
from mlip_sse.errors import CatalogueError, InputError
from mlip_sse.structures.crystals import crystal_entry
from mlip_sse.structures.lineage import lineage
from mlip_sse.structures.partial import DEFAULT_OXIDATION_STATES

__all__ = ["formal_charges", "unit_labels", "whole_heights"]

NONMETALS = frozenset(["H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "As", "Se", "Br", "Te", "I"])
BINDING = NONMETALS | {"Ge", "Sn", "Sb"}
"""Elements that bind covalently to non-metals: GeS4 and SnS4 count as units, LiS4 and ZrO6 do not."""


def unit_labels(atoms: Atoms) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the covalent unit of each atom, and the bonds.

    Bonds join a non-metal to a non-metal (or Ge, Sn, Sb) within 1.25 times the sum of the covalent radii.

    Returns
    -------
    labels : (n_atoms,)
        Atoms with one label belong to one unit; an ion is a unit of its own.
    first, second : (n_bonds,)
        The bonded atoms, each bond in both directions.
    images : (n_bonds, 3)
        In which cell the second one is.
    """
    from ase.neighborlist import neighbor_list
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    present = sorted(set(atoms.get_chemical_symbols()))
    reach = {
        (one, other): longest_bond(one, other)
        for one in present
        for other in present
        if one in BINDING and other in BINDING and (one in NONMETALS or other in NONMETALS)
    }
    if not reach:
        empty = np.empty(0, dtype=np.int64)
        return np.arange(len(atoms)), empty, empty, np.empty((0, 3), dtype=np.int64)
    first, second, images = neighbor_list("ijS", atoms, reach)
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(atoms), len(atoms)))
    labels = connected_components(graph, directed=False)[1]
    return (
        np.asarray(labels, dtype=np.int64),
        np.asarray(first, dtype=np.int64),
        np.asarray(second, dtype=np.int64),
        np.asarray(images, dtype=np.int64),
    )


def whole_heights(
    atoms: Atoms, keep_units: bool, what: str
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return how high each atom is when its unit is whole, in repeats along the third vector.

    Parameters
    ----------
    atoms
        A periodic cell whose first two vectors lie in the plane.
    keep_units
        Whether covalent units stay whole; else every atom is a unit of its own.
    what
        The plane, for messages.

    Returns
    -------
    labels : (n_atoms,)
        The unit of each atom.
    heights : (n_atoms,)
        Fraction of the third vector; atoms of a unit may be below 0 or beyond 1.
    centres : (n_units,)
        Mean height of each unit, at least 0 and below 1.

    Raises
    ------
    InputError
        When bonds run from repeat to repeat without end, so that any cut breaks some.
    """
    heights = atoms.get_scaled_positions()[:, 2]
    if not keep_units:
        return np.arange(len(atoms)), heights, heights.copy()
    labels, first, second, images = unit_labels(atoms)
    offsets = _offsets(len(atoms), first, second, images[:, 2])
    broken = np.flatnonzero(offsets[second] != offsets[first] + images[:, 2])
    if len(broken):
        one, other = atoms.symbols[first[broken[0]]], atoms.symbols[second[broken[0]]]
        raise InputError(
            f"{what}: {one}-{other} bonds run through the crystal without end along the normal, expected units "
            "that a cut leaves whole: choose another plane, or keep_units=False to cut bonds"
        )
    heights = heights + offsets
    n_units = int(labels.max()) + 1
    centres = np.bincount(labels, heights, n_units) / np.bincount(labels, minlength=n_units)
    down = np.floor(centres + 1e-6)  # a centre at 0.9999999 is at 0
    return labels, heights - down[labels], np.maximum(centres - down, 0.0)


def formal_charges(crystal: Atoms, oxidation_states: Mapping[str, float] | None, what: str) -> dict[str, float]:
    """Return the formal charge of each element in e: as given, of the shipped crystal, zero in an element, or usual.

    Raises
    ------
    InputError
        When they are not known, or do not add up to nothing.
    """
    symbols = crystal.get_chemical_symbols()
    if oxidation_states is None:
        oxidation_states = _states_of(crystal)
    if len(set(symbols)) == 1 and symbols[0] not in oxidation_states:
        return {symbols[0]: 0.0}
    unknown = sorted(set(symbols) - set(oxidation_states))
    if unknown:
        raise InputError(f"{what}: no oxidation state for {', '.join(unknown)}: give oxidation_states={{...}}")
    charges = {symbol: float(oxidation_states[symbol]) for symbol in sorted(set(symbols))}
    total = sum(charges[symbol] for symbol in symbols)
    if abs(total) > 1e-6 * len(symbols):
        shown = ", ".join(f"{symbol} {charge:+g}" for symbol, charge in charges.items())
        raise InputError(
            f"{what}: the formal charges ({shown}) of {crystal.get_chemical_formula('hill')} add up to "
            f"{total:+g} e, expected a neutral crystal: give oxidation_states={{...}}"
        )
    return charges


def _states_of(crystal: Atoms) -> Mapping[str, float]:
    """Return the states of the shipped crystal that the atoms come from, none for an element, else the usual ones."""
    for step in lineage(crystal):
        if step.get("operation") == "crystal":
            try:
                states = crystal_entry(str(step.get("name"))).oxidation_states
            except CatalogueError:
                continue
            if set(crystal.get_chemical_symbols()) <= set(states):
                return {element: float(state) for element, state in states.items()}
    if len(set(crystal.get_chemical_symbols())) == 1:
        return {}
    return DEFAULT_OXIDATION_STATES


def _offsets(
    n_atoms: int, first: NDArray[np.int64], second: NDArray[np.int64], steps: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return by how many repeats each atom has to move for bonded atoms to be neighbours, (n_atoms,)."""
    bonded: list[list[tuple[int, int]]] = [[] for _ in range(n_atoms)]
    for i, j, step in zip(first.tolist(), second.tolist(), steps.tolist(), strict=True):
        bonded[i].append((j, step))
    offsets: list[int | None] = [None] * n_atoms
    for start in range(n_atoms):
        if offsets[start] is not None:
            continue
        offsets[start], stack = 0, [start]
        while stack:
            i = stack.pop()
            for j, step in bonded[i]:
                if offsets[j] is None:
                    offsets[j] = (offsets[i] or 0) + step
                    stack.append(j)
    return np.array(offsets, dtype=np.int64)
