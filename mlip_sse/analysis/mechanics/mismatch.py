"""Stress between two materials that expand differently, or whose lattices do not fit.

A thin layer on a thick one follows it in the plane and is free along the normal. With the strain ε that this forces on
an isotropic layer, σ = E ε/(1−ν); of two materials cooled together by ΔT, ε = Δα ΔT. Shared between layers of finite
thickness t, each with its modulus M = E/(1−ν), the forces balance: σ₁ t₁ = −σ₂ t₂.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.analysis.mechanics.elastic_moduli import stability_eigenvalues
from mlip_sse.errors import InputError

__all__ = ["layer_stress", "layer_stresses_shared", "mismatch_stress"]

_IN_PLANE, _OUT_OF_PLANE = np.array([0, 1, 5]), np.array([2, 3, 4])


def mismatch_stress(
    young: float, poisson: float, expansion_per_k: float, other_per_k: float, temperature_change_k: float
) -> float:
    """Return the stress in a thin isotropic layer on a thick substrate after a change of temperature.

    σ = E/(1−ν) · (α_substrate − α_layer) · ΔT; positive is tension, in the unit of E.

    Parameters
    ----------
    young, poisson
        Of the layer.
    expansion_per_k, other_per_k
        *Linear* coefficients of layer and substrate in 1/K.
    temperature_change_k
        Final temperature less the one at which both fitted, in K; negative on cooling.

    Raises
    ------
    InputError
        When E is not positive or ν lies outside −1 to 0.5.
    """
    if not young > 0 or not -1 < poisson < 0.5:
        raise InputError(f"found E = {young!r} and ν = {poisson!r}, expected E > 0 and -1 < ν < 0.5")
    return young / (1.0 - poisson) * (other_per_k - expansion_per_k) * temperature_change_k


def layer_stress(stiffness: ArrayLike, strain_in_plane: ArrayLike) -> NDArray[np.float64]:
    """Return the stress in a crystalline layer that follows its substrate in the plane and is free along z.

    Parameters
    ----------
    stiffness : (6, 6) any unit
        Of the layer, in axes with z normal to it.
    strain_in_plane : (2, 2)
        Strain that the substrate forces on it: lattice mismatch, and (α_substrate − α_layer) ΔT of the tensors.

    Returns
    -------
    (2, 2) in the unit of the stiffness, positive in tension

    Raises
    ------
    InputError
        When the layer is not stable.
    """
    c, strain = np.asarray(stiffness, dtype=np.float64), np.asarray(strain_in_plane, dtype=np.float64)
    if (lowest := float(stability_eigenvalues(c)[0])) <= 0:
        raise InputError(f"found a layer with an eigenvalue of {lowest:.4g}, expected a stable one (all positive)")
    if strain.shape != (2, 2):
        raise InputError(f"found a strain of shape {strain.shape}, expected (2, 2), in the plane")
    forced = np.array([strain[0, 0], strain[1, 1], strain[0, 1] + strain[1, 0]])
    coupling = c[np.ix_(_IN_PLANE, _OUT_OF_PLANE)]
    relaxed = c[np.ix_(_IN_PLANE, _IN_PLANE)] - coupling @ np.linalg.solve(
        c[np.ix_(_OUT_OF_PLANE, _OUT_OF_PLANE)], coupling.T
    )
    xx, yy, xy = relaxed @ forced
    return np.array([[xx, xy], [xy, yy]])


def layer_stresses_shared(
    moduli: ArrayLike, thicknesses: ArrayLike, expansions_per_k: ArrayLike, temperature_change_k: float
) -> NDArray[np.float64]:
    """Return the stresses in flat isotropic layers bonded to each other that stay flat.

    They end at a common length, α = Σ M t α / Σ M t, so that the forces of all add up to nothing.

    Parameters
    ----------
    moduli : (n,) any unit
        E/(1−ν) of each layer.
    thicknesses : (n,) any length
    expansions_per_k : (n,)
        Linear coefficients in 1/K.
    temperature_change_k
        Final temperature less the one at which all fitted, in K.
    """
    m, t, a = (np.asarray(each, dtype=np.float64) for each in (moduli, thicknesses, expansions_per_k))
    if not (m.shape == t.shape == a.shape and m.ndim == 1 and (m > 0).all() and (t > 0).all()):
        raise InputError("found layers with other than one positive modulus, one positive thickness and one expansion")
    common = float((m * t * a).sum() / (m * t).sum())
    return np.asarray(m * (common - a) * temperature_change_k)
