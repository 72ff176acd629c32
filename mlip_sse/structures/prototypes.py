"""Ionic crystals built from a formula: a prototype, and a lattice constant guessed from ionic radii.

The guess is the largest cell in which a cation touches an anion. It is good to 10 %: relax the cell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from ase import Atoms
from ase.geometry import get_distances

from mlip_sse.errors import CatalogueError, InputError, did_you_mean
from mlip_sse.structures.ionic_properties import oxidation_states, shannon_radius
from mlip_sse.structures.lineage import with_step

__all__ = ["PROTOTYPES", "Prototype", "prototype_crystal"]

Positions = tuple[tuple[float, float, float], ...]

_FCC = ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))
_TETRAHEDRA = tuple((x, y, z) for x in (0.25, 0.75) for y in (0.25, 0.75) for z in (0.25, 0.75))
_EDGES = ((0.5, 0.5, 0.5), (0.5, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 0.5))
_HALF_TETRAHEDRA = ((0.25, 0.25, 0.25), (0.25, 0.75, 0.75), (0.75, 0.25, 0.75), (0.75, 0.75, 0.25))
_FACES = ((0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))
_CENTRE, _CORNER = ((0.5, 0.5, 0.5),), ((0.0, 0.0, 0.0),)


@dataclass(frozen=True)
class Prototype:
    """A cubic structure type.

    Parameters
    ----------
    symbol
        Its space group.
    sites
        Fractional positions of each element, in the order of the formula.
    """

    symbol: str
    sites: tuple[Positions, ...]

    @property
    def ratio(self) -> tuple[int, ...]:
        """Atoms of each element in the cell."""
        return tuple(len(positions) for positions in self.sites)


PROTOTYPES: Mapping[str, Prototype] = MappingProxyType(
    {
        "antiperovskite": Prototype("Pm-3m", (_FACES, _CENTRE, _CORNER)),
        "rocksalt": Prototype("Fm-3m", (_FCC, _EDGES)),
        "antifluorite": Prototype("Fm-3m", (_TETRAHEDRA, _FCC)),
        "zincblende": Prototype("F-43m", (_FCC, _HALF_TETRAHEDRA)),
        "cesiumchloride": Prototype("Pm-3m", (_CORNER, _CENTRE)),
    }
)
"""By name; X3AB has X on the faces around A in the middle, and B at the corners."""


def prototype_crystal(name: str, formula: str) -> Atoms:
    """Return a crystal in the cubic cell of a prototype.

    Parameters
    ----------
    name
        One of `PROTOTYPES`.
    formula
        Its elements in the order of the prototype: ``Li3OCl`` as antiperovskite, ``Li2S`` as antifluorite.

    Raises
    ------
    CatalogueError
        When there is no such prototype.
    InputError
        When the formula does not fit it, or an ion has no radius.
    """
    from ase.formula import Formula

    if name not in PROTOTYPES:
        raise CatalogueError(
            f"no prototype {name!r}, expected one of {', '.join(PROTOTYPES)}{did_you_mean(name, PROTOTYPES)}"
        )
    kind = PROTOTYPES[name]
    try:
        counts = Formula(formula, strict=True).count()
    except ValueError as error:
        raise InputError(f"found formula {formula!r}, expected one such as Li3OCl") from error
    wanted = tuple(np.array(kind.ratio) // np.gcd.reduce(kind.ratio))
    if tuple(counts.values()) != wanted:
        shown = "".join(f"{letter}{n if n > 1 else ''}" for letter, n in zip("XAB", wanted, strict=False))
        raise InputError(f"found {formula} as {name}, expected a formula of the form {shown} in that order")
    symbols = [symbol for symbol, positions in zip(counts, kind.sites, strict=True) for _ in positions]
    scaled = np.concatenate([np.array(positions) for positions in kind.sites])
    atoms = Atoms(symbols, scaled_positions=scaled, cell=np.eye(3), pbc=True)
    atoms.set_cell(_lattice_constant(atoms, formula) * np.eye(3), scale_atoms=True)
    return with_step(atoms, "prototype", name=name, formula=formula, space_group=kind.symbol)


def _lattice_constant(unit: Atoms, formula: str) -> float:
    """Return the lattice constant (Å) at which the first cation and anion touch on expanding a too large cell."""
    charges = oxidation_states(formula)
    radii = {symbol: shannon_radius(symbol, charges[symbol]) for symbol in charges}
    if missing := [symbol for symbol, radius in radii.items() if radius is None]:
        raise InputError(f"{formula}: found no ionic radius of {', '.join(missing)}, expected one: give a file instead")
    apart = get_distances(unit.positions, cell=unit.cell, pbc=True)[1]
    sizes = [
        ((radii[unit.symbols[i]] or 0.0) + (radii[unit.symbols[j]] or 0.0)) / apart[i, j]
        for i in range(len(unit))
        for j in range(i)
        if charges[unit.symbols[i]] * charges[unit.symbols[j]] < 0
    ]
    if not sizes:
        raise InputError(f"{formula}: found no cation beside an anion, expected an ionic compound")
    return float(max(sizes))
