"""Barriers between minima that a user brings: read, matched atom by atom, relaxed, and a band between each two."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from mlip_sse.errors import FormatError, InputError
from mlip_sse.md_protocols.hop_barrier import HopBarrier
from mlip_sse.md_protocols.neb_mirror import find_mirror
from mlip_sse.md_protocols.neb_pair import Ends, Stage, barrier_between, matched_distances
from mlip_sse.md_protocols.neb_specs import PairSettings
from mlip_sse.md_protocols.plain_atoms import atoms_from_plain, atoms_to_plain

__all__ = ["GivenHop", "compute_pair", "hop_of", "matched_pair", "pair_inputs", "read_minima"]

_SAME_CELL = 1e-3
_FAR_A = 2.5
"""Å; two atoms or more that go further between ends in the same order are probably numbered otherwise."""


@dataclass(frozen=True)
class GivenHop:
    """The way from one minimum to another.

    Parameters
    ----------
    start, end
        Numbers of the two structures.
    ion
        The atom that goes furthest.
    symbol
        Its element.
    vector
        Å, its way.
    is_reversible
        Whether symmetry exchanges the two structures.
    n_reordered
        How many atoms of the second structure had to be numbered anew.
    """

    start: int
    end: int
    ion: int
    symbol: str
    vector: tuple[float, float, float]
    is_reversible: bool
    n_reordered: int = 0

    @property
    def distance(self) -> float:
        """How far that atom goes, in Å."""
        return float(np.linalg.norm(self.vector))

    @property
    def are_sites_equivalent(self) -> bool:
        """Whether symmetry makes the energies of both ends equal."""
        return self.is_reversible

    def figures(self) -> dict[str, Any]:
        """Return what a table says of it."""
        return {
            "start": self.start,
            "end": self.end,
            "ion": self.ion,
            "symbol": self.symbol,
            "vector_a": self.vector,
            "distance_a": self.distance,
            "n_equivalent": 1,
            "is_reversible": self.is_reversible,
            "are_sites_equivalent": self.are_sites_equivalent,
            "n_reordered": self.n_reordered,
        }


def read_minima(files: Sequence[str | Path]) -> list[Atoms]:
    """Return the structures of files, all frames of each.

    Raises
    ------
    InputError
        When a file does not exist, holds no periodic cell, or there are fewer than two structures.
    FormatError
        When ASE cannot read it.
    """
    from ase.io import read

    found: list[Atoms] = []
    for file in files:
        if not Path(file).is_file():
            raise InputError(f"structure file {file} does not exist: give a path relative to the protocol's folder")
        try:
            frames = read(file, index=":")
        except Exception as error:  # ASE's readers raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise FormatError(f"structure file {file}: ASE cannot read it ({reason})") from error
        if not all(all(atoms.pbc) and abs(atoms.cell.volume) > 1e-6 for atoms in frames):
            raise InputError(f"structure file {file}: expected cells that are periodic in three directions")
        found += frames
    if len(found) < 2:
        raise InputError(
            f"found {len(found)} structure in {', '.join(map(str, files))}, expected two or more: the ends"
        )
    return found


def matched_pair(initial: Atoms, final: Atoms, match: str = "auto") -> tuple[Atoms, int]:
    """Return the second structure with its atoms numbered as in the first and next to where they were.

    Parameters
    ----------
    initial, final
        Two minima of the same atoms in the same cell.
    match
        ``order``: as they stand; ``auto``: matched within each element where the order would not do (other species at
        a number, or two atoms or more that go further than 2.5 Å).

    Returns
    -------
    atoms
        Its positions nearest images of those of the first.
    n_reordered
        How many atoms got another number.

    Raises
    ------
    InputError
        When the cells or the species differ.
    """
    if sorted(initial.symbols) != sorted(final.symbols):
        found = f"{initial.get_chemical_formula()} and {final.get_chemical_formula()}"
        raise InputError(f"found ends of {found}, expected the same atoms in both")
    strain = np.abs(np.linalg.solve(initial.cell.array, final.cell.array) - np.eye(3)).max()
    if strain > _SAME_CELL:
        raise InputError(f"found ends in cells that differ by {strain:.2%}, expected the same cell: relax it once")
    scaled = final.get_scaled_positions(wrap=False) @ initial.cell.array
    moved = initial.copy()
    order = np.arange(len(initial))
    in_order = list(initial.symbols) == list(final.symbols)
    steps = find_mic(scaled - initial.positions, initial.cell, True)[0]
    n_far = np.count_nonzero(np.linalg.norm(steps - np.median(steps, axis=0), axis=1) > _FAR_A)
    if not in_order and match == "order":
        raise InputError("found the species of both ends in another order, expected the same: use match: auto")
    if match == "auto" and (not in_order or n_far > 1):
        other = final.copy()
        other.set_cell(initial.cell)
        other.positions = scaled
        order = matched_distances(initial, other)[0]
    steps = find_mic(scaled[order] - initial.positions, initial.cell, True)[0]
    moved.positions = initial.positions + steps
    return moved, int(np.count_nonzero(order != np.arange(len(order))))


def pair_inputs(
    initial: Atoms, final: Atoms, is_reversible: bool | None = None, start: int = 0, end: int = 1, match: str = "order"
) -> dict[str, Any]:
    """Return a task's inputs: both ends and their hop as plain data.

    Parameters
    ----------
    initial, final
        The ends.
    is_reversible
        Whether symmetry exchanges them; looked for where it is not given.
    start, end
        Their numbers.
    match
        As in `matched_pair`.
    """
    moved, n_reordered = matched_pair(initial, final, match)
    steps = moved.positions - initial.positions
    steps -= np.median(steps, axis=0)
    ion = int(np.argmax(np.linalg.norm(steps, axis=1)))
    known = find_mirror(initial, moved, 0.05) is not None if is_reversible is None else is_reversible
    hop = {"start": start, "end": end, "ion": ion, "symbol": str(initial.symbols[ion]), "vector": steps[ion].tolist()}
    hop |= {"is_reversible": bool(known), "n_reordered": n_reordered}
    return {"initial": atoms_to_plain(initial), "final": atoms_to_plain(moved), "hop": hop}


def hop_of(inputs: Mapping[str, Any]) -> GivenHop:
    """Return the hop of `pair_inputs`."""
    return GivenHop(**{**inputs["hop"], "vector": tuple(inputs["hop"]["vector"])})


def compute_pair(
    inputs: Mapping[str, Any],
    calculator: Callable[[], Any],
    settings: PairSettings,
    progress: Callable[[str], None] | None = None,
    stage: Stage = lambda name, work: work(),
) -> HopBarrier:
    """Return the barrier between the ends of `pair_inputs`; the rest as in `neb_pair.barrier_between`."""
    hop = hop_of(inputs)
    ends = Ends(atoms_from_plain(inputs["initial"]), atoms_from_plain(inputs["final"]), hop.ion)
    return barrier_between(hop, ends, calculator, settings, progress, stage)
