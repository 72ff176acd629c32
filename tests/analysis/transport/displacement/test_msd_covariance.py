"""The closed-form covariance of the MSD against the sum over window pairs, against simulation, and its scaling."""

import numpy as np
import pytest

from mlip_sse.analysis.transport.displacement.msd_covariance import counting_covariance, gaussian_covariance

LAGS = np.array([1, 2, 5, 9, 30, 58, 70])


def pair_sum(lags, n_frames, kernel):
    """Σ over all pairs of windows of kernel(covariance of their displacements) / (K_m K_n), written out."""
    out = np.empty((len(lags), len(lags)))
    for i, m in enumerate(lags):
        for j, n in enumerate(lags):
            s = np.arange(n_frames - m)[:, None]
            t = np.arange(n_frames - n)[None, :]
            overlap = np.clip(np.minimum(s + m, t + n) - np.maximum(s, t), 0, None).astype(float)
            same = (s == t) * 1.0 + (s + m == t + n) - (s == t + n) - (s + m == t)
            out[i, j] = kernel(overlap, same).sum() / ((n_frames - m) * (n_frames - n))
    return out


@pytest.mark.parametrize("noise", [0.0, 0.7])
@pytest.mark.parametrize("n_frames", [100, 75])
def test_it_equals_the_sum_over_all_pairs_of_windows(noise, n_frames):
    slow = pair_sum(LAGS, n_frames, lambda overlap, same: 2 * 3 * (0.3 * overlap + noise * same) ** 2)
    assert gaussian_covariance(LAGS, n_frames, 0.3, noise) == pytest.approx(slow, rel=1e-12)  # integers summed exactly


def test_noise_with_a_memory_spreads_over_neighbouring_windows():
    lags, n_frames, rho = np.array([24, 25, 27, 40, 80]), 300, 0.6

    def kernel(lag_m, lag_n):
        s, t = np.arange(n_frames - lag_m)[:, None], np.arange(n_frames - lag_n)[None, :]
        overlap = np.clip(np.minimum(s + lag_m, t + lag_n) - np.maximum(s, t), 0, None)
        pairs = ((s, t, 1), (s + lag_m, t + lag_n, 1), (s, t + lag_n, -1), (s + lag_m, t, -1))
        noise = sum(sign * rho ** np.abs(x - y) for x, y, sign in pairs)
        return 6 * ((0.05 * overlap + 0.7 * noise) ** 2).sum() / ((n_frames - lag_m) * (n_frames - lag_n))

    slow = np.array([[kernel(m, n) for n in lags] for m in lags])
    # memory 2 frames against lags of 24 and more: edge terms of a few per cent are left out
    assert gaussian_covariance(lags, n_frames, 0.05, 0.7, noise_memory=rho) == pytest.approx(slow, rel=0.05)


def test_the_counting_part_equals_the_sum_over_all_pairs_of_windows():
    slow = pair_sum(LAGS, 90, lambda overlap, same: 1.7 * overlap)
    assert counting_covariance(LAGS, 90, 1.7) == pytest.approx(slow, rel=1e-12)


def test_it_is_the_covariance_of_simulated_walkers():
    rng = np.random.default_rng(3)
    lags = np.array([2, 4, 8, 16])
    walks = np.cumsum(rng.standard_normal((20_000, 3, 60)) * 0.5, axis=2) + rng.standard_normal((20_000, 3, 60)) * 0.8
    msd = np.stack([((walks[:, :, m:] - walks[:, :, :-m]) ** 2).sum(axis=1).mean(axis=1) for m in lags], axis=1)
    # relative error of a variance from 20,000 skewed samples: about 2 %
    assert gaussian_covariance(lags, 60, 0.25, 0.64) == pytest.approx(np.cov(msd.T), rel=0.08)


def test_it_is_symmetric_and_positive_definite():
    covariance = gaussian_covariance(np.arange(1, 40), 400, 1.0, 0.2)
    assert np.array_equal(covariance, covariance.T)
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_it_scales_with_the_square_of_the_displacements():
    assert gaussian_covariance(LAGS, 100, 3 * 0.3, 3 * 0.1) == pytest.approx(
        9 * gaussian_covariance(LAGS, 100, 0.3, 0.1), rel=1e-14
    )
