"""The document of an answer: verdicts, what is missing, and the names that others read."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mlip_sse.analysis.measurement import Measurement
from mlip_sse.analysis.results import Interval
from mlip_sse.campaign import answer
from mlip_sse.campaign.answer import Checked, Evidence, answer_of
from mlip_sse.campaign.error_budget import budget_of
from mlip_sse.campaign.production import Production, ProductionRun
from mlip_sse.campaign.softening import softening_of
from mlip_sse.campaign.specs import CampaignSpec
from mlip_sse.campaign.teacher import TeacherCheck
from tests.campaign.test_error_budget import KELVINS, drawn

SPEC = CampaignSpec.parse(
    {
        "description": "an answer",
        "structure": {"crystal": "li6ps5cl"},
        "temperatures_k": list(KELVINS),
        "decide": {"factor_300k": 10.0},
    }
)
NAMES = {
    "question",
    "verdict",
    "quality",
    "reasons",
    "trajectories",
    "arrhenius",
    "temperatures",
    "activation_energy_ev",
    "conductivity_300k_ms_cm",
    "diffusivity_300k_cm2_s",
    "errors_apart",
    "teacher_check",
    "softening",
    "labels",
    "speed",
    "missing",
    "provenance",
}


def run_of(row, member=None):
    seed = 1 if row.path.endswith("-0") else 2
    who = f"seed{seed}" if member is None else f"member{member}"
    plain = replace(row, result=None, path=f"trajectories/{row.temperature_k:g}K_{who}.lammpstrj")
    return ProductionRun(row.temperature_k, seed, member, Path("tasks") / row.path, None, plain)


def evidence(seed=12, **changes):
    rows, members = drawn(seed, error=0.03, member_error=0.05)
    member_runs = tuple(run_of(row, k) for k, each in enumerate(members) for row in each)
    forces = [np.random.default_rng(k).normal(size=(4, 3)) for k in range(4)]
    plain = {
        "produced": Production((), tuple(run_of(row) for row in rows), member_runs),
        "budget": budget_of(rows, members),
        "teacher": TeacherCheck(
            900.0, 5.0, None, None, None, True, {}, ("D is 1.02 times the teacher's",), 1.6, 2500, 150.0
        ),
        "checked": Checked(
            4,
            softening_of([["Li", "Li", "S", "S"]] * 4, [0.97 * each for each in forces], forces),
            0.05,
            Interval(0.05, -0.02, 0.12, 0.95, "mean"),
        ),
        "learning_stopped": True,
        "learning_reasons": ["nothing moved"],
        "labels": {"n_labelled": 233, "n_reference_md_steps": 2500},
    }
    return Evidence(**{**plain, **changes})


def test_an_answer_that_stands_is_resolved_and_has_all_names():
    found = answer_of(SPEC, evidence())
    assert found["verdict"] == "resolved", found["missing"]
    assert set(found) >= NAMES
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["trajectories"][0]["path"] == "trajectories/600K_seed1.lammpstrj"
    assert found["softening"]["slope"] == pytest.approx(0.97)
    assert found["pressure_offset_gpa"]["high"] == 0.12
    assert found["activation_energy_ev"]["low"] < 0.25 < found["activation_energy_ev"]["high"]
    assert set(found["errors_apart"]["activation_energy_ev"]) == {"statistics", "seeds", "committee"}
    assert [each["temperature_k"] for each in found["temperatures"]] == list(KELVINS)
    assert any("off by a factor 1.60 or more" in each for each in found["missing"])
    assert found["speed"]["ratio"] is None  # no log lies where these runs say
    assert any("ns more" in each or "reached already" in each for each in found["missing"])


def test_learning_that_did_not_stop_by_itself_leaves_it_open():
    found = answer_of(SPEC, evidence(learning_stopped=False, learning_reasons=["the budget of 400 labels is spent"]))
    assert found["verdict"] == "not resolved"
    assert found["missing"][0] == "Learning ended before the answer stood: the budget of 400 labels is spent."


def test_an_interval_wider_than_asked_for_leaves_it_open_with_the_time_still_needed():
    narrow = SPEC.model_copy(update={"decide": SPEC.decide.model_copy(update={"factor_300k": 1.05})})
    found = answer_of(narrow, evidence())
    assert found["verdict"] == "not resolved"
    assert "expected 1.05 or better" in found["missing"][0]
    assert any(each.startswith("Dynamics: ") and "ns at" in each for each in found["missing"])


def test_a_teacher_that_contradicts_leaves_it_open_and_makes_it_weak():
    words = "D of the student is 3.10 times the teacher's"
    teacher = TeacherCheck(900.0, 5.0, None, Interval(None, 0.0, 1e-6, 0.95, "limit"), None, False, {}, (words,))
    found = answer_of(SPEC, evidence(teacher=teacher))
    assert (found["verdict"], found["quality"]) == ("not resolved", "weak")
    assert any(words in each for each in found["missing"])
    assert found["teacher_check"]["teacher_cm2_s"]["value"] is None


def test_without_runs_there_is_no_answer_and_each_reason_is_given():
    rows = [Measurement.of_failure(f"own-{k:g}-0", k, "Li", "exploded in segment 1") for k in KELVINS]
    produced = Production((), tuple(run_of(row) for row in rows))
    found = answer_of(SPEC, evidence(produced=produced, budget=budget_of(rows), checked=Checked(0), teacher=None))
    assert (found["verdict"], found["quality"]) == ("not resolved", "refused")
    assert found["activation_energy_ev"] is found["conductivity_300k_ms_cm"] is found["arrhenius"] is None
    assert [each["quality"] for each in found["trajectories"]] == ["refused"] * 4
    assert any("exploded in segment 1" in each for each in found["missing"])
    assert any("No diffusivity at 600 K" in each for each in found["missing"])


def test_a_committee_that_dominates_asks_for_labels():
    rows, members = drawn(12, error=0.01, member_error=0.01, committee_ev=0.04)
    found = answer_of(SPEC, evidence(budget=budget_of(rows, members)))
    assert any("comes from the potential: more labels make it better" in each for each in found["missing"])


def test_cells_that_the_reference_would_not_have_make_an_answer_weak():
    checked = evidence().checked
    far = replace(checked, pressure_offset_gpa=Interval(0.6, 0.5, 0.7, 0.95, "mean"))
    found = answer_of(SPEC, evidence(checked=far))
    assert found["quality"] == "weak"
    assert "its mean cells are too large" in " ".join(found["reasons"])
    near = replace(checked, pressure_offset_gpa=Interval(0.6, 0.2, 1.0, 0.95, "mean"))
    assert "mean cells" not in " ".join(answer_of(SPEC, evidence(checked=near))["reasons"])


@pytest.mark.parametrize(("agree", "chance", "calls"), [(True, 1.4, 1), (False, None, 1), (False, 1.4, 2)])
def test_a_teacher_that_contradicts_is_asked_for_longer_runs(monkeypatch, agree, chance, calls):
    asked = []

    def teach(*_, longer=1.0, say=None):
        asked.append(longer)
        return TeacherCheck(900.0, 4.0 * longer, None, None, None, agree, {}, ("words",), chance)

    monkeypatch.setattr(answer, "teach", teach)
    found = answer._taught(SPEC, SimpleNamespace(reference=None, engine=None), evidence().produced, None)
    assert asked == [1.0, 3.0][:calls]
    assert found.duration_ps == 4.0 * asked[-1]
