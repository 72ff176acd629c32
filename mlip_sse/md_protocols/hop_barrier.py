"""The barrier of one hop: the number, its interval, and what speaks against it."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from ase import Atoms

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.md_protocols.neb_band import ConvergedBand, highest_point, path_coordinate, path_extrema

__all__ = ["SAME_ENERGY", "Hop", "HopBarrier", "judged"]

SAME_ENERGY = 0.005
"""eV; what symmetry makes equal may differ by so much."""
_STIFFNESS = 1.0
"""eV/Å², m ω² of a lithium ion at 6 THz: softer vibrations of a lattice of ions are rare."""
_SOFTEST = 0.05
"""eV/Å²; a curvature below is one that could not be told from none."""
_MOVES = 1.0


class Hop(Protocol):
    """What a barrier must know of its hop, whatever hops."""

    @property
    def distance(self) -> float:
        """Length in Å."""

    @property
    def is_reversible(self) -> bool:
        """Whether symmetry maps it on its own way back."""

    @property
    def are_sites_equivalent(self) -> bool:
        """Whether symmetry makes the energies of both ends equal."""

    def figures(self) -> dict[str, Any]:
        """Return what a table says of it."""


@dataclass(frozen=True, eq=False)
class HopBarrier:
    """The barrier of one hop, or why there is none.

    Parameters
    ----------
    hop
        Which.
    verdict
        Refused where there is no barrier; weak where something speaks against it.
    barrier_forward, barrier_backward
        eV; the interval is what the forces that are left may hide.
    reaction_energy
        eV, end minus start.
    band
        The converged images.
    ends : (2, n_atoms, 3) Å, the relaxed ends
    curvatures : (3,) eV/Å², the lowest of the ion and its neighbours at the top
    curvature_along : eV/Å², along the path at the top
    moving
        Atoms that end more than 1 Å from where they started.
    template
        Cell and species of the images.
    attempt_frequency
        There and back with intervals, as `attempt_frequency.AttemptFrequency.to_dict` gives them; None where it was
        not asked for.
    """

    hop: Hop
    verdict: Verdict
    barrier_forward: Interval | None = None
    barrier_backward: Interval | None = None
    reaction_energy: float | None = None
    band: ConvergedBand | None = None
    curvatures: tuple[float, ...] = ()
    curvature_along: float | None = None
    moving: tuple[int, ...] = ()
    n_pushes: int = 0
    template: Atoms | None = None
    attempt_frequency: dict[str, Any] | None = None

    @property
    def images(self) -> list[Atoms]:
        """The images with energy and forces, the ends among them; none where it was refused before the band."""
        from ase.calculators.singlepoint import SinglePointCalculator

        images = []
        if self.band is not None and self.template is not None:
            for positions, energy, forces in zip(
                self.band.positions, self.band.energies, self.band.forces, strict=True
            ):
                image = self.template.copy()
                image.positions[:] = positions
                image.calc = SinglePointCalculator(image, energy=float(energy), forces=forces)
                images.append(image)
        return images

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; energies of the images are given from the start."""
        band = self.band
        along = None if band is None else path_coordinate(band.positions)
        return {
            **self.hop.figures(),
            "barrier_forward_ev": self.barrier_forward,
            "barrier_backward_ev": self.barrier_backward,
            "reaction_energy_ev": self.reaction_energy,
            "path_a": along,
            "path_length_a": None if along is None else along[-1],
            "energies_ev": None if band is None else band.energies - band.energies[0],
            "highest_image": None if band is None else band.top,
            "extrema": None if band is None else path_extrema(band, SAME_ENERGY),
            "attempt_frequency": self.attempt_frequency,
            "residual_ev_a": None if band is None else band.residual,
            "n_steps": None if band is None else band.n_steps,
            "curvatures_ev_a2": self.curvatures,
            "curvature_along_ev_a2": self.curvature_along,
            "n_moving": len(self.moving),
            "n_pushes": self.n_pushes,
            "n_atoms": None if self.template is None else len(self.template),
            "quality": self.verdict.quality,
            "reasons": self.verdict.reasons,
        }


def judged(
    hop: Hop,
    verdict: Verdict,
    template: Atoms,
    ends: dict[str, Any],
    found: dict[str, Any],
    n_pushes: int,
) -> HopBarrier:
    """Return the barrier of a converged band with what speaks against it.

    Parameters
    ----------
    hop
        Which.
    verdict
        What the ends already said.
    template
        Cell and species.
    ends
        ``residuals`` (eV/Å): the norm of the forces left at each end.
    found
        The band as `neb_vacancy` keeps it: positions, energies, forces, residual, n_steps, modes, curvatures, along.
    n_pushes
        How often it was pushed aside.
    """
    band = ConvergedBand(
        found["positions"], found["energies"], found["forces"], float(found["residual"]), int(found["n_steps"]), True
    )
    energies, top = band.energies, band.top
    moving = np.flatnonzero(np.linalg.norm(band.positions[-1] - band.positions[0], axis=1) > _MOVES)
    result = HopBarrier(
        hop=hop,
        verdict=verdict,
        reaction_energy=float(energies[-1] - energies[0]),
        band=band,
        curvatures=tuple(float(value) for value in found["curvatures"]),
        curvature_along=float(found["along"]),
        moving=tuple(int(atom) for atom in moving),
        n_pushes=n_pushes,
        template=template,
    )
    if energies[top] <= max(energies[0], energies[-1]) + SAME_ENERGY:
        return replace(
            result, verdict=verdict.refuse("no image lies above both ends: there is no barrier between them")
        )
    stiffness = max(_SOFTEST, min(_STIFFNESS, *np.abs([found["along"], *found["curvatures"]])))
    at_top = float(np.linalg.norm(band.forces[top])) ** 2 / stiffness
    barriers = [
        _interval(float(energies[top] - energies[end]), at_top + float(residual) ** 2 / stiffness)
        for end, residual in ((0, ends["residuals"][0]), (-1, ends["residuals"][1]))
    ]
    return replace(
        result,
        verdict=_doubts(band, found, verdict),
        barrier_forward=barriers[0],
        barrier_backward=barriers[1],
    )


def _interval(barrier: float, slack: float) -> Interval:
    method = "climbing image; interval: forces left at top and end, times the displacement they could still cause"
    return Interval(barrier, barrier - slack, barrier + slack, 0.95, method)


def _doubts(band: ConvergedBand, found: dict[str, Any], verdict: Verdict) -> Verdict:
    """Weaken the verdict by what a converged band still shows."""
    energies = band.energies
    if found["along"] >= 0:
        verdict = verdict.weaken(f"the curvature along the path is {found['along']:.3g} eV/Å² at the top: no maximum")
    if n_aside := len(found["modes"]):
        verdict = verdict.weaken(f"the top falls off in {n_aside + 1} directions: a lower path leads aside")
    if (missed := highest_point(band) - energies[band.top]) > SAME_ENERGY:
        verdict = verdict.weaken(
            f"the path rises {missed * 1000:.0f} meV above its highest image: too few images, or kinks in the energy"
        )
    for dip in (each for each in path_extrema(band, SAME_ENERGY) if each["kind"] == "minimum"):
        verdict = verdict.weaken(
            f"the path has a minimum {dip['energy_ev']:+.3f} eV from the start, {dip['path_a']:.2f} of "
            f"{dip['length_a']:.2f} Å along it: two hops"
        )
    return verdict
