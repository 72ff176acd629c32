"""Does a flat lithium | electrolyte interface stay flat: the stability parameter of Monroe and Newman, isotropic.

A ripple A cos(kx) of the interface changes the electrochemical potential of the electrons at its crests by χ A cos(kx);
where χ < 0, deposition prefers the valleys and the ripple dies out. With e the metal, s the electrolyte, v the molar
volume of Li⁺ in the electrolyte over that of Li in the metal, and D = G_s(4ν_e−3)(ν_s−1) + G_e(ν_e−1)(4ν_s−3):

    χ_p = V_M (1−v) [G_s²(3−4ν_e) + G_e²(4ν_s−3)] k / (2zD)                         pressure
    χ_τ = 2 G_e G_s V_M (1+v) [2 − 3ν_s + ν_e(4ν_s−3)] k / (zD)                     deviatoric stress
    χ_γ = −V_M (1+v) γ k² / (2z)                                                    surface tension

For v > 1 (Monroe and Newman's polymers) a stiff electrolyte is stable. For v < 1, where nearly every ceramic lies, it
is the other way round: the pressure term has the opposite sign, and an electrolyte must be *softer* than lithium.
"Twice the shear modulus of lithium" says nothing about a ceramic.

References
----------
C. Monroe, J. Newman, J. Electrochem. Soc. 152, A396 (2005), 10.1149/1.1850854
Z. Ahmad, V. Viswanathan, Phys. Rev. Lett. 119, 056003 (2017), 10.1103/PhysRevLett.119.056003
"""

import math
from dataclasses import dataclass

from mlip_sse.errors import InputError

__all__ = [
    "LITHIUM_POISSON",
    "LITHIUM_SHEAR_GPA",
    "Interface",
    "StabilityParameter",
    "combined",
    "critical_shear_ratio",
    "stability_parameter",
]

LITHIUM_SHEAR_GPA = 3.4
LITHIUM_POISSON = 0.42
"""Of lithium; with the surface tension and molar volume of `Interface`, as in the program of Ahmad and Viswanathan."""

_J_PER_MOL_M_TO_KJ_PER_MOL_NM = 1e-12
_GPA = 1e9
_RATIOS = (1e-3, 1e3)


@dataclass(frozen=True)
class Interface:
    """What the criterion needs beside the elasticity of both sides.

    Parameters
    ----------
    volume_ratio
        v, molar volume of the ion in the electrolyte over that of the atom in the metal; > 0.
    wavenumber_per_m
        k of the ripple.
    surface_tension_j_m2
        γ.
    molar_volume_m3_mol
        V_M of the metal.
    charge
        z of the ion.
    """

    volume_ratio: float
    wavenumber_per_m: float = 1e8
    surface_tension_j_m2: float = 0.556
    molar_volume_m3_mol: float = 1.3e-5
    charge: int = 1

    def __post_init__(self) -> None:
        for name in ("volume_ratio", "wavenumber_per_m", "molar_volume_m3_mol", "charge"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"{name}: found {getattr(self, name)!r}, expected a positive number")
        if not self.surface_tension_j_m2 >= 0:
            raise InputError(f"surface_tension_j_m2: found {self.surface_tension_j_m2!r}, expected ≥ 0")


@dataclass(frozen=True)
class StabilityParameter:
    """χ and its parts in kJ/(mol nm); stable where χ < 0.

    Parameters
    ----------
    pressure, deviatoric, surface_tension
        The three parts.
    critical_wavenumber_per_m
        Ripples with a larger k die out by surface tension alone; 0 where all do, None where surface tension is zero and
        none does.
    branch
        ``density`` where v < 1 (soft electrolytes are stable), ``pressure`` where v > 1 (stiff ones are).
    """

    pressure: float
    deviatoric: float
    surface_tension: float
    critical_wavenumber_per_m: float | None
    branch: str

    @property
    def value(self) -> float:
        """χ in kJ/(mol nm)."""
        return self.pressure + self.deviatoric + self.surface_tension

    @property
    def is_stable(self) -> bool:
        """Whether the ripple dies out."""
        return self.value < 0

    @property
    def critical_wavelength_nm(self) -> float | None:
        """Ripples that are longer grow, in nm; infinite where none grows, None where all do."""
        k = self.critical_wavenumber_per_m
        return None if k is None else (math.inf if k == 0 else 2e9 * math.pi / k)


def stability_parameter(
    shear_gpa: float,
    poisson: float,
    interface: Interface,
    *,
    metal_shear_gpa: float = LITHIUM_SHEAR_GPA,
    metal_poisson: float = LITHIUM_POISSON,
) -> StabilityParameter:
    """Return χ of a metal and an electrolyte that are both isotropic.

    Parameters
    ----------
    shear_gpa, poisson
        Of the electrolyte.
    interface
        Volumes, ripple and surface tension.
    metal_shear_gpa, metal_poisson
        Of the metal; lithium if not given.

    Raises
    ------
    InputError
        When a modulus is not positive or a Poisson ratio lies outside −1 to 0.5.
    """
    for name, shear, ratio in (("metal", metal_shear_gpa, metal_poisson), ("electrolyte", shear_gpa, poisson)):
        if not shear > 0 or not -1 < ratio < 0.5:
            raise InputError(f"{name}: found G = {shear!r} GPa and ν = {ratio!r}, expected G > 0 and -1 < ν < 0.5")
    pressure, deviatoric = _elastic_terms(metal_shear_gpa, metal_poisson, shear_gpa, poisson)
    return combined(pressure, deviatoric, interface)


def combined(pressure_gpa: float, deviatoric_gpa: float, interface: Interface) -> StabilityParameter:
    """Return χ from the stresses at the interface, both for a ripple of unit amplitude and wavenumber.

    Parameters
    ----------
    pressure_gpa
        Sum of the pressures of the two sides at a crest over k A.
    deviatoric_gpa
        Normal deviatoric stress of the metal less that of the electrolyte over k A.
    interface
        Volumes, ripple and surface tension.
    """
    v, k = interface.volume_ratio, interface.wavenumber_per_m
    scale = interface.molar_volume_m3_mol * k / (2 * interface.charge) * _J_PER_MOL_M_TO_KJ_PER_MOL_NM
    pressure = scale * (1 - v) * pressure_gpa * _GPA
    deviatoric = scale * (1 + v) * deviatoric_gpa * _GPA
    tension = scale * (1 + v) * interface.surface_tension_j_m2 * k
    elastic = pressure + deviatoric
    critical: float | None = 0.0
    if elastic > 0:
        critical = None if tension == 0 else k * elastic / tension
    return StabilityParameter(pressure, deviatoric, -tension, critical, "density" if v < 1 else "pressure")


def critical_shear_ratio(
    volume_ratio: float, poisson: float = 0.33, metal_poisson: float = LITHIUM_POISSON
) -> float | None:
    """Return G_s/G_e at which long ripples (k → 0, no surface tension) neither grow nor die.

    Below it an electrolyte with v < 1 is stable, above it one with v > 1; None where there is no such ratio.

    Parameters
    ----------
    volume_ratio
        v.
    poisson, metal_poisson
        Of electrolyte and metal.
    """
    from scipy.optimize import brentq

    interface = Interface(volume_ratio, surface_tension_j_m2=0.0)

    def elastic(log_ratio: float) -> float:
        return combined(*_elastic_terms(1.0, metal_poisson, math.exp(log_ratio), poisson), interface).value

    low, high = (math.log(ratio) for ratio in _RATIOS)
    if elastic(low) * elastic(high) > 0:
        return None
    return math.exp(float(brentq(elastic, low, high, xtol=1e-12)))


def _elastic_terms(g_e: float, nu_e: float, g_s: float, nu_s: float) -> tuple[float, float]:
    d = g_s * (4 * nu_e - 3) * (nu_s - 1) + g_e * (nu_e - 1) * (4 * nu_s - 3)
    pressure = (g_s**2 * (3 - 4 * nu_e) + g_e**2 * (4 * nu_s - 3)) / d
    deviatoric = 4 * g_e * g_s * (2 - 3 * nu_s + nu_e * (4 * nu_s - 3)) / d
    return pressure, deviatoric
