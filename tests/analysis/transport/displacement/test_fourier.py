"""All-lag mean squared displacement by Fourier transform: equal to the direct kernel, exact where the walk is."""

import numpy as np
import pytest

from mlip_sse.analysis.transport.displacement.displacements import displacement_moments
from mlip_sse.analysis.transport.displacement.fourier import collective_msd_all_lags, msd_all_lags, msd_all_lags_per_ion
from mlip_sse.errors import InputError


def walkers(n_ions, n_frames, seed, step=0.1):
    return np.cumsum(np.random.default_rng(seed).normal(scale=step, size=(n_ions, 3, n_frames)), axis=2)


@pytest.mark.parametrize("n_frames", [2, 3, 257, 1000, 4999])
def test_every_lag_equals_the_direct_kernel(n_frames):
    positions = walkers(9, n_frames, seed=n_frames) + 50.0
    lags = np.arange(1, n_frames)
    direct = displacement_moments(positions, lags)
    np.testing.assert_allclose(msd_all_lags(positions)[lags], direct.msd, rtol=1e-10)
    np.testing.assert_allclose(msd_all_lags_per_ion(positions)[:, lags], direct.msd_per_ion, rtol=1e-10)
    assert msd_all_lags(positions)[0] == 0.0


def test_ballistic_ions_move_by_velocity_times_time():
    velocity = np.array([0.3, -0.2, 0.05])
    times = np.arange(3000.0)
    # numbers of up to 1,500² |v|² leave 1e-16 · 2e6 of |v|² at a lag of one frame
    np.testing.assert_allclose(
        msd_all_lags((velocity[:, None] * times)[None])[1:], (velocity @ velocity * times**2)[1:], rtol=1e-8
    )


def test_rotation_order_of_ions_and_direction_of_time_change_nothing():
    positions = walkers(6, 800, seed=3)
    msd = msd_all_lags(positions)
    rotation, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))
    for same in (np.einsum("ab,ibt->iat", rotation, positions), positions[::-1], positions[:, :, ::-1]):
        np.testing.assert_allclose(msd_all_lags(same), msd, rtol=1e-10)


def test_blocks_workers_and_precision_of_the_input():
    positions = walkers(40, 6000, seed=5)
    msd = msd_all_lags(positions)
    np.testing.assert_allclose(msd_all_lags(positions[i : i + 7] for i in range(0, 40, 7)), msd, rtol=1e-10)
    assert msd_all_lags(positions, workers=1).tobytes() == msd_all_lags(positions, workers=2).tobytes()
    # float32 input is rounded to 1e-6 Å within 16 Å, then transformed in float64
    np.testing.assert_allclose(msd_all_lags(positions.astype(np.float32))[1:], msd[1:], rtol=1e-6)


def test_collective_is_that_of_one_walker():
    dipole = walkers(1, 500, seed=6, step=2.0)
    np.testing.assert_array_equal(collective_msd_all_lags(dipole[0].T), msd_all_lags(dipole))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("function", [msd_all_lags, msd_all_lags_per_ion])
def test_a_coordinate_that_is_not_finite_is_named(function, bad):
    broken = walkers(30, 4000, seed=7)
    broken[28, 2, 3] = bad
    for blocks in (broken, [broken[:20], broken[20:]]):
        with pytest.raises(InputError, match=f"z of ion 28 in frame 3 is {bad}"):
            function(blocks)


def test_shapes_are_checked():
    with pytest.raises(InputError, match=r"expected \(n_ions, 3, n_frames\)"):
        msd_all_lags(np.zeros((4, 10)))
    with pytest.raises(InputError, match=r"the dipole has shape \(10, 2\), expected \(n_frames, 3\)"):
        collective_msd_all_lags(np.zeros((10, 2)))
