"""Features of compositions against matminer, against linear programming and against what they must not depend on."""

import numpy as np
import pytest
from scipy.optimize import linprog

from mlip_sse.errors import InputError
from mlip_sse.properties.features import FEATURES, feature_matrix, featurizer
from mlip_sse.properties.features.composition import Fractions, IonicChemistry, Magpie
from mlip_sse.properties.features.elements import MODIFIED_PETTIFOR, formal_charges
from mlip_sse.properties.features.movers import element_movers_distances, element_movers_kernel

ELEMENTS = np.array(["Li", "Na", "P", "S", "O", "Cl", "Br", "Ti", "Al", "Si", "Ge", "La", "Zr", "Nb", "Ta", "F", "Se"])


def random_formulas(n, seed=0):
    rng = np.random.default_rng(seed)
    return [
        "".join(
            f"{e}{x:.2f}" for e, x in zip(rng.choice(ELEMENTS, k, replace=False), rng.uniform(0.1, 6, k), strict=True)
        )
        for k in rng.integers(1, 7, n)
    ]


def test_magpie_is_what_matminer_computes():
    pytest.importorskip("matminer")
    from matminer.featurizers.composition import ElementProperty
    from pymatgen.core import Composition

    formulas = [*random_formulas(60), "LiCl", "Li2S"]  # equal fractions: the mode is the smaller value
    theirs = ElementProperty.from_preset("magpie")
    expected = np.array([theirs.featurize(Composition(formula)) for formula in formulas])
    found = Magpie().featurize(formulas)
    assert found.shape == (62, len(Magpie().names)) == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)  # sums in another order


def test_distance_is_the_least_work_of_a_transport():
    formulas = ["Li6PS5Cl", "Li7La3Zr2O12", "Li3YCl6"]
    place = {symbol: k for k, symbol in enumerate(MODIFIED_PETTIFOR)}
    found = element_movers_distances(formulas)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        ours, theirs = (_fractions(formulas[k]) for k in (i, j))
        cost = np.array([[abs(place[a] - place[b]) for b in theirs] for a in ours], dtype=float)
        assert found[i, j] == pytest.approx(_transport(cost, list(ours.values()), list(theirs.values())), abs=1e-6)
    np.testing.assert_allclose(found, found.T)
    assert np.diag(found) == pytest.approx(0)


def test_one_step_along_the_scale_costs_its_fraction():
    # Na stands beside Li on the scale, so half of the atoms move one step
    assert element_movers_distances(["LiCl"], ["NaCl"])[0, 0] == pytest.approx(0.5)


def test_kernel_is_positive_definite():
    kernel = element_movers_kernel(random_formulas(40, seed=3), length=10.0)
    assert np.linalg.eigvalsh(kernel).min() > -1e-10
    with pytest.raises(InputError, match="positive number of steps"):
        element_movers_kernel(["LiCl"], length=0.0)


@pytest.mark.parametrize(
    ("amounts", "symbol", "charge"),
    [
        ({"Li": 6, "P": 1, "S": 5, "Cl": 1}, "P", 5),
        ({"Li": 1, "Fe": 1, "P": 1, "O": 4}, "Fe", 2),
        ({"Fe": 3, "O": 4}, "Fe", 8 / 3),
        ({"Li": 3, "Bi": 1, "O": 3}, "Bi", 3),
    ],
)
def test_formal_charges(amounts, symbol, charge):
    charges = formal_charges(amounts)
    assert charges[symbol] == pytest.approx(charge)
    assert sum(amounts[s] * charges[s] for s in amounts) == pytest.approx(0, abs=1e-9)


def test_chemistry_does_not_depend_on_the_number_of_formula_units():
    found = IonicChemistry().featurize(["Li6PS5Cl", "Li12P2S10Cl2", "Li1.3Al0.3Ti1.7(PO4)3"])
    np.testing.assert_allclose(found[0], found[1])
    names = IonicChemistry().names
    assert found[0, names.index("mobile_fraction")] == pytest.approx(6 / 13)
    assert found[0, names.index("mobile_share_of_positive_charge")] == pytest.approx(6 / 11)
    assert found[2, names.index("distance_from_whole_numbers")] > 0.05


def test_blocks_are_put_side_by_side_once():
    names, values = feature_matrix(["ionic_chemistry", Fractions(("Li", "S"))], ["Li2S"], [None])
    assert values.shape == (1, len(names))
    assert values[0, names.index("fraction_Li")] == pytest.approx(2 / 3)
    with pytest.raises(InputError, match="features twice"):
        feature_matrix(["fractions", "fractions"], ["Li2S"], [None])
    with pytest.raises(InputError, match="did you mean 'magpie'"):
        featurizer("magpi")
    with pytest.raises(InputError, match="no setting 'moble'"):
        featurizer("ionic_chemistry", moble="Na")


def test_every_block_says_nan_for_a_row_without_structure():
    for name in FEATURES:
        if name in ("magpie", "fractions", "ionic_chemistry", "element_movers", "bonding", "ranked_elements"):
            continue
        block = featurizer(name)
        assert np.isnan(block.featurize(["Li2S"], [None])).all()
        assert len(set(block.names)) == len(block.names)


def _fractions(formula):
    from mlip_sse.properties.composition import parse_composition

    amounts = parse_composition(formula)
    return {symbol: amount / sum(amounts.values()) for symbol, amount in amounts.items()}


def _transport(cost, supply, demand):
    n, m = cost.shape
    rows = np.kron(np.eye(n), np.ones(m))
    columns = np.kron(np.ones(n), np.eye(m))
    answer = linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=[*supply, *demand])
    return answer.fun
