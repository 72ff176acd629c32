"""Recipes of NequIP and Allegro: checked without torch."""

import subprocess
import sys

import pytest

from mlip_sse.errors import SpecError
from mlip_sse.potentials.contract import FAMILIES
from mlip_sse.potentials.families import POTENTIALS
from tests.potentials.equivariant.tiny import DOMAIN, tiny_recipe

MINIMAL = {"description": "d", "domain": DOMAIN}


@pytest.mark.parametrize("family", ["nequip", "allegro"])
def test_a_recipe_needs_description_domain_and_family_only(family):
    recipe = POTENTIALS[family].parse({"family": family, **MINIMAL})
    assert recipe.seeds == (0,)
    assert recipe.training.threads == 1
    assert family in FAMILIES


def test_seeds_of_a_committee_count_up():
    assert tiny_recipe("nequip", seed=7, committee=3).seeds == (7, 8, 9)


@pytest.mark.parametrize(
    ("key", "value"),
    [("cutoff", 0.5), ("elements", ["Li", "Li"]), ("elements", ["Xx"]), ("l_max", 9), ("n_layers", 3), ("core", "lj")],
)
def test_impossible_values_are_refused_in_one_line(key, value):
    with pytest.raises(SpecError, match=key) as caught:
        tiny_recipe("nequip", **{key: value})
    assert "\n" not in str(caught.value)


def test_recipes_import_neither_torch_nor_nequip():
    code = (
        "import sys; import mlip_sse.potentials.families as families; "
        "import mlip_sse.potentials.nequip.potential, mlip_sse.potentials.allegro.potential; "
        "print(sorted({'torch', 'nequip', 'lightning', 'allegro', 'e3nn'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "[]"
