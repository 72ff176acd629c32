"""Thermal expansion by quasi-harmonic phonons: at each temperature the volume of the lowest free energy.

    F(V, T) = E(V) + Σ_qs w_q [ħω/2 + k_B T ln(1 − exp(−ħω/k_B T))],    α_V = d ln V/dT at dF/dV = 0

ω(V) is all the anharmonicity there is: good at low temperature, without diffusion; a crystal with imaginary modes has
no such free energy and is refused. A crystal whose frequencies do not depend on its volume does not expand.

References
----------
A. Togo, L. Chaput, I. Tanaka, G. Hug, Phys. Rev. B 81, 174301 (2010), 10.1103/PhysRevB.81.174301
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlip_sse.analysis.results import Interval, Verdict
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K, EV_PER_A3_TO_GPA

__all__ = ["THZ_TO_EV", "QuasiHarmonic", "quasi_harmonic_expansion", "vibrational_free_energies"]

THZ_TO_EV = 4.135667696e-3
"""h in eV/THz: the energy of a quantum of the frequency ν = ω/2π."""

_METHOD = "quasi-harmonic, span of the fits with all volumes, without the first, without the last: no statistics"
_MIN_VOLUMES = 5
_ACOUSTIC_THZ = 0.05
_STEP_K = 1.0


@dataclass(frozen=True, eq=False)
class QuasiHarmonic:
    """Expansion over temperatures; not-a-number where the free energy has no minimum among the volumes.

    Parameters
    ----------
    temperatures_k : (n,)
    volumes : (n,) Å³ of the cell
    volumetric_per_k : (n,) 1/K
    bulk_modulus_gpa : (n,) GPa, isothermal
    volumetric, linear
        At the reference temperature, in 1/K; None where there is no minimum.
    reference_k
        Reference temperature.
    verdict
        Refused where modes are imaginary or there is no minimum at the reference temperature.
    """

    temperatures_k: NDArray[np.float64]
    volumes: NDArray[np.float64]
    volumetric_per_k: NDArray[np.float64]
    bulk_modulus_gpa: NDArray[np.float64]
    volumetric: Interval | None
    linear: Interval | None
    reference_k: float
    verdict: Verdict


def vibrational_free_energies(
    frequencies_thz: ArrayLike, weights: ArrayLike, temperature_k: float
) -> NDArray[np.float64]:
    """Return the vibrational free energies in eV per cell.

    Parameters
    ----------
    frequencies_thz : (..., n_q, n_modes) THz
        ω/2π; what lies within 0.05 THz of zero (the acoustic modes at Γ) is left out.
    weights : (n_q,)
        Of the points q.
    temperature_k
        Temperature; 0 leaves the zero-point energy.
    """
    frequencies, share = np.asarray(frequencies_thz, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    quanta = THZ_TO_EV * frequencies
    energy = 0.5 * quanta
    if temperature_k > 0:
        thermal = BOLTZMANN_EV_PER_K * temperature_k
        with np.errstate(divide="ignore", invalid="ignore"):
            energy = energy + thermal * np.log(-np.expm1(-quanta / thermal))
    counted = np.where(frequencies > _ACOUSTIC_THZ, energy, 0.0)
    return np.asarray(np.einsum("...qs,q->...", counted, share / share.sum()))


def quasi_harmonic_expansion(
    volumes: ArrayLike,
    energies: ArrayLike,
    frequencies_thz: ArrayLike,
    weights: ArrayLike,
    temperatures_k: ArrayLike,
    *,
    reference_k: float = 300.0,
    imaginary_tolerance_thz: float = 0.1,
) -> QuasiHarmonic:
    """Return the thermal expansion from phonons at several volumes.

    Parameters
    ----------
    volumes : (n,) Å³ of the cell, at least five
    energies : (n,) eV of the cell, without vibrations
    frequencies_thz : (n, n_q, n_modes) THz
        Negative where imaginary.
    weights : (n_q,)
        Of the points q, the same at all volumes.
    temperatures_k : (m,) K
    reference_k
        Temperature at which the coefficient is given with its interval.
    imaginary_tolerance_thz
        How far below zero a frequency may lie and count as zero.

    Raises
    ------
    InputError
        When shapes do not fit, or there are too few volumes.
    """
    volume, energy, frequencies, share = _checked(volumes, energies, frequencies_thz, weights)
    kelvins = np.atleast_1d(np.asarray(temperatures_k, dtype=np.float64))
    lowest = frequencies.min(axis=(1, 2))
    worst = int(lowest.argmin())
    if lowest[worst] < -imaginary_tolerance_thz:
        n_bad = int((frequencies[worst] < -imaginary_tolerance_thz).any(axis=1).sum())
        reason = (
            f"imaginary modes: {lowest[worst]:.3g} THz at {volume[worst]:.2f} Å³ ({n_bad} of {len(share)} q points), "
            f"expected none below {-imaginary_tolerance_thz:g}: the crystal is not stable there"
        )
        nothing = np.full(len(kelvins), np.nan)
        return QuasiHarmonic(kelvins, nothing, nothing, nothing, None, None, reference_k, Verdict().refuse(reason))

    def at(kelvin: float, kept: slice = slice(None)) -> tuple[float, float]:
        free = energy[kept] + vibrational_free_energies(frequencies[kept], share, kelvin)
        return _minimum(volume[kept], free)

    def coefficient(kelvin: float, kept: slice = slice(None)) -> float:
        low = max(kelvin - _STEP_K, 0.0)
        return float(np.log(at(kelvin + _STEP_K, kept)[0] / at(low, kept)[0]) / (kelvin + _STEP_K - low))

    found = np.array([at(kelvin) for kelvin in kelvins])
    slopes = np.array([coefficient(kelvin) for kelvin in kelvins])
    verdict = Verdict()
    if (lost := kelvins[np.isnan(slopes)]).size:
        listed = ", ".join(f"{kelvin:g}" for kelvin in lost)
        verdict = verdict.weaken(f"no minimum of the free energy inside the volumes at {listed} K: give larger volumes")
    value = coefficient(reference_k)
    others = [value, *(coefficient(reference_k, kept) for kept in (slice(1, None), slice(None, -1)))]
    volumetric = None
    if np.isnan(value):
        verdict = verdict.refuse(f"no minimum of the free energy inside the volumes at {reference_k:g} K")
    else:
        # no confidence can be stated: it is no statistics
        volumetric = Interval(value, float(np.nanmin(others)), float(np.nanmax(others)), np.nan, _METHOD)
    linear = None if volumetric is None else volumetric.scaled(1 / 3)
    return QuasiHarmonic(kelvins, found[:, 0], slopes, found[:, 1], volumetric, linear, reference_k, verdict)


def _minimum(volumes: NDArray[np.float64], free: NDArray[np.float64]) -> tuple[float, float]:
    """Return volume and bulk modulus (GPa) at the minimum of a cubic in V^(-2/3); not-a-number where there is none."""
    centre = float(volumes.mean())
    x = (volumes / centre) ** (-2 / 3)
    cubic = np.polynomial.Polynomial.fit(x, free - free.mean(), min(3, len(volumes) - 2)).convert()
    slope, curvature = cubic.deriv(), cubic.deriv(2)
    roots = slope.roots()
    inside = [
        float(r.real)
        for r in roots
        if abs(r.imag) < 1e-9 and x.min() <= r.real <= x.max() and float(curvature(r.real)) > 0
    ]
    if not inside:
        return float("nan"), float("nan")
    root = inside[0]
    volume = centre * root ** (-1.5)
    return volume, 4 * root**2 / (9 * volume) * float(curvature(root)) * EV_PER_A3_TO_GPA


def _checked(
    volumes: ArrayLike, energies: ArrayLike, frequencies_thz: ArrayLike, weights: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    volume, energy, frequencies, share = (
        np.asarray(each, dtype=np.float64) for each in (volumes, energies, frequencies_thz, weights)
    )
    if len(volume) < _MIN_VOLUMES or energy.shape != volume.shape or volume.ndim != 1:
        raise InputError(f"found {volume.shape} volumes and {energy.shape} energies, expected as many, 5 or more")
    if frequencies.ndim != 3 or frequencies.shape[:2] != (len(volume), len(share)):
        raise InputError(
            f"found frequencies of shape {frequencies.shape}, expected ({len(volume)}, {len(share)}, n_modes)"
        )
    order = np.argsort(volume)
    return volume[order], energy[order], frequencies[order], share
