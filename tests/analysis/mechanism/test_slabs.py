"""Stays in slabs and displacements up to the exit, against their definitions."""

import numpy as np
import pytest

from mlip_sse.analysis.mechanism.slabs import (
    Region,
    add_displacements,
    add_runs,
    frame_of_axis,
    slabs_near_planes,
    survivors,
)
from mlip_sse.errors import InputError

REGION = Region("two slabs", ((0.1, 0.4), (0.85, 1.05)))


def inside(fractions):
    """Index of the slab of each fraction, -1 outside."""
    out = np.full(fractions.shape, -1)
    for s, (low, high) in enumerate(REGION.slabs):
        out[(fractions - low) % 1.0 < high - low] = s
    return out


def walkers(seed=1, n_ions=5, n_frames=60):
    rng = np.random.default_rng(seed)
    fractions = np.cumsum(0.08 * rng.standard_normal((n_ions, n_frames)), axis=1) + rng.random((n_ions, 1))
    return np.ascontiguousarray(fractions), np.cumsum(rng.standard_normal((n_ions, 3, n_frames)), axis=2)


def test_displacements_up_to_the_exit_are_their_definition():
    fractions, paths = walkers()
    lags, groups = np.array([1, 3, 10, 40]), np.array([0, 1, 0, 1, 0])
    sums, counts = np.zeros((2, 3, 4, 3)), np.zeros((2, 3, 4, 2), dtype=np.int64)
    after = paths + 0.3 * np.random.default_rng(7).standard_normal(paths.shape)
    add_displacements(fractions, paths, after, 4, groups, REGION.centres, REGION.half_widths, lags, sums, counts)
    labels = inside(fractions)
    twin, numbers = np.zeros_like(sums), np.zeros_like(counts)
    for i in range(5):
        for j, lag in enumerate(lags):
            for t in range(4, 56 - lag):
                if labels[i, t] < 0:
                    continue
                left = np.flatnonzero(labels[i, t:] != labels[i, t])
                stop = t + (min(lag, left[0]) if left.size else lag)
                d2 = (after[i, :, stop] - paths[i, :, t]) ** 2
                twin[groups[i], t * 3 // 60, j] += [d2[0] + d2[1], d2[2], stop - t]
                numbers[groups[i], t * 3 // 60, j] += [1, not left.size or left[0] > lag]
    assert sums == pytest.approx(twin, rel=1e-10)
    assert (counts == numbers).all()
    assert counts[..., 0].sum() > 100


def test_stays_and_survival_are_their_definition():
    fractions, _ = walkers(2, 20, 80)
    ended, open_ended = np.zeros(81, dtype=np.int64), np.zeros(81, dtype=np.int64)
    add_runs(fractions, REGION.centres, REGION.half_widths, ended, open_ended)
    leaving, at_risk = survivors(ended, open_ended)
    labels = inside(fractions)
    left, risk = np.zeros(80, dtype=int), np.zeros(80, dtype=int)
    for i in range(20):
        for t in range(80):
            if labels[i, t] < 0:
                continue
            gone = np.flatnonzero(labels[i, t:] != labels[i, t])
            for m in range(1, 80 - t):
                if gone.size and gone[0] < m:
                    break
                risk[m - 1] += 1
                left[m - 1] += bool(gone.size and gone[0] == m)
    assert (leaving == left).all()
    assert (at_risk == risk).all()
    assert (ended + open_ended) @ np.arange(81) == (labels >= 0).sum()


def test_shifting_ions_by_whole_cells_changes_nothing():
    fractions, paths = walkers(3)
    lags, groups = np.array([2, 7]), np.zeros(5, dtype=np.int64)
    results = []
    for shift in (0.0, 1.0, -3.0):
        sums, counts = np.zeros((1, 2, 2, 3)), np.zeros((1, 2, 2, 2), dtype=np.int64)
        slab = REGION.centres, REGION.half_widths
        add_displacements(fractions + shift, paths, paths, 1, groups, *slab, lags, sums, counts)
        results.append(sums)
    assert results[0] == pytest.approx(results[1])
    assert results[0] == pytest.approx(results[2])


def test_directions_and_height_of_a_skewed_cell():
    cell = np.array([[12.0, 0.0, 0.0], [5.0, 11.0, 0.0], [-4.0, 3.0, 10.0]])
    for axis in range(3):
        directions, height = frame_of_axis(cell, axis)
        assert directions @ directions.T == pytest.approx(np.eye(3), abs=1e-12)
        others = cell[[k for k in range(3) if k != axis]]
        assert others @ directions[2] == pytest.approx([0, 0], abs=1e-12)
        assert cell[axis] @ directions[2] == pytest.approx(height)


def test_slabs_near_planes_and_the_rest_fill_the_cell():
    found = slabs_near_planes([0.75, 1.25], 4.0, 40.0)
    near, rest = found["near planes"], found["elsewhere"]
    assert np.array(near.slabs) == pytest.approx(np.array([[0.15, 0.35], [0.65, 0.85]]))
    assert np.array(rest.slabs) == pytest.approx(np.array([[0.35, 0.65], [0.85, 1.15]]))
    assert 2 * (near.half_widths.sum() + rest.half_widths.sum()) == pytest.approx(1.0)
    with pytest.raises(InputError, match="overlap or fill"):
        slabs_near_planes([0.25, 0.3], 4.0, 40.0)


@pytest.mark.parametrize("slabs", [(), ((0.5, 0.5),), ((0.5, 0.2),), ((0.0, 1.5),), ((float("nan"), 1.0),)])
def test_slabs_that_are_none_are_refused(slabs):
    with pytest.raises(InputError, match="region 'x'"):
        Region("x", slabs)
