"""Conductivity and Haven ratio: the factor N, strings, and the tracer correlation factors of vacancy lattices."""

import numpy as np
import pytest

from mlip_sse.analysis.results import Estimate
from mlip_sse.analysis.transport.charge.conductivity import (
    charge_conductivity,
    haven_ratio,
    log_covariance,
    nernst_einstein_conductivity,
)
from mlip_sse.analysis.transport.displacement.displacements import displacement_moments
from mlip_sse.analysis.transport.displacement.slope import fit_slope
from mlip_sse.analysis.transport.displacement.time_bins import time_bins
from mlip_sse.analysis.transport.transport import Transport
from mlip_sse.trajectory.model import Trajectory
from tests.analysis.transport import walkers


def trajectory_of(ions, temperature_k=600.0):
    n_ions, _, n_frames = ions.shape
    positions = np.concatenate([ions.transpose(2, 0, 1), np.zeros((n_frames, 1, 3))], axis=1)
    return Trajectory(
        species=np.array(["Li"] * n_ions + ["S"]),
        masses=np.array([6.94] * n_ions + [32.06]),
        positions=positions,
        cells=np.tile(np.eye(3) * 20.0, (n_frames, 1, 1)),
        frame_spacing_fs=100.0,
        temperature_k=temperature_k,
    )


@pytest.mark.parametrize("n_ions", [20, 100, 500])
def test_independent_walkers_have_a_haven_ratio_of_one(n_ions):
    result = Transport(mobile="Li").run(trajectory_of(walkers.brownian(np.random.default_rng(n_ions), n_ions, 3000)))
    haven = result.haven.interval(0.99)  # one draw in a hundred may fall outside; the seeds are fixed
    assert haven.low < 1.0 < haven.high
    assert haven.high / haven.low < 2.0


@pytest.mark.parametrize("length", [2, 5])
def test_strings_of_n_ions_have_a_haven_ratio_of_one_over_n(length):
    ions = walkers.strings(np.random.default_rng(length), 40, 3000, length)
    haven = Transport(mobile="Li").run(trajectory_of(ions)).haven.interval(0.99)
    assert haven.low < 1 / length < haven.high
    assert haven.high / haven.low < 2.0


def test_one_ion_is_its_own_charge():
    ions = walkers.brownian(np.random.default_rng(7), 1, 3000)
    positions = displacement_moments(ions, np.array([4, 6, 8, 12, 16]))
    fit = fit_slope(positions.lags, positions.msd, 4, 3000, 1)
    bins = time_bins(ions, positions.lags)
    covariance = log_covariance((bins, fit), (bins, fit))
    estimate = Estimate(1.0, covariance)
    assert haven_ratio(estimate, estimate, covariance).relative_variance == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("edge", "neighbours", "exact"),
    [
        pytest.param(10, walkers.CUBIC, 0.65311, id="simple cubic"),
        pytest.param(16, walkers.BODY_CENTRED, 0.72722, id="body-centred cubic"),
        pytest.param(14, walkers.FACE_CENTRED, 0.78146, id="face-centred cubic"),
    ],
)
def test_the_tracer_correlation_factor_of_a_single_vacancy(edge, neighbours, exact):
    """D*/D_charge equals the exact f within 3 %; the rate of the charge is that of the vacancy, known exactly."""
    moves, n_frames = 200.0, 2000
    slopes = []
    for seed in range(3):
        ions = walkers.lattice_gas(np.random.default_rng(seed), edge, 1, n_frames, moves, neighbours)
        moments = displacement_moments(ions, np.array([10, 14, 20, 28, 40]))
        slopes.append(fit_slope(moments.lags, moments.msd, 10, n_frames, len(ions)).slope)
    square = float((neighbours**2).sum(axis=1).mean())
    assert np.mean(slopes) / (moves * square / len(ions)) == pytest.approx(exact, rel=0.03)


def test_the_conductivity_of_a_known_diffusivity():
    """σ = 6.198e9 (300/T) z² (N/V) D: the handy constant, to its four digits."""
    estimate = Estimate(1e-6, 0.01)
    expected = 6.198e9 * (300 / 500) * 56 / 12.98**3 * 1e-6
    assert charge_conductivity(estimate, 56.0, 12.98**3, 500.0).value == pytest.approx(expected, rel=2e-4)
    both = nernst_einstein_conductivity({"Li": estimate, "Na": estimate}, {"Li": 50.0, "Na": 6.0}, 12.98**3, 500.0)
    assert both.value == pytest.approx(expected, rel=2e-4)
    assert both.relative_variance == pytest.approx(0.01 * (50**2 + 6**2) / 56**2)
