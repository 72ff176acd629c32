"""Energies of interfaces: formulae by hand, errors by Monte Carlo, atoms at an interface in any cell."""

import math

import numpy as np
import pytest

from mlip_sse.analysis.interphase import (
    explicit_reaction_energy,
    formation_energy,
    interface_atoms,
    interface_planes,
    near_interface,
    work_of_adhesion,
)
from mlip_sse.analysis.interphase.energies import EV_PER_A2_TO_J_PER_M2
from mlip_sse.analysis.results import Interval
from mlip_sse.errors import InputError
from mlip_sse.units import ELEMENTARY_CHARGE_C

CELL = np.array([[10.0, 0.0, 0.0], [3.0, 9.0, 0.0], [2.0, 1.0, 40.0]])


def bilayer(rng, n=200, low=0.3, high=0.7, empty=0.01):
    """Side 1 between two fractions of c, side 0 elsewhere, both a little away from the planes."""
    fractions = rng.random((n, 3))
    side = (fractions[:, 2] > low) & (fractions[:, 2] < high)
    for plane in (low, high):
        apart = fractions[:, 2] - plane
        fractions[:, 2] = np.where(np.abs(apart) < empty, plane + np.sign(apart) * empty, fractions[:, 2])
    return fractions @ CELL, side.astype(np.int8)


def test_the_three_energies_are_what_the_formulae_say():
    assert work_of_adhesion(-100.0, -50.0, -156.0, 30.0).value == pytest.approx(0.1)
    assert work_of_adhesion(-100.0, -50.0, -156.0, 30.0, n_interfaces=1).value == pytest.approx(0.2)
    found = formation_energy(-143.0, {"Li": 20, "LiCl": 10}, {"Li": -1.9, "LiCl": -11.0}, 25.0, 2)
    assert found.chemical.value == pytest.approx((-143.0 + 38.0 + 110.0) / 50.0)
    assert found.strain is None
    relaxed = {"Li": -2.0, "LiCl": -11.0}
    both = formation_energy(-143.0, {"Li": 20, "LiCl": 10}, {"Li": -1.9, "LiCl": -11.0}, 25.0, 2, relaxed)
    assert both.chemical == found.chemical or both.chemical.value == found.chemical.value
    assert both.strain.value == pytest.approx(20 * 0.1 / 50.0)
    assert explicit_reaction_energy(-156.0, -100.0, -50.0, 60).value == pytest.approx(-0.1)
    joule = ELEMENTARY_CHARGE_C * 1e20
    assert pytest.approx(joule) == EV_PER_A2_TO_J_PER_M2
    assert both.to_dict()["strain_j_m2"].value == pytest.approx(0.04 * joule)


def test_an_interface_that_only_sticks_has_its_adhesion_as_reaction_energy():
    sticks = work_of_adhesion(-100.0, -50.0, -156.0, 30.0, 2).value
    assert explicit_reaction_energy(-156.0, -100.0, -50.0, 60).value == pytest.approx(-sticks * 2 * 30.0 / 60)


def test_errors_are_those_of_a_monte_carlo():
    rng = np.random.default_rng(3)
    parts = {"a": (-100.0, 0.4), "b": (-50.0, 0.3), "ab": (-156.0, 0.5)}
    drawn = {name: rng.normal(*part, size=20000) for name, part in parts.items()}
    spread = np.quantile((drawn["a"] + drawn["b"] - drawn["ab"]) / 60.0, [0.025, 0.975])
    found = work_of_adhesion(parts["a"], parts["b"], parts["ab"], 30.0)
    assert (found.low, found.high) == pytest.approx(tuple(spread), abs=5e-4)  # 3 % of the width: 20,000 draws
    half = 1.959964 * 0.4
    same = work_of_adhesion(Interval(-100.0, -100.0 - half, -100.0 + half, 0.95, "x"), parts["b"], parts["ab"], 30.0)
    assert (same.low, same.high) == pytest.approx((found.low, found.high), rel=1e-6)
    counts, bulks = {"A": 10, "B": 4}, {"A": (-10.0, 0.01), "B": (-12.0, 0.02)}
    gamma = formation_energy((-156.0, 0.5), counts, bulks, 30.0)
    error = math.sqrt(0.25 + 0.1**2 + 0.08**2) / 60.0
    assert gamma.chemical.high - gamma.chemical.value == pytest.approx(1.959964 * error)


def test_no_error_is_said_to_be_none():
    found = explicit_reaction_energy(-156.0, -100.0, -50.0, 60)
    assert math.isnan(found.low)
    assert found.method.startswith("no interval")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: work_of_adhesion(1.0, 1.0, 1.0, 0.0), "positive area"),
        (lambda: work_of_adhesion(1.0, 1.0, 1.0, 5.0, 3), "found 3 interfaces"),
        (lambda: work_of_adhesion(math.nan, 1.0, 1.0, 5.0), "energy of slab_a"),
        (lambda: work_of_adhesion((1.0, -1.0), 1.0, 1.0, 5.0), "an error ≥ 0"),
        (lambda: formation_energy(1.0, {"A": 1}, {"B": 1.0}, 5.0), "found energies of B, expected those of the counts"),
        (lambda: formation_energy(1.0, {"A": 0}, {"A": 1.0}, 5.0), "all of them positive"),
        (lambda: explicit_reaction_energy(1.0, 1.0, 1.0, 0), "choose more depth"),
        (lambda: explicit_reaction_energy(Interval(None, 0, 1, 0.95, "x"), 1.0, 1.0, 5), "found a limit"),
        (lambda: interface_planes(np.zeros((3, 3)), CELL, [0, 0, 0]), "found sides 0"),
        (lambda: near_interface(np.zeros((2, 3)), CELL, [0, 1], -1.0), "found a depth"),
    ],
)
def test_what_cannot_be_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_planes_and_atoms_near_them():
    rng = np.random.default_rng(5)
    positions, side = bilayer(rng, 2000)
    planes = interface_planes(positions, CELL, side)
    assert planes == pytest.approx([0.3, 0.7], abs=0.01)
    near = near_interface(positions, CELL, side, 4.0)
    fractions = positions @ np.linalg.inv(CELL)
    slow = [min(abs(z - p) for p in planes) * 40.0 <= 4.0 for z in fractions[:, 2]]
    assert near.tolist() == slow
    assert interface_atoms(positions, CELL, side, 4.0) == sum(slow)
    assert interface_atoms(positions, CELL, side, 100.0) == 2000


def test_wrapping_order_sides_and_crossed_atoms_do_not_matter():
    rng = np.random.default_rng(6)
    positions, side = bilayer(rng, 600)
    number = interface_atoms(positions, CELL, side, 5.0)
    shifted = positions + np.array([0.0, 0.0, 0.37]) @ CELL
    assert interface_atoms(shifted, CELL, side, 5.0) == number
    order = rng.permutation(600)
    assert interface_atoms(positions[order], CELL, side[order], 5.0) == number
    assert interface_atoms(positions, CELL, 1 - side, 5.0) == number
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    assert interface_atoms(positions @ turn, CELL @ turn, side, 5.0) == number
    upside_down = positions * [1, 1, -1], CELL * [1, 1, -1]
    assert interface_atoms(*upside_down, side, 5.0) == number
    crossed = side.copy()
    deep = np.flatnonzero(np.abs((positions @ np.linalg.inv(CELL))[:, 2] - 0.5) < 0.02)
    crossed[deep] = 0  # atoms of the other side that have gone deep into this one
    assert interface_planes(positions, CELL, crossed) == pytest.approx(interface_planes(positions, CELL, side))


def test_vacuum_is_no_interface():
    rng = np.random.default_rng(7)
    positions, side = bilayer(rng, 600)
    kept = (positions @ np.linalg.inv(CELL))[:, 2] > 0.2  # 8 Å at the end of side 0 are empty
    assert len(interface_planes(positions[kept], CELL, side[kept])) == 2
    fractions = (positions @ np.linalg.inv(CELL))[:, 2]
    kept = (fractions > 0.3) & (fractions < 0.8)  # side 1 ends in vacuum
    assert interface_planes(positions[kept], CELL, side[kept]) == pytest.approx([0.7], abs=0.01)
