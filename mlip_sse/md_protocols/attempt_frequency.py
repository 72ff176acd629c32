"""Attempt frequencies of hops after Vineyard, from the vibrations at the minimum and at the saddle.

ν* = ∏ᵢ νᵢ(minimum) / ∏ⱼ νⱼ(saddle), the one imaginary mode of the saddle left out; where all atoms move, the three
translations too. Where only the ion and its neighbours move, the rest held, there are no translations, and smaller
groups of neighbours say how far that has converged.

References
----------
G. H. Vineyard, J. Phys. Chem. Solids 3, 121 (1957), doi:10.1016/0022-3697(57)90059-8
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from numpy.typing import NDArray

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.errors import InputError
from mlip_sse.md_protocols.neb_mirror import ImageForces

__all__ = [
    "AttemptFrequency",
    "attempt_frequencies",
    "hop_rate_thz",
    "mode_frequencies_thz",
    "moving_atoms",
    "partial_hessian",
    "vineyard_thz",
]

_THZ = 15.63330424
"""THz of a mode of 1 eV/(Å² amu): √(e/(amu Å²))/2π."""
_SOFTEST_THZ = 0.1
"""Modes below are softer than finite differences of a lattice can tell from none."""
_BOLTZMANN_EV_K = 8.617333262e-5
KNOWN_STEP = 0.02
"""Å, of the Hessian that is known beforehand."""
_SMALLEST_SHELL = 0.5
"""Of the neighbours; smaller groups say nothing of how far the larger ones have converged."""
_N_SHELLS = 4


class VibrationSettings(Protocol):
    """What the vibrations need to know."""

    @property
    def n_neighbours(self) -> int:
        """Atoms beside the ion that move."""

    @property
    def steps_a(self) -> Sequence[float]:
        """Steps of the finite differences in Å."""

    @property
    def temperature_k(self) -> float:
        """Of the rate."""


@dataclass(frozen=True)
class AttemptFrequency:
    """The attempt frequency of one direction of a hop.

    Parameters
    ----------
    frequency_thz
        None where it was refused. The interval spans the steps and the groups of neighbours that were tried; it is no
        statistical one.
    n_moving
        Atoms that move.
    is_whole
        Whether those are all.
    minimum_thz, saddle_thz
        The frequencies, ascending, imaginary ones negative, of the largest group with the first step.
    verdict
        Refused with imaginary modes at the minimum, or not exactly one at the saddle.
    """

    frequency_thz: Interval | None
    n_moving: int
    is_whole: bool
    minimum_thz: NDArray[np.float64]
    saddle_thz: NDArray[np.float64]
    verdict: Verdict

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "frequency_thz": self.frequency_thz,
            "n_moving": self.n_moving,
            "is_whole": self.is_whole,
            "minimum_thz": self.minimum_thz,
            "saddle_thz": self.saddle_thz,
            "quality": self.verdict.quality,
            "reasons": self.verdict.reasons,
        }


def moving_atoms(template: Atoms, path: NDArray[np.float64], ion: int, n_neighbours: int) -> NDArray[np.int64]:
    """Return the ion and the atoms that it comes nearest to along a path, nearest first; (n_neighbours + 1,).

    Parameters
    ----------
    template
        Cell and species; what it holds does not move.
    path : (n_images, n_atoms, 3) Å
    ion, n_neighbours
        Which atom, and how many beside it.
    """
    nearest = np.min([find_mic(image - image[ion], template.cell, template.pbc)[1] for image in path], axis=0)
    nearest[ion] = -1.0
    ordered = np.argsort(np.round(nearest, 4), kind="stable")
    held = np.concatenate([[], *(constraint.get_indices() for constraint in template.constraints)])
    return np.asarray(ordered[~np.isin(ordered, held)][: n_neighbours + 1])


def partial_hessian(
    template: Atoms, positions: NDArray[np.float64], calculator: Any, atoms: NDArray[np.int64], step_a: float
) -> NDArray[np.float64]:
    """Return the second derivatives of the energy for some atoms, the rest held, (3 k, 3 k) eV/Å²; central differences.

    Parameters
    ----------
    template
        Cell and species.
    positions : (n_atoms, 3) Å
    calculator
        An ASE calculator.
    atoms : (k,), which move
    step_a
        Å.
    """
    image = template.copy()
    image.calc = ImageForces(calculator)
    rows = []
    for atom in atoms:
        for axis in range(3):
            pair = []
            for sign in (1.0, -1.0):
                image.positions[:] = positions
                image.positions[atom, axis] += sign * step_a
                pair.append(image.get_forces()[atoms].ravel())
            rows.append((pair[1] - pair[0]) / (2 * step_a))
    hessian = np.array(rows)
    return np.asarray(0.5 * (hessian + hessian.T))


def mode_frequencies_thz(
    hessian: NDArray[np.float64], masses_amu: NDArray[np.float64], is_whole: bool
) -> NDArray[np.float64]:
    """Return the frequencies in THz, ascending, imaginary ones negative; (3 k,), or (3 k - 3,) without translations.

    Parameters
    ----------
    hessian : (3 k, 3 k) eV/Å²
    masses_amu : (k,)
    is_whole
        Whether these are all atoms, so that three of the modes are translations.
    """
    roots = np.sqrt(np.repeat(masses_amu, 3))
    dynamical = hessian / np.outer(roots, roots)
    if is_whole:
        from scipy.linalg import null_space

        translations = np.tile(np.eye(3), len(masses_amu)) * roots
        basis = null_space(translations)
        dynamical = basis.T @ dynamical @ basis
    values = np.linalg.eigvalsh(dynamical)
    return np.asarray(np.sign(values) * np.sqrt(np.abs(values)) * _THZ)


def vineyard_thz(minimum_thz: NDArray[np.float64], saddle_thz: NDArray[np.float64]) -> float:
    """Return ∏ν(minimum)/∏ν(saddle) in THz, the lowest mode of the saddle left out.

    Raises
    ------
    InputError
        When a mode at the minimum is imaginary, or not exactly one at the saddle, or one is too soft to be told.
    """
    if (n_below := int(np.count_nonzero(minimum_thz < 0))) > 0:
        raise InputError(
            f"found {n_below} imaginary modes at the minimum (the lowest {minimum_thz[0]:.2f} THz), expected none: "
            "lower fmax, or the end is no minimum"
        )
    if (n_below := int(np.count_nonzero(saddle_thz < 0))) != 1:
        shown = ", ".join(f"{value:.2f}" for value in saddle_thz[: max(2, n_below)])
        raise InputError(
            f"found {n_below} imaginary modes at the saddle (the lowest {shown} THz), expected one: lower band_fmax, "
            "or the top is no saddle"
        )
    softest = min(float(minimum_thz[0]), float(saddle_thz[1])) if len(saddle_thz) > 1 else float(minimum_thz[0])
    if softest < _SOFTEST_THZ:
        raise InputError(f"found a mode of {softest:.2f} THz, expected {_SOFTEST_THZ:g} or more: too soft to be told")
    return float(np.exp(np.log(minimum_thz).sum() - np.log(saddle_thz[1:]).sum()))


def attempt_frequencies(
    template: Atoms,
    path: NDArray[np.float64],
    top: int,
    ion: int,
    calculator: Any,
    settings: VibrationSettings,
    is_symmetric: bool = False,
    progress: Callable[[str], None] | None = None,
    known: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None,
) -> tuple[AttemptFrequency, AttemptFrequency]:
    """Return the attempt frequencies there and back.

    Parameters
    ----------
    template
        Cell and species.
    path : (n_images, n_atoms, 3) Å
        The converged band, both minima among its images.
    top
        Index of the saddle.
    ion
        What hops.
    calculator
        An ASE calculator.
    settings
        How many atoms move, and by what steps.
    is_symmetric
        Whether symmetry makes both the same: the way back is not computed then.
    progress
        Called with a line that says how far it is.
    known
        Atoms and their Hessian at the saddle with steps of 0.02 Å, where they have been computed before: it serves
        for that step where these atoms are enough.
    """
    tell = progress if progress is not None else lambda line: None
    atoms = moving_atoms(template, path, ion, settings.n_neighbours)
    if known is not None and len(known[0]) >= len(atoms):
        atoms = known[0][: len(atoms)]
    masses = template.get_masses()[atoms]
    hessians: dict[str, list[NDArray[np.float64]]] = {}
    places = {"start": path[0], "saddle": path[top], **({} if is_symmetric else {"end": path[-1]})}
    for name, positions in places.items():
        hessians[name] = []
        for step in settings.steps_a:
            if name == "saddle" and step == KNOWN_STEP and known is not None and len(known[0]) >= len(atoms):
                hessians[name].append(known[1][: 3 * len(atoms), : 3 * len(atoms)])
                continue
            tell(f"vibrations of {len(atoms)} atoms at the {name}, {step:g} Å")
            hessians[name].append(partial_hessian(template, positions, calculator, atoms, step))
    is_whole = len(atoms) == len(template)
    forward = _frequency(hessians["start"], hessians["saddle"], masses, is_whole)
    return forward, forward if is_symmetric else _frequency(hessians["end"], hessians["saddle"], masses, is_whole)


def _frequency(
    minimum: Sequence[NDArray[np.float64]],
    saddle: Sequence[NDArray[np.float64]],
    masses: NDArray[np.float64],
    is_whole: bool,
) -> AttemptFrequency:
    """Return Vineyard's frequency of the first step, the others and the smaller groups in its interval."""
    n_atoms = len(masses)
    sizes = {n_atoms}
    if not is_whole:
        smallest = max(1, round(_SMALLEST_SHELL * n_atoms))
        sizes |= {int(size) for size in np.linspace(smallest, n_atoms, _N_SHELLS).round()}
    at_minimum, at_saddle = (mode_frequencies_thz(each[0], masses, is_whole) for each in (minimum, saddle))
    found: dict[tuple[int, int], float] = {}
    verdict = Verdict()
    for at in range(len(minimum)):
        for size in sorted(sizes, reverse=True):
            modes = [
                mode_frequencies_thz(each[at][: 3 * size, : 3 * size], masses[:size], is_whole)
                for each in (minimum, saddle)
            ]
            try:
                found[at, size] = vineyard_thz(*modes)
            except InputError as error:
                if size == n_atoms:
                    verdict = verdict.refuse(str(error))
    if verdict.reasons:
        return AttemptFrequency(
            None, n_atoms, is_whole, at_minimum, at_saddle, Verdict(verdict.quality, verdict.reasons[:1])
        )
    value, low, high = found[0, n_atoms], min(found.values()), max(found.values())
    tried = f"{len(minimum)} steps" + (
        "" if is_whole else f" and {len(sizes)} groups of {min(sizes)} to {n_atoms} atoms"
    )
    method = f"Vineyard, finite differences; interval: the span of {tried}"
    if len(found) == 1:
        verdict = verdict.weaken("one step alone says nothing of its error: give two steps_a")
    if high > 2 * low:
        verdict = verdict.weaken(f"the frequency depends on steps and neighbours, {low:.2g} to {high:.2g} THz")
    interval = Interval(value, low, high, 0.95, method)
    return AttemptFrequency(interval, n_atoms, is_whole, at_minimum, at_saddle, verdict)


def hop_rate_thz(frequency_thz: float, barrier_ev: float, temperature_k: float) -> float:
    """Return ν* exp(-E/kT) in THz: how often an ion hops that way, by harmonic transition-state theory."""
    return float(frequency_thz * np.exp(-barrier_ev / (_BOLTZMANN_EV_K * temperature_k)))


def frequency_or_none(plain: Mapping[str, Any] | None) -> float | None:
    """Return the frequency in THz that plain data hold."""
    found = None if plain is None else plain["frequency_thz"]
    return None if found is None else float(found["value"])
