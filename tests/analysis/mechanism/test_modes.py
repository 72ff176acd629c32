"""Modes of motion: thresholds, trends over temperature, and the directions of diffusion they rest on."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mlip_sse.analysis.mechanism.directions import diffusion_directions
from mlip_sse.analysis.mechanism.modes import Collectivity, Dimension, ModePoint, ModeSettings
from mlip_sse.analysis.results import Interval, Quality
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory
from mlip_sse.units import BOLTZMANN_EV_PER_K


def interval(low, high):
    return Interval(0.5 * (low + high), low, high, 0.95, "given")


def point(kelvin=500.0, excess=(0.2, 0.3), p_value=0.005, second=(0.8, 0.9), third=(0.6, 0.7), isotropic=0.5, n=1000):
    ratios = [None if bounds is None else interval(*bounds) for bounds in (excess, second, third)]
    return ModePoint(kelvin, n, 1e7, ratios[0], p_value, ratios[1], ratios[2], isotropic)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (point(), Collectivity.CONCERTED),
        (point(p_value=0.2), Collectivity.UNRESOLVED),
        (point(excess=(0.05, 0.3)), Collectivity.UNRESOLVED),
        (point(excess=(-0.02, 0.06), p_value=0.4), Collectivity.SINGLE),
        (point(excess=(-0.3, -0.1), p_value=1.0), Collectivity.UNRESOLVED),
        (point(excess=None), Collectivity.UNRESOLVED),
        (point(excess=(-0.2, math.inf)), Collectivity.UNRESOLVED),
    ],
)
def test_collectivity_needs_an_interval_on_one_side(given, expected):
    assert ModeSettings().collectivity(given) is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (point(), Dimension.THREE),
        (point(third=(0.2, 0.5)), Dimension.UNRESOLVED),
        (point(third=(0.05, 0.1), isotropic=0.001), Dimension.TWO),
        (point(third=(0.05, 0.1), isotropic=0.3), Dimension.UNRESOLVED),
        (point(second=(0.1, 0.2), third=(0.05, 0.1), isotropic=0.001), Dimension.ONE),
        (point(second=(0.1, 0.2), third=(0.05, 0.1), isotropic=math.nan), Dimension.UNRESOLVED),
        (point(second=None, third=None), Dimension.UNRESOLVED),
    ],
)
def test_dimension_needs_intervals_and_a_test_of_isotropy(given, expected):
    assert ModeSettings().dimension(given) is expected


def test_a_change_of_mode_is_found_between_the_temperatures_that_resolve_it():
    points = [
        point(300.0, excess=(-0.05, 0.05), p_value=0.5, second=(0.1, 0.2), third=(0.05, 0.1), isotropic=0.001),
        point(400.0, excess=(0.0, 0.3)),
        point(500.0, excess=(0.3, 0.4)),
        point(500.0, excess=(0.35, 0.45)),
        point(600.0, excess=(0.4, 0.5)),
    ]
    series = ModeSettings().run(points[::-1])
    assert series.temperatures_k.tolist() == [300.0, 400.0, 500.0, 500.0, 600.0]
    change = {one.kind: one for one in series.changes}
    assert (change["collectivity"].below, change["collectivity"].above) == ("single-ion", "concerted")
    assert change["collectivity"].between_k == (300.0, 500.0)
    assert change["dimension"].between_k == (300.0, 400.0)
    assert series.verdict.quality is Quality.WEAK
    assert "collectivity: 1 of 5 trajectories do not resolve it" in series.verdict.reasons
    assert series.excess_per_100k.low > 0.0


def test_a_trend_weighs_an_interval_by_what_its_own_confidence_says_of_the_error():
    """The same error as an interval of 95 % and of 50 %, 1.960 and 0.674 standard errors wide: one trend."""
    errors, found = (0.01, 0.05, 0.02), []
    for confidence, quantile in ((0.95, 1.959963984540054), (0.5, 0.6744897501960817)):
        points = [
            replace(point(kelvin), excess=Interval(value, value - quantile * e, value + quantile * e, confidence, ""))
            for kelvin, value, e in zip((400.0, 500.0, 700.0), (0.2, 0.3, 0.35), errors, strict=True)
        ]
        trend = ModeSettings().run(points).excess_per_100k
        found.append((trend.low, trend.value, trend.high))
    assert found[0] == pytest.approx(found[1], rel=1e-12)  # rounding alone


def test_residence_times_give_the_barrier_they_were_made_with():
    energy, attempt = 0.25, 5e-3
    points = []
    for seed, kelvin in enumerate((500.0, 600.0, 700.0, 800.0)):
        rate = attempt * math.exp(-energy / (BOLTZMANN_EV_PER_K * kelvin))
        points.append(point(kelvin, n=int(np.random.default_rng(seed).poisson(rate * 1e7))))
    found = ModeSettings().run(points).activation.activation_energy_ev
    assert found.low < energy < found.high
    assert found.high - found.low < 0.1


def test_too_few_temperatures_give_no_trends_and_none_is_refused():
    series = ModeSettings().run([point()])
    assert series.activation is None
    assert series.excess_per_100k is None
    assert series.changes == ()
    with pytest.raises(InputError, match="no trajectory of known, positive temperature"):
        ModeSettings().run([point(math.nan)])


def walkers(steps, seed=3, n_ions=40, n_frames=1500):
    rng = np.random.default_rng(seed)
    positions = np.cumsum(rng.standard_normal((n_frames, n_ions, 3)) * np.array(steps), axis=0)
    positions = np.concatenate([positions, np.zeros((n_frames, 1, 3))], axis=1)
    return Trajectory.from_arrays(["Li"] * n_ions + ["S"], positions, 20 * np.eye(3), 100.0, wrapped=False)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [((0.3, 0.3, 0.3), Dimension.THREE), ((0.3, 0.3, 0.05), Dimension.TWO), ((0.05, 0.3, 0.05), Dimension.ONE)],
)
def test_directions_of_walkers_are_told(steps, expected):
    found = diffusion_directions(walkers(steps), "Li")
    given = ModePoint(500.0, 100, 1e6, None, 1.0, found.second, found.third, found.p_isotropic)
    assert ModeSettings().dimension(given) is expected
    ordered = np.sort(np.square(steps))[::-1]
    assert np.allclose(found.principal_cm2_s, ordered / 2 / 100.0 * 0.1, rtol=0.25)  # 40 ions: 15 % an axis
    assert np.allclose(found.axes @ found.axes.T, np.eye(3), atol=1e-9)


def test_directions_turn_with_the_crystal_and_still_ions_have_none():
    plain = walkers((0.05, 0.3, 0.05))
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    turned = Trajectory.from_arrays(plain.species, plain.positions @ turn, plain.cells @ turn, 100.0, wrapped=False)
    one, two = diffusion_directions(plain, "Li"), diffusion_directions(turned, "Li")
    assert np.allclose(one.principal_cm2_s, two.principal_cm2_s, rtol=1e-4)
    assert abs(float(two.axes[0] @ turn[1])) > 0.99
    still = diffusion_directions(walkers((0.0, 0.0, 0.0)), "Li")
    assert still.second is None
    assert still.diffusivity_cm2_s.value is None
    assert "never move" in still.reasons[0]
