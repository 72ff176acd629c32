"""Displacement moments: the plain double loop, exact walks, invariances, streaming and refusals."""

import numba
import numpy as np
import pytest

from mlip_sse.analysis.transport.displacement.displacements import (
    DisplacementMoments,
    displacement_moments,
    transport_moments,
)
from mlip_sse.analysis.transport.displacement.lags import log_lags
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory

EXACT = {"rtol": 1e-12, "atol": 0.0}  # float64 sums of up to 1e4 terms in another order


def walkers(n_ions, n_frames, seed, step=0.1):
    """Brownian ions, (n_ions, 3, n_frames) Å, centred in time as `Trajectory.ion_blocks` centres them."""
    steps = np.random.default_rng(seed).normal(scale=step, size=(n_ions, 3, n_frames))
    positions = np.cumsum(steps, axis=2)
    return positions - positions.mean(axis=2, keepdims=True)


def slow_moments(positions, lags):
    """Compute the definition, written out as loops over lags and origins."""
    n_ions, _, n_frames = positions.shape
    msd = np.zeros((n_ions, len(lags)))
    quartic = np.zeros((n_ions, len(lags)))
    tensor = np.zeros((len(lags), 3, 3))
    for k, lag in enumerate(lags):
        n_origins = n_frames - lag
        for origin in range(n_origins):
            moved = positions[:, :, origin + lag] - positions[:, :, origin]
            square = (moved**2).sum(axis=1)
            msd[:, k] += square / n_origins
            quartic[:, k] += square**2 / n_origins
            tensor[k] += np.einsum("ia,ib->ab", moved, moved) / (n_origins * n_ions)
    return msd, quartic, tensor


def random_rotation(seed):
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return rotation


@pytest.fixture(scope="module")
def walk():
    return walkers(7, 2300, seed=1)


@pytest.fixture(scope="module")
def lags():
    return log_lags(2300, 12, longest=2299)


@pytest.fixture(scope="module")
def moments(walk, lags):
    return displacement_moments(walk, lags)


def test_moments_equal_the_slow_twin(walk, lags, moments):
    msd, quartic, tensor = slow_moments(walk, lags)
    np.testing.assert_allclose(moments.msd_per_ion, msd, **EXACT)
    np.testing.assert_allclose(moments.quartic_per_ion, quartic, **EXACT)
    np.testing.assert_allclose(moments.tensor, tensor, rtol=0, atol=1e-12 * tensor.max())
    np.testing.assert_allclose(moments.msd, msd.mean(axis=0), **EXACT)
    np.testing.assert_allclose(moments.msd, np.trace(moments.tensor, axis1=1, axis2=2), **EXACT)
    assert moments.n_ions == 7
    assert moments.n_origins.tolist() == [2300 - lag for lag in lags]


def test_variance_is_that_of_all_squared_displacements(walk, lags, moments):
    for k, lag in enumerate(lags):
        squares = ((walk[:, :, lag:] - walk[:, :, :-lag]) ** 2).sum(axis=1)
        assert moments.variance[k] == pytest.approx(squares.var(), rel=1e-9)  # a difference of larger numbers


def test_ballistic_ions_move_by_velocity_times_time():
    velocity = np.array([0.3, -0.2, 0.05])
    lags = np.array([1, 2, 50, 999])
    moments = displacement_moments((velocity[:, None] * np.arange(1000.0))[None], lags)
    np.testing.assert_allclose(moments.msd, (velocity @ velocity) * lags**2, **EXACT)
    np.testing.assert_allclose(moments.tensor, np.multiply.outer(lags**2, np.outer(velocity, velocity)), **EXACT)
    np.testing.assert_array_less(moments.variance, 1e-12 * moments.quartic)
    np.testing.assert_allclose(moments.alpha2, 3 / 5 - 1, rtol=1e-12)


def test_brownian_ions_obey_einstein_with_gaussian_displacements():
    lags = np.array([1, 10, 100])
    moments = displacement_moments(walkers(400, 4000, seed=2, step=0.1), lags)
    # Σ over 400 ions of 4,000 / m independent windows, |Δ|² has relative variance 2/3: 5 standard errors
    error = 5 * np.sqrt(2 / 3 / (400 * 4000 / lags))
    np.testing.assert_array_less(np.abs(moments.msd / (3 * 0.01 * lags) - 1), error)
    # sd of |Δ|⁴ over its mean is √(Γ(11/2)Γ(3/2)/Γ(7/2)² - 1) = 1.79, twice that of |Δ|²: again about 5 standard errors
    np.testing.assert_array_less(np.abs(moments.alpha2), 2.2 * error)
    # sd of the squared deviation over its mean is √(3 + 4 - 1) for χ² of 3 degrees, 3 times that of |Δ|²
    np.testing.assert_array_less(np.abs(moments.variance / (2 / 3 * moments.msd**2) - 1), 3 * error)
    isotropic = moments.tensor / moments.msd[:, None, None] - np.eye(3) / 3
    assert np.all(np.abs(isotropic) < error[:, None, None])


def test_rotation_turns_the_tensor_and_nothing_else(walk, lags, moments):
    rotation = random_rotation(3)
    turned = displacement_moments(np.einsum("ab,ibt->iat", rotation, walk), lags)
    np.testing.assert_allclose(turned.msd_per_ion, moments.msd_per_ion, **EXACT)
    np.testing.assert_allclose(turned.alpha2, moments.alpha2, rtol=0, atol=1e-12)
    wanted = rotation @ moments.tensor @ rotation.T
    np.testing.assert_allclose(turned.tensor, wanted, rtol=0, atol=1e-12 * wanted.max())


def test_permutation_of_ions_permutes_the_rows(walk, lags, moments):
    order = np.random.default_rng(4).permutation(len(walk))
    shuffled = displacement_moments(walk[order], lags)
    np.testing.assert_array_equal(shuffled.msd_per_ion, moments.msd_per_ion[order])
    np.testing.assert_allclose(shuffled.alpha2, moments.alpha2, rtol=0, atol=1e-12)


def test_time_reversal_and_translation_change_nothing(walk, lags, moments):
    reversed_in_time = displacement_moments(np.ascontiguousarray(walk[:, :, ::-1]), lags)
    np.testing.assert_allclose(reversed_in_time.msd_per_ion, moments.msd_per_ion, **EXACT)
    np.testing.assert_allclose(reversed_in_time.tensor, moments.tensor, rtol=0, atol=1e-12 * moments.tensor.max())
    moved = displacement_moments(walk + 8.0, lags)
    # x + 8 rounds x to 9e-16, a displacement of 0.2 to a relative 4e-15, which averages further
    np.testing.assert_allclose(moved.msd_per_ion, moments.msd_per_ion, rtol=1e-13)


def test_float32_keeps_six_digits(walk, lags, moments):
    single = displacement_moments(walk.astype(np.float32), lags)
    # positions within 16 Å are rounded to 5e-7 Å, a step of 0.17 Å to 4e-6 at random; 2,048 terms summed by 16 lanes or
    # more add at most 128 eps/2 = 8e-6, at random a tenth of that
    np.testing.assert_allclose(single.msd_per_ion, moments.msd_per_ion, rtol=4e-6)
    np.testing.assert_allclose(single.quartic_per_ion, moments.quartic_per_ion, rtol=8e-6)
    assert single.msd_per_ion.dtype == np.float64


def test_threads_change_no_bit(walk, lags, moments):
    before = numba.get_num_threads()
    try:
        for n_threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
            numba.set_num_threads(n_threads)
            again = displacement_moments(walk, lags)
            assert again.msd_per_ion.tobytes() == moments.msd_per_ion.tobytes()
            assert again.quartic_per_ion.tobytes() == moments.quartic_per_ion.tobytes()
            assert again.tensor.tobytes() == moments.tensor.tobytes()
    finally:
        numba.set_num_threads(before)


def test_streamed_blocks_equal_the_whole(walk, lags, moments):
    streamed = displacement_moments((walk[i : i + 3] for i in range(0, 7, 3)), lags)
    np.testing.assert_array_equal(streamed.msd_per_ion, moments.msd_per_ion)
    np.testing.assert_allclose(streamed.tensor, moments.tensor, rtol=0, atol=1e-13 * moments.tensor.max())
    merged = DisplacementMoments.merge([displacement_moments(walk[:2], lags), displacement_moments(walk[2:], lags)])
    np.testing.assert_array_equal(merged.msd, moments.msd)


def test_merge_refuses_different_lags(walk):
    with pytest.raises(InputError, match="different lags"):
        DisplacementMoments.merge([displacement_moments(walk, [1, 2]), displacement_moments(walk, [1, 3])])


def test_ions_at_rest_have_no_non_gaussian_parameter():
    moments = displacement_moments(np.full((2, 3, 10), 4.0), [1, 5])
    assert moments.msd.tolist() == [0.0, 0.0]
    assert np.all(np.isnan(moments.alpha2))


def trajectory_of(positions, **options):
    n_frames, n_atoms = positions.shape[:2]
    cells = np.broadcast_to(20.0 * np.eye(3), (n_frames, 3, 3))
    species = np.array(["Li", "Cl"] * (n_atoms // 2))
    return Trajectory(species, np.ones(n_atoms), positions, cells, frame_spacing_fs=100.0, **options)


def test_transport_moments_of_ions_and_charge():
    positions = walkers(6, 500, seed=7).transpose(2, 0, 1) + 10.0
    drift = np.cumsum(np.full((500, 3), 0.02), axis=0)
    trajectory = trajectory_of(positions + drift[:, None, :], drift=drift)
    charges = np.where(trajectory.species == "Li", 1.0, -1.0)
    charges[1] = 0.0
    lags = log_lags(500, 10)
    ions, collective = transport_moments(trajectory, trajectory.indices("Li"), charges, lags)
    msd, quartic, _ = slow_moments(positions[:, ::2].transpose(1, 2, 0), lags)
    np.testing.assert_allclose(ions.msd_per_ion, msd, rtol=1e-5)  # float32 blocks
    np.testing.assert_allclose(ions.quartic_per_ion, quartic, rtol=2e-5)
    dipole = np.einsum("a,tac->ct", charges, positions)[None]
    msd, quartic, tensor = slow_moments(dipole, lags)
    np.testing.assert_allclose(collective.msd_per_ion, msd, rtol=1e-10)  # drift of 10 Å subtracted after summing
    np.testing.assert_allclose(collective.quartic_per_ion, quartic, rtol=1e-10)
    np.testing.assert_allclose(collective.tensor, tensor, rtol=0, atol=1e-10 * tensor.max())
    assert collective.n_ions == 1


def test_opposite_charges_that_move_together_carry_no_current():
    pair = np.repeat(walkers(1, 200, seed=8).transpose(2, 0, 1), 2, axis=1)
    trajectory = trajectory_of(pair)
    ions, collective = transport_moments(trajectory, np.array([0]), np.array([1.0, -1.0]), [1, 50])
    assert np.all(ions.msd > 0.01)
    np.testing.assert_allclose(collective.msd, 0.0, atol=1e-28)


def test_transport_moments_need_a_charge_for_each_atom():
    trajectory = trajectory_of(np.zeros((10, 4, 3)))
    with pytest.raises(InputError, match=r"charges have shape \(2,\), expected one for each of the 4 atoms"):
        transport_moments(trajectory, np.array([0, 2]), np.array([1.0, 1.0]), [1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("frame", [0, 1000, 2299])
def test_a_coordinate_that_is_not_finite_is_named(walk, dtype, bad, frame):
    broken = walk.astype(dtype)
    broken[5, 1, frame] = bad
    for blocks in (broken, [broken[:4], broken[4:]]):
        with pytest.raises(InputError, match=f"y of ion 5 in frame {frame} is {bad}, expected a finite") as refusal:
            displacement_moments(blocks, [1, 100])
        assert "\n" not in str(refusal.value)


def test_overflow_of_float32_is_said():
    with pytest.raises(InputError, match="overflow float32"):
        displacement_moments(walkers(2, 50, seed=9, step=1e12).astype(np.float32), [1])


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        (np.zeros((4, 10)), "shape .4, 10., expected"),
        (np.zeros((4, 2, 10)), "shape .4, 2, 10., expected"),
        (np.zeros((0, 3, 10)), "n_ions >= 1"),
        (np.zeros((4, 3, 10), dtype=int), "type int64, expected float32 or float64"),
        ([np.zeros((4, 3, 10)), np.zeros((4, 3, 9))], "9 frames, the first one 10"),
        ([], "no ions were given"),
        (np.zeros((4, 3, 5)), "lags run from 1 to 5, expected 1 to 4"),
    ],
)
def test_positions_that_do_not_fit_are_refused(positions, message):
    with pytest.raises(InputError, match=message):
        displacement_moments(positions, [1, 5])
