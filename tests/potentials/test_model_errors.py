"""Errors against hand counts, and what a calculator offers beside the forces."""

from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from mlip_sse.dataset import LabelledFrame
from mlip_sse.errors import InputError
from mlip_sse.potentials.model_errors import force_errors, model_errors, predict
from mlip_sse.units import EV_PER_A3_TO_GPA
from tests.potentials.licl import FINGERPRINT


class Told(Calculator):
    """Answers what it was told, whatever the structure."""

    def __init__(self, results, refuses=()):
        super().__init__()
        self.told, self.refuses = results, refuses
        self.implemented_properties = list(results)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if refused := set(properties) & set(self.refuses):
            raise InputError(f"no {refused}")
        self.results = dict(self.told)


def potential_of(results, refuses=()):
    return SimpleNamespace(calculator=lambda: Told(results, refuses))


def frame(forces, energy=0.0, stress=None, symbols=("Li", "Cl"), shift=0.0):
    positions = np.array([[0.0, 0, 0], [2.5 + shift, 0, 0]])
    return LabelledFrame(symbols, 8 * np.eye(3), positions, energy, np.array(forces, float), stress, FINGERPRINT)


def test_errors_against_hand_counts():
    label = frame([[1.0, 0, 0], [-1.0, 0, 0]], energy=-2.0, stress=np.zeros(6))
    stress = np.array([6.0, 0, 0, 0, 0, 0]) / EV_PER_A3_TO_GPA
    told = {"energy": -1.6, "forces": np.array([[1.0, 0.3, 0], [-0.4, 0, 0]]), "stress": stress}
    found = model_errors(potential_of(told), [label])
    assert found["n_frames"], found["n_atoms"] == (1, 2)
    assert found["energy_ev_atom"] == {"mae": pytest.approx(0.2), "rmse": pytest.approx(0.2)}
    assert found["force_ev_a"]["mae"] == pytest.approx(0.9 / 6)
    assert found["force_ev_a"]["rmse"] == pytest.approx(np.sqrt((0.09 + 0.36) / 6))
    assert found["force_by_element_ev_a"]["Li"] == {
        "n_atoms": 1,
        "mae": pytest.approx(0.1),
        "rmse": pytest.approx(np.sqrt(0.03)),
    }
    assert found["stress_gpa"]["mae"] == pytest.approx(1.0)
    assert found["softening"]["value"] == pytest.approx(0.7)  # (1·1 + 0.4·1)/2
    np.testing.assert_allclose(force_errors([label], predict(potential_of(told), [label])), [0.3, 0.6])


def test_interval_of_the_softening_holds_the_truth():
    """Labels are forces over 0.8 plus noise: the interval of 100 trials holds 0.8 about 95 times."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        labels, predictions = [], []
        for _ in range(12):
            true = rng.normal(size=(2, 3))
            labels.append(frame(true))
            noisy = 0.8 * true + 0.2 * rng.normal(size=(2, 3))
            predictions.append(SimpleNamespace(energy=0.0, forces=noisy, stress=None, indicators={}))
        slope = model_errors(None, labels, predictions)["softening"]
        held += slope["low"] <= 0.8 <= slope["high"]
    assert held >= 88  # 95 less three standard errors


def test_indicators_are_taken_where_they_are_offered():
    told = {
        "energy": 0.0,
        "forces": np.zeros((2, 3)),
        "extrapolation_grade": np.array([1.0, 2.0]),
        "forces_std": np.array([[3.0, 0, 4.0], [0, 0, 0]]),
    }
    prediction = predict(potential_of(told), [frame(np.zeros((2, 3)))])[0]
    assert prediction.stress is None
    assert prediction.indicators["extrapolation_grade"].tolist() == [1.0, 2.0]
    assert prediction.indicators["forces_std"].tolist() == [5.0, 0.0]
    alone = predict(potential_of(told, refuses=("forces_std",)), [frame(np.zeros((2, 3)))])[0]
    assert set(alone.indicators) == {"extrapolation_grade"}


def test_frames_without_stress_have_no_stress_error():
    told = {"energy": 0.0, "forces": np.zeros((2, 3)), "stress": np.zeros(6)}
    found = model_errors(potential_of(told), [frame(np.zeros((2, 3)))])
    assert found["stress_gpa"] is None
    assert found["softening"]["value"] is None  # no force to compare with


def test_no_frames_are_refused():
    with pytest.raises(InputError, match="no frames"):
        model_errors(potential_of({}), [])


def test_told_calculator_is_asked_for_the_frame_itself():
    seen = []

    class Spy(Told):
        def calculate(self, atoms: Atoms | None = None, properties=("energy",), system_changes=all_changes):
            seen.append(atoms.positions[1, 0])
            super().calculate(atoms, properties, system_changes)

    told = {"energy": 0.0, "forces": np.zeros((2, 3)), "stress": np.zeros(6)}
    frames = [frame(np.zeros((2, 3)), shift=shift) for shift in (0.0, 0.1)]
    shares: list[float] = []
    predict(SimpleNamespace(calculator=lambda: Spy(told)), frames, shares.append)
    assert sorted(set(seen)) == [2.5, 2.6]
    assert shares == [0.5, 1.0]
