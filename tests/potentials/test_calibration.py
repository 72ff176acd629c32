"""Bounds from predictions: what they promise, what the card keeps, which frames belong together."""

import json
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from mlip_sse.dataset import LabelledFrame
from mlip_sse.errors import FormatError, InputError
from mlip_sse.potentials.calibration import ForceBounds, calibrate_bounds, stretches
from mlip_sse.potentials.contract import Card
from tests.potentials.licl import FINGERPRINT

N_ATOMS = 8
SYMBOLS = ("Li", "Cl") * (N_ATOMS // 2)
POSITIONS = np.array([[3.0 * i, 3.0 * j, 3.0 * k] for i in range(2) for j in range(2) for k in range(2)])


@dataclass
class Predicted:
    forces: np.ndarray
    indicators: dict = field(default_factory=dict)


def md(n_frames, seed, group="run", with_indicators=True):
    """Return frames, and predictions whose error is drawn around a spread that they state."""
    rng = np.random.default_rng(seed)
    frames, predictions = [], []
    for place in range(n_frames):
        positions = POSITIONS + rng.normal(0, 0.01, POSITIONS.shape)
        frames.append(
            LabelledFrame(
                SYMBOLS, 7 * np.eye(3), positions, 0.0, np.zeros((N_ATOMS, 3)), None, FINGERPRINT, group, place
            )
        )
        spread = rng.uniform(0.02, 0.2, N_ATOMS)
        grades = rng.uniform(0.5, 1.5, N_ATOMS)
        indicators = {"forces_std": spread, "extrapolation_grade": grades} if with_indicators else {}
        predictions.append(Predicted(spread[:, None] * rng.normal(size=(N_ATOMS, 3)), indicators))
    return frames, predictions


@pytest.mark.parametrize("with_indicators", [True, False])
def test_the_bound_covers_what_it_promises(with_indicators):
    bounds = calibrate_bounds(*md(150, seed=0, with_indicators=with_indicators))
    report = bounds.coverage_on(*md(150, seed=1, group="later", with_indicators=with_indicators))
    assert 0.87 < report.overall.share < 0.93  # 1200 atoms: a standard error of 1 %
    assert set(report.by_element) == {"Li", "Cl"}


def test_indicators_make_the_bound_tighter_where_they_tell():
    frames, predictions = md(150, seed=0)
    told = calibrate_bounds(frames, predictions)
    quiet = {"forces_std": np.array([0.02]), "extrapolation_grade": np.array([1.0])}
    loud = {"forces_std": np.array([0.2]), "extrapolation_grade": np.array([1.0])}
    assert told.bounds(quiet, ["Li"])[0] < 0.3 * told.bounds(loud, ["Li"])[0]
    assert told.scale.weights["extrapolation_grade"] < 0.05 * told.scale.weights["forces_std"]  # it says nothing here


def test_the_card_keeps_them():
    bounds = calibrate_bounds(*md(60, seed=2))
    plain = json.loads(json.dumps(bounds.to_dict()))
    card = Card("x", "pod", "x", ("Li", "Cl"), (1, 2), (0, 1), ("doi:1",), "MIT", uncertainty=plain)
    assert ForceBounds.of_card(card) == bounds
    assert ForceBounds.from_dict(plain) == bounds
    with pytest.raises(FormatError, match="without conformal"):
        ForceBounds.from_dict({"scale": plain["scale"]})
    assert bounds.alarm is not None
    assert not bounds.alarm.flags(np.ones(N_ATOMS), SYMBOLS)
    with pytest.raises(InputError, match="no calibrated uncertainty"):
        ForceBounds.of_card(Card("x", "pod", "x", ("Li",), (1, 2), (0, 1), ("doi:1",), "MIT"))


def test_without_a_grade_there_is_no_alarm():
    assert calibrate_bounds(*md(60, seed=3, with_indicators=False)).alarm is None


def test_stretches_are_whole_and_in_the_order_of_time():
    rng = np.random.default_rng(4)
    frames = [SimpleNamespace(group=f"run {i % 2}", place=int(i // 2), n_atoms=2) for i in range(240)]
    order = rng.permutation(240)
    numbers = stretches([frames[at] for at in order])[::2]
    by_frame = dict(zip(order.tolist(), numbers.tolist(), strict=True))
    for group in (0, 1):
        line = [by_frame[at] for at in range(group, 240, 2)]
        assert line == sorted(line)
        assert np.bincount(np.array(line) - line[0]).tolist() == [4] * 30
    assert len(set(numbers.tolist())) == 60  # no stretch has frames of two groups


def test_too_few_frames_are_refused_with_what_to_do():
    frames, predictions = md(1, seed=5)
    with pytest.raises(InputError, match="label more validation frames"):
        calibrate_bounds(frames, predictions)
