"""Formulas: one spelling for one material, and one line for what is no formula."""

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.properties.composition import (
    composition_distance,
    element_fractions,
    parse_composition,
    reduced_composition,
)


@pytest.mark.parametrize(
    ("formula", "amounts"),
    [
        ("Li6PS5Cl", {"Li": 6, "P": 1, "S": 5, "Cl": 1}),
        ("Li1.3Al0.3Ti1.7(PO4)3", {"Li": 1.3, "Al": 0.3, "Ti": 1.7, "P": 3, "O": 12}),
        ("Li6P(S4.4Se0.6)Br", {"Li": 6, "P": 1, "S": 4.4, "Se": 0.6, "Br": 1}),
        ("Ca[Al(OH)4]2", {"Ca": 1, "Al": 2, "O": 8, "H": 8}),
        ("Li2 S", {"Li": 2, "S": 1}),
        ("Li0Na1Cl", {"Na": 1, "Cl": 1}),
    ],
)
def test_a_formula_is_its_amounts(formula, amounts):
    assert parse_composition(formula) == pytest.approx(amounts)


@pytest.mark.parametrize("formula", ["Li6PS5Cl", "Li1.3Al0.3Ti1.7(PO4)3", "Li0.33La0.56TiO3", "Li10GeP2S12"])
def test_a_multiple_is_the_same_material(formula):
    for factor in (2, 3, 4, 8):
        times = "".join(f"{symbol}{amount * factor:.10g}" for symbol, amount in parse_composition(formula).items())
        assert reduced_composition(times) == reduced_composition(formula)
    assert reduced_composition("Li1.3Al0.3Ti1.7(PO4)3") == "Li13Ti17Al3P30O120"
    assert reduced_composition("Li6PS5Cl") != reduced_composition("Li6PS5Br")
    assert reduced_composition("Li6.1PS5Cl") != reduced_composition("Li6PS5Cl")


@pytest.mark.parametrize("formula", ["", "li2S", "Li2Xx", "Li(S", "Li2S)", "2Li", "Li-S", "0", "Li0"])
def test_what_is_no_formula_is_one_line(formula):
    with pytest.raises(InputError, match="does not parse") as raised:
        parse_composition(formula)
    assert "\n" not in str(raised.value)


def test_fractions_and_their_distance():
    fractions = element_fractions(["Li2S", "Na2S", "Li4S2"])
    assert fractions.sum(axis=1) == pytest.approx(1.0)
    assert fractions[0, 2] == pytest.approx(2 / 3)
    distances = composition_distance(fractions, fractions)
    assert distances == pytest.approx(np.array([[0, 2 / 3, 0], [2 / 3, 0, 2 / 3], [0, 2 / 3, 0]]))
