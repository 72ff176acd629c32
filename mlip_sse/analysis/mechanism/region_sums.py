"""What is counted on a trajectory for diffusion in regions: displacements of ions that stay, and lengths of stays."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.ion_paths import fractional_paths
from mlip_sse.analysis.mechanism.slabs import Region, add_displacements, add_runs

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["RegionSums", "count_regions"]

_MOST_GROUPS = 24
_N_BLOCKS = 10
_BLOCK_BYTES = 32 << 20


@dataclass(frozen=True, eq=False)
class RegionSums:
    """Sums of one region, by group of ions and block of time, for intervals that leave one of either out.

    Parameters
    ----------
    region
        Where.
    lags : (n_lags,) frames
    sums : (n_groups, n_blocks, n_lags, 3)
        Squared displacements in the plane and along the normal in Å², and times in frames: up
        to the lag, or to the first frame outside where that is earlier.
    counts : (n_groups, n_blocks, n_lags, 2) origins, and those of them whose ion has not left
    ended, open_ended : (n_frames + 1,)
        Stays by length, see `mlip_sse.analysis.mechanism.slabs.survivors`.
    """

    region: Region
    lags: NDArray[np.int64]
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]
    ended: NDArray[np.int64]
    open_ended: NDArray[np.int64]

    @property
    def n_frames(self) -> int:
        """Frames of the trajectory."""
        return int(self.ended.shape[-1]) - 1

    @property
    def n_groups(self) -> int:
        """Groups of ions."""
        return int(self.counts.shape[0])

    def frames_inside(self) -> int:
        """Return the ions times frames spent inside."""
        return int((self.ended + self.open_ended) @ np.arange(self.n_frames + 1))

    def without(self, part: int | None, axis: int) -> "RegionSums":
        """Return the sums without one group of ions (axis 0) or block of time (axis 1); all of them for None."""
        if part is None:
            return self
        kept = np.flatnonzero(np.arange(self.sums.shape[axis]) != part)
        return replace(self, sums=self.sums.take(kept, axis), counts=self.counts.take(kept, axis))


def count_regions(
    trajectory: "Trajectory",
    ions: NDArray[np.intp],
    axis: int,
    directions: NDArray[np.float64],
    lags: NDArray[np.int64],
    regions: Sequence[Region],
    cage: int,
) -> list[RegionSums]:
    """Count displacements and stays in several regions while reading the ions once.

    Parameters
    ----------
    trajectory
        In the reference frame of its framework.
    ions : (n_ions,) atoms
    axis
        Cell vector that the regions lie along.
    directions : (3, 3) two directions in the plane, then the normal
    lags : (n_lags,) frames, increasing
    regions
        Where.
    cage
        Frames that positions are averaged over, before the start and after the end of each displacement.
    """
    n_groups = min(_MOST_GROUPS, len(ions))
    n_frames = trajectory.n_frames
    sums = []
    for region in regions:
        parts = (n_groups, min(_N_BLOCKS, n_frames), len(lags))
        sums.append(
            RegionSums(
                region,
                lags,
                np.zeros((*parts, 3)),
                np.zeros((*parts, 2), dtype=np.int64),
                np.zeros(n_frames + 1, dtype=np.int64),
                np.zeros(n_frames + 1, dtype=np.int64),
            )
        )
    step = max(1, _BLOCK_BYTES // (24 * n_frames))
    for first in range(0, len(ions), step):
        chosen = ions[first : first + step]
        groups = (np.arange(first, first + len(chosen)) % n_groups).astype(np.int64)
        along = np.ascontiguousarray(fractional_paths(trajectory, chosen)[:, :, axis].T)
        (block,) = trajectory.ion_blocks(chosen, dtype=np.float64, max_bytes=2 * _BLOCK_BYTES)
        before, after = _averages(np.einsum("kd,ndt->nkt", directions, block, optimize=True), cage)
        for part in sums:
            centres, halves = part.region.centres, part.region.half_widths
            add_runs(along, centres, halves, part.ended, part.open_ended)
            add_displacements(along, before, after, cage, groups, centres, halves, lags, part.sums, part.counts)
    return sums


def _averages(paths: NDArray[np.float64], cage: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean position in the frames before each frame, and in the frames after it.

    Which of an ion's vibrations carries it across a border is no accident, so the frame of its exit, and that of its
    entry, would count vibration as way. The frames before and after know nothing of it.

    Parameters
    ----------
    paths : (n, 3, n_frames) Å
    cage
        Number of frames.

    Returns
    -------
    before, after : (n, 3, n_frames) Å, zero in the first and the last ``cage`` frames
    """
    n_frames = paths.shape[2]
    sums = np.concatenate([np.zeros((*paths.shape[:2], 1)), np.cumsum(paths, axis=2)], axis=2)
    means = (sums[:, :, cage:] - sums[:, :, :-cage]) / cage
    before, after = np.zeros_like(paths, order="C"), np.zeros_like(paths, order="C")
    before[:, :, cage:] = means[:, :, : n_frames - cage]
    after[:, :, : n_frames - cage] = means[:, :, 1:]
    return before, after
