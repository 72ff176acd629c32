"""The recipe: what is checked before a file is opened, and what it hands to files and pages."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from mlip_sse.analysis.mechanism.sites_recipe import SitesAndJumpsRecipe
from mlip_sse.analysis.results import Interval, to_json
from mlip_sse.errors import SpecError
from tests.analysis.mechanism.kinetic_monte_carlo import NEIGHBOUR_DISTANCE, two_barriers

SHIPPED = Path(__file__).resolve().parents[3] / "analysis" / "sites_and_jumps.yaml"
LISTED = {
    "recipe": "sites_and_jumps",
    "description": "two kinds of sites",
    "sites": "wyckoff",
    "reference": "none",
    "wyckoff": {"spacegroup": 225, "positions": {"A": [0, 0, 0], "B": [0.5, 0.5, 0.5]}, "repeats": [3, 3, 3]},
}


@pytest.fixture(scope="module")
def findings():
    recipe = SitesAndJumpsRecipe.parse(LISTED)
    return [(kelvin, recipe.measure(two_barriers(kelvin, n_frames=1200, n_ions=40)[0])) for kelvin in (450, 500, 600)]


def test_the_shipped_recipe_is_valid_and_spells_out_its_defaults():
    data = yaml.safe_load(SHIPPED.read_text())
    assert SitesAndJumpsRecipe.parse(data).sites == "density"
    for key, value in data.items():
        default = SitesAndJumpsRecipe.model_fields[key].default
        if key not in ("recipe", "description"):
            assert (tuple(value) if isinstance(value, list) else value) == default, key


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"sites": "density"}, "sites: wyckoff and the key wyckoff go together"),
        ({"assignment": "tetrahedra"}, "tetrahedra need corners"),
        ({"assignment": "nearest", "radius": 1.0}, "radius is of spheres, the assignment is nearest"),
        ({"inner_fraction": 1.5}, "inner_fraction"),
        ({"site": "x.cif"}, "did you mean"),
    ],
)
def test_what_does_not_belong_together_is_refused(change, expected):
    with pytest.raises(SpecError, match=expected):
        SitesAndJumpsRecipe.parse({**LISTED, **change})


def test_numbers_tables_and_arrays_agree(findings):
    finding = findings[1][1]
    hops = finding.tables["hops"]
    assert sum(row["count"] for row in hops) == finding.numbers["n_jumps"] == len(finding.arrays["jump_frames"])
    assert sum(row["count"] for row in finding.tables["network"]) == finding.numbers["n_jumps"]
    assert {row["sites"] for row in finding.tables["occupancies"]} == {"A", "B"}
    main = next(row for row in hops if row["from"] == "A" and abs(row["length"] - NEIGHBOUR_DISTANCE) < 0.1)
    assert main["rate_per_ps_low"] < main["rate_per_ps"] < main["rate_per_ps_high"]
    assert isinstance(finding.numbers["occupied_by_A"], Interval)
    assert "NaN" not in to_json([finding.to_dict(), finding.tables, finding.details])


def test_all_temperatures_together_give_the_barriers(findings):
    recipe = SitesAndJumpsRecipe.parse(LISTED)
    together = recipe.compare(findings)
    for name, truth in (("A_B_2.5", 0.20), ("B_A_2.5", 0.26)):
        found = together.numbers[f"activation_energy_{name}"]
        assert found.low < truth < found.high
    assert together.verdict.reasons == ()
    assert recipe.compare(findings[:1]) is None
    two = recipe.compare(findings[:2])
    assert "2 temperatures, expected at least 3" in two.verdict.reasons[0]
    assert len(together.plot().axes[0].lines) > 4


def test_figure_and_scene_show_what_was_found(findings):
    finding = findings[0][1]
    figure = finding.plot()
    assert [axes.get_ylabel() for axes in figure.axes] == ["ions per site", "fraction still there", ""]
    scene = finding.scenes()["Sites and hop network"]
    names = [trace.name for trace in scene.data]
    assert names[0] == "cell"
    assert names[-2:] == ["A", "B"]
    assert any("2.5 Å" in name for name in names[1:-2])
    assert sum(len(trace.x) for trace in scene.data[-2:]) == finding.numbers["n_sites"]


def test_density_peaks_are_the_sites_where_none_are_listed():
    trajectory, sites, _ = two_barriers(900.0, n_ions=60, n_frames=2000)
    data = {"recipe": "sites_and_jumps", "description": "peaks", "reference": "none"}
    found = SitesAndJumpsRecipe.parse(data).measure(trajectory).result.assignment.sites
    assert len(found) == len(sites)
    apart = found.fractional[:, None] - sites.fractional[None]
    nearest = np.linalg.norm((apart - np.rint(apart)) @ sites.cell, axis=2).min(axis=1)
    assert nearest.max() < 0.3  # Å: a tenth of the distance of sites
