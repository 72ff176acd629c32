"""The binomial model P = 1 − exp(−exp(x · θ)): counts of windows in which something happens at least once."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["dispersion", "fit_cloglog"]

_SMALLEST, _LARGEST = -30.0, 3.0


def fit_cloglog(
    design: NDArray[np.float64],
    windows: NDArray[np.float64],
    hops: NDArray[np.float64],
    start: NDArray[np.float64] | None = None,
    n_rounds: int = 50,
) -> NDArray[np.float64]:
    """Maximise the binomial likelihood by Fisher scoring.

    Columns are made orthogonal first: a prefactor and a barrier are nearly collinear over a narrow range of
    temperatures.

    Parameters
    ----------
    design : (n_cells, n_parameters)
    windows, hops : (n_cells,)
        Trials and successes; cells without trials do not count.
    start : (n_parameters,)
        Where to begin.

    Returns
    -------
    θ, (n_parameters,)
    """
    _, mix = np.linalg.qr(design * np.sqrt(windows / windows.sum())[:, None])
    transform = np.linalg.inv(mix)
    columns = design @ transform
    if start is None:
        level = np.log(-np.log1p(-(hops + 0.5) / (windows + 1.0)))
        root = np.sqrt(windows)
        theta = np.linalg.lstsq(columns * root[:, None], level * root, rcond=None)[0]
    else:
        theta = mix @ start
    for _ in range(n_rounds):
        rate = np.exp(np.clip(columns @ theta, _SMALLEST, _LARGEST))
        p = np.clip(-np.expm1(-rate), 1e-13, 1 - 1e-13)
        slope = rate * (1 - p)
        gradient = columns.T @ ((hops - windows * p) * slope / (p * (1 - p)))
        information = (columns * (windows * slope**2 / (p * (1 - p)))[:, None]).T @ columns
        information[np.diag_indices_from(information)] *= 1 + 1e-9
        step = np.linalg.solve(information, gradient)
        step *= min(1.0, 2.0 / max(float(np.abs(columns @ step).max()), 1e-12))
        theta = theta + step
        if np.abs(step).max() < 1e-8 * (1 + np.abs(theta).max()):
            break
    solution: NDArray[np.float64] = transform @ theta
    return solution


def dispersion(
    design: NDArray[np.float64], windows: NDArray[np.float64], hops: NDArray[np.float64], theta: NDArray[np.float64]
) -> float:
    """Return Pearson's χ² over its degrees of freedom, 1 where the model is right; nan without any."""
    p = np.clip(-np.expm1(-np.exp(np.clip(design @ theta, _SMALLEST, _LARGEST))), 1e-13, 1 - 1e-13)
    used = windows > 0
    dof = int(used.sum()) - len(theta)
    squares = (hops - windows * p)[used] ** 2 / (windows * p * (1 - p))[used]
    return float(squares.sum() / dof) if dof > 0 else math.nan
