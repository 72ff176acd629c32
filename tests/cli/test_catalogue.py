"""``mlip-sse catalogue``."""

import json

import pytest
import yaml

from mlip_sse.catalogue import FOLDERS, entries


def test_everything_is_listed(program):
    outcome = program("catalogue")
    assert outcome.code == 0
    for folder in FOLDERS:
        assert f"{folder}/" in outcome.out
        for entry in entries(folder):
            assert f"  {entry.name} " in outcome.out


def test_json_names_describes_and_locates_every_entry(program):
    listed = json.loads(program("catalogue", "--json").out)
    assert {folder: [entry["name"] for entry in group] for folder, group in listed.items()} == {
        folder: [entry.name for entry in entries(folder)] for folder in FOLDERS
    }
    for group in listed.values():
        assert all(entry["description"] and entry["path"].endswith(".yaml") for entry in group)


@pytest.mark.parametrize("folder", FOLDERS)
def test_one_kind(program, folder):
    assert list(json.loads(program("catalogue", folder, "--json").out)) == [folder]


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_entry_is_printed_as_it_lies_there_and_as_json(program, folder):
    for entry in entries(folder):
        outcome = program("catalogue", folder, entry.name)
        assert outcome.code == 0
        assert outcome.out == entry.path.read_text(encoding="utf-8")
        shown = json.loads(program("catalogue", folder, entry.name, "--json").out)
        assert shown["kind"] == folder
        assert shown["spec"].items() >= {"description": yaml.safe_load(outcome.out)["description"]}.items()


def test_what_is_not_there_is_said(program):
    outcome = program("catalogue", "analysis", "nothing-of-the-kind")
    assert outcome.code == 2
    assert outcome.err.startswith("error: no entry 'nothing-of-the-kind' in analysis, expected one of ")
    outcome = program("catalogue", "analyses")
    assert outcome.code == 2
    assert outcome.err.startswith("error: no catalogue folder 'analyses', expected one of potentials, ")


def test_a_broken_entry_of_the_user_is_said(program, tmp_path, monkeypatch):
    (tmp_path / "analysis").mkdir()
    (tmp_path / "analysis" / "broken.yaml").write_text("a: [1\n")
    monkeypatch.setenv("MLIP_SSE_PATH", str(tmp_path))
    outcome = program("catalogue", "analysis")
    assert outcome.code == 2
    assert "broken.yaml: not YAML" in outcome.err
