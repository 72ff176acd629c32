"""The steps of ``mlip-sse properties``: a table collected, a model fitted and asked, and one line for every slip."""

import json

import numpy as np
import pytest

from mlip_sse.cli.properties import STEPS
from mlip_sse.properties.table_files import read_table
from tests.report.sample_campaign import Sample, write_campaign

RECIPE = """recipe: property_model
description: a test
target: {column: modulus_gpa, unit: GPa, transform: log10}
columns: {K: {name: modulus_gpa, unit: GPa}, formula: composition}
features: []
feature_columns: [size]
models: [{name: linear}]
split: {n_folds: 3, n_repeats: 1}
inner_folds: 3
n_nulls: 2
"""


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    rows = ["formula,K,size"]
    for number in range(1, 71):
        size = rng.uniform(1, 3)
        value = 10 ** (2.5 - 0.5 * size + 0.02 * rng.normal())
        rows.append(f"Li{number}Cl,{'<' if number % 9 == 0 else ''}{value:.4f},{size:.4f}")
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


def test_collect_fit_and_predict(files, program):
    collected = program(
        "properties", "collect", "--experiments", files / "table.csv", "--recipe", files / "recipe.yaml",
        "--out", files / "ours.csv",
    )  # fmt: skip
    assert (collected.code, collected.err) == (0, "")
    assert read_table(files / "ours.csv").columns["modulus_gpa"].unit == "GPa"
    fitted = program(
        "properties", "fit", files / "recipe.yaml", "--table", files / "ours.csv", "--out", files / "model", "--json"
    )
    assert fitted.code == 0, fitted.err
    report = json.loads(fitted.out)
    assert report["n_limits"] == 7
    assert report["metrics"]["r2"]["value"] > 0.9
    assert report["metrics"]["r2"]["null"] < 0.5
    (files / "new.csv").write_text("composition,size\nNaCl,2.0\nLiCl,2.0\nKCl,9.0\n")
    done = program("properties", "predict", files / "model", files / "new.csv", "--out", files / "out.csv")
    assert done.out.startswith("3 materials: 1 outside of the domain, 1 of the training table")
    found = read_table(files / "out.csv")
    assert found.numbers("modulus_gpa", "GPa")[0] == pytest.approx(10**1.5, rel=0.1)
    assert found.numbers("is_in_training").tolist() == [0, 1, 0]
    refused = program(
        "properties", "predict", files / "model", files / "new.csv", "--out", files / "out.csv", "--outside", "refuse"
    )
    assert refused.code == 0
    assert np.isnan(read_table(files / "out.csv").numbers("modulus_gpa")[2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("unit: GPa, transform", "unit: MPa, transform"), "column 'modulus_gpa' is in GPa, expected MPa"),
        (("[size]", "[sise]"), "no column 'sise' in the table"),
        (("{name: linear}", "{name: linnear}"), "no model 'linnear'"),
        (("recipe: property_model", "recipe: model"), "expected one of property_model"),
        (("feature_columns: [size]", "feature_columns: []"), "nothing to learn from"),
    ],
)
def test_a_slip_in_a_recipe_is_one_line(files, program, change, message):
    (files / "recipe.yaml").write_text(RECIPE.replace(*change))
    done = program("properties", "fit", files / "recipe.yaml", "--table", files / "table.csv", "--out", files / "model")
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1 + ("rows of" in done.err)


def test_bad_tables_are_one_line(files, program):
    for text, message in (
        ("formula,K,size\n" + "LiCl,0,1\n" * 9, "expected positive for a log10"),
        ("formula,K,size\n" + "Li2Q,3,1\n" * 9, "'Li2Q' does not parse"),
        ("formula,K,size\n" + "".join(f"Li{n}Cl,{n},1\n" for n in range(1, 9)), "'size' has no variance"),
    ):
        (files / "table.csv").write_text(text)
        done = program("properties", "fit", files / "recipe.yaml", "--table", files / "table.csv", "--out", files / "m")
        assert (done.code, message in done.err) == (2, True), done.err


def test_reactions_are_collected_with_their_partners(program, tmp_path):
    entries = [
        {"composition": {"Li": 1}, "energy": 0.0, "entry_id": "li"},
        {"composition": {"O": 2}, "energy": 0.0, "entry_id": "o"},
        {"composition": {"Li": 2, "O": 1}, "energy": -6.0, "entry_id": "oxide"},
    ]
    (tmp_path / "entries.json").write_text(json.dumps(entries))
    reaction, window = tmp_path / "reaction", tmp_path / "window"
    for folder, phases in ((reaction, ("Li", "O2")), (window, ("Li2O",))):
        done = program("react", *phases, "--entries", tmp_path / "entries.json", "--out", folder)
        assert done.code == 0, done.err
    done = program("properties", "collect", reaction, window, "--out", tmp_path / "table.csv")
    assert (done.code, done.err) == (0, "")
    table = read_table(tmp_path / "table.csv")
    assert (table.compositions, table.texts("partner")) == (("Li", "Li2O"), ("O", ""))
    assert table.numbers("reaction_energy_ev_atom", "eV/atom")[0] == pytest.approx(-2.0)
    assert table.numbers("oxidation_limit_v", "V")[1] == pytest.approx(3.0)
    assert table.texts("quality") == ("weak", "weak")


def test_formulas_alone_name_the_columns_that_are_missing(files, program):
    done = program("properties", "fit", files / "recipe.yaml", "--table", files / "table.csv", "--out", files / "model")
    assert done.code == 0, done.err
    assert (files / "model" / "report.html").is_file()
    assert done.out.count("with 2 nulls p is at least 0.33\n") == 1
    asked = program("properties", "predict", files / "model", "NaCl", "--out", files / "out.csv")
    assert asked.code == 2
    assert "found formulas alone, expected also size: give a table" in asked.err
    (files / "new.csv").write_text("composition,size\nNaQ,2.0\n")
    asked = program("properties", "predict", files / "model", files / "new.csv", "--out", files / "out.csv")
    assert "'NaQ' does not parse" in asked.err
    asked = program("properties", "predict", files / "model", files / "absent.csv")
    assert "found no such file" in asked.err


def test_rows_that_lack_features_are_counted(files, program):
    recipe = RECIPE.replace("[size]", "[size, age]")
    (files / "recipe.yaml").write_text(recipe)
    rows = (files / "table.csv").read_text().splitlines()
    aged = [f"{row},{'age' if n == 0 else n % 5}" for n, row in enumerate(rows)]
    (files / "table.csv").write_text("\n".join(aged) + "\n")
    done = program("properties", "fit", files / "recipe.yaml", "--table", files / "table.csv", "--out", files / "model")
    assert done.code == 0, done.err
    (files / "new.csv").write_text("composition,size,age\nNaCl,2.0,1\nLiCl,,\nKCl,,2\nKBr,2.0,\n")
    asked = program("properties", "predict", files / "model", files / "new.csv", "--out", files / "out.csv")
    assert asked.code == 0
    assert asked.err.startswith("3 of 4 rows lack features: 2 of them 1, 1 of them 2; training medians")
    assert "the intervals are" in asked.err
    assert "times as wide for it" in asked.err
    assert asked.err.count("\n") == 1
    found = read_table(files / "out.csv")
    assert found.numbers("missing_features").tolist() == [0, 2, 1, 1]
    assert np.isfinite(found.numbers("modulus_gpa")).all()
    grown = found.numbers("gap_widening")
    assert grown[0] == 1.0
    assert len(set(grown[1:])) == 1
    assert grown[1] >= 1.0
    (files / "new.csv").write_text("composition,size,age\nNaCl,2.0,1\n")
    assert program("properties", "predict", files / "model", files / "new.csv", "--out", files / "out.csv").err == ""


def test_a_printed_cell_is_learnt_from(files, program):
    """The modulus follows the volume of an atom, which no single column says; a cell of the table may be empty."""
    recipe = RECIPE.replace("feature_columns: [size]", "cell: {space_group: group}")
    (files / "recipe.yaml").write_text(recipe)
    rng = np.random.default_rng(1)
    rows = ["formula,K,a,b,c,alpha,beta,gamma,Z,group"]
    for number in range(1, 71):
        a, volume = rng.uniform(3, 9), rng.uniform(8, 20)
        c = volume * 4 * (number + 1) / a**2
        rows.append(f"Li{number}Cl,{10 ** (4 - volume / 10):.4f},{a},{a},{c},90,90,90,4,{rng.choice([99, 195])}")
    (files / "table.csv").write_text("\n".join(rows) + "\n")
    done = program(
        "properties", "fit", files / "recipe.yaml", "--table", files / "table.csv", "--out", files / "model", "--json"
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["metrics"]["r2"]["value"] > 0.9
    asked = program("properties", "predict", files / "model", "NaCl", "--out", files / "out.csv")
    assert "found formulas alone, expected also a, b, c, alpha, beta, gamma, Z, group" in asked.err
    (files / "new.csv").write_text("composition,a,b,c,alpha,beta,gamma,Z,group\nLi5Cl,6,6,6,90,90,90,3,\n")
    asked = program("properties", "predict", files / "model", files / "new.csv", "--out", files / "out.csv")
    assert asked.code == 0, asked.err
    assert read_table(files / "out.csv").numbers("modulus_gpa")[0] == pytest.approx(10 ** (4 - 1.2), rel=0.3)


def test_a_given_table_has_a_page_that_says_so(files, program):
    rows = (files / "table.csv").read_text().splitlines()
    (files / "train.csv").write_text("\n".join(rows[:46]) + "\n")
    (files / "val.csv").write_text("\n".join([rows[0], *rows[44:], "NaCl,,1.0"]) + "\n")
    fit = ("properties", "fit", files / "recipe.yaml", "--table", files / "train.csv", "--test", files / "val.csv")
    assert "2 test rows whose material is in the training table" in program(*fit, "--out", files / "model").err
    done = program(*fit, "--leave-out-shared", "--out", files / "model")
    assert done.code == 0, done.err
    assert "report.html" in done.out
    assert done.out.count("with 2 nulls p is at least 0.33\n") == 1
    page = (files / "model" / "report.html").read_text()
    assert "evaluated on a given table, not on the recipe&#x27;s split: 25 rows of 25 materials, 2 more" in page
    assert "45 rows of 45 materials, 5 of them limits; 1 rows of both tables left out" in page
    assert "val.csv" in page
    assert "folds (below 60 rows" not in page
    mae = json.loads((files / "model" / "evaluation.json").read_text())["metrics"]["mae"]
    assert f"<td>{mae['value']:.3g}</td><td>{mae['low']:.3g} to {mae['high']:.3g}</td>" in page
    assert page.count("<img") == 2
    assert page.count("<td>nan") == 0


def test_a_campaign_is_collected(program, tmp_path):
    write_campaign(tmp_path / "run", Sample())
    done = program("properties", "collect", tmp_path / "run", "--out", tmp_path / "table.csv")
    assert done.code == 0, done.err
    table = read_table(tmp_path / "table.csv")
    assert set(table.compositions) == {"Li6PS5Cl"}
    whole = np.isfinite(table.numbers("activation_energy_ev", "eV"))
    assert np.isfinite(table.numbers("conductivity_300k_ms_cm_high", "mS/cm")[whole]).all()
    assert np.isfinite(table.numbers("temperature_k", "K")[~whole]).all()


def test_steps_are_listed(program):
    assert "expected one of collect, fit, predict" in program("properties", "fitt").err
    assert "--table" in program("properties", "fit", "--help").out
    shown = program("properties", "--help").out
    assert not [step for step in STEPS if step not in shown]
    assert program("properties", "predict", "absent", "LiCl").code == 2
