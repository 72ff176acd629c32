"""Conductivity by Nernst-Einstein and from the charge, and the Haven ratio with an interval.

    σ_NE = e²/(V k_B T) Σ_a N_a z_a² D*_a         σ = e²/(V k_B T) Σ_i z_i² D_σ         H_R = σ_NE / σ

H_R is D*/D_σ for one species, with the number of ions N inside D_σ: N independent walkers give 1 whatever N is, n ions
that move as one give 1/n.

References
----------
G. E. Murch, Solid State Ionics 7, 177 (1982), doi:10.1016/0167-2738(82)90050-9 (Haven ratio).
A. Marcolongo, N. Marzari, Phys. Rev. Mater. 1, 025402 (2017), doi:10.1103/PhysRevMaterials.1.025402 (the charge
fluctuates as one particle).
"""

import math
from collections.abc import Mapping

import numpy as np

from mlip_sse.analysis.results import Estimate
from mlip_sse.analysis.transport.displacement.slope import BLOCK_LENGTH, SlopeFit, bin_values, series_error
from mlip_sse.analysis.transport.displacement.time_bins import TimeBins
from mlip_sse.units import A2_PER_FS_TO_CM2_PER_S, conductivity_ms_cm

__all__ = ["charge_conductivity", "haven_ratio", "log_covariance", "nernst_einstein_conductivity"]

_MIN_BLOCK_DOF = 3.0


def charge_conductivity(
    charge_diffusivity_cm2_s: Estimate, sum_of_squared_charges: float, volume: float, temperature_k: float
) -> Estimate:
    """Return σ in mS/cm from D_σ in cm²/s, Σ z² in e², the volume in Å³ and the temperature in K."""
    rate = sum_of_squared_charges / A2_PER_FS_TO_CM2_PER_S
    return charge_diffusivity_cm2_s.scaled(conductivity_ms_cm(rate, volume, temperature_k))


def nernst_einstein_conductivity(
    diffusivities_cm2_s: Mapping[str, Estimate],
    squared_charges: Mapping[str, float],
    volume: float,
    temperature_k: float,
) -> Estimate:
    """Return σ_NE in mS/cm of all mobile species together.

    Parameters
    ----------
    diffusivities_cm2_s
        D* by species.
    squared_charges
        N_a z_a² by species, e².
    volume
        Å³.
    temperature_k
        K.
    """
    unit = conductivity_ms_cm(1.0 / A2_PER_FS_TO_CM2_PER_S, volume, temperature_k)
    parts = {name: squared_charges[name] * d.value * unit for name, d in diffusivities_cm2_s.items()}
    total = sum(parts.values())
    variance = sum((parts[name] / total) ** 2 * d.relative_variance for name, d in diffusivities_cm2_s.items())
    dof = min((d.dof for name, d in diffusivities_cm2_s.items() if parts[name] > 0), default=math.inf)
    return Estimate(total, variance, dof, "Nernst-Einstein from the tracer diffusivities")


def haven_ratio(tracer: Estimate, charge: Estimate, covariance: float = 0.0) -> Estimate:
    """Return H_R = σ_NE/σ (or D*/D_σ) with the error of the ratio.

    Parameters
    ----------
    tracer, charge
        Numerator and denominator in one unit.
    covariance
        Relative covariance of the two, see `log_covariance`; it cannot exceed the smaller of the two variances.
    """
    shared = min(max(covariance, 0.0), tracer.relative_variance, charge.relative_variance)
    variance = tracer.relative_variance + charge.relative_variance - 2 * shared
    return Estimate(
        tracer.value / charge.value,
        variance,
        charge.dof,
        "ratio of tracer and charge slopes, covariance from time blocks",
        inverse=True,
    )


def log_covariance(tracer: tuple[TimeBins, SlopeFit], charge: tuple[TimeBins, SlopeFit]) -> float:
    """Relative covariance of two slopes of one trajectory, from common time blocks; 0 where there are too few.

    Parameters
    ----------
    tracer, charge
        Time bins with the fit whose weights apply to them; both with the same bins in time.
    """
    (bins_a, fit_a), (bins_b, fit_b) = tracer, charge
    a, b = _relative_series(bins_a, fit_a), _relative_series(bins_b, fit_b)
    common = np.isfinite(a) & np.isfinite(b)
    longest = max(fit_a.longest, fit_b.longest)
    length = max(1, math.ceil(BLOCK_LENGTH * longest / bins_a.frames_per_bin))
    share = float(common.mean())
    errors = [series_error(series[common], share, length) for series in (a + b, a - b)]
    if min(error.dof for error in errors) < _MIN_BLOCK_DOF:
        return 0.0
    return (errors[0].variance - errors[1].variance) / 4


def _relative_series(bins: TimeBins, fit: SlopeFit) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    whole = bins.whole[:, fit.indices].all(axis=1)
    series = np.full(bins.n_bins, np.nan)
    series[whole] = bin_values(bins, [(fit, fit.weights)])[0] / fit.slope
    return series
