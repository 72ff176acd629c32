"""Zero-frequency spectral density of a time series, without a fit window given by the user.

    S(f) = ∫ ⟨x(0) x(t)⟩ e^{-2πift} dt,    S(0) = 2 × (Green-Kubo integral) = 2 × (diffusivity of the integral of x)

The ordinates of the periodogram of a stationary series with finite memory are independent and exponential, so their
mean over d components and over neighbouring frequencies is Gamma distributed with a known shape κ: the noise of the
spectrum is known before it is seen. The lowest ordinates are fitted by maximum likelihood with

    ln S(f) = b₀ + b₁ ξ + b₂ ξ² + …,    ξ = sin²(πf Δt),

even and periodic as a sampled spectrum must be; b₀ is the answer, and its variance does not depend on the data. Every
combination of cutoff and order is a candidate. A candidate of order P is judged by its misfit (the deviance, and the
partial sums of the residuals, which show a trend that is left at low frequency) but answers with order P + 2, so that
what the test cannot see does not bias the answer by more than its error. The answer is the mean over candidates with
weights v^(-λ) exp(-β misfit); its variance follows from nested likelihoods (the covariance of two fits is the smaller
variance), plus what the candidates disagree beyond that.

No estimator sees features narrower than a few 1/T. A slow rise of S(f) (ions that jump back after a time τ) is resolved
when the run is longer than about 200 τ; below that S(0) is too large.

References
----------
Low-frequency fits and their cutoffs (STACIE): 10.1021/acs.jcim.5c01475. The logarithm of the periodogram
and its known noise: 10.1038/s41598-017-15843-2. More terms in the answer than in the choice of bandwidth:
10.1080/01621459.2017.1285776.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, polygamma

from mlip_sse.analysis.results import Estimate, Verdict
from mlip_sse.analysis.transport.charge.periodogram import Ordinates, periodogram

__all__ = [
    "Candidates",
    "SpectralDensity",
    "average_candidates",
    "candidate_moments",
    "candidate_weights",
    "fit_candidates",
    "intercept_kernel",
    "zero_frequency_density",
]

Array = NDArray[np.float64]

_ORDERS = (1, 2, 3)  # polynomial terms a candidate is judged by
_EXTRA_TERMS = 2  # terms added for the answer
_ORDINATES_PER_TERM = 3
_MIN_ORDINATES = _ORDINATES_PER_TERM * (_ORDERS[0] + _EXTRA_TERMS)
_CUTOFF_RATIO = 1.12  # of neighbouring cutoffs
_LARGE_VARIANCE = 0.25  # of ln S(0): a standard error of half the value
# The three numbers that make the intervals cover (tests/analysis/transport/test_spectrum.py): preference for small
# variance λ, weight of the misfit β, and the deviance in standard deviations at which a candidate and all above it end.
_VARIANCE_EXPONENT = 1.3
_MISFIT_EXPONENT = 1.2
_DEVIANCE_LIMIT = 3.0


@dataclass(frozen=True, eq=False)
class Candidates:
    """Fits of all cutoffs and orders to each of several series.

    Parameters
    ----------
    orders : (n_candidates,) terms in the answer
    sizes : (n_candidates,) bins below the cutoff
    variances : (n_candidates,) variance of ln S(0)
    log_values : (n_candidates, n_series) ln S(0)
    misfits : (n_candidates, n_series) log of the mean likelihood ratio of the partial sums of the residuals
    accepted : (n_candidates, n_series) deviance as it should be up to this cutoff
    """

    orders: NDArray[np.intp]
    sizes: NDArray[np.intp]
    variances: Array
    log_values: Array
    misfits: Array
    accepted: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SpectralDensity:
    """S(0) with what it was read from.

    Parameters
    ----------
    estimate
        S(0), two-sided, mean over components; None when refused.
    verdict
        Quality and reasons.
    n_ordinates
        Mean number of periodogram ordinates below the cutoffs that entered.
    cutoff_frequency_per_fs
        Mean cutoff in 1/fs.
    frequencies, densities : (n_bins,) 1/fs and the unit of S, the binned periodogram for plotting
    """

    estimate: Estimate | None
    verdict: Verdict
    n_ordinates: float = 0.0
    cutoff_frequency_per_fs: float = 0.0
    frequencies: Array = field(default_factory=lambda: np.empty(0))
    densities: Array = field(default_factory=lambda: np.empty(0))

    def scaled(self, factor: float) -> "SpectralDensity":
        """Return the same result in another unit (``factor`` > 0)."""
        estimate = None if self.estimate is None else self.estimate.scaled(factor)
        return dataclasses.replace(self, estimate=estimate, densities=self.densities * factor)

    def to_dict(self) -> dict[str, Any]:
        """Return the interval, the verdict and the cutoff; the spectrum itself stays out."""
        return {
            "zero_frequency_density": None if self.estimate is None else self.estimate.interval(),
            "n_ordinates": self.n_ordinates,
            "cutoff_frequency_per_fs": self.cutoff_frequency_per_fs,
            "quality": self.verdict.quality,
            "reasons": self.verdict.reasons,
        }


def zero_frequency_density(series: ArrayLike, spacing_fs: float) -> SpectralDensity:
    """Estimate S(0) of a vector time series.

    Parameters
    ----------
    series : (n_frames, d)
        Stationary, mean zero by physics (a current, a velocity, the increments of a position).
    spacing_fs
        Time between frames in fs.

    Returns
    -------
    SpectralDensity
        S(0) in the unit of the series squared times fs, mean over components; refused with the reason when the run is
        too short, the series does not fluctuate, or no smooth spectrum describes its lowest ordinates.
    """
    ordinates = periodogram(series, spacing_fs)
    n_bins = len(ordinates.shapes)
    if n_bins < _MIN_ORDINATES:
        reason = f"the run is too short: {n_bins} low-frequency ordinates, at least {_MIN_ORDINATES} are needed"
        return SpectralDensity(None, Verdict().refuse(reason))
    if not (ordinates.densities > 0).all():
        return SpectralDensity(None, Verdict().refuse("the series does not fluctuate: its power is zero"))
    candidates = fit_candidates(ordinates)
    spectrum = {"frequencies": ordinates.frequencies, "densities": ordinates.densities[0]}
    if not candidates.accepted.any():
        reason = f"no smooth spectrum describes even the lowest {_MIN_ORDINATES} ordinates: is the series stationary?"
        return SpectralDensity(None, Verdict().refuse(reason), **spectrum)
    weights = candidate_weights(candidates)
    log_value, variance = average_candidates(candidates, weights)
    n_ordinates = float(weights[:, 0] @ ordinates.edges[candidates.sizes])
    estimate = Estimate(
        value=float(np.exp(log_value[0])),
        relative_variance=float(variance[0]),
        method=f"maximum likelihood on the lowest {n_ordinates:.0f} periodogram ordinates, averaged over cutoffs",
    )
    verdict = Verdict()
    if variance[0] > _LARGE_VARIANCE:
        verdict = verdict.weaken(f"known to ±{100 * variance[0] ** 0.5:.0f} % only: run longer or add replicas")
    cutoff = float(weights[:, 0] @ ordinates.frequencies[candidates.sizes - 1])
    return SpectralDensity(estimate, verdict, n_ordinates, cutoff, **spectrum)


def fit_candidates(ordinates: Ordinates) -> Candidates:
    """Fit every cutoff and order; a row of `Candidates` is one fit to each of the series."""
    xi, kappa, density = ordinates.xi, ordinates.shapes, ordinates.densities
    expected = np.cumsum(2 * kappa * (np.log(kappa) - digamma(kappa)))
    variances = np.cumsum(4 * kappa**2 * (polygamma(1, kappa) - 1 / kappa))
    rows: list[tuple[int, int, float, Array, Array, NDArray[np.bool_]]] = []
    for order in _ORDERS:
        alive = np.ones(len(density), dtype=bool)
        for size in _cutoffs(len(kappa), order):
            y, k, x = density[:, :size], kappa[:size], xi[:size]
            basis = _chebyshev(x, order)
            _, log_model = _fit_log_polynomial(y, k, basis)
            ratio = y * np.exp(-log_model)
            deviance = 2 * (k * (ratio - 1 - np.log(ratio))).sum(axis=1)
            alive = alive & (deviance <= _largest_deviance(expected[size - 1], variances[size - 1], order))
            if not alive.any():
                break
            misfit = _partial_sum_misfit(k * (ratio - 1), k, basis)
            answer = _chebyshev(x, order + _EXTRA_TERMS)
            start = _chebyshev(np.array([0.0]), order + _EXTRA_TERMS, x[0], x[-1])[0]
            coefficients, _ = _fit_log_polynomial(y, k, answer)
            variance = float(start @ np.linalg.solve((answer.T * k) @ answer, start))
            rows.append((order + _EXTRA_TERMS, size, variance, coefficients @ start, misfit, alive))
    n = len(density)
    return Candidates(
        orders=np.array([row[0] for row in rows], dtype=np.intp),
        sizes=np.array([row[1] for row in rows], dtype=np.intp),
        variances=np.array([row[2] for row in rows], dtype=np.float64),
        log_values=np.array([row[3] for row in rows]).reshape(-1, n),
        misfits=np.array([row[4] for row in rows]).reshape(-1, n),
        accepted=np.array([row[5] for row in rows], dtype=np.bool_).reshape(-1, n),
    )


def candidate_weights(candidates: Candidates) -> Array:
    """Return the weights v^(-λ) exp(-β misfit) of accepted candidates; the columns (one a series) sum to 1."""
    log_weights = -_MISFIT_EXPONENT * candidates.misfits - _VARIANCE_EXPONENT * np.log(candidates.variances)[:, None]
    log_weights = np.where(candidates.accepted, log_weights, -1e6 + log_weights)
    weights = np.exp(log_weights - log_weights.max(axis=0))
    normalised: Array = weights / weights.sum(axis=0)
    return normalised


def average_candidates(candidates: Candidates, weights: Array) -> tuple[Array, Array]:
    """Average ln S(0) over candidates.

    Returns
    -------
    (n_series,), (n_series,)
        ln S(0), and its variance: that of the mean, plus what the candidates disagree beyond it.
    """
    mean, nested, excess = candidate_moments(candidates, weights)
    return mean, nested + np.maximum(0.0, excess)


def candidate_moments(candidates: Candidates, weights: Array) -> tuple[Array, Array, Array]:
    """Return the mean over candidates, its variance, and the spread of the candidates beyond what that lets one expect.

    Var(Σ w_i b_i) = Σ_ij w_i w_j min(v_i, v_j), since nested maximum-likelihood fits have the smaller variance as their
    covariance; the expected spread is Σ w_i v_i minus that.

    Returns
    -------
    (n_series,), (n_series,), (n_series,)
    """
    values, v = candidates.log_values, candidates.variances
    mean = (weights * values).sum(axis=0)
    order = np.argsort(v)
    w, v_sorted = weights[order], v[order][:, None]
    not_smaller = np.cumsum(w[::-1], axis=0)[::-1]
    nested = (w * v_sorted * (2 * not_smaller - w)).sum(axis=0)
    spread = (weights * (values - mean) ** 2).sum(axis=0)
    return mean, nested, spread - ((w * v_sorted).sum(axis=0) - nested)


def intercept_kernel(ordinates: Ordinates, series: int, order: int, size: int) -> tuple[Array, Array]:
    """Return the linear weights of the ordinates in S(0), and the shape S(f)/S(0) they apply to.

    At the maximum of the likelihood S(0) = Σ_k w_k I_k / g_k with Σ w_k = 1 and g the fitted shape of this series.

    Returns
    -------
    (size,), (size,)
        w and g.
    """
    kappa, x = ordinates.shapes[:size], ordinates.xi[:size]
    basis = _chebyshev(x, order)
    start = _chebyshev(np.array([0.0]), order, x[0], x[-1])[0]
    b, log_model = _fit_log_polynomial(ordinates.densities[series : series + 1, :size], kappa, basis)
    weights = np.linalg.solve((basis.T * kappa) @ basis, start) @ (basis.T * kappa)
    return weights, np.exp(log_model[0] - b[0] @ start)


def _largest_deviance(expected: float, variance: float, n_fitted: int) -> float:
    """Return the deviance that rejects a fit: a scaled χ² of this mean and variance, by Wilson and Hilferty."""
    mean = max(expected - n_fitted, 0.2 * expected)
    spread = variance / (9 * mean**2)  # 2/(9ν)
    return float(mean * (1 - spread + _DEVIANCE_LIMIT * spread**0.5) ** 3)


def _cutoffs(n_bins: int, order: int) -> list[int]:
    sizes: list[int] = []
    for size in range(_ORDINATES_PER_TERM * (order + _EXTRA_TERMS), n_bins + 1):
        if not sizes or size >= _CUTOFF_RATIO * sizes[-1] or size == n_bins:
            sizes.append(size)
    return sizes


def _chebyshev(x: Array, n_terms: int, low: float | None = None, high: float | None = None) -> Array:
    low = float(x[0]) if low is None else low
    high = float(x[-1]) if high is None else high
    basis = np.polynomial.chebyshev.chebvander(2 * (x - low) / (high - low) - 1, n_terms - 1)
    return np.asarray(basis, dtype=np.float64)


def _fit_log_polynomial(y: Array, kappa: Array, basis: Array) -> tuple[Array, Array]:
    """Minimise Σ κ (y e^{-η} + η), η = basis · b, by Newton steps with halving, for all series at once.

    Returns
    -------
    (n_series, n_terms), (n_series, n_bins)
        b and η.
    """
    projector = np.linalg.solve((basis.T * kappa) @ basis, basis.T * kappa)
    b = (np.log(y) - digamma(kappa) + np.log(kappa)) @ projector.T  # regression of the log-periodogram
    n_terms = basis.shape[1]
    products = (basis[:, :, None] * basis[:, None, :]).reshape(len(kappa), -1)
    ridge = 1e-9 * kappa.sum() * np.eye(n_terms)

    def cost(b: Array) -> tuple[Array, Array]:
        eta = b @ basis.T
        ratio = y * np.exp(-np.maximum(eta, -600.0))
        return (kappa * (ratio + eta)).sum(axis=1), ratio

    f, ratio = cost(b)
    for _ in range(30):
        gradient = (kappa * (ratio - 1)) @ basis
        hessian = ((kappa * ratio) @ products).reshape(-1, n_terms, n_terms) + ridge
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        for _ in range(40):
            trial, trial_ratio = cost(b + step)
            worse = ~(trial <= f + 1e-9 * np.abs(f))
            if not worse.any():
                break
            step[worse] *= 0.5
        b, f, ratio = b + step, trial, trial_ratio
        if np.abs(step).max() < 1e-5:
            break
    return b, b @ basis.T


def _partial_sum_misfit(residuals: Array, kappa: Array, basis: Array) -> Array:
    """Return ln mean_m exp(z_m²/2), z_m the standardised sum of the residuals below a geometric set of frequencies."""
    n = len(kappa)
    marks = np.unique(np.geomspace(2, 0.8 * n, max(3, int(np.log(0.4 * n) / np.log(1.4)) + 1)).astype(np.intp)) - 1
    sums = np.cumsum(residuals, axis=1)[:, marks]
    total = np.cumsum(kappa)[marks]
    moments = np.cumsum(kappa[:, None] * basis, axis=0)[marks]
    fitted = np.einsum("ip,pi->i", moments, np.linalg.solve((basis.T * kappa) @ basis, moments.T))
    half = 0.5 * sums**2 / np.maximum(total - fitted, 1e-3 * total)
    top = half.max(axis=1, keepdims=True)
    misfit: Array = top[:, 0] + np.log(np.exp(half - top).mean(axis=1))
    return misfit
