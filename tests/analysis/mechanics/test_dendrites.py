"""The dendrite criterion: golden values, both branches, and an anisotropic code whose isotropic limit they are."""

import numpy as np
import pytest

from mlip_sse.analysis.mechanics.anisotropic_dendrites import (
    anisotropic_stability,
    isotropic_stiffness,
    stability_over_directions,
    surface_impedance,
)
from mlip_sse.analysis.mechanics.dendrites import (
    LITHIUM_POISSON,
    LITHIUM_SHEAR_GPA,
    Interface,
    critical_shear_ratio,
    stability_parameter,
)
from mlip_sse.analysis.mechanics.elastic_moduli import elastic_moduli
from mlip_sse.analysis.mechanics.strains import full_stiffness, rotated_stiffness
from mlip_sse.errors import InputError
from tests.analysis.mechanics.crystals import cubic, hexagonal, triclinic

LITHIUM = isotropic_stiffness(LITHIUM_SHEAR_GPA, LITHIUM_POISSON)
GOLDEN = [(60, 0.26, 47.95), (11, 0.29, 8.51), (8, 0.37, 6.04), (1, 0.33, -1.86)]
CERAMIC = cubic(140.0, 50.0, 60.0)
SOME_LITHIUM = cubic(14.8, 12.5, 10.8)


@pytest.mark.parametrize(("shear", "poisson", "value"), GOLDEN)
def test_golden_values(shear, poisson, value):
    found = stability_parameter(shear, poisson, Interface(0.1))
    assert found.value == pytest.approx(value, rel=5e-3)
    assert found.is_stable == (value < 0)
    assert found.branch == "density"


@pytest.mark.parametrize(("shear", "poisson", "value"), GOLDEN)
def test_the_isotropic_limit_of_the_anisotropic_code(shear, poisson, value):
    plain = stability_parameter(shear, poisson, Interface(0.1))
    found = anisotropic_stability(isotropic_stiffness(shear, poisson), LITHIUM, Interface(0.1), 37.0)
    assert found.value == pytest.approx(value, rel=5e-3)
    for name in ("pressure", "deviatoric", "surface_tension", "critical_wavenumber_per_m"):
        assert getattr(found, name) == pytest.approx(getattr(plain, name), rel=1e-9)


@pytest.mark.parametrize(
    ("volume_ratio", "ratio", "soft_is_stable"),
    [
        (0.05, 0.728, True),
        (0.1, 0.697, True),
        (0.2, 0.632, True),
        (0.5, 0.402, True),
        (1.5, 4.87, False),
        (2.0, 3.17, False),
        (5.0, 2.02, False),
        (20.0, 1.75, False),
    ],
)
def test_critical_ratios_on_both_branches(volume_ratio, ratio, soft_is_stable):
    found = critical_shear_ratio(volume_ratio)
    assert found == pytest.approx(ratio, rel=5e-3)
    interface = Interface(volume_ratio, wavenumber_per_m=1e3)  # so long that surface tension says nothing
    soft, stiff = (stability_parameter(factor * found * 3.4, 0.33, interface) for factor in (0.8, 1.25))
    assert (soft.is_stable, stiff.is_stable) == (soft_is_stable, not soft_is_stable)
    assert soft.branch == ("density" if soft_is_stable else "pressure")


def test_twice_the_modulus_of_lithium_is_no_rule_for_a_ceramic():
    ceramic = stability_parameter(2.1 * LITHIUM_SHEAR_GPA, 0.3, Interface(0.1))
    polymer = stability_parameter(2.1 * LITHIUM_SHEAR_GPA, 0.33, Interface(5.0))
    assert (ceramic.is_stable, polymer.is_stable) == (False, True)


def test_at_the_critical_wavenumber_the_ripple_neither_grows_nor_dies():
    k = stability_parameter(60, 0.26, Interface(0.1)).critical_wavenumber_per_m
    there = stability_parameter(60, 0.26, Interface(0.1, wavenumber_per_m=k))
    assert there.value == pytest.approx(0.0, abs=1e-9 * abs(there.pressure))
    assert there.critical_wavelength_nm == pytest.approx(2e9 * np.pi / k)
    assert stability_parameter(60, 0.26, Interface(0.1, wavenumber_per_m=2 * k)).is_stable
    assert not stability_parameter(60, 0.26, Interface(0.1, wavenumber_per_m=0.5 * k)).is_stable
    assert stability_parameter(1, 0.33, Interface(0.1)).critical_wavenumber_per_m == 0.0
    assert stability_parameter(60, 0.26, Interface(0.1, surface_tension_j_m2=0)).critical_wavenumber_per_m is None


def test_a_half_space_answers_as_the_equations_of_elasticity_say():
    """Slow twin: Stroh's eigenvectors, which exist for a crystal without symmetry."""
    stiffness = triclinic(2)
    tensor = full_stiffness(stiffness)
    m, n = np.eye(3)[0], np.eye(3)[2]
    q, r, t = (np.einsum("ijkl,j,l->ik", tensor, a, b) for a, b in ((m, m), (m, n), (n, n)))
    inverse = np.linalg.inv(t)
    fundamental = np.block([[-inverse @ r.T, inverse], [r @ inverse @ r.T - q, -r @ inverse]])
    values, vectors = np.linalg.eig(fundamental)
    for is_above, kept in ((True, values.imag > 0), (False, values.imag < 0)):
        amplitudes, tractions = vectors[:3, kept], vectors[3:, kept]
        slow = 1j * tractions @ np.linalg.inv(amplitudes)
        assert surface_impedance(stiffness, is_above=is_above) == pytest.approx(slow, abs=1e-9)
    assert np.linalg.eigvalsh(surface_impedance(stiffness, is_above=False)).min() > 0


def test_directions_follow_the_symmetry_of_the_interface():
    interface = Interface(0.1)
    at = [anisotropic_stability(CERAMIC, SOME_LITHIUM, interface, angle).value for angle in (20, 110, -20, 45)]
    assert at[1] == pytest.approx(at[0], rel=1e-9)
    assert at[2] == pytest.approx(at[0], rel=1e-9)
    assert at[3] != pytest.approx(at[0], rel=1e-3)
    hexagon = hexagonal(120, 40, 35, 150, 45)
    round_table = stability_over_directions(hexagon, LITHIUM, interface, 6)
    assert np.ptp(round_table.values) < 1e-9 * abs(round_table.values[0])
    over = stability_over_directions(CERAMIC, SOME_LITHIUM, interface, 8)
    assert over.worst.value == over.values.max() == over.values[int(over.worst_angle_deg / 22.5)]


def test_a_weakly_anisotropic_crystal_is_near_its_polycrystal():
    crystal = cubic(100.0, 40.0, 30.3)
    moduli = elastic_moduli(crystal)
    plain = stability_parameter(moduli.shear, moduli.poisson, Interface(0.1)).value
    assert anisotropic_stability(crystal, LITHIUM, Interface(0.1)).value == pytest.approx(plain, rel=0.02)


def test_turning_both_crystals_about_the_normal_turns_the_ripple():
    angle = np.deg2rad(30.0)
    axes = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    turned = anisotropic_stability(rotated_stiffness(CERAMIC, axes), SOME_LITHIUM @ np.eye(6), Interface(0.1), 0.0)
    assert turned.value != pytest.approx(anisotropic_stability(CERAMIC, SOME_LITHIUM, Interface(0.1)).value, rel=1e-4)
    both = [rotated_stiffness(each, axes) for each in (CERAMIC, SOME_LITHIUM)]
    here = anisotropic_stability(CERAMIC, SOME_LITHIUM, Interface(0.1), 30.0).value
    assert anisotropic_stability(*both, Interface(0.1), 0.0).value == pytest.approx(here, rel=1e-9)


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match=r"volume_ratio: found 0\.0"):
        Interface(0.0)
    with pytest.raises(InputError, match="surface_tension"):
        Interface(0.1, surface_tension_j_m2=-1.0)
    with pytest.raises(InputError, match=r"electrolyte: found G = 10 GPa and ν = 0\.5"):
        stability_parameter(10, 0.5, Interface(0.1))
    with pytest.raises(InputError, match="eigenvalue of -10"):
        anisotropic_stability(cubic(40, 50, 20), LITHIUM, Interface(0.1))
