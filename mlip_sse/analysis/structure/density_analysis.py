"""Where the ions of a trajectory are: density, peaks, free energy and the barriers to cross the crystal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlip_sse.analysis.results import Verdict
from mlip_sse.analysis.structure.density import IonDensity, ion_density
from mlip_sse.analysis.structure.density_peaks import DensityPeaks, density_peaks
from mlip_sse.analysis.structure.free_energy import FreeEnergyMap, Percolation, free_energy_map, percolation
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["DensityMapResult", "DensityMaps"]


@dataclass(frozen=True, eq=False)
class DensityMapResult:
    """Density of some ions and what follows from it.

    Parameters
    ----------
    species
        Of the ions.
    density
        Smoothed, of the cell or of one unit cell.
    peaks
        Places with most ions, None where there is no peak.
    free_energy, percolation
        None where the temperature is not known.
    isosurface_level
        Density in Å⁻³ at which the channels of the highest dimension close up, else half of the highest density.
    n_frames
        Number of frames added up.
    verdict
        With the reasons of the parts.
    """

    species: tuple[str, ...]
    density: IonDensity
    peaks: DensityPeaks | None
    free_energy: FreeEnergyMap | None
    percolation: Percolation | None
    isosurface_level: float
    n_frames: int
    verdict: Verdict


@dataclass(frozen=True)
class DensityMaps:
    """Settings of a density map.

    Parameters
    ----------
    species
        Whose density.
    resolution_a
        Largest distance between grid planes in Å.
    smoothing_a
        Standard deviation of the Gaussian in Å; free-energy barriers narrower than that come out too low.
    repeats
        Unit cells of a supercell along each vector, over which the density is averaged.
    most_frames
        At most about so many frames are added up, evenly spaced.
    confidence
        Of the intervals.
    """

    species: Sequence[str] = ("Li",)
    resolution_a: float = 0.25
    smoothing_a: float = 0.25
    repeats: tuple[int, int, int] = (1, 1, 1)
    most_frames: int = 20_000
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.most_frames < 1:
            raise InputError(f"most_frames must be at least 1, found {self.most_frames}")

    def run(self, trajectory: "Trajectory") -> DensityMapResult:
        """Map a trajectory, which is seen from its framework, else drift blurs the map.

        Raises
        ------
        InputError
            When a species is not there, or the grid would be too fine.
        """
        step = -(-trajectory.n_frames // self.most_frames)
        atoms = trajectory.indices(self.species)
        density = ion_density(trajectory, atoms, self.resolution_a, self.smoothing_a, step, self.repeats)
        verdict = Verdict()
        if trajectory.reference == "none":
            verdict = verdict.weaken("the reference frame is none: a drift of the framework blurs the density")
        peaks: DensityPeaks | None = None
        try:
            peaks = density_peaks(density)
        except InputError as error:
            verdict = verdict.weaken(str(error))
        level = 0.5 * float(density.values.max())
        free_energy, levels = None, None
        if trajectory.temperature_k is None:
            verdict = verdict.weaken("the temperature is not known: no free energy, no barriers")
        else:
            free_energy = free_energy_map(density, trajectory.temperature_k)
            levels = percolation(free_energy, self.confidence)
            for reason in levels.verdict.reasons:
                verdict = verdict.weaken(reason)
            level = _closing_density(density, free_energy, levels, level)
        n_frames = len(range(0, trajectory.n_frames, step))
        return DensityMapResult(tuple(self.species), density, peaks, free_energy, levels, level, n_frames, verdict)


def _closing_density(density: IonDensity, free_energy: FreeEnergyMap, levels: Percolation, without: float) -> float:
    barriers = [each.value for each in levels.dimensions_ev if each is not None and each.value is not None]
    if not barriers:
        return without
    reached = free_energy.values <= max(barriers) * (1 + 1e-12) + 1e-12
    return float(np.min(density.values[reached]))
