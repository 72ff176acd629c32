"""The same material under two names is found, and refused in a test set."""

import pytest
from pymatgen.core import Lattice, Structure

from mlip_sse.errors import InputError
from mlip_sse.properties.matching import find_duplicates, material_groups, refuse_duplicates
from mlip_sse.properties.sources import joined
from mlip_sse.properties.table import table_of

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.13), ["Li", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
CAESIUM = Structure(Lattice.cubic(3.2), ["Li", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
DOPED = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.14), [{"Li": 0.99, "Na": 0.01}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)


def test_a_multiple_of_the_formula_is_a_duplicate():
    test, train = table_of({}, {"composition": ["Li2Cl2", "NaCl"]}), table_of({}, {"composition": ["LiCl"]})
    assert [(each.first, each.second, each.by) for each in find_duplicates(test, train)] == [
        (0, 0, "reduced composition")
    ]
    with pytest.raises(InputError, match=r"found 1 test rows .* Li2Cl2 \(by reduced composition\)"):
        refuse_duplicates(test, train)
    refuse_duplicates(table_of({}, {"composition": ["NaCl"]}), train)


def test_structures_tell_polymorphs_and_refinements():
    test = table_of({}, {"composition": ["Li0.99Na0.01Cl", "LiCl"]}, [DOPED, CAESIUM])
    train = table_of({}, {"composition": ["LiCl"]}, [SALT])
    found = find_duplicates(test, train, polymorphs_differ=True)
    assert [(each.first, each.by) for each in found] == [(0, "structure")]
    assert {each.first for each in find_duplicates(test, train)} == {0, 1}
    both = table_of({}, {"composition": ["Li0.99Na0.01Cl", "LiCl", "KCl"]}, [DOPED, SALT, None])
    groups = material_groups(both)
    assert groups[0] == groups[1] != groups[2]


def test_experiments_are_joined_by_material():
    table = table_of({("barrier_ev", "eV"): [0.3, 0.2]}, {"composition": ["LiCl", "Li2S"]})
    experiment = table_of(
        {("sigma_s_cm", "S/cm"): [1e-6, 3e-6, 1e-9, 5.0], ("sigma_s_cm_censored", ""): [0, 0, -1, 0]},
        {"composition": ["Li2Cl2", "LiCl", "LiCl", "NaCl"], "lab": ["a", "b", "c", "d"]},
    )
    found = joined(table, experiment)
    assert found.numbers("sigma_s_cm")[0] == pytest.approx(2e-6)
    assert found.numbers("n_experiments").tolist() == [3, 0]
    assert found.texts("lab") == ("a", "")
    assert found.censored("sigma_s_cm").tolist() == [0, 0]
