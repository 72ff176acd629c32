"""Enumeration, stages, the funnel, structures and the program."""

import itertools
import json

import numpy as np
import pytest

from mlip_sse.campaign.specs import load_campaign
from mlip_sse.cli.main import main
from mlip_sse.errors import InputError
from mlip_sse.properties.contract import Prediction
from mlip_sse.properties.features import featurizer
from mlip_sse.properties.fitting import TrainedModel
from mlip_sse.properties.recipes import PropertyRecipe
from mlip_sse.properties.screen.building import build, pymatgen_structure
from mlip_sse.properties.screen.enumeration import enumerate_family, site_fillings
from mlip_sse.properties.screen.families import FAMILIES, Ion, family_of
from mlip_sse.properties.screen.funnel import run_funnel
from mlip_sse.properties.screen.stages import (
    Charge,
    Electronegativity,
    Elements,
    EnergyAboveHull,
    ModelLimit,
    Tolerance,
)
from mlip_sse.structures import read_disordered


def ions(*texts):
    return tuple(Ion.parse(text) for text in texts)


def one(family, **sites):
    (found,) = enumerate_family(family_of(family), {site: ions(text) for site, text in sites.items()})
    return found


LLZO = {"A": "La3+", "B": "Zr4+", "C": "Li+"}


@pytest.mark.parametrize(("n_steps", "most_ions"), [(1, 1), (4, 2), (6, 3), (5, 3)])
def test_fillings_are_those_of_counting_all(n_steps, most_ions):
    kinds = ions("La3+", "Y3+", "Ca2+")
    found = site_fillings(kinds, 3, n_steps, most_ions)
    by_hand = {
        tuple((ion, 3 * k / n_steps) for ion, k in zip(kinds, amounts, strict=True) if k)
        for amounts in itertools.product(range(n_steps + 1), repeat=3)
        if sum(amounts) == n_steps and np.count_nonzero(amounts) <= most_ions
    }
    assert set(found) == by_hand
    assert len(found) == len(by_hand)


def test_charge_sets_the_mobile_ions():
    assert one("garnet", **LLZO).formula == "Li7La3Zr2O12"
    assert one("garnet", A="Nd3+", B="Te6+", C="Li+").formula == "Li3Nd3Te2O12"
    family = family_of("argyrodite")
    some = {"P": ions("P5+"), "S": ions("S2-"), "X": ions("S2-", "Cl-")}
    formulas = [each.formula for each in enumerate_family(family, some, 4, 2)]
    assert "Li6PS5Cl" in formulas
    assert "Li11P2S9Cl3" in formulas  # Li5.5PS4.5Cl1.5
    assert all(abs(each.charge) < 1e-9 for each in enumerate_family(family, some, 4, 2))
    # Ga on the tetrahedral site: three charges take the place of one, so two Li leave for each Ga.
    mixed = enumerate_family(
        family_of("garnet"), {**{k: ions(v) for k, v in LLZO.items()}, "C": ions("Li+", "Ga3+")}, 15, 2
    )
    gallium = next(each for each in mixed if each.fillings["C"][-1] == (Ion("Ga", 3), pytest.approx(0.2)))
    total = gallium.ions[Ion("Li", 1)]
    assert total == pytest.approx(6.4)


def test_stages_say_why():
    family = family_of("garnet")
    some = {"A": ions("La3+", "Ba2+"), "B": ions("Zr4+", "Te6+"), "C": ions("Li+", "Al3+")}
    funnel = run_funnel(
        enumerate_family(family, some),
        [Charge(), Elements(excluded=("Te",)), Tolerance(0.75, 1.2), Electronegativity(1.0)],
    )
    assert [count.name for count in funnel.counts] == ["charge", "elements", "tolerance", "electronegativity"]
    assert [count.n_in for count in funnel.counts[1:]] == [count.n_passed for count in funnel.counts[:-1]]
    assert all(count.n_in - count.n_passed == sum(count.reasons.values()) for count in funnel.counts)
    assert funnel.candidates[funnel.passed[0]].formula == "Li7La3Zr2O12"
    by_formula = dict(zip([each.name for each in funnel.candidates], funnel.reasons, strict=True))
    assert by_formula["A=Ba3, B=Zr2, C=Li3, X=O12"] == "more than 4 mobile Li"
    assert by_formula["A=La3, B=Te2, C=Li3, X=O12"] == "holds Te"
    # La3Te2Al3: charges of 9 + 12 + 9 exceed 24, Li would have to be negative.
    assert by_formula["A=La3, B=Te2, C=Al3, X=O12"] == "less than 0 mobile Li"


def test_antiperovskites_must_be_neutral_as_they_stand():
    charged = one("antiperovskite", X="Li+", A="O2-", B="Cl-")
    assert Charge().judge([charged])[0].reason is None
    other = one("antiperovskite", X="Mg2+", A="O2-", B="Cl-")
    assert Charge().judge([other])[0].reason == "charge of +3 e"


def test_electronegativity_asks_that_anions_hold_the_electrons():
    strange = one("antiperovskite", X="Au+", A="Se2-", B="I-")
    (outcome,) = Electronegativity(0.3).judge([strange])
    assert outcome.reason == "Se hardly more electronegative than Au"
    assert outcome.numbers["electronegativity_gap"] == pytest.approx(2.55 - 2.54)


def test_equal_formulas_count_once():
    family = family_of("argyrodite")
    # Selenium on one site and sulfur on the other, twice: two fillings of one formula.
    some = {"P": ions("P5+"), "S": ions("S2-"), "X": ions("Cl-")}
    twice = [*enumerate_family(family, some), *enumerate_family(family, some)]
    funnel = run_funnel(twice, [Charge()])
    assert funnel.counts[-1].name == "repeated"
    assert len(funnel.passed) == 1


def test_energies_above_the_hull(tmp_path):
    def entry(amounts, per_atom):
        return {
            "composition": amounts,
            "energy": per_atom * sum(amounts.values()),
            "correction": 0.0,
            "entry_id": str(amounts),
        }

    entries = [entry({"Li": 1}, -1.9), entry({"O": 2}, -4.9), entry({"Cl": 2}, -1.8), entry({"Br": 2}, -1.6)]
    entries += [entry({"Li": 2, "O": 1}, -4.8), entry({"Li": 1, "Cl": 1}, -3.7), entry({"Li": 1, "Br": 1}, -3.4)]
    # Li3OCl is Li2O + LiCl; three fifths of the atoms in the first: 0.6 · −4.8 + 0.4 · −3.7 = −4.36.
    entries += [entry({"Li": 3, "O": 1, "Cl": 1}, -4.34), entry({"Li": 3, "O": 1, "Br": 1}, -4.0)]
    (tmp_path / "entries.json").write_text(json.dumps(entries))
    asked = [one("antiperovskite", X="Li+", A="O2-", B=halide) for halide in ("Cl-", "Br-", "F-")]
    found = EnergyAboveHull(str(tmp_path / "entries.json"), 0.05).judge(asked)
    assert found[0].reason is None
    assert found[0].numbers["energy_above_hull_ev_atom"] == pytest.approx(0.02, abs=1e-6)
    assert found[1].reason == "more than 0.05 eV/atom above the hull"
    assert found[2].reason == "no entry of this composition"
    assert EnergyAboveHull(str(tmp_path / "entries.json"), 0.05, "pass").judge(asked)[2].reason is None


class SumOfLithium:
    """A fitted model whose value is 1000 times the fraction of Li, give or take 20."""

    def predict(self, features, *, temperature_k=None, confidence=0.9):
        value = 1000 * features[:, featurizer("fractions").names.index("fraction_Li")]
        distance = np.where(value > 550, 3.0, 0.5)
        return Prediction(value, value - 20, value + 20, confidence, distance, distance > 1)


@pytest.fixture
def lithium_model():
    recipe = PropertyRecipe.parse(
        {
            "recipe": "property_model",
            "description": "a stand-in",
            "target": {"column": "modulus", "unit": "GPa"},
            "features": ["fractions"],
            "models": [{"name": "extra_trees"}],
        }
    )
    return TrainedModel(SumOfLithium(), recipe, {"materials": []})


def test_models_judge_by_value_or_interval(lithium_model):
    asked = [one("argyrodite", P="P5+", S="S2-", X="S2-"), one("antiperovskite", X="Li+", A="O2-", B="Cl-")]
    value = 1000 * 7 / 14
    for judged_by, limit, passes in (
        ("value", value - 1, True),
        ("surely", value - 1, False),
        ("surely", value - 21, True),
        ("possibly", value + 19, True),
        ("possibly", value + 21, False),
    ):
        (outcome, _) = ModelLimit(lithium_model, low=limit, judged_by=judged_by).judge(asked)
        assert (outcome.reason is None) is passes, (judged_by, limit)
    assert outcome.numbers["modulus_low"] == pytest.approx(value - 20)
    (_, outcome) = ModelLimit(lithium_model, low=0.0, allows_outside=False).judge(asked)
    assert outcome.reason == "outside of the domain of modulus"
    (outcome, _) = ModelLimit(lithium_model, high=value - 1).judge(asked)
    assert outcome.reason == f"modulus above {value - 1:g}"


@pytest.mark.parametrize("family", FAMILIES)
def test_structures_have_the_formula_of_their_candidate(family, tmp_path):
    for candidate in list(enumerate_family(family_of(family), n_steps=2, most_ions=2))[:400:57]:
        if Charge().judge([candidate])[0].reason is not None:
            continue
        made = build(candidate)
        units = made.counts()[candidate.fillings[candidate.family.sites[0].name][0][0].symbol]
        ratio = units / candidate.ions[candidate.fillings[candidate.family.sites[0].name][0][0]]
        for symbol, number in made.counts().items():
            total = sum(n for ion, n in candidate.ions.items() if ion.symbol == symbol)
            assert number == pytest.approx(ratio * total, rel=2e-3)
        assert abs(made.charge()) < 0.05


def test_the_parents_own_filling_has_its_own_cell():
    assert build(one("antiperovskite", X="Li+", A="O2-", B="Cl-")).origin["cell_scale"] == pytest.approx(1.0)
    larger = build(one("antiperovskite", X="Na+", A="O2-", B="Br-"))
    assert larger.origin["cell_scale"] > 1.05
    assert pymatgen_structure(one("antiperovskite", X="Li+", A="O2-", B="Cl-")).is_ordered


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: family_of("garnets"), "did you mean 'garnet'"),
        (lambda: Ion.parse("La"), "expected an element and its charge"),
        (lambda: Ion.parse("Qq3+"), "expected an element and its charge"),
        (lambda: list(enumerate_family(family_of("garnet"), {"D": ions("Li+")})), "has no site 'D'"),
        (lambda: list(enumerate_family(family_of("garnet"), {"A": ()})), "expected at least one such as La3"),
        (lambda: list(enumerate_family(family_of("garnet"), n_steps=24, most_ions=3)), "expected at most 500000"),
        (lambda: run_funnel([], [Charge()]), "found 0 candidates"),
        (lambda: run_funnel([one("garnet", **LLZO)], [Charge(), Charge()]), "expected each name once"),
        (lambda: Tolerance(1.0, 0.9), "expected low below high"),
        (lambda: Tolerance(0.8, 1.0).judge([one("argyrodite", P="P5+", S="S2-", X="Cl-")]), "has no such factor"),
        (lambda: ModelLimit("somewhere"), "expected low, high or both"),
    ],
)
def test_bad_input_is_one_line(make, says):
    with pytest.raises(InputError, match=says) as found:
        make()
    assert "\n" not in str(found.value)


SCREEN = """
family: garnet
sites: {A: [La3+, Nd3+, Ba2+], B: [Zr4+, Ta5+], C: [Li+]}
steps: 2
most_ions: 2
stages:
  - {filter: charge}
  - {filter: elements, excluded: [Ba]}
  - {filter: tolerance, low: 0.85, high: 1.2}
rank_by: tolerance_factor
keep: 2
campaign:
  description: to be filled
  reference: {kind: chgnet}
  question: conductivity
  structure: {crystal: c_li7la3zr2o12, min_width_a: 10.0}
  temperatures_k: [900, 1000, 1100, 1200]
"""


def test_program_ends_in_a_list_for_the_campaign(tmp_path, capsys):
    (tmp_path / "screen.yaml").write_text(SCREEN)
    assert main(["properties", "screen", str(tmp_path / "screen.yaml"), "--out", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in said["stages"]] == ["charge", "elements", "tolerance"]
    assert len(said["chosen"]) == 2
    listed = json.loads((tmp_path / "out" / "campaigns.json").read_text())["materials"]
    factors = [each["numbers"]["tolerance_factor"] for each in listed]
    assert factors == sorted(factors, reverse=True)
    spec = load_campaign(tmp_path / "out" / listed[0]["campaign"])
    assert listed[0]["formula"] in spec.description
    made = read_disordered(tmp_path / "out" / listed[0]["structure"])
    assert made.counts()["O"] == pytest.approx(96.0)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (SCREEN.replace("low: 0.85", "low: 1.5"), "expected low below high"),
        (SCREEN.replace("rank_by: tolerance_factor", "rank_by: sigma"), "found no measured 'sigma'"),
        (SCREEN.replace("La3+", "La"), "found the ion 'La'"),
        (SCREEN.replace("filter: charge", "filter: neutral"), "neutral"),
    ],
)
def test_bad_spec_is_one_line(tmp_path, capsys, spec, says):
    (tmp_path / "screen.yaml").write_text(spec)
    assert main(["properties", "screen", str(tmp_path / "screen.yaml"), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
