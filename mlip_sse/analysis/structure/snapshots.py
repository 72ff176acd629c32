"""The frames of a trajectory as structures: coordinates that fit the cell of their own frame, one frame at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["Snapshot", "snapshots"]

_SAME_CELL = 1e-9


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

    Unwrapped coordinates are sums of steps, each times the cell of its own frame; where the cell varies they are turned
    into fractions step by step, and the fractions times the cell of the frame are the structure.

    Parameters
    ----------
    trajectory
        Unwrapped coordinates; its reference frame is of no consequence here.
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
    varies = np.abs(trajectory.cells - trajectory.cells[0]).max() > _SAME_CELL
    fractions = previous = np.empty(0)
    sums: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    for frame in range(trajectory.n_frames):
        place = frame % stride
        if place >= n_averaged and not varies:
            continue
        positions = np.asarray(trajectory.positions[frame], dtype=np.float64)
        cell = np.asarray(trajectory.cells[frame], dtype=np.float64)
        if varies:
            inverse = np.linalg.inv(cell)
            fractions = positions @ inverse if frame == 0 else fractions + (positions - previous) @ inverse
            previous = positions
            positions = fractions @ cell
        if place >= n_averaged:
            continue
        if n_averaged == 1:
            yield Snapshot(frame, positions, cell)
            continue
        within = fractions if varies else positions
        sums = (within, cell) if place == 0 or sums is None else (sums[0] + within, sums[1] + cell)
        if place == n_averaged - 1:
            mean_cell = sums[1] / n_averaged
            mean = sums[0] / n_averaged
            yield Snapshot(frame - place, mean @ mean_cell if varies else mean, mean_cell)
