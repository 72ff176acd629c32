"""The stability parameter of Monroe and Newman for a crystalline metal and a crystalline electrolyte.

The ripple A cos(kx) bends both half-spaces; their answer is the surface impedance Z of each, t = k Z U between the
displacement U and the traction t at its surface. It follows from the integral form of Stroh's formalism (Barnett and
Lothe), which needs no eigenvectors and therefore works for isotropic solids too, where those collapse:

    N(θ) = [[−T⁻¹Rᵀ, T⁻¹], [R T⁻¹ Rᵀ − Q, −R T⁻¹]],   (1/π)∫₀^π N dθ = [[S, H], [−L, Sᵀ]]
    Q = C m m, R = C m n, T = C n n, with m along the ripple and n normal to the interface, both turned by θ
    b = H⁻¹(±i − S) a,   t = i k b,   U = a       (+ above the interface, where the field decays upwards)

At the interface, both sides follow the ripple normal to it, slide together along it, and pull each other sideways
equally; the normal forces differ, and that difference is what deposition feels. Pressure and normal deviatoric stress
follow from U and t, and from them χ, as in the isotropic case. The pressure is that of the plane of the ripple,
−(σ_xx+σ_zz)/2: the published isotropic formula is the limit of this one, not of −(σ_xx+σ_yy+σ_zz)/3. In a crystal
the crest of the stress need not lie at the crest of the ripple: its part in phase decides over growth, the other lets
the ripple wander.

References
----------
D. M. Barnett, J. Lothe, Phys. Norv. 7, 13 (1973); T. C. T. Ting, Anisotropic Elasticity (Oxford, 1996)
Z. Ahmad, V. Viswanathan, Phys. Rev. Lett. 119, 056003 (2017), 10.1103/PhysRevLett.119.056003
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.analysis.mechanics.dendrites import Interface, StabilityParameter, combined
from mlip_sse.analysis.mechanics.elastic_moduli import stability_eigenvalues
from mlip_sse.analysis.mechanics.strains import full_stiffness, rotated_stiffness
from mlip_sse.errors import InputError

__all__ = [
    "DirectionalStability",
    "anisotropic_stability",
    "isotropic_stiffness",
    "stability_over_directions",
    "surface_impedance",
]

_N_ANGLES = 256
_ALONG, _NORMAL = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, eq=False)
class DirectionalStability:
    """χ over the directions of the ripple in the plane of the interface.

    Parameters
    ----------
    angles_deg : (n,)
        Of the ripple's wave vector with the first axis in the plane, 0 to 180.
    values : (n,) kJ/(mol nm)
    worst
        The largest χ with its parts: the direction in which dendrites start.
    worst_angle_deg
        Its direction.
    """

    angles_deg: NDArray[np.float64]
    values: NDArray[np.float64]
    worst: StabilityParameter
    worst_angle_deg: float


def isotropic_stiffness(shear: float, poisson: float) -> NDArray[np.float64]:
    """Return the elastic constants (6, 6) of an isotropic solid."""
    first = 2.0 * shear * poisson / (1.0 - 2.0 * poisson)
    stiffness = np.zeros((6, 6))
    stiffness[:3, :3] = first
    stiffness += np.diag([2 * shear, 2 * shear, 2 * shear, shear, shear, shear])
    return stiffness


def surface_impedance(stiffness: ArrayLike, *, is_above: bool) -> NDArray[np.complex128]:
    """Return Z in t = k Z U for a half-space above or below z = 0, for a ripple along x.

    Parameters
    ----------
    stiffness : (6, 6) any unit
        In axes with z normal to the interface.
    is_above
        Whether the half-space fills z > 0; t is the traction on the plane with normal +z, i.e. (σ_xz, σ_yz, σ_zz).

    Returns
    -------
    (3, 3) in the unit of the stiffness
    """
    tensor = full_stiffness(_stable(stiffness))
    angles = np.pi * np.arange(_N_ANGLES) / _N_ANGLES  # the integrand has period π: this sum converges exponentially
    total = np.zeros((6, 6))
    for angle in angles:
        m = _ALONG * np.cos(angle) + _NORMAL * np.sin(angle)
        n = -_ALONG * np.sin(angle) + _NORMAL * np.cos(angle)
        q, r, t = (np.einsum("ijkl,j,l->ik", tensor, a, b) for a, b in ((m, m), (m, n), (n, n)))
        inverse = np.linalg.inv(t)
        total[:3, :3] -= inverse @ r.T
        total[:3, 3:] += inverse
        total[3:, :3] += r @ inverse @ r.T - q
    s, h = total[:3, :3] / _N_ANGLES, total[:3, 3:] / _N_ANGLES
    sign = 1j if is_above else -1j
    return np.asarray(1j * np.linalg.solve(h, sign * np.eye(3) - s))


def anisotropic_stability(
    electrolyte_gpa: ArrayLike, metal_gpa: ArrayLike, interface: Interface, angle_deg: float = 0.0
) -> StabilityParameter:
    """Return χ for a ripple in one direction.

    Parameters
    ----------
    electrolyte_gpa, metal_gpa : (6, 6) GPa
        Elastic constants of both crystals as they stand at the interface: z is its normal, pointing from the metal
        into the electrolyte.
    interface
        Volumes, ripple and surface tension.
    angle_deg
        Of the ripple's wave vector with x.

    Raises
    ------
    InputError
        When a crystal is not stable.
    """
    angle = np.deg2rad(angle_deg)
    axes = np.array([[np.cos(angle), np.sin(angle), 0.0], [-np.sin(angle), np.cos(angle), 0.0], [0.0, 0.0, 1.0]])
    above, below = rotated_stiffness(_stable(electrolyte_gpa), axes), rotated_stiffness(_stable(metal_gpa), axes)
    z_s, z_e = surface_impedance(above, is_above=True), surface_impedance(below, is_above=False)
    # U = (u_x, u_y, 1): the tangential tractions of both sides are equal.
    u = np.ones(3, dtype=np.complex128)
    u[:2] = np.linalg.solve((z_s - z_e)[:2, :2], -(z_s - z_e)[:2, 2])
    pressure_s, deviatoric_s = _pressure_and_deviator(above, z_s, u)
    pressure_e, deviatoric_e = _pressure_and_deviator(below, z_e, u)
    return combined(float((pressure_s + pressure_e).real), float((deviatoric_e - deviatoric_s).real), interface)


def stability_over_directions(
    electrolyte_gpa: ArrayLike, metal_gpa: ArrayLike, interface: Interface, n_angles: int = 36
) -> DirectionalStability:
    """Return χ over the directions of the ripple, and the worst of them.

    Parameters
    ----------
    electrolyte_gpa, metal_gpa : (6, 6) GPa
        As for `anisotropic_stability`.
    interface
        Volumes, ripple and surface tension.
    n_angles
        Directions from 0 to 180°.
    """
    angles = 180.0 * np.arange(n_angles) / n_angles
    found = [anisotropic_stability(electrolyte_gpa, metal_gpa, interface, float(angle)) for angle in angles]
    values = np.array([each.value for each in found])
    worst = int(values.argmax())
    return DirectionalStability(angles, values, found[worst], float(angles[worst]))


def _pressure_and_deviator(
    stiffness: NDArray[np.float64], impedance: NDArray[np.complex128], u: NDArray[np.complex128]
) -> tuple[complex, complex]:
    """Return pressure and normal deviatoric stress at the surface over k A."""
    tensor = full_stiffness(stiffness)
    traction = impedance @ u
    r, t = (np.einsum("ijkl,j,l->ik", tensor, a, _NORMAL) for a in (_ALONG, _NORMAL))
    slope = np.linalg.solve(t, traction - 1j * r.T @ u)  # ∂u/∂z over k, from t = i Rᵀ u + T ∂u/∂z
    gradient = 1j * np.outer(u, _ALONG) + np.outer(slope, _NORMAL)
    stress = np.einsum("ijkl,kl->ij", tensor, gradient)
    pressure = -0.5 * complex(stress[0, 0] + stress[2, 2])
    return pressure, complex(stress[2, 2]) + pressure


def _stable(stiffness: ArrayLike) -> NDArray[np.float64]:
    c = np.asarray(stiffness, dtype=np.float64)
    if (lowest := float(stability_eigenvalues(c)[0])) <= 0:
        raise InputError(f"found a crystal with an eigenvalue of {lowest:.4g}, expected a stable one (all positive)")
    return c
