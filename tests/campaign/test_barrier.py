"""Barriers as a question: cells, seeds, images, when it stands, errors apart; and a campaign of a toy crystal."""

import math
import os

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from mlip_sse.campaign.barrier import Barrier, barrier_criterion, is_near, ranked_images
from mlip_sse.campaign.barrier_answer import barrier_answer, hop_answer
from mlip_sse.campaign.questions import QUESTIONS, question_of
from mlip_sse.campaign.specs import CAMPAIGNS, BarrierCampaignSpec, load_campaign
from mlip_sse.cli.campaign_answers import answer_text, probe_text
from mlip_sse.dataset import Fingerprint, LabelledFrame
from mlip_sse.errors import InputError, SpecError
from mlip_sse.spec_templates import spec_template
from mlip_sse.structures import rattle
from tests.campaign.toy import PLAIN as TOY
from tests.campaign.toy import RECIPE

PLAIN = {
    "description": "a toy",
    "question": "barrier",
    "structure": {"crystal": "licl", "min_width_a": 7.5},
    "mobile": "Li",
    "reference": TOY["reference"],
    "seeds": {"relax_steps": 5, "strained": 5, "rattled": 6, "displaced": 4, "contacts": 2},
    "explore": {"segments": 3, "segment_ps": 0.4, "timestep_fs": 1.0, "look_every_fs": 20.0},
    "select": {"frames": 8, "held_out": 3, "per_segment": 4},
    "bands": {"max_distance_a": 3.9, "n_images": 3},
    "decide": {"alarms": 1.0, "error_change": 1.0, "tolerance_ev": 0.05, "within_ev": 0.5},
    "budget": {"labels": 120, "rounds": 3},
}
PRINT = Fingerprint(code="test", method="calculator")


def spec_of(**changes):
    return BarrierCampaignSpec.parse({**PLAIN, **changes})


def interval(value, half=0.001):
    return {"value": value, "low": value - half, "high": value + half, "confidence": 0.95, "method": ""}


def hop(value, reference=None, distance=2.8):
    ours = None if value is None else interval(value)
    return {
        "distance_a": distance,
        "reasons": ["the band is not converged"] if value is None else [],
        "barrier_ev": ours,
        "reverse_barrier_ev": ours,
        "reference_on_path_ev": reference,
        "reverse_reference_on_path_ev": reference,
    }


def rounds(*values, reference):
    return [{"probe": {"hops": [hop(value, reference)], "reasons": []}} for value in values]


def test_every_question_has_a_spec_and_a_class():
    assert set(QUESTIONS) == set(CAMPAIGNS)
    assert isinstance(question_of(spec_of()), Barrier)


def test_the_template_is_short_and_a_spec(tmp_path):
    text = spec_template("campaign", "barrier")
    assert len(text.splitlines()) < 40
    (tmp_path / "mine.yaml").write_text(text)
    assert isinstance(load_campaign(tmp_path / "mine.yaml"), BarrierCampaignSpec)
    assert load_campaign("li3ocl_barrier").bands.max_distance_a == 3.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperatures_k": [600]}, "unknown key 'temperatures_k'"),
        ({"bands": {"n_images": 4}}, "expected an odd number"),
        ({"bands": {"mobile": "Li"}}, "unknown key 'bands.mobile'"),
        ({"structure": {"crystal": "licl", "orderings": 2}}, "structure.orderings: found 2, expected 1"),
        ({"budget": {"labels": 40}}, "expected at least 48"),
        ({"explore": {"overheat": 1.2}}, "unknown key 'explore.overheat'"),
    ],
)
def test_what_cannot_be_is_one_line(changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        spec_of(**changes)
    assert "\n" not in str(caught.value)


def test_cells_and_seeds_are_those_of_the_hops():
    question = question_of(spec_of())
    perfect, vacancy = question.starts()
    assert len(vacancy) == len(perfect) - 1
    assert perfect.symbols.count("Li") == vacancy.symbols.count("Li") + 1
    seeds = question.more_seeds()
    assert [seed.info["place"] for seed in seeds] == [0, 1, 2]
    assert all(len(seed) == len(vacancy) for seed in seeds)
    assert [len(s.start) - len(perfect) for s in question.segments([perfect, vacancy], 1, 1.0)] == [-1, -1, 0]
    again = question.segments([perfect, vacancy], 2, 0.1)
    assert len(again) == 12  # they ended early: four times as many
    assert len({segment.seed for segment in again}) == 12


def test_hops_that_do_not_fit_the_cell_are_refused_before_any_label():
    with pytest.raises(InputError, match="raise min_width_a"):
        question_of(spec_of(structure={"crystal": "licl", "min_width_a": 7.0})).starts()


def band(tmp_path, n=5, **changes):
    """Return a band of a lithium ion over a hill of 0.3 eV, one carbon atom far from it; forces as the energies say."""
    images = []
    for at in range(n):
        x = at / (n - 1)
        atoms = Atoms("LiC", [[3 * x, 0.4 * math.sin(math.pi * x), 0], [5, 5, 5]], cell=[10, 10, 10], pbc=True)
        energy = 0.3 * math.sin(math.pi * x) ** 2
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.zeros((2, 3)))
        images.append(atoms)
    write(tmp_path / "band.extxyz", images)
    facts = {
        "start": 0,
        "end": 1,
        "distance_a": 3.0,
        "is_reversible": False,
        "n_equivalent": 12,
        "highest_image": n // 2,
        "barrier_forward_ev": interval(0.3, 0.003),
        "barrier_backward_ev": interval(0.3, 0.003),
        "committee": {key: interval(0.3, 0.004) for key in ("barrier_forward_ev", "barrier_backward_ev")},
        "quality": "pass",
        "reasons": [],
        "band": {"file": str(tmp_path / "band.extxyz")},
    }
    return images, facts | changes


def test_images_are_wanted_from_the_saddle_outwards(tmp_path):
    images, facts = band(tmp_path)
    found = ranked_images(facts, "round 1 band 1", 7)
    assert [atoms.info["place"] for atoms in found if atoms.info["group"] == "round 1 band 1"] == [2, 1, 3, 0, 4]
    assert found[1].info["group"].endswith("shaken")
    assert np.allclose(found[0].positions, images[2].positions, atol=1e-7)
    half = ranked_images(facts | {"is_reversible": True}, "g", 7)
    assert [atoms.info["place"] for atoms in half if atoms.info["group"] == "g"] == [2, 1, 0]


def frame_of(atoms, energy=0.0, forces=None):
    return LabelledFrame(
        symbols=tuple(atoms.get_chemical_symbols()),
        cell=atoms.cell.array,
        positions=atoms.positions,
        energy=energy,
        forces=np.zeros((len(atoms), 3)) if forces is None else forces,
        stress=None,
        fingerprint=PRINT,
    )


def test_what_is_labelled_already_is_known_wherever_the_lattice_drifted():
    atoms = question_of(spec_of()).starts()[1]
    drifted = atoms.copy()
    drifted.positions += [3.0, -7.0, 0.2]
    assert is_near(atoms, [frame_of(drifted)])
    assert is_near(atoms, [], [atoms.copy()])
    assert not is_near(atoms, [frame_of(rattle(atoms, 0.05, 1))])
    strained = atoms.copy()
    strained.set_cell(atoms.cell * 1.005, scale_atoms=True)
    assert not is_near(atoms, [frame_of(strained)])
    assert not is_near(atoms, [frame_of(atoms[1:])])


@pytest.mark.parametrize(
    ("values", "reference", "met", "found"),
    [
        ((0.250, 0.255), 0.26, True, "moved by at most 0.005 eV, off the reference by at most 0.005 eV"),
        ((0.250, 0.280), 0.28, False, "moved by at most 0.030 eV"),
        ((0.250, 0.255), 0.30, False, "off the reference by at most 0.045 eV"),
        ((0.250, 0.255), None, False, "no labels of the reference"),
        ((0.250, None), 0.25, False, "1 of 1 hops without a barrier (the band is not converged)"),
        ((None, 0.250), 0.25, False, "no barriers to compare"),
    ],
)
def test_barriers_stand_when_they_stay_and_the_reference_agrees(values, reference, met, found):
    criterion = barrier_criterion(rounds(*values, reference=reference), 0.02)
    assert criterion.met is met
    assert found in criterion.found


def test_other_hops_or_none_are_not_compared():
    other = [{"probe": {"hops": [hop(0.25, 0.25, 2.8), hop(0.4, 0.4, 3.9)], "reasons": []}}]
    assert not barrier_criterion([*other, *rounds(0.25, reference=0.25)], 0.02).met
    assert "the crystal" in barrier_criterion([{"probe": {"hops": [], "reasons": ["the crystal melts"]}}], 0.02).found


def labels_of_band(images, scale, top_force=0.0):
    labels = []
    for at, image in enumerate(images):
        forces = np.zeros((2, 3))
        forces[1, 0] = top_force if at == len(images) // 2 else 0.0
        labels.append(frame_of(image, -5.0 + scale * image.get_potential_energy(), forces))
    return labels


def test_the_reference_on_the_path_lies_in_the_interval_and_errors_stand_apart(tmp_path):
    images, facts = band(tmp_path)
    found = hop_answer(facts, images, labels_of_band(images, 1.1, top_force=0.2))
    assert found["reference_on_path_ev"] == pytest.approx(0.33)
    assert found["reference_energies_ev"] == pytest.approx([1.1 * i.get_potential_energy() for i in images])
    apart = found["errors_apart"]
    assert apart["convergence"] == pytest.approx(0.003)
    assert apart["committee"] == pytest.approx(0.004)
    assert apart["reference_check"] == pytest.approx(0.03 + 0.2**2 / 2)
    half = 0.05 + 0.005  # 3-4-5
    assert (found["barrier_ev"]["low"], found["barrier_ev"]["high"]) == pytest.approx((0.3 - half, 0.3 + half))
    assert found["quality"] == "pass"


def test_a_band_without_labels_or_committee_is_weak_and_says_so(tmp_path):
    images, facts = band(tmp_path, committee=None)
    found = hop_answer(facts, images, [None] * 5)
    assert found["quality"] == "weak"
    assert found["errors_apart"]["reference_check"] is None
    assert len(found["reasons"]) == 2
    refused = hop_answer(facts | {"barrier_forward_ev": None, "quality": "refused", "reasons": ["no hill"]}, [], [])
    assert refused["barrier_ev"] is None
    document = barrier_answer(spec_of(), [found, refused], {"stop": True, "reasons": []})
    assert (document["verdict"], document["quality"]) == ("not resolved", "weak")
    assert len(document["missing"]) == 2
    assert "0.300 (0.297 to 0.303)" in answer_text(document)


def test_the_verdict_names_the_largest_error(tmp_path):
    images, facts = band(tmp_path)
    decision = {"stop": True, "reasons": []}
    good = barrier_answer(spec_of(), [hop_answer(facts, images, labels_of_band(images, 1.0))], decision)
    assert (good["verdict"], good["quality"], good["missing"]) == ("resolved", "pass", [])
    strict = spec_of(decide={"within_ev": 0.02})
    (said,) = barrier_answer(strict, [hop_answer(facts, images, labels_of_band(images, 1.1))], decision)["missing"]
    assert "reference check, 0.030 eV" in said
    unfinished = {"stop": False, "reasons": ["the budget of 9 labels is spent"]}
    late = barrier_answer(spec_of(), [hop_answer(facts, images, labels_of_band(images, 1.0))], unfinished)
    assert late["verdict"] == "not resolved"
    none = barrier_answer(spec_of(), [], decision, ["the crystal cannot be relaxed"])
    assert (none["verdict"], none["quality"]) == ("not resolved", "refused")


def test_a_state_below_the_start_is_said_but_does_not_unresolve(tmp_path):
    images, facts = band(tmp_path)
    images[1].calc.results["energy"] = -0.06
    labels = labels_of_band(images, 1.0)
    found = hop_answer(facts | {"energies_ev": [0.0, -0.06, 0.3, 0.15, 0.0]}, images, labels)
    assert found["above_lowest_ev"] == pytest.approx(0.36)
    assert found["reference_above_lowest_ev"] == pytest.approx(0.36)
    document = barrier_answer(spec_of(), [found], {"stop": True, "reasons": []})
    assert document["verdict"] == "resolved"
    assert "0.060 eV below its start" in document["missing"][0]


def test_a_probe_in_a_few_words():
    assert probe_text({"hops": [hop(0.25), hop(None), hop(0.4)]}) == "barriers 0.250, 0.400 eV"
    assert probe_text({"hops": []}) == ""


@pytest.mark.slow
def test_a_toy_crystal_gives_the_barrier_of_its_teacher(tmp_path):
    """The teacher's own band gives the number that the campaign must find, within its interval."""
    from mlip_sse import Campaign
    from mlip_sse.md_protocols.neb_vacancy import neb_vacancy_hops
    from tests.campaign.toy_teacher import MoltenSalt

    recipe = tmp_path / "pod_toy.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    spec = spec_of(potential=os.fspath(recipe))
    seen = []
    answer = Campaign(spec, tmp_path / "c").run(seen.append)
    (own,) = neb_vacancy_hops(question_of(spec).crystal(), MoltenSalt(), question_of(spec).settings)
    (found,) = answer["hops"]
    assert found["barrier_ev"]["low"] < own.barrier_forward.value < found["barrier_ev"]["high"]
    assert seen[-1]["selection"]["n_further"] <= 4
    assert (tmp_path / "c" / found["band"]).is_file()
    assert (tmp_path / "c" / "potential" / "card.json").is_file()
    assert answer["labels"]["n_labelled"] <= 120
    # What a kill before the end of the last round leaves: the same answer again, and no task is done twice.
    n_tasks = len(list((tmp_path / "c" / "tasks").iterdir()))
    (tmp_path / "c" / "answer.json").unlink()
    (tmp_path / "c" / "rounds" / f"{seen[-1]['number']:03d}.json").unlink()
    again = Campaign(spec, tmp_path / "c").run()
    assert {key: again[key] for key in ("hops", "labels", "verdict")} == {
        key: answer[key] for key in ("hops", "labels", "verdict")
    }
    assert len(list((tmp_path / "c" / "tasks").iterdir())) == n_tasks
