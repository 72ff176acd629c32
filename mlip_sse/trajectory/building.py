"""Arrays out of other programs' objects: what `Trajectory.from_atoms` and `Trajectory.from_universe` start from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["arrays_of_atoms", "arrays_of_universe"]


def arrays_of_atoms(frames: Sequence["Atoms"]) -> dict[str, Any]:
    """Return species, masses, positions, cells and, where the first frame has momenta, velocities of ASE `Atoms`.

    Raises
    ------
    InputError
        For no frames, or atoms that change or change their order.
    """
    if not len(frames):
        raise InputError("no frames; give a list of ASE Atoms in time order")
    first = frames[0]
    for t, atoms in enumerate(frames):
        if len(atoms) != len(first) or (atoms.numbers != first.numbers).any():
            raise InputError(
                f"frame {t} holds other atoms, or in another order, than frame 0; expected the same in all"
            )
    arrays: dict[str, Any] = {
        "species": first.get_chemical_symbols(),
        "masses": first.get_masses(),
        "positions": np.array([atoms.positions for atoms in frames]),
        "cells": np.array([atoms.cell.array for atoms in frames]),
    }
    if "momenta" in first.arrays:
        from ase.units import fs

        arrays["velocities"] = np.array([atoms.get_velocities() for atoms in frames]) * fs
    return arrays


def arrays_of_universe(universe: Any, species: Sequence[str] | None = None) -> dict[str, Any]:
    """Return species, positions and cells of an MDAnalysis `Universe`.

    Raises
    ------
    InputError
        When its topology has no elements and none are given, or a frame has no cell.
    """
    from MDAnalysis.lib.mdamath import triclinic_vectors

    if species is None:
        if not hasattr(universe.atoms, "elements"):
            raise InputError("the universe's topology has no elements; pass species=, one symbol for each atom")
        species = [str(symbol).capitalize() for symbol in universe.atoms.elements]
    n_frames = universe.trajectory.n_frames
    positions = np.empty((n_frames, universe.atoms.n_atoms, 3), dtype=np.float32)
    cells = np.empty((n_frames, 3, 3))
    for t, frame in enumerate(universe.trajectory):
        if frame.dimensions is None:
            raise InputError(f"frame {t} of the universe has no cell; expected one in every frame")
        positions[t], cells[t] = frame.positions, triclinic_vectors(frame.dimensions)
    return {"species": list(species), "positions": positions, "cells": cells}
