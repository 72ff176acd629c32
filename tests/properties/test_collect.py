"""Campaign and analysis folders become rows with units; what was refused stays out."""

import json

import pytest

from mlip_sse.errors import FormatError, InputError
from mlip_sse.properties.collect import collect, unit_of

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
    table = collect([folder])
    assert table.compositions == ("Li6PS5Cl", "Li6PS5Cl")
    assert table.numbers("temperature_k", "K")[0] == 600.0
    assert table.numbers("conductivity_ms_cm_high", "mS/cm")[0] == 2.0
    assert table.numbers("activation_energy_ev", "eV")[1] == 0.3
    assert "seed" not in "".join(table.columns)
    assert table.provenance.inputs[0].path.endswith("transport.json")


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


@pytest.mark.parametrize(
    ("name", "unit"),
    [("conductivity_300k_ms_cm", "mS/cm"), ("bulk_modulus_gpa", "GPa"), ("haven_ratio", ""), ("barrier_ev", "eV")],
)
def test_a_name_says_its_unit(name, unit):
    assert unit_of(name) == unit
