"""Interfaces as a question: cells, seeds, runs, when it stands, what the answer says; and a campaign of a toy salt."""

import os

import numpy as np
import pytest
import yaml
from scipy.stats import t as student

from mlip_sse.analysis.interphase.growth import Outcome
from mlip_sse.campaign.folder import spec_digest
from mlip_sse.campaign.interface import InterfaceReaction, interface_criterion, reaction_energy_error
from mlip_sse.campaign.interface_answer import answer_of, dynamics_of, reaction_energy
from mlip_sse.campaign.interface_looks import last_frame
from mlip_sse.campaign.interface_specs import InterfaceCampaignSpec
from mlip_sse.campaign.questions import question_of
from mlip_sse.campaign.specs import load_campaign
from mlip_sse.cli.campaign_answers import answer_text, probe_text
from mlip_sse.errors import InputError, SpecError
from mlip_sse.spec_templates import spec_template
from tests.campaign.toy import PLAIN as TOY
from tests.campaign.toy import RECIPE, importable

__all__ = ["importable"]  # a fixture

PLAIN = {
    "description": "a toy",
    "question": "interface",
    "interface": {
        "a": {"crystal": "licl", "miller": [1, 0, 0], "thickness_a": 7.0},
        "b": {"crystal": "licl", "miller": [1, 0, 0], "thickness_a": 7.0},
    },
    "mixed": 3,
    "units": [{"centre": "Cl", "ligand": "Li", "count": 6}],
    "reference": TOY["reference"],
    "seeds": {"relax_steps": 2, "strained": 2, "rattled": 4, "displaced": 2, "contacts": 2, "units": 0},
    "explore": {"segments": 3, "segment_ps": 0.3, "timestep_fs": 2.0, "look_every_fs": 20.0},
    "select": {"frames": 6, "held_out": 3, "per_segment": 4},
    "decide": {"alarms": 1.0, "error_change": 1.0, "tolerance_ev_atom": 0.5, "explored_ps": 0.5},
    "anneal": {
        "temperatures_k": [300.0],
        "seeds": 2,
        "production_ps": 4.0,
        "settle_ps": 0.2,
        "heat_ps": 0.2,
        "dump_every_fs": 100.0,
        "thickness_a": [14.0, 14.0],
    },
    "budget": {"labels": 120, "rounds": 2},
}


def spec_of(**changes):
    return InterfaceCampaignSpec.parse({**PLAIN, **changes})


def interval(value, half=0.001):
    return {"value": value, "low": value - half, "high": value + half, "confidence": 0.95, "method": ""}


def test_the_template_and_the_worked_specs_are_specs(tmp_path):
    (tmp_path / "mine.yaml").write_text(spec_template("campaign", "interface"))
    assert isinstance(load_campaign(tmp_path / "mine.yaml"), InterfaceCampaignSpec)
    assert load_campaign("li_li6ps5cl").expected == {"Li2S": 5, "Li3P": 1, "LiCl": 1}
    assert load_campaign("s8_li3ps4").interface.b.crystal == "s8"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"structure": {"crystal": "licl"}}, "unknown key 'structure'"),
        ({"interface": {"a": {"crystal": "licl"}}}, "interface.b"),
        ({"anneal": {"temperatures_k": [300.0, 300.0]}}, "found a value twice"),
        ({"anneal": {"timestep_fs": 5.0}}, "anneal.timestep_fs"),
        ({"budget": {"labels": 30}}, "expected at least 39"),
    ],
)
def test_what_cannot_be_is_one_line(changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        spec_of(**changes)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_built_is_refused_before_a_folder_is_made():
    with pytest.raises(InputError, match="found li2s with S"):
        question_of(spec_of(products=["li2s"])).starts()
    with pytest.raises(InputError, match="mobile: found Na"):
        question_of(spec_of(mobile="Na")).starts()


def test_files_of_both_sides_belong_to_the_campaign(tmp_path):
    from ase.build import bulk
    from ase.io import write

    write(tmp_path / "salt.cif", bulk("LiCl", "rocksalt", a=5.1, cubic=True))
    sides = {"a": {"file": "salt.cif", "miller": [1, 0, 0]}, "b": {"crystal": "licl", "miller": [1, 0, 0]}}
    spec = spec_of(interface=sides).beside(tmp_path)
    assert spec.interface.a.file == str(tmp_path / "salt.cif")
    before = spec_digest(spec)
    write(tmp_path / "salt.cif", bulk("LiCl", "rocksalt", a=5.2, cubic=True))
    assert spec_digest(spec) != before
    with pytest.raises(InputError, match=r"interface\.a\.file: found no file"):
        spec_digest(spec_of(interface=sides))


def test_starts_seeds_and_runs_are_those_of_the_interface():
    question = question_of(spec_of(products=["licl"]))
    assert isinstance(question, InterfaceReaction)
    starts = question.starts()
    both, _, _, slab_a, slab_b, product = starts
    assert len(both) == len(slab_a) + len(slab_b)
    assert set(product.get_chemical_symbols()) == {"Li", "Cl"}
    gaps = [f for f in question.seeds_around(both, 0, "start-1") if f.info["group"].endswith("gaps")]
    heights = [frame.cell[2, 2] - both.cell[2, 2] for frame in gaps]
    assert heights == pytest.approx([2 * each for each in (-0.3, 0.3, 0.8, 1.5, 3.0)])  # both gaps of a periodic cell
    mixed = [f for f in question.seeds_around(both, 0, "start-1") if f.info["group"].endswith("mixed")]
    assert len(mixed) == 3
    assert all(sorted(f.numbers) == sorted(both.numbers) and (f.numbers != both.numbers).any() for f in mixed)
    assert not [f for f in question.seeds_around(slab_a, 3, "start-4") if "contacts" in f.info["group"]]
    segments = question.segments(starts, 1, 0.05)
    assert len(segments) == 12  # they ended early: four times as many
    assert all(segment.is_reactive for segment in segments)
    assert {segment.ensemble for segment in segments if "crystal" not in segment.name} == {"npz", "nvt"}
    assert {segment.ensemble for segment in segments if "crystal" in segment.name} == {"npt"}
    fixed = question_of(spec_of(height="fixed")).segments(starts, 1, 1.0)
    assert {segment.ensemble for segment in fixed} == {"nvt"}
    assert 0 < question.n_interface_atoms(both) <= len(both)


def test_frames_of_one_run_count_together():
    errors = np.array([0.01, -0.01, 0.01, 0.03, -0.05])
    found = reaction_energy_error(errors, ["a", "a", "a", "b", "c"])
    means = np.array([0.01, 0.03, 0.05])
    half = student.ppf(0.975, 2) * means.std(ddof=1) / np.sqrt(3)
    assert found.value == pytest.approx(means.mean())
    assert (found.low, found.high) == pytest.approx((max(0.0, means.mean() - half), means.mean() + half))
    assert reaction_energy_error(errors[:3], ["a", "a", "b"]) is None


@pytest.mark.parametrize(
    ("values", "met", "found"),
    [((0.01, 0.012), True, "10.0, 12.0 meV/atom"), ((0.01, 0.03), False, "30.0"), ((None, 0.01), False, "1 probes")],
)
def test_it_stands_when_the_error_of_the_energy_is_small_and_stays(values, met, found):
    probes = [{"reaction_energy_error_ev_atom": None if each is None else interval(each)} for each in values]
    rounds = [{"probe": each, "exploration": [{"reached_ps": 30.0}, {"reached_ps": 40.0}]} for each in probes]
    criterion = interface_criterion(rounds, 0.02, 70.0)
    assert criterion.met is met
    assert found in criterion.found
    assert not interface_criterion(rounds, 0.02, 71.0).met


def test_the_reference_and_the_spread_of_the_anneals_are_in_the_interval():
    rows = [
        {"reaction_energy_ev_atom": -0.50, "reference_ev_atom": -0.52},
        {"reaction_energy_ev_atom": -0.54, "reference_ev_atom": -0.55},
    ]
    found = reaction_energy(rows)
    half = 0.015 + student.ppf(0.975, 1) * 0.04 / np.sqrt(2) / np.sqrt(2)
    assert found.value == pytest.approx(-0.52)
    assert found.high - found.value == pytest.approx(half)
    assert reaction_energy([]) is None


def run(seed, reaction, **changes):
    row = {"temperature_k": 300.0, "seed": seed, "reaction": reaction, "quality": "pass", "reasons": []}
    row |= {"intact_fraction_end": interval(0.5, 0.1), "interphase_thickness": interval(8.0, 1.0)}
    return row | changes


def document(reactions, *, stop=True, reference=-0.5):
    spec = spec_of()
    rows = [
        {"run": k, "reaction_energy_ev_atom": -0.5, "reference_ev_atom": reference, "reasons": []}
        for k in range(len(reactions))
    ]
    energies = {"runs": rows, "n_interface_atoms": 40, "n_checked": 4}
    runs = [run(k + 1, each) for k, each in enumerate(reactions)]
    last = {"decision": {"stop": stop, "reasons": ["the budget of 9 labels is spent"]}, "probe": None}
    built = {"formula": "LiCl", "n_atoms": 64, "area_a2": 50.0, "max_strain": 0.01}
    return answer_of(spec, built, runs, energies, {"reasons": []}, last)


def test_the_answer_says_whether_it_reacts_and_what_is_missing():
    good = document([Outcome.GROWTH, Outcome.GROWTH])
    assert (good["verdict"], good["quality"], good["temperatures"][0]["does_react"]) == ("resolved", "pass", True)
    assert "it reacts" in answer_text(good)
    assert document([Outcome.NO_REACTION, Outcome.NO_REACTION])["temperatures"][0]["does_react"] is False
    differ = document([Outcome.NO_REACTION, Outcome.GROWTH])
    assert differ["temperatures"][0]["does_react"] is None
    assert differ["verdict"] == "not resolved"
    late = document([Outcome.GROWTH, Outcome.GROWTH], stop=False)
    assert (late["verdict"], late["quality"]) == ("not resolved", "weak")
    assert "the budget of 9 labels is spent" in late["missing"][0]
    blind = document([Outcome.GROWTH, Outcome.GROWTH], reference=None)
    assert any("its error is not in the interval" in reason for reason in blind["reasons"])
    none = document([])
    assert (none["verdict"], none["quality"]) == ("not resolved", "refused")


def test_the_last_frame_is_whole_in_a_cell_that_changed(tmp_path):
    """Unwrapped positions divided by the last cell would put atoms on top of each other."""
    from ase.build import bulk
    from ase.io import write

    crystal = bulk("LiCl", "rocksalt", a=5.1, cubic=True)
    frames = []
    for k in range(12):
        frame = crystal.copy()
        frame.set_scaled_positions((crystal.get_scaled_positions() + 0.13 * k) % 1.0)
        frame.set_cell(crystal.cell.array * [1, 1, 1 + 0.01 * k], scale_atoms=True)
        frame.pbc = True
        frames.append(frame)
    write(tmp_path / "run.extxyz", frames)
    last = last_frame(tmp_path / "run.extxyz", frame_spacing_fs=100.0)
    assert last.cell[2, 2] == pytest.approx(5.1 * 1.11)
    assert last.get_all_distances(mic=True)[0, 1:].min() == pytest.approx(2.55)
    assert np.allclose((last.get_scaled_positions() - frames[-1].get_scaled_positions() + 0.5) % 1.0, 0.5, atol=1e-6)


def test_a_probe_in_a_few_words_and_the_anneal_as_a_protocol():
    assert "3.0 meV/atom" in probe_text({"reaction_energy_error_ev_atom": interval(0.003)})
    assert probe_text({"reaction_energy_error_ev_atom": None}) == ""
    dynamics = dynamics_of(spec_of())
    assert (dynamics.seeds, dynamics.production_ps, dynamics.temperatures_k) == ((1, 2), 4.0, (300.0,))
    assert spec_of().long_interface.a.thickness_a == 14.0


@pytest.mark.slow
def test_a_toy_salt_against_itself_does_not_react(tmp_path, importable):
    from mlip_sse import Campaign
    from mlip_sse.report import write_report

    recipe = tmp_path / "pod_toy.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    spec = spec_of(potential=os.fspath(recipe))
    seen = []
    answer = Campaign(spec, tmp_path / "c").run(seen.append)
    (found,) = answer["temperatures"]
    assert len(found["energies"]) == 2
    energy = found["reaction_energy_ev_atom"]
    # A salt that meets itself sticks: what is gained is the energy of its surfaces, the teacher's within the interval.
    assert energy["value"] < 0
    assert energy["low"] <= np.mean([row["reference_ev_atom"] for row in found["energies"]]) <= energy["high"]
    assert all((tmp_path / "c" / each["path"]).is_file() for each in found["runs"])
    assert answer["at_rest"]["work_of_adhesion_ev_a2"]["value"] > 0
    assert "Reaction energy, 300" in write_report(tmp_path / "c").read_text()
    n_tasks = len(list((tmp_path / "c" / "tasks").iterdir()))
    (tmp_path / "c" / "answer.json").unlink()
    again = Campaign(spec, tmp_path / "c").run()
    assert again["temperatures"] == answer["temperatures"]
    assert len(list((tmp_path / "c" / "tasks").iterdir())) == n_tasks
