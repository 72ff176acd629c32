"""Fractional coordinates of ions along a trajectory, exact where the cell varies.

Unwrapped positions are sums of steps, each times the cell of its own frame, so they do not carry the breathing of the
cell, and r(t) · H(t)⁻¹ is not the fractional coordinate. The sum is undone step by step,

    s(t) = s(0) + Σ_{τ ≤ t} [r(τ) - r(τ - 1)] · H(τ)⁻¹,

with r seen from the reference frame. In a constant cell this is r · H⁻¹.
"""

import numpy as np
from numpy.typing import NDArray

from mlip_sse.trajectory.model import Trajectory

__all__ = ["fractional_paths"]

_SAME_CELL = 1e-9


def fractional_paths(trajectory: Trajectory, indices: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the unwrapped fractional coordinates of some atoms, seen from the trajectory's reference frame.

    Parameters
    ----------
    trajectory
        Unwrapped coordinates.
    indices : (n_ions,)

    Returns
    -------
    (n_frames, n_ions, 3) fractions of the cell vectors of each frame
    """
    seen = np.asarray(trajectory.positions[:, indices], dtype=np.float64)
    if trajectory.drift is not None:
        seen -= trajectory.drift[:, None]
    inverses = np.linalg.inv(trajectory.cells)
    if np.abs(trajectory.cells - trajectory.cells[0]).max() <= _SAME_CELL:
        constant: NDArray[np.float64] = seen @ inverses[0]
        return constant
    steps = np.empty_like(seen)
    steps[0] = seen[0]
    np.subtract(seen[1:], seen[:-1], out=steps[1:])
    summed: NDArray[np.float64] = np.cumsum(steps @ inverses, axis=0)
    return summed
