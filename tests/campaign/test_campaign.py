"""One toy campaign from its seeds to its answer, taken up in the middle; then everything that it left is looked at."""

import json
import math
import shutil

import pytest
import yaml

from mlip_sse.campaign.campaign import Campaign
from mlip_sse.dataset import Dataset
from mlip_sse.engine import TaskFolder
from mlip_sse.potentials import load_potential
from tests.campaign.toy import importable, toy_plain, toy_spec, without_clocks
from tests.cli.conftest import program

__all__ = ["importable", "program"]  # fixtures

pytestmark = pytest.mark.xdist_group("toy_campaign")

ENGINE = {"scheduler": "embedded", "cores": 2}
INTERVAL = {"value", "low", "high", "confidence", "method"}
ROUND = {
    *("number", "state", "potential", "exploration", "selection", "labels", "prior_errors", "errors", "parity"),
    *("coverage", "probe", "decision", "wall_s", "dataset_sha256", "state_of_learning"),
}
SEGMENT = {"name", "temperatures_k", "ensemble", "seed", "wanted_ps", "reached_ps", "ended", "looks"}
LOOKS = {"time_ps", "temperature_k", "energy_ev", "grade", "excess", "error_bound_ev_a"}


@pytest.fixture(scope="module")
def done(importable, tmp_path_factory):
    """Run a campaign: two rounds by one object, which is then dropped, and the rest by another."""
    folder = tmp_path_factory.mktemp("toy")
    spec = toy_spec(folder)
    rounds = Campaign(spec, folder / "campaign", engine=ENGINE).rounds()
    first = [next(rounds), next(rounds)]
    rounds.close()
    documents = []
    answer = Campaign(spec, folder / "campaign", engine=ENGINE).run(documents.append)
    assert documents[:2] == first
    return spec, folder / "campaign", documents, answer


def results(folder):
    """Return when each task's result was put in place."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("tasks/*/result.json")}


def test_each_round_says_what_it_did(done):
    spec, folder, documents, _ = done
    assert [document["number"] for document in documents] == list(range(len(documents)))
    assert documents == [json.loads(path.read_text()) for path in sorted((folder / "rounds").glob("*.json"))]
    for document in documents:
        assert set(document) >= ROUND
        assert document["state"] == "done"
        assert document["errors"]["force_ev_a"]["rmse"] > 0
        assert set(document["parity"]) == {"Li", "Cl"}
        for element in document["parity"].values():
            assert len(element["reference"]) == len(element["predicted"]) > 0
        assert load_potential(folder / document["potential"]["path"]).card.data["held_out"] > 0
    assert documents[0]["exploration"] == []
    for document in documents[1:]:
        assert document["exploration"]
        for segment in document["exploration"]:
            assert set(segment) == SEGMENT
            assert set(segment["looks"]) == LOOKS
            assert len({len(values) for values in segment["looks"].values()}) == 1
        assert document["labels"]["n_asked"] == document["labels"]["n_labelled"] + document["labels"]["n_failed"]
        assert document["prior_errors"]["force_ev_a"]["rmse"] > 0
        assert {"stop", "criteria", "reasons", "end"} <= set(document["decision"])
    assert [document["decision"]["end"] for document in documents[1:]] == [False] * (len(documents) - 2) + [True]
    assert len(documents) - 1 <= spec.budget.rounds


def test_labels_stay_within_the_budget_and_in_the_dataset(done):
    spec, folder, documents, answer = done
    dataset = Dataset(folder / "dataset")
    last = documents[-1]
    assert last["labels"]["n_reference_calls"] <= spec.budget.labels
    assert answer["labels"]["n_labelled"] == last["labels"]["n_total"] == len(dataset)
    assert last["dataset_sha256"] == dataset.digest
    assert len({document["dataset_sha256"] for document in documents}) == len(documents)


def test_what_is_held_out_never_trains(done):
    _, folder, documents, _ = done
    states = [document["state_of_learning"] for document in documents]
    ids = {frame.id for frame in Dataset(folder / "dataset")}
    for state, document in zip(states, documents, strict=True):
        assert not set(state["train"]) & set(states[-1]["held_out"])
        assert not set(state["held_out"]) & set(states[-1]["train"])
        assert document["potential"]["n_train"] == len(state["train"])
        assert document["potential"]["n_held_out"] == len(state["held_out"])
    assert {*states[-1]["train"], *states[-1]["held_out"]} == ids
    fits = [TaskFolder(path.parents[1]).inputs() for path in folder.glob("tasks/*/potential/card.json")]
    assert len(fits) == len(documents)
    for inputs in fits:
        assert not {*inputs["train"], *inputs["new_train"]} & set(states[-1]["held_out"])


def test_the_potential_of_the_answer_says_how_good_it_is(done):
    _, folder, documents, _ = done
    potential = load_potential(folder / "potential")
    assert potential.card.errors["validation"] == documents[-1]["errors"]
    assert {"scale", "conformal", "alarm", "grade_bounds"} <= set(potential.card.uncertainty)
    assert (folder / "potential" / "card.json").is_file()
    assert potential.recipe.domain.temperature_k == (300.0, 2000.0)


def test_the_answer_has_the_names_that_scripts_rely_on(done):
    spec, folder, _, answer = done
    text = (folder / "answer.json").read_text()
    assert json.loads(text) == json.loads(json.dumps(answer))
    assert answer["verdict"] in ("resolved", "not resolved")
    assert isinstance(answer["quality"], str)
    assert all("\n" not in reason for reason in (*answer["reasons"], *answer["missing"]))
    for row in answer["trajectories"]:
        assert {
            *("path", "temperature_k", "mobile", "tracer_diffusivity_cm2_s", "charge_diffusivity_cm2_s"),
            *("haven_ratio", "conductivity_ms_cm", "nernst_einstein_conductivity_ms_cm", "quality", "reasons"),
        } <= set(row)
    assert [row["temperature_k"] for row in answer["temperatures"]] == sorted(spec.temperatures_k)
    names = {"activation_energy_ev", "conductivity_300k_ms_cm", "diffusivity_300k_cm2_s"}
    assert names <= set(answer)
    assert answer["arrhenius"] is None or names | {"quality", "reasons"} <= set(answer["arrhenius"])
    found = list(intervals(answer))
    assert found  # a melt of these temperatures moves
    assert answer["teacher_check"] is not None
    assert 0.5 < answer["softening"]["slope"] < 1.5
    assert answer["speed"]["ratio"] > 0


def intervals(data):
    """Check all intervals of plain data."""
    if isinstance(data, dict):
        if "low" in data and "high" in data and "slope" not in data:
            assert set(data) == INTERVAL
            numbers = [data[key] for key in ("low", "value", "high") if data[key] is not None]
            assert all(map(math.isfinite, numbers))
            assert numbers == sorted(numbers)
            yield data
        else:
            for each in data.values():
                yield from intervals(each)
    elif isinstance(data, list):
        for each in data:
            yield from intervals(each)


def test_the_trajectories_have_names(done):
    _, folder, _, answer = done
    assert len(answer["trajectories"]) == 4
    for row in answer["trajectories"]:
        path = folder / row["path"]
        assert path.parent == folder / "trajectories"
        assert sum(each.samefile(path) for each in folder.glob(f"tasks/*/*{path.suffix}")) == 1
    assert len(list((folder / "trajectories").iterdir())) == 4 + 2 * 4  # and those of two committee members


def test_a_second_run_repeats_nothing(done):
    spec, folder, documents, answer = done
    before = results(folder)
    again = []
    assert Campaign(spec, folder, engine=ENGINE).run(again.append) == answer
    assert again == documents
    assert results(folder) == before


def test_the_verb_prints_the_answer_that_is_there(done, program, tmp_path):
    _, folder, documents, answer = done
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(toy_plain(folder.parent)))
    before = results(folder)
    outcome = program("campaign", tmp_path / "toy.yaml", "--out", folder)
    assert outcome.code == 0, outcome.err
    rows = [line.split()[0] for line in outcome.out.splitlines()[1:5]]
    assert rows == ["1300", "1500", "1700", "2000"]
    assert f"verdict: {answer['verdict']}" in outcome.out
    assert str(folder / "report.html") in outcome.out
    assert (folder / "report.html").is_file()
    assert sum(line.startswith("round") for line in outcome.err.splitlines()) == len(documents)
    again = program("campaign", tmp_path / "toy.yaml", "--out", folder, "--json")
    assert json.loads(again.out) == answer
    assert results(folder) == before


def test_tasks_alone_give_the_same_campaign(done, tmp_path):
    """Rounds, dataset, potential and answer are made anew from the tasks, elsewhere and in one go: all is the same."""
    spec, folder, documents, answer = done
    shutil.copytree(folder / "tasks", tmp_path / "tasks")
    (tmp_path / ".driver").touch()
    before = results(tmp_path)
    again = []
    found = Campaign(spec, tmp_path, engine=ENGINE).run(again.append)
    assert results(tmp_path) == before
    assert [without_clocks(each) for each in again] == [without_clocks(each) for each in documents]
    assert without_clocks(found) == without_clocks(answer)
    assert str(folder) not in json.dumps(answer)
    assert Dataset(tmp_path / "dataset").digest == documents[-1]["dataset_sha256"]
