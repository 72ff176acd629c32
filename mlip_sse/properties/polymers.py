"""Features of polymer electrolytes: what the repeat unit and the salt are made of, from their SMILES.

A SMILES is read as a graph of heavy atoms. Counted are the atoms by kind, the pairs and triples of bonded atoms (of the
kinds that polymers and lithium salts are made of), double and triple bonds and rings; per heavy atom for the repeat
unit, so that a polymer written with two units is the same polymer. Ends such as ``[Cu]`` and ``[Au]``, with which
tables mark where the chain goes on, are joined to each other and not counted.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ase.data import atomic_masses, atomic_numbers

from mlip_sse.errors import InputError

__all__ = ["MolecularGraph", "PolymerFeatures", "parse_smiles"]

Floats = npt.NDArray[np.float64]

_TOKEN = re.compile(r"\[([^\]]+)\]|(Br|Cl|[BCNOPSFI])|([bcnops])|(%\d\d|\d)|([-=#:/\\~])|(\()|(\))|(\.)")
_BRACKET = re.compile(r"\d*([A-Z][a-z]?|[bcnops]|\*)")
_ENDS = {"Cu", "Au", "*"}
_ATOMS = ("C", "N", "O", "F", "S", "P", "Si", "B", "Cl", "Br", "I", "c", "n", "o", "s")
_PAIRS = ("CC", "CN", "CO", "CF", "CS", "CP", "CSi", "NS", "NP", "OP", "OS", "OSi", "BO", "cc", "Cc", "Oc", "Sc", "cn")
_TRIPLES = (
    "COC",
    "CCC",
    "CCO",
    "OCO",
    "CNC",
    "CSC",
    "FCF",
    "CCN",
    "SNS",
    "COP",
    "COSi",
    "ccc",
    "NPN",
    "OSO",
    "CCF",
    "FBF",
)
_BONDS = ("double", "triple", "ring", "branch", "C=O", "C#N", "O=S")


@dataclass(frozen=True)
class MolecularGraph:
    """Heavy atoms by kind (lower case: aromatic) and the bonds between them as (first, second, order)."""

    atoms: tuple[str, ...]
    bonds: tuple[tuple[int, int, int], ...]
    is_polymer: bool

    def mass(self) -> float:
        """Return the mass of the heavy atoms with the hydrogen that usual valences leave, in g/mol."""
        valence = {"C": 4, "c": 4, "N": 3, "n": 3, "O": 2, "S": 2, "P": 3, "Si": 4, "B": 3}
        used = Counter[int]()
        for first, second, order in self.bonds:
            used[first] += order
            used[second] += order
        total = 0.0
        for at, kind in enumerate(self.atoms):
            hydrogen = max(valence.get(kind, 0) - used[at] - kind.islower(), 0)
            total += float(atomic_masses[atomic_numbers[kind.capitalize()]]) + 1.008 * hydrogen
        return total


def parse_smiles(smiles: str) -> MolecularGraph:
    """Return the graph of heavy atoms of a SMILES; the two marked ends of a repeat unit are bonded to each other.

    Raises
    ------
    InputError
        When it does not parse.
    """
    atoms: list[str] = []
    bonds: list[tuple[int, int, int]] = []
    open_rings: dict[str, tuple[int, int]] = {}
    stack: list[int | None] = []
    last: int | None = None
    order, at = 1, 0
    while at < len(smiles):
        match = _TOKEN.match(smiles, at)
        if match is None:
            raise _unparsed(smiles, f"at {smiles[at : at + 6]!r}")
        bracket, plain, aromatic, ring, bond, opened, closed, dot = match.groups()
        at = match.end()
        if bracket or plain or aromatic:
            kind = _kind_of(smiles, bracket) if bracket else plain or aromatic
            atoms.append(kind)
            if last is not None:
                bonds.append((last, len(atoms) - 1, order))
            last, order = len(atoms) - 1, 1
        elif ring and last is not None:
            if ring in open_rings:
                other, before = open_rings.pop(ring)
                bonds.append((other, last, max(order, before)))
            else:
                open_rings[ring] = (last, order)
            order = 1
        elif bond:
            order = {"=": 2, "#": 3}.get(bond, 1)
        elif opened:
            stack.append(last)
        elif closed:
            if not stack:
                raise _unparsed(smiles, "a bracket is closed that was not opened")
            last, order = stack.pop(), 1
        elif dot:
            last, order = None, 1
    if stack or open_rings or not atoms:
        raise _unparsed(smiles, "a bracket or a ring stays open" if atoms else "no atom in it")
    return _without_ends(atoms, bonds)


@dataclass(frozen=True)
class PolymerFeatures:
    """Features of repeat unit, salt, molar mass and molality."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, with their units."""
        parts = (*_ATOMS, *_PAIRS, *_TRIPLES, *_BONDS)
        return (
            *(f"unit {part} per heavy atom" for part in parts),
            *(f"salt {part}" for part in parts),
            "log10 molar mass (g/mol)",
            "log10 molality (mol/kg)",
            "log10 oxygen per salt",
            "log10 nitrogen per salt",
            "heavy atoms of the unit",
            "heavy atoms of the salt",
        )

    def featurize(
        self,
        units: Sequence[str],
        salts: Sequence[str],
        molar_mass_g_mol: npt.ArrayLike,
        molality_mol_kg: npt.ArrayLike,
    ) -> Floats:
        """Return (n_rows, n_features), nan where a number is missing; "" is no salt.

        Parameters
        ----------
        units, salts
            SMILES of repeat unit and salt of each row.
        molar_mass_g_mol, molality_mol_kg
            (n_rows,) of the polymer, and of the salt in it; nan where not known.
        """
        graphs = {smiles: parse_smiles(smiles) for smiles in {*units, *salts} if smiles}
        counted = {smiles: _counts(graph) for smiles, graph in graphs.items()}
        none = np.zeros(len(_ATOMS) + len(_PAIRS) + len(_TRIPLES) + len(_BONDS))
        mass, molality = np.asarray(molar_mass_g_mol, dtype=np.float64), np.asarray(molality_mol_kg, dtype=np.float64)
        rows = []
        for row, (unit, salt) in enumerate(zip(units, salts, strict=True)):
            graph = graphs[unit]
            per_kg = 1000.0 / max(graph.mass(), 1e-9)
            amount = molality[row] if salt else math.nan
            oxygen, nitrogen = (_log((1e-2 + graph.atoms.count(kind) * per_kg) / amount) for kind in ("O", "N"))
            last = [_log(mass[row]), _log(amount), oxygen, nitrogen, len(graph.atoms)]
            heavy = len(graphs[salt].atoms) if salt else 0
            rows.append(
                np.concatenate([counted[unit] / len(graph.atoms), counted[salt] if salt else none, last, [heavy]])
            )
        return np.array(rows)


def _counts(graph: MolecularGraph) -> Floats:
    kinds, found = graph.atoms, Counter[str]()
    neighbours: list[list[int]] = [[] for _ in kinds]
    for first, second, order in graph.bonds:
        neighbours[first].append(second)
        neighbours[second].append(first)
        found["pair " + "".join(sorted((kinds[first], kinds[second])))] += 1
        found[{2: "double", 3: "triple"}.get(order, "single")] += 1
        found["bond " + {1: "-", 2: "=", 3: "#"}[order].join(sorted((kinds[first], kinds[second])))] += 1
    for centre, around in enumerate(neighbours):
        found["branch"] += max(len(around) - 2, 0)
        for one in range(len(around)):
            for two in range(one):
                ends = sorted((kinds[around[one]], kinds[around[two]]))
                found[f"triple {ends[0]}{kinds[centre]}{ends[1]}"] += 1
    found["ring"] = max(len(graph.bonds) - len(kinds) + 1, 0)
    return np.array(
        [
            *(kinds.count(kind) for kind in _ATOMS),
            *(found["pair " + pair] for pair in _PAIRS),
            *(found["triple " + triple] for triple in _TRIPLES),
            *(found[each] for each in _BONDS[:4]),
            *(found["bond " + each] for each in _BONDS[4:]),
        ],
        dtype=np.float64,
    )


def _without_ends(atoms: list[str], bonds: list[tuple[int, int, int]]) -> MolecularGraph:
    ends = {at for at, kind in enumerate(atoms) if kind in _ENDS}
    kept = [at for at in range(len(atoms)) if at not in ends]
    if not kept:
        return MolecularGraph((), (), True)
    new = {old: at for at, old in enumerate(kept)}
    inner = [(new[a], new[b], order) for a, b, order in bonds if a in new and b in new]
    touched = [new[a if b in ends else b] for a, b, _ in bonds if (a in ends) != (b in ends)]
    if len(touched) == 2 and touched[0] != touched[1]:
        inner.append((touched[0], touched[1], 1))
    return MolecularGraph(tuple(atoms[at] for at in kept), tuple(inner), bool(ends))


def _kind_of(smiles: str, bracket: str) -> str:
    match = _BRACKET.match(bracket)
    if match is None or (match[1] != "*" and match[1].capitalize() not in atomic_numbers):
        raise _unparsed(smiles, f"[{bracket}] is no atom")
    return match[1]


def _log(value: float) -> float:
    return math.log10(value) if value > 0 else math.nan


def _unparsed(smiles: str, why: str) -> InputError:
    return InputError(f"SMILES {smiles[:40]!r} does not parse: {why}; expected one such as [Cu]OCC[Au]")
