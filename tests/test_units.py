"""Unit conversions against published values."""

import pytest

from mlip_sse import units
from mlip_sse.units import conductivity_ms_cm


def nernst_einstein(n_ions, charge, diffusivity_cm2_s, volume, temperature_k):
    mobility = n_ions * charge**2 * diffusivity_cm2_s / units.A2_PER_FS_TO_CM2_PER_S
    return conductivity_ms_cm(mobility, volume, temperature_k)


def test_garnet_conversion_factor():
    """D (cm²/s) to σ (mS/cm) for 56 Li in cubic Li7La3Zr2O12 of edge 12.98 Å at 300 K: published as 158701249.73.

    The published factor was computed with the constants of CODATA 2014, which differ by less than 1e-6.
    """
    assert nernst_einstein(56, 1, 1.0, 12.98**3, 300.0) == pytest.approx(158701249.73, rel=1e-6)


@pytest.mark.parametrize("charge", [1, 2])
@pytest.mark.parametrize("temperature_k", [300.0, 900.0])
def test_handy_constant(charge, temperature_k):
    """σ = 6.198e9 (300/T) z² (N/V) D: the constant is known to four digits, so is the agreement."""
    volume, n_ions, diffusivity_cm2_s = 2000.0, 40, 3e-6
    expected = 6.198e9 * (300.0 / temperature_k) * charge**2 * (n_ions / volume) * diffusivity_cm2_s
    assert nernst_einstein(n_ions, charge, diffusivity_cm2_s, volume, temperature_k) == pytest.approx(
        expected, rel=2e-4
    )


def test_constants_against_each_other():
    from scipy import constants

    assert units.BOLTZMANN_EV_PER_K == pytest.approx(constants.k / constants.e, rel=1e-12)
    assert units.ELEMENTARY_CHARGE_C == constants.e
    assert units.EV_PER_A3_TO_GPA == pytest.approx(constants.e / constants.angstrom**3 / 1e9, rel=1e-12)
    # The atomic mass constant is measured, not defined: later adjustments move it in the tenth digit.
    expected = constants.atomic_mass * (constants.angstrom / constants.femto) ** 2 / constants.e
    assert units.AMU_A2_PER_FS2_TO_EV == pytest.approx(expected, rel=1e-8)
    assert units.A2_PER_FS_TO_CM2_PER_S == pytest.approx((1e-8) ** 2 / 1e-15, rel=1e-12)
