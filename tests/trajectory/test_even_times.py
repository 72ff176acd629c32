"""Times of few digits, repeated frames, and units in words."""

import numpy as np
import pytest

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.clock import Clock
from mlip_sse.trajectory.even_times import StoredTimes
from mlip_sse.trajectory.frames import Coordinates, FrameChunk, FrameSource
from mlip_sse.trajectory.readers.unit_words import (
    angle_in_degrees,
    length_in_angstrom,
    time_in_fs,
    velocity_in_angstrom_per_fs,
)

EPS32 = float(np.finfo(np.float32).eps)


def test_coarse_times_give_the_spacing_of_the_whole_span() -> None:
    exact = 1e8 + 50.0 * np.arange(1000)  # 100 ns in fs, 50 fs apart: float32 in ps has steps of 7.8 fs there
    coarse = (exact / 1000.0).astype(np.float32).astype(np.float64) * 1000.0
    assert np.ptp(np.diff(coarse)) > 5.0
    times = StoredTimes.of(coarse, np.arange(1000), EPS32, [])
    assert times.spacing_fs == pytest.approx(50.0, abs=2 * 7.8 / 999)
    assert times.times_fs is None


def test_uneven_times_are_left_to_the_clock() -> None:
    uneven = np.array([0.0, 1.0, 2.0, 4.0])
    times = StoredTimes.of(uneven, None, EPS32, [])
    assert times.spacing_fs is None
    np.testing.assert_array_equal(times.times_fs, uneven)


def test_repeated_frames_do_not_count() -> None:
    times = StoredTimes.of(np.array([0.0, 2.0, 4.0, 4.0, 6.0]), np.array([0, 1, 2, 2, 3]), EPS32, [])
    assert times.spacing_fs == 2.0
    np.testing.assert_array_equal(times.part(2, 5)[1], [2, 2, 3])


def test_constant_times_and_steps_say_nothing() -> None:
    notes: list[str] = []
    times = StoredTimes.of(np.zeros(5), np.zeros(5, dtype=np.int64), EPS32, notes)
    assert (times.spacing_fs, times.times_fs, times.steps) == (None, None, None)
    assert "does not know its frame spacing" in notes[0]


@pytest.mark.parametrize("unit", ["nm ps-1", "nm/ps", "nm ps^-1", " nm / ps "])
def test_units_in_words(unit: str) -> None:
    assert velocity_in_angstrom_per_fs(unit, "v") == pytest.approx(0.01)
    assert length_in_angstrom("Angstrom", "x") == 1.0
    assert time_in_fs("picosecond", "t") == 1000.0
    assert angle_in_degrees("radian", "a") == pytest.approx(57.29577951308232)


@pytest.mark.parametrize("call", [length_in_angstrom, time_in_fs, angle_in_degrees, velocity_in_angstrom_per_fs])
def test_unknown_units_are_refused(call: object) -> None:
    with pytest.raises(FormatError, match="has the unit 'furlong', expected"):
        call("furlong", "there")


def test_steps_are_exact_however_large() -> None:
    clock = Clock("run.dump", FrameSource(iter(()), 1, None, Coordinates.CARTESIAN_UNKNOWN, timestep_fs=1.0))
    steps = 3_000_000_000 + 100 * np.arange(50)  # 1e-6 of a step, as for rounded times, would be 3000 steps
    chunk = FrameChunk(np.zeros((50, 1, 3)), np.tile(np.eye(3), (50, 1, 1)), steps=steps)
    assert len(clock.check(chunk).cells) == 50
    assert clock.spacing_fs == 100.0
