"""Structures that the gates run on."""

from collections.abc import Iterable, Sequence

import numpy as np
from ase import Atoms

from mlip_sse.dataset import LabelledFrame
from mlip_sse.errors import InputError
from mlip_sse.potentials.contract import Potential

__all__ = ["choose_structures", "from_plain", "sheared", "shipped_structures", "to_plain"]

_SEED = 20
_RATTLE, _SHEAR = 0.05, 0.06


def choose_structures(frames: Iterable[LabelledFrame], n_structures: int = 3) -> list[Atoms]:
    """Return the calmest frame (smallest force) of each composition, the compositions with most frames first."""
    by_formula: dict[str, list[LabelledFrame]] = {}
    for frame in frames:
        if all(frame.pbc):
            by_formula.setdefault(frame.formula, []).append(frame)
    ordered = sorted(by_formula.values(), key=lambda members: (-len(members), members[0].formula))
    calmest = [min(members, key=lambda f: (float((f.forces**2).mean()), f.id)) for members in ordered]
    return [Atoms(list(f.symbols), positions=f.positions, cell=f.cell, pbc=True) for f in calmest[:n_structures]]


def shipped_structures(potential: Potential, n_structures: int = 3) -> list[Atoms]:
    """Return rattled shipped crystals of the potential's elements, small ones first.

    Only those with as many of its elements as any has: ions need their counter-ions.

    Raises
    ------
    InputError
        When there is none.
    """
    from mlip_sse.structures import crystal, crystal_entry, crystal_names, rattle

    known = set(potential.card.elements)
    found = []
    for name in crystal_names():
        if crystal_entry(name).is_ordered:
            atoms = crystal(name)
            if set(atoms.get_chemical_symbols()) <= known:
                found.append(rattle(atoms, _RATTLE, seed=_SEED))
    if not found:
        raise InputError(
            f"found no shipped crystal of {', '.join(potential.card.elements)}, expected structures for the gates: "
            "give a file with --structure"
        )
    most = max(len(set(atoms.numbers)) for atoms in found)
    return sorted((atoms for atoms in found if len(set(atoms.numbers)) == most), key=len)[:n_structures]


def sheared(atoms: Atoms) -> Atoms:
    """Return a copy in a triclinic cell, atoms rattled."""
    rng = np.random.default_rng(_SEED)
    copy: Atoms = atoms.copy()
    copy.calc = None
    copy.set_cell(copy.cell.array @ (np.eye(3) + _SHEAR * rng.uniform(-1, 1, (3, 3))), scale_atoms=True)
    copy.positions += _RATTLE * rng.normal(size=copy.positions.shape)
    return copy


def to_plain(structures: Sequence[Atoms]) -> list[dict[str, object]]:
    """Return plain data for the card: symbols, cell and positions in Å."""
    return [
        {
            "symbols": atoms.get_chemical_symbols(),
            "cell": np.round(atoms.cell.array, 8).tolist(),
            "positions": np.round(atoms.positions, 8).tolist(),
        }
        for atoms in structures
    ]


def from_plain(plain: Sequence[dict[str, object]]) -> list[Atoms]:
    """Return what `to_plain` wrote."""
    return [Atoms(each["symbols"], positions=each["positions"], cell=each["cell"], pbc=True) for each in plain]
