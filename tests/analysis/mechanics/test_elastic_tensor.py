"""Elastic constants: exact laws come back, symmetry fills in, errors cover, and what is not stable is refused."""

import numpy as np
import pytest
from ase.build import bulk

from mlip_sse.analysis.mechanics.crystal_symmetry import crystal_symmetry, invariant_stiffnesses, symmetrised_tensor
from mlip_sse.analysis.mechanics.elastic_moduli import elastic_moduli, stability_eigenvalues, young_modulus_along
from mlip_sse.analysis.mechanics.elastic_tensor import distinct_modes, fit_elastic_tensor, strain_modes
from mlip_sse.analysis.mechanics.strains import (
    deformation_gradient,
    full_stiffness,
    mandel_rotation,
    rotated_stiffness,
    strain_tensor,
    strain_voigt,
    stress_tensor,
    stress_voigt,
)
from mlip_sse.errors import InputError
from tests.analysis.mechanics.crystals import (
    cubic,
    cubic_group,
    hexagonal,
    hexagonal_group,
    measured,
    some_rotation,
    triclinic,
)

SIZES = (0.01, 0.02)
ALL = np.array([size * mode for size in SIZES for mode in strain_modes()])
LICL = cubic(49.3, 22.8, 24.6)


def picked(modes, sizes=SIZES):
    return np.array([size * strain_modes()[mode] for size in sizes for mode in modes])


def test_strains_and_stresses_keep_their_factor_of_two():
    tensor = np.array([[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]])
    assert stress_voigt(tensor).tolist() == [1, 2, 3, 4, 5, 6]
    assert strain_voigt(tensor).tolist() == [1, 2, 3, 8, 10, 12]
    assert np.array_equal(strain_tensor(strain_voigt(tensor)), tensor)
    assert np.array_equal(stress_tensor(stress_voigt(tensor)), tensor)


def test_a_deformation_has_its_strain_and_no_rotation():
    strain = strain_tensor([0.02, -0.01, 0.03, 0.04, -0.02, 0.01])
    f = deformation_gradient(strain)
    assert 0.5 * (f.T @ f - np.eye(3)) == pytest.approx(strain, abs=1e-15)
    assert np.array_equal(f, f.T) or np.allclose(f, f.T, atol=1e-16)
    with pytest.raises(InputError, match="choose a smaller strain"):
        deformation_gradient(-0.6 * np.eye(3))


def test_a_rotated_stiffness_is_the_rotated_tensor():
    stiffness, turn = triclinic(3), some_rotation(4)
    plain = np.einsum("ai,bj,ck,dl,ijkl->abcd", turn, turn, turn, turn, full_stiffness(stiffness))
    assert full_stiffness(rotated_stiffness(stiffness, turn)) == pytest.approx(plain, abs=1e-12)
    orthogonal = mandel_rotation(turn)
    assert orthogonal @ orthogonal.T == pytest.approx(np.eye(6), abs=1e-14)


@pytest.mark.parametrize(
    ("group", "n_constants"),
    [(None, 21), (np.array([np.eye(3), np.diag([-1.0, 1.0, -1.0])]), 13), (hexagonal_group(), 5), (cubic_group(), 3)],
)
def test_the_number_of_constants_is_that_of_the_textbook(group, n_constants):
    assert len(invariant_stiffnesses(group)) == n_constants


@pytest.mark.parametrize(
    ("truth", "group"),
    [(triclinic(1), None), (hexagonal(60, 20, 15, 70, 18), hexagonal_group()), (LICL, cubic_group())],
)
def test_an_exact_law_comes_back_whatever_the_residual_stress_and_the_even_orders(truth, group):
    stresses = measured(truth, ALL, residual_gpa=0.3, quadratic=50.0)
    found = fit_elastic_tensor(ALL, stresses, group)
    assert found.stiffness_gpa == pytest.approx(truth, abs=1e-9)
    assert (found.verdict.quality, found.verdict.reasons) == ("pass", ())
    assert found.moduli["bulk"].value == pytest.approx(elastic_moduli(truth).bulk, rel=1e-9)
    assert found.misfit < 1e-9


def test_the_frame_does_not_matter():
    turn = some_rotation(7)
    truth = rotated_stiffness(LICL, turn)
    group = np.einsum("ij,njk,lk->nil", turn, cubic_group(), turn)
    modes = distinct_modes(group)
    found = fit_elastic_tensor(picked(modes), measured(truth, picked(modes)), group)
    assert found.stiffness_gpa == pytest.approx(truth, abs=1e-9)
    assert found.moduli["anisotropy"].value == pytest.approx(elastic_moduli(LICL).anisotropy, abs=1e-9)


def test_few_modes_are_enough_where_symmetry_is_high():
    assert distinct_modes(cubic_group()) == (0, 3)
    assert distinct_modes(None) == (0, 1, 2, 3, 4, 5)
    for truth, group in ((LICL, cubic_group()), (hexagonal(60, 20, 15, 70, 18), hexagonal_group())):
        few = picked(distinct_modes(group))
        assert len(few) < len(ALL)
        assert fit_elastic_tensor(few, measured(truth, few), group).stiffness_gpa == pytest.approx(truth, abs=1e-9)


def test_rotations_that_are_slightly_off_determine_no_constant():
    """A relaxed cell keeps its symmetry to 1e-5: C33 must come from a strain along z, not from what leaks there."""
    tilt = np.eye(3) + 1e-5 * np.random.default_rng(0).normal(size=(3, 3))
    off = np.einsum("ij,njk,kl->nil", tilt, hexagonal_group(), np.linalg.inv(tilt))
    assert distinct_modes(off) == distinct_modes(hexagonal_group())
    truth = hexagonal(60, 20, 15, 70, 18)
    few = picked(distinct_modes(off))
    assert fit_elastic_tensor(few, measured(truth, few, noise_gpa=0.01), off).stiffness_gpa == pytest.approx(
        truth, abs=2
    )
    without_z = picked((0, 3))
    with pytest.raises(InputError, match="do not determine all 5 constants"):
        fit_elastic_tensor(without_z, measured(truth, without_z), off)


def test_the_intervals_cover():
    """150 noisy measurements: at least 92 % hold the truth; joined with the fits at each size they may be wider."""
    sizes = np.array([0.005, 0.01, 0.015, 0.02])
    strains = picked((0, 3), sizes)
    truth = elastic_moduli(LICL)
    covered = np.zeros(3)
    for seed in range(150):
        found = fit_elastic_tensor(strains, measured(LICL, strains, noise_gpa=0.02, seed=seed), cubic_group())
        covered += [
            found.low_gpa[0, 0] <= LICL[0, 0] <= found.high_gpa[0, 0],
            found.low_gpa[3, 3] <= LICL[3, 3] <= found.high_gpa[3, 3],
            found.moduli["shear"].low <= truth.shear <= found.moduli["shear"].high,
        ]
    assert (covered >= 138).all(), covered


def test_a_law_that_is_not_linear_widens_the_interval():
    """Odd orders stay: the interval holds both sizes of the strain."""
    strains = picked((0, 3))
    stresses = measured(LICL, strains)
    stresses *= 1 + 100 * np.abs(strains).max(axis=1)[:, None, None] ** 2
    found = fit_elastic_tensor(strains, stresses, cubic_group())
    assert found.low_gpa[0, 0] <= LICL[0, 0] * 1.01 < LICL[0, 0] * 1.04 <= found.high_gpa[0, 0] * (1 + 1e-12)


def test_a_crystal_that_is_not_stable_is_refused_with_its_eigenvalues():
    truth = cubic(40.0, 50.0, 20.0)
    found = fit_elastic_tensor(ALL, measured(truth, ALL), cubic_group())
    assert found.verdict.quality == "refused"
    assert "eigenvalues of the stiffness -10, -10, 40, 40, 40, 140 GPa" in found.verdict.reasons[0]
    assert found.moduli == {}


def test_stresses_of_another_crystal_weaken_the_verdict():
    found = fit_elastic_tensor(ALL, measured(hexagonal(60, 20, 15, 90, 18), ALL), cubic_group())
    assert found.verdict.quality == "weak"
    assert "miss the fit by" in found.verdict.reasons[0]


def test_what_cannot_be_fitted_is_refused():
    stresses = measured(LICL, ALL)
    with pytest.raises(InputError, match=r"expected \(n, 6\) and \(n, 2, 6\)"):
        fit_elastic_tensor(ALL, stresses[:, 0])
    with pytest.raises(InputError, match="do not determine all 21 constants"):
        fit_elastic_tensor(picked((0, 3)), measured(LICL, picked((0, 3))))
    with pytest.raises(InputError, match="not finite"):
        fit_elastic_tensor(ALL, np.full_like(stresses, np.nan), cubic_group())


def test_moduli_of_known_crystals():
    """Copper, C in GPa of Overton and Gaffney; K, G_V, G_R by the formulae for cubic crystals."""
    c11, c12, c44 = 168.4, 121.4, 75.4
    found = elastic_moduli(cubic(c11, c12, c44))
    assert [found.bulk_voigt, found.bulk_reuss] == pytest.approx(2 * [(c11 + 2 * c12) / 3])
    assert found.shear_voigt == pytest.approx((c11 - c12 + 3 * c44) / 5)
    assert found.shear_reuss == pytest.approx(5 * (c11 - c12) * c44 / (4 * c44 + 3 * (c11 - c12)))
    assert found.young == pytest.approx(2 * found.shear * (1 + found.poisson))
    zener = 2 * c44 / (c11 - c12)
    assert found.anisotropy == pytest.approx(6 / 5 * (np.sqrt(zener) - 1 / np.sqrt(zener)) ** 2)
    assert stability_eigenvalues(cubic(c11, c12, c44)) == pytest.approx([47, 47, 150.8, 150.8, 150.8, 411.2])
    soft, stiff = (young_modulus_along(cubic(c11, c12, c44), n) for n in ([1, 0, 0], [1, 1, 1]))
    assert soft == pytest.approx((c11 - c12) * (c11 + 2 * c12) / (c11 + c12))
    assert stiff > soft


def test_moduli_are_the_same_in_any_axes_and_ordered():
    stiffness = triclinic(5)
    found, turned = elastic_moduli(stiffness), elastic_moduli(rotated_stiffness(stiffness, some_rotation(6)))
    assert turned.shear == pytest.approx(found.shear, rel=1e-12)
    assert turned.anisotropy == pytest.approx(found.anisotropy, rel=1e-10)
    assert found.bulk_reuss < found.bulk < found.bulk_voigt
    assert found.shear_reuss < found.shear < found.shear_voigt


def test_pymatgen_agrees():
    from pymatgen.analysis.elasticity import ElasticTensor as Other

    stiffness = triclinic(8)
    other, ours = Other.from_voigt(stiffness), elastic_moduli(stiffness)
    assert ours.bulk == pytest.approx(other.k_vrh, rel=1e-12)
    assert ours.shear == pytest.approx(other.g_vrh, rel=1e-12)
    assert ours.anisotropy == pytest.approx(other.universal_anisotropy, rel=1e-10)
    assert ours.poisson == pytest.approx(other.homogeneous_poisson, rel=1e-12)


def test_what_is_no_stiffness_is_refused():
    with pytest.raises(InputError, match="not stable"):
        elastic_moduli(cubic(40, 50, 20))
    with pytest.raises(InputError, match="not symmetric"):
        elastic_moduli(np.triu(np.ones((6, 6))))
    with pytest.raises(InputError, match=r"expected \(6, 6\)"):
        elastic_moduli(np.eye(3))


def test_the_symmetry_of_a_primitive_cell_and_its_conventional_axes():
    """The primitive cell of copper, turned: the standard axes turn it back."""
    atoms = bulk("Cu", a=3.6)
    turn = some_rotation(9)
    found = crystal_symmetry(atoms.cell.array @ turn.T, atoms.get_scaled_positions(), atoms.numbers)
    assert found.space_group == "Fm-3m (225)"
    assert len(found.rotations) == 48
    truth = cubic(168.4, 121.4, 75.4)
    here = rotated_stiffness(truth, turn)
    for rotation in found.rotations:
        assert rotated_stiffness(here, rotation) == pytest.approx(here, abs=1e-9)
    assert rotated_stiffness(here, found.standard_axes) == pytest.approx(truth, abs=1e-9)
    assert symmetrised_tensor(np.diag([1.0, 2.0, 6.0]), found.rotations) == pytest.approx(3 * np.eye(3), abs=1e-12)
