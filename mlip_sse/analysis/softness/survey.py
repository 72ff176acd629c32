"""All mobile ions at evenly spaced frames: their surroundings, whether they rest, and whether they hop next."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mlip_sse.analysis.softness.features import StructureFunctions
from mlip_sse.analysis.softness.hop_indicator import HopIndicator, Thresholds
from mlip_sse.errors import InputError

if TYPE_CHECKING:
    from mlip_sse.trajectory.model import Trajectory

__all__ = ["Survey", "take_survey"]


@dataclass(frozen=True, eq=False)
class Survey:
    """Windows of length t_R that begin at evenly spaced frames, for all ions.

    Parameters
    ----------
    frames : (n_frames,) where the windows begin
    ions : (n_ions,) atom indices
    now : (n_frames, n_ions) Å², p_hop at the beginning
    ahead : (n_frames, n_ions) Å², the largest p_hop of the window
    features : (n_frames * n_ions, n_functions), ions running fastest
    window_ps
        t_R.
    """

    frames: NDArray[np.int64]
    ions: NDArray[np.int64]
    now: NDArray[np.float64]
    ahead: NDArray[np.float64]
    features: NDArray[np.float32]
    window_ps: float

    def resting(self, thresholds: Thresholds) -> NDArray[np.bool_]:
        """Whether each ion is in no hop when the window begins, (n_frames, n_ions)."""
        return self.now < thresholds.release

    def hopping(self, thresholds: Thresholds) -> NDArray[np.bool_]:
        """Whether each ion hops in the window, (n_frames, n_ions)."""
        return self.resting(thresholds) & (self.ahead >= thresholds.hop)


def take_survey(
    trajectory: "Trajectory", indicator: HopIndicator, functions: StructureFunctions, n_windows: int
) -> Survey:
    """Survey all ions at evenly spaced frames, one window apart or further.

    Parameters
    ----------
    n_windows
        About how many windows of single ions to look at, at most.
    """
    window = 2 * indicator.half
    possible = indicator.values.shape[1] // (window + 1)
    n_frames = min(possible, max(1, n_windows // len(indicator.ions)))
    if n_frames < 2:
        raise InputError(
            f"found {possible} windows of {window} frames and room for {n_windows} windows of ions, expected at least "
            "two windows of each ion; run longer or allow more windows"
        )
    columns = np.linspace(0, indicator.values.shape[1] - 1 - window, n_frames).astype(np.int64)
    now, ahead = _look_ahead(indicator.values, columns, window)
    frames = columns + indicator.half
    n_ions = len(indicator.ions)
    features = functions.evaluate(trajectory, np.repeat(frames, n_ions), np.tile(indicator.ions, n_frames))
    return Survey(frames, indicator.ions, now, ahead, features, 2.0 * indicator.half_window_ps)


@njit(cache=True)
def _look_ahead(
    values: NDArray[np.float64], columns: NDArray[np.int64], window: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    now, ahead = np.empty((len(columns), len(values))), np.empty((len(columns), len(values)))
    for row in range(len(columns)):
        first = columns[row]
        for ion in range(len(values)):
            now[row, ion] = values[ion, first]
            ahead[row, ion] = values[ion, first + 1 : first + 1 + window].max()
    return now, ahead
