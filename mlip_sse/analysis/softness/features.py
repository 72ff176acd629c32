"""The structure functions of softness, of chosen ions at chosen frames, on positions that are averaged in time."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.structure.neighbours import neighbour_list
from mlip_sse.analysis.structure.symmetry_functions import (
    AngularTerms,
    angular_functions,
    angular_names,
    radial_functions,
    radial_names,
)
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["StructureFunctions"]


@dataclass(frozen=True)
class StructureFunctions:
    """Which functions describe the surroundings of an ion.

    Parameters
    ----------
    species
        The species around an ion, each with functions of its own.
    mu_first, mu_last, mu_step, width
        Å; Gaussians of standard deviation ``width`` at distances from first to last.
    angular_ranges, angular_signs, angular_sharpness
        ξ in Å, λ and ζ, all combinations; none leaves the angular functions out.
    angular_cutoff
        Å; that of the radial functions lies four widths beyond the last distance.
    average_ps
        Positions are averaged over this time around a frame to remove vibration; 0 for inherent structures.
    """

    species: tuple[str, ...]
    mu_first: float = 1.6
    mu_last: float = 6.0
    mu_step: float = 0.2
    width: float = 0.1
    angular_ranges: tuple[float, ...] = (3.0, 5.0)
    angular_signs: tuple[float, ...] = (-1.0, 1.0)
    angular_sharpness: tuple[float, ...] = (1.0, 4.0)
    angular_cutoff: float = 4.5
    average_ps: float = 0.2

    def __post_init__(self) -> None:
        if not self.species or not 0 < self.mu_first <= self.mu_last or not self.mu_step > 0:
            raise InputError(
                f"found species {self.species} and distances {self.mu_first:g} to {self.mu_last:g} by "
                f"{self.mu_step:g} Å, expected at least one species and rising positive distances"
            )

    @cached_property
    def mu(self) -> NDArray[np.float64]:
        """Middles of the Gaussians, (n_mu,) Å."""
        n_mu = int(np.floor((self.mu_last - self.mu_first) / self.mu_step + 1e-6)) + 1
        middles: NDArray[np.float64] = self.mu_first + self.mu_step * np.arange(n_mu, dtype=np.float64)
        return middles

    @property
    def radial_cutoff(self) -> float:
        """Å, where the last Gaussian has faded."""
        return self.mu_last + 4.0 * self.width

    @cached_property
    def terms(self) -> AngularTerms | None:
        """Parameters of the angular functions."""
        if not (self.angular_ranges and self.angular_signs and self.angular_sharpness):
            return None
        return AngularTerms.of_all(self.angular_ranges, self.angular_signs, self.angular_sharpness)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the functions, in the order of the columns."""
        names = radial_names(self.species, np.round(self.mu, 6))
        return (*names, *(angular_names(self.species, self.terms) if self.terms else ()))

    def kinds(self, trajectory: "Trajectory") -> NDArray[np.int64]:
        """Return the number of each atom's species, (n_atoms,).

        Raises
        ------
        InputError
            When the trajectory does not hold exactly these species.
        """
        present = set(map(str, trajectory.species))
        if present != set(self.species):
            raise InputError(
                f"the trajectory holds {', '.join(sorted(present))}; the structure functions are made for "
                f"{', '.join(sorted(self.species))}: use a softness that was fitted for the same species"
            )
        return np.array([self.species.index(str(symbol)) for symbol in trajectory.species], dtype=np.int64)

    def averaged_frames(self, frame_spacing_fs: float) -> int:
        """Return the frames on either side of a frame that its positions are averaged over."""
        return int(0.5 * 1000.0 * self.average_ps / frame_spacing_fs + 1e-6)

    def evaluate(
        self, trajectory: "Trajectory", frames: NDArray[np.integer], atoms: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """Return the functions of samples.

        Parameters
        ----------
        frames, atoms : (n_samples,)
            Frame and atom of each sample; samples of one frame cost one neighbour search.

        Returns
        -------
        (n_samples, n_functions)
        """
        kinds = self.kinds(trajectory)
        frames, atoms = np.asarray(frames), np.asarray(atoms)
        out = np.empty((len(frames), len(self.names)), dtype=np.float32)
        order = np.argsort(frames, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(frames[order]) != 0]) if len(order) else np.empty(0, np.int64)
        for first, last in zip(starts, np.r_[starts[1:], len(order)], strict=True):
            rows = order[first:last]
            positions, cell = self.averaged(trajectory, int(frames[rows[0]]))
            out[rows] = self._around(positions, cell, kinds, atoms[rows].astype(np.int64))
        return out

    def averaged(self, trajectory: "Trajectory", frame: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return positions (n_atoms, 3) and cell (3, 3) in Å, averaged in time around a frame."""
        reach = self.averaged_frames(trajectory.frame_spacing_fs)
        around = slice(max(0, frame - reach), min(trajectory.n_frames, frame + reach + 1))
        positions = trajectory.positions[around].mean(axis=0, dtype=np.float64)
        return positions, np.asarray(trajectory.cells[around], dtype=np.float64).mean(axis=0)

    def _around(
        self,
        positions: NDArray[np.float64],
        cell: NDArray[np.float64],
        kinds: NDArray[np.int64],
        centres: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        n_kinds = len(self.species)
        near = neighbour_list(positions, cell, self.radial_cutoff, centres)
        parts = [
            radial_functions(
                positions, cell, kinds, centres, self.mu, self.width, self.radial_cutoff,
                n_kinds=n_kinds, neighbours=near,
            )
        ]  # fmt: skip
        if self.terms is not None:
            parts.append(
                angular_functions(positions, cell, kinds, centres, self.terms, self.angular_cutoff, n_kinds=n_kinds)
            )
        return np.hstack(parts)
