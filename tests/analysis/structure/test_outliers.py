"""Outlier detectors: the rate of false alarms holds, strange samples are found, bad input is refused."""

import numpy as np
import pytest
from ase.build import bulk

from mlip_sse.analysis.results import Quality
from mlip_sse.analysis.structure.environments import Environments
from mlip_sse.analysis.structure.outliers import METHODS, OutlierDetector
from mlip_sse.errors import InputError


def usual(n, rng):
    """Correlated features of different scales, one of them a copy of another."""
    base = rng.normal(size=(n, 3)) @ np.array([[1.0, 0.8, 0], [0, 0.5, 0.2], [0, 0, 30.0]])
    return np.concatenate([base, base[:, :1]], axis=1)


@pytest.mark.parametrize("method", METHODS)
def test_the_rate_of_false_alarms_holds_and_strange_samples_are_found(method):
    rng = np.random.default_rng(0)
    model = OutlierDetector(method, 0.1).fit(usual(1200, rng))
    assert (model.n_learnt, model.n_calibration, model.n_measured) == (600, 300, 300)
    later = model.assess(usual(2000, rng))
    assert model.false_alarm_rate.low - 0.015 < later.strange.mean() < model.false_alarm_rate.high + 0.015
    assert model.measured_rate.low < 0.1 < model.measured_rate.high
    np.testing.assert_array_equal(later.strange, later.p_values <= 0.1)
    strange = usual(200, rng) + np.array([6.0, -6.0, 0, 6.0])
    assert model.assess(strange).strange.mean() > 0.95
    assert model.verdict.quality is Quality.PASS


def test_stated_interval_covers_the_rate_of_each_calibration():
    """The rate of one calibrated detector is not α but Beta distributed around it: 95 % of its intervals cover."""
    rng = np.random.default_rng(1)
    covered, rates = 0, []
    for seed in range(60):
        model = OutlierDetector("one_class_svm", 0.1, seed=seed).fit(rng.normal(size=(200, 2)))
        rates.append(model.assess(rng.normal(size=(2000, 2))).strange.mean())
        covered += model.false_alarm_rate.low - 0.01 < rates[-1] < model.false_alarm_rate.high + 0.01
    assert covered >= 52  # 95 % less three standard errors of 60
    assert np.mean(rates) == pytest.approx(0.1, abs=0.02)  # standard error 0.006, and α is an upper bound


def test_samples_of_one_group_stay_together():
    """Twenty copies of each of 100 samples: without groups the parts know each other, with them the rate is honest."""
    rng = np.random.default_rng(2)
    few = np.repeat(rng.normal(size=(100, 2)), 20, axis=0)
    model = OutlierDetector("local_outlier_factor", 0.1).fit(few, np.repeat(np.arange(100), 20))
    assert model.n_calibration == 500
    assert "of them independent" in model.false_alarm_rate.method
    assert model.false_alarm_rate.high - model.false_alarm_rate.low > 0.15  # 25 samples, not 500
    drifting = rng.normal(size=(2000, 2)) + np.repeat(np.linspace(0, 40, 8), 250)[:, None]
    told = [OutlierDetector("one_class_svm", 0.1, seed=s).fit(drifting, np.repeat(np.arange(8), 250)) for s in range(5)]
    assert any(model.measured_rate.value > 0.5 or model.measured_rate.value == 0 for model in told)


def test_a_distorted_site_of_a_crystal_is_found_by_its_surroundings():
    """Rocksalt that vibrates by 0.1 Å; then one Cl is pushed by 1 Å, and its neighbours see it."""
    rng = np.random.default_rng(3)
    atoms = bulk("LiCl", "rocksalt", a=5.1, cubic=True).repeat(2)
    symbols, cell = np.array(atoms.get_chemical_symbols()), atoms.cell.array
    centres, settings = np.flatnonzero(symbols == "Cl"), Environments()

    def described(positions):
        return settings.describe(positions, cell, symbols, ["Li", "Cl"], centres)

    frames = [described(atoms.positions + rng.normal(0, 0.1, (64, 3))) for _ in range(40)]
    assert frames[0].shape == (32, len(settings.names(["Li", "Cl"])))
    model = OutlierDetector("isolation_forest", 0.01).fit(np.concatenate(frames), np.repeat(np.arange(40), 32))
    distorted = atoms.positions + rng.normal(0, 0.1, (64, 3))
    distorted[centres[5]] += [0.8, 0.6, 0.0]
    found = model.assess(described(distorted))
    assert found.strange[5]
    assert int(np.argmax(found.scores)) == 5
    assert found.strange.sum() < 12


def test_same_data_and_seed_give_the_same_answer():
    data = usual(400, np.random.default_rng(4))
    one, other = (OutlierDetector(seed=3).fit(data) for _ in range(2))
    assert one.threshold == other.threshold
    np.testing.assert_array_equal(one.assess(data).scores, other.assess(data).scores)


def test_constant_features_are_left_out_and_said():
    rng = np.random.default_rng(5)
    data = np.concatenate([usual(400, rng), np.full((400, 2), 7.0)], axis=1)
    model = OutlierDetector("robust_covariance").fit(data)
    assert model.verdict.reasons[0] == "2 of 6 features are constant and were left out"
    assert model.used.tolist() == [True] * 4 + [False] * 2
    assert model.assess(data[:5]).scores.shape == (5,)


def test_bad_input_is_refused_with_the_number_that_shows_why():
    rng = np.random.default_rng(6)
    data = usual(60, rng)
    with pytest.raises(InputError, match=r"found 15 samples to calibrate with .* takes at least 99"):
        OutlierDetector(false_alarm_rate=0.01).fit(data)
    with pytest.raises(InputError, match="found 10 samples to learn from"):
        OutlierDetector(false_alarm_rate=0.5).fit(data[:20])
    with pytest.raises(InputError, match="none of the 3 features varies over 30 samples"):
        OutlierDetector(false_alarm_rate=0.2).fit(np.ones((60, 3)))
    data[4, 2] = np.nan
    with pytest.raises(InputError, match="feature 2 of sample 4 is nan"):
        OutlierDetector().fit(data)
    with pytest.raises(InputError, match="30 samples to learn from and 10 features, a robust covariance takes five"):
        OutlierDetector("robust_covariance", 0.2).fit(rng.normal(size=(60, 10)))
    with pytest.raises(InputError, match=r"found method 'isolation', expected one of .*; did you mean"):
        OutlierDetector("isolation")
    model = OutlierDetector().fit(usual(200, rng))
    with pytest.raises(InputError, match="found 2 features, expected 4"):
        model.assess(np.ones((3, 2)))
