"""The page of a campaign for barriers: its own numbers, and nothing of a conductivity that was not asked for."""

import json

import pytest

from mlip_sse.report import page_html, read_campaign
from mlip_sse.report.barrier_section import barrier_section
from mlip_sse.report.production import read_production
from tests.report.test_page import outline


def interval(value, half):
    return {"value": value, "low": value - half, "high": value + half, "confidence": 0.95, "method": "made up"}


HOP = {
    "distance_a": 2.768,
    "n_equivalent": 24,
    "barrier_ev": interval(0.25, 0.02),
    "reverse_barrier_ev": interval(0.26, 0.02),
    "reference_on_path_ev": 0.24,
    "path_a": [0.0, 1.0, 2.0, 3.0, 4.0],
    "energies_ev": [0.0, 0.1, 0.25, 0.1, -0.01],
    "reference_energies_ev": [0.0, 0.11, 0.24, None, -0.01],
    "errors_apart": {"convergence": 0.001, "committee": 0.009, "reference_check": 0.012},
    "quality": "weak",
    "reasons": ["image 1 lies in a <b>minimum</b>"],
    "band": "bands/hop_1.extxyz",
}


@pytest.fixture
def folder(campaign):
    spec = campaign / "spec.yaml"
    spec.write_text(spec.read_text() + "question: barrier\n")
    answer = {
        "question": "barrier",
        "verdict": "not resolved",
        "quality": "weak",
        "reasons": ["hop 1: image 1 lies in a minimum"],
        "hops": [HOP, {"distance_a": 3.9, "quality": "refused", "reasons": ["no band"], "barrier_ev": None}],
        "labels": {"n_labelled": 218, "n_reference_calls": 250, "n_checked": 7},
        "missing": ["more labels near the band"],
    }
    (campaign / "answer.json").write_text(json.dumps(answer))
    return campaign


def page_of(folder):
    record = read_campaign(folder)
    return outline(page_html(record, read_production(record))).text


def test_barriers_come_first_with_their_intervals_and_what_they_rest_on(folder):
    found = page_of(folder)
    assert found.index("0.250 eV 95 % interval 0.230–0.270") < found.index("The hops")
    assert "learnt from 218 labels, held against 7 labels of the reference along the same paths" in found
    assert "more labels near the band" in found
    assert "Hop 1: image 1 lies in a <b>minimum</b>" in found
    assert "Arrhenius" not in found.split("How it was learnt")[0]
    assert "Conductivity at 300 K" not in found
    assert "along the path of each hop" in found


def test_a_path_is_drawn_with_the_reference_beside(folder):
    _, (figure,) = barrier_section(read_campaign(folder))
    assert "0.250 eV at the top" in figure.words
    assert "at most 0.010 eV off" in figure.words
    assert [trace["name"] for trace in figure.data] == ["potential", "reference"]
    assert figure.rows[3] == ("3.000", "0.1000", "–")


def test_a_probe_is_what_is_known_so_far(folder):
    (folder / "answer.json").unlink()
    path = sorted((folder / "rounds").glob("*.json"))[-1]
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"probe": {"hops": [HOP], "reasons": []}}))
    found = page_of(folder)
    assert "bands of the last probe" in found
    assert "Barrier, hop 1 of 2.77 Å" in found


def test_a_damaged_answer_is_a_page_all_the_same(folder):
    for hops in ("x", [None], [{"path_a": ["a", 1, 2], "energies_ev": [1, 2, 3], "errors_apart": 4}]):
        (folder / "answer.json").write_text(json.dumps({"question": "barrier", "hops": hops}))
        assert "The answer" in page_of(folder)
