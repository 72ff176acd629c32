"""Green-Kubo against analytic processes, the running integral against a slow twin, agreement and refusals."""

import itertools
import math

import numpy as np
import pytest
from scipy.signal import lfilter

from mlip_sse.analysis.results import Estimate, Quality, to_json
from mlip_sse.analysis.transport.charge.green_kubo import (
    agreement,
    charge_current,
    collective_spectrum_diffusivity,
    green_kubo_conductivity,
    running_integral,
)
from mlip_sse.analysis.transport.charge.spectrum import zero_frequency_density
from mlip_sse.errors import InputError
from mlip_sse.units import AMU_A2_PER_FS2_TO_EV, BOLTZMANN_EV_PER_K, conductivity_ms_cm

VOLUME, TEMPERATURE = 1000.0, 600.0


def ornstein_uhlenbeck(seed, n_frames, spacing, tau, variance, d=3):
    """Exact samples of ⟨x(0) x(t)⟩ = variance · e^(-t/τ) per component."""
    phi = math.exp(-spacing / tau)
    noise = np.random.default_rng(seed).standard_normal((n_frames + 500, d)) * math.sqrt(variance * (1 - phi * phi))
    return lfilter([1], [1, -phi], noise, axis=0)[500:]


def test_langevin_particle_diffuses_by_einstein():
    mass, friction = 6.94, 0.01  # amu, 1/fs
    kinetic = BOLTZMANN_EV_PER_K * TEMPERATURE
    velocity_variance = kinetic / (mass * AMU_A2_PER_FS2_TO_EV)
    exact = velocity_variance / friction  # k_B T/(m γ), Å²/fs
    velocity = ornstein_uhlenbeck(1, 40000, 5.0, 1 / friction, velocity_variance)
    found = zero_frequency_density(velocity, 5.0).scaled(0.5).estimate
    interval = found.interval(0.99)
    assert interval.low < exact < interval.high
    assert interval.high / interval.low < 2.0
    positions = np.cumsum(velocity, axis=0) * 5.0
    from_positions = collective_spectrum_diffusivity(positions, 5.0).estimate
    assert from_positions.value == pytest.approx(found.value, rel=0.02)  # only the first velocity is lost


def test_walker_diffuses_by_its_steps():
    spacing, step = 100.0, 0.3
    positions = np.cumsum(step * np.random.default_rng(2).standard_normal((20000, 3)), axis=0)
    interval = collective_spectrum_diffusivity(positions, spacing).estimate.interval(0.99)
    exact = step**2 / (2 * spacing)
    assert interval.low < exact < interval.high
    assert interval.high / interval.low < 1.5


def test_conductivity_of_an_exponential_current():
    tau, variance, spacing = 60.0, 4e-4, 4.0
    found = green_kubo_conductivity(ornstein_uhlenbeck(3, 50000, spacing, tau, variance), spacing, VOLUME, TEMPERATURE)
    exact = conductivity_ms_cm(variance * tau, VOLUME, TEMPERATURE)
    spectral, plateau = found.conductivity_ms_cm.interval(0.99), found.running_ms_cm.plateau.interval(0.99)
    assert spectral.low < exact < spectral.high
    assert plateau.low < exact < plateau.high
    assert found.verdict.quality is Quality.PASS, found.verdict.reasons
    assert found.running_ms_cm.plateau_start_fs >= tau
    assert '"conductivity_ms_cm"' in to_json(found)


def test_running_integral_equals_its_definition():
    series = np.random.default_rng(4).standard_normal((400, 2))
    found = running_integral(series, 2.0)
    blocks = series.reshape(10, 40, 2)
    slow = np.zeros((10, 20))
    for b, lag in itertools.product(range(10), range(20)):
        slow[b, lag] = np.mean([blocks[b, t] @ blocks[b, t + lag] / 2 for t in range(40 - lag)])
    integral = np.array([[np.trapezoid(row[: m + 1], dx=2.0) for m in range(20)] for row in slow])
    assert found.values == pytest.approx(integral.mean(axis=0), abs=1e-12)
    assert found.errors == pytest.approx(integral.std(axis=0, ddof=1) / math.sqrt(10), abs=1e-12)


def test_plateau_interval_covers_where_there_is_one():
    exact = 5.0 * (0.1 / math.tanh(0.1))  # the trapezium rule sees (Δt/2) coth(Δt/2τ)
    plateaus = [running_integral(ornstein_uhlenbeck(100 + i, 4000, 1.0, 5.0, 1.0), 1.0).plateau for i in range(400)]
    intervals = [plateau.interval(0.95) for plateau in plateaus if plateau is not None]
    assert len(intervals) > 0.9 * 400
    hits = sum(interval.low < exact < interval.high for interval in intervals)
    assert 0.90 <= hits / len(intervals) <= 0.99  # a cross-check only: an early plateau lies low


def test_coarse_velocities_are_refused_with_the_number():
    time = np.arange(20000) * 40.0
    rng = np.random.default_rng(5)
    vibration = 0.05 * np.sin(
        2 * np.pi * time[:, None] * 0.0123 + rng.uniform(0, 6, 3) + 0.5 * rng.standard_normal((20000, 3))
    )
    found = green_kubo_conductivity(vibration + 0.002 * rng.standard_normal((20000, 3)), 40.0, VOLUME, TEMPERATURE)
    assert found.verdict.quality is not Quality.PASS
    assert any("too coarse" in reason and "S(Nyquist)" in reason for reason in found.verdict.reasons)


def test_short_current_is_refused_without_a_number():
    found = green_kubo_conductivity(np.random.default_rng(6).standard_normal((12, 3)), 1.0, VOLUME, TEMPERATURE)
    assert found.conductivity_ms_cm is None
    assert found.verdict.quality is Quality.REFUSED
    assert found.to_dict()["conductivity_ms_cm"] is None


def test_current_in_the_framework_frame_ignores_drift():
    rng = np.random.default_rng(7)
    velocities = rng.standard_normal((50, 6, 3)).astype(np.float32)
    charges = np.array([1.0, 1, 2, -1, -2, -2])
    masses = np.array([7.0, 7, 40, 16, 16, 32])
    framework = np.array([3, 4, 5])
    plain = np.zeros((50, 3))
    rest = (masses[framework, None] * velocities[:, framework]).sum(axis=1) / masses[framework].sum()
    for i in range(6):
        plain += charges[i] * (velocities[:, i] - rest)
    found = charge_current(velocities, charges, masses, framework)
    assert found == pytest.approx(plain, abs=1e-5)  # float32 input
    drifting = velocities + np.array([1.0, -2.0, 0.5], dtype=np.float32)
    assert charge_current(drifting, charges, masses, framework) == pytest.approx(found, abs=1e-4)
    assert charge_current(velocities, charges) == pytest.approx(np.einsum("a,tad->td", charges, velocities), abs=1e-5)
    with pytest.raises(InputError, match="at least one atom"):
        charge_current(velocities, charges, masses, np.array([], dtype=np.intp))
    with pytest.raises(InputError, match=r"\(n_atoms,\)"):
        charge_current(velocities, charges[:3])
    with pytest.raises(InputError, match=r"found velocities of shape \(5,\)"):
        charge_current(np.ones(5), charges)


def test_agreement_finds_a_factor_and_passes_noise():
    a, b, c = Estimate(1.0, 0.01), Estimate(1.1, 0.01), Estimate(2.5, 0.01)
    fine = agreement({"msd": a, "spectrum": b})
    assert fine.verdict.quality is Quality.PASS
    assert fine.limit == pytest.approx(1.96, abs=0.001)
    assert fine.z_scores["msd / spectrum"] == pytest.approx(-math.log(1.1) / math.sqrt(0.02), rel=0.02)
    bad = agreement({"msd": a, "spectrum": b, "green-kubo": c})
    assert bad.verdict.quality is Quality.WEAK
    assert len(bad.verdict.reasons) == 2
    assert bad.limit > fine.limit
    assert abs(agreement({"a": a, "b": b}, correlation=0.9).z_scores["a / b"]) > 3 * abs(
        fine.z_scores["msd / spectrum"]
    )
    with pytest.raises(InputError, match="at least two"):
        agreement({"a": a})
    with pytest.raises(InputError, match="correlation"):
        agreement({"a": a, "b": b}, correlation=1.0)


def test_agreement_of_independent_estimates_alarms_at_its_stated_rate():
    rng = np.random.default_rng(8)
    values = rng.chisquare(60, (2000, 2)) / 60
    alarms = sum(
        agreement({"a": Estimate(x, 2 / 60), "b": Estimate(y, 2 / 60)}).verdict.quality is Quality.WEAK
        for x, y in values
    )
    assert 0.03 <= alarms / 2000 <= 0.07  # 5 % ± 4 binomial standard errors


def test_bad_dipole_is_one_line():
    with pytest.raises(InputError, match="n_frames, d"):
        collective_spectrum_diffusivity(np.ones(10), 1.0)
