"""Unwrapping: a slow twin, exact paths, and what must not change the displacements."""

import itertools

import numpy as np
import pytest

from mlip_sse.errors import FormatError
from mlip_sse.trajectory.frames import Coordinates, FrameChunk
from mlip_sse.trajectory.unwrap import Unwrapper, reduction_of, unwrap

SKEWED = np.array([[9.0, 0.0, 0.0], [6.5, 8.0, 0.0], [-5.0, 6.0, 10.0]])


def random_walk(n_frames: int, n_atoms: int, seed: int, step: float = 0.25) -> np.ndarray:
    rng = np.random.default_rng(seed)
    steps = step * rng.standard_normal((n_frames, n_atoms, 3))
    steps[0] = rng.uniform(0, 10, (n_atoms, 3))
    return np.cumsum(steps, axis=0)


def wrap(positions: np.ndarray, cells: np.ndarray) -> np.ndarray:
    fractional = positions @ np.linalg.inv(cells)
    return (fractional - np.floor(fractional)) @ cells


def unimodular(rng: np.random.Generator) -> np.ndarray:
    """Return a random integer matrix of determinant one."""
    lower, upper = np.eye(3), np.eye(3)
    lower[np.tril_indices(3, -1)] = rng.integers(-2, 3, 3)
    upper[np.triu_indices(3, 1)] = rng.integers(-2, 3, 3)
    return lower @ upper


def msd_slope(positions: np.ndarray, lags: tuple[int, int] = (5, 25)) -> float:
    """Return the slope of the mean-squared displacement between two lags, Å² a frame, all origins."""
    low, high = (np.mean(np.sum((positions[lag:] - positions[:-lag]) ** 2, axis=2)) for lag in lags)
    return float((high - low) / (lags[1] - lags[0]))


def nearest_image_twin(wrapped: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Unwrap one atom and frame at a time, trying every image within three cells."""
    images = np.array(list(itertools.product(range(-3, 4), repeat=3)))
    out = wrapped.copy()
    for t, atom in itertools.product(range(1, len(wrapped)), range(wrapped.shape[1])):
        step = wrapped[t, atom] @ np.linalg.inv(cells[t]) - wrapped[t - 1, atom] @ np.linalg.inv(cells[t - 1])
        candidates = (step + images) @ cells[t]
        out[t, atom] = out[t - 1, atom] + candidates[np.argmin(np.sum(candidates**2, axis=1))]
    return out


@pytest.mark.parametrize("breathing", [0.0, 0.01])
def test_the_slow_twin_agrees(breathing: float) -> None:
    cells = SKEWED * (1 + breathing * np.random.default_rng(1).standard_normal(40))[:, None, None]
    wrapped = wrap(random_walk(40, 7, seed=2), cells)
    # sums of 40 float64 increments of a few Å
    np.testing.assert_allclose(unwrap(wrapped, cells), nearest_image_twin(wrapped, cells), atol=1e-12)


def test_a_straight_path_through_many_cells_is_exact() -> None:
    velocity = np.array([0.7, -1.1, 0.9])
    path = np.arange(200)[:, None, None] * velocity + np.array([1.0, 2.0, 3.0])
    cells = np.broadcast_to(SKEWED, (200, 3, 3))
    unwrapped = unwrap(wrap(path, SKEWED), cells)
    np.testing.assert_allclose(unwrapped - unwrapped[0], path - path[0], atol=1e-10)


def test_fractional_coordinates_give_the_same() -> None:
    path = random_walk(60, 5, seed=3)
    cells = np.broadcast_to(SKEWED, (60, 3, 3))
    fractional = wrap(path, SKEWED) @ np.linalg.inv(SKEWED)
    unwrapped = unwrap(fractional, cells, kind=Coordinates.FRACTIONAL_WRAPPED)
    np.testing.assert_allclose(unwrapped - unwrapped[0], path - path[0], atol=1e-10)


def test_chunks_of_any_size_give_the_same_bits() -> None:
    cells = SKEWED * (1 + 0.01 * np.sin(np.arange(50)))[:, None, None]
    wrapped = wrap(random_walk(50, 40, seed=4), cells)
    whole = unwrap(wrapped, cells)
    pieces, unwrapper = np.empty_like(whole), Unwrapper(Coordinates.CARTESIAN_WRAPPED)
    for first, stop in itertools.pairwise([0, 1, 2, 7, 30, 50]):
        unwrapper.feed(FrameChunk(wrapped[first:stop], cells[first:stop]), pieces[first:stop])
    np.testing.assert_array_equal(pieces, whole)


def test_wrapping_and_a_shift_of_the_origin_change_nothing() -> None:
    path, cells = random_walk(100, 20, seed=5), np.broadcast_to(SKEWED, (100, 3, 3))
    expected = unwrap(wrap(path, SKEWED), cells)
    for other in (path, wrap(path + 3.3, SKEWED) - 3.3):
        found = unwrap(other, cells)
        np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-10)


def test_drift_moves_all_atoms_alike() -> None:
    path, cells = random_walk(100, 20, seed=6), np.broadcast_to(SKEWED, (100, 3, 3))
    drift = np.arange(100)[:, None, None] * np.array([0.2, -0.1, 0.15])
    found, expected = unwrap(wrap(path + drift, SKEWED), cells), unwrap(wrap(path, SKEWED), cells)
    np.testing.assert_allclose(found - found[0] - drift, expected - expected[0], atol=1e-10)


def test_one_percent_of_breathing_changes_the_slope_of_the_msd_by_less_than_one_percent() -> None:
    rng = np.random.default_rng(7)
    cell = np.diag([20.0, 21.0, 22.0])
    path = random_walk(20_000, 20, seed=8)
    scale = np.ones(20_000)
    for t in range(1, 20_000):  # a barostat of 15 frames, 1 % of the edge
        scale[t] = 1 + (scale[t - 1] - 1) * np.exp(-1 / 15) + 0.01 * np.sqrt(1 - np.exp(-2 / 15)) * rng.normal()
    cells = cell * scale[:, None, None]
    affine = path * scale[:, None, None]  # constant-pressure dynamics writes fractions times the cell of the frame
    expected = msd_slope(path)
    assert msd_slope(unwrap(wrap(affine, cells), cells)) == pytest.approx(expected, rel=0.01)
    assert msd_slope(unwrap(affine, cells, kind=Coordinates.CARTESIAN_UNWRAPPED)) == pytest.approx(expected, rel=0.01)
    assert abs(msd_slope(affine) / expected - 1) > 0.03  # taken as they are, the coordinates are wrong


def test_another_choice_of_cell_vectors_changes_nothing() -> None:
    rng = np.random.default_rng(9)
    path = random_walk(400, 30, seed=10)
    expected = unwrap(wrap(path, SKEWED), np.broadcast_to(SKEWED, (400, 3, 3)))
    for _ in range(5):
        other = unimodular(rng) @ SKEWED
        found = unwrap(wrap(path, other), np.broadcast_to(other, (400, 3, 3)))
        np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-9)


def test_cell_vectors_may_change_during_the_run() -> None:
    rng = np.random.default_rng(11)
    path = random_walk(200, 30, seed=12)
    choices = [np.eye(3), *(unimodular(rng) for _ in range(5))]
    cells = np.array([choices[(t // 17) % 6] @ SKEWED * (1 + 0.002 * np.sin(t)) for t in range(200)])
    plain = np.array([SKEWED * (1 + 0.002 * np.sin(t)) for t in range(200)])
    fractions = path @ np.linalg.inv(SKEWED)
    affine = fractions @ plain
    unwrapper, found = Unwrapper(Coordinates.CARTESIAN_WRAPPED), np.empty(path.shape)
    for first, stop in itertools.pairwise([0, 17, 40, 41, 200]):
        unwrapper.feed(FrameChunk(wrap(affine, cells)[first:stop], cells[first:stop]), found[first:stop])
    expected = unwrap(wrap(affine, plain), plain)
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-9)
    assert unwrapper.n_recells == 11
    assert "11 times" in unwrapper.scheme


def test_image_flags_agree_with_nearest_images() -> None:
    path, cells = random_walk(100, 20, seed=13), np.broadcast_to(SKEWED, (100, 3, 3))
    images = np.floor(path @ np.linalg.inv(SKEWED)).astype(np.int64)
    wrapped = wrap(path, SKEWED)
    found = unwrap(wrapped, cells, images=images)
    np.testing.assert_allclose(found - found[0], path - path[0], atol=1e-10)
    images[60:, 4, 1] += 1
    with pytest.raises(FormatError, match=r"frame 60, atom 4: the image flags contradict the coordinates.*\[") as error:
        unwrap(wrapped, cells, images=images)
    assert "\n" not in str(error.value)


def test_a_step_that_is_too_long_is_refused_with_frame_and_atom() -> None:
    path = np.zeros((10, 3, 3))
    path[6:, 2, 0] = 4.1
    cells = np.broadcast_to(np.diag([10.0, 10.0, 10.0]), (10, 3, 3))
    with pytest.raises(
        FormatError, match=r"frame 6, atom 2: moved by more than 0.4 of a cell vector.*store frames more"
    ):
        unwrap(path, cells)
    path[6:, 2, 0] = 3.9
    assert unwrap(path, cells)[-1, 2, 0] == pytest.approx(3.9)
    path[6:, 2, 0] = 44.0
    assert unwrap(path, cells, kind=Coordinates.CARTESIAN_UNWRAPPED)[-1, 2, 0] == pytest.approx(44.0)


@pytest.mark.parametrize("frame", [0, 3])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_coordinates_that_are_not_finite_are_refused(frame: int, value: float) -> None:
    path = np.zeros((5, 4, 3))
    path[frame, 1, 2] = value
    with pytest.raises(FormatError, match=f"frame {frame}, atom 1: a coordinate is not finite"):
        unwrap(path, np.broadcast_to(np.eye(3) * 9, (5, 3, 3)))


def test_a_cell_that_jumps_or_has_no_volume_is_refused() -> None:
    cells = np.array([np.eye(3) * 9, np.eye(3) * 9, np.eye(3) * 12])
    with pytest.raises(FormatError, match=r"frame 2: the cell changes by more than 20%"):
        unwrap(np.zeros((3, 1, 3)), cells)
    cells[1, 0, 0] = np.nan
    with pytest.raises(FormatError, match="frame 1: the cell is not finite"):
        unwrap(np.zeros((3, 1, 3)), cells)
    with pytest.raises(FormatError, match="no volume"):
        unwrap(np.zeros((1, 1, 3)), np.ones((1, 3, 3)))


def test_a_reduced_cell_holds_the_shortest_vectors() -> None:
    rng = np.random.default_rng(14)
    span = np.array(list(itertools.product(range(-4, 5), repeat=3)))
    span = span[np.any(span != 0, axis=1)]
    for _ in range(50):
        cell = rng.normal(size=(3, 3)) * 4
        reduction = reduction_of(cell)
        assert abs(round(np.linalg.det(reduction))) == 1
        reduced = reduction @ cell
        # Minkowski: the lengths are the successive minima of the lattice, found here by enumeration
        minima: list[np.ndarray] = []
        for vector in span[np.argsort(np.linalg.norm(span @ reduced, axis=1), kind="stable")]:
            if np.linalg.matrix_rank(np.array([*minima, vector])) > len(minima):
                minima.append(vector)
            if len(minima) == 3:
                break
        found = np.sort(np.linalg.norm(reduced, axis=1))
        np.testing.assert_allclose(found, np.linalg.norm(np.array(minima) @ reduced, axis=1), rtol=1e-9)


def test_a_digit_that_was_damaged_is_not_taken_for_a_wrapped_coordinate() -> None:
    path = np.full((10, 3, 3), 5.0)
    path[6, 2, 0] = 95.1  # 9.01 cell vectors away, 0.01 from the nearest image
    for cell in (np.eye(3) * 10, np.array([[10.0, 0, 0], [6.0, 10, 0], [0, 0, 10]])):
        with pytest.raises(FormatError, match="frame 6, atom 2"):
            unwrap(path, np.broadcast_to(cell, (10, 3, 3)))
