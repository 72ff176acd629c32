"""Do the ions fit: tolerance factors of garnets and of antiperovskites from Shannon's radii.

Garnet A3B2C3O12, A with eight, B with six, C with four neighbours, r_X = 1.38 Å of oxygen with four neighbours:

    τ = 3 √((r_B + r_X)² − 4/9 (r_A + r_X)²) / (2 (r_C + r_X))

Antiperovskite X3AB, A in the octahedron of X and B in the cage, Goldschmidt's factor with the charges exchanged:

    t = (r_X + r_B) / (√2 (r_X + r_A))

A site that several ions share has the mean of their radii.

References
----------
Song, Zhou and Liu, Acta Cryst. C 75, 1353 (2019), 10.1107/S2053229619011975 (garnets; the tabulated values of their
supporting information are those of this formula); Goldschmidt, Naturwissenschaften 14, 477 (1926),
10.1007/BF01507527; Zhao and Daemen, J. Am. Chem. Soc. 134, 15042 (2012), 10.1021/ja305709z (antiperovskites);
Shannon, Acta Cryst. A 32, 751 (1976), 10.1107/S0567739476001551.
"""

import math

from mlip_sse.errors import InputError

__all__ = ["OXYGEN_RADIUS_A", "antiperovskite_tolerance", "garnet_tolerance"]

OXYGEN_RADIUS_A = 1.38
"""Radius of O²⁻ with four neighbours in Å (Shannon)."""


def garnet_tolerance(a_radius: float, b_radius: float, c_radius: float, anion_radius: float = OXYGEN_RADIUS_A) -> float:
    """Return τ of radii in Å; nan where A is so large that no garnet of them can be drawn.

    Raises
    ------
    InputError
        When a radius is not positive.
    """
    _require_positive(a_radius, b_radius, c_radius, anion_radius)
    under = (b_radius + anion_radius) ** 2 - 4 / 9 * (a_radius + anion_radius) ** 2
    if under < 0:
        return math.nan
    return 3 * math.sqrt(under) / (2 * (c_radius + anion_radius))


def antiperovskite_tolerance(x_radius: float, a_radius: float, b_radius: float) -> float:
    """Return t of radii in Å.

    Raises
    ------
    InputError
        When a radius is not positive.
    """
    _require_positive(x_radius, a_radius, b_radius)
    return (x_radius + b_radius) / (math.sqrt(2) * (x_radius + a_radius))


def _require_positive(*radii: float) -> None:
    bad = [radius for radius in radii if not (math.isfinite(radius) and radius > 0)]
    if bad:
        raise InputError(f"found an ionic radius of {bad[0]} Å, expected a positive one")
