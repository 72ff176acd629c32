"""The front door: what goes into the card, what is refused, and that nothing is done twice."""

import json

import numpy as np
import pytest
import yaml

from mlip_sse.dataset import Dataset, DatasetWarning, Fingerprint, LabelledFrame, Split, split_by_group
from mlip_sse.errors import InputError, SpecError
from mlip_sse.potentials import load_potential
from mlip_sse.potentials.calibration import ForceBounds
from mlip_sse.potentials.combining import combine
from mlip_sse.potentials.export import DATA_FILE, DECK_FILE, export
from mlip_sse.potentials.fitting import fit
from mlip_sse.potentials.model_errors import model_errors
from mlip_sse.potentials.pod.potential import PodPotential
from tests.potentials.licl import label, licl_atoms, pod_recipe, smooth_licl

pytestmark = pytest.mark.usefixtures("lammps")
GATES = ("parity", "finite_differences", "extensivity")


@pytest.fixture(scope="module")
def frames():
    return label(licl_atoms(80, seed=0), smooth_licl(), n_groups=8)


@pytest.fixture(scope="module")
def fitted(frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fits") / "licl"
    return fit(pod_recipe(), frames, folder, gates=GATES), folder


def test_the_card_says_what_came_out(fitted, frames):
    potential, folder = fitted
    card = potential.card
    assert card.name == "licl"
    assert (card.data["train_frames"], card.data["validation_frames"], card.data["test_frames"]) == (40, 20, 20)
    assert card.data["split"].startswith("by trajectory, seed 0: of 8 groups")
    assert set(card.errors) == {"train", "validation", "test"}
    assert set(card.gates) == set(GATES)
    assert all(gate["passed"] for gate in card.gates.values())
    assert 0.8 < card.uncertainty["coverage_on_test"]["overall"]["share"] <= 1.0
    assert card.fingerprint["code"] == "LiCl pair potential of the tests"
    split = split_by_group(frames, 0.25, 0.25, seed=0)
    measured = model_errors(load_potential(folder / "potential"), split.test)
    assert card.errors["test"] == json.loads(json.dumps(measured))
    rms = np.sqrt(np.mean(np.concatenate([frame.forces for frame in split.test]) ** 2))
    assert card.errors["test"]["force_ev_a"]["rmse"] < 0.1 * rms
    assert ForceBounds.of_card(card).alarm is not None


def test_the_same_call_repeats_nothing(fitted, frames, monkeypatch):
    potential, folder = fitted
    before = {path: path.stat().st_mtime_ns for path in (folder / "potential").iterdir()}
    monkeypatch.setattr(PodPotential, "fit", lambda *a, **k: pytest.fail("fitted again"))
    monkeypatch.setattr("mlip_sse.potentials.fitting.predict", lambda *a, **k: pytest.fail("measured again"))
    again = fit(pod_recipe(), frames, folder, gates=GATES)
    assert again.card == potential.card
    assert {path: path.stat().st_mtime_ns for path in (folder / "potential").iterdir()} == before


def test_gates_that_are_asked_for_later_are_added(frames, tmp_path, monkeypatch):
    first = fit(pod_recipe(), frames, tmp_path / "x", gates=())
    assert first.card.gates == {}
    monkeypatch.setattr(PodPotential, "fit", lambda *a, **k: pytest.fail("fitted again"))
    second = fit(pod_recipe(), frames, tmp_path / "x", gates=["extensivity"])
    assert set(second.card.gates) == {"extensivity"}
    assert second.card.errors == first.card.errors


def test_a_gate_that_could_not_run_is_run_again(frames, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("MLIP_SSE_LMP", str(tmp_path / "no_lammps_here"))
        first = fit(pod_recipe(), frames, tmp_path / "x", gates=["parity"])
    assert "MLIP_SSE_LMP" in first.card.gates["parity"]["reason"]
    assert not first.card.gates["parity"]["passed"]
    assert fit(pod_recipe(), frames, tmp_path / "x", gates=["parity"]).card.gates["parity"]["passed"]


def test_what_was_fitted_but_not_measured_is_not_fitted_again(frames, tmp_path, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mlip_sse.potentials.fitting.predict", stop)
        with pytest.raises(KeyboardInterrupt):
            fit(pod_recipe(), frames, tmp_path / "x", gates=())
    assert not (tmp_path / "x" / "potential").exists()
    monkeypatch.setattr(PodPotential, "fit", lambda *a, **k: pytest.fail("fitted again"))
    assert fit(pod_recipe(), frames, tmp_path / "x", gates=()).card.errors["test"]["n_frames"] == 20


def test_another_recipe_in_the_same_folder_is_fitted_anew(frames, tmp_path):
    first = fit(pod_recipe(), frames, tmp_path / "x", gates=())
    second = fit(pod_recipe(two_body=5), frames, tmp_path / "x", gates=())
    assert len(second.coefficients) != len(first.coefficients)
    assert load_potential(tmp_path / "x" / "potential").card.errors == second.card.errors


def test_recipe_and_datasets_by_path(frames, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(yaml.safe_dump(pod_recipe().model_dump(mode="json", exclude_none=True)))
    Dataset(tmp_path / "one", create=True).add(frames[:40])
    Dataset(tmp_path / "two", create=True).add(frames[30:])
    shares = []
    potential = fit(
        recipe,
        [tmp_path / "one", tmp_path / "two"],
        tmp_path / "out",
        gates=(),
        progress=lambda share, line: shares.append(share),
    )
    assert potential.card.name == "mine"
    assert sum(potential.card.data[f"{name}_frames"] for name in ("train", "validation", "test")) == 80
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_split_of_the_caller_is_kept_and_no_validation_is_said(frames, tmp_path):
    split = Split(tuple(frames[:60]), (), tuple(frames[60:]), "by hand")
    potential = fit(pod_recipe(regularisation=1e-8), split, tmp_path / "x", gates=())
    assert potential.card.data["split"] == "by hand"
    assert "no validation frames" in potential.card.uncertainty["notes"]
    assert set(potential.card.errors) == {"train", "test"}


def other_fingerprint(frame):
    return LabelledFrame(
        frame.symbols, frame.cell, frame.positions + 0.01, frame.energy, frame.forces, frame.stress,
        Fingerprint.declared("something else"), frame.group, frame.place,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("recipe", "data", "words"),
    [
        ({}, lambda frames: [*frames, other_fingerprint(frames[0])], "labels made in two ways"),
        ({"elements": ["Li", "P"]}, lambda frames: frames, "found Cl in the frames, expected the recipe's Li, P"),
        ({}, lambda frames: [], "no labelled frames"),
        ({}, lambda frames: None, "no section 'data'"),
        ({}, lambda frames: frames[:5], "group"),
        ({}, lambda frames: Split((), (), (), "nothing"), "no training frames"),
        ({"regularisation": 1e-8}, lambda frames: lacking_chlorine(frames), "found Cl in validation or test"),
    ],
)
def test_what_cannot_be_fitted_is_refused_and_nothing_is_written(frames, tmp_path, recipe, data, words):
    with pytest.raises(InputError, match=words):
        fit(pod_recipe(**recipe), data(frames), tmp_path / "x", gates=())
    assert not (tmp_path / "x").exists()


def lacking_chlorine(frames):
    lithium = LabelledFrame(
        ("Li",), 3 * np.eye(3), np.zeros((1, 3)), 0.0, np.zeros((1, 3)), None, frames[0].fingerprint
    )
    return Split((lithium,), tuple(frames[:1]), (), "by hand")


def test_stress_of_the_wrong_sign_is_doubted(tmp_path):
    """LAMMPS and VASP write pressures; the stress then falls as the volume grows."""
    stretched = licl_atoms(12, rattle=(0.01, 0.02), strain=0.0)
    for number, atoms in enumerate(stretched):
        atoms.set_cell(atoms.cell * (0.97, 0.99, 1.01, 1.03)[number // 3], scale_atoms=True)
    turned = [
        LabelledFrame(f.symbols, f.cell, f.positions, f.energy, f.forces, -f.stress, f.fingerprint, f"run {i}", i)
        for i, f in enumerate(label(stretched, smooth_licl()))
    ]
    with pytest.warns(DatasetWarning, match="sign is probably reversed"):
        fit(pod_recipe(committee=0), turned, tmp_path / "x", gates=())


def test_other_refusals(frames, tmp_path):
    with pytest.raises(InputError, match="nothing to fit"):
        fit("licl_born_mayer", frames, tmp_path / "x")
    with pytest.raises(InputError, match="no gate 'partiy'"):
        fit(pod_recipe(), frames, tmp_path / "x", gates=["partiy"])
    bad = tmp_path / "bad.yaml"
    bad.write_text("family: pod\ndescription: x\ncutof: 5\n")
    with pytest.raises(SpecError, match="cutof"):
        fit(bad, frames, tmp_path / "x")


def test_export_gives_a_deck_that_runs(fitted, tmp_path):
    from mlip_sse.potentials.gates.deck_check import run_program

    potential, _ = fitted
    done = export(potential, tmp_path / "out", skip=["dimer_repulsion", "nve_drift", "md_stability"])
    assert done.skipped == ("dimer_repulsion", "nve_drift", "md_stability")
    names = {path.name for path in done.folder.iterdir()}
    assert {DECK_FILE, DATA_FILE, "card.json"} < names
    assert not any(name.startswith("log") for name in names)
    run_program(done.folder, DECK_FILE, variables={"steps": "20"})
    assert "Loop time" in (done.folder / "log.lammps").read_text()
    card = json.loads((done.folder / "card.json").read_text())
    assert card["data"]["gates_skipped"] == ["dimer_repulsion", "nve_drift", "md_stability"]
    export(potential, done.folder, skip=done.skipped)  # an earlier export is replaced


def test_export_refuses_and_says_which_gate(fitted, tmp_path):
    from mlip_sse.errors import RunError

    potential, _ = fitted
    failed = {
        "name": "md_stability",
        "passed": False,
        "found": 3.2,
        "limit": 20.0,
        "unit": "ps",
        "reason": "broken: P 1",
    }
    spoilt = potential.with_card(gates={**potential.card.gates, "md_stability": failed})
    with pytest.raises(RunError, match=r"md_stability: FAILED, 3.2 ps \(limit 20\); broken: P 1"):
        export(spoilt, tmp_path / "out", skip=["dimer_repulsion", "nve_drift"])
    assert list(tmp_path.iterdir()) == []


def test_export_refuses_folders_that_hold_something_else(fitted, tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="found other files"):
        export(fitted[0], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_combined_experts_with_errors_and_bounds(frames, tmp_path):
    split = split_by_group(frames, 0.25, 0.25, seed=0)
    recipe, one = pod_recipe(regularisation=1e-8), len(split.train) // 2
    parts = [split.train[:one], split.train[one:]]
    experts = [
        fit(recipe, Split(part, split.validation[at::2], (), "by hand"), tmp_path / f"expert{at}", gates=())
        for at, part in enumerate(parts)
    ]
    joined = combine(experts, tmp_path / "joined", validation=split.test)
    union = fit(recipe, Split(split.train, split.validation, (), "by hand"), tmp_path / "union", gates=())
    mine, theirs = (model_errors(each, split.test)["force_ev_a"]["rmse"] for each in (joined, union))
    assert mine == pytest.approx(theirs, rel=1e-5)  # the fit of all frames, to the rounding of an ill-conditioned solve
    assert joined.card.errors["validation"]["n_frames"] == len(split.test)
    assert "conformal" in joined.card.uncertainty
    assert joined.card.data["structures"]
    with pytest.raises(InputError, match="found 1 potential"):
        combine(experts[:1], tmp_path / "lonely")
    with pytest.raises(InputError, match="lammps_pair"):
        combine([experts[0], load_potential("licl_born_mayer")], tmp_path / "odd")
