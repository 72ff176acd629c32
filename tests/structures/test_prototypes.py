"""Crystals from a formula, and what is tabulated of their ions."""

import numpy as np
import pytest

from mlip_sse.errors import CatalogueError, InputError
from mlip_sse.structures import crystal
from mlip_sse.structures.ionic_properties import (
    POLARIZABILITIES_A3,
    ion_polarizability,
    oxidation_states,
    shannon_radius,
)
from mlip_sse.structures.prototypes import PROTOTYPES, prototype_crystal
from mlip_sse.structures.symmetry import symmetry_operations


@pytest.mark.parametrize(
    ("name", "formula", "shipped"),
    [("antiperovskite", "Li3OCl", "li3ocl"), ("rocksalt", "LiCl", "licl"), ("antifluorite", "Li2S", "li2s")],
)
def test_a_prototype_is_the_crystal_that_ships_but_for_its_size(name, formula, shipped):
    built, known = prototype_crystal(name, formula), crystal(shipped)
    assert built.get_chemical_formula() == known.get_chemical_formula()
    assert built.cell.lengths()[0] == pytest.approx(known.cell.lengths()[0], rel=0.12)  # radii are good to 10 %
    known.set_cell(built.cell, scale_atoms=True)
    for symbol in set(known.symbols):  # the origin may be elsewhere: distances tell
        one, other = (
            np.sort(atoms.get_distances(int(np.flatnonzero(atoms.symbols == symbol)[0]), range(len(atoms)), mic=True))
            for atoms in (built, known)
        )
        assert one == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize("name", list(PROTOTYPES))
def test_a_prototype_has_the_space_group_it_states(name):
    formula = {2: "LiCl", 3: "Na3SBr"}[len(PROTOTYPES[name].sites)] if name != "antifluorite" else "K2Se"
    atoms = prototype_crystal(name, formula)
    kinds = [int(number) for number in atoms.numbers]
    rotations, _ = symmetry_operations(np.asarray(atoms.cell.array), atoms.get_scaled_positions(), kinds)
    assert len(rotations) == {"Pm-3m": 48, "Fm-3m": 192, "F-43m": 96}[PROTOTYPES[name].symbol]


@pytest.mark.parametrize(
    ("name", "formula", "error", "message"),
    [
        ("antiperovskit", "Li3OCl", CatalogueError, "did you mean 'antiperovskite'"),
        ("antiperovskite", "Li2OCl", InputError, "expected a formula of the form X3AB in that order"),
        ("antiperovskite", "OLi3Cl", InputError, "expected a formula of the form X3AB in that order"),
        ("rocksalt", "lithium", InputError, "found formula 'lithium'"),
        ("rocksalt", "NaLi", InputError, "found no formal charges that make NaLi neutral"),
    ],
)
def test_what_does_not_fit_is_refused(name, formula, error, message):
    with pytest.raises(error, match=message) as caught:
        prototype_crystal(name, formula)
    assert "\n" not in str(caught.value)


def test_the_radii_are_those_of_shannon():
    assert [shannon_radius(*ion) for ion in (("Li", 1), ("O", -2), ("Cl", -1), ("S", -2))] == [0.76, 1.40, 1.81, 1.84]
    assert shannon_radius("Li", 1, 4) == 0.59
    assert shannon_radius("Li", 1, 5) in (0.59, 0.76)
    assert shannon_radius("Li", 7) is None
    assert shannon_radius("Li", 0.5) is None


def test_polarizabilities_grow_down_a_column_and_with_the_charge():
    columns = (("Li", "Na", "K", "Rb", "Cs"), ("F", "Cl", "Br", "I"), ("O", "S", "Se", "Te"))
    for symbols, charge in zip(columns, (1, -1, -2), strict=True):
        values = [ion_polarizability(symbol, charge) for symbol in symbols]
        assert values == sorted(values)
    assert ion_polarizability("O", -2) > ion_polarizability("F", -1) > ion_polarizability("Na", 1)
    assert ion_polarizability("P", -3) is None
    assert all(value > 0 for value in POLARIZABILITIES_A3.values())


def test_formal_charges_are_the_common_ones():
    assert oxidation_states("K3SeI") == {"K": 1, "Se": -2, "I": -1}
