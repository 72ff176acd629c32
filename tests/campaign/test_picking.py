"""What judges a potential never comes from a run that trains it."""

import numpy as np
import pytest
from ase.build import bulk

from mlip_sse.campaign.picking import Picker, Visit, judging_runs
from mlip_sse.campaign.specs import CampaignSpec
from mlip_sse.md_protocols.exploration import Looks

N_LOOKS = 30


def spec(**select):
    plain = {"description": "a test", "structure": {"crystal": "licl"}, "temperatures_k": [600, 700, 800, 900]}
    return CampaignSpec.parse({**plain, "select": {"frames": 8, "held_out": 4, "per_segment": 6, **select}})


def a_round(n_runs=8, n_looks=N_LOOKS, ended=None, excess=0.5):
    rng = np.random.default_rng(3)
    start = bulk("LiCl", "rocksalt", 5.13, cubic=True)
    exploration, visits = [], []
    for k in range(n_runs):
        positions = start.positions + rng.normal(0, 0.1, (n_looks, len(start), 3))
        cells = np.repeat(start.cell.array[None], n_looks, axis=0)
        spread = np.abs(rng.normal(0, 0.1, (n_looks, len(start))))
        features = rng.normal(size=(n_looks, 5)).astype(np.float32)
        visits.append(Visit(start, Looks(positions, cells, np.ones((n_looks, len(start))), spread, features)))
        looks = {"time_ps": (0.04 * np.arange(n_looks)).tolist(), "excess": [excess] * n_looks}
        exploration.append({"name": f"run {k + 1}", "ended": ended, "looks": looks})
    return exploration, visits


@pytest.mark.parametrize("strategy", ["committee", "random"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_runs_that_judge_do_not_train(strategy, number):
    chosen, held, selection = Picker(spec(strategy=strategy), [], number, 100).pick(*a_round())
    names = [{atoms.info["group"] for atoms in frames} for frames in (chosen, held)]
    assert not names[0] & names[1]
    assert names[1] <= {f"round {number} run {k + 1}" for k in judging_runs(8, number)}
    assert (len(chosen), len(held)) == (8, 4)
    assert (selection["n_selected"], selection["n_held_out"]) == (8, 4)
    assert len(selection["spreads_ev_a"]) == 8 * N_LOOKS


def test_each_run_judges_once_in_four_rounds():
    assert sorted(k for number in range(4) for k in judging_runs(8, number)) == list(range(8))
    assert judging_runs(1, 3) == []
    assert judging_runs(2, 1) == [1]


def test_it_is_the_same_again_and_keeps_to_the_budget():
    first, again = (Picker(spec(), [], 2, 9).pick(*a_round()) for _ in range(2))
    places = [[(a.info["group"], a.info["place"]) for a in each[0] + each[1]] for each in (first, again)]
    assert places[0] == places[1]
    assert len(places[0]) <= 9


def test_the_last_looks_of_a_broken_run_come_first():
    exploration, visits = a_round(ended=None)
    exploration[2]["ended"] = {"kind": "exploded", "reason": "x"}
    chosen, _, _ = Picker(spec(frames=3), [], 1, 100).pick(exploration, visits)
    found = {(atoms.info["group"], atoms.info["place"]) for atoms in chosen}
    assert {("round 1 run 3", N_LOOKS - 2), ("round 1 run 3", N_LOOKS - 1)} <= found


def test_where_nothing_was_seen_there_are_new_seeds():
    start = bulk("LiCl", "rocksalt", 5.13, cubic=True).repeat((2, 2, 2))
    chosen, held, selection = Picker(spec(), [start], 1, 100).pick(*a_round(n_looks=0))
    assert selection["strategy"] == "seeds"
    assert len(chosen) + len(held) == 12
    assert len(held) == 4
