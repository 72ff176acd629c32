"""Packed units: whole, neutral, apart, as dense as asked for, the same for the same seed."""

from collections import Counter

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from mlip_sse.errors import InputError
from mlip_sse.structures import lineage
from mlip_sse.structures.glasses import (
    UNIT_NAMES,
    GlassUnits,
    PackingSettings,
    RigidUnit,
    ion,
    pack_units,
    rigid_unit,
    unit_counts,
    units_from_shares,
)
from mlip_sse.structures.separation import shortest_distances

MIXED = {"PS4": 4, "P2S7": 3, "P2S6": 2, "S": 2, "Li": 36}


def places_of(atoms, unit):
    """Return the positions of a unit as one piece."""
    positions = atoms.positions[atoms.arrays["unit"] == unit]
    side = atoms.cell.lengths()[0]
    return positions - side * np.rint((positions - positions[0]) / side)


@pytest.mark.parametrize("name", [name for name in UNIT_NAMES if len(rigid_unit(name)) > 1])
def test_units_have_the_bonds_of_the_crystals(name):
    unit = rigid_unit(name)
    symbols = np.array(unit.symbols)
    apart = np.linalg.norm(unit.positions[:, None] - unit.positions, axis=-1)
    to_sulphur = apart[np.ix_(symbols == "P", symbols == "S")]
    bonds = np.where(to_sulphur < 2.5, to_sulphur, 0.0)
    assert set(np.round(bonds[bonds > 0], 6)) <= {2.05, 2.12}
    between = apart[np.ix_(symbols == "P", symbols == "P")]
    n_phosphorus = (between[np.triu_indices(len(between), 1)] < 2.6).sum() * 2
    assert ((bonds > 0).sum(axis=1) + n_phosphorus // max(len(between), 1) == 4).all()
    assert to_sulphur[to_sulphur > 2.5].min(initial=9.0) > 3.0
    sulphurs = unit.positions[symbols == "S"]
    assert pdist(sulphurs).min() > 3.0  # no two of them on top of each other
    assert unit.positions.mean(axis=0) == pytest.approx(np.zeros(3))


def test_named_lengths_and_charges():
    ethane = rigid_unit("P2S6")
    assert np.linalg.norm(ethane.positions[1] - ethane.positions[0]) == pytest.approx(2.25)
    charges = {name: rigid_unit(name).charge_e for name in UNIT_NAMES}
    assert charges == {"PS4": -3, "P2S7": -4, "P2S6": -4, "P2S6 edge-sharing": -2, "S": -2, "Li": 1, "Na": 1}


def test_units_stay_whole_at_random_orientations():
    atoms = pack_units(MIXED, 1.8, seed=3)
    names = [name for name in sorted(MIXED, key=lambda name: -len(rigid_unit(name))) for _ in range(MIXED[name])]
    firsts = []
    for k, name in enumerate(names):
        shape = rigid_unit(name)
        assert tuple(np.array(atoms.get_chemical_symbols())[atoms.arrays["unit"] == k]) == shape.symbols
        if len(shape) > 1:
            found = places_of(atoms, k)
            assert pdist(found) == pytest.approx(pdist(shape.positions), abs=1e-9)
            centred = found - found.mean(axis=0)
            turn = np.linalg.lstsq(shape.positions, centred, rcond=None)[0]
            # a rotation, no mirror; the flat part of a fit to few atoms does not matter here
            assert np.linalg.det(turn) == pytest.approx(1.0, abs=1e-6)
            firsts.append(centred[0] / max(np.linalg.norm(centred[0]), 1e-9))
    assert np.abs(np.mean(firsts, axis=0)).max() < 0.6


def test_density_composition_and_charge_are_exact():
    atoms = pack_units(MIXED, 1.8, seed=3)
    density = atoms.get_masses().sum() / 6.02214076e23 / (atoms.get_volume() * 1e-24)
    assert density == pytest.approx(1.8, rel=1e-9)
    assert Counter(atoms.get_chemical_symbols()) == {"Li": 36, "P": 14, "S": 51}
    assert sum(n * rigid_unit(name).charge_e for name, n in MIXED.items()) == 0
    assert all(atoms.pbc)
    (step,) = lineage(atoms)
    assert (step["operation"], step["seed"], step["units"]["PS4"]) == ("pack units", 3, 4)


@pytest.mark.parametrize("density", [1.6, 1.88, 2.2])
def test_no_two_units_touch(density):
    atoms = pack_units(unit_counts(75, 200).counts, density, seed=1)
    shortest = shortest_distances(atoms)
    assert shortest["P", "S"] == pytest.approx(2.05, abs=1e-9)  # within its unit
    for pair, least in ((("Li", "Li"), 2.43), (("Li", "S"), 2.21), (("Li", "P"), 2.82), (("S", "S"), 3.02)):
        assert shortest.get(pair, 9.0) > least - 0.06, pair  # an overlap of 0.05 Å is left to the relaxation
    own = pack_units(unit_counts(75, 80).counts, 1.7, 1, PackingSettings(closest={("S", "Li"): 2.4}))
    assert shortest_distances(own)["Li", "S"] > 2.34


def test_a_seed_is_a_glass():
    one, again, other = (pack_units(unit_counts(75, 80).counts, 1.8, seed) for seed in (5, 5, 6))
    assert np.array_equal(one.positions, again.positions)
    assert np.abs(one.positions - other.positions).max() > 1.0


def test_units_of_ones_own():
    water_like = RigidUnit("X", ("O", "H", "H"), np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]), -1)
    atoms = pack_units([(water_like, 12), (ion("Na", 1), 12)], 0.6, seed=1)
    assert atoms.get_chemical_formula() == "H24Na12O12"
    with pytest.raises(InputError, match="found positions of shape"):
        RigidUnit("X", ("O", "H"), np.zeros((3, 3)), 0)


def test_what_has_no_room_says_so():
    with pytest.raises(
        InputError, match=r"no packing at 3 g/cm³: after 50 steps .* expected 3\.02 Å; lower the density"
    ):
        pack_units(unit_counts(75, 80).counts, 3.0, 1, PackingSettings(most_steps=50))
    with pytest.raises(InputError, match="take more atoms or a lower density"):
        pack_units({"PS4": 1, "Li": 3}, 1.8, 1)
    with pytest.raises(InputError, match=r"charge of -1 e in 1 PS4 \(-3\), 2 Li \(\+1\)"):
        pack_units({"PS4": 1, "Li": 2}, 1.8, 1)
    with pytest.raises(InputError, match="density of 0"):
        pack_units({"PS4": 1, "Li": 3}, 0, 1)
    with pytest.raises(InputError, match="did you mean 'PS4'"):
        pack_units({"PS5": 1, "Li": 3}, 1.8, 1)
    with pytest.raises(InputError, match="closest distances"):
        PackingSettings(closest={("Li", "S"): -1.0})


@pytest.mark.parametrize(
    ("percent", "n_atoms", "counts"),
    [
        (75, 200, {"PS4": 25, "Li": 75}),
        (200 / 3, 208, {"P2S7": 16, "Li": 64}),
        (70, 100, {"P2S7": 5, "PS4": 5, "Li": 35}),
        (50, 100, {"P2S6 edge-sharing": 10, "Li": 20}),
        (80, 209, {"PS4": 22, "S": 11, "Li": 88}),
    ],
)
def test_compositions_are_met_by_the_lever_rule(percent, n_atoms, counts):
    found = unit_counts(percent, n_atoms)
    assert dict(found.counts) == counts
    assert found.charge_e == 0
    symbols = Counter(
        symbol for name, n in found.counts.items() for _ in range(n) for symbol in rigid_unit(name).symbols
    )
    assert found.n_atoms == sum(symbols.values())
    assert found.li2s_percent == pytest.approx(100 * symbols["Li"] / (symbols["Li"] + symbols["P"]))
    assert found.li2s_percent == pytest.approx(percent, abs=0.5)
    # on the line Li2S-P2S5 each P brings 5/2 S and each Li 1/2
    assert 2 * symbols["S"] == 5 * symbols["P"] + symbols["Li"]


def test_shares_of_the_phosphorus():
    found = units_from_shares({"PS4": 0.6, "P2S7": 0.2, "P2S6": 0.2}, 400)
    assert found.charge_e == 0
    shares = found.shares()
    assert (shares["PS4"], shares["P2S7"], shares["P2S6"]) == pytest.approx((0.6, 0.2, 0.2), abs=0.03)
    assert found.n_atoms == pytest.approx(400, rel=0.05)


def test_what_whole_units_cannot_meet_says_what_is_near():
    with pytest.raises(
        InputError, match=r"68 mol-% Li2S in 40 atoms, .* near are 39 atoms at 66\.67 % \(3 P2S7, 12 Li\)"
    ):
        unit_counts(68, 40)
    with pytest.raises(InputError, match="found 40 mol-% Li2S, expected 50"):
        unit_counts(40, 200)
    with pytest.raises(InputError, match="add up to 1"):
        units_from_shares({"PS4": 0.5}, 200)
    with pytest.raises(InputError, match="expected units that hold some"):
        units_from_shares({"PS4": 0.5, "S": 0.5}, 200)
    with pytest.raises(InputError, match=r"40 atoms cannot meet within 0\.03 \("):
        units_from_shares({"PS4": 0.9, "P2S7": 0.1}, 40)
    with pytest.raises(InputError, match=r"charge of -2 e in 2 PS4 \(-3 e\)"):
        GlassUnits.of({"PS4": 2, "Li": 4})
