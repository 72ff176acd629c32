"""The trajectory itself: made of arrays and other programs' objects, handed out by blocks."""

import numpy as np
import pytest
from foreign_writers import SPACING_FS, SYMBOLS, Run, frames_of_ase

from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory, masses_of


def displacements(trajectory: Trajectory) -> np.ndarray:
    return np.asarray(trajectory.positions, dtype=np.float64) - trajectory.positions[0]


@pytest.fixture
def trajectory(run: Run) -> Trajectory:
    return Trajectory.from_arrays(SYMBOLS, run.wrapped, run.cells, SPACING_FS)


def test_arrays_are_unwrapped(run: Run, trajectory: Trajectory) -> None:
    np.testing.assert_allclose(displacements(trajectory), run.unwrapped - run.unwrapped[0], atol=1e-12)
    fractional = np.einsum("tad,tdc->tac", run.wrapped, np.linalg.inv(run.cells))
    other = Trajectory.from_arrays(SYMBOLS, fractional, run.cells, SPACING_FS, fractional=True)
    np.testing.assert_allclose(other.positions, trajectory.positions, atol=1e-12)
    np.testing.assert_allclose(trajectory.masses, masses_of(np.array(SYMBOLS)))
    assert trajectory.mean_volume == pytest.approx(np.linalg.det(run.cells).mean())


def test_unwrapped_arrays_pass_whatever_the_step() -> None:
    positions = np.zeros((3, 1, 3))
    positions[1:, 0, 0] = 30.0, 60.0
    trajectory = Trajectory.from_arrays(["Li"], positions, np.eye(3) * 10, 1.0, wrapped=False)
    np.testing.assert_array_equal(trajectory.positions, positions)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": np.zeros((3, 2))}, "positions has shape"),
        ({"positions": np.zeros((0, 2, 3))}, "positions has shape"),
        ({"cells": np.zeros((2, 3, 3))}, r"cells has shape \(2, 3, 3\), expected \(3, 3\) or \(4, 3, 3\)"),
        ({"species": ["Li"]}, r"species has shape \(1,\), expected \(2,\)"),
        ({"species": ["Li", "Q"]}, "'Q' is not a chemical symbol"),
        ({"masses": np.ones(3)}, r"masses has shape \(3,\), expected \(2,\)"),
        ({"velocities": np.ones((4, 2))}, "velocities has shape"),
        ({"frame_spacing_fs": 0.0}, "frame_spacing_fs must be positive"),
    ],
)
def test_arrays_that_do_not_fit(change: dict[str, object], message: str) -> None:
    good = {"species": ["Li", "S"], "positions": np.zeros((4, 2, 3)), "cells": np.eye(3) * 5, "frame_spacing_fs": 1.0}
    with pytest.raises(InputError, match=message):
        Trajectory.from_arrays(**{**good, **change})


def test_from_ase_atoms(run: Run) -> None:
    trajectory = Trajectory.from_atoms(frames_of_ase(run, velocities=True), SPACING_FS, temperature_k=500.0)
    np.testing.assert_allclose(displacements(trajectory), run.unwrapped - run.unwrapped[0], atol=1e-12)
    np.testing.assert_allclose(trajectory.velocities, run.velocities, rtol=1e-9, atol=1e-15)
    assert trajectory.temperature_k == 500.0
    frames = frames_of_ase(run)
    assert Trajectory.from_atoms(frames, SPACING_FS).velocities is None
    frames[3] = frames[3][::-1]
    with pytest.raises(InputError, match="frame 3 holds other atoms, or in another order"):
        Trajectory.from_atoms(frames, SPACING_FS)
    with pytest.raises(InputError, match="no frames"):
        Trajectory.from_atoms([], SPACING_FS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_from_an_mdanalysis_universe(run: Run) -> None:
    import MDAnalysis
    from MDAnalysis.lib.mdamath import triclinic_box

    universe = MDAnalysis.Universe.empty(len(SYMBOLS), trajectory=True)
    boxes = np.array([triclinic_box(*cell) for cell in run.cells])
    universe.load_new(run.wrapped.astype(np.float32), dimensions=boxes, dt=SPACING_FS / 1000)
    with pytest.raises(InputError, match="no elements; pass species="):
        Trajectory.from_universe(universe)
    universe.add_TopologyAttr("elements", [symbol.upper() for symbol in SYMBOLS])
    trajectory = Trajectory.from_universe(universe)
    assert trajectory.species.tolist() == SYMBOLS
    assert trajectory.frame_spacing_fs == pytest.approx(SPACING_FS)
    # MDAnalysis keeps float32
    np.testing.assert_allclose(displacements(trajectory), run.unwrapped - run.unwrapped[0], atol=2e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("max_bytes", [1, 1000, 1 << 20])
def test_ion_blocks_against_a_slow_twin(run: Run, trajectory: Trajectory, dtype: type, max_bytes: int) -> None:
    seen = trajectory.in_reference_frame("framework", ["Li"])
    indices = seen.indices(["S", "Li"])
    blocks = list(seen.ion_blocks(indices, dtype, max_bytes))
    assert all(block.dtype == dtype and block.flags.c_contiguous for block in blocks)
    expected = np.array([[(seen.positions[:, i, d] - seen.drift[:, d]) for d in range(3)] for i in indices])
    expected -= expected.mean(axis=2, keepdims=True)
    tolerance = 1e-12 if dtype is np.float64 else 1e-6  # Å, of motions of a few Å
    np.testing.assert_allclose(np.concatenate(blocks), expected, atol=tolerance)


def test_weighted_sums_do_not_depend_on_the_number_of_threads(run: Run, trajectory: Trajectory) -> None:
    import numba

    weights = np.random.default_rng(1).normal(size=trajectory.n_atoms)
    seen = trajectory.in_reference_frame("barycentric")
    expected = np.einsum("a,tad->td", weights, seen.positions - seen.drift[:, None])
    threads = numba.get_num_threads()
    found = []
    try:
        for n in {1, threads}:
            numba.set_num_threads(n)
            found.append(seen.weighted_sum(weights))
    finally:
        numba.set_num_threads(threads)
    np.testing.assert_allclose(found[0], expected, atol=1e-11)
    np.testing.assert_array_equal(found[0], found[-1])


def test_windows_and_parts(trajectory: Trajectory) -> None:
    seen = trajectory.in_reference_frame("framework", ["Li"])
    part = seen.window(3, 8)
    assert part.n_frames == 5
    np.testing.assert_array_equal(part.positions, seen.positions[3:8])
    np.testing.assert_array_equal(part.drift, seen.drift[3:8])
    assert np.shares_memory(part.positions, seen.positions)
    assert [one.n_frames for one in seen.split(5)] == [2] * 5
    assert seen.window(4).duration_fs == pytest.approx(7 * SPACING_FS)
    with pytest.raises(InputError, match="12 frames cannot be split into 7 parts"):
        seen.split(7)
    with pytest.raises(InputError, match="no frame in 12:None"):
        seen.window(12)


def test_it_says_what_it_is_in_one_line(trajectory: Trajectory) -> None:
    shown = repr(trajectory.in_reference_frame("framework", ["Li"]))
    assert shown == "<Trajectory Li5P2S6: 12 frames of 13 atoms, 5 fs apart, reference framework:P,S>"


def test_a_species_that_is_not_there(trajectory: Trajectory) -> None:
    assert trajectory.indices("P").tolist() == [5, 6]
    with pytest.raises(InputError, match="species 'Na' is not in the trajectory, which holds Li, P, S"):
        trajectory.indices(["Li", "Na"])
