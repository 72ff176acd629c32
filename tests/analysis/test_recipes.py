"""Recipes: what is shipped loads, options overrule, and mistakes are named before a file is opened."""

import pytest
import yaml

from mlip_sse.analysis.recipes import RECIPES, ArrheniusRecipe, TransportRecipe, load_recipe
from mlip_sse.catalogue import entries
from mlip_sse.errors import CatalogueError, SpecError
from mlip_sse.specs import load_spec


def test_every_kind_of_recipe_is_shipped_under_its_own_name():
    shipped = {entry.name: load_recipe(entry.path) for entry in entries("analysis")}
    assert {name: recipe.recipe for name, recipe in shipped.items()} == {name: name for name in RECIPES}
    assert isinstance(load_recipe("transport"), TransportRecipe)
    assert isinstance(load_spec("arrhenius", "analysis"), ArrheniusRecipe)


def test_the_shipped_files_say_what_the_program_does_without_them():
    for entry in entries("analysis"):
        bare = RECIPES[entry.name].parse({"recipe": entry.name, "description": load_recipe(entry.path).description})
        assert load_recipe(entry.path) == bare


def test_options_overrule_and_none_leaves_the_recipe():
    recipe = load_recipe("transport", mobile=("Na", "Cl"), charges={"Na": 1}, reference=None)
    assert recipe.mobile == ("Na", "Cl")
    assert recipe.charges == {"Na": 1.0}
    assert recipe.reference == "framework"
    assert load_recipe(recipe) is recipe
    assert load_recipe(recipe, reference="barycentric").mobile == ("Na", "Cl")


def test_a_recipe_of_ones_own(tmp_path):
    path = tmp_path / "silver.yaml"
    path.write_text(yaml.safe_dump({"recipe": "transport", "description": "silver", "mobile": ["Ag"], "n_lags": 50}))
    assert (load_recipe(path).mobile, load_recipe(path).n_lags) == (("Ag",), 50)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mobile": ["li"]}, r"key 'mobile\[0\]': found 'li', expected a chemical symbol such as 'Li'"),
        ({"mobile": []}, "key 'mobile'"),
        ({"charges": {"Li": "one"}}, "key 'charges.Li'"),
        ({"confidence": 95}, "key 'confidence': found 95"),
        ({"hop_distance": -1.0}, "key 'hop_distance'"),
        ({"mobil": ["Li"]}, "unknown key 'mobil', expected one of .*did you mean 'mobile'"),
        (
            {"clusters": {"cation": "Li", "anion": ["Cl"], "cutoff": 3.2}},
            "clusters need the diffusivity of Cl, expected it among mobile",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(options, message):
    with pytest.raises(SpecError, match=message) as raised:
        load_recipe("transport", **options)
    assert "\n" not in str(raised.value)


def test_an_unknown_recipe_lists_those_that_exist():
    with pytest.raises(CatalogueError, match=r"expected one of .*arrhenius.*transport.*did you mean 'transport'"):
        load_recipe("transprt")


def test_the_centre_of_an_anion_is_its_first_species_unless_named():
    clusters = {"cation": "Li", "anion": ["P", "F"], "cutoff": 3.0}
    assert load_recipe("transport", mobile=["Li", "P"], clusters=clusters).clusters.centre == "P"
    clusters["anion_centre"] = "F"
    assert load_recipe("transport", mobile=["Li", "F"], clusters=clusters).clusters.centre == "F"


def test_atom_types_are_numbers_however_the_file_quotes_them():
    assert load_recipe("transport", species={"1": "Li", "2": "S"}).species == {1: "Li", 2: "S"}
    assert load_recipe("transport", species={"LI": "Li"}).species == {"LI": "Li"}
    assert load_recipe("transport", species=["Li", "S"]).species == ("Li", "S")
