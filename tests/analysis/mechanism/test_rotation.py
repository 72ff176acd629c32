"""Rotation of units as a whole: correlation functions, times, rates, bounds and verdicts."""

import numpy as np
import pytest

from mlip_sse.analysis.mechanism.angular_correlations import correlation_sums
from mlip_sse.analysis.mechanism.counting import poisson_limits, rate_interval
from mlip_sse.analysis.mechanism.rotation import Rotation
from mlip_sse.analysis.results import Quality
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory
from tests.analysis.mechanism.rotating_units import TETRAHEDRON, jumping, tumbling, turned, units_in_a_cell

CELL = np.array([[14.0, 0.0, 0.0], [3.0, 14.0, 0.0], [-2.0, 2.0, 14.0]])


def trajectory_of(quaternions, spacing_fs=100.0, per_axis=2):
    species, positions = units_in_a_cell(quaternions, CELL * per_axis / 2, per_axis=per_axis)
    return Trajectory.from_arrays(species, positions, CELL * per_axis / 2, spacing_fs, wrapped=False)


def test_correlations_are_their_definition():
    rng = np.random.default_rng(1)
    quaternions = tumbling(rng, 3, 40, 0.05)
    bonds = turned(quaternions, 2.0 * TETRAHEDRON) * (1 + 0.1 * rng.random((3, 40, 4, 1)))
    ends, lags = np.array([40, 25, 40]), np.array([1, 5, 30])
    sums = correlation_sums(bonds, quaternions, ends, lags, 2)
    u = bonds / np.linalg.norm(bonds, axis=3, keepdims=True)
    for j, lag in enumerate(lags):
        rows = []
        for unit in range(3):
            for t in range(ends[unit] - lag):
                cosines = (u[unit, t] * u[unit, t + lag]).sum(axis=1)
                angle = 2 * np.arccos(min(1.0, abs(quaternions[unit, t] @ quaternions[unit, t + lag])))
                bodies = [np.sin((order + 0.5) * angle) / (2 * order + 1) / np.sin(angle / 2) for order in (1, 2)]
                rows.append([cosines.mean(), (1.5 * cosines**2 - 0.5).mean(), *bodies])
        assert sums.counts[:, :, j].sum() == len(rows)
        assert sums.mean()[j] == pytest.approx(np.mean(rows, axis=0), abs=1e-12)
    left = sums.mean(left_out=2)
    others = [g for g in range(6) if g != 2]
    by_group = sums.sums.reshape(6, 3, 4)[others].sum(axis=0) / sums.counts.reshape(6, 3)[others].sum(axis=0)[:, None]
    assert left == pytest.approx(by_group)


def test_rotational_diffusion_has_its_correlation_times():
    quaternions = tumbling(np.random.default_rng(2), 8, 3000, 0.004)
    result = Rotation(libration_ps=0.1).run(trajectory_of(quaternions))
    tau1, tau2 = result.correlation_times_ps
    # C_l = exp(-l (l + 1) D t), D = 0.004 per 0.1 ps
    assert tau1.low < 1 / 0.08 < tau1.high
    assert tau2.low < 1 / 0.24 < tau2.high
    assert tau1.high / tau1.low < 2.5
    # rigid tetrahedra: bonds and bodies are the same for l = 1
    assert result.correlations[:, 0] == pytest.approx(result.correlations[:, 2], abs=1e-9)
    expected = np.exp(-6 * 0.04 * result.times_ps)
    assert np.abs(result.correlations[:, 3] - expected)[:30].max() < 0.06


def test_jumps_have_their_rate_and_correlation_time():
    rate = 0.004
    quaternions, frames, _ = jumping(np.random.default_rng(3), 8, 4000, rate, libration_deg=8.0)
    result = Rotation().run(trajectory_of(quaternions))
    per_ps = rate / 0.1
    assert result.rate_per_ps.low < per_ps < result.rate_per_ps.high
    assert len(result.reorientations) == pytest.approx(len(frames), rel=0.12)  # what follows within 1 ps is not seen
    tau1, tau2 = result.correlation_times_ps
    assert tau1.low < 11 / (12 * per_ps) < tau1.high
    # bond by bond, a turn by 120° leaves 1 of 4 (P₂ = 1) and moves 3 by the tetrahedral angle (P₂ = -1/3): mean 0;
    # a half turn moves all 4: -1/3. So C₂ decays as C₁ does, and their ratio tells jumps from small steps
    assert tau1.value / tau2.value == pytest.approx(1.0, abs=0.15)
    assert result.libration_deg.low < 8.0 < result.libration_deg.high
    assert set(np.round(result.reorientations.angles_deg / 60)) <= {2, 3}


def test_without_decay_there_is_a_lower_bound_that_rare_jumps_respect():
    quaternions, _, _ = jumping(np.random.default_rng(5), 8, 300, 0.0, libration_deg=8.0)
    result = Rotation().run(trajectory_of(quaternions))
    assert (result.rate_per_ps.value, result.rate_per_ps.low) == (None, 0.0)
    rate = 0.9 * result.rate_per_ps.high  # jumps as frequent as this may have been missed by chance
    for tau in result.correlation_times_ps:
        assert tau.value is None
        assert tau.low < 11 / (12 * rate)
        assert tau.low == pytest.approx(8 * 30.0 / 3.69 * 3 / 4, rel=0.25)  # 3.69: Poisson's limit for no event
    assert result.verdict.quality is Quality.WEAK
    assert any("only bounded" in reason for reason in result.verdict.reasons)
    assert result.back_fraction is None


def test_units_that_never_move_have_bounds_alone():
    result = Rotation().run(trajectory_of(np.repeat(jumping(np.random.default_rng(4), 8, 1, 0.0)[0], 60, axis=1)))
    assert result.correlation_times_ps[0].value is None
    assert 0 < result.correlation_times_ps[0].low < 8 * 6.0
    assert result.libration_deg.high == pytest.approx(0.0, abs=1e-4)


def test_one_unit_is_weak_and_says_so():
    result = Rotation().run(trajectory_of(jumping(np.random.default_rng(6), 1, 400, 0.01, 5.0)[0]))
    assert any(reason.startswith("1 unit:") for reason in result.verdict.reasons)
    assert result.libration_deg.high == np.inf


def test_free_rotation_is_not_called_jumps():
    result = Rotation().run(trajectory_of(tumbling(np.random.default_rng(7), 8, 600, 0.1)))
    assert any("turn freely" in reason for reason in result.verdict.reasons)


def test_reorientations_too_fast_for_the_residence_are_flagged():
    result = Rotation().run(trajectory_of(jumping(np.random.default_rng(8), 8, 1500, 0.03, 5.0)[0]))
    assert any("go unseen" in reason for reason in result.verdict.reasons)


def test_settings_and_trajectories_that_cannot_be_used_are_refused():
    with pytest.raises(InputError, match="settling < jump"):
        Rotation(jump_angle_deg=20.0)
    quaternions = tumbling(np.random.default_rng(9), 8, 10, 0.01)
    with pytest.raises(InputError, match="found 10 frames"):
        Rotation().run(trajectory_of(quaternions))
    line = np.concatenate([np.zeros((30, 1, 3)), np.full((30, 1, 3), 1.0), np.full((30, 1, 3), -1.0)], axis=1)
    straight = Trajectory.from_arrays(["N", "N", "N"], line, 10 * np.eye(3), 100.0)
    named = Trajectory.from_arrays(["C", "O", "O"], straight.positions, 10 * np.eye(3), 100.0, wrapped=False)
    with pytest.raises(InputError, match="along one line"):
        Rotation(centre="C", ligand="O").run(named)


def test_poisson_limits_are_garwoods():
    # tabulated 95 % limits
    for n, (low, high) in {0: (0, 3.689), 1: (0.0253, 5.572), 10: (4.795, 18.39)}.items():
        assert poisson_limits(n) == pytest.approx((low, high), rel=1e-3)


def test_flurries_widen_the_interval_of_a_rate():
    even = rate_interval(np.array([5, 6, 4, 5, 5, 5]), np.full(6, 10.0))
    flurries = rate_interval(np.array([30, 0, 0, 0, 0, 0]), np.full(6, 10.0))
    assert (even.value, flurries.value) == (0.5, 0.5)
    assert even.method.startswith("exact")
    assert flurries.high / flurries.low > 3 * even.high / even.low


@pytest.mark.slow
def test_intervals_of_correlation_times_and_rates_cover():
    covered = np.zeros(4)
    n = 25
    for seed in range(n):
        rng = np.random.default_rng(100 + seed)
        diffusion = Rotation(libration_ps=0.1, n_lags=40).run(trajectory_of(tumbling(rng, 8, 2000, 0.004)))
        jumps = Rotation(n_lags=40).run(trajectory_of(jumping(rng, 8, 2000, 0.002, 8.0)[0]))
        tau1, tau2 = diffusion.correlation_times_ps
        covered += [
            tau1.low < 12.5 < tau1.high,
            tau2.low < 12.5 / 3 < tau2.high,
            jumps.rate_per_ps.low < 0.02 < jumps.rate_per_ps.high,
            jumps.correlation_times_ps[0].low < 11 / 12 / 0.02 < jumps.correlation_times_ps[0].high,
        ]
    # 95 % asked for; of 25 trials fewer than 20 cover in one case of 200 if it is so
    assert (covered >= 20).all(), covered / n
