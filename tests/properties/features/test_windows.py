"""Descriptors of a short window on walkers whose jumps are known."""

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.properties.features.windows import (
    CORRECTION_NAMES,
    DISPLACEMENT_NAMES,
    JUMP_NAMES,
    SURROUNDINGS_NAMES,
    window_features,
)
from mlip_sse.trajectory.model import Trajectory

RATE, HOP_A, SPACING_FS = 0.004, 3.0, 100.0


@pytest.fixture(scope="module")
def caged():
    """Sixty ions with Poisson hops of 3 Å, 0.04 a ps, and white vibration of 0.15 Å; D = Γ a²/6 = 6e-6 cm²/s."""
    rng = np.random.default_rng(4)
    n_frames, n_ions = 2000, 60
    steps = np.zeros((n_frames, n_ions, 3))
    counts = rng.poisson(RATE, (n_frames, n_ions))
    axes, signs = rng.integers(3, size=counts.shape), rng.choice([-1.0, 1.0], size=counts.shape)
    np.put_along_axis(steps, axes[..., None], (counts * signs * HOP_A)[..., None], axis=2)
    positions = np.cumsum(steps, axis=0) + rng.standard_normal(steps.shape) * 0.15
    return Trajectory.from_arrays(["Li"] * n_ions, positions, np.eye(3) * 60.0, SPACING_FS, wrapped=False)


def test_jumps_are_counted(caged):
    found = window_features(caged, 150.0)
    assert set(found) == {*DISPLACEMENT_NAMES, *JUMP_NAMES, *CORRECTION_NAMES}
    expected = RATE * 1000.0 / SPACING_FS  # a ps
    n_jumps = expected * 60 * 150
    # Poisson: three standard deviations, and hops that run together in one window of p_hop, rate × window = 0.04 × 7.5
    assert expected * (0.7 - 3 / np.sqrt(n_jumps)) < found["jump_rate_per_ps"] < expected * (1 + 3 / np.sqrt(n_jumps))
    assert found["jump_length_a"] == pytest.approx(HOP_A, rel=0.15)
    assert found["cage_variance_a2"] == pytest.approx(3 * 0.15**2, rel=0.1)
    truth = expected * HOP_A**2 / 6 * 1e-4
    error = found["early_relative_error"]
    assert 0.02 < error < 0.3
    assert found["early_diffusivity_cm2_s"] == pytest.approx(truth, rel=4 * error)
    assert found["early_slope_diffusivity_cm2_s"] == pytest.approx(truth, rel=0.35)
    assert found["jump_diffusivity_cm2_s"] == pytest.approx(truth, rel=0.5)


def test_features_do_not_see_what_comes_after_the_window(caged):
    positions = np.array(caged.positions)
    positions[1000:] += np.random.default_rng(0).standard_normal(positions[1000:].shape)
    later = Trajectory.from_arrays(caged.species, positions, caged.cells[0], SPACING_FS, wrapped=False)
    assert window_features(later, 90.0) == pytest.approx(window_features(caged, 90.0), rel=1e-9)  # rounding of sums


def test_features_do_not_depend_on_the_orientation(caged):
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    turned = Trajectory.from_arrays(
        caged.species, caged.positions @ rotation.T, caged.cells[0] @ rotation.T, SPACING_FS, wrapped=False
    )
    one, other = window_features(caged, 60.0), window_features(turned, 60.0)
    for name in one:
        assert other[name] == pytest.approx(one[name], rel=1e-6), name


def test_contacts_that_never_break_outlive_the_window():
    rng = np.random.default_rng(2)
    places = np.array([[0.0, 0, 0], [2.4, 0, 0], [10, 0, 0], [12.4, 0, 0], [5, 5, 5]])
    positions = places + rng.standard_normal((300, 5, 3)) * 0.05
    run = Trajectory.from_arrays(["Li", "S", "Li", "S", "Li"], positions, np.eye(3) * 20.0, SPACING_FS)
    found = window_features(run, 25.0, anions=("S",), contact_a=3.0)
    assert set(SURROUNDINGS_NAMES) <= set(found)
    assert found["coordination_lifetime_ps"] > 25.0
    assert found["coordination_mean"] == pytest.approx(2 / 3)
    assert found["lone_mobile_fraction"] == pytest.approx(1 / 3)
    assert found["largest_cluster_share"] == pytest.approx(1 / 3)


def test_ratios_say_how_estimates_differ(caged):
    found = window_features(caged, 150.0)
    early = found["early_diffusivity_cm2_s"]
    assert 10 ** found["log10_jump_over_early"] == pytest.approx(found["jump_diffusivity_cm2_s"] / early)
    assert 10 ** found["log10_n_jumps"] == pytest.approx(found["n_jumps"])
    assert 10 ** found["log10_msd_over_cage"] == pytest.approx(found["early_msd_a2"] / found["cage_variance_a2"])
    # MSD = 6 D t + 2 u²: the end of the curve lies above the slope by 2 u²/(6 D t)
    above = 2 * found["cage_variance_a2"] / (6 * early * 1e4 * 75.0)
    plain = found["early_slope_diffusivity_cm2_s"] / early  # the slope over log-spaced lags is not quite that of GLS
    assert 10 ** found["log10_end_over_early"] == pytest.approx(plain + above, rel=0.15)


def test_ions_that_stand_still_have_no_ratios():
    positions = np.tile(np.arange(12.0).reshape(1, 4, 3), (80, 1, 1))
    still = Trajectory.from_arrays(["Li"] * 4, positions, np.eye(3) * 30.0, SPACING_FS)
    found = window_features(still, 6.0)
    assert found["early_diffusivity_cm2_s"] == 0.0
    assert found["n_jumps"] == 0.0
    assert np.isnan(found["log10_jump_over_early"])


def test_a_window_longer_than_the_run_is_refused(caged):
    with pytest.raises(InputError, match="run longer or ask for a shorter window"):
        window_features(caged, 500.0)
    with pytest.raises(InputError, match="expected at least 40"):
        window_features(caged, 1.0)
