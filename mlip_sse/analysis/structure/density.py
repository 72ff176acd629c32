"""Ion density on a grid, added up frame by frame in fractional coordinates, so that any cell and any pressure will do.

ρ(s) = ⟨ions in the voxel around s⟩ / (volume of a voxel of the mean cell)

Grid point i lies at i/n of a cell vector and stands for half a voxel to both sides. Smoothing is with a normalised
Gaussian sampled on the grid, images included: no count is lost and no density becomes negative.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.analysis.structure.cells import cell_widths, require_cell
from mlip_sse.analysis.structure.frames import fractional_frames
from mlip_sse.errors import InputError
from mlip_sse.trajectory.fractional_positions import consistent_cells

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["IonDensity", "gaussian_kernel", "ion_density"]

_MOST_VOXELS = 50_000_000
_KERNEL_REACH = 5.0


@dataclass(frozen=True, eq=False)
class IonDensity:
    """Mean number density of ions on a periodic grid.

    Parameters
    ----------
    values : (n_a, n_b, n_c) Å⁻³
        Point (i, j, k) lies at the fractions (i/n_a, j/n_b, k/n_c).
    counts : (n_a, n_b, n_c)
        How often an ion was seen in each voxel, not smoothed.
    cell : (3, 3) Å, the time-averaged cell
    n_samples
        Number of frames times the number of unit cells that were averaged: what a count is divided by.
    smoothing_a
        Standard deviation of the Gaussian in Å; 0 where the values are the counts themselves.
    """

    values: NDArray[np.float64]
    counts: NDArray[np.int64]
    cell: NDArray[np.float64]
    n_samples: int
    smoothing_a: float = 0.0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of grid points along each cell vector."""
        a, b, c = self.values.shape
        return a, b, c

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel in Å³."""
        return abs(float(np.linalg.det(self.cell))) / self.values.size

    @property
    def n_ions(self) -> float:
        """Number of ions in the cell, the integral of the density."""
        return float(self.values.sum()) * self.voxel_volume

    @property
    def least_density(self) -> float:
        """Density in Å⁻³ below which a point counts as unvisited: that of one visit, one standard deviation away."""
        if self.smoothing_a == 0.0:
            return 1.0 / (self.n_samples * self.voxel_volume)
        kernel = gaussian_kernel(self.shape, self.cell, self.smoothing_a)
        return float(kernel.max()) * math.exp(-0.5) / (self.n_samples * self.voxel_volume)

    def smoothed(self, width_a: float) -> "IonDensity":
        """Return the density of the same counts, smoothed with a Gaussian of a standard deviation in Å."""
        unit = self.n_samples * self.voxel_volume
        values = (
            self._convolved(gaussian_kernel(self.shape, self.cell, width_a)) / unit if width_a else self.counts / unit
        )
        return dataclasses.replace(self, values=values, smoothing_a=float(width_a))

    def effective_counts(self) -> NDArray[np.float64]:
        """Return on how many counts each value rests, (Σ K n)² / Σ K² n with the kernel K, (n_a, n_b, n_c)."""
        if self.smoothing_a == 0.0:
            return self.counts.astype(np.float64)
        kernel = gaussian_kernel(self.shape, self.cell, self.smoothing_a)
        first, second = self._convolved(kernel), self._convolved(kernel**2)
        tiny = 1e-12 * float(second.max(initial=0.0))
        effective: NDArray[np.float64] = np.where(second > tiny, first**2 / np.maximum(second, tiny or 1.0), 0.0)
        return effective

    def averaged(self, repeats: Sequence[int]) -> "IonDensity":
        """Return the mean over the unit cells of a supercell.

        Parameters
        ----------
        repeats : (3,)
            How many unit cells lie along each vector.

        Raises
        ------
        InputError
            When the grid is not cut evenly by them; choose them with `ion_density`.
        """
        parts = np.asarray(repeats, dtype=np.int64)
        if parts.shape != (3,) or (parts < 1).any() or (np.asarray(self.shape) % parts).any():
            raise InputError(
                f"found repeats {list(repeats)} for a grid {self.shape}, expected three numbers that divide it"
            )
        small = np.asarray(self.shape) // parts
        blocks = self.counts.reshape(parts[0], small[0], parts[1], small[1], parts[2], small[2])
        counts = blocks.sum(axis=(0, 2, 4))
        whole = IonDensity(counts * 1.0, counts, self.cell / parts[:, None], self.n_samples * int(parts.prod()))
        return whole.smoothed(self.smoothing_a)

    def _convolved(self, kernel: NDArray[np.float64]) -> NDArray[np.float64]:
        transform = np.fft.rfftn(self.counts) * np.fft.rfftn(kernel)
        sums: NDArray[np.float64] = np.fft.irfftn(transform, s=self.shape, axes=(0, 1, 2))
        # rounding of the transform, of either sign, where no ion has been
        return np.where(sums > 1e-13 * float(sums.max()), sums, 0.0)


def ion_density(
    trajectory: "Trajectory",
    atoms: NDArray[np.integer] | Sequence[int],
    resolution_a: float = 0.3,
    smoothing_a: float = 0.0,
    step: int = 1,
    repeats: Sequence[int] = (1, 1, 1),
) -> IonDensity:
    """Add up where some ions are, frame by frame.

    Parameters
    ----------
    trajectory
        Seen from the framework, else its drift blurs the density.
    atoms : (n,)
        Places of the ions.
    resolution_a
        Largest distance between grid planes in Å.
    smoothing_a
        Standard deviation of the Gaussian in Å, 0 for none.
    step
        Every how many frames one is taken.
    repeats : (3,)
        Unit cells of a supercell along each vector; the density is that of one, the mean over all.

    Raises
    ------
    InputError
        When there is no ion, or the grid would have more than 5·10⁷ points.
    """
    chosen = np.asarray(atoms, dtype=np.int64)
    if not chosen.size:
        raise InputError("found no ion whose density to map, expected at least one")
    if not 0 < resolution_a < np.inf or not 0 <= smoothing_a < np.inf:
        raise InputError(
            f"found resolution {resolution_a!r} and smoothing {smoothing_a!r} Å, expected positive numbers"
        )
    mean_cell = require_cell(consistent_cells(trajectory.cells).mean(axis=0))
    parts = np.asarray(repeats, dtype=np.int64)
    if parts.shape != (3,) or (parts < 1).any():
        raise InputError(f"found repeats {list(repeats)}, expected three whole numbers of at least 1")
    shape = np.ceil(cell_widths(mean_cell) / (parts * resolution_a) - 1e-9).astype(np.int64) * parts
    if shape.prod() > _MOST_VOXELS:
        raise InputError(
            f"found a grid of {' × '.join(map(str, shape))} points at {resolution_a:g} Å, expected at most "
            f"{_MOST_VOXELS:.0e}: choose a coarser resolution"
        )
    counts = np.zeros(tuple(shape.tolist()), dtype=np.int64)
    n_frames = 0
    for fractions, _ in fractional_frames(trajectory, step, chosen):
        _add(np.ascontiguousarray(fractions), counts)
        n_frames += 1
    density = IonDensity(counts * 1.0, counts, mean_cell, n_frames, float(smoothing_a))
    return density.averaged(parts.tolist())


def gaussian_kernel(shape: Sequence[int], cell: NDArray[np.float64], width_a: float) -> NDArray[np.float64]:
    """Return a periodic Gaussian around the origin of a grid, of sum one, cut at five standard deviations.

    Parameters
    ----------
    shape : (3,) number of grid points along each vector
    cell : (3, 3) Å
    width_a
        Standard deviation in Å.
    """
    points = np.asarray(shape, dtype=np.int64)
    reach = np.ceil(_KERNEL_REACH * width_a * points / cell_widths(cell)).astype(np.int64)
    steps = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    squared = (((steps / points) @ cell) ** 2).sum(axis=1)
    near = squared <= (_KERNEL_REACH * width_a) ** 2 * (1 + 1e-12)
    weights = np.exp(-0.5 * squared[near] / width_a**2)
    kernel = np.zeros(tuple(points.tolist()))
    np.add.at(kernel, tuple((steps[near] % points).T), weights / weights.sum())
    return kernel


@njit(cache=True, nogil=True)
def _add(fractions: NDArray[np.float64], counts: NDArray[np.int64]) -> None:
    n_a, n_b, n_c = counts.shape
    for i in range(len(fractions)):
        a = int(np.floor(fractions[i, 0] * n_a + 0.5)) % n_a
        b = int(np.floor(fractions[i, 1] * n_b + 0.5)) % n_b
        c = int(np.floor(fractions[i, 2] * n_c + 0.5)) % n_c
        counts[a, b, c] += 1
