"""A campaign's folder belongs to one spec and one process, and holds whole files."""

import json
import subprocess
import sys

import pytest

from mlip_sse.campaign.folder import CampaignFolder, spec_digest
from mlip_sse.campaign.specs import CampaignSpec
from mlip_sse.errors import FormatError, InputError

PLAIN = {
    "description": "a test",
    "structure": {"crystal": "licl"},
    "temperatures_k": [600, 700, 800, 900],
}


@pytest.fixture
def spec():
    return CampaignSpec.parse(PLAIN)


def test_it_is_made_and_taken_up_again(spec, tmp_path):
    folder = CampaignFolder(tmp_path / "c")
    with folder.opened(spec) as dataset:
        assert len(dataset) == 0
    with folder.opened(spec):
        folder.write_round({"number": 3, "state": "done"})
        assert folder.add_learning_time(2.0) == 2.0
        assert folder.add_learning_time(1.5) == 3.5
    assert folder.round(3) == {"number": 3, "state": "done"}
    assert folder.round(4) is None
    assert folder.answer() is None
    folder.write_answer({"verdict": "resolved"})
    assert folder.answer() == {"verdict": "resolved"}


def test_a_campaign_keeps_the_recipe_it_began_with(spec, tmp_path):
    folder = CampaignFolder(tmp_path / "c")
    with folder.opened(spec):
        assert folder.kept_recipe({"family": "pod", "cutoff": 5.0})["cutoff"] == 5.0
        folder.add_learning_time(1.0)
    with folder.opened(spec):
        assert folder.kept_recipe({"family": "pod", "cutoff": 4.0})["cutoff"] == 5.0


def test_other_words_are_the_same_campaign_and_other_numbers_are_not(spec, tmp_path):
    folder = CampaignFolder(tmp_path / "c")
    with folder.opened(spec):
        pass
    with folder.opened(spec.model_copy(update={"description": "other words"})):
        pass
    other = spec.model_copy(update={"seed": 1})
    with pytest.raises(InputError, match="another spec") as caught, folder.opened(other):
        pass
    for each in (spec, other):
        assert spec_digest(each)[:12] in str(caught.value)


def test_the_structure_file_counts_by_its_content(tmp_path):
    for name, text in (("a.cif", "data_x"), ("b.cif", "data_x"), ("c.cif", "data_y")):
        (tmp_path / name).write_text(text)
    digests = [
        spec_digest(CampaignSpec.parse(PLAIN | {"structure": {"file": str(tmp_path / name)}}))
        for name in ("a.cif", "b.cif", "c.cif")
    ]
    assert digests[0] == digests[1] != digests[2]


def test_a_second_driver_is_refused_until_the_first_is_killed(spec, tmp_path):
    program = (
        "import json, sys, time\n"
        "from mlip_sse.campaign.folder import CampaignFolder\n"
        "from mlip_sse.campaign.specs import CampaignSpec\n"
        "with CampaignFolder(sys.argv[1]).opened(CampaignSpec.parse(json.loads(sys.argv[2]))):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "c"), json.dumps(PLAIN)]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="another process"), CampaignFolder(tmp_path / "c").opened(spec):
            pass
    finally:
        first.kill()
        first.communicate()
    with CampaignFolder(tmp_path / "c").opened(spec):
        pass


def test_foreign_folders_are_refused_and_left_alone(spec, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"), CampaignFolder(tmp_path).opened(spec):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(InputError, match="found a file"), CampaignFolder(tmp_path / "notes.txt").opened(spec):
        pass


def test_a_damaged_file_is_named(spec, tmp_path):
    folder = CampaignFolder(tmp_path / "c")
    with folder.opened(spec):
        (folder.path / "rounds" / "000.json").write_text("{")
        with pytest.raises(FormatError, match=r"000\.json"):
            folder.round(0)
