"""Ridge regression on normal equations, its penalty chosen on frames that were not fitted.

    c = D⁻¹ (D⁻¹ G D⁻¹ + λ)⁻¹ D⁻¹ b,   D² = diag G + median(diag G)

The median keeps columns that were hardly ever seen, such as phosphorus beside chlorine, from being hardly penalised:
without it Li3PS4 at 80 meV/Å on validation frames was off by 24 eV/Å on Li7P3S11, with it by 2.3, at the same 80. The
scaling D comes from the sums alone, so that the fit on a union of frames and the fit on added equations agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError

__all__ = ["Choice", "choose_penalty", "solve", "squared_error"]


@dataclass(frozen=True)
class Choice:
    """A penalty and why it was taken.

    Parameters
    ----------
    penalty
        The one taken.
    tried
        Each penalty with its weighted root-mean-square error on the validation frames; empty where one was given.
    """

    penalty: float
    tried: tuple[tuple[float, float], ...] = ()

    def describe(self) -> str:
        """Return one line for a reader."""
        if not self.tried:
            return f"penalty {self.penalty:g}, given"
        errors = ", ".join(f"{penalty:g}: {error:.5g}" for penalty, error in self.tried)
        return f"penalty {self.penalty:g}, lowest weighted error on the validation frames ({errors})"


def solve(gram: NDArray[np.float64], moment: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
    """Return the coefficients.

    Parameters
    ----------
    gram
        (n_columns, n_columns).
    moment
        (n_columns,).
    penalty
        λ, relative to the squared norm of each column.

    Returns
    -------
    coefficients : (n_columns,); 0 for a column that is zero throughout
    """
    from scipy.linalg import cho_factor, cho_solve

    scale, scaled = _scaled(gram)
    scaled[np.diag_indices_from(scaled)] += penalty
    try:
        factor = cho_factor(scaled, lower=True, overwrite_a=True, check_finite=False)
        solution: NDArray[np.float64] = cho_solve(factor, moment / scale, check_finite=False) / scale
    except np.linalg.LinAlgError as error:
        raise InputError(f"found equations too near to singular at a penalty of {penalty:g}, expected more") from error
    return solution


def squared_error(
    gram: NDArray[np.float64], moment: NDArray[np.float64], square: float, coefficients: NDArray[np.float64]
) -> float:
    """Return Σ w² (A c - y)² of the rows that these sums were made from."""
    return max(0.0, float(square - 2.0 * moment @ coefficients + coefficients @ gram @ coefficients))


def choose_penalty(
    gram: NDArray[np.float64],
    moment: NDArray[np.float64],
    validation: tuple[NDArray[np.float64], NDArray[np.float64], float, float],
    penalties: Sequence[float],
) -> Choice:
    """Return the penalty with the lowest error on validation frames.

    Parameters
    ----------
    gram, moment
        Of the training frames.
    validation
        Gram, moment, square and weight of the validation frames.
    penalties
        To choose from.

    Raises
    ------
    InputError
        When there are several penalties and no validation frame.
    """
    if len(penalties) == 1:
        return Choice(float(penalties[0]))
    held_gram, held_moment, square, weight = validation
    if not weight > 0:
        raise InputError(
            f"found {len(penalties)} values of regularisation and no validation frames to choose on, expected one "
            "number, or validation frames"
        )
    scale, scaled = _scaled(gram)
    values, vectors = np.linalg.eigh(scaled)
    turned = vectors.T @ (moment / scale)
    tried = []
    for penalty in penalties:
        coefficients = vectors @ (turned / (np.maximum(values, 0.0) + penalty)) / scale
        error = squared_error(held_gram, held_moment, square, coefficients)
        tried.append((float(penalty), float(np.sqrt(error / weight))))
    return Choice(min(tried, key=lambda pair: pair[1])[0], tuple(tried))


def _scaled(gram: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return D and D⁻¹ G D⁻¹; a column without entries is left as it is."""
    diagonal = np.diagonal(gram)
    seen = diagonal > 0
    typical = float(np.median(diagonal[seen])) if seen.any() else 0.0
    scale: NDArray[np.float64] = np.sqrt(np.where(seen, diagonal + typical, 1.0))
    return scale, gram / scale[:, None] / scale
