"""Quasi-harmonic expansion: none without a Grüneisen parameter, the classical law with one, imaginary modes refused."""

import numpy as np
import pytest

from mlip_sse.analysis.mechanics.quasi_harmonic import (
    THZ_TO_EV,
    quasi_harmonic_expansion,
    vibrational_free_energies,
)
from mlip_sse.errors import InputError
from mlip_sse.units import BOLTZMANN_EV_PER_K, EV_PER_A3_TO_GPA

V0, BULK_GPA = 120.0, 40.0
VOLUMES = V0 * np.linspace(0.97, 1.08, 9)
N_MODES = 24
KELVINS = np.array([100.0, 300.0, 600.0])


def crystal(grueneisen, bare_thz=4.0):
    """Return energies and frequencies of a crystal with one Einstein frequency ν = ν₀ (V/V₀)^-γ."""
    strain = np.log(VOLUMES / V0)
    energies = 0.5 * BULK_GPA / EV_PER_A3_TO_GPA * V0 * strain**2
    frequencies = bare_thz * (VOLUMES / V0) ** -grueneisen
    return energies, np.broadcast_to(frequencies[:, None, None], (len(VOLUMES), 2, N_MODES)), np.array([1.0, 3.0])


def test_free_energies_of_one_oscillator():
    quantum = 5.0 * THZ_TO_EV
    assert vibrational_free_energies([[5.0]], [1.0], 0.0) == pytest.approx(0.5 * quantum)
    thermal = BOLTZMANN_EV_PER_K * 300
    plain = 0.5 * quantum + thermal * np.log(1 - np.exp(-quantum / thermal))
    assert vibrational_free_energies([[5.0, 0.01, -0.02]], [2.0], 300.0) == pytest.approx(plain)
    levels = np.exp(-quantum / thermal * (np.arange(400) + 0.5)).sum()
    assert plain == pytest.approx(-thermal * np.log(levels), rel=1e-12)


def test_a_harmonic_crystal_does_not_expand():
    found = quasi_harmonic_expansion(VOLUMES, *crystal(0.0), KELVINS)
    assert found.volumetric_per_k == pytest.approx([0, 0, 0], abs=1e-12)
    assert found.linear.low <= 1e-12
    assert found.verdict.quality == "pass"


def test_grueneisen_gives_the_expansion_that_thermodynamics_says():
    """α = γ C_V/(K V) at the volume of each temperature, K being that of the free energy there."""
    gamma = 1.6
    found = quasi_harmonic_expansion(VOLUMES, *crystal(gamma), KELVINS)
    for index, kelvin in enumerate(KELVINS):
        x = THZ_TO_EV * 4.0 * (found.volumes[index] / V0) ** -gamma / (BOLTZMANN_EV_PER_K * kelvin)
        heat = N_MODES * BOLTZMANN_EV_PER_K * x**2 * np.exp(x) / (np.exp(x) - 1) ** 2
        law = gamma * heat * EV_PER_A3_TO_GPA / (found.bulk_modulus_gpa[index] * found.volumes[index])
        assert found.volumetric_per_k[index] == pytest.approx(law, rel=0.02)  # of a cubic through these energies
    assert (np.diff(found.volumes) > 0).all()
    assert (np.diff(found.bulk_modulus_gpa) < 0).all()
    assert found.volumetric.low <= found.volumetric_per_k[1] <= found.volumetric.high
    assert found.linear.value == pytest.approx(found.volumetric.value / 3)


def test_order_and_offsets_do_not_matter():
    energies, frequencies, weights = crystal(1.6)
    found = quasi_harmonic_expansion(VOLUMES, energies, frequencies, weights, KELVINS)
    back = quasi_harmonic_expansion(VOLUMES[::-1], energies[::-1] - 5e3, frequencies[::-1], 7 * weights, KELVINS)
    assert back.volumetric_per_k == pytest.approx(found.volumetric_per_k, rel=1e-5)


def test_imaginary_modes_are_refused_with_their_frequency():
    energies, frequencies, weights = crystal(1.6)
    broken = np.array(frequencies)
    broken[7, 1, 3] = -1.25
    found = quasi_harmonic_expansion(VOLUMES, energies, broken, weights, KELVINS)
    assert found.verdict.quality == "refused"
    assert found.verdict.reasons[0].startswith("imaginary modes: -1.25 THz at 127.95 Å³ (1 of 2 q points)")
    assert (found.volumetric, np.isnan(found.volumes).all()) == (None, True)
    broken[7, 1, 3] = -0.05
    assert quasi_harmonic_expansion(VOLUMES, energies, broken, weights, KELVINS).verdict.quality == "pass"


def test_a_minimum_that_leaves_the_volumes_is_named():
    found = quasi_harmonic_expansion(VOLUMES, *crystal(2.0), [300.0, 5000.0])
    assert found.verdict.quality == "weak"
    assert "at 5000 K: give larger volumes" in found.verdict.reasons[0]
    assert np.isnan(found.volumes[1])
    far = quasi_harmonic_expansion(VOLUMES, *crystal(2.0), [300.0], reference_k=5000.0)
    assert far.verdict.quality == "refused"
    assert far.linear is None


def test_what_does_not_fit_is_refused():
    energies, frequencies, weights = crystal(1.0)
    with pytest.raises(InputError, match="5 or more"):
        quasi_harmonic_expansion(VOLUMES[:4], energies[:4], frequencies[:4], weights, KELVINS)
    with pytest.raises(InputError, match=r"expected \(9, 2, n_modes\)"):
        quasi_harmonic_expansion(VOLUMES, energies, frequencies[:, :1], weights, KELVINS)
