"""A campaign's spec is refused before an hour is spent."""

import pytest

from mlip_sse.campaign.specs import CampaignSpec, load_campaign
from mlip_sse.errors import SpecError
from mlip_sse.spec_templates import spec_template
from mlip_sse.specs import read_yaml

PLAIN = {
    "description": "a test",
    "structure": {"crystal": "licl"},
    "temperatures_k": [600, 700, 800, 900],
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"temperatures_k": [600, 700, 800, -900]}, "temperatures_k"),
        ({"temperatures_k": [600, 700, 800]}, "temperatures_k"),
        ({"temperatures_k": [600, 600, 700, 800]}, "found a value twice"),
        ({"structure": {}}, "expected one of them"),
        ({"structure": {"crystal": "licl", "file": "x.cif"}}, "expected one of them"),
        ({"budget": {"labels": 50}}, "expected at least"),
        ({"reference": {"kind": "oracle"}}, "reference"),
        ({"mobile": "lithium"}, "mobile"),
        ({"explore": {"segments": 0}}, "explore.segments"),
    ],
)
def test_what_cannot_be_is_one_line(changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        CampaignSpec.parse(PLAIN | changes)
    assert "\n" not in str(caught.value)


def test_the_template_is_short_and_a_spec(tmp_path):
    text = spec_template("campaign")
    assert len(text.splitlines()) < 40
    (tmp_path / "mine.yaml").write_text(text)
    spec = load_campaign(tmp_path / "mine.yaml")
    assert spec.reference.kind == "chgnet"
    assert set(read_yaml(tmp_path / "mine.yaml")) | {"final"} == set(CampaignSpec.model_fields)


def test_words_decide_nothing():
    spec = CampaignSpec.parse(PLAIN)
    assert spec.identity() == spec.model_copy(update={"description": "other"}).identity()
    assert spec.identity() != spec.model_copy(update={"seed": 1}).identity()


def test_a_structure_beside_the_spec_is_found(tmp_path):
    (tmp_path / "x.cif").write_text("data_x")
    spec = CampaignSpec.parse(PLAIN | {"structure": {"file": "x.cif"}})
    assert spec.beside(tmp_path).structure.file == str(tmp_path / "x.cif")
    assert spec.beside(tmp_path / "elsewhere").structure.file == "x.cif"
