"""The diffusion tensor: its trace, rotation, a known anisotropy, and the test for isotropy."""

import numpy as np
import pytest

from mlip_sse.analysis.transport.displacement.displacements import displacement_moments
from mlip_sse.analysis.transport.displacement.slope import fit_slope
from mlip_sse.analysis.transport.displacement.tensor import diffusion_tensor
from mlip_sse.analysis.transport.displacement.time_bins import time_bins
from tests.analysis.transport import walkers

LAGS = np.array([4, 5, 6, 8, 10, 12, 16])


def tensor_of(ions, cell=None):
    moments = displacement_moments(ions, LAGS)
    fit = fit_slope(LAGS, moments.msd, 4, ions.shape[2], len(ions))
    return diffusion_tensor(moments, time_bins(ions, LAGS), fit, np.eye(3) if cell is None else cell, 1.0), fit


def test_the_trace_is_three_times_the_diffusivity():
    tensor, fit = tensor_of(walkers.brownian(np.random.default_rng(1), 30, 2000))
    assert np.trace(tensor.components_cm2_s) / 3 == pytest.approx(fit.slope / 6 * 0.1, rel=1e-12)


def test_a_known_anisotropy_lies_in_its_interval():
    stretched = walkers.brownian(np.random.default_rng(2), 60, 3000) * np.sqrt([1.0, 1.0, 3.0])[None, :, None]
    tensor, _ = tensor_of(stretched)
    assert tensor.anisotropy.low < 3.0 < tensor.anisotropy.high
    assert tensor.anisotropy.high < 3.6
    assert abs(tensor.principal_axes[0, 2]) == pytest.approx(1.0, abs=0.01)
    assert tensor.p_isotropic < 1e-6
    assert tensor.along_axes_cm2_s[2].low < 0.15 < tensor.along_axes_cm2_s[2].high


def test_along_a_tilted_axis():
    stretched = walkers.brownian(np.random.default_rng(3), 60, 2000) * np.sqrt([1.0, 1.0, 3.0])[None, :, None]
    cell = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 2.0, 2.0]])
    tensor, _ = tensor_of(stretched, cell)
    expected = 0.5 * (tensor.components_cm2_s[1:, 1:].sum())
    assert tensor.along_axes_cm2_s[2].value == pytest.approx(expected, rel=1e-12)


def test_the_tensor_turns_with_the_walkers():
    ions = walkers.brownian(np.random.default_rng(4), 20, 1500) * np.array([1.0, 1.5, 0.7])[None, :, None]
    rotation = np.linalg.qr(np.random.default_rng(5).standard_normal((3, 3)))[0]
    plain, _ = tensor_of(ions)
    turned, _ = tensor_of(np.einsum("ab,ibt->iat", rotation, ions))
    assert turned.components_cm2_s == pytest.approx(rotation @ plain.components_cm2_s @ rotation.T, rel=1e-9, abs=1e-12)
    assert turned.principal_cm2_s == pytest.approx(plain.principal_cm2_s, rel=1e-9)


def test_isotropic_walkers_are_called_anisotropic_at_the_stated_rate():
    rng = np.random.default_rng(6)
    p = [tensor_of(walkers.brownian(rng, 12, 1500))[0].p_isotropic for _ in range(200)]
    # 200 draws at 5 %: standard deviation 1.5 %
    assert 0.01 < np.mean(np.array(p) < 0.05) < 0.11
