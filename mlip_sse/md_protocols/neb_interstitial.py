"""Barriers of an interstitial ion with any ASE calculator: from void to void, or pushing a lattice ion on.

>>> from mlip_sse.md_protocols.neb_interstitial import neb_interstitial_hops
>>> for hop in neb_interstitial_hops(crystal, calculator):  # doctest: +SKIP
...     print(hop.hop.mechanism, hop.barrier_forward, hop.verdict)
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from ase import Atom, Atoms
from ase.geometry import find_mic
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.md_protocols.hop_barrier import HopBarrier
from mlip_sse.md_protocols.neb_pair import Ends, Stage, barrier_between, matched_distances
from mlip_sse.md_protocols.neb_specs import InterstitialSettings
from mlip_sse.md_protocols.neb_vacancy import relaxed_crystal
from mlip_sse.structures import compact_supercell, shortest_image_distance
from mlip_sse.structures.interstitials import InterstitialHop, interstitial_hops
from mlip_sse.structures.voids import interstitial_sites

__all__ = [
    "compute_interstitial_hop",
    "find_interstitial_hops",
    "interstitial_ends",
    "neb_interstitial_hops",
]

_STAYS_A = 1.5
"""Å; an end that relaxes by more than this at one ion is another one than was asked for."""


def neb_interstitial_hops(
    crystal: Atoms,
    calculator: Any,
    settings: InterstitialSettings | None = None,
    progress: Callable[[str], None] | None = None,
) -> Iterator[HopBarrier]:
    """Yield the barrier of each symmetry-distinct hop of an interstitial ion, shortest first.

    Parameters
    ----------
    crystal
        The perfect crystal, any cell of it.
    calculator
        An ASE calculator with energy, forces and stress; the cell with one ion more is what it makes of it, neutral.
    settings
        Which sites and hops, and how well converged.
    progress
        Called with a line that says how far it is.

    Raises
    ------
    InputError
        When there is no void or no hop, or more than ``max_hops``.
    RunError
        When the crystal cannot be relaxed.
    """
    chosen = settings if settings is not None else InterstitialSettings()
    tell = progress if progress is not None else lambda line: None
    relaxed = relaxed_crystal(crystal, calculator, chosen)
    hops = find_interstitial_hops(relaxed, chosen)
    for number, hop in enumerate(hops, start=1):
        head = f"hop {number} of {len(hops)}, {hop.mechanism}, {hop.distance:.3f} Å"

        def say(line: str, head: str = head) -> None:
            tell(f"{head}: {line}")

        yield compute_interstitial_hop(relaxed, hop, lambda: calculator, chosen, say)


def find_interstitial_hops(crystal: Atoms, settings: InterstitialSettings) -> tuple[InterstitialHop, ...]:
    """Return the hops that the settings ask for.

    Raises
    ------
    InputError
        When there is no void, or no hop, or too many.
    """
    sites = settings.sites
    if sites is None:
        found = interstitial_sites(crystal, max_sites=settings.max_sites, min_clearance=settings.min_clearance_a)
        sites = tuple(site.position for site in found)
    hops = interstitial_hops(
        crystal,
        settings.mobile,
        sites,
        settings.mechanisms,
        max_distance=settings.max_distance_a,
        reach=settings.reach,
    )
    if len(hops) > settings.max_hops:
        raise InputError(
            f"found {len(hops)} symmetry-distinct hops up to {hops[-1].distance:.2f} Å, expected at most "
            f"{settings.max_hops}: lower reach, max_distance_a or max_sites, or raise max_hops"
        )
    return hops


def compute_interstitial_hop(
    crystal: Atoms,
    hop: InterstitialHop,
    calculator: Callable[[], Any],
    settings: InterstitialSettings,
    progress: Callable[[str], None] | None = None,
    stage: Stage = lambda name, work: work(),
) -> HopBarrier:
    """Return the barrier of one hop.

    Parameters
    ----------
    crystal
        The relaxed crystal that the hop belongs to.
    hop
        From `find_interstitial_hops`.
    calculator, settings, progress, stage
        As in `neb_pair.barrier_between`.

    Raises
    ------
    InputError
        When the cell is too small for the hop.
    """
    initial, final = interstitial_ends(crystal, hop, settings.mobile, settings.min_width_a)
    ends = Ends(initial, final, len(initial) - 1, partial(_who_left, settings.mobile))
    return barrier_between(hop, ends, calculator, settings, progress, stage)


def interstitial_ends(crystal: Atoms, hop: InterstitialHop, mobile: str, min_width_a: float) -> tuple[Atoms, Atoms]:
    """Return both ends, not relaxed; the interstitial ion is the last atom.

    Parameters
    ----------
    crystal
        That the hop belongs to.
    hop
        From `find_interstitial_hops`.
    mobile
        What hops.
    min_width_a
        Least width of the cell in Å.

    Raises
    ------
    InputError
        When the cell is too small for the hop.
    """
    sites = compact_supercell(crystal, min_width=min_width_a)
    longest = max(hop.distance, 0.0 if hop.push_from is None else float(np.linalg.norm(hop.push_from)))
    if longest > 0.45 * (size := shortest_image_distance(np.asarray(sites.cell.array))):
        raise InputError(
            f"found a hop of {longest:.2f} Å in a cell whose images are {size:.2f} Å apart, expected more than "
            "twice as much: raise min_width_a"
        )
    origin, vector = np.array(hop.origin), np.array(hop.vector)
    initial = sites.copy()
    initial.append(Atom(mobile, origin))
    final = initial.copy()
    if hop.push_from is None:
        final.positions[-1] = origin + vector
        return initial, final
    push = np.array(hop.push_from)
    pushed = _nearest(sites, origin + push)
    final.positions[-1] = origin + push
    final.positions[pushed] += vector - push
    return initial, final


def _nearest(atoms: Atoms, point: NDArray[np.float64]) -> int:
    return int(np.argmin(find_mic(atoms.positions - point, atoms.cell, atoms.pbc)[1]))


def _who_left(mobile: str, before: Atoms, after: Atoms) -> str | None:
    """Return which atom went further than an interstitial that stays makes it go, or None; like atoms are matched."""
    _, distances = matched_distances(before, after)
    atom = int(np.argmax(distances))
    if (far := float(distances[atom])) <= _STAYS_A:
        return None
    what = "the interstitial" if before.symbols[atom] == mobile else f"an ion of the lattice ({before.symbols[atom]})"
    return f"{what} went {far:.2f} Å: it does not stay where it was put"
