"""Mean squared displacements as they are drawn: curve, error band, fit, local exponent.

The band of the ions is the scatter of their own time averages over √N, that of the charge (one walker) the closed form
of `msd_covariance`. Points of one curve are strongly correlated: the band says how far the whole curve may be off, and
the interval of the diffusivity is not read from it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlip_sse.analysis.transport.displacement.displacements import DisplacementMoments
from mlip_sse.analysis.transport.displacement.msd_covariance import gaussian_covariance
from mlip_sse.analysis.transport.displacement.slope import SlopeFit
from mlip_sse.analysis.transport.transport_result import TransportResult

__all__ = ["MsdCurve", "local_exponent", "msd_curves"]

_FS_PER_PS = 1000.0
_HALF_WINDOW = 1.5
"""The local exponent is a regression over the lags within this factor either way."""


@dataclass(frozen=True, eq=False)
class MsdCurve:
    """One curve of a figure.

    Parameters
    ----------
    name
        Species, or ``charge``.
    times_ps : (n_lags,) ps
    msd : (n_lags,) Å²; of the charge divided by Σ z²
    errors : (n_lags,) Å², standard error of each point
    exponent : (n_lags,) local d ln MSD/d ln t
    alpha2 : (n_lags,) non-Gaussian parameter; None for the charge
    fit_times_ps, fit : (n_window,) ps and Å², the fitted line in its window; empty where there is none
    """

    name: str
    times_ps: NDArray[np.float64]
    msd: NDArray[np.float64]
    errors: NDArray[np.float64]
    exponent: NDArray[np.float64]
    alpha2: NDArray[np.float64] | None
    fit_times_ps: NDArray[np.float64]
    fit: NDArray[np.float64]


def msd_curves(result: TransportResult) -> list[MsdCurve]:
    """Return the curves of all mobile species, and then of the charge."""
    curves = []
    for part in result.species:
        moments = part.moments
        spread = moments.msd_per_ion.std(axis=0, ddof=1) if moments.n_ions > 1 else np.full_like(moments.msd, np.nan)
        fit = part.diffusion.fit
        curves.append(_curve(part.name, moments, 1.0, spread / moments.n_ions**0.5, fit, result.frame_spacing_fs))
    scale = 1.0 / result.sum_of_squared_charges
    fit = result.charge.fit
    errors = np.full_like(result.charge_moments.msd, np.nan)
    if fit is not None and fit.slope > 0:
        noise = max(fit.intercept, 0.0) / 6.0
        covariance = gaussian_covariance(
            result.charge_moments.lags, result.charge_moments.n_frames, fit.slope / 3, noise
        )
        errors = np.sqrt(np.diag(covariance))
    shown = fit if result.charge.from_slope else None
    curves.append(_curve("charge", result.charge_moments, scale, errors, shown, result.frame_spacing_fs))
    return curves


def local_exponent(times: NDArray[np.float64], msd: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return d ln MSD/d ln t by linear regression around each point.

    Parameters
    ----------
    times : (n,) any unit, increasing
    msd : (n,) Å²

    Returns
    -------
    (n,); NaN where the MSD is not positive
    """
    positive = msd > 0
    x, y = np.log(times), np.log(np.where(positive, msd, 1.0))
    exponents = np.full(len(times), np.nan)
    for k in range(len(times)):
        near = np.abs(x - x[k]) <= np.log(_HALF_WINDOW)
        near[max(0, k - 1) : k + 2] = True
        if near.sum() >= 2 and positive[near].all():
            exponents[k] = np.polyfit(x[near], y[near], 1)[0]
    return exponents


def _curve(
    name: str,
    moments: DisplacementMoments,
    scale: float,
    errors: NDArray[np.float64],
    fit: SlopeFit | None,
    frame_spacing_fs: float,
) -> MsdCurve:
    """Bring a curve to ps; ``scale`` divides the charge's displacement, whose fit is scaled already, by Σ z²."""
    to_ps = frame_spacing_fs / _FS_PER_PS
    times: NDArray[np.float64] = np.asarray(moments.lags, dtype=np.float64) * to_ps
    msd = moments.msd * scale
    lags = np.empty(0) if fit is None else np.geomspace(fit.onset, fit.longest, 40)
    line = np.empty(0) if fit is None else fit.intercept + fit.slope * lags
    alpha2 = None if name == "charge" else moments.alpha2
    return MsdCurve(name, times, msd, errors, local_exponent(times, msd), alpha2, lags * to_ps, line)
