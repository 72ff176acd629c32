"""Recipes hold numbers and known names; whatever else is in them is refused in one line."""

import copy

import pytest

from mlip_sse.errors import SpecError
from mlip_sse.potentials.specs import PAIR_STYLES, LammpsPairSpec, pair_names
from mlip_sse.specs import read_yaml

LICL = {
    "description": "a salt",
    "family": "lammps_pair",
    "elements": ["Li", "Cl"],
    "charges_e": {"Li": 1.0, "Cl": -1.0},
    "pair_style": "born/coul/long",
    "pair_arguments": [8.0],
    "pair_coefficients": {
        "Li-Li": [0.4, 0.34, 1.6, 0.04, -0.02],
        "Li-Cl": [0.3, 0.34, 2.4, 1.2, -1.5],
        "Cl-Cl": [0.2, 0.34, 3.2, 69.0, -139.0],
    },
    "kspace": {"style": "ewald", "accuracy": 1e-4},
    "domain": {"temperature_k": [300.0, 1700.0], "references": ["doi:10.1000/x"], "licence": "MIT"},
}

INJECTIONS = [
    "lj/cut\nshell touch owned",
    "lj/cut 8 &",
    "${HOME}",
    "$(1+1)",
    "lj/cut;shell id",
    '"""',
    "python f here",
    "include /etc/passwd",
    "@production",
    "hybrid",
    "",
]


def changed(**changes):
    return {**copy.deepcopy(LICL), **changes}


def test_the_example_is_accepted():
    assert LammpsPairSpec.parse(LICL).elements == ("Li", "Cl")


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_text_passes_for_a_pair_style(text):
    with pytest.raises(SpecError, match="pair_style: found"):
        LammpsPairSpec.parse(changed(pair_style=text))


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_text_passes_for_an_element_or_a_number(text):
    for key, value in (
        ("elements", ["Li", text]),
        ("charges_e", {"Li": 1.0, text: -1.0}),
        ("charges_e", {"Li": 1.0, "Cl": text}),
        ("pair_arguments", [text]),
        ("pair_coefficients", {**LICL["pair_coefficients"], "Li-Cl": [text] * 5}),
        ("pair_coefficients", {**LICL["pair_coefficients"], f"Li-{text}": [0.0] * 5}),
        ("kspace", {"style": text}),
        ("kspace", {"accuracy": text}),
    ):
        with pytest.raises(SpecError) as caught:
            LammpsPairSpec.parse(changed(**{key: value}))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"elements": ["Li", "Li"]}, "found one twice in Li, Li"),
        ({"elements": ["Li", "Xx"]}, "expected a chemical symbol"),
        ({"elements": ["Li", "X"]}, "expected a chemical symbol"),
        ({"pair_style": "born"}, "charges_e: found Li, Cl, expected nothing"),
        ({"charges_e": {"Li": 1.0}}, "charges_e: found Li, expected Li, Cl"),
        ({"kspace": None}, "needs a section kspace"),
        ({"pair_style": "born/coul/dsf", "pair_arguments": [0.2, 8.0]}, "takes no section kspace"),
        ({"pair_arguments": [8.0, 9.0, 10.0]}, "found 3 numbers, expected cutoff"),
        ({"pair_arguments": [-8.0]}, "greater than 0"),
        ({"pair_arguments": [float("nan")]}, "finite number"),
        ({"pair_coefficients": {"Li-Cl": [1.0] * 5}}, "found Li-Cl, expected Li-Li, Li-Cl, Cl-Cl"),
        ({"pair_coefficients": {**LICL["pair_coefficients"], "Li-Cl": [1.0]}}, r"found 1 numbers, expected A \(eV\)"),
        ({"pair_coefficients": {**LICL["pair_coefficients"], "Li-Cl": [float("inf")] * 5}}, "finite number"),
        ({"masses_amu": {"Na": 23.0}}, "masses_amu: found Na"),
        ({"masses_amu": {"Li": -1.0}}, "greater than 0"),
        ({"kspace": {"style": "ewald", "accuracy": 1.0}}, "less than or equal to 0.01"),
        ({"domain": {**LICL["domain"], "temperature_k": [900.0, 300.0]}}, "expected the lower value first"),
        ({"domain": {**LICL["domain"], "temperature_k": [-5.0, 300.0]}}, "expected more than 0"),
        ({"cutoff": 3}, "unknown key 'cutoff'"),
        ({"family": "reaxff"}, "lammps_pair"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        LammpsPairSpec.parse(changed(**changes))
    assert "\n" not in str(caught.value)


def test_pairs_are_named_in_the_order_of_the_elements():
    assert pair_names(("Li", "Cl")) == ("Li-Li", "Li-Cl", "Cl-Cl")


def test_a_kspace_style_is_always_a_charged_one():
    assert all(style.charged for style in PAIR_STYLES.values() if style.kspace)


def test_the_numbers_of_licl_are_those_of_the_paper(repository):
    """Fumi and Tosi's constants, converted again: b = 0.338e-19 J, C in 1e-79 J m⁶, D in 1e-99 J m⁸."""
    recipe = LammpsPairSpec.parse(read_yaml(repository / "potentials" / "licl_born_mayer" / "potential.yaml"))
    joule_ev = 1 / 1.602176634e-19
    for pair, pauling, dispersion, quadrupole in (
        ("Li-Li", 1 + 1 / 2 + 1 / 2, 0.073, 0.03),
        ("Li-Cl", 1 + 1 / 2 - 1 / 8, 2.0, 2.4),
        ("Cl-Cl", 1 - 1 / 8 - 1 / 8, 111.0, 223.0),
    ):
        radii = {"Li": 0.816, "Cl": 1.585}
        sigma = sum(radii[symbol] for symbol in pair.split("-"))
        wanted = [
            pauling * 0.338e-19 * joule_ev,
            0.342,
            sigma,
            dispersion * 1e-79 * 1e60 * joule_ev,
            -quadrupole * 1e-99 * 1e80 * joule_ev,
        ]
        assert recipe.pair_coefficients[pair] == pytest.approx(wanted, abs=1e-8)  # eight decimals are written
