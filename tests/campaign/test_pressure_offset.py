"""The pressure offset against a known one, its interval against many draws, and what is refused."""

import numpy as np
import pytest

from mlip_sse.analysis.results import Interval
from mlip_sse.campaign.pressure_offset import is_far_off, pressure_offset_of
from mlip_sse.errors import InputError
from mlip_sse.units import EV_PER_A3_TO_GPA


def stresses(rng, n_frames, offset_gpa=0.0, noise_gpa=0.0):
    """Return stresses of a teacher, and of a student whose pressure is higher, with shear of its own."""
    teacher = rng.normal(size=(n_frames, 6)) * 0.01
    student = teacher.copy()
    student[:, :3] -= (offset_gpa + noise_gpa * rng.normal(size=(n_frames, 1))) / EV_PER_A3_TO_GPA
    student[:, 3:] += rng.normal(size=(n_frames, 3))
    return list(student), list(teacher)


def test_a_student_that_pushes_outwards_has_an_offset_above_zero():
    found = pressure_offset_of(*stresses(np.random.default_rng(1), 5, offset_gpa=0.4))
    assert found.value == pytest.approx(0.4, abs=1e-12)
    assert found.low == pytest.approx(found.high, abs=1e-12)


def test_only_the_trace_counts_and_a_turned_cell_gives_the_same():
    student, teacher = stresses(np.random.default_rng(2), 6, 0.1, 0.2)
    turned = [[each[[2, 0, 1, 5, 3, 4]] for each in group] for group in (student, teacher)]
    assert pressure_offset_of(*turned).value == pytest.approx(pressure_offset_of(student, teacher).value, rel=1e-12)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    found = [pressure_offset_of(*stresses(rng, 12, 0.1, 0.3)) for _ in range(2000)]
    share = np.mean([each.low <= 0.1 <= each.high for each in found])
    assert share == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / 2000) ** 0.5)


@pytest.mark.parametrize(("low", "high", "far"), [(0.31, 0.5, True), (-0.5, -0.31, True), (0.29, 0.5, False)])
def test_far_off_is_beyond_the_limit_and_the_error(low, high, far):
    assert is_far_off(Interval((low + high) / 2, low, high, 0.95, "mean")) is far


@pytest.mark.parametrize(
    ("student", "teacher"), [([], []), ([np.zeros(6)], [np.zeros(6)]), ([np.zeros(6)] * 2, [np.zeros(6)] * 3)]
)
def test_too_few_frames_and_other_shapes_are_refused(student, teacher):
    with pytest.raises(InputError, match="expected both"):
        pressure_offset_of(student, teacher)
