"""What a campaign refuses, one line each, before an hour is spent."""

import os
import re

import pytest
import yaml

from mlip_sse.campaign.campaign import Campaign
from mlip_sse.campaign.folder import CampaignFolder
from mlip_sse.errors import InputError
from tests.campaign.toy import importable, toy_plain, toy_spec
from tests.cli.conftest import program

__all__ = ["importable", "program"]  # fixtures

pytestmark = pytest.mark.usefixtures("importable")

CIF = """data_toy
_cell_length_a 6
_cell_length_b 6
_cell_length_c 6
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Li1 Li 0 0 0 1
"""


@pytest.fixture
def refusal(program, tmp_path, monkeypatch):
    """Return a function that runs a spec with changes and gives the one line of its refusal."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, **changes):
        (tmp_path / "toy.yaml").write_text(yaml.safe_dump(toy_plain(tmp_path, **changes)))
        outcome = program("campaign", "toy.yaml", *arguments)
        lines = [line for line in outcome.err.splitlines() if not line.startswith("  ")]  # progress
        assert outcome.code in (1, 2)
        assert outcome.out == ""
        assert len(lines) == 1
        assert not list(tmp_path.glob("*/rounds/*.json"))
        return lines[0]

    return run


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"temperatures_k": [1300, 1500, 1700, -2000]}, "temperatures_k"),
        ({"budget": {"labels": 20}}, "budget.labels: found 20, expected at least 33"),
        ({"reference": {"kind": "ase", "calculator": "no_such_package:Teacher"}}, "found no package 'no_such_package'"),
        ({"mobile": "Na"}, "mobile: found Na, expected one of the structure's elements Cl, Li"),
        ({"potential": "licl_born_mayer"}, "nothing to fit"),
    ],
)
def test_a_wrong_spec(refusal, changes, message):
    assert message in refusal(**changes)


def test_an_element_that_the_reference_does_not_know(refusal, tmp_path):
    """The toy's teacher knows none but Li and Cl, and says so when it is asked: no more is tried than it takes."""
    (tmp_path / "na.cif").write_text(CIF + "Na1 Na 0.5 0.5 0 1\nCl1 Cl 0.5 0 0 1\nCl2 Cl 0 0.5 0 1\n")
    assert "labels failed, expected labels of at least 50%: KeyError 'Na'" in refusal(structure={"file": "na.cif"})


def test_a_structure_with_overlapping_atoms(refusal, tmp_path):
    (tmp_path / "twice.cif").write_text(CIF + "Li2 Li 0.5 0 0 1\nCl1 Cl 0.5 0.5 0.5 1\nCl2 Cl 0.52 0.5 0.5 1\n")
    line = refusal(structure={"file": "twice.cif"})
    assert "0.12 Å" in line


def test_a_production_whose_times_do_not_fit(refusal):
    found = refusal(production={"dump_every_fs": 7.3})
    assert "dump_every_fs" in found
    assert not os.path.exists("toy")


def test_an_engine_that_cannot_start(refusal, tmp_path):
    (tmp_path / "engine.yaml").write_text("scheduler: lsf\n")
    line = refusal("--engine", "engine.yaml")
    assert re.search(r"found no .*(bsub|bjobs|bkill).*, expected", line)


def test_the_folder_of_another_spec(refusal, tmp_path):
    known = Campaign(toy_spec(tmp_path), tmp_path / "toy")
    with known.folder.opened(known.spec):
        ours = known.folder.state()["spec_sha256"]
    line = refusal(seed=1)
    found = re.search(r"found the campaign of another spec, (\w{12}), expected (\w{12})", line)
    assert found[1] == ours[:12] != found[2]


def test_a_folder_of_something_else(refusal, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "thesis.tex").write_text("chapter 1")
    assert "found other files, expected a campaign or an empty folder" in refusal()
    assert os.listdir(tmp_path / "toy") == ["thesis.tex"]


def test_two_drivers(refusal, tmp_path):
    spec = toy_spec(tmp_path)
    with CampaignFolder(tmp_path / "toy").opened(spec):
        assert "another process runs this campaign, expected one at a time" in refusal()


def test_an_answer_before_learning_has_ended(tmp_path):
    with pytest.raises(InputError, match="learning has not ended, expected all rounds"):
        Campaign(toy_spec(tmp_path), tmp_path / "toy").answer()
