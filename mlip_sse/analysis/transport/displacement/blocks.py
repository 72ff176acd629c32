"""Blocks of ions: the shape in which coordinates reach the displacement kernels.

A block is (n_ions, 3, n_frames), contiguous in time, so that a kernel runs along memory. A trajectory longer than
memory is a sequence of blocks, as `mlip_sse.trajectory.model.Trajectory.ion_blocks` yields them; a statistic that is a
mean over ions needs one block at a time.
"""

from collections.abc import Iterable, Iterator
from typing import Never

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError

__all__ = ["Positions", "position_blocks", "refuse_not_finite"]

Positions = NDArray[np.floating] | Iterable[NDArray[np.floating]]
"""(n_ions, 3, n_frames) Å, or an iterable of such blocks."""


def position_blocks(positions: Positions) -> Iterator[NDArray[np.floating]]:
    """Yield C-contiguous blocks of float32 or float64 with their shapes checked.

    Parameters
    ----------
    positions : (n_ions, 3, n_frames) Å, or an iterable of such blocks

    Raises
    ------
    InputError
        When a block has another shape or type, or another number of frames than the first.
    """
    n_frames: int | None = None
    for block in [positions] if isinstance(positions, np.ndarray) else positions:
        if block.ndim != 3 or block.shape[1] != 3 or block.shape[0] == 0:
            raise InputError(f"positions have shape {block.shape}, expected (n_ions, 3, n_frames) with n_ions >= 1")
        if block.dtype not in (np.float32, np.float64):
            raise InputError(f"positions have type {block.dtype}, expected float32 or float64")
        if n_frames is not None and block.shape[2] != n_frames:
            raise InputError(f"a block has {block.shape[2]} frames, the first one {n_frames}: all need the same")
        n_frames = block.shape[2]
        yield np.ascontiguousarray(block)
    if n_frames is None:
        raise InputError("no ions were given, expected at least one block of positions")


def refuse_not_finite(block: NDArray[np.floating], n_ions_before: int) -> Never:
    """Name the first coordinate that is not finite, or, where all are, the overflow.

    Called after a kernel gave a sum that is not finite, which costs nothing where all is well.

    Parameters
    ----------
    block : (n_ions, 3, n_frames) Å
    n_ions_before
        Ions in the blocks before this one, so that the message counts from the first ion.

    Raises
    ------
    InputError
        Always.
    """
    for ion, coordinates in enumerate(block):
        bad = np.argwhere(~np.isfinite(coordinates))
        if len(bad):
            axis, frame = (int(found) for found in bad[0])
            raise InputError(
                f"{'xyz'[axis]} of ion {n_ions_before + ion} in frame {frame} is {coordinates[axis, frame]}, "
                "expected a finite number: repair or cut the trajectory"
            )
    raise InputError(
        f"squared displacements overflow {block.dtype}: coordinates reach {np.abs(block).max():.3g}, expected Å"
    )
