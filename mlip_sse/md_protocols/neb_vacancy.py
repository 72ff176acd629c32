"""Barriers of vacancy hops with any ASE calculator: ends, path, saddle, and what speaks against the number.

>>> from mlip_sse.md_protocols.neb_vacancy import neb_vacancy_hops
>>> for hop in neb_vacancy_hops(crystal, calculator):  # doctest: +SKIP
...     print(hop.hop.distance, hop.barrier_forward, hop.verdict)
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.geometry import find_mic, get_distances
from numpy.typing import NDArray

from mlip_sse.errors import InputError, RunError
from mlip_sse.md_protocols.hop_barrier import HopBarrier
from mlip_sse.md_protocols.neb_pair import Ends, Stage, barrier_between
from mlip_sse.md_protocols.neb_specs import BandSpec, NebSettings
from mlip_sse.md_protocols.relaxation import relax_atoms
from mlip_sse.structures import VacancyHop, compact_supercell, shortest_image_distance, vacancy_hops

__all__ = [
    "LONGEST_OF_CELL",
    "HopBarrier",
    "compute_hop",
    "find_hops",
    "hop_ends",
    "neb_vacancy_hops",
    "relaxed_crystal",
]

LONGEST_OF_CELL = 0.45
"""Of the distance of the nearest images of the cell: a longer hop is refused."""


def neb_vacancy_hops(
    crystal: Atoms,
    calculator: Any,
    settings: NebSettings | None = None,
    progress: Callable[[str], None] | None = None,
) -> Iterator[HopBarrier]:
    """Yield the barrier of each symmetry-distinct vacancy hop, shortest first.

    Parameters
    ----------
    crystal
        The perfect crystal, any cell of it.
    calculator
        An ASE calculator with energy, forces and stress; the cell with the vacancy is what it makes of it, neutral.
    settings
        What hops, how far, how well converged.
    progress
        Called with a line that says how far it is.

    Raises
    ------
    InputError
        When there is no hop, or more than ``max_hops``.
    RunError
        When the crystal cannot be relaxed.
    """
    chosen = settings if settings is not None else NebSettings()
    tell = progress if progress is not None else lambda line: None
    relaxed = relaxed_crystal(crystal, calculator, chosen)
    hops = find_hops(relaxed, chosen)
    for number, hop in enumerate(hops, start=1):
        head = f"hop {number} of {len(hops)}, {hop.distance:.3f} Å"

        def say(line: str, head: str = head) -> None:
            tell(f"{head}: {line}")

        yield compute_hop(relaxed, hop, lambda: calculator, chosen, say)


def relaxed_crystal(crystal: Atoms, calculator: Any, settings: BandSpec) -> Atoms:
    """Return the crystal relaxed as the settings say.

    Raises
    ------
    RunError
        When it does not converge.
    """
    found = relax_atoms(crystal, calculator, cell=settings.cell, fmax=settings.fmax, max_steps=settings.max_steps)
    if found.verdict.reasons:
        raise RunError(f"the crystal cannot be relaxed: {'; '.join(found.verdict.reasons)}")
    return found.atoms


def find_hops(crystal: Atoms, settings: NebSettings) -> tuple[VacancyHop, ...]:
    """Return the hops that the settings ask for.

    Raises
    ------
    InputError
        When there are none, or too many.
    """
    hops = vacancy_hops(crystal, settings.mobile, settings.max_distance_a, reach=settings.reach)
    if not hops:
        raise InputError(f"found no hop of {settings.mobile} past the other atoms, expected one: raise max_distance_a")
    if len(hops) > settings.max_hops:
        raise InputError(
            f"found {len(hops)} symmetry-distinct hops up to {hops[-1].distance:.2f} Å, expected at most "
            f"{settings.max_hops}: lower max_distance_a or raise max_hops"
        )
    return hops


def compute_hop(
    crystal: Atoms,
    hop: VacancyHop,
    calculator: Callable[[], Any],
    settings: NebSettings,
    progress: Callable[[str], None] | None = None,
    stage: Stage = lambda name, work: work(),
) -> HopBarrier:
    """Return the barrier of one hop.

    Parameters
    ----------
    crystal
        The relaxed crystal that the hop belongs to.
    hop
        From `find_hops`.
    calculator
        Gives an ASE calculator; asked for one in each stage.
    settings
        How.
    progress
        Called with a line that says how far it is.
    stage
        Keeps what a stage found, and gives it back where it is there.

    Raises
    ------
    InputError
        When the cell is too small for the hop.
    """
    sites, ion, initial, final = hop_ends(crystal, hop, settings.min_width_a, settings.repeats)
    if settings.held_beyond is not None:
        _hold(initial, final, ion, settings.held_beyond * hop.distance)
    ends = Ends(initial, final, ion, partial(_who_left, sites))
    return barrier_between(hop, ends, calculator, settings, progress, stage)


def hop_ends(
    crystal: Atoms, hop: VacancyHop, min_width_a: float, repeats: tuple[int, int, int] | None = None
) -> tuple[Atoms, int, Atoms, Atoms]:
    """Return the perfect cell, the index of the hopping ion without the removed one, and both ends, not relaxed.

    Parameters
    ----------
    crystal
        That the hop belongs to.
    hop
        From `find_hops`.
    min_width_a
        Least width of the cell in Å.
    repeats
        Of the crystal's own cell, instead.

    Raises
    ------
    InputError
        When the cell is too small for the hop.
    """
    sites = compact_supercell(crystal, min_width=min_width_a) if repeats is None else crystal.repeat(repeats)
    if hop.distance > LONGEST_OF_CELL * (size := shortest_image_distance(np.asarray(sites.cell.array))):
        raise InputError(
            f"found a hop of {hop.distance:.2f} Å in a cell whose images are {size:.2f} Å apart, expected more than "
            f"twice as much: raise {'min_width_a' if repeats is None else 'repeats'}"
        )
    start = crystal.positions[hop.start]
    ion, empty = (_nearest(sites, point) for point in (start, start + hop.vector))
    final = sites.copy()
    final.positions[ion] += hop.vector
    initial = sites.copy()
    for atoms in (initial, final):
        del atoms[empty]
    return sites, ion - (empty < ion), initial, final


def _hold(initial: Atoms, final: Atoms, ion: int, beyond_a: float) -> None:
    """Hold the atoms of both ends that are far from where the ion starts and where it arrives."""
    far = np.full(len(initial), True)
    for atoms in (initial, final):
        far &= find_mic(atoms.positions - atoms.positions[ion], atoms.cell, atoms.pbc)[1] > beyond_a
    for atoms in (initial, final):
        atoms.set_constraint(FixAtoms(np.flatnonzero(far)))


def _nearest(atoms: Atoms, point: NDArray[np.float64]) -> int:
    return int(np.argmin(find_mic(atoms.positions - point, atoms.cell, atoms.pbc)[1]))


def _who_left(sites: Atoms, before: Atoms, after: Atoms) -> str | None:
    """Return which atom has gone to another site, the empty one among them, or None.

    The lattice as a whole may drift: displacements count from their mean.
    """
    drift = (after.positions - before.positions).mean(axis=0)
    moved = after.positions - drift
    away = get_distances(moved, sites.positions, cell=sites.cell, pbc=sites.pbc)[1]
    away[after.numbers[:, None] != sites.numbers[None, :]] = np.inf
    own = get_distances(before.positions, sites.positions, cell=sites.cell, pbc=sites.pbc)[1].argmin(axis=1)
    now = away.argmin(axis=1)
    if not (strays := np.flatnonzero(now != own)).size:
        return None
    atom = int(strays[0])
    far = float(np.linalg.norm(moved[atom] - before.positions[atom]))
    return (
        f"{len(strays)} atoms left their sites, {after.symbols[atom]} {atom} by {far:.2f} Å: the vacancy does not "
        "stay where it was put"
    )
