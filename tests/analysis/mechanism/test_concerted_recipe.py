"""The recipe `concerted` from a trajectory to findings, and on real data."""

from pathlib import Path

import numpy as np
import pytest

from mlip_sse.analysis.mechanism.concerted import Concerted
from mlip_sse.analysis.mechanism.concerted_recipe import ConcertedRecipe
from mlip_sse.analysis.mechanism.concerted_scan import scan_closeness
from mlip_sse.analysis.results import Interval, Quality
from mlip_sse.errors import InputError, SpecError
from mlip_sse.specs import read_yaml
from mlip_sse.trajectory.model import Trajectory
from tests.analysis.mechanism.correlated_walkers import independent_hops, row_shifts, vacancy_strings

ROOT = Path(__file__).resolve().parents[3]
REAL = ROOT.parent / "shared" / "data" / "li6ps5cl_md"


def recipe(**options):
    given = {"recipe": "concerted", "description": "test", "n_null": 39, "n_lags": 4, "reference": "none"}
    return ConcertedRecipe.parse(given | options)


def trajectory_of(hops, kelvin, seed=0):
    positions = hops.positions(np.random.default_rng(seed), 0.2)
    positions = np.concatenate([positions, np.zeros((hops.n_frames, 1, 3))], axis=1)
    species = ["Li"] * len(hops.homes) + ["S"]
    return Trajectory.from_arrays(species, positions, hops.cell, 100.0, wrapped=False, temperature_k=kelvin)


@pytest.fixture(scope="module")
def findings():
    """Independent ions at 400 K, strings of three at 500 and 600 K."""
    alone = independent_hops(np.random.default_rng(1), 4, 48, 4000, 800)
    strings = [vacancy_strings(np.random.default_rng(k), 4, 3, 4000, 260, (0.0, 0.0, 1.0)) for k in (2, 3)]
    made = zip((400.0, 500.0, 600.0), (alone, *strings), strict=True)
    return [(kelvin, recipe().measure(trajectory_of(hops, kelvin))) for kelvin, hops in made]


def test_the_recipe_file_says_what_the_class_does():
    plain = read_yaml(ROOT / "analysis" / "concerted.yaml")
    found = ConcertedRecipe.parse(plain)
    assert found.model_dump(exclude={"description"}) == ConcertedRecipe.parse(
        {"recipe": "concerted", "description": "x"}
    ).model_dump(exclude={"description"})
    assert set(found.model_dump()) - set(plain) == {"species", "topology"}
    with pytest.raises(SpecError, match="n_null"):
        recipe(n_null=3)


def test_strings_are_concerted_and_independent_ions_are_not(findings):
    alone, strings = findings[0][1], findings[1][1]
    assert strings.numbers["collectivity"] == "concerted"
    assert strings.numbers["concerted_excess"].low > 0.8
    assert alone.numbers["collectivity"] == "single-ion"
    assert alone.numbers["scan_p"] > 0.02
    assert strings.numbers["scan_p"] < 0.05
    assert strings.result.concerted.clusters[2] > 0.6 * strings.result.concerted.clusters.sum()
    assert all(isinstance(strings.numbers[name], Interval) for name in ("residence_ps", "refill", "string_length"))
    assert strings.numbers["residence_ps"].value == pytest.approx(61 * 3991 * 0.1 / strings.numbers["n_hops"], rel=1e-9)


def test_all_temperatures_together_name_the_change(findings):
    together = recipe().compare(findings)
    assert together.numbers["collectivity"].startswith("single-ion at 400 K, concerted at 500 K")
    changes = [change for change in together.details["changes"] if change["kind"] == "collectivity"]
    assert changes == [
        {"kind": "collectivity", "below": "single-ion", "above": "concerted", "low_k": 400.0, "high_k": 500.0}
    ]
    assert [row["temperature_k"] for row in together.tables["modes"]] == [400.0, 500.0, 600.0]
    assert recipe().compare(findings[:1]) is None


def test_figures_show_the_numbers(findings):
    figure = findings[1][1].plot()
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert any("beyond chance" in text for text in texts)
    assert len(figure.axes) == 7
    modes = recipe().compare(findings).plot()
    assert "eV" in modes.axes[0].get_title(loc="left")


def test_hops_may_come_from_the_peaks_of_the_density():
    hops = row_shifts(np.random.default_rng(5), (4, 4, 4), 3000, 250)
    found = recipe(hops="density").measure(trajectory_of(hops, 500.0))
    assert found.numbers["n_hops"] == pytest.approx(1000, rel=0.05)
    assert found.result.concerted.clusters[3] > 0.7 * found.result.concerted.clusters.sum()


def test_the_scan_is_one_for_independent_ions_and_finds_rows():
    alone = independent_hops(np.random.default_rng(7), 6, 100, 5000, 2500).events()
    rows = row_shifts(np.random.default_rng(8), (5, 4, 4), 5000, 300).events()
    settings = Concerted(n_null=39)
    flat = scan_closeness(alone, settings, [100.0, 400.0], [2.5, 3.5])
    assert np.all((flat.ratios > 0.8) & (flat.ratios < 1.2))
    assert flat.p_value > 0.05
    steep = scan_closeness(rows, settings, [100.0, 800.0], [2.5])
    assert steep.ratios[0, 0] > 2 * steep.ratios[1, 0] > 2
    assert steep.p_value == pytest.approx(1 / 40)
    with pytest.raises(InputError, match="too short"):
        scan_closeness(alone, settings, [50.0], [3.0])


def test_real_argyrodite_is_judged_with_its_own_number_of_frames():
    path = REAL / "actual_XDATCAR.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there: shared data are not part of the project")
    trajectory = Trajectory.read(path, frame_spacing_fs=100.0, temperature_k=500.0)
    found = recipe().measure(trajectory.in_reference_frame("framework", ["Li"]))
    assert found.verdict.quality is Quality.WEAK
    assert any("spans 66 windows of 200 fs, fewer than 100" in reason for reason in found.verdict.reasons)
    assert any(reason.startswith("diffusion:") for reason in found.verdict.reasons)
    assert found.numbers["concerted_excess"].low > 0.1
    short = recipe().measure(trajectory.window(0, 30).in_reference_frame("framework", ["Li"]))
    assert short.verdict.quality is Quality.REFUSED
    assert any("10.5 windows of 200 fs" in reason for reason in short.verdict.reasons)
