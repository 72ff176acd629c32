"""One elastic band between two relaxed ends: path, convergence, the top and the curvatures there.

Plain functions on ASE atoms and any calculator. A band is an array of positions (n_images, n_atoms, 3), unwrapped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlip_sse.errors import InputError, RunError
from mlip_sse.md_protocols.attempt_frequency import KNOWN_STEP, moving_atoms, partial_hessian
from mlip_sse.md_protocols.neb_mirror import ImageForces, Mirror, MirroredForces

__all__ = [
    "CURVATURE_STEP",
    "BandSettings",
    "ConvergedBand",
    "band_curvatures",
    "converge_band",
    "curvature_along",
    "energy_profile",
    "first_path",
    "highest_point",
    "path_coordinate",
    "path_extrema",
    "tangent_at",
]

_SPRING = 0.3
"""eV/Å²; it only spaces the images."""
_DEEPEST = 2.0
"""eV; an image so far below both ends fell into a hole of the potential, no ion of a crystal gains so much."""
CURVATURE_STEP = KNOWN_STEP
"""Å, of the finite differences; far above what single precision makes of a force."""
_SAME = 1e-3
"""eV; a potential whose energies of an image and its mirror image differ by more does not know the symmetry."""


class BandSettings(Protocol):
    """What a band needs to know."""

    @property
    def n_images(self) -> int:
        """Images between the ends."""

    @property
    def band_fmax(self) -> float:
        """Largest force on an atom of the band, in eV/Å."""

    @property
    def climb_below(self) -> float:
        """The highest image climbs as soon as the band is converged to this, in eV/Å."""

    @property
    def band_steps(self) -> int:
        """Steps after which it is given up."""


@dataclass(frozen=True, eq=False)
class ConvergedBand:
    """A band where the optimiser left it.

    Parameters
    ----------
    positions : (n_images, n_atoms, 3) Å, ends included
    energies : (n_images,) eV
    forces : (n_images, n_atoms, 3) eV/Å, of the potential
    residual
        Largest force of the band on an atom, in eV/Å.
    n_steps
        Steps taken.
    is_converged
        Whether the residual is as small as asked for.
    """

    positions: NDArray[np.float64]
    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    residual: float
    n_steps: int
    is_converged: bool

    @property
    def top(self) -> int:
        """Index of the highest image between the ends."""
        return 1 + int(np.argmax(self.energies[1:-1]))


def first_path(initial: Atoms, final: Atoms, n_images: int) -> NDArray[np.float64]:
    """Return a first band by image-dependent pair potentials (IDPP).

    Parameters
    ----------
    initial, final
        The relaxed ends, atoms in the same order, no atom further from itself than half the cell.
    n_images
        Images between them.

    Returns
    -------
    (n_images + 2, n_atoms, 3) Å

    References
    ----------
    Smidstrup et al., J. Chem. Phys. 140, 214106 (2014), doi:10.1063/1.4878664
    """
    from ase.mep import NEB

    images = [initial.copy() for _ in range(n_images + 1)] + [final.copy()]
    neb = NEB(images, k=_SPRING, method="improvedtangent", allow_shared_calculator=True)
    # Held atoms stay; what roundings make of them between the ends is not asked about.
    neb.interpolate(method="idpp", mic=True, apply_constraint=True)
    return np.array([image.positions for image in images])


def converge_band(
    template: Atoms,
    positions: NDArray[np.float64],
    calculator: Any,
    settings: BandSettings,
    progress: Callable[[int, float], None] | None = None,
    mirror: Mirror | None = None,
) -> ConvergedBand:
    """Bring a band to the minimum-energy path, its highest image to the saddle.

    Parameters
    ----------
    template
        Cell and species.
    positions : (n_images, n_atoms, 3) Å
        Where to start; the ends stay.
    calculator
        An ASE calculator.
    settings
        When it counts as converged.
    progress
        Called after each step with its number and the residual (eV/Å).
    mirror
        What maps the band on its way back: half of the images are computed then, and the others at the end. Where
        they turn out not to be mirror images for this calculator, the whole band is converged.

    Raises
    ------
    RunError
        When the potential stops, or a force is not finite.

    References
    ----------
    Henkelman, Uberuaga & Jónsson, J. Chem. Phys. 113, 9901 (2000), doi:10.1063/1.1329672; Henkelman & Jónsson, J. Chem.
    Phys. 113, 9978 (2000), doi:10.1063/1.1323224; optimiser: Makri, Ortner & Kermode, J. Chem. Phys. 150, 094109
    (2019), doi:10.1063/1.5064465
    """
    n_steps, residual = 0, np.inf
    if mirror is not None:
        positions = mirror.symmetrised(positions)
    for climb, fmax in ((False, max(settings.climb_below, settings.band_fmax)), (True, settings.band_fmax)):
        positions, residual, taken = _optimised(
            template, positions, calculator, fmax, settings.band_steps - n_steps, climb, progress, mirror
        )
        n_steps += taken
        if residual > fmax:
            break
    images = [_image(template, each, ImageForces(calculator)) for each in positions]
    energies = np.array([float(image.get_potential_energy()) for image in images])
    forces = np.array([image.get_forces() for image in images])
    if mirror is not None and np.abs(energies - energies[::-1]).max() > _SAME:
        return converge_band(template, positions, calculator, settings, progress)
    return ConvergedBand(positions, energies, forces, residual, n_steps, residual <= settings.band_fmax)


def _optimised(
    template: Atoms,
    positions: NDArray[np.float64],
    calculator: Any,
    fmax: float,
    max_steps: int,
    climb: bool,
    progress: Callable[[int, float], None] | None,
    mirror: Mirror | None,
) -> tuple[NDArray[np.float64], float, int]:
    """Return positions, residual (eV/Å) and number of steps of one optimisation."""
    from ase.mep import NEB
    from ase.optimize import FIRE

    class Band(NEB):  # type: ignore[misc]
        """Keeps its forces: the residual of ASE leaves out the image that climbs."""

        def get_forces(self) -> NDArray[np.float64]:
            self.last_forces = np.asarray(super().get_forces(), dtype=np.float64)
            return self.last_forces

    images = [_image(template, each, ImageForces(calculator)) for each in positions]
    if mirror is not None:
        for place in range(1, len(images) // 2):
            images[-1 - place].calc = MirroredForces(images[place], mirror)
    neb = Band(images, k=_SPRING, climb=climb, method="improvedtangent", allow_shared_calculator=True)
    # ASE asks the ends for their energies in each step: with one calculator for all it would compute them anew.
    for end in (images[0], images[-1]):
        _freeze(end)
    optimizer = FIRE(neb, logfile=None)
    residual = np.inf
    for _ in optimizer.irun(fmax=0.0, steps=max(0, max_steps)):
        residual = float(np.linalg.norm(neb.last_forces, axis=1).max())
        if (depth := min(neb.energies[0], neb.energies[-1]) - neb.energies.min()) > _DEEPEST:
            raise RunError(f"an image fell {depth:.3g} eV below the ends: the potential has a hole there")
        if not np.isfinite(residual):
            raise RunError("found a force on the band that is not finite")
        if progress is not None:
            progress(optimizer.nsteps, residual)
        if residual <= fmax:
            break
    reached = np.array([image.positions for image in images])
    # Roundings of hundreds of steps must not part the halves.
    return reached if mirror is None else mirror.symmetrised(reached), residual, optimizer.nsteps


def _freeze(image: Atoms) -> None:
    from ase.calculators.singlepoint import SinglePointCalculator

    energy, forces = float(image.get_potential_energy()), np.array(image.get_forces())
    image.calc = SinglePointCalculator(image, energy=energy, forces=forces)


def _image(template: Atoms, positions: NDArray[np.float64], calculator: Any) -> Atoms:
    image = template.copy()
    image.positions[:] = positions
    image.calc = calculator
    return image


def path_coordinate(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the length of the path up to each image, (n_images,) Å, all atoms counted."""
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=(1, 2))
    return np.concatenate([[0.0], np.cumsum(steps)])


def tangent_at(positions: NDArray[np.float64], index: int) -> NDArray[np.float64]:
    """Return the direction of the path at an image, (n_atoms, 3), of unit length."""
    tangent = np.gradient(positions, path_coordinate(positions), axis=0)[index]
    return np.asarray(tangent / np.linalg.norm(tangent))


def energy_profile(band: ConvergedBand, n_points: int = 50) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lengths (Å) and energies (eV) of the cubic Hermite spline through energies and forces along the path.

    Every ``n_points``-th point is an image.
    """
    from scipy.interpolate import CubicHermiteSpline

    along = path_coordinate(band.positions)
    tangents = np.array([tangent_at(band.positions, index) for index in range(len(along))])
    slopes = -(band.forces * tangents).sum(axis=(1, 2))
    spline = CubicHermiteSpline(along, band.energies, slopes)
    parts = np.arange(n_points * (len(along) - 1) + 1) / n_points
    points = np.interp(parts, np.arange(len(along)), along)
    return points, np.asarray(spline(points))


def highest_point(band: ConvergedBand) -> float:
    """Return the highest energy (eV) of the spline through the band."""
    return float(energy_profile(band)[1].max())


def path_extrema(band: ConvergedBand, least: float) -> list[dict[str, Any]]:
    """Return all maxima and minima between the ends, in their order.

    Parameters
    ----------
    band
        Converged.
    least
        eV; a dip or a bump of the images that is smaller does not count.

    Returns
    -------
    One for each: ``kind`` (maximum or minimum), ``image``, ``energy_ev`` from the start, ``path_a`` along the path and
    ``length_a`` of the whole.
    """
    along, energies = path_coordinate(band.positions), band.energies
    found: list[dict[str, Any]] = []
    last, sign = 0, 1.0  # climb until the energy falls by more than `least`, fall until it rises by more, and so on
    for image in range(1, len(energies)):
        if sign * (energies[image] - energies[last]) > 0:
            last = image
        elif sign * (energies[last] - energies[image]) > least:
            if last > 0:
                kind = "maximum" if sign > 0 else "minimum"
                found.append({"kind": kind, "image": last, "energy_ev": float(energies[last] - energies[0])})
            last, sign = image, -sign
    return [{**each, "path_a": float(along[each["image"]]), "length_a": float(along[-1])} for each in found]


def curvature_along(
    template: Atoms, positions: NDArray[np.float64], direction: NDArray[np.float64], calculator: Any
) -> float:
    """Return the second derivative of the energy along a direction (n_atoms, 3) of unit length, in eV/Å²."""
    ahead, back = (
        _image(template, positions + sign * 2 * CURVATURE_STEP * direction, calculator).get_forces()
        for sign in (1.0, -1.0)
    )
    return float(((back - ahead) * direction).sum() / (4 * CURVATURE_STEP))


def band_curvatures(
    template: Atoms, positions: NDArray[np.float64], calculator: Any, ion: int, n_neighbours: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return the curvatures of the energy for an ion and its nearest neighbours, the rest held.

    Between the eigenvalues of a part of a Hessian lie those of the whole: as many as are negative here are negative in
    the whole, at least.

    Parameters
    ----------
    template
        Cell and species.
    positions : (n_atoms, 3) Å
        Of the image at the top.
    calculator
        An ASE calculator.
    ion, n_neighbours
        Which atom, and how many beside it.

    Returns
    -------
    values : (3 k,) eV/Å², ascending
    modes : (3 k, n_atoms, 3), of unit length
    hessian : (3 k, 3 k) eV/Å²
    atoms : (k,), which they are, the ion first
    """
    if n_neighbours < 0:
        raise InputError(f"found {n_neighbours} neighbours, expected 0 or more")
    chosen = moving_atoms(template, positions[None], ion, n_neighbours)
    hessian = partial_hessian(template, positions, calculator, chosen, CURVATURE_STEP)
    values, vectors = np.linalg.eigh(hessian)
    modes = np.zeros((len(values), len(template), 3))
    modes[:, chosen] = vectors.T.reshape(len(values), len(chosen), 3)
    return values, modes, hessian, chosen
