"""The whole paths of some ions in fractional coordinates."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.trajectory.fractional_positions import consistent_cells, fractional_chunks

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["fractional_paths"]


def fractional_paths(trajectory: "Trajectory", indices: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the unwrapped fractional coordinates of some atoms, drift removed, exact where the cell varies.

    Parameters
    ----------
    trajectory
        In the reference frame in which they are wanted.
    indices : (n_ions,)

    Returns
    -------
    (n_frames, n_ions, 3) fractions of the first frame's choice of cell vectors
    """
    out = np.empty((trajectory.n_frames, len(indices), 3))
    for first, part in fractional_chunks(trajectory, indices, consistent_cells(trajectory.cells)):
        out[first : first + len(part)] = part
    return out
