"""Hops of ions as events in time and place, with or without knowledge of sites.

Without sites: an ion hops where the averages of its position over the window before and the window after differ by
more than a distance, and by the most within a window. An excursion shorter than the window, and vibration, are none.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.mechanism.ion_paths import fractional_paths
from mlip_sse.analysis.mechanism.jumps import Jumps
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["CationHops", "displacement_hops", "hops_between_sites"]

_BLOCK_BYTES = 32 << 20


@dataclass(frozen=True, eq=False)
class CationHops:
    """Hops in time order.

    Parameters
    ----------
    frames, ions : (n_hops,)
        First frame after the hop; which ion, counted within those looked at.
    places : (n_hops, 3) fractions of the cell vectors, halfway between start and end
    margin
        Frames at either end of the trajectory in which no hop can be seen.
    """

    frames: NDArray[np.int64]
    ions: NDArray[np.int64]
    places: NDArray[np.float64]
    margin: int = 0

    def __post_init__(self) -> None:
        n_hops = len(self.frames)
        if np.shape(self.ions) != (n_hops,) or np.shape(self.places) != (n_hops, 3):
            raise InputError(
                f"ions and places have shapes {np.shape(self.ions)} and {np.shape(self.places)}, expected one for "
                f"each of the {n_hops} hops"
            )

    def __len__(self) -> int:
        return len(self.frames)


def hops_between_sites(jumps: Jumps, fractional: NDArray[np.float64]) -> CationHops:
    """Return jumps between sites as hops in space.

    Parameters
    ----------
    jumps
        With the images of their sites.
    fractional : (n_sites, 3) fractions of the cell vectors

    Raises
    ------
    InputError
        When the jumps do not know the images.
    """
    vectors = jumps.vectors(fractional, np.eye(3))
    return CationHops(jumps.frames, jumps.ions, np.asarray(fractional[jumps.sites_from] + 0.5 * vectors))


def displacement_hops(trajectory: "Trajectory", ions: NDArray[np.intp], distance: float, window: int) -> CationHops:
    """Find hops by displacement.

    Parameters
    ----------
    trajectory
        In the reference frame of its framework.
    ions : (n_ions,) atoms
    distance
        Å between the averages before and after.
    window
        Frames of each average.

    Raises
    ------
    InputError
        When the trajectory is shorter than two windows.
    """
    n_frames = trajectory.n_frames
    if window < 1 or n_frames < 2 * window + 1:
        raise InputError(f"found windows of {window} frames in {n_frames} frames, expected room for two of them")
    metric = np.ascontiguousarray(trajectory.mean_cell @ trajectory.mean_cell.T)
    step = max(1, _BLOCK_BYTES // (24 * n_frames))
    parts = []
    for first in range(0, len(ions), step):
        paths = fractional_paths(trajectory, ions[first : first + step])
        sums = np.zeros((paths.shape[1], n_frames + 1, 3))
        np.cumsum(paths.transpose(1, 0, 2), axis=1, out=sums[:, 1:])
        frames, numbers, places = _find_hops(sums, metric, float(distance), int(window))
        parts.append((frames, numbers + first, places))
    frames, numbers, places = (np.concatenate([part[k] for part in parts]) for k in range(3))
    order = np.lexsort((numbers, frames))
    return CationHops(frames[order], numbers[order], places[order], window)


@nb.njit(cache=True)
def _find_hops(sums: Any, metric: Any, distance: float, window: int) -> Any:
    n_ions, n_frames = sums.shape[0], sums.shape[1] - 1
    capacity = n_ions * (n_frames // window + 1)
    frames, ions = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
    places = np.empty((capacity, 3))
    squares = np.zeros(n_frames)
    n = 0
    for i in range(n_ions):
        total = sums[i]
        for t in range(n_frames):
            squares[t] = 0.0
        for t in range(window, n_frames - window + 1):
            square = 0.0
            for a in range(3):
                da = total[t + window, a] - 2.0 * total[t, a] + total[t - window, a]
                for b in range(3):
                    db = total[t + window, b] - 2.0 * total[t, b] + total[t - window, b]
                    square += da * metric[a, b] * db
            if t < n_frames:
                squares[t] = square / (window * window)
        t = window
        while t < n_frames - window + 1 and t < n_frames:
            if squares[t] > distance * distance and _is_peak(squares, t, window):
                frames[n], ions[n] = t, i
                for a in range(3):
                    places[n, a] = 0.5 * (total[t + window, a] - total[t - window, a]) / window
                n += 1
                t += window
            else:
                t += 1
    return frames[:n].copy(), ions[:n].copy(), places[:n].copy()


@nb.njit(cache=True)
def _is_peak(squares: Any, t: int, window: int) -> bool:
    """Say whether nothing within a window is larger, nor as large before it."""
    for s in range(max(0, t - window + 1), min(squares.size, t + window)):
        if squares[s] > squares[t] or (s < t and squares[s] == squares[t]):
            return False
    return True
