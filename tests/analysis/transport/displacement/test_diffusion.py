"""Tracer and charge diffusivities: values, refusals, limits."""

import math

import numpy as np
import pytest

from mlip_sse.analysis.results import Quality
from mlip_sse.analysis.transport.displacement.diffusion import charge_diffusion, tracer_diffusion
from mlip_sse.analysis.transport.displacement.displacements import displacement_moments
from mlip_sse.analysis.transport.displacement.lags import log_lags
from mlip_sse.analysis.transport.displacement.time_bins import time_bins
from tests.analysis.transport import walkers


def diffuse(positions, spacing_fs=10.0, hop=3.0):
    n_frames = positions.shape[2]
    lags = log_lags(n_frames)
    short = lags[lags <= 0.4 * n_frames]
    tracer = tracer_diffusion(displacement_moments(positions, lags), time_bins(positions, short), spacing_fs, hop)
    charge = positions.sum(axis=0)[None]
    collective = displacement_moments(charge, lags)
    return tracer, charge_diffusion(collective, time_bins(charge, short), len(positions), spacing_fs, tracer)


def test_the_units_of_a_brownian_walker():
    tracer, charge = diffuse(walkers.brownian(np.random.default_rng(1), 50, 4000, step=0.3))
    expected = 0.3**2 / 2 / 10.0 * 0.1  # Å²/frame over 10 fs, 1 Å²/fs = 0.1 cm²/s
    assert tracer.diffusivity_cm2_s.value == pytest.approx(expected, rel=0.05)  # about five standard errors
    assert charge.diffusivity_cm2_s.value == pytest.approx(expected, rel=0.3)
    assert tracer.verdict.quality is Quality.PASS
    assert tracer.exponent == pytest.approx(1.0, abs=0.1)


def test_the_charge_is_as_uncertain_for_many_ions_as_for_few():
    errors = []
    for n_ions in (10, 160):
        _, charge = diffuse(walkers.brownian(np.random.default_rng(2), n_ions, 2000))
        errors.append(math.sqrt(charge.diffusivity_cm2_s.relative_variance))
    assert errors[1] == pytest.approx(errors[0], rel=0.5)  # the tracer's error would fall by four


def test_ions_that_only_vibrate_are_refused_with_a_limit():
    still = np.random.default_rng(3).standard_normal((64, 3, 2000)) * 0.2
    tracer, charge = diffuse(still)
    assert tracer.verdict.quality is Quality.REFUSED
    assert tracer.diffusivity_cm2_s is None
    interval = tracer.interval(0.95)
    assert interval.value is None
    assert (interval.low, interval.high) == (0.0, tracer.limit_cm2_s)
    assert tracer.limit_cm2_s >= tracer.jumps.detection_limit_cm2_s > 0
    assert charge.verdict.quality is Quality.REFUSED


def test_ions_that_never_move_are_refused():
    tracer, _ = diffuse(np.zeros((8, 3, 500)))
    assert tracer.verdict.quality is Quality.REFUSED
    assert "never move" in tracer.verdict.reasons[0]


def test_a_run_shorter_than_the_onset_is_refused():
    drifting = np.arange(400.0)[None, None, :] * np.random.default_rng(4).standard_normal((40, 3, 1))
    tracer, _ = diffuse(drifting)
    assert tracer.verdict.quality is Quality.REFUSED
    assert "not yet straight" in tracer.verdict.reasons[0]
    assert tracer.interval(0.95).value is None


def test_few_hops_are_weak():
    positions = walkers.caged(np.random.default_rng(5), 16, 4000, rate=4e-4, memory=1.5)
    tracer, _ = diffuse(positions)
    assert tracer.verdict.quality is not Quality.PASS
    assert any("effective jumps" in reason or "zero" in reason for reason in tracer.verdict.reasons)


@pytest.mark.parametrize("seed", range(5))
def test_a_limit_is_above_the_truth(seed):
    """Rare hops: 3 expected in the run; whatever is reported, the upper end must not exclude D."""
    positions = walkers.caged(np.random.default_rng(seed), 16, 2000, rate=1e-4)
    tracer, _ = diffuse(positions)
    truth = 1e-4 * 9 / 6 / 10.0 * 0.1
    assert tracer.interval(0.95).high > truth
