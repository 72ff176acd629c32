"""Moduli of a polycrystal from the elastic constants of its grains: Voigt, Reuss and Hill; and Born's stability.

    K_V = (C₁₁+C₂₂+C₃₃ + 2(C₁₂+C₁₃+C₂₃))/9        G_V = (C₁₁+C₂₂+C₃₃ − (C₁₂+C₁₃+C₂₃) + 3(C₄₄+C₅₅+C₆₆))/15
    1/K_R = S₁₁+S₂₂+S₃₃ + 2(S₁₂+S₁₃+S₂₃)          15/G_R = 4(S₁₁+S₂₂+S₃₃) − 4(S₁₂+S₁₃+S₂₃) + 3(S₄₄+S₅₅+S₆₆)
    K = (K_V+K_R)/2,  G = (G_V+G_R)/2,  E = 9KG/(3K+G),  ν = (3K−2G)/(2(3K+G)),  A_U = 5 G_V/G_R + K_V/K_R − 6

References
----------
R. Hill, Proc. Phys. Soc. A 65, 349 (1952), 10.1088/0370-1298/65/5/307
S. I. Ranganathan, M. Ostoja-Starzewski, Phys. Rev. Lett. 101, 055504 (2008), 10.1103/PhysRevLett.101.055504
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.analysis.mechanics.strains import to_mandel
from mlip_sse.errors import InputError

__all__ = ["ElasticModuli", "elastic_moduli", "stability_eigenvalues", "young_modulus_along"]


@dataclass(frozen=True)
class ElasticModuli:
    """Moduli of a polycrystal in the unit of the elastic constants; ν and A_U have none."""

    bulk_voigt: float
    bulk_reuss: float
    bulk: float
    shear_voigt: float
    shear_reuss: float
    shear: float
    young: float
    poisson: float
    anisotropy: float


def elastic_moduli(stiffness: ArrayLike) -> ElasticModuli:
    """Return the moduli of a polycrystal.

    Parameters
    ----------
    stiffness : (6, 6) any unit
        Elastic constants in Voigt order.

    Raises
    ------
    InputError
        When the crystal is not stable: a Reuss average, and a polycrystal, do not exist.
    """
    c = _checked(stiffness)
    eigenvalues = stability_eigenvalues(c)
    if eigenvalues[0] <= 0:
        listed = ", ".join(f"{value:.4g}" for value in eigenvalues)
        raise InputError(f"found a crystal that is not stable, eigenvalues {listed}, expected all positive (Born)")
    s = np.asarray(np.linalg.inv(c), dtype=np.float64)
    bulk_voigt, shear_voigt = _averages(c, 1.0, 3.0)
    inverse_bulk, inverse_shear = _averages(s, 4.0, 3.0)
    bulk_reuss, shear_reuss = 1.0 / (9.0 * inverse_bulk), 1.0 / inverse_shear
    bulk, shear = 0.5 * (bulk_voigt + bulk_reuss), 0.5 * (shear_voigt + shear_reuss)
    return ElasticModuli(
        bulk_voigt,
        bulk_reuss,
        bulk,
        shear_voigt,
        shear_reuss,
        shear,
        young=9.0 * bulk * shear / (3.0 * bulk + shear),
        poisson=(3.0 * bulk - 2.0 * shear) / (2.0 * (3.0 * bulk + shear)),
        anisotropy=5.0 * shear_voigt / shear_reuss + bulk_voigt / bulk_reuss - 6.0,
    )


def stability_eigenvalues(stiffness: ArrayLike) -> NDArray[np.float64]:
    """Return the six eigenvalues of the stiffness, the smallest first; a stable crystal has none that is ≤ 0 (Born).

    They are those of the Mandel form, the same in any axes: of a cubic crystal C₁₁+2C₁₂ once, C₁₁−C₁₂ twice and 2C₄₄
    three times.

    Parameters
    ----------
    stiffness : (6, 6) any unit
        Elastic constants in Voigt order.
    """
    return np.asarray(np.linalg.eigvalsh(to_mandel(_checked(stiffness))), dtype=np.float64)


def young_modulus_along(stiffness: ArrayLike, direction: ArrayLike) -> float:
    """Return Young's modulus of a single crystal pulled along a direction (3,), 1/(n n : S : n n)."""
    unit = np.asarray(direction, dtype=np.float64)
    unit = unit / np.linalg.norm(unit)
    stress = np.array([*(unit * unit), unit[1] * unit[2], unit[0] * unit[2], unit[0] * unit[1]])
    return float(1.0 / (stress @ np.linalg.solve(_checked(stiffness), stress)))


def _averages(matrix: NDArray[np.float64], off: float, shears: float) -> tuple[float, float]:
    normal = float(np.trace(matrix[:3, :3]))
    mixed = float(matrix[0, 1] + matrix[0, 2] + matrix[1, 2])
    return (normal + 2.0 * mixed) / 9.0, (off * (normal - mixed) + shears * float(np.trace(matrix[3:, 3:]))) / 15.0


def _checked(stiffness: ArrayLike) -> NDArray[np.float64]:
    c = np.asarray(stiffness, dtype=np.float64)
    if c.shape != (6, 6) or not np.isfinite(c).all():
        raise InputError(f"found a stiffness of shape {c.shape}, expected (6, 6), finite, in Voigt order")
    if np.abs(c - c.T).max() > 1e-6 * np.abs(c).max():
        raise InputError("found a stiffness that is not symmetric, expected C_ij = C_ji: average the two")
    return 0.5 * (c + c.T)
