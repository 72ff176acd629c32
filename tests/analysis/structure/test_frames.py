"""Frames as structures: the coordinates that went into a trajectory come out again, whatever the cell does."""

import dataclasses

import numpy as np
import pytest

from mlip_sse.analysis.structure.frames import fractional_frames, structure_frames
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory

CELL = np.array([[9.0, 0.0, 0.0], [3.1, 8.4, 0.0], [-2.7, 2.2, 8.9]])


def breathing_run(n_frames=30, n_atoms=12, seed=1):
    """Walkers in a cell that breathes and shears by several per cent."""
    rng = np.random.default_rng(seed)
    fractions = rng.uniform(0, 1, (1, n_atoms, 3)) + np.cumsum(rng.normal(0, 0.05, (n_frames, n_atoms, 3)), axis=0)
    strain = np.eye(3) + 0.03 * np.sin(np.arange(n_frames) / 5.0)[:, None, None] * rng.normal(size=(3, 3))
    return fractions, CELL @ strain


def test_fractional_coordinates_come_back_at_constant_pressure():
    """Wrapped coordinates are unwrapped with breathing taken out; it must be put in again. 1e-10 is rounding."""
    fractions, cells = breathing_run()
    run = Trajectory.from_arrays(["Li"] * 12, (fractions % 1.0) @ cells, cells, 100.0)
    naive = run.positions @ np.linalg.inv(run.cells)
    assert np.abs((naive - fractions + 0.5) % 1.0 - 0.5).max() > 0.02  # what the detour is for
    for step in (1, 4):
        found = list(fractional_frames(run, step))
        assert len(found) == len(range(0, 30, step))
        for (here, cell), wanted, box in zip(found, fractions[::step], cells[::step], strict=True):
            np.testing.assert_allclose((here - wanted + 0.5) % 1.0 - 0.5, 0.0, atol=1e-10)
            np.testing.assert_array_equal(cell, box)


def test_positions_lie_in_the_cell_of_their_frame_and_drift_is_removed():
    fractions, cells = breathing_run(seed=2)
    run = Trajectory.from_arrays(["Li"] * 6 + ["S"] * 6, fractions @ cells[0], cells[0], 100.0, wrapped=False)
    seen = run.in_reference_frame("framework", ["Li"])
    for t, (positions, _) in enumerate(structure_frames(seen)):
        np.testing.assert_allclose(positions, run.positions[t] - seen.drift[t], atol=1e-10)
    (chosen, _), *_ = fractional_frames(run, atoms=[3, 5])
    np.testing.assert_allclose(chosen, fractions[0, [3, 5]], atol=1e-10)


def test_other_vectors_of_the_same_lattice_change_no_structure():
    fractions, cells = breathing_run(20, seed=3)
    change = np.array([[1, 0, 0], [-1, 1, 0], [0, 0, 1]])
    other = cells.copy()
    other[10:] = change @ cells[10:]
    run = Trajectory.from_arrays(["Li"] * 12, fractions @ cells, other, 100.0)
    for (positions, cell), wanted in zip(structure_frames(run), fractions @ cells, strict=True):
        off = (positions - wanted) @ np.linalg.inv(cell)
        np.testing.assert_allclose(off - np.rint(off), 0.0, atol=1e-10)


def test_a_mapped_trajectory_gives_the_same(tmp_path):
    fractions, cells = breathing_run()
    run = Trajectory.from_arrays(["Li"] * 12, fractions @ cells, cells, 100.0)
    mapped = np.memmap(tmp_path / "positions", np.float64, "w+", shape=run.positions.shape)
    mapped[:] = run.positions
    mapped.flush()
    other = dataclasses.replace(run, positions=mapped)
    for (one, _), (two, _) in zip(fractional_frames(run), fractional_frames(other), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_step_of_no_frame_is_refused():
    fractions, cells = breathing_run(3)
    with pytest.raises(InputError, match="step of 0 frames"):
        next(fractional_frames(Trajectory.from_arrays(["Li"] * 12, fractions @ cells, cells, 1.0), 0))
