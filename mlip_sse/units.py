"""The constants and conversions used inside: eV, Å, fs, K, e (CODATA 2018, exact where SI defines them so)."""

from typing import Final

__all__ = [
    "A2_PER_FS_TO_CM2_PER_S",
    "AMU_A2_PER_FS2_TO_EV",
    "BOLTZMANN_EV_PER_K",
    "ELEMENTARY_CHARGE_C",
    "EV_PER_A3_TO_GPA",
    "conductivity_ms_cm",
]

BOLTZMANN_EV_PER_K: Final = 1.380649e-23 / 1.602176634e-19
ELEMENTARY_CHARGE_C: Final = 1.602176634e-19

A2_PER_FS_TO_CM2_PER_S: Final = 0.1
"""1 Å²/fs = 1e-16 cm² / 1e-15 s."""

EV_PER_A3_TO_GPA: Final = 160.2176634
AMU_A2_PER_FS2_TO_EV: Final = 1.66053906660e-27 * 1e10 / 1.602176634e-19
"""1 amu (Å/fs)² in eV: kinetic energies from masses in amu and velocities in Å/fs."""


def conductivity_ms_cm(charge_mobility_e2_a2_per_fs: float, volume: float, temperature_k: float) -> float:
    """Turn a charge-displacement rate into a conductivity.

    σ = e² · G / (V k_B T), where G is Σ_i z_i² D_i for Nernst-Einstein or lim d⟨|Σ_i z_i Δr_i|²⟩/(2 d dt) for the
    collective conductivity.

    Parameters
    ----------
    charge_mobility_e2_a2_per_fs
        G in e² Å²/fs.
    volume
        Mean cell volume in Å³.
    temperature_k
        Temperature in K.

    Returns
    -------
    float
        Conductivity in mS/cm.
    """
    per_angstrom_fs_volt = charge_mobility_e2_a2_per_fs / (volume * BOLTZMANN_EV_PER_K * temperature_k)  # e/(V Å fs)
    siemens_per_metre = per_angstrom_fs_volt * ELEMENTARY_CHARGE_C / (1e-10 * 1e-15)
    return siemens_per_metre * 10.0
