"""The diffusivity that a window itself has: what any descriptor of the window has to beat.

Generalised least squares over the lags from the onset of diffusion on, as `mlip_sse.analysis.transport` does it for a
whole run; where that refuses (diffusion has not set in, or the slope is not resolved), the plain slope over lags from a
tenth to half of the window, over 2 d; where even that is not positive, MSD/(2 d t) at half of the window.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mlip_sse.analysis.transport.displacement.diffusion import tracer_diffusion
from mlip_sse.analysis.transport.displacement.displacements import displacement_moments
from mlip_sse.analysis.transport.displacement.lags import log_lags
from mlip_sse.analysis.transport.displacement.onset import LONGEST_START
from mlip_sse.analysis.transport.displacement.slope import WINDOW_RATIO
from mlip_sse.analysis.transport.displacement.time_bins import time_bins

__all__ = ["EarlyDiffusivity", "early_diffusivity", "plain_slope"]

Floats = npt.NDArray[np.float64]

_CM2_S_PER_A2_PS = 1e-4
_N_LAGS, _N_BINS = 100, 64
_HOP_A = 3.0


@dataclass(frozen=True)
class EarlyDiffusivity:
    """Diffusivity of a window in cm²/s, its relative standard error (nan where unknown), and where it is from."""

    value: float
    relative_error: float
    method: Literal["gls", "slope", "einstein"]


def early_diffusivity(coordinates: Floats, spacing_ps: float) -> EarlyDiffusivity:
    """Return the best extrapolation that a window allows without knowing other runs.

    Parameters
    ----------
    coordinates : (n_ions, 3, n_frames) Å, unwrapped, in the frame of the framework
    spacing_ps
        Time between frames.
    """
    n_frames = coordinates.shape[2]
    lags = log_lags(n_frames, _N_LAGS)
    short = lags[lags * LONGEST_START <= WINDOW_RATIO * n_frames]
    moments, bins = displacement_moments(coordinates, lags), time_bins(coordinates, short, _N_BINS)
    found = tracer_diffusion(moments, bins, 1000.0 * spacing_ps, _HOP_A).diffusivity_cm2_s
    if found is not None:
        return EarlyDiffusivity(found.value, float(np.sqrt(found.relative_variance)), "gls")
    return plain_slope(coordinates, spacing_ps)


def plain_slope(coordinates: Floats, spacing_ps: float) -> EarlyDiffusivity:
    """Return the slope of the mean squared displacement from a tenth to half of the window by least squares, over 6."""
    n_frames = coordinates.shape[2]
    lags = np.unique(np.linspace(max(n_frames // 10, 1), n_frames // 2, 20).astype(np.int64))
    msd, times = displacement_moments(coordinates, lags).msd, lags * spacing_ps
    slope = float(np.polyfit(times, msd, 1)[0]) / 6.0 * _CM2_S_PER_A2_PS
    if slope > 0:
        return EarlyDiffusivity(slope, float("nan"), "slope")
    return EarlyDiffusivity(float(msd[-1] / times[-1]) / 6.0 * _CM2_S_PER_A2_PS, float("nan"), "einstein")
