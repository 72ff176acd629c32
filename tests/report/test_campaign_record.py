"""Reading a folder without trust: what is refused, what becomes nothing, and that no file outside is ever read."""

import json
import math
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlip_sse.errors import FormatError, InputError
from mlip_sse.report import page_html, read_campaign
from mlip_sse.report.campaign_record import CampaignRecord, inside, state_of_files
from mlip_sse.report.production import Production, read_production
from mlip_sse.report.untrusted import interval, items, mapping, number, numbers, text

# What is no campaign, and what is damaged


def one_line(error):
    return "\n" not in str(error.value) and len(str(error.value)) < 400


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="found nothing, expected a campaign's folder") as error:
        read_campaign(tmp_path / "not-there")
    assert one_line(error)


def test_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="found a file"):
        read_campaign(tmp_path / "file")


def test_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "README.md").write_text("something else")
    with pytest.raises(InputError, match=r"neither campaign\.json") as error:
        read_campaign(tmp_path)
    assert one_line(error)


@pytest.mark.parametrize("name", ["campaign.json", "answer.json", "rounds/001.json", "potential/card.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\xff\xfe\x00", b"[" * 100_000, b"nul", b'"text"'])
def test_a_damaged_file_is_named_in_one_line(campaign, name, content):
    (campaign / name).write_bytes(content)
    with pytest.raises(FormatError, match=name) as error:
        read_campaign(campaign)
    assert one_line(error)


@pytest.mark.parametrize("content", [b"a: [1", b"\xff\xfe", b"- " * 20 + b": :", b"x: !!python/object:os.system {}"])
def test_a_damaged_spec_is_named_in_one_line(campaign, content):
    (campaign / "spec.yaml").write_bytes(content)
    with pytest.raises(FormatError, match=r"spec\.yaml") as error:
        read_campaign(campaign)
    assert one_line(error)


def test_a_file_that_is_far_too_large_is_not_read(campaign):
    with open(campaign / "answer.json", "wb") as stream:
        stream.truncate(1 << 30)
    with pytest.raises(FormatError, match="expected at most"):
        read_campaign(campaign)


# Nothing outside of the folder


@pytest.mark.parametrize("path", ["../secret.json", "/etc/passwd", "a\0b", "rounds", "missing.json", "loop"])
def test_paths_that_leave_the_folder_are_not_followed(campaign, path):
    (campaign.parent / "secret.json").write_text("{}")
    (campaign / "loop").symlink_to("loop")
    assert inside(campaign, path) is None


def test_a_link_to_the_outside_is_not_followed(campaign):
    secret = campaign.parent / "secret.json"
    secret.write_text(json.dumps({"verdict": "stolen"}))
    (campaign / "answer.json").unlink()
    (campaign / "answer.json").symlink_to(secret)
    assert read_campaign(campaign).answer is None


def test_a_trajectory_outside_is_not_read_and_that_is_said(campaign):
    outside = campaign.parent / "outside.lammpstrj"
    outside.write_bytes((campaign / "trajectories" / "450K_0.lammpstrj").read_bytes())
    answer = json.loads((campaign / "answer.json").read_text())
    for row in answer["trajectories"]:
        row["path"] = str(outside)
    (campaign / "answer.json").write_text(json.dumps(answer))
    production = read_production(read_campaign(campaign))
    assert production.lines == ()
    assert "not in the campaign's folder" in production.notes[0]


def test_a_pipe_in_the_place_of_a_file_does_not_hang(campaign):
    (campaign / "answer.json").unlink()
    os.mkfifo(campaign / "answer.json")
    assert read_campaign(campaign).answer is None


# What the folder holds


def test_rounds_come_in_the_order_of_their_numbers(campaign):
    for number_ in (999, 1000):
        (campaign / "rounds" / f"{number_:03d}.json").write_text(json.dumps({"number": number_}))
    assert [round_["number"] for round_ in read_campaign(campaign).rounds] == [0, 1, 2, 999, 1000]


def test_files_are_listed_and_those_of_a_task_counted_together(campaign):
    files = {file.path: file for file in read_campaign(campaign).files}
    assert "rounds/002.json" in files
    assert "trajectories/620K_0.lammpstrj" in files
    tasks = [file for path, file in files.items() if path.startswith("tasks/")]
    assert [file.n_files for file in tasks] == [2] * 5
    assert all(file.path.endswith("/") for file in tasks)


def test_the_state_changes_with_a_round_and_with_nothing_else(campaign):
    before = state_of_files(campaign)
    (campaign / "trajectories" / "more").write_text("x")
    assert state_of_files(campaign) == before
    (campaign / "rounds" / "003.json").write_text("{}")
    assert state_of_files(campaign) != before


# Values


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (1, 1.0),
        (2.5, 2.5),
        (True, None),
        ("3", None),
        (math.nan, None),
        (math.inf, None),
        (1e200, None),
        (10**400, None),
        (None, None),
    ],
)
def test_a_number_is_finite_or_nothing(found, expected):
    assert number(found) == expected


def test_texts_have_no_controls_and_an_end():
    assert text("a\n\tb\x00c\u202ed\ud800") == "a b c d"
    assert len(text("x" * 10**6)) == 600
    assert text(["list"]) == ""


def test_lists_have_an_end():
    assert len(items([0] * 10**6)) == 5000
    assert len(numbers([0] * 10**6)) == 200_000
    assert np.isnan(numbers([1.0, "x", None])[1:]).all()


def test_an_upper_limit_stays_a_limit():
    found = interval({"value": None, "low": None, "high": 2e-8, "confidence": 7, "method": "bound"})
    assert (found.value, found.high, found.confidence) == (None, 2e-8, 0.95)
    assert interval({"low": 1}) is None


# Anything at all makes a page

JSON_LIKE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["Li", "<b>", "done"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def damaged(document, replacement, rng):
    """Return a copy in which one thing, at any depth, is something else."""
    copy = json.loads(json.dumps(document))
    place = copy
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[rng.randrange(len(keys))]
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.25:
            place[key] = replacement
            return copy
        place = inner


@pytest.fixture(scope="module")
def whole(samples):
    return read_campaign(samples["not-resolved"])


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(replacements=st.lists(JSON_LIKE, min_size=3, max_size=3), rng=st.randoms(use_true_random=False))
def test_a_record_with_anything_in_any_place_still_makes_a_page(whole, replacements, rng):
    answer, card = damaged(whole.answer, replacements[0], rng), damaged(whole.card, replacements[1], rng)
    rounds = (*whole.rounds[:1], damaged(whole.rounds[2], replacements[2], rng))
    record = CampaignRecord(
        whole.folder, whole.spec, whole.spec_text, whole.state, rounds, mapping(answer), mapping(card)
    )
    assert page_html(record, Production()).endswith("</html>\n")


@pytest.mark.parametrize(
    "content", [b"", b"no trajectory", b"ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n-3\n", b"\xff" * 500]
)
def test_a_damaged_trajectory_is_a_note_and_the_others_are_read(campaign, content):
    (campaign / "trajectories" / "620K_0.lammpstrj").write_bytes(content)
    production = read_production(read_campaign(campaign))
    assert [line.temperature_k for line in production.lines] == [450.0, 500.0, 550.0]
    assert len(production.notes) == 1
    assert production.notes[0].startswith("trajectories/620K_0.lammpstrj: ")
    assert str(campaign) not in production.notes[0]
    assert production.density.temperature_k == 550.0
