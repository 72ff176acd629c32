"""The grade along a run."""

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.potentials.pod.grade_run import graded_run

HOT = ("velocity all create 600 7 mom yes", "timestep 0.001", "fix move all nve")


def start(licl_frames):
    return licl_frames[0].to_atoms().repeat(2)


def test_the_grades_of_a_run_are_those_of_its_frames(fitted, licl_frames):
    atoms = start(licl_frames)
    looks = list(graded_run(fitted, atoms, HOT, n_steps=20, every=10, threshold=1e9))
    assert [look.step for look in looks] == [0, 10, 20]
    assert not any(look.stopped for look in looks)
    assert looks[2].grades.shape == (64,)
    for look in looks:
        frame = atoms.copy()
        frame.set_positions(look.positions)
        np.testing.assert_allclose(look.cell, atoms.cell.array, atol=1e-10)
        calculator = fitted.calculator()
        np.testing.assert_allclose(calculator.get_property("extrapolation_grade", frame), look.grades, rtol=1e-6)
        calculator.close()
        assert look.grade == look.grades.max()
    start_grades = [look.grade for look in looks]
    assert start_grades[2] != start_grades[0]


def test_the_run_ends_above_the_threshold(fitted, licl_frames):
    looks = list(graded_run(fitted, start(licl_frames), HOT, n_steps=2000, every=5, threshold=1.1))
    assert looks[-1].stopped
    assert looks[-1].grade > 1.1
    assert all(look.grade <= 1.1 for look in looks[:-1])
    assert len(looks) < 401


def test_the_caller_may_leave(fitted, licl_frames):
    for look in graded_run(fitted, start(licl_frames), HOT, n_steps=10**6, every=5, threshold=1e9):
        if look.step == 10:
            break
    assert look.step == 10


@pytest.mark.parametrize(
    "changes", [{"every": 0}, {"n_steps": -1}, {"threshold": 0.0}, {"threshold": float("nan")}], ids=str
)
def test_impossible_numbers_are_refused(fitted, licl_frames, changes):
    with pytest.raises(InputError, match="expected"):
        next(graded_run(fitted, start(licl_frames), HOT, **{"n_steps": 1, "every": 1, "threshold": 1.0, **changes}))
