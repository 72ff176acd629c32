"""Mismatch stress: the formula, its crystalline form, and forces that balance."""

import numpy as np
import pytest

from mlip_sse.analysis.mechanics.anisotropic_dendrites import isotropic_stiffness
from mlip_sse.analysis.mechanics.mismatch import layer_stress, layer_stresses_shared, mismatch_stress
from mlip_sse.errors import InputError
from tests.analysis.mechanics.crystals import cubic, triclinic


def test_a_layer_that_shrinks_more_than_its_substrate_is_under_tension():
    """E Δα ΔT/(1-ν): 150 GPa, 0.25, 10e-6/K more than the substrate, cooled by 1000 K."""
    assert mismatch_stress(150.0, 0.25, 15e-6, 5e-6, -1000.0) == pytest.approx(150 / 0.75 * 10e-6 * 1000)
    assert mismatch_stress(150.0, 0.25, 5e-6, 15e-6, -1000.0) < 0
    assert mismatch_stress(150.0, 0.25, 5e-6, 5e-6, -1000.0) == 0


def test_the_crystalline_form_has_the_isotropic_limit():
    stiffness = isotropic_stiffness(60.0, 0.25)
    strain = 0.01 * np.eye(2)
    stress = layer_stress(stiffness, strain)
    assert stress == pytest.approx(2 * 60 * 1.25 / 0.75 * strain, abs=1e-12)
    shear = layer_stress(stiffness, [[0, 0.005], [0.005, 0]])
    assert shear == pytest.approx(np.array([[0, 0.6], [0.6, 0]]), abs=1e-12)


def test_nothing_pulls_along_the_normal():
    """Slow twin: the strains out of the plane that leave no stress there."""
    stiffness = triclinic(6)
    strain = np.array([[0.01, 0.002], [0.002, -0.004]])
    forced = np.zeros(6)
    forced[[0, 1, 5]] = 0.01, -0.004, 0.004
    out = [2, 3, 4]
    forced[out] = -np.linalg.solve(stiffness[np.ix_(out, out)], (stiffness @ forced)[out])
    stress = stiffness @ forced
    assert stress[out] == pytest.approx([0, 0, 0], abs=1e-12)
    found = layer_stress(stiffness, strain)
    assert found == pytest.approx(np.array([[stress[0], stress[5]], [stress[5], stress[1]]]), abs=1e-12)


def test_layers_that_share_the_strain_balance():
    moduli, thicknesses, expansions = np.array([200.0, 10.0]), np.array([1.0, 4.0]), np.array([10e-6, 50e-6])
    found = layer_stresses_shared(moduli, thicknesses, expansions, -100.0)
    assert found @ thicknesses == pytest.approx(0, abs=1e-12)
    assert found[0] < 0 < found[1]
    thick = layer_stresses_shared(moduli, [1.0, 1e9], expansions, -100.0)
    assert thick[0] == pytest.approx(mismatch_stress(200 * 0.7, 0.3, 10e-6, 50e-6, -100.0), rel=1e-6)


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="expected E > 0"):
        mismatch_stress(0.0, 0.3, 1e-5, 2e-5, 100)
    with pytest.raises(InputError, match="eigenvalue of -10"):
        layer_stress(cubic(40, 50, 20), np.eye(2))
    with pytest.raises(InputError, match=r"expected \(2, 2\)"):
        layer_stress(cubic(50, 20, 20), np.eye(3))
    with pytest.raises(InputError, match="one positive modulus"):
        layer_stresses_shared([1.0, 2.0], [1.0], [1e-5, 2e-5], 10.0)
