"""A Gaussian process that knows limits: exact rows have a normal likelihood, limits the probability beyond them.

    Matérn:     k(x, x′) = v (1 + √5 r + 5 r²/3) e^(−√5 r),   r = |x − x′|/ℓ
    Laplacian:  k(x, x′) = v e^(−r),                          r = Σ_i |x_i − x′_i|/ℓ

The first is smooth, in the Euclidean distance. The second has a kink at each training row and adds up differences
column by column, so that one odd feature does not rule; it is what a doping series is like, in which a neighbour says
much and a third material little.


Exact rows alone would be closed form; with limits the posterior is that of Laplace, a normal about the mode f̂ of
p(f | y), found by Newton's method, and ln v, ln ℓ and ln s maximise its evidence (Rasmussen and Williams, algorithm
3.1).

References
----------
Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), sections 3.4 and 5.5.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from mlip_sse.errors import InputError
from mlip_sse.properties.censoring import Signs, tobit_log_likelihood, tobit_slopes
from mlip_sse.properties.learner import Training
from mlip_sse.properties.storage import storable

__all__ = ["FittedGaussianProcess", "GaussianProcess"]

Floats = npt.NDArray[np.float64]
Kernel = Literal["matern", "laplacian"]

_CHUNK = 4096
_NEWTON_STEPS = 30


@storable
@dataclass(frozen=True, eq=False)
class FittedGaussianProcess:
    """Training rows, weights and the Cholesky factor of the posterior; all of the standardised target.

    Parameters
    ----------
    rows
        (n_rows, n_columns).
    weights
        (n_rows,) gradient of the likelihood at the mode.
    root
        (n_rows,) square roots of the curvature of the likelihood.
    factor
        (n_rows, n_rows) lower Cholesky factor of 1 + √W K √W.
    variance, length, noise
        v, ℓ and s.
    centre, unit
        Mean and standard deviation of the target.
    kernel
        Its name.
    """

    rows: Floats
    weights: Floats
    root: Floats
    factor: Floats
    variance: float
    length: float
    noise: float
    centre: float
    unit: float
    kernel: Kernel = "matern"

    def predict(self, features: Floats, temperature_k: Floats | None) -> tuple[Floats, Floats]:
        """Return mean and standard deviation (noise included) of the posterior."""
        value, spread = np.empty(len(features)), np.empty(len(features))
        for start in range(0, len(features), _CHUNK):
            part = slice(start, start + _CHUNK)
            apart = _distances(features[part], self.rows, self.kernel)
            covariance = self.variance * _correlation(apart / self.length, self.kernel)
            inner = solve_triangular(self.factor, self.root[:, None] * covariance.T, lower=True)
            value[part] = covariance @ self.weights
            spread[part] = np.sqrt(np.maximum(self.variance - (inner**2).sum(axis=0), 0.0) + self.noise**2)
        return self.centre + self.unit * value, self.unit * spread


@dataclass(frozen=True)
class GaussianProcess:
    """A process of one kernel.

    Parameters
    ----------
    kernel
        ``matern`` (5/2) or ``laplacian``.
    max_rows
        More rows are thinned to so many, drawn at random: the cost grows with the cube.
    n_steps
        Steps of the search for variance, length and noise.
    """

    kernel: Kernel = "matern"
    max_rows: int = 1200
    n_steps: int = 25
    knows_limits: ClassVar[bool] = True

    def fit(self, training: Training) -> FittedGaussianProcess:
        """Fit.

        Raises
        ------
        InputError
            When there is no such kernel.
        """
        if self.kernel not in get_args(Kernel):
            raise InputError(f"found the kernel {self.kernel!r}, expected {' or '.join(get_args(Kernel))}")
        if len(training.y) > self.max_rows:
            rng = np.random.default_rng(training.seed)
            training = training.part(np.sort(rng.choice(len(training.y), self.max_rows, replace=False)))
        centre, unit = float(np.mean(training.y)), float(np.std(training.y)) or 1.0
        y, x = (training.y - centre) / unit, training.features
        distances = _distances(x, x, self.kernel)
        usual = float(np.median(distances[distances > 0])) if (distances > 0).any() else 1.0
        mode = np.zeros(len(y))

        def loss(packed: Floats) -> float:
            nonlocal mode
            variance, length, noise = np.exp(packed)
            kernel = variance * _correlation(distances / length, self.kernel)
            mode, _, _, _, evidence = _laplace(kernel, y, training.signs, noise, mode)
            prior = 0.5 * float(np.sum(((packed - start) / 1.5) ** 2))
            return prior - evidence

        start = np.log([1.0, usual, 0.4])
        bounds = [(-4.0, 4.0), (start[1] - 4.0, start[1] + 4.0), (-4.0, 1.0)]
        found = minimize(loss, start, method="L-BFGS-B", bounds=bounds, options={"maxiter": self.n_steps}).x
        variance, length, noise = (float(each) for each in np.exp(found))
        kernel = variance * _correlation(distances / length, self.kernel)
        _, weights, root, factor, _ = _laplace(kernel, y, training.signs, noise, mode)
        return FittedGaussianProcess(x, weights, root, factor, variance, length, noise, centre, unit, self.kernel)


def _laplace(
    kernel: Floats, y: Floats, signs: Signs, noise: float, mode: Floats
) -> tuple[Floats, Floats, Floats, Floats, float]:
    """Return mode, gradient there, √W, Cholesky factor of 1 + √W K √W and log evidence."""
    for _ in range(_NEWTON_STEPS):
        first, second = tobit_slopes(y, signs, mode, noise)
        root = np.sqrt(second)
        factor = cholesky(np.eye(len(y)) + root[:, None] * kernel * root[None, :], lower=True, check_finite=False)
        b = second * mode + first
        a = b - root * cho_solve((factor, True), root * (kernel @ b), check_finite=False)
        new = kernel @ a
        moved = float(np.abs(new - mode).max())
        mode = new
        if moved < 1e-6:
            break
    likelihood = float(tobit_log_likelihood(y, signs, mode, noise).sum())
    evidence = likelihood - 0.5 * float(a @ mode) - float(np.log(np.diag(factor)).sum())
    return mode, a, root, factor, evidence


def _correlation(scaled: Floats, kernel: Kernel) -> Floats:
    """Return k/v at distances over ℓ."""
    if kernel == "laplacian":
        falling: Floats = np.exp(-scaled)
        return falling
    steep = np.sqrt(5.0) * scaled
    found: Floats = (1.0 + steep + steep**2 / 3.0) * np.exp(-steep)
    return found


def _distances(first: Floats, second: Floats, kernel: Kernel) -> Floats:
    if kernel == "laplacian":
        return cdist(first, second, "cityblock")
    squared = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None, :] - 2.0 * first @ second.T
    found: Floats = np.sqrt(np.maximum(squared, 0.0))
    return found
