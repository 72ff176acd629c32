"""No trajectory lies on both sides of a split by group; a split by time keeps the order and the gap."""

import dataclasses

import pytest

from mlip_sse.dataset import split_by_group, split_by_time
from mlip_sse.errors import InputError
from tests.dataset.labelled import copper


def frames_of(*lengths):
    base = copper(0)
    return [
        dataclasses.replace(base, cell=base.cell + 1e-3 * place + 0.1 * number, group=f"run {number}", place=place)
        for number, length in enumerate(lengths)
        for place in range(length)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_whole_and_nothing_is_lost(seed):
    frames = frames_of(7, 3, 5, 5, 4, 6, 2, 8, 1, 9)
    split = split_by_group(frames, 0.2, 0.2, seed=seed)
    sets = [split.train, split.validation, split.test]
    groups = [{frame.group for frame in members} for members in sets]
    assert all(groups)
    assert sum(map(len, groups)) == 10 == len(set.union(*groups))
    assert sorted(frame.id for members in sets for frame in members) == sorted(frame.id for frame in frames)
    assert len(split.train) > len(split.validation)
    assert f"seed {seed}" in split.statement
    assert split.to_dict()["test"] == [frame.id for frame in split.test]


def test_the_order_of_the_frames_does_not_matter_but_the_seed_does():
    frames = frames_of(*10 * [3])
    one, two = split_by_group(frames, seed=3), split_by_group(frames[::-1], seed=3)
    assert {frame.id for frame in one.test} == {frame.id for frame in two.test}
    assert len({split_by_group(frames, seed=seed).test[0].group for seed in range(8)}) > 1


def test_shares_are_met_when_the_groups_are_small():
    split = split_by_group(frames_of(*100 * [2]), 0.1, 0.3, seed=1)
    assert (len(split.train), len(split.validation), len(split.test)) == (120, 20, 60)


def test_a_share_of_nothing_is_empty():
    split = split_by_group(frames_of(2, 2), 0.0, 0.5, seed=0)
    assert (len(split.train), len(split.validation), len(split.test)) == (2, 0, 2)


def test_by_time_the_later_part_is_held_out():
    split = split_by_time(frames_of(30, 60), 0.1, 0.2, n_gap=2)
    for group, places in (("run 0", [(0, 20), (23, 23), (26, 29)]), ("run 1", [(0, 41), (44, 47), (50, 59)])):
        for members, (first, last) in zip((split.train, split.validation, split.test), places, strict=True):
            found = [frame.place for frame in members if frame.group == group]
            assert found == list(range(first, last + 1))
    assert "gap 2 frames" in split.statement


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: split_by_group(frames_of(5), seed=0), "found 1 group"),
        (lambda: split_by_group([], seed=0), "found 0 group"),
        (lambda: split_by_group(frames_of(2, 2, 2), 0.6, 0.5, seed=0), "room left for training"),
        (lambda: split_by_group(frames_of(2, 2, 2), -0.1, 0.5, seed=0), "validation share of -0.1"),
        (lambda: split_by_group(frames_of(2, 2, 2), 0.1, float("nan"), seed=0), "test share of nan"),
        (lambda: split_by_time(frames_of(3), n_gap=5), "too few"),
        (lambda: split_by_time(frames_of(9), n_gap=-1), "n_gap -1"),
    ],
)
def test_impossible_splits(call, message):
    with pytest.raises(InputError, match=message):
        call()
