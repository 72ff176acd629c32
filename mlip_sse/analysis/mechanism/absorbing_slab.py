"""Diffusion across a slab whose borders absorb, with walkers spread evenly at the start.

With lengths in widths w and τ = D t/w², the share that is left and the squared displacement of those that are left are
sums over the modes sin(nπu) e^{-n²π²τ}:

S(τ) = Σ 2 a_n² e^{-n²π²τ},   g(τ) = Σ 4 (a_n c_n - b_n²) e^{-n²π²τ} / S(τ),

a_n, b_n, c_n = ∫₀¹ (1, u, u²) sin(nπu) du. For short times S = 1 - 4 √(τ/π) and g = 2τ.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["squared_displacement", "surviving_share"]

_N_MODES = 4000
_SMALLEST, _LARGEST = 1e-6, 2.0


@cache
def _tables() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return ln τ, S and g/(2τ) on a grid."""
    n = np.arange(1, _N_MODES + 1)
    sign = np.where(n % 2 == 0, 1.0, -1.0)  # cos(nπ)
    a = (1.0 - sign) / (n * np.pi)
    b = -sign / (n * np.pi)
    c = -sign / (n * np.pi) + 2.0 * (sign - 1.0) / (n * np.pi) ** 3
    logs = np.linspace(np.log(_SMALLEST), np.log(_LARGEST), 400)
    decays = np.exp(-(n**2) * np.pi**2 * np.exp(logs)[:, None])
    share = decays @ (2.0 * a**2)
    return logs, share, decays @ (4.0 * (a * c - b**2)) / share / (2.0 * np.exp(logs))


def surviving_share(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return S(τ).

    Parameters
    ----------
    times : (n,) τ = D t/w² > 0
    """
    logs, share, _ = _tables()
    x = np.maximum(times, 1e-300)
    middle = np.interp(np.log(x), logs, share)
    late = share[-1] * np.exp(-(np.pi**2) * np.maximum(x - _LARGEST, 0.0))
    early = 1.0 - 4.0 * np.sqrt(np.minimum(x, _SMALLEST) / np.pi)
    out: NDArray[np.float64] = np.where(x < _SMALLEST, early, np.where(x > _LARGEST, late, middle))
    return out


def squared_displacement(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return g(τ), in squared widths.

    Parameters
    ----------
    times : (n,) τ = D t/w² > 0
    """
    logs, _, reduced = _tables()
    x = np.maximum(times, 1e-300)
    out: NDArray[np.float64] = 2.0 * np.minimum(x, _LARGEST) * np.interp(np.log(x), logs, reduced, left=1.0)
    return out
