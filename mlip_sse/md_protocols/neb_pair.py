"""One hop between two given ends: both relaxed, the band between them, its top looked at, and what speaks against it.

The ends come from a vacancy, an interstitial or a user; this is what they have in common.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import find_mic, get_distances
from numpy.typing import NDArray

from mlip_sse.analysis.results import Verdict, to_plain
from mlip_sse.errors import InputError, RunError
from mlip_sse.md_protocols.attempt_frequency import attempt_frequencies, hop_rate_thz
from mlip_sse.md_protocols.hop_barrier import SAME_ENERGY, Hop, HopBarrier, judged
from mlip_sse.md_protocols.neb_band import (
    band_curvatures,
    converge_band,
    curvature_along,
    first_path,
    tangent_at,
)
from mlip_sse.md_protocols.neb_mirror import Mirror, find_mirror
from mlip_sse.md_protocols.neb_specs import PairSettings
from mlip_sse.md_protocols.relaxation import Relaxation, relax_atoms

__all__ = ["Ends", "Stage", "are_same_minimum", "barrier_between", "matched_distances"]

Stage = Callable[[str, Callable[[], dict[str, Any]]], dict[str, Any]]
"""Does a part of the work, or gives what it gave before: its name and what does it in, arrays and words out."""

_PUSH = 0.2
_MAX_PUSHES = 2
_NEGATIVE = -0.05
_SAME_PLACE = 0.3
"""Å; ends whose like atoms can be matched within this are one minimum."""


@dataclass(frozen=True, eq=False)
class Ends:
    """The two ends of a hop, not relaxed.

    Parameters
    ----------
    initial, final
        Atoms in the same order, each of the two where the hop takes it.
    ion
        The atom whose surroundings at the top are looked at.
    who_left
        Says of an end, as it was put and as it relaxed, what moved away from where it belongs; None where all is well.
    """

    initial: Atoms
    final: Atoms
    ion: int
    who_left: Callable[[Atoms, Atoms], str | None] = lambda before, after: None


def barrier_between(
    hop: Hop,
    given: Ends,
    calculator: Callable[[], Any],
    settings: PairSettings,
    progress: Callable[[str], None] | None = None,
    stage: Stage = lambda name, work: work(),
) -> HopBarrier:
    """Return the barrier between two ends.

    Parameters
    ----------
    hop
        What is known of it.
    given
        The ends.
    calculator
        Gives an ASE calculator; asked for one in each stage.
    settings
        How.
    progress
        Called with a line that says how far it is.
    stage
        Keeps what a stage found, and gives it back where it is there.
    """
    tell = progress if progress is not None else lambda line: None
    initial, final = given.initial.copy(), given.final.copy()
    mirror = find_mirror(initial, final) if settings.symmetrise and hop.is_reversible else None
    ends = stage("ends", partial(_relaxed_ends, given, mirror, calculator, settings, tell))
    verdict = _verdict_of_ends(ends, hop)
    for atoms, relaxed in ((initial, ends["positions"][0]), (final, ends["positions"][1])):
        atoms.positions[:] = relaxed
    if verdict.quality != "refused" and are_same_minimum(initial, final):
        verdict = verdict.refuse("both ends relax to the same site: found one minimum, expected two; choose other ends")
    if verdict.quality == "refused":
        return HopBarrier(hop, verdict, template=initial)
    path = first_path(initial, final, settings.n_images)
    if not ends.get("is_mirrored"):
        mirror = None
    for n_pushes in range(_MAX_PUSHES + 1):
        work = partial(_converged, initial, given.ion, path, calculator, settings, tell, mirror)
        found = stage(f"band_{n_pushes}", work)
        if found["reason"]:
            return HopBarrier(hop, verdict.refuse(found["reason"]), template=initial, n_pushes=n_pushes)
        if n_pushes == _MAX_PUSHES or (better := _better_path(found)) is None:
            break
        path, mirror = better, None
    result = judged(hop, verdict, initial, ends, found, n_pushes)
    if settings.vibrations is None or result.barrier_forward is None:
        return result
    is_symmetric = bool(ends.get("is_mirrored"))
    vibrations = stage(
        "vibrations", partial(_vibrations, result, given.ion, is_symmetric, calculator, settings, tell, found)
    )
    return replace(result, attempt_frequency=vibrations["found"])


def are_same_minimum(one: Atoms, other: Atoms, tolerance: float = _SAME_PLACE) -> bool:
    """Return whether like atoms of two structures can be matched within a tolerance in Å, a common drift apart."""
    return float(np.max(matched_distances(one, other)[1])) < tolerance


def matched_distances(one: Atoms, other: Atoms) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Match like atoms so that the sum of squared distances is smallest.

    Parameters
    ----------
    one, other
        The same species, as often, in the same cell.

    Returns
    -------
    order : (n_atoms,)
        Which atom of ``other`` each atom of ``one`` is matched with.
    distances : (n_atoms,) Å, the mean displacement taken off

    References
    ----------
    H. W. Kuhn, Nav. Res. Logist. Q. 2, 83 (1955), doi:10.1002/nav.3800020109
    """
    from scipy.optimize import linear_sum_assignment

    apart = get_distances(one.positions, other.positions, cell=one.cell, pbc=one.pbc)[1]
    order = np.empty(len(one), dtype=np.int64)
    for number in np.unique(one.numbers):
        mine, theirs = np.flatnonzero(one.numbers == number), np.flatnonzero(other.numbers == number)
        rows, columns = linear_sum_assignment(apart[np.ix_(mine, theirs)] ** 2)
        order[mine[rows]] = theirs[columns]
    steps = find_mic(other.positions[order] - one.positions, one.cell, one.pbc)[0]
    return order, np.linalg.norm(steps - steps.mean(axis=0), axis=1)


def _relaxed_ends(
    given: Ends,
    mirror: Mirror | None,
    calculator: Callable[[], Any],
    settings: PairSettings,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Relax both ends in the fixed cell; the reasons say what went wrong.

    Where symmetry maps one on the other, the mirror image of the first is the second, if its forces agree.
    """
    relaxed: list[Relaxation] = []
    reasons: list[str] = []
    model = calculator()
    both = (given.initial, given.final)
    unrelaxed = {"positions": np.array([each.positions for each in both])}
    for name, atoms in zip(("start", "end"), both, strict=True):
        start = atoms
        if relaxed and mirror is not None:
            start = atoms.copy()
            start.positions[:] = mirror.positions(relaxed[0].atoms.positions)
        try:
            found = relax_atoms(
                start,
                model,
                fmax=settings.fmax,
                max_steps=settings.max_steps,
                progress=partial(_say, tell, name),
            )
        except (RunError, InputError) as error:
            return {**unrelaxed, "reasons": [f"{name}: {error}"]}
        relaxed.append(found)
        reasons += [f"{name}: {reason}" for reason in found.verdict.reasons]
        if not reasons and (left := given.who_left(atoms, found.atoms)) is not None:
            reasons.append(f"{name}: {left}")
        if reasons:  # the other end would be computed for nothing
            return {**unrelaxed, "reasons": reasons}
    energies = np.array([found.energy for found in relaxed])
    is_mirrored = mirror is not None and relaxed[1].n_steps == 0 and bool(abs(np.diff(energies)[0]) < SAME_ENERGY)
    return {
        "positions": np.array([found.atoms.positions for found in relaxed]),
        "energies": energies,
        "residuals": np.array([np.linalg.norm(found.forces) for found in relaxed]),
        "reasons": reasons,
        "is_mirrored": is_mirrored,
    }


def _say(tell: Callable[[str], None], what: str, step: int, force: float) -> None:
    tell(f"{what}, step {step}, {force:.3g} eV/Å")


def _verdict_of_ends(ends: dict[str, Any], hop: Hop) -> Verdict:
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
    settings: PairSettings,
    tell: Callable[[str], None],
    mirror: Mirror | None,
) -> dict[str, Any]:
    """Converge a band and look at the curvatures of its top; ``modes`` leads aside, where it is no saddle."""
    model = calculator()
    try:
        band = converge_band(template, path, model, settings, partial(_say, tell, "band"), mirror)
        if not band.is_converged:
            reason = f"the band is not converged after {band.n_steps} steps: found {band.residual:.3g} eV/Å, expected "
            return {"reason": f"{reason}{settings.band_fmax:g}; raise band_steps"}
        values, modes, hessian, shell = band_curvatures(
            template, band.positions[band.top], model, ion, settings.n_neighbours
        )
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
        "hessian": hessian,
        "shell": shell,
        "along": along,
    }


def _vibrations(
    result: HopBarrier,
    ion: int,
    is_symmetric: bool,
    calculator: Callable[[], Any],
    settings: PairSettings,
    tell: Callable[[str], None],
    top: dict[str, Any],
) -> dict[str, Any]:
    """Return the attempt frequencies there and back, and the rates; the curvatures at the top serve again."""
    band, wanted = result.band, settings.vibrations
    if band is None or wanted is None or result.template is None:
        return {"found": None}
    forward, back = attempt_frequencies(
        result.template,
        band.positions,
        band.top,
        ion,
        calculator(),
        wanted,
        is_symmetric,
        tell,
        (top["shell"], top["hessian"]),
    )
    found: dict[str, Any] = {"temperature_k": wanted.temperature_k, "forward": forward, "backward": back}
    for name, each, barrier in (
        ("forward", forward, result.barrier_forward),
        ("backward", back, result.barrier_backward),
    ):
        frequency = None if each.frequency_thz is None else each.frequency_thz.value
        is_known = frequency is not None and barrier is not None and barrier.value is not None
        found[f"rate_{name}_thz"] = (
            hop_rate_thz(frequency, barrier.value, wanted.temperature_k) if is_known else None  # type: ignore[union-attr, arg-type]
        )
    return {"found": to_plain(found)}


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
