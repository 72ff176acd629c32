"""Barriers of vacancy hops with any ASE calculator: ends, path, saddle, and what speaks against the number.

>>> from mlip_sse.md_protocols.neb_vacancy import neb_vacancy_hops
>>> for hop in neb_vacancy_hops(crystal, calculator):  # doctest: +SKIP
...     print(hop.hop.distance, hop.barrier_forward, hop.verdict)
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import find_mic, get_distances
from numpy.typing import NDArray

from mlip_sse.analysis.results import Verdict
from mlip_sse.errors import InputError, RunError
from mlip_sse.md_protocols.hop_barrier import SAME_ENERGY, HopBarrier, judged
from mlip_sse.md_protocols.neb_band import (
    band_curvatures,
    converge_band,
    curvature_along,
    first_path,
    tangent_at,
)
from mlip_sse.md_protocols.neb_specs import NebSettings
from mlip_sse.md_protocols.relaxation import Relaxation, relax_atoms
from mlip_sse.structures import VacancyHop, compact_supercell, shortest_image_distance, vacancy_hops

__all__ = ["HopBarrier", "compute_hop", "find_hops", "hop_ends", "neb_vacancy_hops", "relaxed_crystal"]

Stage = Callable[[str, Callable[[], dict[str, Any]]], dict[str, Any]]
"""Does a part of the work, or gives what it gave before: its name and what does it in, arrays and words out."""

_PUSH = 0.2
_MAX_PUSHES = 2
_NEGATIVE = -0.05


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


def relaxed_crystal(crystal: Atoms, calculator: Any, settings: NebSettings) -> Atoms:
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
    hops = vacancy_hops(crystal, settings.mobile, settings.max_distance_a)
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
    tell = progress if progress is not None else lambda line: None
    sites, ion, initial, final = hop_ends(crystal, hop, settings.min_width_a)
    ends = stage("ends", partial(_relaxed_ends, sites, (initial, final), calculator, settings, tell))
    verdict = _verdict_of_ends(ends, hop)
    for start, relaxed in ((initial, ends["positions"][0]), (final, ends["positions"][1])):
        start.positions[:] = relaxed
    if verdict.quality == "refused":
        return HopBarrier(hop, verdict, template=initial)
    path = first_path(initial, final, settings.n_images)
    for n_pushes in range(_MAX_PUSHES + 1):
        found = stage(f"band_{n_pushes}", partial(_converged, initial, ion, path, calculator, settings, tell))
        if found["reason"]:
            return HopBarrier(hop, verdict.refuse(found["reason"]), template=initial, n_pushes=n_pushes)
        if n_pushes == _MAX_PUSHES or (better := _better_path(found)) is None:
            break
        path = better
    return judged(hop, verdict, initial, ends, found, n_pushes)


def hop_ends(crystal: Atoms, hop: VacancyHop, min_width_a: float) -> tuple[Atoms, int, Atoms, Atoms]:
    """Return the perfect cell, the index of the hopping ion without the removed one, and both ends, not relaxed.

    Parameters
    ----------
    crystal
        That the hop belongs to.
    hop
        From `find_hops`.
    min_width_a
        Least width of the cell in Å.

    Raises
    ------
    InputError
        When the cell is too small for the hop.
    """
    sites = compact_supercell(crystal, min_width=min_width_a)
    if hop.distance > 0.45 * (size := shortest_image_distance(np.asarray(sites.cell.array))):
        raise InputError(
            f"found a hop of {hop.distance:.2f} Å in a cell whose images are {size:.2f} Å apart, expected more than "
            "twice as much: raise min_width_a"
        )
    start = crystal.positions[hop.start]
    ion, empty = (_nearest(sites, point) for point in (start, start + hop.vector))
    final = sites.copy()
    final.positions[ion] += hop.vector
    initial = sites.copy()
    for atoms in (initial, final):
        del atoms[empty]
    return sites, ion - (empty < ion), initial, final


def _nearest(atoms: Atoms, point: NDArray[np.float64]) -> int:
    return int(np.argmin(find_mic(atoms.positions - point, atoms.cell, atoms.pbc)[1]))


def _relaxed_ends(
    sites: Atoms,
    ends: Sequence[Atoms],
    calculator: Callable[[], Any],
    settings: NebSettings,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Relax both ends in the fixed cell; the reasons say what went wrong."""
    relaxed: list[Relaxation] = []
    reasons, model = [], calculator()
    for name, atoms in zip(("start", "end"), ends, strict=True):
        try:
            found = relax_atoms(
                atoms,
                model,
                fmax=settings.fmax,
                max_steps=settings.max_steps,
                progress=partial(_say, tell, name),
            )
        except (RunError, InputError) as error:
            return {"positions": np.array([each.positions for each in ends]), "reasons": [f"{name}: {error}"]}
        relaxed.append(found)
        reasons += [f"{name}: {reason}" for reason in found.verdict.reasons]
        if not reasons and (left := _who_left(sites, atoms, found.atoms)) is not None:
            reasons.append(f"{name}: {left}")
    return {
        "positions": np.array([found.atoms.positions for found in relaxed]),
        "energies": np.array([found.energy for found in relaxed]),
        "residuals": np.array([np.linalg.norm(found.forces) for found in relaxed]),
        "reasons": reasons,
    }


def _say(tell: Callable[[str], None], what: str, step: int, force: float) -> None:
    tell(f"{what}, step {step}, {force:.3g} eV/Å")


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


def _verdict_of_ends(ends: dict[str, Any], hop: VacancyHop) -> Verdict:
    verdict = Verdict()
    for reason in ends["reasons"]:
        verdict = verdict.refuse(reason)
    if verdict.reasons or not hop.are_sites_equivalent:
        return verdict
    if (apart := float(abs(ends["energies"][1] - ends["energies"][0]))) > SAME_ENERGY:
        verdict = verdict.weaken(
            f"the ends are {apart * 1000:.1f} meV apart, and symmetry makes them equal: they relaxed to other minima"
        )
    return verdict


def _converged(
    template: Atoms,
    ion: int,
    path: NDArray[np.float64],
    calculator: Callable[[], Any],
    settings: NebSettings,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Converge a band and look at the curvatures of its top; ``modes`` leads aside, where it is no saddle."""
    model = calculator()
    try:
        band = converge_band(template, path, model, settings, partial(_say, tell, "band"))
        if not band.is_converged:
            reason = f"the band is not converged after {band.n_steps} steps: found {band.residual:.3g} eV/Å, expected "
            return {"reason": f"{reason}{settings.band_fmax:g}; raise band_steps"}
        values, modes = band_curvatures(template, band.positions[band.top], model, ion, settings.n_neighbours)
        tangent = tangent_at(band.positions, band.top)
        along = curvature_along(template, band.positions[band.top], tangent, model)
    except RunError as error:
        return {"reason": f"the band: {error}"}
    negative = modes[values < _NEGATIVE]
    overlap = np.abs((negative * tangent).sum(axis=(1, 2)))
    # One of them is the way over the saddle; another one leads down, aside.
    aside = negative[np.argsort(overlap)][: max(0, len(negative) - 1)]
    return {
        "reason": "",
        "positions": band.positions,
        "energies": band.energies,
        "forces": band.forces,
        "residual": band.residual,
        "n_steps": band.n_steps,
        "modes": aside,
        "curvatures": values[:3],
        "along": along,
    }


def _better_path(found: dict[str, Any]) -> NDArray[np.float64] | None:
    """Return where to start again from a band whose top is no saddle; None where it is one."""
    positions = np.asarray(found["positions"])
    if found["modes"].shape[0]:
        return _pushed(positions, found["modes"][0])
    if found["along"] < 0:
        return None
    # The highest image climbed into a dip between two saddles: images between the images find one of them.
    finer = np.empty((2 * len(positions) - 1, *positions.shape[1:]))
    finer[::2], finer[1::2] = positions, 0.5 * (positions[1:] + positions[:-1])
    return finer


def _pushed(positions: NDArray[np.float64], mode: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a band bent along a mode, most in the middle, the ends where they were."""
    shape = np.sin(np.pi * np.linspace(0, 1, len(positions)))
    sign = np.sign(mode.ravel()[np.argmax(np.abs(mode))])
    return np.asarray(positions + _PUSH * sign * shape[:, None, None] * mode)
