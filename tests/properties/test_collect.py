"""Campaign, analysis, simulation and reaction folders become rows with units; what was refused is named."""

import json

import numpy as np
import pytest

from mlip_sse.errors import FormatError, InputError
from mlip_sse.properties.collect import collect, unit_of
from mlip_sse.properties.result_rows import rows_of

INTERVAL = {"value": 1.5, "low": 1.0, "high": 2.0, "confidence": 0.95, "method": "test"}


@pytest.fixture
def folder(tmp_path):
    rows = [
        {"path": "600", "temperature_k": 600.0, "quality": "pass", "conductivity_ms_cm": INTERVAL, "reasons": []},
        {"path": "700", "temperature_k": 700.0, "quality": "refused", "conductivity_ms_cm": None, "reasons": ["short"]},
    ]
    document = {
        "composition": "Li6PS5Cl",
        "trajectories": rows,
        "arrhenius": {"activation_energy_ev": {**INTERVAL, "value": 0.3, "low": 0.25, "high": 0.35}},
        "provenance": {"settings": {"seed": 3}},
    }
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "transport.json").write_text(json.dumps(document))
    return tmp_path / "run"


def test_rows_columns_and_units(folder):
    said = []
    table = collect([folder], say=said.append)
    assert table.compositions == ("Li6PS5Cl", "Li6PS5Cl")
    assert table.numbers("temperature_k", "K")[0] == 600.0
    assert table.numbers("conductivity_ms_cm_high", "mS/cm")[0] == 2.0
    assert table.numbers("activation_energy_ev", "eV")[1] == 0.3
    assert "seed" not in "".join(table.columns)
    assert table.provenance.inputs[0].path.endswith("transport.json")
    assert [line.partition("transport.json: ")[2] for line in said] == ["700 K 700: short"]


def test_analyses_of_one_trajectory_are_one_row(folder):
    row = {"path": "600", "temperature_k": 600.0, "quality": "weak", "n_jumps": 7, "conductivity_ms_cm": 9.0}
    more = {"composition": "Li6PS5Cl", "trajectories": [row], "provenance": {}}
    (folder / "sites_and_jumps.json").write_text(json.dumps(more))
    table = collect([folder])
    assert table.n_rows == 2
    assert table.numbers("n_jumps")[0] == 7
    assert table.numbers("conductivity_ms_cm")[0] == 1.5  # of the transport analysis, with its bounds
    assert table.texts("quality")[0] == "weak"
    assert table.texts("source")[0].count(".json") == 2


def test_an_interval_with_one_bound_is_a_limit():
    bounds = {"low": 0.0, "high": 1e-9, "value": None}
    row = {
        "temperature_k": 300.0,
        "tracer_diffusivity_cm2_s": bounds,
        "residence_ps": {**bounds, "low": 5, "high": None},
    }
    (found,), refused = rows_of({"trajectories": [row]})
    assert not refused
    assert found.numbers == {
        "temperature_k": 300.0,
        "tracer_diffusivity_cm2_s": 1e-9,
        "tracer_diffusivity_cm2_s_censored": -1.0,
        "residence_ps": 5.0,
        "residence_ps_censored": 1.0,
    }


def test_a_folder_without_a_material_asks_for_it(folder, tmp_path):
    document = json.loads((folder / "transport.json").read_text())
    del document["composition"]
    (folder / "transport.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="nothing says which material it is; give it as FORMULA="):
        collect([folder])
    assert collect([folder], {str(folder): "Li2S"}).compositions[0] == "Li2S"


def test_what_holds_no_results_is_one_line(tmp_path):
    with pytest.raises(InputError, match="found no folder"):
        collect([tmp_path / "absent"])
    with pytest.raises(InputError, match="found no results"):
        collect([tmp_path])
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(FormatError, match="not JSON"):
        collect([tmp_path])
    (tmp_path / "a.json").write_text('{"width": 3}')
    with pytest.raises(InputError, match="found no results"):
        collect([tmp_path])
    (tmp_path / "campaign.json").write_text("{}")
    with pytest.raises(InputError, match="a campaign without an answer"):
        collect([tmp_path])


@pytest.mark.parametrize(
    ("name", "unit"),
    [("conductivity_300k_ms_cm", "mS/cm"), ("bulk_modulus_gpa", "GPa"), ("haven_ratio", ""), ("barrier_ev", "eV")],
)
def test_a_name_says_its_unit(name, unit):
    assert unit_of(name) == unit


@pytest.mark.slow
def test_what_the_program_writes_is_read(tmp_path, program_of):
    """Elastic constants, expansion by phonons and reaction energies, each written by its own verb."""
    folders = program_of(tmp_path)
    table = collect(folders)
    by_folder = {name: table.rows(np.array(table.texts("material_id")) == name) for name in ("elastic", "qha")}
    elastic, expansion = by_folder["elastic"], by_folder["qha"]
    assert elastic.compositions == ("LiCl",)
    assert elastic.numbers("bulk_gpa_low", "GPa") <= elastic.numbers("bulk_gpa", "GPa")
    assert elastic.structure(0).composition.reduced_formula == "LiCl"
    reference = expansion.numbers("linear_expansion_per_k", "1/K")
    assert np.isfinite(reference).sum() == 1
    assert expansion.n_rows == 3
    assert expansion.numbers("temperature_k", "K")[np.isfinite(reference)] == 25.0


@pytest.fixture
def program_of(monkeypatch):
    """Return a function that simulates two crystals; skips where phonopy is absent."""
    pytest.importorskip("phonopy")
    from mlip_sse.errors import MissingExtraError
    from mlip_sse.md_protocols import load_protocol, run_static

    def run(folder):
        try:
            run_static(load_protocol("elastic"), folder / "elastic")
            run_static(load_protocol("quasi_harmonic"), folder / "qha")
        except MissingExtraError as error:
            pytest.skip(str(error))
        return [folder / "elastic", folder / "qha"]

    return run
