"""``mlip-sse label`` fills a dataset, repeats nothing, and reports each failure on a line."""

import json
import os

import pytest
from ase.build import bulk
from ase.io import write

from mlip_sse.cli.main import main
from mlip_sse.dataset import Dataset

EMT = "ase:ase.calculators.emt:EMT"


@pytest.fixture
def structures(tmp_path):
    images = []
    for seed in range(3):
        images.append(bulk("Cu", cubic=True))
        images[-1].rattle(0.05, seed=seed)
    write(tmp_path / "md.extxyz", images)
    return str(tmp_path / "md.extxyz")


def test_label_twice(structures, tmp_path, capsys):
    out = str(tmp_path / "data")
    counts = []
    for _ in range(2):
        assert main(["label", EMT, structures, "--out", out, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        counts.append((found["n_labelled"], found["n_reused"], found["n_added"], found["n_frames"]))
    assert counts == [(3, 0, 3, 3), (0, 3, 0, 3)]
    dataset = Dataset(out)
    assert [(frame.group, frame.place) for frame in dataset] == [("md", 0), ("md", 1), ("md", 2)]


def test_failures_are_lines_and_only_nothing_at_all_fails(structures, tmp_path, capsys, repository, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.fspath(repository))
    monkeypatch.syspath_prepend(os.fspath(repository))
    bad = bulk("Ag", cubic=True)
    write(tmp_path / "bad.extxyz", bad)
    moody = "ase:tests.references.calculators:Moody"
    arguments = ["label", moody, structures, str(tmp_path / "bad.extxyz"), "--out", str(tmp_path / "data")]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "3 labelled, 0 there already, 1 failed" in printed
    assert "structure 3 (Ag4): the silver bullet" in printed
    assert main(["label", moody, str(tmp_path / "bad.extxyz"), "--out", str(tmp_path / "none")]) == 1


def test_bad_input_is_one_line(structures, tmp_path, capsys):
    (tmp_path / "words.xyz").write_text("words")
    (tmp_path / "v.yaml").write_text("kind: vasp\ncommand: no_such_vasp\n")
    out = ["--out", str(tmp_path / "data")]
    cases = [
        (["label", "chgnte", structures, *out], "did you mean 'chgnet'"),
        (["label", EMT, str(tmp_path / "none.cif"), *out], "no such file"),
        (["label", EMT, str(tmp_path / "words.xyz"), *out], "ASE cannot read it"),
        (["label", EMT, structures], "--out"),
        (["label", str(tmp_path / "v.yaml"), structures, *out], "found no program 'no_such_vasp'"),
    ]
    for arguments, message in cases:
        assert main(arguments) == 2
        error = capsys.readouterr().err.strip()
        assert message in error
        assert "\n" not in error
    assert not (tmp_path / "data").exists()
