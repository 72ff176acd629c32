"""The recipe `interphase`: what it prints, writes and draws, several temperatures, settings that contradict."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from mlip_sse import analyze
from mlip_sse.analysis.interphase.recipe import InterphaseRecipe
from mlip_sse.analysis.recipes import load_recipe
from mlip_sse.analysis.results import Quality, to_json
from mlip_sse.errors import SpecError
from mlip_sse.units import BOLTZMANN_EV_PER_K
from tests.analysis.interphase.growing_counts import births
from tests.analysis.interphase.reacting_slab import EDGE, reacting, times_of_counts

SHAPE = (3, 3, 8)
TIMES = np.arange(50.0)
ENERGY_EV, RATE_AT_600K = 0.15, 0.6
RECIPE = load_recipe("interphase").model_copy(update={"look_ps": 1.0, "products": {"Li2S": 5, "Li3P": 1, "LiCl": 1}})


def at_temperature(kelvin, seed):
    rate = RATE_AT_600K * np.exp(-ENERGY_EV / BOLTZMANN_EV_PER_K * (1 / kelvin - 1 / 600.0))
    rng = np.random.default_rng(seed)
    counts = births(rng, "parabolic", rate, 9 / EDGE, 2, TIMES)
    when = times_of_counts(rng, counts, TIMES, SHAPE)
    return reacting(when, SHAPE, len(TIMES), seed=seed, temperature_k=kelvin)


@pytest.fixture(scope="module")
def findings():
    return [
        (kelvin, RECIPE.measure(at_temperature(kelvin, seed)))
        for seed, kelvin in enumerate((450.0, 450.0, 500.0, 550.0, 600.0, 700.0), 1)
    ]


def test_numbers_tables_arrays_and_figure(findings):
    _, finding = findings[-1]
    numbers = finding.numbers
    assert (numbers["unit"], numbers["n_units"], numbers["n_interfaces"]) == ("PS4", 72, 2)
    assert (numbers["reaction"], numbers["growth_law"]) == ("reacts and grows", "parabolic")
    assert numbers["P_products"] == "as predicted"
    rate = RATE_AT_600K * np.exp(-ENERGY_EV / BOLTZMANN_EV_PER_K * (1 / 700 - 1 / 600)) * 1e-4
    assert numbers["parabolic_rate_cm2_s"].low < rate < numbers["parabolic_rate_cm2_s"].high
    json.loads(to_json(finding))
    rows = finding.tables["interphase"]
    assert len(rows) == len(TIMES)
    assert len({tuple(row) for row in rows}) == 1  # one header fits all rows
    assert rows[-1]["thickness_low"] < rows[-1]["thickness"] < rows[-1]["thickness_high"]
    assert rows[-1]["intact_low"] < rows[-1]["intact_fraction"] < rows[-1]["intact_high"]
    assert rows[-1]["PS4"] + rows[-1]["Li3P-like"] == 72
    assert {row["element"] for row in finding.tables["products"]} == {"P", "S", "Cl"}
    shapes = finding.arrays["profile_densities"].shape
    assert shapes == (10, len(finding.arrays["class_names"]), len(finding.arrays["profile_z"]))
    elements = dict(
        zip(finding.arrays["elements"].tolist(), finding.arrays["profile_element_densities"][0], strict=True)
    )
    of_sulfur = [name in ("S bonded", "Li2S-like") for name in finding.arrays["class_names"]]
    assert elements["S"] == pytest.approx(finding.arrays["profile_densities"][:, of_sulfur].sum(axis=1)[0], abs=1e-3)
    assert {"P", "S", "Cl", "Li", "PS4", "z"} <= set(finding.tables["profiles"][0])
    left, right, first, last = finding.plot().get_axes()
    assert right.get_title() == "reacts and grows: parabolic"
    assert first.get_ylim() == last.get_ylim()
    assert "PS4" in left.get_title()


def test_temperatures_give_the_activation_energy_and_replicas_are_pooled(findings):
    together = RECIPE.compare(findings)
    assert together.numbers["n_temperatures"] == 5
    energy = together.numbers["parabolic_activation_energy_ev"]
    assert energy.low < ENERGY_EV < energy.high
    assert energy.high - energy.low < 0.3
    assert len(together.tables["temperatures"]) == 6
    assert RECIPE.compare(findings[:2]) is None  # one temperature
    silent = RECIPE.measure(reacting(np.full(SHAPE, np.inf), SHAPE, len(TIMES)))
    assert silent.numbers["reaction"] == "no reaction"
    assert silent.numbers["P_products"] == "nothing converted"
    assert silent.verdict.quality is Quality.PASS
    assert silent.plot().get_axes()[1].get_title() == "no reaction"
    with_silent = RECIPE.compare([(300.0, silent), *findings])
    assert with_silent.numbers["parabolic_activation_energy_ev"] == energy
    assert "300 K has no rate (no reaction)" in with_silent.verdict.reasons[0]
    few = RECIPE.compare([(300.0, silent), findings[0]])
    assert few.verdict.quality is Quality.REFUSED
    assert any("1 temperatures with a parabolic rate" in reason for reason in few.verdict.reasons)


def test_files_go_through_analyze(tmp_path):
    trajectory = at_temperature(600.0, 9)
    path = tmp_path / "600K.extxyz"
    cells = trajectory.cells
    frames = [
        Atoms(trajectory.species.tolist(), frame, cell=cell, pbc=True)
        for frame, cell in zip(trajectory.positions[::5], cells[::5], strict=True)
    ]
    write(path, frames)
    report = analyze("interphase", path, temperatures_k=600.0, frame_spacing_fs=5000.0)
    numbers = report.rows[0].finding.numbers
    assert numbers["n_units"] == 72
    assert numbers["intact_fraction_end"].value < 0.9


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"electrolyte": [0.5, 0.2]}, "expected low < high"),
        ({"electrolyte": [0.0, 1.0]}, "less than 1 apart"),
        ({"units": []}, "units"),
        ({"units": [{"centre": "P", "ligand": "S", "count": 0}]}, "count"),
        ({"products": {"Li2S": -1}}, "products.Li2S"),
        ({"look_ps": 0}, "look_ps"),
    ],
)
def test_settings_that_make_no_sense_are_named(keys, message):
    with pytest.raises(SpecError, match=message):
        InterphaseRecipe.parse({"recipe": "interphase", "description": "test", **keys})
