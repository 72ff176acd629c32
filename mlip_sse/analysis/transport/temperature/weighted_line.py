"""A weighted straight line whose intervals keep their promise with three points and with imperfectly known errors.

Model: y_i = a + b x_i + ε_i, ε_i ~ N(0, σ_i²). The weights are 1/s_i², where s_i² is σ_i² itself or an estimate of it
with f_i degrees of freedom. Weights that fluctuate make the textbook covariance (XᵀWX)⁻¹ too small; the correction of
Kenward and Roger restores it, the effective degrees of freedom of Welch and Satterthwaite give the t quantile, and the
test of Johansen (the Welch-James approximation) says whether the residuals are larger than the errors allow.

All functions take leading batch axes, so that the same code is measured by Monte Carlo.

References
----------
Kenward and Roger, Biometrics 53, 983 (1997), doi:10.2307/2533558.
Johansen, Biometrika 67, 85 (1980), doi:10.1093/biomet/67.1.85.
Satterthwaite, Biometrics Bull. 2, 110 (1946), doi:10.2307/3002019.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, fdtrc, stdtrit

from mlip_sse.errors import InputError

__all__ = ["EXCESS_SCATTER_P", "WeightedLine", "fit_weighted_line"]

EXCESS_SCATTER_P = 0.05
"""Below this p value of the residuals the given errors are disbelieved and the scatter itself sets the scale."""

_MANY_DOF = 1e8  # beyond this Student's t is the normal distribution to every digit


@dataclass(frozen=True, eq=False)
class WeightedLine:
    """Straight line(s) with all that an interval needs; every array may have the same leading batch axes.

    Parameters
    ----------
    coefficients : (..., 2) intercept a and slope b
    covariance : (..., 2, 2) of the coefficients, after correction and scaling
    chi_squared : (...) Σ (y − a − b x)²/s²; with unknown errors the plain residual sum of squares
    p_value : (...) chance of such residuals if the errors were right; NaN where nothing can be tested
    scale : (...) factor already in the covariance: 1, or the reduced χ² where the scatter sets the scale
    scatter_sets_scale : (...) whether it does
    n_points
        Points of each line.
    influence : (..., 2, n) ∂(a, b)/∂y_i
    variances : (..., n) s_i²; ones where the errors are unknown
    dof : (..., n) degrees of freedom of s_i²
    common_scale
        Whether all s_i² share one estimated factor, so that their degrees of freedom do not add.
    """

    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    chi_squared: NDArray[np.float64]
    p_value: NDArray[np.float64]
    scale: NDArray[np.float64]
    scatter_sets_scale: NDArray[np.bool_]
    n_points: int
    influence: NDArray[np.float64]
    variances: NDArray[np.float64]
    dof: NDArray[np.float64]
    common_scale: bool = False

    def predict(
        self, contrast: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return value, standard error and degrees of freedom of c₀ a + c₁ b.

        Parameters
        ----------
        contrast : (2,)
            (c₀, c₁): (0, 1) is the slope, (1, x) the line at x.
        """
        value = self.coefficients @ contrast
        error = np.sqrt(np.einsum("i,...ij,j->...", contrast, self.covariance, contrast))
        parts = np.einsum("i,...in->...n", contrast, self.influence) ** 2 * self.variances
        # Welch-Satterthwaite: ν = (Σ a²s²)² / Σ (a²s²)²/f
        with np.errstate(divide="ignore"):
            independent = parts.sum(axis=-1) ** 2 / np.sum(parts**2 / self.dof, axis=-1)
        dof = self.dof[..., 0] if self.common_scale else independent
        dof = np.where(self.scatter_sets_scale, float(max(self.n_points - 2, 1)), dof)
        return value, error, dof

    def interval(
        self, contrast: NDArray[np.float64], confidence: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return value, lower and upper bound of c₀ a + c₁ b at a two-sided ``confidence``."""
        if not 0.0 < confidence < 1.0:
            raise InputError(f"confidence must lie between 0 and 1, found {confidence!r}")
        value, error, dof = self.predict(contrast)
        half = stdtrit(np.minimum(dof, _MANY_DOF), 0.5 * (1.0 + confidence)) * error
        return value, value - half, value + half


def fit_weighted_line(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    variances: NDArray[np.float64] | None = None,
    dof: NDArray[np.float64] | float = np.inf,
    common_scale: bool = False,
) -> WeightedLine:
    """Fit y = a + b x.

    Parameters
    ----------
    x : (n,)
    y : (..., n)
    variances : (..., n) variance s² of each y; None where nobody knows, and the scatter then sets the scale
    dof : (..., n) or one number, degrees of freedom of each s²; infinite where it is known
    common_scale
        True where all s² carry the same estimated factor (pooled replicas): the weights are then free of its noise and
        the degrees of freedom, the same for all, do not add.

    Raises
    ------
    InputError
        Fewer than two points, or two and no variances.
    """
    n = x.shape[-1]
    if n < 2 or (n == 2 and variances is None):
        raise InputError(f"a line with an interval needs two points with errors or three without, found {n}")
    known = variances is not None
    s2 = np.broadcast_to(np.ones(1) if variances is None else variances, y.shape)
    f = np.broadcast_to(np.asarray(dof if known else np.inf, dtype=np.float64), y.shape)
    design = np.stack([np.ones_like(x), x], axis=-1)
    weights = 1.0 / s2
    plain = np.linalg.inv(np.einsum("...n,ni,nj->...ij", weights, design, design))
    influence = np.einsum("...ij,nj->...in", plain, design) * weights[..., None, :]
    coefficients = np.einsum("...in,...n->...i", influence, y)
    residuals = y - coefficients @ design.T
    chi_squared = np.sum(weights * residuals**2, axis=-1)
    leverage = np.einsum("...in,ni->...n", influence, design)
    corrected = plain if common_scale else plain + _kenward_roger_term(plain, design, weights, leverage, f)
    q = n - 2
    if known:
        p_value = _residual_p_value(chi_squared, leverage, f, q, common_scale)
        scattered = p_value < EXCESS_SCATTER_P
    else:
        p_value, scattered = np.full(chi_squared.shape, np.nan), np.ones(chi_squared.shape, dtype=np.bool_)
    scale = np.where(scattered, chi_squared / max(q, 1), 1.0)
    # A disbelieved error says nothing about the weights' own noise: the scale then multiplies the uncorrected matrix.
    covariance = np.where(scattered[..., None, None], plain * scale[..., None, None], corrected)
    return WeightedLine(
        coefficients, covariance, chi_squared, p_value, scale, scattered, n, influence, s2, f, common_scale
    )


def _kenward_roger_term(
    plain: NDArray[np.float64],
    design: NDArray[np.float64],
    weights: NDArray[np.float64],
    leverage: NDArray[np.float64],
    dof: NDArray[np.float64],
) -> NDArray[np.float64]:
    # Φ_A − Φ = 4 Φ [Σ_i w_i (1 − h_i)/f_i x_i x_iᵀ] Φ for independent errors with var(s_i²) = 2 σ_i⁴/f_i
    inner = np.einsum("...n,ni,nj->...ij", weights * (1.0 - leverage) / dof, design, design)
    term: NDArray[np.float64] = 4.0 * plain @ inner @ plain
    return term


def _residual_p_value(
    chi_squared: NDArray[np.float64],
    leverage: NDArray[np.float64],
    dof: NDArray[np.float64],
    q: int,
    common_scale: bool,
) -> NDArray[np.float64]:
    if q == 0:
        return np.full(chi_squared.shape, np.nan)
    if common_scale:
        return np.asarray(fdtrc(q, np.minimum(dof[..., 0], _MANY_DOF), chi_squared / q))
    noise = np.sum((1.0 - leverage) ** 2 / dof, axis=-1)  # Λ = Σ (1 − h_i)²/f_i, zero for known errors
    f_statistic = chi_squared / q / (1.0 + 2.0 * (q - 1) / (q * (q + 2)) * noise)
    with np.errstate(divide="ignore"):
        denominator_dof = np.minimum(q * (q + 2) / (3.0 * noise), _MANY_DOF)
    p_value: NDArray[np.float64] = np.where(noise > 0, fdtrc(q, denominator_dof, f_statistic), chdtrc(q, chi_squared))
    return p_value
