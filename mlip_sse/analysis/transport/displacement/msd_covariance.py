"""Covariance of mean squared displacements at different lags, in closed form.

The lags of one trajectory share their frames, so that MSD values are strongly correlated and a fit that ignores this
claims errors dozens of times too small. For a walker with independent Gaussian steps of variance σ² per axis and frame,
seen with independent noise of variance v per axis (thermal vibration in its cage), two windows [s, s+m] and [t, t+n]
with offset k = s - t have displacements whose covariance per axis is

    g_k = σ² o_k + v (δ_{k,0} + δ_{k,n-m} - δ_{k,n} - δ_{k,-m}),

o_k being the overlap of the windows. By Isserlis' theorem, with K_m = n_frames - m windows and c_k pairs of offset k,

    Cov(MSD_m, MSD_n) = 2 d / (K_m K_n) Σ_k c_k g_k²,

and for m ≤ n the trapezoids c_k and o_k have the same corners, so that with J = min(m - 1, K_n - 1)

    Σ_k c_k o_k² = K_n m² (n - m + 1) + 2 Σ_{j=1..J} (K_n - j)(m - j)².

A vibration that remembers itself, with autocorrelation ρ^|k|, spreads each δ over neighbouring offsets: where its
memory is short against the lags, σ² v terms grow by (1 + ρ)/(1 - ρ), and v² terms become Σ_k ρ^|k| ρ^|k-j| at j = 0 and
j = n - m.

Ions that hop have more than Gaussian scatter: a compound Poisson process adds to the covariance its fourth cumulant per
frame times Σ_k c_k o_k / (K_m K_n), the counting error of the hops.

References
----------
J. T. Bullerjahn, S. von Bülow, G. Hummer, J. Chem. Phys. 153, 024116 (2020), doi:10.1063/5.0008312 (walker with noise).
A. R. McCluskey, S. W. Coles, B. J. Morgan, J. Chem. Theory Comput. 21, 79 (2025), doi:10.1021/acs.jctc.4c01249 (GLS on
MSD with an approximate covariance).
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["counting_covariance", "gaussian_covariance"]


def _lag_pairs(lags: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    shorter = np.minimum.outer(lags, lags).astype(np.float64)
    longer = np.maximum.outer(lags, lags).astype(np.float64)
    return shorter, longer


def gaussian_covariance(
    lags: NDArray[np.int64],
    n_frames: int,
    step_variance: float,
    noise_variance: float = 0.0,
    n_axes: int = 3,
    noise_memory: float = 0.0,
) -> NDArray[np.float64]:
    """Covariance of the MSD of one walker with Gaussian steps and localisation noise.

    Parameters
    ----------
    lags : (n_lags,) frames, increasing
    n_frames
        Frames of the trajectory; all n_frames - m overlapping windows of lag m are averaged.
    step_variance
        σ², variance of the steps per axis and frame in Å².
    noise_variance
        v, variance of the noise per axis in Å².
    n_axes
        Number of axes summed in the MSD.
    noise_memory
        ρ, autocorrelation of the noise from one frame to the next; exact for 0, else for lags well above 1/ln(1/ρ).

    Returns
    -------
    (n_lags, n_lags) Å⁴; divide by the number of independent walkers
    """
    m, n = _lag_pairs(lags)
    windows_m, windows_n = n_frames - m, n_frames - n
    j = np.minimum(m - 1, windows_n - 1)
    s1, s2 = j * (j + 1) / 2, j * (j + 1) * (2 * j + 1) / 6
    slopes = windows_n * m * m * j - (2 * windows_n * m + m * m) * s1 + (windows_n + 2 * m) * s2 - s1 * s1
    overlaps = windows_n * m * m * (n - m + 1) + 2 * slopes
    if noise_variance == 0:
        return np.asarray(2 * n_axes * step_variance**2 * overlaps / (windows_m * windows_n))
    a, v, rho = step_variance, noise_variance, noise_memory
    spread, square = (1 + rho) / (1 - rho), (1 + rho**2) / (1 - rho**2)
    apart = n - m
    peaks = 4 * a * m * v * spread + 2 * v * v * (square + rho**apart * (square + apart))
    noise = windows_n * peaks + 2 * np.maximum(n_frames - m - n, 0) * v * v * square
    return np.asarray(2 * n_axes * (a * a * overlaps + noise) / (windows_m * windows_n))


def counting_covariance(lags: NDArray[np.int64], n_frames: int, fourth_cumulant: float) -> NDArray[np.float64]:
    """Covariance of the MSD of one walker that comes from the random number of its hops.

    Parameters
    ----------
    lags : (n_lags,) frames, increasing
    n_frames
        Frames of the trajectory.
    fourth_cumulant
        Excess of Var|Δ|² over its Gaussian value, per frame of lag, in Å⁴: rate times a⁴ for hops of length a.

    Returns
    -------
    (n_lags, n_lags) Å⁴; divide by the number of independent walkers
    """
    m, n = _lag_pairs(lags)
    windows_m, windows_n = n_frames - m, n_frames - n
    j = np.minimum(m - 1, windows_n - 1)
    s1, s2 = j * (j + 1) / 2, j * (j + 1) * (2 * j + 1) / 6
    overlaps = windows_n * m * (n - m + 1) + 2 * (windows_n * m * j - (windows_n + m) * s1 + s2)
    return np.asarray(fourth_cumulant * overlaps / (windows_m * windows_n))
