"""Where sides meet, and the layers that thermostats may hold: far from every interface, wherever the cell begins."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

from mlip_sse.errors import FormatError, InputError
from mlip_sse.md_protocols.interface_layers import Layer, TwoSidedCell, thermostat_layers

SPACING = 2.0
GAP = 3.0


def stack(n_a=10, n_b=8, *, vacuum=None, shift=0.0):
    """Return planes of four atoms 2 Å apart, those of a first; both gaps 3 Å, or the last one vacuum."""
    heights = [SPACING * i for i in range(n_a)]
    heights += [heights[-1] + GAP + SPACING * i for i in range(n_b)]
    top = heights[-1] + (GAP if vacuum is None else vacuum)
    places = [(x, y, (z + shift) % top) for z in heights for x in (0.0, 3.0) for y in (0.0, 3.0)]
    side = np.repeat([0, 1], [4 * n_a, 4 * n_b]).astype(np.int8)
    return TwoSidedCell(Atoms("Ar" * len(places), positions=places, cell=[6, 6, top], pbc=True), side), top


def test_layers_are_all_that_is_further_than_that_from_both_interfaces():
    cell, top = stack()
    found = thermostat_layers(cell, 5.0)
    # a: 0 … 18 Å; the interfaces lie at 18 + 1.5 and, one cell lower, at −1.5.
    assert found.planes == pytest.approx((19.5 / top, (top - 1.5) / top))
    assert (found.a.low * top, found.a.high * top) == pytest.approx((3.5, 14.5))
    assert (found.b.low * top, found.b.high * top) == pytest.approx((24.5, top - 6.5))
    assert (found.n_a, found.n_b) == (24, 16)
    assert not found.has_vacuum


@pytest.mark.parametrize("shift", [0.0, 1.0, 7.3, 20.0, 33.0, 38.9])
@pytest.mark.parametrize("newtonian_a", [2.0, 5.0, 6.4])
def test_no_atom_near_an_interface_is_held_wherever_the_cell_begins(shift, newtonian_a):
    cell, top = stack(shift=shift)
    found = thermostat_layers(cell, newtonian_a)
    fractions = cell.atoms.get_scaled_positions()[:, 2]
    apart = np.abs((fractions[:, None] - found.planes + 0.5) % 1.0 - 0.5).min(axis=1) * top
    for layer, side, number in ((found.a, 0, found.n_a), (found.b, 1, found.n_b)):
        held = layer.holds(fractions)
        assert held.sum() == number
        assert (cell.side[held] == side).all()
        assert (apart[held] >= newtonian_a - 1e-9).all()
        assert held.sum() == ((apart >= newtonian_a) & (cell.side == side)).sum()
        pieces = sum((fractions >= low) & (fractions <= high) for low, high in layer.parts)
        assert (pieces == held).all()


@pytest.mark.parametrize("shift", [0.0, 9.0, 41.0])
def test_with_vacuum_the_free_faces_are_held(shift):
    cell, top = stack(vacuum=20.0, shift=shift)
    found = thermostat_layers(cell, 5.0)
    assert found.has_vacuum
    assert found.planes == pytest.approx((((19.5 + shift) % top) / top,))
    fractions = cell.atoms.get_scaled_positions()[:, 2]
    height = ((fractions - shift / top) % 1.0) * top
    height = np.where(height > top - 1e-6, 0.0, height)
    assert set(np.round(height[found.a.holds(fractions)], 6)) == {0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0}
    assert set(np.round(height[found.b.holds(fractions)], 6)) == {25.0, 27.0, 29.0, 31.0, 33.0, 35.0}


def test_an_atom_that_has_crossed_changes_nothing():
    cell, _ = stack()
    before = thermostat_layers(cell, 5.0)
    cell.atoms.positions[20, 2] = 29.5
    after = thermostat_layers(cell, 5.0)
    assert (after.a, after.b, after.planes) == (before.a, before.b, before.planes)
    assert (before.n_a, after.n_a, after.n_b) == (24, 23, 17)


def test_a_layer_over_the_end_of_the_cell_has_two_parts():
    assert Layer(0.2, 0.6).parts == ((0.2, 0.6),)
    assert Layer(0.8, 1.1).parts == ((0.8, 1.0), (0.0, pytest.approx(0.1)))
    assert Layer(0.8, 1.1).holds(np.array([0.79, 0.8, 0.95, 0.05, 0.11])).tolist() == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("changes", "newtonian_a", "message"),
    [
        ({"n_a": 4}, 5.0, r"side a is too thin: found 0 atoms in 0.0 Å beyond newtonian_a = 5 Å .* make it thicker"),
        ({"n_b": 6}, 5.2, r"side b is too thin: found 8 atoms in 2.6 Å beyond newtonian_a = 5.2 Å"),
        ({"n_b": 6}, 2.0, None),
        ({"n_b": 12}, 9.2, r"side a is too thin: found 8 atoms in 2.6 Å"),
    ],
)
def test_a_side_too_thin_is_refused_in_one_line(changes, newtonian_a, message):
    cell, _ = stack(**changes)
    if message is None:
        assert thermostat_layers(cell, newtonian_a).n_b == 16
        return
    with pytest.raises(InputError, match=message) as caught:
        thermostat_layers(cell, newtonian_a)
    assert "\n" not in str(caught.value)


def test_what_is_no_pair_of_slabs_is_refused():
    cell, _ = stack()
    mixed = TwoSidedCell(cell.atoms, (np.arange(len(cell.atoms)) // 4 % 2).astype(np.int8))
    with pytest.raises(InputError, match=r"found \d+% of the atoms among those of the other side"):
        thermostat_layers(mixed, 5.0)
    apart, _ = stack(vacuum=20.0)
    apart.atoms.positions[apart.side == 1, 2] += 8.0
    with pytest.raises(InputError, match=r"found gaps of 11.0 and 12.0 Å, expected the sides to meet"):
        thermostat_layers(apart, 5.0)


def test_a_cell_needs_both_sides_and_a_normal_along_z():
    atoms = bulk("Ar", cubic=True, a=5.26)
    with pytest.raises(InputError, match=r"found sides \[0\], expected 0 and 1"):
        TwoSidedCell(atoms, np.zeros(4, dtype=np.int8))
    slanted = bulk("Ar", a=5.26).repeat((1, 1, 2))
    with pytest.raises(InputError, match="third vector is not normal"):
        TwoSidedCell(slanted, np.array([0, 1], dtype=np.int8))


def test_a_file_must_say_which_side_an_atom_is_on(tmp_path):
    cell, _ = stack()
    cell.atoms.set_array("side", cell.side)
    write(tmp_path / "cell.extxyz", cell.atoms)
    found = TwoSidedCell.read(tmp_path / "cell.extxyz")
    assert (found.side == cell.side).all()
    assert found.atoms.positions == pytest.approx(cell.atoms.positions, abs=1e-7)
    write(tmp_path / "plain.cif", bulk("Ar", cubic=True, a=5.26))
    with pytest.raises(FormatError, match="found no array side"):
        TwoSidedCell.read(tmp_path / "plain.cif")
    with pytest.raises(FormatError, match="ASE cannot read it"):
        TwoSidedCell.read(tmp_path / "absent.extxyz")
