"""Recipes of POD: impossible settings are refused in one line."""

import pytest

from mlip_sse.errors import SpecError
from tests.potentials.pod.small import recipe


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cutoff": 0.8}, "0.5 Å between"),
        ({"two_body": 16}, "at most 3·bessel_degree"),
        ({"four_body": {"radial": 4, "angular": 1}}, "four_body.radial: found 4"),
        ({"four_body": {"radial": 1, "angular": 3}}, "four_body.angular: found 3"),
        ({"five_body": {"radial": 1, "angular": 0}}, "at most that of four_body"),
        ({"three_body": {"radial": 3, "angular": 13}}, "three_body.angular"),
        (
            {"three_body": {"radial": 3, "angular": 8}, "four_body": {"radial": 1, "angular": 7}},
            "four_body.angular: found 7",
        ),
        ({"core": {"inner": 2.0, "outer": 1.0}}, "inner < outer"),
        ({"core": {"outer": 5.0}}, "at most the cutoff"),
        ({"regularisation": []}, "empty list"),
        ({"regularisation": 1.0}, "regularisation"),
        ({"elements": ["Li", "Li"]}, "each element once"),
        ({"committee": -1}, "committee"),
        ({"weights": {"force": 0}}, "weights.force"),
        ({"cutof": 5.0}, "did you mean 'cutoff'"),
    ],
)
def test_impossible_recipes_are_refused_in_one_line(changes, words):
    with pytest.raises(SpecError, match=words) as caught:
        recipe(**changes)
    assert "\n" not in str(caught.value)


def test_the_basis_knows_what_changes_the_equations():
    same = recipe(regularisation=1e-6, description="another")
    assert recipe().basis() == same.basis()
    for changes in ({"cutoff": 5.0}, {"weights": {"energy": 10}}, {"core": {"style": "none"}}, {"committee": 3}):
        assert recipe(**changes).basis() != recipe().basis()


def test_a_recipe_without_a_core_survives_the_file(tmp_path):
    plain = recipe(core={"style": "none"}).model_dump(mode="json", exclude_none=True)
    assert type(recipe()).parse(plain).core.style == "none"


def test_several_penalties_are_sorted():
    assert recipe(regularisation=[1e-6, 1e-8, 1e-6]).regularisations == (1e-8, 1e-6)
