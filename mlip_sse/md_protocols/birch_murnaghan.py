"""The third-order Birch-Murnaghan equation of state, fitted to energies and, on its own, to pressures.

With x = (V/V_r)^(-2/3) the equation is a cubic, so that both fits are linear and need no start:

    E(V) = c₀ + c₁ x + c₂ x² + c₃ x³,    P(V) = 2x/(3V) · (c₁ + 2 c₂ x + 3 c₃ x²)
    V₀: P = 0,    K₀ = 4x²/(9V) · E_xx,    K₀′ = 4 + (2/3) x E_xxx/E_xx     (at V₀, where E_x = 0)

References
----------
F. Birch, Phys. Rev. 71, 809 (1947), 10.1103/PhysRev.71.809
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from mlip_sse.analysis.results import Interval
from mlip_sse.errors import InputError
from mlip_sse.units import EV_PER_A3_TO_GPA

__all__ = ["BirchMurnaghan", "NoMinimumError", "fit_energies", "fit_pressures"]

_MIN_POINTS = 6
_METHOD = "third-order Birch-Murnaghan, Student's t over its misfit, joined with the fit to the inner volumes"


class NoMinimumError(InputError):
    """Energies or pressures over volumes without a minimum among them."""


@dataclass(frozen=True, eq=False)
class BirchMurnaghan:
    """A fitted equation of state.

    Parameters
    ----------
    coefficients : (4,) eV, of the cubic in x
    reference_volume : Å³, V_r
    volume, bulk_modulus_gpa, bulk_modulus_slope
        V₀ (Å³), K₀ (GPa) and K₀′, each with its interval.
    residual
        Root of the mean square misfit per degree of freedom, in eV (energies) or eV/Å³ (pressures).
    """

    coefficients: NDArray[np.float64]
    reference_volume: float
    volume: Interval
    bulk_modulus_gpa: Interval
    bulk_modulus_slope: Interval
    residual: float

    def energies(self, volumes: ArrayLike) -> NDArray[np.float64]:
        """Return the energies (eV) at volumes (Å³); without an offset where pressures were fitted."""
        return _powers(volumes, self.reference_volume) @ self.coefficients

    def pressures(self, volumes: ArrayLike) -> NDArray[np.float64]:
        """Return the pressures (eV/Å³) at volumes (Å³)."""
        return _slopes(volumes, self.reference_volume) @ self.coefficients[1:]


def fit_energies(volumes: ArrayLike, energies: ArrayLike, confidence: float = 0.95) -> BirchMurnaghan:
    """Fit the equation to energies.

    Parameters
    ----------
    volumes : (n,) Å³, at least six
    energies : (n,) eV
    confidence
        Of the intervals.

    Raises
    ------
    NoMinimumError
        When the lowest energy, or the minimum of the fit, does not lie inside the volumes.
    InputError
        When there are too few volumes.
    """
    order, volume = _ordered(volumes, energies)
    energy = np.asarray(energies, dtype=np.float64)[order]
    lowest = int(np.argmin(energy))
    if lowest in (0, len(volume) - 1):
        side = "smallest" if lowest == 0 else "largest"
        raise NoMinimumError(f"the lowest energy lies at the {side} volume, {volume[lowest]:.2f} Å³: shift the volumes")
    return _fit(volume, energy, False, confidence)


def fit_pressures(volumes: ArrayLike, pressures: ArrayLike, confidence: float = 0.95) -> BirchMurnaghan:
    """Fit the equation to pressures: the same quantities from the stress alone.

    Parameters
    ----------
    volumes : (n,) Å³, at least six
    pressures : (n,) eV/Å³
    confidence
        Of the intervals.

    Raises
    ------
    NoMinimumError
        When the pressure does not change its sign inside the volumes.
    InputError
        When there are too few volumes.
    """
    order, volume = _ordered(volumes, pressures)
    pressure = np.asarray(pressures, dtype=np.float64)[order]
    if not pressure[0] > 0 > pressure[-1]:
        raise NoMinimumError("the pressure does not fall through zero inside the volumes: shift the volumes")
    return _fit(volume, pressure, True, confidence)


def _ordered(volumes: ArrayLike, values: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    volume, value = np.asarray(volumes, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if volume.shape != value.shape or volume.ndim != 1 or len(volume) < _MIN_POINTS:
        raise InputError(
            f"found {volume.shape} volumes and {value.shape} values, expected as many, {_MIN_POINTS} or more"
        )
    if not (np.isfinite(value).all() and (volume > 0).all()):
        raise InputError("found volumes or values that are not finite or not positive")
    order = np.argsort(volume)
    return order, volume[order]


def _powers(volumes: ArrayLike, reference: float) -> NDArray[np.float64]:
    x = (np.asarray(volumes, dtype=np.float64) / reference) ** (-2 / 3)
    return np.stack([np.ones_like(x), x, x**2, x**3], axis=-1)


def _slopes(volumes: ArrayLike, reference: float) -> NDArray[np.float64]:
    volume = np.asarray(volumes, dtype=np.float64)
    x = (volume / reference) ** (-2 / 3)
    return (2 * x / (3 * volume))[..., None] * np.stack([np.ones_like(x), 2 * x, 3 * x**2], axis=-1)


def _fit(
    volumes: NDArray[np.float64], values: NDArray[np.float64], from_pressures: bool, confidence: float
) -> BirchMurnaghan:
    reference = float(np.sqrt(volumes[0] * volumes[-1]))
    solved, covariance, dof = _least_squares(volumes, values, from_pressures, reference)
    found = _minimum(solved, reference, volumes)
    jacobian = _jacobian(solved, reference, volumes)
    errors = np.sqrt(np.einsum("ij,jk,ik->i", jacobian, covariance, jacobian))
    half = -float(stdtrit(dof, 0.5 * (1 - confidence))) * errors
    low, high = found - half, found + half
    if len(volumes) - 2 >= _MIN_POINTS:
        inner, _, _ = _least_squares(volumes[1:-1], values[1:-1], from_pressures, reference)
        again = _minimum(inner, reference, volumes)
        low, high = np.minimum(low, again), np.maximum(high, again)
    volume, modulus, slope = (
        Interval(float(value), float(a), float(b), confidence, _METHOD)
        for value, a, b in zip(found, low, high, strict=True)
    )
    misfit = values - (
        _slopes(volumes, reference) @ solved[1:] if from_pressures else _powers(volumes, reference) @ solved
    )
    return BirchMurnaghan(solved, reference, volume, modulus, slope, float(np.sqrt((misfit**2).sum() / dof)))


def _least_squares(
    volumes: NDArray[np.float64], values: NDArray[np.float64], from_pressures: bool, reference: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Return the four coefficients, their covariance, and the degrees of freedom."""
    # The offset is taken out first: energies of 1e3 eV differ by 1e-3 eV here.
    shift = 0.0 if from_pressures else float(values.mean())
    matrix = _slopes(volumes, reference) if from_pressures else _powers(volumes, reference)
    inverse = np.linalg.pinv(matrix)
    solved = inverse @ (values - shift)
    dof = len(values) - matrix.shape[1]
    variance = float(((values - shift - matrix @ solved) ** 2).sum()) / dof
    covariance = variance * inverse @ inverse.T
    if from_pressures:
        return np.append(0.0, solved), np.pad(covariance, ((1, 0), (1, 0))), dof
    return solved + np.array([shift, 0.0, 0.0, 0.0]), covariance, dof


def _minimum(c: NDArray[np.float64], reference: float, volumes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return V₀, K₀ (GPa) and K₀′ of the cubic."""
    square = c[2] ** 2 - 3 * c[1] * c[3]
    x = -c[1] / (c[2] + np.sqrt(square)) if square >= 0 else np.nan  # the root with E_xx > 0
    volume = reference * x ** (-1.5) if x > 0 else np.nan
    if not volumes[0] < volume < volumes[-1]:
        raise NoMinimumError(
            f"the minimum of the fit does not lie inside {volumes[0]:.2f} to {volumes[-1]:.2f} Å³: shift the volumes"
        )
    second, third = 2 * c[2] + 6 * c[3] * x, 6 * c[3]
    return np.array([volume, 4 * x**2 / (9 * volume) * second * EV_PER_A3_TO_GPA, 4 + 2 / 3 * x * third / second])


def _jacobian(c: NDArray[np.float64], reference: float, volumes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the derivatives of V₀, K₀ and K₀′ by the coefficients, by central differences."""
    columns = []
    for index in range(4):
        step = np.zeros(4)
        step[index] = 1e-6 * float(np.abs(c[1:]).max())
        columns.append(
            (_minimum(c + step, reference, volumes) - _minimum(c - step, reference, volumes)) / (2 * step[index])
        )
    return np.stack(columns, axis=1)
