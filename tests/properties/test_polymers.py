"""Polymers: SMILES to graphs, whichever way the repeat unit is written."""

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.properties.polymers import PolymerFeatures, parse_smiles

TFSI = "O=S(=O)([N-]S(=O)(=O)C(F)(F)F)C(F)(F)F.[Li+]"


def test_a_repeat_unit_is_closed_upon_itself():
    graph = parse_smiles("[Cu]OCC[Au]")
    assert graph.atoms == ("O", "C", "C")
    assert graph.is_polymer
    assert graph.mass() == pytest.approx(44.05, abs=0.02)  # C2H4O
    assert parse_smiles("C1=CC=CC=C1").mass() == pytest.approx(78.11, abs=0.02)


def test_two_units_are_the_same_polymer():
    block = PolymerFeatures()
    one, two = block.featurize(["[Cu]OCC[Au]", "[Cu]OCCOCC[Au]"], [TFSI, TFSI], [1e5, 1e5], [1.0, 1.0])
    same = [at for at, name in enumerate(block.names) if name.startswith("unit") and "ring" not in name]
    np.testing.assert_allclose(one[same], two[same])
    at = block.names.index("log10 oxygen per salt")
    assert one[at] == pytest.approx(np.log10(1000 / 44.05), abs=1e-3)
    assert two[at] == pytest.approx(one[at], abs=1e-3)


def test_salt_is_counted_and_a_missing_one_is_not_zero_molality():
    block = PolymerFeatures()
    with_salt, without = block.featurize(["[Cu]OCC[Au]"] * 2, [TFSI, ""], [np.nan, 1e4], [1.0, np.nan])
    names = block.names
    assert with_salt[names.index("salt F")] == 6
    assert with_salt[names.index("salt O=S")] == 4
    assert np.isnan(with_salt[names.index("log10 molar mass (g/mol)")])
    assert without[names.index("salt F")] == 0
    assert np.isnan(without[names.index("log10 molality (mol/kg)")])


@pytest.mark.parametrize("smiles", ["", "C(", "C)", "C1CC", "[Xx]C", "C$C"])
def test_what_is_no_smiles_is_one_line(smiles):
    with pytest.raises(InputError, match="does not parse"):
        parse_smiles(smiles)
