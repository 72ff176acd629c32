"""The frames of a trajectory as structures: coordinates that fit the cell of their own frame, one frame at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.structure.frames import fractional_frames
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["Snapshot", "snapshots"]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One frame, or the mean of several consecutive ones.

    Parameters
    ----------
    frame
        Number of the (first) frame.
    positions : (n_atoms, 3) Å, unwrapped
    cell : (3, 3) Å, rows are the cell vectors
    """

    frame: int
    positions: NDArray[np.float64]
    cell: NDArray[np.float64]


def snapshots(trajectory: "Trajectory", stride: int = 1, n_averaged: int = 1) -> Iterator[Snapshot]:
    """Yield every ``stride``-th frame as a structure.

    Where the cell varies, coordinates are those that fit the cell of the frame; see
    `mlip_sse.analysis.structure.frames.fractional_frames`.

    Parameters
    ----------
    trajectory
        Read whole, not a window of one at constant pressure.
    stride
        Distance from one structure to the next, in frames.
    n_averaged
        Number of consecutive frames over which fractions and cell are averaged, to remove vibration; at most `stride`
        or 1, so that structures do not share frames. Frames left over at the end are dropped.

    Raises
    ------
    InputError
        When the numbers make no sense, or the trajectory has fewer frames than one structure takes.
    """
    if stride < 1 or n_averaged < 1 or n_averaged > max(stride, 1):
        raise InputError(f"found stride {stride} and {n_averaged} frames averaged, expected 1 ≤ averaged ≤ stride")
    if trajectory.n_frames < n_averaged:
        raise InputError(f"found {trajectory.n_frames} frames, expected at least the {n_averaged} to be averaged")
    if n_averaged == 1:
        for k, (fractions, cell) in enumerate(fractional_frames(trajectory, stride)):
            yield Snapshot(k * stride, fractions @ cell, cell)
        return
    fraction_sum, cell_sum = np.empty(0), np.empty(0)
    for frame, (fractions, cell) in enumerate(fractional_frames(trajectory)):
        place = frame % stride
        if place == 0:
            fraction_sum, cell_sum = fractions.copy(), cell.copy()
        elif place < n_averaged:
            fraction_sum += fractions
            cell_sum += cell
        if place == n_averaged - 1:
            mean_cell = cell_sum / n_averaged
            yield Snapshot(frame - place, fraction_sum / n_averaged @ mean_cell, mean_cell)
