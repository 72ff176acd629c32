"""Thermal expansion: a harmonic crystal has none, known tensors come back, and transitions are found."""

import numpy as np
import pytest

from mlip_sse.analysis.mechanics.expansion import thermal_expansion
from mlip_sse.errors import InputError
from tests.analysis.mechanics.breathing_cells import breathing
from tests.analysis.mechanics.crystals import cubic, cubic_group, hexagonal, hexagonal_group, some_rotation

KELVINS = (200.0, 300.0, 400.0, 500.0, 600.0, 700.0)
CELL = 20.0 * np.eye(3)
LICL = cubic(49.3, 22.8, 24.6)


def runs(tensor_per_k, *, quadratic=0.0, jump=0.0, above_k=450.0, seed=0, n_frames=800, kelvins=KELVINS):
    """Return cells of a crystal that expands as a tensor says, around 300 K."""
    found = []
    for index, kelvin in enumerate(kelvins):
        x = kelvin - 300.0
        strain = np.asarray(tensor_per_k) * x + np.eye(3) * (quadratic * x**2 + (jump if kelvin > above_k else 0.0))
        mean = CELL @ (np.eye(3) + strain)
        found.append(breathing(LICL, mean, kelvin, n_frames, seed=100 * seed + index))
    return found


def test_a_harmonic_crystal_does_not_expand():
    """40 sets of runs: zero lies inside the 95 % interval in 34 or more, and the mean is zero within its error."""
    values, covered = [], 0
    for seed in range(40):
        found = thermal_expansion(KELVINS, runs(np.zeros((3, 3)), seed=seed), order="linear")
        covered += found.volumetric.low <= 0 <= found.volumetric.high
        values.append(found.volumetric.value)
        assert found.transition is None
    assert covered >= 34
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(40)
    assert np.std(values) < 5e-6


def test_a_known_tensor_comes_back():
    truth = np.diag([30e-6, 30e-6, 60e-6])
    found = thermal_expansion(KELVINS, runs(truth), hexagonal_group())
    assert found.verdict.quality == "pass"
    assert found.tensor_per_k == pytest.approx(truth, abs=4 * found.error_per_k.max())
    assert found.error_per_k.max() < 3e-6
    assert found.volumetric.low < 120e-6 < found.volumetric.high
    assert found.linear.value == pytest.approx(found.volumetric.value / 3)
    assert found.principal[2] == pytest.approx(60e-6, abs=6e-6)
    assert found.tensor_per_k[0, 1] == pytest.approx(0.0, abs=1e-12)


def test_the_trace_is_the_expansion_of_the_volume():
    """With no noise but that of rounding: d ln V/dT of exact cells."""
    kelvins = np.array(KELVINS)
    cells = [np.tile(CELL * np.exp(44e-6 * (t - 300) + 1e-8 * (t - 300) ** 2), (40, 1, 1)) for t in kelvins]
    noise = np.random.default_rng(0)
    cells = [each * (1 + 1e-9 * noise.normal(size=(40, 1, 1))) for each in cells]
    found = thermal_expansion(kelvins, cells, cubic_group(), reference_k=400.0)
    assert found.order == 2
    assert found.volumetric.value == pytest.approx(3 * (44e-6 + 2e-8 * 100), rel=1e-5)
    assert np.trace(found.tensor_per_k) == pytest.approx(found.volumetric.value, rel=1e-9)


def test_a_bend_is_fitted_and_is_no_transition():
    found = thermal_expansion(KELVINS, runs(40e-6 * np.eye(3), quadratic=3e-8))
    assert (found.order, found.transition) == (2, None)
    assert found.volumetric.low < 120e-6 < found.volumetric.high
    straight = thermal_expansion(KELVINS, runs(40e-6 * np.eye(3), quadratic=3e-8), order="linear")
    assert straight.volumetric.value > 130e-6


def test_a_transition_is_found_between_its_temperatures():
    found = thermal_expansion(KELVINS, runs(40e-6 * np.eye(3), jump=0.004))
    assert (found.transition.below_k, found.transition.above_k) == (400.0, 500.0)
    assert found.transition.jump == pytest.approx(0.012, abs=2e-3)
    assert found.verdict.quality == "refused"
    assert "a phase transition between 400 and 500 K: ln V jumps by 1." in found.verdict.reasons[0]


def test_a_transition_that_keeps_the_volume_is_found_in_the_strains():
    cells = runs(40e-6 * np.eye(3))
    tetragonal = np.diag([1.004, 1 / 1.004**0.5, 1 / 1.004**0.5])
    cells = [each @ tetragonal if kelvin > 450 else each for each, kelvin in zip(cells, KELVINS, strict=True)]
    found = thermal_expansion(KELVINS, cells).transition
    assert (found.component, found.below_k) == ("xx", 400.0)
    assert found.jump == pytest.approx(0.004, rel=0.15)


def test_the_intervals_cover_and_no_transition_is_imagined():
    """40 sets of runs of a crystal that bends as LiCl may: 95 % intervals cover in 34 or more."""
    covered = 0
    for seed in range(40):
        found = thermal_expansion(KELVINS, runs(44e-6 * np.eye(3), quadratic=1e-8, seed=seed), order="quadratic")
        covered += found.volumetric.low <= 132e-6 <= found.volumetric.high
        assert found.transition is None
    assert covered >= 34


def test_neither_order_nor_orientation_matters():
    truth = np.diag([20e-6, 30e-6, 60e-6])
    cells = runs(truth, seed=2)
    found = thermal_expansion(KELVINS, cells)
    back = thermal_expansion(KELVINS[::-1], cells[::-1])
    assert back.tensor_per_k == pytest.approx(found.tensor_per_k, abs=1e-12)
    turn = some_rotation(3)
    turned = thermal_expansion(KELVINS, [each @ turn.T for each in cells], order="linear")
    straight = thermal_expansion(KELVINS, cells, order="linear")
    # Weights are those of each component, so that the fit of a turned tensor differs a little.
    assert turned.tensor_per_k == pytest.approx(turn @ straight.tensor_per_k @ turn.T, abs=3e-6)
    assert turned.volumetric.value == pytest.approx(straight.volumetric.value, rel=1e-9)


def test_few_temperatures_and_drifting_cells_are_named():
    cells = runs(40e-6 * np.eye(3))
    few = thermal_expansion(KELVINS[:3], cells[:3])
    assert few.verdict.reasons == ("found 3 temperatures, expected 5 or more",)
    outside = thermal_expansion(KELVINS, cells, reference_k=1000.0)
    assert outside.verdict.reasons == ("1000 K lies outside 200 to 700 K: extrapolated",)
    cells[2] = cells[2] * np.where(np.arange(800) < 400, 1.0, 1.01)[:, None, None]
    assert "at 400 K the halves of the run are" in thermal_expansion(KELVINS, cells).verdict.reasons[-1]
    with pytest.raises(InputError, match="3 or more"):
        thermal_expansion(KELVINS[:2], cells[:2])
    with pytest.raises(InputError, match="each temperature once"):
        thermal_expansion([300.0, 300.0, 400.0], cells[:3])
    with pytest.raises(InputError, match="found a temperature of -50 K, expected positive ones"):
        thermal_expansion([-50.0, 300.0, 400.0], cells[:3])
    with pytest.raises(InputError, match="order: found 'cubic', expected auto, linear or quadratic"):
        thermal_expansion(KELVINS, cells, order="cubic")
    with pytest.raises(InputError, match="positive volume"):
        thermal_expansion(KELVINS, [-each for each in cells])


def test_a_hexagonal_crystal_keeps_its_symmetry():
    soft = hexagonal(60, 20, 15, 70, 18)
    cells = [
        breathing(soft, CELL @ np.diag([1 + 1e-4 * i, 1 + 1e-4 * i, 1.0]), t, 400, seed=i)
        for i, t in enumerate(KELVINS)
    ]
    tensor = thermal_expansion(KELVINS, cells, hexagonal_group()).tensor_per_k
    assert tensor[0, 0] == pytest.approx(tensor[1, 1], rel=1e-9)
