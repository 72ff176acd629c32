"""The recipe of the last fit is refused before a label is spent on a campaign that it could not answer."""

import importlib.util
import os
import shutil
import sys
from types import SimpleNamespace

import pytest
import yaml

from mlip_sse.campaign.campaign import Campaign
from mlip_sse.campaign.final_recipe import doubts, final_recipe, require_runnable
from mlip_sse.errors import CatalogueError, InputError, RunError, SpecError
from mlip_sse.potentials.lammps_install import EXECUTABLE_VARIABLE
from tests.campaign.toy import RECIPE, importable, toy_spec

__all__ = ["importable"]  # a fixture

pytestmark = pytest.mark.usefixtures("importable")

NEQUIP = {
    "family": "nequip",
    "description": "a tiny network for tests",
    "layers": 1,
    "features": 4,
    "radial_width": 8,
    "domain": RECIPE["domain"],
}
WINDOW_K = (300.0, 2000.0)


def spec_with(folder, **changes):
    """Return a toy campaign whose final recipe is a network with changes."""
    (folder / "network.yaml").write_text(yaml.safe_dump({**NEQUIP, **changes}))
    return toy_spec(folder, final=os.fspath(folder / "network.yaml"))


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("no_such_recipe", CatalogueError, "final: no entry 'no_such_recipe' in potentials, expected one of"),
        ("gone/recipe.yaml", CatalogueError, "'gone/recipe.yaml' is neither a YAML file"),
        ("licl_born_mayer", InputError, "final: found 'licl_born_mayer', which has nothing to fit"),
    ],
)
def test_a_name_that_is_no_recipe(tmp_path, name, error, message):
    campaign = Campaign(toy_spec(tmp_path, final=name), tmp_path / "campaign")
    with pytest.raises(error) as caught:
        campaign.run()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "campaign").exists()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"layers": 0}, SpecError, "layers"),
        ({"elements": ["Cl"]}, InputError, "final: found a recipe of Cl, expected one that knows Li too"),
    ],
)
def test_a_network_that_does_not_fit_the_campaign(tmp_path, changes, error, message):
    campaign = Campaign(spec_with(tmp_path, **changes), tmp_path / "campaign")
    with pytest.raises(error, match=message):
        campaign.run()
    assert not (tmp_path / "campaign").exists()


def test_a_path_is_seen_from_where_the_campaign_runs(tmp_path, monkeypatch):
    spec_with(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = final_recipe(toy_spec(tmp_path, final="network.yaml"), WINDOW_K)
    assert found["family"] == "nequip"
    assert found["domain"]["temperature_k"] == list(WINDOW_K)
    monkeypatch.chdir("/")
    with pytest.raises(CatalogueError):
        final_recipe(toy_spec(tmp_path, final="network.yaml"), WINDOW_K)


def test_without_one_the_potential_that_explored_gives_the_answer(tmp_path):
    assert final_recipe(toy_spec(tmp_path), WINDOW_K) is None


def test_another_pod_needs_neither_nequip_nor_a_compiler(monkeypatch):
    monkeypatch.setenv("PATH", "")
    require_runnable(RECIPE)


@pytest.fixture
def with_nequip():
    for package in ("nequip", "allegro", "lightning"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the Python package {package} is not installed: pip install 'mlip-sse[nequip]'")


@pytest.mark.usefixtures("with_nequip")
def test_a_network_without_a_compiler(tmp_path, monkeypatch):
    """Said after the folder is there, as what the reference lacks is, and before anything is labelled."""
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RunError, match=r"found no C\+\+ compiler \(no-such-compiler\), expected one to compile"):
        Campaign(spec_with(tmp_path), tmp_path / "campaign", engine={"scheduler": "embedded", "cores": 1}).run()
    assert not list(tmp_path.glob("campaign/tasks/*"))


@pytest.mark.usefixtures("with_nequip")
def test_a_network_without_its_pair_style(tmp_path, monkeypatch):
    if shutil.which("g++") is None:
        pytest.skip("there is no C++ compiler: apt-get install g++")
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path))
    monkeypatch.delenv("LAMMPS_PLUGIN_PATH", raising=False)
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(RunError) as caught:
        Campaign(spec_with(tmp_path), tmp_path / "campaign", engine={"scheduler": "embedded", "cores": 1}).run()
    assert "final: found no pair style 'nequip' that runs" in str(caught.value)
    assert "mlip-sse build-plugin, or leave final out" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("campaign/tasks/*"))


@pytest.mark.usefixtures("with_nequip")
def test_lammps_itself_is_asked_for_the_pair_style(tmp_path, monkeypatch):
    """A LAMMPS of the user's own that knows it needs no plugin."""
    program = tmp_path / "lmp"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.exit('pair_style      allegro' not in open('in.lammps').read())"
    )
    program.chmod(0o755)
    monkeypatch.setenv(EXECUTABLE_VARIABLE, os.fspath(program))
    monkeypatch.setenv("CXX", sys.executable)
    require_runnable({"family": "allegro"})
    with pytest.raises(RunError, match="no pair style 'nequip'"):
        require_runnable({"family": "nequip"})


@pytest.mark.parametrize(("after", "expected"), [(0.02, 0), (0.05, 0), (0.051, 1)])
def test_a_network_worse_than_what_explored_is_doubted(after, expected):
    card = SimpleNamespace(errors={"validation": {"force_ev_a": {"rmse": after}}})
    found = doubts({"force_ev_a": {"rmse": 0.05}}, SimpleNamespace(card=card))
    assert len(found) == expected
    assert all("51 meV/Å off on held-out frames" in reason and "explored 50" in reason for reason in found)
