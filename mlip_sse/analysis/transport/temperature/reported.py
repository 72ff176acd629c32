"""Numbers for tables that others printed: a diffusivity from an MSD curve, the published error rule, Nernst-Einstein.

No interval of ours comes from an MSD curve alone: its points are correlated and their covariance is not in it. All that
is left is the envelope of He, Zhu, Epstein and Mo, an upper bound for correlated solids and several times too wide for
independent walkers. Trajectories themselves are analysed by `mlip_sse.analysis.transport`, not here.

References
----------
He, Zhu, Epstein and Mo, npj Comput. Mater. 4, 18 (2018), doi:10.1038/s41524-018-0074-y.
"""

import math

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.units import A2_PER_FS_TO_CM2_PER_S, conductivity_ms_cm

__all__ = ["effective_jumps", "he_zhu_mo_rsd", "nernst_einstein_factor", "window_diffusivity"]


def window_diffusivity(
    lag_times_fs: NDArray[np.float64],
    msd: NDArray[np.float64],
    lower_msd: float,
    upper_time_fraction: float = 0.5,
    n_dimensions: int = 3,
) -> float:
    """Return D in cm²/s from the slope of a printed MSD curve, ordinary least squares with a free intercept.

    D = slope/(2 d). The window holds the points with MSD > `lower_msd` (beyond vibration: half a squared jump length)
    and t < `upper_time_fraction` of the longest lag (where enough origins are left).

    Parameters
    ----------
    lag_times_fs : (n,) fs
    msd : (n,) Å²
    lower_msd
        Å², for example 0.5 a² with the jump length a.

    Raises
    ------
    InputError
        Arrays that do not match, fewer than three points in the window, or a curve that does not rise in it.
    """
    t, m = np.asarray(lag_times_fs, dtype=np.float64), np.asarray(msd, dtype=np.float64)
    if t.shape != m.shape or t.ndim != 1 or t.size == 0 or not (np.isfinite(t).all() and np.isfinite(m).all()):
        raise InputError(f"found lag times {t.shape} and msd {m.shape}, expected two finite arrays of one length")
    window = (m > lower_msd) & (t < upper_time_fraction * t.max())
    if np.count_nonzero(window) < 3:
        raise InputError(
            f"{np.count_nonzero(window)} points lie above {lower_msd:g} Å² before {upper_time_fraction:g} of the "
            f"longest lag, expected at least 3; the curve is too short for a diffusivity"
        )
    dt = t[window] - t[window].mean()
    slope = float(dt @ m[window] / (dt @ dt))
    if slope <= 0:
        raise InputError(
            f"the MSD falls in the window (slope {slope:.3g} Å²/fs), expected it to rise; nothing diffuses"
        )
    return slope / (2 * n_dimensions) * A2_PER_FS_TO_CM2_PER_S


def effective_jumps(msd: NDArray[np.float64], n_ions: int, jump_length: float) -> float:
    """Return N_eff = max(N MSD)/a², the number of effective jumps in a printed MSD curve.

    Parameters
    ----------
    msd : (n,) Å², the part of the curve inside the fit window
    n_ions
        Mobile ions.
    jump_length
        Distance of neighbouring sites in Å.
    """
    if not (jump_length > 0 and n_ions > 0):
        raise InputError(f"found jump length {jump_length!r} Å and {n_ions!r} ions, expected both positive")
    return float(n_ions * np.max(msd) / jump_length**2)


def he_zhu_mo_rsd(n_eff: float) -> float:
    """Return the relative standard deviation 3.43/√N_eff + 0.04 of a diffusivity with N_eff effective jumps."""
    if not n_eff > 0:
        raise InputError(f"the number of effective jumps is {n_eff!r}, expected it positive; no jump, no diffusivity")
    return 3.43 / math.sqrt(n_eff) + 0.04


def nernst_einstein_factor(number_density: float, charge: float, temperature_k: float) -> float:
    """Return σ/D in (mS/cm)/(cm²/s): σ = n z² e² D/(k_B T).

    Parameters
    ----------
    number_density
        Mobile ions per Å³.
    charge
        In units of e.
    temperature_k
        K.
    """
    return conductivity_ms_cm(number_density * charge**2 / A2_PER_FS_TO_CM2_PER_S, 1.0, temperature_k)
