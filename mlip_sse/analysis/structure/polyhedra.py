"""Polyanions by their bonds: PS₄, P₂S₇, P₂S₆, free S and P–P bonds, and the same for any centre and ligand.

Atoms that hang together by bonds of centre and ligand, or of two centres, are a unit, named by its formula. A unit is
intact when each of its centres has the nominal number of bonds, four unless said otherwise, a bond to another centre
counted like one to a ligand: PS₄, the corner-sharing P₂S₇, the edge-sharing P₂S₆ and the P₂S₆ with its P–P bond are
intact, PS₃ and PS₅ are not. A ligand without a centre is free, or homopolar when it is bound to another ligand.

A bond is shorter than 1.25 times the sum of the covalent radii, as in the gates that potentials pass
(`mlip_sse.bond_lengths`): 2.65 Å for P–S (2.05 Å long), 2.16 Å for P–O (1.55), 2.70 Å for Si–S (2.13), 2.81 Å
for Ge–S (2.22), 2.68 Å for P–P (2.2); the next neighbours begin at 3.0 Å or more.

References
----------
Covalent radii: Cordero et al., 10.1039/b801115j. Units and their bonds in glasses: Dietrich et al., 10.1039/C7TA06067J.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mlip_sse.analysis.structure.neighbours import Neighbours, neighbour_list
from mlip_sse.bond_lengths import longest_bond
from mlip_sse.errors import InputError

__all__ = ["FREE", "HOMOPOLAR", "BondLengths", "Bonding", "Units", "classify", "default_bond_lengths", "find_bonding"]

FREE = "free"
HOMOPOLAR = "homopolar"


@dataclass(frozen=True)
class BondLengths:
    """The longest bonds in Å, by the kinds of atoms that they join."""

    ligand: float
    centres: float
    ligands: float

    def __post_init__(self) -> None:
        if not all(0 < length < np.inf for length in (self.ligand, self.centres, self.ligands)):
            raise InputError(f"found bond lengths {self}, expected positive ones")


@dataclass(frozen=True, eq=False)
class Bonding:
    """The bonds of one structure, numbered within the centres and within the ligands.

    Parameters
    ----------
    bonds : (n_bonds, 2) centre and ligand, sorted
    vectors : (n_bonds, 3) Å, from centre to ligand
    between_centres : (n, 2) the smaller number first
    between_ligands : (n, 2) the smaller number first
    """

    bonds: NDArray[np.int64]
    vectors: NDArray[np.float64]
    between_centres: NDArray[np.int64]
    between_ligands: NDArray[np.int64]

    def same_as(self, other: "Bonding") -> bool:
        """Return whether the same atoms are bonded."""
        return (
            np.array_equal(self.bonds, other.bonds)
            and np.array_equal(self.between_centres, other.between_centres)
            and np.array_equal(self.between_ligands, other.between_ligands)
        )


@dataclass(frozen=True, eq=False)
class Units:
    """The unit of each atom of one structure.

    Parameters
    ----------
    names
        Kinds of units, ``free`` and ``homopolar`` ligands among them.
    intact : (n_names,) whether every centre of that unit has its nominal number of bonds; true of free ligands
    of_centres : (n_centres,) places in `names`
    of_ligands : (n_ligands,) places in `names`
    members_of_centres : (n_centres,) number of the unit that each centre belongs to
    coordination : (n_centres,) number of ligands
    """

    names: tuple[str, ...]
    intact: NDArray[np.bool_]
    of_centres: NDArray[np.int64]
    of_ligands: NDArray[np.int64]
    members_of_centres: NDArray[np.int64]
    coordination: NDArray[np.int64]


def default_bond_lengths(centre: str, ligand: str) -> BondLengths:
    """Return 1.25 times the sums of covalent radii.

    Parameters
    ----------
    centre, ligand
        Chemical symbols.
    """
    return BondLengths(longest_bond(centre, ligand), longest_bond(centre, centre), longest_bond(ligand, ligand))


def find_bonding(
    positions: NDArray[np.floating],
    cell: NDArray[np.floating],
    centres: NDArray[np.integer],
    ligands: NDArray[np.integer],
    lengths: BondLengths,
) -> Bonding:
    """Return the bonds of one structure.

    Parameters
    ----------
    positions : (n_atoms, 3) Å
    cell : (3, 3) Å
    centres, ligands
        Indices of the atoms.
    lengths
        Longest bonds.
    """
    near = neighbour_list(positions, cell, lengths.ligand, centres, ligands)
    places = np.full(len(positions), -1, dtype=np.int64)
    places[ligands] = np.arange(len(ligands))
    bonds = np.stack([near.centres, places[near.indices]], axis=1)
    order = np.lexsort((bonds[:, 1], bonds[:, 0]))
    return Bonding(
        bonds[order],
        near.vectors[order],
        _pairs_within(positions, cell, centres, lengths.centres),
        _pairs_within(positions, cell, ligands, lengths.ligands),
    )


def classify(bonding: Bonding, n_centres: int, n_ligands: int, symbols: tuple[str, str], nominal: int = 4) -> Units:
    """Return the unit of each atom.

    Parameters
    ----------
    bonding
        Of `find_bonding`.
    n_centres, n_ligands
        Numbers of atoms.
    symbols
        Of centre and ligand, for the names.
    nominal
        Number of bonds that a centre of an intact unit has.
    """
    coordination = np.bincount(bonding.bonds[:, 0], minlength=n_centres)
    homopolar = np.bincount(bonding.between_centres.ravel(), minlength=n_centres)
    component = _components(bonding, n_centres, n_ligands)
    of_centres, of_ligands = component[:n_centres], component[n_centres:]
    n_units = int(component.max()) + 1
    centres_in, ligands_in = np.bincount(of_centres, minlength=n_units), np.bincount(of_ligands, minlength=n_units)
    whole = np.bincount(of_centres, weights=coordination + homopolar != nominal, minlength=n_units) == 0
    joined = np.bincount(of_centres[bonding.between_centres[:, 0]], minlength=n_units) > 0
    bridging = np.bincount(bonding.bonds[:, 1], minlength=n_ligands) > 1
    bridges = np.bincount(of_ligands[bridging], minlength=n_units)
    labels: list[tuple[str, bool]] = []
    for unit in range(n_units):
        if not centres_in[unit]:
            labels.append((FREE, True))
            continue
        formula = _formula(symbols, int(centres_in[unit]), int(ligands_in[unit]))
        edge = centres_in[unit] == 2 and bridges[unit] > 1 and not joined[unit]
        labels.append((formula + " edge-sharing" if edge and whole[unit] else formula, bool(whole[unit])))
    bound = np.zeros(n_ligands, dtype=bool)
    bound[bonding.between_ligands.ravel()] = True
    names = [*sorted({label for label in labels if label[0] != FREE}), (FREE, True), (HOMOPOLAR, False)]
    place = {label: k for k, label in enumerate(names)}
    kind = np.array([place[label] for label in labels], dtype=np.int64)
    kind_of_ligands = kind[of_ligands]
    kind_of_ligands[bound & (kind_of_ligands == place[FREE, True])] = place[HOMOPOLAR, False]
    return Units(
        tuple(name for name, _ in names),
        np.array([intact for _, intact in names]),
        kind[of_centres],
        kind_of_ligands,
        of_centres,
        coordination,
    )


def _pairs_within(
    positions: NDArray[np.floating], cell: NDArray[np.floating], atoms: NDArray[np.integer], length: float
) -> NDArray[np.int64]:
    near: Neighbours = neighbour_list(np.asarray(positions)[atoms], cell, length)
    pairs = np.stack([near.centres, near.indices], axis=1)
    return np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)


def _components(bonding: Bonding, n_centres: int, n_ligands: int) -> NDArray[np.int64]:
    n = n_centres + n_ligands
    rows = np.concatenate([bonding.bonds[:, 0], bonding.between_centres[:, 0]])
    columns = np.concatenate([bonding.bonds[:, 1] + n_centres, bonding.between_centres[:, 1]])
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _formula(symbols: tuple[str, str], n_centres: int, n_ligands: int) -> str:
    parts = ((symbols[0], n_centres), (symbols[1], n_ligands))
    return "".join(symbol + (str(n) if n > 1 else "") for symbol, n in parts if n)
