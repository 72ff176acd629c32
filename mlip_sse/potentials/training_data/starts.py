"""Start structures: a crystal or a file, ordered, repeated, given defects and relaxed with the reference."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.errors import InputError
from mlip_sse.potentials.training_data.kept_files import KeptFolder
from mlip_sse.potentials.training_data.specs import RelaxSpec, StructureSpec, TrainingDataSpec
from mlip_sse.structures import (
    compact_supercell,
    disordered_crystal,
    exchange_atoms,
    read_disordered,
    remove_atoms,
    resolve_disorder,
    scale_volume,
)

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["plain_structure", "start_structures", "structure_of"]

GetCalculator = Callable[[], Any]
"""Returns the reference's ASE calculator; heavy on its first call, so that it is asked for only when needed."""


def plain_structure(atoms: "Atoms") -> dict[str, Any]:
    """Return what makes a structure as plain data, exact to the last bit."""
    return {
        "symbols": atoms.get_chemical_symbols(),
        "cell": atoms.cell.array.tolist(),
        "positions": atoms.positions.tolist(),
    }


def structure_of(data: dict[str, Any]) -> "Atoms":
    """Return the atoms that `plain_structure` wrote."""
    from ase import Atoms

    return Atoms(data["symbols"], positions=data["positions"], cell=data["cell"], pbc=True)


def start_structures(
    spec: TrainingDataSpec, wanted: StructureSpec, kept: Path, calculator: GetCalculator, reference: dict[str, Any]
) -> "Iterator[tuple[str, Atoms]]":
    """Yield the starts of one entry with their names, relaxed where that is asked for.

    Parameters
    ----------
    spec, wanted
        The section and the entry of it.
    kept
        Where relaxed structures are kept, each in a folder named by its content.
    calculator
        Gives the reference's calculator.
    reference
        What identifies the reference, part of a kept structure's name.

    Raises
    ------
    InputError
        When the structure cannot be built as asked.
    """
    source = read_disordered(wanted.file) if wanted.crystal is None else disordered_crystal(wanted.crystal)  # type: ignore[arg-type]
    ordered = resolve_disorder(source, wanted.ordering.settings())
    for number, found in enumerate(ordered, start=1):
        atoms = found.atoms
        if wanted.min_width_a is not None:
            atoms = compact_supercell(atoms, min_width=wanted.min_width_a)
        if wanted.volume_change:
            atoms = scale_volume(atoms, wanted.volume_change)
        if wanted.vacancies:
            atoms = remove_atoms(atoms, wanted.vacancies, seed=spec.seed)
        if wanted.exchange is not None:
            atoms = exchange_atoms(atoms, wanted.exchange.elements, wanted.exchange.n_pairs, seed=spec.seed)
        if wanted.relax is not None:
            atoms = _relaxed(atoms, wanted.relax, kept, calculator, reference)
        yield (wanted.name if len(ordered) == 1 else f"{wanted.name}-{number}"), atoms


def _relaxed(
    atoms: "Atoms", relax: RelaxSpec, kept: Path, calculator: GetCalculator, reference: dict[str, Any]
) -> "Atoms":
    """Relax, or return what an earlier run relaxed."""
    inputs = {"reference": reference, "relax": relax.model_dump(mode="json"), "start": plain_structure(atoms)}
    folder = KeptFolder.of(kept, inputs)
    if (known := folder.read("relaxed")) is None:
        known = _relax(atoms, relax, calculator())
        folder.write("relaxed", known)
    return structure_of(known["structure"])


def _relax(atoms: "Atoms", relax: RelaxSpec, calculator: Any) -> dict[str, Any]:
    from ase.filters import FrechetCellFilter
    from ase.optimize import FIRE

    moving = atoms.copy()
    moving.calc = calculator
    optimizer = FIRE(FrechetCellFilter(moving) if relax.cell else moving, logfile=None)
    converged = bool(optimizer.run(fmax=relax.force_ev_a, steps=relax.max_steps))
    longest = float(np.linalg.norm(moving.get_forces(), axis=1).max())
    if not np.isfinite(longest):
        raise InputError(f"relaxation of {atoms.symbols}: found a force of {longest}, expected finite ones")
    return {"structure": plain_structure(moving), "converged": converged, "longest_force_ev_a": longest}
