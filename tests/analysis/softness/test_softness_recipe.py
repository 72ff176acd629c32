"""The recipe from end to end: a toy with two barriers, real trajectories, and what is refused."""

import json

import numpy as np
import pytest

from mlip_sse.analysis.results import to_json
from mlip_sse.analysis.softness.analysis import SoftnessAnalysis
from mlip_sse.analysis.softness.findings import compare_softness
from mlip_sse.analysis.softness.recipe import SoftnessRecipe
from mlip_sse.analysis.softness.thermodynamics import fit_thermodynamics
from mlip_sse.analysis.softness.training_set import Split
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory
from tests.analysis.softness.toy_softness import HARD_EV, SOFT_EV, toy

TEMPERATURES = (550.0, 650.0, 750.0, 850.0)
QUICK = {"n_folds": 3, "n_shuffles": 3, "n_windows": 4000, "angular": False, "stable_ps": 15.0}


def seen(trajectory):
    return trajectory.in_reference_frame("framework", ["Li"])


def small_toy(seed, kelvin):
    return seen(toy(seed, kelvin, n_frames=1000, n_side=5, n_layers=12, soft_layers=6)[0])


@pytest.fixture(scope="module")
def recipe():
    return SoftnessRecipe.parse({"recipe": "softness", "description": "toy", **QUICK})


@pytest.fixture(scope="module")
def findings(recipe):
    return [(kelvin, recipe.measure(small_toy(int(kelvin), kelvin))) for kelvin in (600.0, 800.0)]


def test_a_trajectory_is_measured(findings):
    numbers = findings[0][1].numbers
    assert numbers["auc"].low > 0.65  # 36 ions, 0.1 ns: the bar of 0.95 is for the slow test's larger crystals
    assert numbers["auc"].low < numbers["auc_by_ions"].high
    assert numbers["auc_shuffled"].low < 0.5 < numbers["auc_shuffled"].high
    assert numbers["jump_length_a"] == pytest.approx(3.0, rel=0.1)
    assert 0 < numbers["n_rattles"] < 0.4 * numbers["n_hops"]
    rows = findings[0][1].tables["hop_probability"]
    assert rows[-1]["probability_low"] > rows[0]["probability_high"]


def test_results_are_plain_data_and_can_be_drawn(findings, tmp_path):
    for _, finding in findings:
        json.loads(to_json(finding.to_dict()))
        json.loads(to_json({"details": finding.details, "tables": finding.tables}))
        finding.plot().savefig(tmp_path / "softness.png")
    assert (tmp_path / "softness.png").stat().st_size > 10_000


def test_temperatures_are_compared_by_one_softness(recipe, findings, tmp_path):
    together = recipe.compare(findings)
    assert together.numbers["trained_on"] in ("600 K", "800 K")
    difference = together.numbers["barrier_softest_less_hardest_ev"]
    assert difference.low < SOFT_EV - HARD_EV < difference.high
    assert [row["temperature_k"] for row in together.tables["auc_by_temperature"]] == [600.0, 800.0]
    together.plot().savefig(tmp_path / "series.png")
    json.loads(to_json(together.to_dict()))
    assert recipe.compare(findings[:1]) is None


def test_a_fitted_softness_is_applied_to_another_trajectory(recipe, findings, tmp_path):
    path = tmp_path / "softness.json"
    path.write_text(json.dumps(json.loads(to_json(findings[0][1].details))["softness"]))
    applied = SoftnessRecipe.parse({**recipe.model_dump(), "softness": str(path)}).measure(small_toy(3, 700.0))
    assert applied.numbers["auc"].low > 0.65
    assert applied.numbers["auc_by_ions"] is None
    assert applied.numbers["hop_threshold_a2"] == findings[0][1].numbers["hop_threshold_a2"]


@pytest.mark.slow
def test_equal_seeds_give_equal_findings(recipe, findings):
    again = recipe.measure(small_toy(600, 600.0))
    assert to_json(again.to_dict()) == to_json(findings[0][1].to_dict())


def still(positions, spacing_fs=100.0):
    symbols = ["Li"] * 8 + ["Cl"] * 8
    return Trajectory.from_arrays(symbols, positions, np.eye(3) * 12.0, spacing_fs, wrapped=False)


@pytest.mark.parametrize(
    ("deviation", "spacing_fs", "text"),
    [(0.0, 100.0, "never move"), (0.1, 100.0, "found 0 hops .*too few hops"), (0.1, 400.0, "too coarse for hops")],
)
def test_what_cannot_be_learned_from_is_refused(recipe, deviation, spacing_fs, text):
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, 12, (1, 16, 3)) + rng.normal(0, deviation, (300, 16, 3)) if deviation else None
    if positions is None:
        positions = np.broadcast_to(rng.uniform(0, 12, (1, 16, 3)), (300, 16, 3)).copy()
    with pytest.raises(InputError, match=text):
        recipe.measure(still(positions, spacing_fs))


def test_a_missing_species_is_refused(recipe):
    with pytest.raises(InputError, match="species 'Li' is not in the trajectory"):
        recipe.measure(Trajectory.from_arrays(["Na"] * 4, np.zeros((50, 4, 3)), np.eye(3) * 9.0, 100.0))


@pytest.mark.slow
def test_toy_classes_and_barriers_are_recovered():
    """AUC ≥ 0.95, shuffled ½, and ΔE(soft) − ΔE(hard) within a tenth of E1 − E2 and inside its interval.

    Three crystals at each of four temperatures: about 400 hops of hard ions at the lowest one, from which the
    difference of the barriers is known to about 0.008 eV of 0.15.
    """
    analysis = SoftnessAnalysis(n_windows=40_000, n_shuffles=6)
    trained = analysis.run(seen(toy(1, TEMPERATURES[0], n_frames=5000)[0]))
    auc, shuffled = trained.learned.auc, trained.learned.shuffled_auc
    assert auc.value >= 0.95
    assert shuffled.low < 0.5 < shuffled.high
    settings = SoftnessAnalysis(n_windows=40_000, softness=trained.softness)
    results = [
        (kelvin, settings.run(seen(toy(100 * k + 7, kelvin, n_frames=5000)[0])))
        for kelvin in TEMPERATURES
        for k in range(1, 4)
    ]
    found = compare_softness(results, 0.95, 0).numbers["barrier_softest_less_hardest_ev"]
    assert found.value == pytest.approx(SOFT_EV - HARD_EV, rel=0.1)
    assert found.low < SOFT_EV - HARD_EV < found.high


@pytest.mark.slow
def test_argyrodite_has_the_same_auc_whichever_way_frames_are_split(shared_data):
    path = shared_data("li6ps5cl_md/inherent_XDATCAR.gz")
    trajectory = seen(Trajectory.read(path, frame_spacing_fs=100.0, temperature_k=500.0))
    found = SoftnessAnalysis(average_ps=0.0).run(trajectory).learned
    by_ions, by_time, both = (found.validations[split].auc for split in (Split.IONS, Split.TIME, Split.BOTH))
    assert abs(by_ions.value - by_time.value) < 0.02
    assert 0.6 < both.low < both.value < 0.78
    assert found.shuffled_auc.low < 0.5 < found.shuffled_auc.high


@pytest.mark.slow
def test_intervals_of_barriers_cover():
    """Of 40 intervals of 95 %, at least 34 hold the truth (binomial, 3σ)."""
    from tests.analysis.softness.test_thermodynamics import E0, E1, SIGMA0, series

    held = np.zeros(4, int)
    for seed in range(40):
        fit = fit_thermodynamics(series(1000 + seed, n_each=60), 1.0, 0.95, seed=seed, n_draws=100)
        for k, (found, true) in enumerate(
            [(fit.energy_ev, E0), (fit.energy_slope_ev, E1), (fit.prefactor, SIGMA0), (fit.prefactor_slope, 0.4)]
        ):
            held[k] += found.low < true < found.high
    assert (held >= 34).all(), held
