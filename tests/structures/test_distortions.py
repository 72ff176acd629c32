"""Distortions: what they promise, what they leave alone, the same for the same seed."""

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.structures import (
    crystal,
    exchange_atoms,
    lineage,
    random_strain,
    rattle,
    remove_atoms,
    scale_volume,
    strain,
)
from mlip_sse.structures.separation import shortest_distances

MAKERS = {
    "rattle": lambda atoms, seed: rattle(atoms, 0.1, seed),
    "random_strain": lambda atoms, seed: random_strain(atoms, 0.03, seed),
    "remove_atoms": lambda atoms, seed: remove_atoms(atoms, {"Li": 2}, seed),
    "exchange_atoms": lambda atoms, seed: exchange_atoms(atoms, ("S", "Cl"), 2, seed),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_seeds_decide_and_the_source_stays(make):
    atoms = crystal("li6ps5cl")
    before = atoms.copy()
    one, same, other = make(atoms, 1), make(atoms, 1), make(atoms, 2)
    assert atoms == before
    assert lineage(atoms) == lineage(before)
    assert one == same
    assert one != other
    assert len(lineage(one)) == 2
    assert lineage(one)[-1]["seed"] == 1


def test_rattle_has_the_stated_spread():
    atoms = crystal("li6ps5cl").repeat(3)
    shifts = rattle(atoms, 0.05, seed=3).positions - atoms.positions
    n = shifts.size  # 4212; the relative standard error of a standard deviation is 1/sqrt(2n) = 1.1 %
    assert shifts.std() == pytest.approx(0.05, rel=5 / np.sqrt(2 * n))
    assert abs(shifts.mean()) < 5 * 0.05 / np.sqrt(n)


def test_a_strong_rattle_keeps_atoms_apart():
    atoms = crystal("li7p3s11")
    free = atoms.copy()
    free.positions += np.random.default_rng(0).normal(0, 0.25, free.positions.shape)
    guarded = rattle(atoms, 0.25, seed=0)
    start, without, kept = (shortest_distances(one) for one in (atoms, free, guarded))
    assert any(without[pair] < 0.8 * start[pair] for pair in start)  # the guard has work to do
    assert all(kept[pair] >= 0.8 * start[pair] - 1e-9 for pair in start)
    assert lineage(guarded)[-1]["n_redraws"] > 0
    with pytest.raises(InputError, match="lower one of the two"):
        rattle(atoms, 1.5, seed=0, min_distance_ratio=0.95)


def test_strain_moves_atoms_with_the_cell():
    atoms = crystal("li2o")
    epsilon = np.array([[0.02, 0.01, 0], [0.01, -0.03, 0.005], [0, 0.005, 0.04]])
    strained = strain(atoms, epsilon)
    assert strained.cell.array == pytest.approx(atoms.cell.array @ (np.eye(3) + epsilon))
    assert strained.get_scaled_positions() == pytest.approx(atoms.get_scaled_positions())
    voigt = strain(atoms, [0.02, -0.03, 0.04, 0.01, 0, 0.02])
    assert voigt.cell.array == pytest.approx(strained.cell.array)


@pytest.mark.parametrize("change", [-0.08, 0.0, 0.08])
def test_volumes_change_as_asked(change):
    atoms = crystal("li3p")
    assert scale_volume(atoms, change).get_volume() == pytest.approx((1 + change) * atoms.get_volume())


def test_random_strains_stay_within_bounds_and_are_symmetric():
    atoms = crystal("licl")
    tensors = np.array([lineage(random_strain(atoms, 0.04, seed))[-1]["tensor"] for seed in range(30)])
    assert np.abs(tensors).max() <= 0.04
    assert np.abs(tensors).max() > 0.035  # 180 draws reach the last eighth with certainty
    assert tensors == pytest.approx(tensors.transpose(0, 2, 1))


def test_vacancies_note_their_charge():
    atoms = crystal("licl")
    neutral = remove_atoms(atoms, {"Li": 1}, seed=0)
    assert "charge" not in neutral.info
    assert lineage(neutral)[-1]["removed_ionic_charge"] == 1.0
    assert neutral.symbols.formula.count() == {"Li": 3, "Cl": 4}
    ionised = remove_atoms(atoms, {"Li": 1}, seed=0, charge_state="ionised")
    assert ionised.info["charge"] == -1.0
    assert ionised.positions == pytest.approx(neutral.positions)
    twice = remove_atoms(ionised, {"Cl": 1}, seed=0, charge_state="ionised")
    assert twice.info["charge"] == 0.0  # a Schottky pair
    phosphide = remove_atoms(crystal("li3p"), {"P": 1}, 0, charge_state="ionised", oxidation_states={"P": -3})
    assert phosphide.info["charge"] == 3.0


def test_antisites_keep_composition_and_positions():
    atoms = crystal("li6ps5cl")
    swapped = exchange_atoms(atoms, ("S", "Cl"), 3, seed=5)
    assert swapped.symbols.formula.count() == atoms.symbols.formula.count()
    assert np.array_equal(swapped.positions, atoms.positions)
    changed = np.flatnonzero(swapped.numbers != atoms.numbers)
    assert sorted(changed) == sorted(index for pair in lineage(swapped)[-1]["pairs"] for index in pair)
    assert len(changed) == 6


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda a: rattle(a, -0.1, 0), "stdev=-0.1"),
        (lambda a: strain(a, np.eye(3)), "at most 0.25"),
        (lambda a: strain(a, [[0, 0.01, 0], [0, 0, 0], [0, 0, 0]]), "not symmetric"),
        (lambda a: strain(a, [0.1, 0.2]), r"shape \(2,\)"),
        (lambda a: strain(a, np.full((3, 3), np.nan)), "a component of nan"),
        (lambda a: scale_volume(a, 8.0), "0.08 is 8 %"),
        (lambda a: random_strain(a, 0.5, 0), "max_strain=0.5"),
        (lambda a: remove_atoms(a, {"Li": 5}, 0), "found 4"),
        (lambda a: remove_atoms(a, {"Xe": 0}, 0), "no oxidation state for Xe"),
        (lambda a: exchange_atoms(a, ("Li", "Cl"), 9, 0), "4 Li and 4 Cl"),
        (lambda a: exchange_atoms(a, ("Li", "Li"), 1, 0), "two different"),
    ],
)
def test_bad_input_is_one_line(call, words):
    with pytest.raises(InputError, match=words) as refused:
        call(crystal("licl"))
    assert "\n" not in str(refused.value)
